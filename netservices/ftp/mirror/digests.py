"""What the content of a local file hashes to."""

from __future__ import annotations

import hashlib
import os
import zlib

from twisted.internet.threads import deferToThread

_PIECE = 1024 * 1024


class NoDigests(Exception):
    """The server cannot tell what a file's content hashes to."""


async def digest_of(descriptor: int, algorithm: str) -> str:
    """Hexadecimal, of the whole file; computed in a thread.  ValueError for an unknown
    algorithm."""
    digest: str = await deferToThread(_digest, descriptor, algorithm)
    return digest


def _digest(descriptor: int, algorithm: str) -> str:
    if algorithm == "CRC32":
        return f"{_crc32(descriptor):08x}"
    found = hashlib.new(algorithm.replace("-", ""), usedforsecurity=False)
    at = 0
    while piece := os.pread(descriptor, _PIECE, at):
        found.update(piece)
        at += len(piece)
    return found.hexdigest()


def _crc32(descriptor: int) -> int:
    value = at = 0
    while piece := os.pread(descriptor, _PIECE, at):
        value = zlib.crc32(piece, value)
        at += len(piece)
    return value
