"""Copying the write-ahead log into the database, out of the writers' way.

A thread with a connection of its own copies what it can (PASSIVE) once the log is long,
which cuts the slowest commits to a third of what SQLite's own checkpoints cost.  But a
log that is always written to is never cut that way; so above a second limit the writer
itself pauses between two groups for a RESTART, which is short, as nearly all has been
copied by then.  When the store is idle, the log is cut to nothing (TRUNCATE).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from sqlite3 import Connection
from threading import Event, Lock, Thread

from netservices.store.connections import connect
from netservices.store.engine import Engine
from netservices.store.settings import StoreSettings

_IDLE_SECONDS = 5.0
_PATIENCE_MILLISECONDS = 100
_RETRY_SECONDS = 1.0


class Checkpointer:
    """A thread that copies the log; ``after_commit`` runs in the writer's."""

    def __init__(self, path: str, settings: StoreSettings) -> None:
        self._path = path
        self._settings = settings
        self._wanted = Event()
        self._copying = Lock()
        self._is_over = False
        self._commits = 0
        self._not_before = float("-inf")
        self._error: Exception | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = Thread(target=self._run, name="store-checkpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way."""
        self._is_over = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def after_commit(self, engine: Engine) -> None:
        """Look at the log between two groups, and do what is due."""
        self._commits += 1
        error, self._error = self._error, None
        if error is not None:
            engine.doubt(error)
            return
        octets = engine.wal_octets()
        if octets > self._settings.checkpoint_at:
            self._wanted.set()
        if (
            octets > self._settings.checkpoint_pause_at
            and time.monotonic() >= self._not_before
        ):
            # Two checkpoints at once are refused, so let the thread finish its own.
            with self._copying:
                is_done = engine.restart_log(_PATIENCE_MILLISECONDS)
            if not is_done:
                # A reader is in the way: do not wait for it again and again.
                self._not_before = time.monotonic() + _RETRY_SECONDS

    def _run(self) -> None:
        while not self._is_over:
            try:
                with closing(connect(self._path, self._settings)) as connection:
                    self._watch(connection)
            except sqlite3.Error as error:
                # Not with this connection again; the writer opens anew as well.
                self._error = error
                self._wanted.wait(_RETRY_SECONDS)

    def _watch(self, connection: Connection) -> None:
        seen = copied = self._commits
        while not self._is_over:
            if self._wanted.wait(_IDLE_SECONDS):
                self._wanted.clear()
                with self._copying:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            elif self._commits == seen and copied != seen:
                with self._copying:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                copied = seen
            seen = self._commits
