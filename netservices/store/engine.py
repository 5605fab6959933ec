"""The writing side of a store: one connection, and groups of units committed with it.

Theory. A *group* is one database transaction that carries the units of strangers. As
long as none fails, they follow each other plainly. When one does, the transaction is
rolled back and applied again, this time with each unit inside a SAVEPOINT of its own: a
unit that fails is rolled back to it, and nobody else notices. (Savepoints for all would
be two thirds of the statements.) The group's COMMIT syncs the log, and only then may
anything be acknowledged.

What can go wrong, and what is then true:

* A statement or the COMMIT finds the disk full.  Nothing of the group was applied; the
  spare file is given up, and only deletions are taken until there is space again.
* A statement fails with an I/O error.  Nothing was applied; the connection is closed,
  and the store has *failed* until a new one has been opened and checked.
* The COMMIT itself fails with an I/O error.  Its frames may be in the log, unsynced.
  The connection is never asked to sync again (the kernel may have dropped the pages);
  a new one is opened, the log is copied into the database and cut, so that whatever is
  visible afterwards is also durable.  If a unit of the group carried a token, the row
  of that token tells whether the whole group was applied; if none did, the outcome is
  unknown, and that is what is said.

An engine is used by one thread at a time: the writer thread, or the caller of an inline
store.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from sqlite3 import Connection
from typing import Any

from twisted.logger import Logger

from netservices.core.errors import StartupError
from netservices.interfaces import (
    OutcomeUnknown,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.store.blobfiles import BlobFiles
from netservices.store.changes import write_notices
from netservices.store.connections import BUSY_MILLISECONDS, MEMORY, connect
from netservices.store.directory import DATABASE
from netservices.store.handlers import HANDLERS, is_deletion
from netservices.store.jobs import Group, Job
from netservices.store.lock import CommitLock
from netservices.store.operations import Transaction
from netservices.store.results import pack_results, unpack_results
from netservices.store.schema import migrate
from netservices.store.settings import StoreSettings
from netservices.store.space import Space
from netservices.units import Unit

_FULL = (sqlite3.SQLITE_FULL,)
_DAMAGED = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _UnitFailedError(Exception):
    """The group has to be applied again, with savepoints."""


class Engine:
    """The writing connection of a store."""

    _log = Logger()

    def __init__(
        self,
        directory: str | None,
        settings: StoreSettings,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self.seconds = seconds
        self.state = "opening"
        self.path = MEMORY if directory is None else os.path.join(directory, DATABASE)
        self.blob_files = None
        if directory is not None:
            is_durable = settings.durability == "full"
            self.blob_files = BlobFiles(directory, is_durable)
        self.recoveries = 0
        self.was_left_open = False
        """Whether the log of an earlier process, which did not close it, was there."""
        self._connection: Connection | None = None
        self._lock = CommitLock(None)
        self._space = Space(directory, settings.free_space_floor, settings.spare)

    @property
    def connection(self) -> Connection:
        """The connection; StoreUnavailable where there is none now."""
        if self._connection is None:
            raise StoreUnavailable("the store is not open")
        return self._connection

    # --- opening and closing --------------------------------------------------------

    def open(self) -> None:
        """Open and migrate; StartupError names what is wrong and the way out."""
        if self.directory is not None:
            assert self.blob_files is not None
            self._check_space()
            self.blob_files.make()
            self._lock = CommitLock(os.path.join(self.directory, "store.lock"))
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            if not os.path.exists(self.path):
                os.close(os.open(self.path, flags, 0o600))
        self.was_left_open = self.wal_octets() > 0
        try:
            with self._lock:
                self._connection = connect(self.path, self.settings)
                migrate(self._connection, self.path)
        except sqlite3.Error as error:
            self.close()
            raise StartupError(
                f"{self.path} cannot be opened: {error}; restore a backup into another "
                "directory with `netservices restore`"
            ) from None
        except BaseException:
            self.close()
            raise
        self._look_at_space()

    def _check_space(self) -> None:
        """A database cannot be made on a full disk."""
        if os.path.exists(self.path):
            return
        free, floor = self._space.free_octets, self.settings.free_space_floor
        if free < floor:
            raise StartupError(
                f"only {free >> 20} MB are free for {self.directory}; make room, or "
                f"lower store.free_space_floor ({floor})"
            )

    def close(self) -> None:
        """Close the connection; the last one of all processes cuts the log."""
        self.state = "closed"
        connection, self._connection = self._connection, None
        with suppress(sqlite3.Error):
            if connection is not None:
                connection.close()
        self._lock.close()

    def wal_octets(self) -> int:
        """The size of the write-ahead log's file."""
        try:
            return os.stat(self.path + "-wal").st_size
        except OSError:
            return 0

    def restart_log(self, patience_milliseconds: int) -> bool:
        """Copy the log into the database, so that the next group begins it afresh;
        whether nobody was in the way."""
        try:
            with self._lock:
                self.connection.execute(f"PRAGMA busy_timeout={patience_milliseconds}")
                busy, _, _ = self.connection.execute(
                    "PRAGMA wal_checkpoint(RESTART)"
                ).fetchone()
                self.connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
                return not busy
        except (sqlite3.Error, StoreUnavailable) as error:
            self.doubt(error)
            return False

    def doubt(self, error: Exception) -> None:
        """Copying the log has failed: open anew before the next group, unless it only
        wants space."""
        if _is_full(error):
            self._give_up_spare()
            return
        self._log.error("copying the log failed: {error}", error=error)
        self.state = "failed"

    # --- committing -----------------------------------------------------------------

    def commit(self, first: Job, more: Callable[[], Job | None]) -> Group:
        """Commit ``first``, and what ``more`` has to add up to the limits of a
        group; every job of the result knows its outcome."""
        group = Group([first])
        if self.state == "failed" and not self.recover():
            group.fail(StoreUnavailable("the disk failed; the store is not open"))
            return group
        self._look_at_space()
        with self._lock:
            try:
                transaction = self._apply_all(group, more)
                group.notices = write_notices(
                    self.connection, transaction.notices, transaction.now
                )
            except Exception as error:
                self._broken(group, error, is_in_doubt=False)
                return group
            try:
                self.connection.execute("COMMIT")
            except Exception as error:
                self._broken(group, error, is_in_doubt=True)
                return group
            self._committed(transaction)
        return group

    def _begin(self) -> Transaction:
        self.connection.execute("BEGIN IMMEDIATE")
        return Transaction(
            self.connection, self.seconds(), self.settings, self.blob_files
        )

    def _apply_all(self, group: Group, more: Callable[[], Job | None]) -> Transaction:
        """Apply units, without savepoints while none of them fails."""
        transaction = self._begin()
        try:
            self._fill(transaction, group, more)
        except _UnitFailedError:
            self.connection.execute("ROLLBACK")
            transaction = self._begin()
            for job in group.jobs:
                self._attempt(transaction, job)
        return transaction

    def _fill(
        self, transaction: Transaction, group: Group, more: Callable[[], Job | None]
    ) -> None:
        settings = self.settings
        job: Job | None = group.jobs[0]
        octets, deadline = 0, time.monotonic() + settings.group_time
        while job is not None:
            try:
                job.results = self._apply(transaction, job.unit)
            except Exception as error:
                if not self.connection.in_transaction or _is_serious(error):
                    raise
                raise _UnitFailedError from error
            octets += job.octets
            if (
                len(group.jobs) >= settings.group_units
                or octets >= settings.group_octets
                or time.monotonic() >= deadline
            ):
                return
            job = more()
            if job is not None:
                group.jobs.append(job)

    def _attempt(self, transaction: Transaction, job: Job) -> None:
        """Apply one unit, or none of it."""
        connection = transaction.connection
        notices, afterwards = len(transaction.notices), len(transaction.after_commit)
        connection.execute("SAVEPOINT unit")
        try:
            job.results = self._apply(transaction, job.unit)
        except Exception as error:
            if not connection.in_transaction or _is_serious(error):
                raise
            connection.execute("ROLLBACK TO unit")
            del transaction.notices[notices:]
            del transaction.after_commit[afterwards:]
            job.error = self._told(error)
        connection.execute("RELEASE unit")

    def _apply(self, transaction: Transaction, unit: Unit) -> tuple[Any, ...]:
        if unit.token is not None:
            row = transaction.connection.execute(
                "SELECT results FROM applied WHERE token=?", (unit.token,)
            ).fetchone()
            if row is not None:
                return unpack_results(row[0])
        if self.state == "readonly" and not all(map(is_deletion, unit.operations)):
            floor = self.settings.free_space_floor
            raise StoreReadOnly(
                f"the disk is nearly full, less than {floor} are free: make room, or "
                "lower store.free_space_floor"
            )
        results = tuple(
            [
                HANDLERS[type(operation)](transaction, operation)
                for operation in unit.operations
            ]
        )
        if unit.token is not None:
            transaction.connection.execute(
                "INSERT INTO applied(token, at, results) VALUES(?, ?, ?)",
                (unit.token, transaction.now, pack_results(results)),
            )
        return results

    def _told(self, error: Exception) -> Exception:
        """What the caller of a unit hears: the store's own errors as they are."""
        if isinstance(error, StoreError):
            return error
        self._log.error("a unit could not be applied: {error!r}", error=error)
        return StoreUnavailable(f"the unit cannot be applied: {error}")

    def _committed(self, transaction: Transaction) -> None:
        for call in transaction.after_commit:
            try:
                call()
            except Exception:
                self._log.failure("cleaning up after a commit failed")

    # --- when it goes wrong ---------------------------------------------------------

    def _broken(self, group: Group, error: Exception, is_in_doubt: bool) -> None:
        """The transaction failed as a whole: find out what is true, and say so."""
        with suppress(sqlite3.Error, StoreUnavailable):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        if _is_full(error):
            self._give_up_spare()
            group.fail(StoreReadOnly("the disk is full"))
            return
        self._log.error("a commit failed: {error}", error=error)
        if not _is_serious(error):
            # Busy: somebody else holds the database without our lock.
            group.fail(StoreUnavailable(f"the commit failed: {error}"))
            return
        self.state = "failed"
        self._resolve(group, self.recover(holds_lock=True), is_in_doubt)

    def _give_up_spare(self) -> None:
        if self.state != "readonly":
            self._log.error("the disk is full; only deletions are taken")
        self._space.exhausted(self.seconds())
        self.state = "readonly"

    def _resolve(self, group: Group, is_recovered: bool, is_in_doubt: bool) -> None:
        if not is_in_doubt:
            group.fail(StoreUnavailable("the disk failed; nothing was applied"))
            return
        applied = self._was_applied(group) if is_recovered else None
        if applied is None:
            group.fail(OutcomeUnknown("the disk failed during the commit"))
        elif not applied:
            group.fail(StoreUnavailable("the disk failed; nothing was applied"))

    def _was_applied(self, group: Group) -> bool | None:
        """Whether the group's transaction is there after all; None: no telling."""
        for job in group.jobs:
            if job.unit.token is not None and job.error is None:
                with suppress(sqlite3.Error, StoreUnavailable):
                    row = self.connection.execute(
                        "SELECT 1 FROM applied WHERE token=?", (job.unit.token,)
                    ).fetchone()
                    return row is not None
        return None

    def recover(self, holds_lock: bool = False) -> bool:
        """Open anew after a failure; whether that has worked."""
        connection, self._connection = self._connection, None
        with suppress(sqlite3.Error):
            if connection is not None:
                connection.close()
        try:
            if holds_lock:
                self._reopen()
            else:
                with self._lock:
                    self._reopen()
        except (sqlite3.Error, OSError) as error:
            if _is_full(error):
                self._space.exhausted(self.seconds())  # for the next attempt
            self._log.error("the store stays closed: {error}", error=error)
            return False
        self.state = "ready"
        self.recoveries += 1
        self._look_at_space()
        self._log.info("the store is open again")
        return True

    def _reopen(self) -> None:
        connection = connect(self.path, self.settings)
        try:
            busy, _, _ = connection.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).fetchone()
            if busy:
                raise sqlite3.OperationalError("the log is in use")
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise sqlite3.DatabaseError(damage)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _look_at_space(self) -> None:
        """Become ``readonly`` when the disk fills, ``ready`` when there is space."""
        is_low = self._space.is_low(self.seconds())
        if is_low and self.state != "readonly":
            self._log.warn("the disk is nearly full; only deletions are taken")
        self.state = "readonly" if is_low else "ready"


def _is_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _is_serious(error: Exception) -> bool:
    """Whether the whole transaction, and perhaps the connection, is lost."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, sqlite3.Error) and code in (*_FULL, *_DAMAGED)
