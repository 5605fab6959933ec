"""Digests of files: those that are known, and those found by reading the file.

A file is read in steps, each a hop to a thread.  Whoever asks for what is being found
already waits for the same result; a read for which nobody waits any more stops after
its step.  A tree has a few reads at once (``files.digests_at_once``), more are refused;
the steps of all trees together take at most half of the threads, so that other calls
get theirs.  What was found of a whole file is kept beside its record, under the key of
that version, and is not looked for again.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from netservices.core.deferreds import shielded
from netservices.files import placing
from netservices.files.area import closing
from netservices.files.content import Sum, Tally
from netservices.files.joined import Reading
from netservices.files.nodes import stat_key
from netservices.files.volume import Volume
from netservices.interfaces import Conflict, StoreError, TooLarge
from netservices.units import Operation, PutFileDigest, PutFileRecord, Unit
from netservices.values import Digests, FileDigest, Path

STORED = "SHA-256"
"""The algorithm whose digests are found during an upload."""


class Digester(Sum, Protocol):
    """A sum that comes to a digest."""

    def digest(self) -> bytes:
        """Of all octets so far."""


class _Hash:
    """One of ``hashlib``'s."""

    def __init__(self, name: str) -> None:
        self._hasher = hashlib.new(name, usedforsecurity=False)

    def add(self, data: bytes) -> None:
        self._hasher.update(data)

    def digest(self) -> bytes:
        return self._hasher.digest()


class _CRC32:
    """The checksum of zip, gzip and Ethernet."""

    def __init__(self) -> None:
        self._value = 0

    def add(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Stored:
    """SHA-256, and the line feeds that are counted with it."""

    def __init__(self) -> None:
        self.tally = Tally()

    def add(self, data: bytes) -> None:
        self.tally.add(data)

    def digest(self) -> bytes:
        return self.tally.digests().sha256


SUMS: dict[str, Callable[[], Digester]] = {
    STORED: _Stored,
    "SHA-512": lambda: _Hash("sha512"),
    "SHA-1": lambda: _Hash("sha1"),
    "MD5": lambda: _Hash("md5"),
    "CRC32": _CRC32,
}
"""A new sum for each algorithm."""


@frozen
class Subject:
    """The file of which a digest is wanted."""

    volume: Volume
    path: Path
    encoded: bytes
    account: int


async def digests_of(subject: Subject) -> Digests:
    """What is kept of a file, or found now.  TooLarge, StoreBusy, Conflict."""
    descriptor, status = await _open(subject)
    with closing(descriptor):
        key = stat_key(status)
        known = await _known(subject, key)
        if known is not None:
            return known
        total = await _read(subject, descriptor, status, STORED, 0, status.st_size)
        found: Digests = total.tally.digests()
        return found


async def digest_of(
    subject: Subject, algorithm: str, start: int, end: int | None
) -> FileDigest:
    """The digest of a range (``end`` None: to the end).  TooLarge, StoreBusy, Conflict
    where the range begins beyond the end; LookupError for no such algorithm."""
    if algorithm not in SUMS:
        raise LookupError(algorithm)
    descriptor, status = await _open(subject)
    with closing(descriptor):
        size = status.st_size
        stop = size if end is None else min(end, size)
        if start > stop:
            raise Conflict("the range lies beyond the end")
        value = None
        if (start, stop) == (0, size):
            value = await _known_digest(subject, stat_key(status), algorithm)
        if value is None:
            total = await _read(subject, descriptor, status, algorithm, start, stop)
            value = total.digest()
        return FileDigest(algorithm, value, start, stop)


def _open(subject: Subject) -> Deferred[tuple[int, os.stat_result]]:
    volume = subject.volume
    opening = volume.hops.run(volume.disk.open_file, subject.encoded)
    return shielded(opening, lambda unwanted: os.close(unwanted[0]))


async def _known(subject: Subject, key: str) -> Digests | None:
    records = subject.volume.store.file_records
    return await records.digests(subject.volume.name, subject.path, key)


async def _known_digest(subject: Subject, key: str, algorithm: str) -> bytes | None:
    if algorithm == STORED:
        known = await _known(subject, key)
        return None if known is None else known.sha256
    volume = subject.volume
    records = volume.store.file_records
    return await records.digest(volume.name, subject.path, key, algorithm)


def _read(
    subject: Subject,
    descriptor: int,
    status: os.stat_result,
    algorithm: str,
    start: int,
    stop: int,
) -> Deferred[Any]:
    """The ``Digester`` of the range, which is kept where it is the whole file."""
    volume = subject.volume
    if stop - start > volume.settings.digest_limit:
        raise TooLarge("the file is too long to be read for a digest")
    key = stat_key(status)

    async def read(reading: Reading) -> Digester:
        with closing(os.dup(descriptor)) as own:
            total = SUMS[algorithm]()
            await _add(volume, reading, own, total, (start, stop))
            is_whole = (start, stop) == (0, status.st_size)
            is_same = stat_key(os.fstat(own)) == key
        if is_whole and is_same:
            await keep(volume, _record(subject, key, total, algorithm))
        return total

    at_once = volume.settings.digests_at_once
    wanted = (subject.path, key, algorithm, start, stop)
    return volume.readings.find(wanted, at_once, read)


async def keep(volume: Volume, record: Operation) -> None:
    """Record what was found; where the store cannot, it is found again another time."""
    if volume.store.state == "ready":
        with suppress(StoreError):
            await volume.store.apply(Unit((record,)))


async def _add(
    volume: Volume,
    reading: Reading,
    descriptor: int,
    total: Digester,
    span: tuple[int, int],
) -> None:
    """Read the range, while somebody waits for it."""
    reached, stop = span
    while reached < stop:
        if not reading.is_wanted:
            raise Conflict("nobody waits for the digest")
        step = min(stop, reached + placing.COPY_STEP)
        before = reached
        async with volume.readings.steps:
            reached = await volume.hops.run(
                placing.tally_range, descriptor, total, reached, step
            )
        reading.octets += reached - before
        if reached < step:
            raise Conflict("the file became shorter while it was read")


def _record(subject: Subject, key: str, total: Any, algorithm: str) -> Operation:
    tree = subject.volume.name
    if algorithm != STORED:
        return PutFileDigest(tree, subject.path, key, algorithm, total.digest())
    found = total.tally.digests()
    return PutFileRecord(
        tree=tree,
        path=subject.path,
        stat_key=key,
        sha256=found.sha256,
        lf_count=found.lf_count,
        owner=subject.account,
        size_octets=total.tally.octets,
    )
