"""Care of the store: check, backup, statistics."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.errors import Trouble
from netservices.core.threads import Workers
from netservices.interfaces import IStoreAdmin, StoreError, StoreUnavailable
from netservices.store.blobs import BACKUP_LEASE
from netservices.store.connections import connect_reader
from netservices.store.engine import Engine
from netservices.store.manifest import Progress
from netservices.store.readers import Readers
from netservices.units import Unit
from netservices.values import Finding, Manifest, Report

if TYPE_CHECKING:
    from netservices.store.check import Problem
    from netservices.store.sqlite import SQLiteStore

T = TypeVar("T")

_COUNTED = (
    "domain",
    "account",
    "credential",
    "alias",
    "blob",
    "blob_ref",
    "file_record",
    "file_digest",
    "file_property",
    "file_lock",
    "partial",
    "zone",
    "rrset",
    "kv",
    "lease",
    "change",
)

_LONGEST_BACKUP_SECONDS = 6 * 3600.0


@implementer(IStoreAdmin)
class Admin:
    """Care of the store; every method works while it is in use.

    Checks and backups take turns in a thread of their own, with a connection of their
    own, and call ``progress(done, total)`` in that thread.
    """

    def __init__(
        self,
        store: SQLiteStore,
        engine: Engine,
        readers: Readers,
        reactor: Any | None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._readers = readers
        self._reactor = reactor
        self._workers = Workers(reactor, "store-care", 1, 10)

    def start(self) -> None:
        """Take work from now on."""
        self._workers.start()

    def stop(self) -> Deferred[None]:
        """Finish what is under way."""
        return self._workers.stop()

    def check(
        self,
        level: str = "quick",
        repair: bool = False,
        progress: Progress | None = None,
    ) -> Deferred[Report]:
        """``quick`` (engine), ``full`` (references, sums, orphans) or ``deep``
        (re-hash)."""
        from netservices.store.check import LEVELS

        if level not in LEVELS:
            raise ValueError(f"the level of a check is one of {', '.join(LEVELS)}")
        return Deferred.fromCoroutine(self._check(level, repair, progress))

    async def _check(
        self, level: str, repair: bool, progress: Progress | None
    ) -> Report:
        from netservices.store.check import Examination

        engine = self._engine
        orphans_before = engine.seconds() - engine.settings.blob_grace

        def examine(connection: Connection) -> tuple[list[Problem], int]:
            examination = Examination(
                connection, engine.blob_files, level, orphans_before, progress
            )
            return list(examination.problems()), examination.examined

        problems, examined = await self._with_connection(examine)
        findings = [
            await self._repaired(problem) if repair else problem.finding
            for problem in problems
        ]
        return Report(tuple(findings), examined)

    async def _repaired(self, problem: Problem) -> Finding:
        if problem.repair is None:
            return problem.finding
        try:
            (is_repaired,) = await self._store.apply(Unit((problem.repair,)))
        except StoreError as error:
            text = f"{problem.finding.text} (not repaired: {error})"
            return evolve(problem.finding, text=text)
        return evolve(problem.finding, is_repaired=bool(is_repaired))

    def backup(
        self,
        target: str,
        progress: Progress | None = None,
        extra_trees: tuple[str, ...] = (),
    ) -> Deferred[Manifest]:
        """A consistent copy of database and blobs in the empty or older backup
        ``target``, with ``extra_trees`` of the state directory.  StartupError."""
        return Deferred.fromCoroutine(self._backup(target, progress, extra_trees))

    async def _backup(
        self, target: str, progress: Progress | None, extra_trees: tuple[str, ...]
    ) -> Manifest:
        from netservices.store.backup import make_backup

        directory = self._engine.directory
        lease = await self._store.leases.acquire(
            BACKUP_LEASE + secrets.token_hex(8), "backup", _LONGEST_BACKUP_SECONDS
        )
        try:
            return await self._with_connection(
                lambda connection: make_backup(
                    connection, directory, target, extra_trees, progress
                )
            )
        finally:
            if lease is not None:
                await self._store.leases.release(lease)

    def _with_connection(self, function: Callable[[Connection], T]) -> Deferred[T]:
        """What ``function`` returns for a connection that it may keep long."""
        if self._reactor is None:
            return self._readers.near(function)

        def work() -> T:
            engine = self._engine
            connection = connect_reader(engine.path, engine.settings)
            with closing(connection):
                return function(connection)

        return self._workers.call(work).addErrback(_translated)

    def statistics(self) -> Deferred[Mapping[str, int]]:
        """Counts and sizes, for ``status``."""

        def read(connection: Connection) -> Mapping[str, int]:
            found = {
                name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for name in _COUNTED
            }
            found["blob_octets"] = connection.execute(
                "SELECT ifnull(sum(size), 0) FROM blob"
            ).fetchone()[0]
            found["log_octets"] = self._engine.wal_octets()
            return found

        return self._readers.far(read)


def _translated(failure: Failure) -> Failure:
    """The store's own error for what the engine or the pool raised."""
    if failure.check(sqlite3.Error, Trouble):
        return Failure(StoreUnavailable(str(failure.value)))
    return failure
