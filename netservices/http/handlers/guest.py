"""What applications of others have in common: how their answers become responses, where
the content of their requests waits, and how long they are waited for."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Iterable
from io import BufferedRandom, BytesIO
from typing import IO, Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from netservices.core.threads import Workers
from netservices.values import Path
from netservices.web.body import Body
from netservices.web.problems import Problem
from netservices.web.request import Request, unquoted
from netservices.web.response import Content, Response

IN_MEMORY_OCTETS = 256 * 1024
"""Longer content waits in a file."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")

# RFC 9110 7.6.1: the connection is ours; and so is the clock.
_OURS = frozenset(
    ("connection", "date", "keep-alive", "proxy-connection", "te", "trailer")
    + ("transfer-encoding", "upgrade")
)


class GuestFault(Exception):
    """An application broke the rules of its interface."""


class Room:
    """How much room there is for contents that wait in files, for all requests
    together."""

    def __init__(self, most_octets: int) -> None:
        self._most = most_octets
        self._taken = 0
        # Files end wherever their last user is done with them: in any thread.
        self._given_back: deque[int] = deque()

    @property
    def taken_octets(self) -> int:
        """How much is in use."""
        while self._given_back:
            self._taken -= self._given_back.popleft()
        return self._taken

    def take(self, octets: int) -> None:
        """Use so much more.  Problem 503."""
        if self.taken_octets + octets > self._most:
            text = "Too much is being uploaded at the moment."
            raise Problem(503, text, [("Retry-After", "60")])
        self._taken += octets

    def give_back(self, octets: int) -> None:
        """Use so much less; from any thread."""
        self._given_back.append(octets)


@frozen
class Bounds:
    """What an application may cost."""

    longest_body: int
    """Octets of the content of a request."""
    patience: float
    """Seconds until its response begins."""
    room: Room
    """For contents that wait in files."""


def response_from(
    status: int, pairs: Iterable[tuple[str, str]], body: Content = b""
) -> Response:
    """The response that an application gave.  GuestFault."""
    # RFC 9110 15: three digits; and the final one, here.
    if not 200 <= status <= 999:
        raise GuestFault(f"a response with the status {status}")
    response = Response(status, [], body)
    lengths = set()
    for name, value in pairs:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise GuestFault(f"a field of a response that is none: {name!r}: {value!r}")
        folded = name.lower()
        if folded == "content-length":
            lengths.add(value.strip())
        elif folded not in _OURS:
            response.add(name, value.strip(" \t"))
        elif folded == "connection" and value.strip().lower() == "close":
            response.must_close = True
    if lengths:
        [text] = lengths if len(lengths) == 1 else [""]
        if not (text.isascii() and text.isdigit()):
            raise GuestFault(f"a response with the length {', '.join(lengths)}")
        response.length = int(text)
    return response


def places(request: Request) -> tuple[str, str]:
    """The decoded path up to the application, and from there on."""
    mount = "".join(f"/{word}" for word in request.mount)
    return mount, "".join(f"/{word}" for word in below_mount(request))


def below_mount(request: Request) -> Path:
    """The decoded segments below the application, as they were sent: empty ones are
    among them, unless dots had to be resolved to find it."""
    whole = tuple(unquoted(word) for word in request.path.split("/")[1:])
    depth = len(request.mount)
    if whole[:depth] == request.mount and not {".", ".."}.intersection(whole):
        return whole[depth:]
    return request.segments


class WaitingFile(BufferedRandom):
    """A temporary file; what it uses of the room is given back when it is closed."""

    def __init__(self, raw: Any, room: Room) -> None:
        super().__init__(raw)
        self._room = room
        self._octets = 0

    def take(self, octets: int) -> None:
        """Use so much of the room, all in all.  Problem 503."""
        self._room.take(octets - self._octets)
        self._octets = octets

    def close(self) -> None:
        """Remove it."""
        octets, self._octets = self._octets, 0
        if octets:
            self._room.give_back(octets)
        super().close()


async def waiting(body: Body, bounds: Bounds, workers: Workers) -> IO[bytes]:
    """All content of a request, in a file; so no application waits for a slow client.

    Problem 413, 503; BodyLost; OSError.
    """
    if body.length is not None and body.length > bounds.longest_body:
        raise Problem(413, f"At most {bounds.longest_body} octets are taken here.")
    file: BytesIO | WaitingFile = BytesIO()
    octets = 0
    try:
        while piece := await body.read():
            octets += len(piece)
            if octets > bounds.longest_body:
                text = f"At most {bounds.longest_body} octets are taken here."
                raise Problem(413, text)
            if octets > IN_MEMORY_OCTETS and isinstance(file, BytesIO):
                file = await workers.call(_moved, file, bounds.room)
            if isinstance(file, WaitingFile):
                file.take(octets)
                await workers.call(file.write, piece)
            else:
                file.write(piece)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _moved(memory: BytesIO, room: Room) -> WaitingFile:
    """A file on disk with the same content."""
    raw: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the file's now
    file = WaitingFile(raw, room)
    try:
        file.write(memory.getbuffer())
    except BaseException:
        file.close()
        raise
    return file


def within(
    answer: Deferred[Response], bounds: Bounds, clock: IReactorTime
) -> Deferred[Response]:
    """The answer of an application; 504 where it does not begin in time."""

    def too_late(result: Any, seconds: float) -> Any:
        if isinstance(result, Failure):
            result.trap(CancelledError)
            text = f"no response after {seconds} seconds"
            raise Problem(504, "The application does not answer.", log_text=text)
        return result

    answer.addTimeout(bounds.patience, clock, too_late)
    return answer
