"""A long file that is compressed while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

from netservices.interfaces import IOpenFile
from netservices.web.coders import Run, stream

SLICE_OCTETS = 128 * 1024
"""So much is read and compressed at once."""


class CodedFile:
    """An open file in a content coding; it is closed at the end."""

    def __init__(self, file: IOpenFile, coding: str, run: Run) -> None:
        self._file = file
        self._coding = coding
        self._run = run
        self._running: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The coded octets."""
        self._running = stream(self._coding, self._pieces(), self._run, False)
        return self._running

    async def _pieces(self) -> AsyncIterator[bytes]:
        file, offset = self._file, 0
        while offset < file.node.size:
            data = await file.read(offset, SLICE_OCTETS)
            if not data:
                # What a client takes for the whole must be the whole.
                raise EOFError("the file was cut while it was sent")
            yield data
            offset += len(data)

    async def whole(self) -> bytes:
        """All of the coded octets; the file is closed."""
        try:
            return b"".join([piece async for piece in self])
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """The client is gone, or has all of it."""
        close = getattr(self._running, "aclose", None)
        if close is not None:
            await close()
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
