"""The content of a response, on its way from whoever makes it to the connection.

Theory.  The one side pushes octets, the other iterates; both in the reactor's thread.
Whoever pushes is told how many octets were taken, and stops by itself when too many are
under way: a thread blocks, a coroutine waits, a producer is paused.  When the
connection has no use for more it closes the flow, and whoever pushes is told that once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

MOST_OCTETS = 256 * 1024
"""With so many octets under way, nobody should push more."""


def _nothing(*_: Any) -> None:
    pass


class Flow:
    """Octets that are pushed, and iterated over."""

    def __init__(
        self,
        taken: Callable[[int], object] = _nothing,
        gone: Callable[[], object] = _nothing,
    ) -> None:
        """``taken`` is called with the octets that the connection has taken, ``gone``
        when it takes no more before the end."""
        self._taken = taken
        self._gone = gone
        self._pieces: deque[bytes] = deque()
        self._reader: Deferred[None] | None = None
        self._error: BaseException | None = None
        self._is_complete = False
        self._is_closed = False

    # --- for whoever makes the content ----------------------------------------------

    def push(self, data: bytes) -> None:
        """More octets, which are not empty."""
        if not self._is_closed:
            self._pieces.append(data)
            self._wake()

    def finish(self) -> None:
        """That was all."""
        self._is_complete = True
        self._wake()

    def fail(self, error: BaseException) -> None:
        """There will be no end."""
        if not self._is_complete:
            self._error = error
            self._wake()

    # --- for the connection ---------------------------------------------------------

    def close(self) -> None:
        """Nobody takes any more."""
        if self._is_closed:
            return
        self._is_closed = True
        self._pieces.clear()
        if not self._is_complete and self._error is None:
            self._gone()

    async def aclose(self) -> None:
        """The same, as asynchronous generators have it."""
        self.close()

    def __aiter__(self) -> Flow:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_complete or self._is_closed:
                raise StopAsyncIteration
            self._reader = Deferred(self._forget)
            await self._reader
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._taken(len(data))
        return data

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    def _forget(self, reader: Deferred[None]) -> None:
        self._reader = None
