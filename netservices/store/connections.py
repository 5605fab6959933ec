"""Connections to the database, with the pragmas on which everything else relies."""

from __future__ import annotations

import sqlite3
from sqlite3 import Connection

from netservices.store.settings import StoreSettings

MEMORY = ":memory:"

# "NetS" in ASCII: SQLite's own mark of whose file this is.
APPLICATION_ID = 0x4E657453

BUSY_MILLISECONDS = 5000


def connect(path: str, settings: StoreSettings) -> Connection:
    """A connection that may write; transactions are begun by hand.

    ``synchronous=FULL`` syncs the log in each commit; NORMAL is not offered, as it
    acknowledges octets that are not on the disk yet.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, cached_statements=256, check_same_thread=False
    )
    synchronous = "FULL" if settings.durability == "full" else "OFF"
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "cell_size_check=ON",
        f"synchronous={synchronous}",
        "fullfsync=ON",
        "checkpoint_fullfsync=ON",
        "wal_autocheckpoint=0",
        # The log's file is cut to this size when it starts afresh, so that a larger
        # file always means a longer log.
        f"journal_size_limit={int(settings.checkpoint_at)}",
    ):
        connection.execute("PRAGMA " + pragma)
    return connection


def connect_reader(path: str, settings: StoreSettings) -> Connection:
    """A connection that only reads."""
    connection = connect(path, settings)
    connection.execute("PRAGMA query_only=ON")
    return connection


def pragma(connection: Connection, name: str) -> int:
    """The number that a pragma holds."""
    return int(connection.execute("PRAGMA " + name).fetchone()[0])
