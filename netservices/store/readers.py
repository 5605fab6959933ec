"""The two ways to read: here and now, or in a thread.

A bounded read by primary key runs in the reactor thread (4 us; a thread costs 60). What
may return more than 64 rows or 64 KB, or searches, goes to a small pool. Either way the
rows are fetched before the function returns: no read transaction outlives it, for it
would keep the write-ahead log from being cut.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from sqlite3 import Connection
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from netservices.core.threads import NotRunning, TooManyWaiting, Workers
from netservices.interfaces import StoreBusy, StoreError, StoreUnavailable
from netservices.store.connections import connect_reader
from netservices.store.settings import StoreSettings

T = TypeVar("T")

_UNREADABLE = (sqlite3.Error, OverflowError, UnicodeError)
"""What the engine raises; the last two for keys that it could never hold."""


class Readers:
    """Runs functions of a connection; ``reactor=None`` runs all of them at once."""

    def __init__(self, settings: StoreSettings, reactor: Any | None) -> None:
        self._settings = settings
        self._reactor = reactor
        self._near: Connection | None = None
        self._path = ""
        self._local = threading.local()
        self._far: list[Connection] = []
        self._workers = Workers(
            reactor, "store-reader", settings.reader_threads, settings.reader_queue
        )

    def open(self, path: str, near: Connection | None = None) -> None:
        """Take reads from now on; ``near`` is used for all of them when inline."""
        self._path = path
        self._near = near or connect_reader(path, self._settings)
        self._workers.start()

    def reopened(self, near: Connection) -> None:
        """The inline store has another connection now."""
        self._near = near

    def close(self) -> Deferred[None]:
        """Finish the reads under way."""
        near, self._near = self._near, None
        if near is not None and self._reactor is not None:
            near.close()
        return self._workers.stop().addCallback(self._close_far)

    def near(self, read: Callable[[Connection], T]) -> Deferred[T]:
        """What ``read`` returns, now."""
        if self._near is None:
            return fail(StoreUnavailable("the store is not open"))
        try:
            return succeed(read(self._near))
        except StoreError:
            return fail()
        except _UNREADABLE as error:
            return fail(StoreUnavailable(f"reading failed: {error}"))

    def far(self, read: Callable[[Connection], T]) -> Deferred[T]:
        """What ``read`` returns, from a thread of its own."""
        if self._reactor is None or self._near is None:
            return self.near(read)
        return self._workers.call(self._run, read).addErrback(_translated)

    def _run(self, read: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect_reader(self._path, self._settings)
            self._local.connection = connection
            self._far.append(connection)
        return read(connection)

    def _close_far(self, _: None) -> None:
        for connection in self._far:
            connection.close()
        self._far = []
        self._local = threading.local()


def _translated(failure: Failure) -> Failure:
    """The store's own error for what the engine or the pool raised."""
    if failure.check(TooManyWaiting):
        return Failure(StoreBusy("too many reads wait already"))
    if failure.check(NotRunning, *_UNREADABLE):
        return Failure(StoreUnavailable(f"reading failed: {failure.value}"))
    return failure
