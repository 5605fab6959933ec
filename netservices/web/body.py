"""The content of a request, which its handler pulls.

Nothing is read from the peer but what the handler asks for, and a little ahead; so
a body costs ``AHEAD_OCTETS`` of memory, whatever its length, and a handler that never
asks makes the peer wait.  The first ``read`` also says ``100 Continue`` to a peer that
waits for it (RFC 9110 10.1.1).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

from twisted.internet.defer import Deferred, fail, succeed

from netservices.web.fields import NO_FIELDS, Fields
from netservices.web.problems import BodyLost, Problem

AHEAD_OCTETS = 256 * 1024
"""At about so many octets that nobody has asked for, reading from the peer stops."""

SMALL_OCTETS = 4096
"""A shorter piece that waits is joined with the next one."""


class Body:
    """The content of one request.

    ``length`` is in octets; None: nobody knows before the end.  ``trailers`` are there
    when ``read`` has given the end.  ``wanted`` is called when octets are asked for,
    and when there is room again: whoever has the connection reads on then.
    """

    __slots__ = (
        "_error",
        "_is_complete",
        "_pieces",
        "_reader",
        "_wanted",
        "length",
        "queued_octets",
        "received_octets",
        "trailers",
    )

    def __init__(
        self, length: int | None = 0, wanted: Callable[[], object] | None = None
    ) -> None:
        self.length = length
        self.trailers: Fields = NO_FIELDS
        self.queued_octets = 0
        self.received_octets = 0
        self._wanted = wanted
        self._pieces: deque[bytes] = deque()
        self._reader: Deferred[bytes] | None = None
        self._error: Exception | None = None
        self._is_complete = length == 0

    @property
    def is_complete(self) -> bool:
        """Whether all of it has been received, though maybe not read."""
        return self._is_complete

    # --- what handlers use ----------------------------------------------------------

    def read(self) -> Deferred[bytes]:
        """The next octets, as many as there are; empty at the end.  BodyLost; Problem
        where there is more than may be."""
        if self._pieces:
            return succeed(self._take())
        if self._error is not None:
            return fail(self._error)
        if self._is_complete:
            return succeed(b"")
        if self._reader is not None:
            raise RuntimeError("the body is being read already")
        reader: Deferred[bytes] = Deferred(self._forget)
        self._reader = reader
        if self._wanted is not None:
            self._wanted()
        return reader

    async def whole(self, most_octets: int) -> bytes:
        """All of it.  Problem 413 where it is longer; BodyLost."""
        if self.length is not None and self.length > most_octets:
            raise Problem(413, f"At most {most_octets} octets are taken here.")
        pieces, octets = [], 0
        while piece := await self.read():
            octets += len(piece)
            if octets > most_octets:
                raise Problem(413, f"At most {most_octets} octets are taken here.")
            pieces.append(piece)
        return b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    # --- what a connection uses -----------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Octets have come."""
        self.received_octets += len(data)
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(data)
        else:
            if self._pieces and len(self._pieces[-1]) < SMALL_OCTETS:
                self._pieces[-1] += data
            else:
                self._pieces.append(data)
            self.queued_octets += len(data)

    def finish(self, trailers: Fields = NO_FIELDS) -> None:
        """The end has come."""
        if self._is_complete or self._error is not None:
            return
        self._is_complete = True
        self.trailers = trailers
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(b"")

    def fail(self, error: Exception | None = None) -> None:
        """The end will not come; BodyLost where no ``error`` is given."""
        if self._is_complete or self._error is not None:
            return
        self._error = error or BodyLost("the connection is lost")
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.errback(self._error)

    @property
    def has_room(self) -> bool:
        """Whether more should be read from the peer."""
        return self.queued_octets < AHEAD_OCTETS

    def _take(self) -> bytes:
        data = self._pieces.popleft()
        had_room = self.has_room
        self.queued_octets -= len(data)
        if not had_room and self._wanted is not None:
            self._wanted()
        return data

    def _forget(self, reader: Deferred[bytes]) -> None:
        if self._reader is reader:
            self._reader = None
