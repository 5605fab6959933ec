"""What clients note about files: properties, values by name (RFC 4918 4)."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import IPropertyRecords, QuotaExceeded
from netservices.store.operations import Handlers, Transaction
from netservices.store.paths import pack_path
from netservices.store.readers import Readers
from netservices.units import CopyProperties, PutProperties
from netservices.values import Path

_MOST_NEAR = 8
"""The properties of so many paths are read at once; of more in a thread."""

# --- writing ------------------------------------------------------------------------


def put_properties(transaction: Transaction, operation: PutProperties) -> None:
    """Values by name; None removes."""
    connection = transaction.connection
    place = operation.tree, pack_path(operation.path)
    for name, value in operation.changes:
        if value is None:
            connection.execute(
                "DELETE FROM file_property WHERE tree=? AND path=? AND name=?",
                (*place, name),
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO file_property(tree, path, name, value) "
                "VALUES(?, ?, ?, ?)",
                (*place, name, value),
            )
    (octets,) = connection.execute(
        "SELECT coalesce(sum(length(CAST(name AS BLOB)) + length(CAST(value AS BLOB))),"
        " 0) FROM file_property WHERE tree=? AND path=?",
        place,
    ).fetchone()
    if octets > operation.max_octets:
        raise QuotaExceeded(f"properties may have {operation.max_octets} octets")


def copy_properties(transaction: Transaction, operation: CopyProperties) -> int:
    """Those of one path for another one, too."""
    if operation.source == operation.target:
        return 0
    connection, tree = transaction.connection, operation.tree
    source, target = pack_path(operation.source), pack_path(operation.target)
    connection.execute(
        "DELETE FROM file_property WHERE tree=? AND path=?", (tree, target)
    )
    return connection.execute(
        "INSERT INTO file_property(tree, path, name, value) "
        "SELECT tree, ?, name, value FROM file_property WHERE tree=? AND path=?",
        (target, tree, source),
    ).rowcount


HANDLERS: Handlers = {
    PutProperties: put_properties,
    CopyProperties: copy_properties,
}

# --- reading ------------------------------------------------------------------------


@implementer(IPropertyRecords)
class PropertyRecords:
    """The properties of paths."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def of(
        self, tree: str, paths: tuple[Path, ...]
    ) -> Deferred[Mapping[Path, Mapping[str, str]]]:
        """Values by name of those of the paths that have any."""
        reading = self._readers.near
        if len(paths) > _MOST_NEAR:
            reading = self._readers.far
        return reading(lambda connection: _properties(connection, tree, paths))


def _properties(
    connection: Connection, tree: str, paths: tuple[Path, ...]
) -> Mapping[Path, Mapping[str, str]]:
    found: dict[Path, dict[str, str]] = {}
    packed = {pack_path(path): path for path in paths}
    has_any = (
        paths
        and connection.execute(
            "SELECT 1 FROM file_property WHERE tree=? AND path>=? AND path<=? LIMIT 1",
            (tree, min(packed), max(packed)),
        ).fetchone()
    )
    for key, path in packed.items() if has_any else ():
        rows = connection.execute(
            "SELECT name, value FROM file_property WHERE tree=? AND path=?", (tree, key)
        ).fetchall()
        if rows:
            found[path] = dict(rows)
    return found
