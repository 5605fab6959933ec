"""What applications of others have in common: how their answers become responses, where
the content of their requests waits, and how long they are waited for."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from netservices.core.threads import Workers
from netservices.values import Path
from netservices.web.body import Body
from netservices.web.problems import Problem
from netservices.web.request import Request
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


@frozen
class Bounds:
    """What an application may cost."""

    longest_body: int
    """Octets of the content of a request."""
    patience: float
    """Seconds until its response begins."""


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
    whole = tuple(_decoded(word) for word in request.path.split("/")[1:])
    depth = len(request.mount)
    if whole[:depth] == request.mount and not {".", ".."}.intersection(whole):
        return whole[depth:]
    return request.segments


def _decoded(word: str) -> str:
    return unquote(word.encode("latin-1"), errors="surrogateescape")


async def waiting(body: Body, bounds: Bounds, workers: Workers) -> IO[bytes]:
    """All content of a request, in a file; so no application waits for a slow client.

    Problem 413; BodyLost; OSError where there is no room.
    """
    if body.length is not None and body.length > bounds.longest_body:
        raise Problem(413, f"At most {bounds.longest_body} octets are taken here.")
    file: IO[bytes] = BytesIO()
    octets = 0
    try:
        while piece := await body.read():
            octets += len(piece)
            if octets > bounds.longest_body:
                text = f"At most {bounds.longest_body} octets are taken here."
                raise Problem(413, text)
            if octets > IN_MEMORY_OCTETS and isinstance(file, BytesIO):
                file = await workers.call(_moved, file)
            if isinstance(file, BytesIO):
                file.write(piece)
            else:
                await workers.call(file.write, piece)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _moved(memory: BytesIO) -> IO[bytes]:
    """A file on disk with the same content."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who gets it
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
