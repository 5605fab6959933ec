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
from threading import Event, Thread

from twisted.logger import Logger

from netservices.store.connections import connect
from netservices.store.engine import Engine
from netservices.store.settings import StoreSettings

_IDLE_SECONDS = 5.0
_PAUSE_MILLISECONDS = 100
_BETWEEN_PAUSES_SECONDS = 1.0


class Checkpointer:
    """A thread that copies the log; every method but ``_run`` is the writer's."""

    _log = Logger()

    def __init__(self, path: str, settings: StoreSettings) -> None:
        self._path = path
        self._settings = settings
        self._wanted = Event()
        self._is_over = False
        self._commits = 0
        self._paused = float("-inf")
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
        octets = engine.wal_octets()
        if octets > self._settings.checkpoint_at:
            self._wanted.set()
        now = time.monotonic()
        if (
            octets > self._settings.checkpoint_pause_at
            and now - self._paused > _BETWEEN_PAUSES_SECONDS
        ):
            self._paused = now
            engine.restart_log(_PAUSE_MILLISECONDS)

    def _run(self) -> None:
        with closing(connect(self._path, self._settings)) as connection:
            seen = copied = self._commits
            while not self._is_over:
                if self._wanted.wait(_IDLE_SECONDS):
                    self._wanted.clear()
                    self._copy(connection, "PASSIVE")
                elif self._commits == seen and copied != seen:
                    self._copy(connection, "TRUNCATE")
                    copied = seen
                seen = self._commits

    def _copy(self, connection: Connection, mode: str) -> None:
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error as error:
            self._log.error("copying the log failed: {error}", error=error)
