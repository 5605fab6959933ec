"""Content codings that are made here: gzip always, br and zstd where their libraries
are.

The libraries are imported when the first client wants their coding.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Protocol, TypeAlias

HERE_OCTETS = 32 * 1024
"""Content up to this size is compressed at once, longer one in a thread."""

_LIBRARIES = {"br": "brotli", "zstd": "zstandard"}
_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5
_ZSTD_LEVEL = 3  # a window of 2 MiB.  RFC 9659 3: 8 MiB at most.

Run: TypeAlias = Callable[..., Awaitable[bytes]]
"""Calls a function with arguments, in a thread maybe."""


class Coder(Protocol):
    """Compresses one content."""

    def compress(self, data: bytes) -> bytes:
        """What is ready of all that was given."""

    def sync(self) -> bytes:
        """What the client needs to decode all that was given."""

    def finish(self) -> bytes:
        """The end."""


class _Gzip:
    def __init__(self) -> None:
        bits = 16 + zlib.MAX_WBITS
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, bits)
        self.compress = self._compressor.compress
        self.finish = self._compressor.flush

    def sync(self) -> bytes:
        return self._compressor.flush(zlib.Z_SYNC_FLUSH)


class _Brotli:
    def __init__(self) -> None:
        import brotli

        compressor = brotli.Compressor(quality=_BROTLI_QUALITY)
        self.compress = compressor.process
        self.sync = compressor.flush
        self.finish = compressor.finish


class _Zstandard:
    def __init__(self) -> None:
        import zstandard

        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        self.compress = self._compressor.compress
        self.finish = self._compressor.flush
        self._block = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def sync(self) -> bytes:
        return self._compressor.flush(self._block)


_CODERS: dict[str, Callable[[], Coder]] = {
    "gzip": _Gzip,
    "br": _Brotli,
    "zstd": _Zstandard,
}
CODINGS = tuple(_CODERS)


def make_coder(coding: str) -> Coder:
    """A coder of that name.  LookupError."""
    return _CODERS[coding]()


@cache
def is_available(coding: str) -> bool:
    """Whether it can be made here."""
    if coding == "gzip":
        return True
    library = _LIBRARIES.get(coding)
    return library is not None and find_spec(library) is not None


def available(wanted: Sequence[str]) -> tuple[str, ...]:
    """Those that can be made, in their order."""
    return tuple(coding for coding in wanted if is_available(coding))


@cache
def version(coding: str) -> str:
    """What tells the octets that this library makes from those of another version."""
    if coding == "gzip":
        return f"gzip{zlib.ZLIB_RUNTIME_VERSION}"
    from importlib import metadata

    return f"{coding}{metadata.version(_LIBRARIES[coding])}"


def compressed(coding: str, data: bytes) -> bytes:
    """All of a short content."""
    coder = make_coder(coding)
    return coder.compress(data) + coder.finish()


async def stream(
    coding: str, content: AsyncIterable[bytes], run: Run, is_live: bool
) -> AsyncIterator[bytes]:
    """Content as it is made, coded.  Each piece is compressed by ``run``; with
    ``is_live`` the client gets at once what there is of each."""
    coder = make_coder(coding)
    try:
        async for data in content:
            if ready := await run(_step, coder, data, is_live):
                yield ready
    finally:
        close = getattr(content, "aclose", None)
        if close is not None:
            await close()
    yield coder.finish()


def _step(coder: Coder, data: bytes, is_live: bool) -> bytes:
    ready = coder.compress(data)
    return ready + coder.sync() if is_live else ready
