"""Content on its way into the store.

Up to the inline limit it stays in memory and becomes a row.  Beyond, a spool file takes
it: one thread at a time writes for a sink, with whatever has gathered since its last
turn, so that order needs no lock and the reactor never waits for the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.threads import NotRunning, TooManyWaiting, Workers
from netservices.interfaces import (
    IBlobSink,
    StoreBusy,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.store.blobfiles import BlobFiles
from netservices.store.settings import StoreSettings
from netservices.values import BlobRef

T = TypeVar("T")

Keep: TypeAlias = Callable[[BlobRef, "bytes | None"], "Deferred[bool]"]
"""Makes the row; tells whether the content was in its place."""

_GATHERED_OCTETS = 1 << 20
"""A sink asks for a pause when so much waits for its thread."""

_LINKING_ATTEMPTS = 5


class _Spool:
    """A spool file and the hash of what it holds; only the thread at work touches
    it."""

    def __init__(self, files: BlobFiles) -> None:
        self._files = files
        self._descriptor = -1
        self._path = ""
        self._digest = hashlib.sha256()
        self._size = 0

    def take(self, parts: list[bytes]) -> None:
        """Write and hash ``parts``."""
        if self._descriptor < 0:
            self._descriptor, self._path = self._files.begin()
        data = b"".join(parts)
        self._digest.update(data)
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def seal(self) -> BlobRef:
        """Everything on stable storage, and named."""
        if self._files.is_durable:
            os.fsync(self._descriptor)
        ref = BlobRef(self._digest.digest(), self._size)
        self._files.name(self._path, ref.hash, ref.size)
        return ref

    def discard(self) -> None:
        """The spool file goes; without effect the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with suppress(FileNotFoundError):
                os.unlink(self._path)


@implementer(IBlobSink)
class BlobSink:
    """Memory up to the inline limit, then a file."""

    def __init__(
        self,
        keep: Keep,
        files: BlobFiles | None,
        workers: Workers,
        settings: StoreSettings,
        size_hint: int,
    ) -> None:
        self._keep = keep
        self._workers = workers
        self._limit = settings.inline_limit
        self._parts: list[bytes] = []
        self._gathered = 0
        self._spool: _Spool | None = None
        self._files = files
        self._is_over = False
        self._failure: Failure | None = None
        self._turn: Deferred[None] | None = None
        self._waiters: list[Deferred[None]] = []
        if size_hint > self._limit and files is not None:
            self._spool = _Spool(files)

    def write(self, data: bytes) -> Deferred[None] | None:
        """Take ``data``; a Deferred asks the caller to pause until it fires."""
        if self._is_over:
            return fail(StoreUnavailable("the sink is finished"))
        if self._failure is not None:
            return fail(self._failure)
        self._parts.append(bytes(data))
        self._gathered += len(data)
        if self._spool is None:
            if self._files is None or self._gathered <= self._limit:
                return None
            self._spool = _Spool(self._files)
        if self._turn is None:
            self._take_turn()
        if self._turn is None or self._gathered < _GATHERED_OCTETS:
            return fail(self._failure) if self._failure is not None else None
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def finish(self) -> Deferred[BlobRef]:
        """Durable, and collectable after the grace hour unless a unit refers to
        it."""
        if self._is_over:
            return fail(StoreUnavailable("the sink is finished"))
        self._is_over = True
        if self._spool is None:
            return Deferred.fromCoroutine(self._finish_row())
        return Deferred.fromCoroutine(self._finish_file(self._spool))

    def abort(self) -> Deferred[None]:
        """Forget it."""
        if self._is_over:
            return succeed(None)
        self._is_over = True
        return Deferred.fromCoroutine(self._discard())

    async def _finish_row(self) -> BlobRef:
        data = b"".join(self._parts)
        ref = BlobRef(hashlib.sha256(data).digest(), len(data))
        await self._keep(ref, data)
        return ref

    async def _finish_file(self, spool: _Spool) -> BlobRef:
        try:
            await self._written()
            for _ in range(_LINKING_ATTEMPTS):
                ref = await self._call(spool.seal)
                if await self._keep(ref, None):
                    return ref
            raise StoreUnavailable("the content was collected while it was stored")
        finally:
            await self._discard()

    async def _written(self) -> None:
        """Wait until all is written; raises what writing failed with."""
        while self._turn is not None or self._parts:
            if self._turn is None:
                self._take_turn()
            else:
                waiter: Deferred[None] = Deferred()
                self._waiters.append(waiter)
                await waiter
            if self._failure is not None:
                self._failure.raiseException()

    async def _discard(self) -> None:
        self._parts = []
        while self._turn is not None:
            waiter: Deferred[None] = Deferred()
            self._waiters.append(waiter)
            with suppress(Exception):
                await waiter
        if self._spool is not None:
            try:
                await self._call(self._spool.discard)
            except StoreUnavailable:
                self._spool.discard()

    def _take_turn(self) -> None:
        """Let a thread write what has gathered."""
        assert self._spool is not None
        parts, self._parts, self._gathered = self._parts, [], 0
        turn: Deferred[None] = self._workers.call(self._spool.take, parts)
        self._turn = turn
        turn.addBoth(self._turn_over)

    def _turn_over(self, result: Failure | None) -> None:
        self._turn = None
        if isinstance(result, Failure):
            self._failure, self._parts = _translated(result), []
        elif self._parts:
            self._take_turn()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if self._failure is None:
                waiter.callback(None)
            else:
                waiter.errback(self._failure)

    def _call(self, function: Callable[[], T]) -> Deferred[T]:
        return self._workers.call(function).addErrback(_translated)


def _translated(failure: Failure) -> Failure:
    """The store's own error for what the disk or the pool raised."""
    error = failure.value
    if isinstance(error, TooManyWaiting):
        return Failure(StoreBusy("too many files are being written already"))
    if isinstance(error, NotRunning):
        return Failure(StoreUnavailable("the store is not open"))
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Failure(StoreReadOnly("the disk is full"))
        return Failure(StoreUnavailable(f"writing content failed: {error.strerror}"))
    return failure
