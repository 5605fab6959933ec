"""Care of the store: check, backup, statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import IStoreAdmin
from netservices.store.engine import Engine
from netservices.store.readers import Readers
from netservices.values import Manifest, Report

if TYPE_CHECKING:
    from netservices.store.sqlite import SQLiteStore

Progress = Callable[[int, int], None]

_COUNTED = (
    "domain",
    "account",
    "credential",
    "alias",
    "blob",
    "blob_ref",
    "file_record",
    "partial",
    "zone",
    "rrset",
    "kv",
    "lease",
    "change",
)


@implementer(IStoreAdmin)
class Admin:
    """Care of the store; every method works while it is in use."""

    def __init__(self, store: SQLiteStore, engine: Engine, readers: Readers) -> None:
        self._store = store
        self._engine = engine
        self._readers = readers

    def check(
        self,
        level: str = "quick",
        repair: bool = False,
        progress: Progress | None = None,
    ) -> Deferred[Report]:
        """``quick`` (engine), ``full`` (references, sums, orphans) or ``deep``
        (re-hash)."""
        raise NotImplementedError

    def backup(
        self, target: str, progress: Progress | None = None
    ) -> Deferred[Manifest]:
        """A consistent copy of database and blobs in the empty or older backup
        ``target``."""
        raise NotImplementedError

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
