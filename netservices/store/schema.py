"""Bringing a database to this program's version, or refusing it.

All migrations that are due run in one transaction, after a copy of the file as it was
has been put beside it (``netservices.db.before-N``).  So a failed migration leaves the
old database, and a regretted one can be undone by hand.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import closing, suppress
from sqlite3 import Connection

from netservices.core.errors import StartupError
from netservices.store.connections import APPLICATION_ID, MEMORY, pragma
from netservices.store.migrations import MIGRATIONS
from netservices.store.sync import sync_directory, sync_file


def migrate(
    connection: Connection, path: str, migrations: Sequence[str] = MIGRATIONS
) -> None:
    """Bring the database to the version of ``migrations``; StartupError where it cannot
    be."""
    version = version_of(connection, path, len(migrations))
    if version == 0:
        # This can only be set before the first table exists.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    # Also for a file that comes from a backup; the file remembers it.
    connection.execute("PRAGMA journal_mode=WAL")
    if version == len(migrations):
        return
    if version and path != MEMORY:
        _copy(connection, f"{path}.before-{len(migrations)}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited.
        version = version_of(connection, path, len(migrations))
        for number, text in enumerate(migrations[version:], version + 1):
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        if version == 0:
            _name(connection)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def version_of(connection: Connection, path: str, newest: int) -> int:
    """The version of the database; StartupError where it is not ours or too new."""
    application = pragma(connection, "application_id")
    version = pragma(connection, "user_version")
    is_empty = pragma(connection, "schema_version") == 0
    if application != APPLICATION_ID and not (is_empty and application == 0):
        raise StartupError(
            f"{path} is the database of another program; move it away, or choose "
            "another state directory with --state"
        )
    if version > newest:
        copy = f"{path}.before-{version}"
        copy_too = f" (or {copy})" if os.path.exists(copy) else ""
        raise StartupError(
            f"{path} has version {version}, and this netservices knows versions up to "
            f"{newest}: install the newer netservices that wrote it, or restore a "
            f"backup{copy_too} into another state directory"
        )
    return version


def _name(connection: Connection) -> None:
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.executemany(
        "INSERT INTO meta(key, value) VALUES(?, ?)",
        [
            ("store_id", uuid.uuid4().hex),
            ("restore_epoch", "0"),
            ("created", str(time.time())),
        ],
    )


def _statements(text: str) -> list[str]:
    """The single statements of a script: ``executescript`` would commit on its own."""
    found: list[str] = []
    part = ""
    for line in text.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            found.append(part)
            part = ""
    return found


def _copy(connection: Connection, target: str) -> None:
    """A whole and synced copy of the database at ``target``."""
    part = target + ".part"
    with suppress(FileNotFoundError):
        os.unlink(part)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
    sync_file(part)
    os.replace(part, target)
    sync_directory(os.path.dirname(target))
