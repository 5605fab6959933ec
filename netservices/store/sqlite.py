"""The embedded store: SQLite with group commit, or the same in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.threads import Workers
from netservices.interfaces import IStore, StoreError, StoreUnavailable
from netservices.store.admin import Admin
from netservices.store.blobs import Blobs
from netservices.store.changes import ChangeFeed
from netservices.store.directory import prepare_directory
from netservices.store.engine import Engine
from netservices.store.files import FileRecords
from netservices.store.housekeeping import RemoveExpired
from netservices.store.jobs import Job
from netservices.store.leases import Leases
from netservices.store.locks import LockRecords
from netservices.store.properties import PropertyRecords
from netservices.store.readers import Readers
from netservices.store.records import AccountRecords
from netservices.store.settings import StoreSettings
from netservices.store.values import KeyValues
from netservices.store.writer import Writer
from netservices.store.zones import Zones
from netservices.units import Unit

_BLOB_THREADS = 4
_BLOB_QUEUE = 10_000


@implementer(IStore)
class SQLiteStore:
    """One store, shared by every protocol of the process.

    ``directory=None`` keeps everything in memory.  ``reactor=None`` is inline: no
    threads, and every Deferred has fired when it is returned.  A store in memory is
    always inline.  ``seconds`` tells the time since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        directory: str | None,
        settings: StoreSettings,
        reactor: Any | None,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.directory = None if directory is None else os.path.abspath(directory)
        self.settings = settings
        self._reactor = reactor = None if directory is None else reactor
        self._seconds = seconds
        self._engine = Engine(self.directory, settings, seconds)
        self._readers = Readers(settings, reactor)
        self._workers = Workers(reactor, "store-blob", _BLOB_THREADS, _BLOB_QUEUE)
        self._is_open = False
        self._is_closed = False
        self._loops: list[LoopingCall] = []
        self._writer: Writer | None = None
        files = self._engine.blob_files
        self.records = AccountRecords(self._readers)
        self.blobs = Blobs(self, self._readers, files, self._workers, settings)
        self.file_records = FileRecords(self._readers)
        self.file_locks = LockRecords(self._readers, seconds)
        self.file_properties = PropertyRecords(self._readers)
        self.zones = Zones(self._readers)
        self.values = KeyValues(self, self._readers, seconds)
        self.changes = ChangeFeed(self._readers)
        self.leases = Leases(self)
        self.admin = Admin(self, self._engine, self._readers, reactor)

    @property
    def was_left_open(self) -> bool:
        """Whether the process that had the store before did not close it."""
        return self._engine.was_left_open

    @property
    def state(self) -> str:
        """opening, ready, readonly, failed or closed."""
        if self._is_closed:
            return "closed"
        return self._engine.state if self._is_open else "opening"

    def open(self) -> Deferred[None]:
        """Recover and migrate; fires when ready.  StartupError names what is wrong."""
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        if self.settings.durability != "full":
            self._log.warn("store.durability is none: a crash loses what was written")
        if self.directory is not None:
            prepare_directory(self.directory)
        if self._reactor is None:
            self._engine.open()
            self._readers.open(self._engine.path, self._engine.connection)
        else:
            self._writer = Writer(
                self._engine, self.settings, self._reactor, self.changes.committed
            )
            await self._writer.start()
            self._readers.open(self._engine.path)
        self._workers.start()
        self.admin.start()
        self.changes.start()
        self._is_open = True
        self._start_loops()

    def close(self) -> Deferred[None]:
        """Refuse new work, finish what waits, checkpoint."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        if not self._is_open or self._is_closed:
            self._is_closed = True
            return
        self._is_closed = True
        for loop in self._loops:
            loop.stop()
        await self.admin.stop()
        await self._workers.stop()
        await self._readers.close()
        if self._writer is None:
            self._engine.close()
        else:
            await self._writer.stop()

    def apply(self, unit: Unit, is_awaited: bool = True) -> Deferred[tuple[Any, ...]]:
        """Do all operations of the unit or none; one result each, in order."""
        if self._writer is not None:
            return self._writer.submit(unit, is_awaited)
        job = Job(unit)
        if self._is_closed or not self._is_open:
            job.error = StoreUnavailable("the store is not open")
        else:
            before = self._engine.recoveries
            group = self._engine.commit(job, _nothing_more)
            if self._engine.recoveries != before:
                self._readers.reopened(self._engine.connection)
            self.changes.committed(group.notices)
        job.fire()
        return job.deferred

    # --- what happens by itself -----------------------------------------------------

    def _start_loops(self) -> None:
        if self._reactor is None:
            return
        for function, seconds in (
            (self.look_around, self.settings.poll_interval),
            (self.keep_house, self.settings.housekeeping_interval),
        ):
            loop = LoopingCall(function)
            loop.clock = self._reactor
            loop.start(seconds, now=False).addErrback(self._loop_failed)
            self._loops.append(loop)

    def look_around(self) -> Deferred[None]:
        """See what other processes committed, and whether a full disk has space
        again."""
        return Deferred.fromCoroutine(self._look_around())

    async def _look_around(self) -> None:
        try:
            await self.changes.poll()
            if self._engine.state == "readonly":
                # Each commit looks at the disk; but while the store is readonly,
                # those who ask for its state before they write commit nothing.
                await self.apply(Unit(()))
        except StoreError as error:
            self._log.warn("looking for changes failed: {error}", error=error)

    def keep_house(self) -> Deferred[None]:
        """Remove what has expired: tokens, notices, values, content."""
        return Deferred.fromCoroutine(self._keep_house())

    async def _keep_house(self) -> None:
        before = self._seconds() - self.settings.blob_grace
        try:
            await self.apply(Unit((RemoveExpired(),)))
            await self.blobs.collect(before)
            if self._engine.blob_files is not None:
                await self._workers.call(self._engine.blob_files.sweep, before)
        except StoreError as error:
            self._log.warn("housekeeping waits: {error}", error=error)

    def _loop_failed(self, failure: Failure) -> None:
        self._log.failure("a loop of the store ended", failure)


def _nothing_more() -> None:
    """An inline store commits one unit at a time."""
