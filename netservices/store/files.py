"""What is known of files beside what their file system holds."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import IFileRecords, QuotaExceeded
from netservices.store.locks import remove_locks_below
from netservices.store.operations import Handlers, Transaction
from netservices.store.paths import at_or_below, pack_path, unpack_path
from netservices.store.readers import Readers
from netservices.units import (
    AddUsage,
    PutFileDigest,
    PutFileRecord,
    PutPartial,
    RekeyFileRecord,
    RemoveFileRecords,
    RemovePartial,
    RenameFileRecords,
    SetUsage,
)
from netservices.values import Digests, Path, Topic


def _object(tree: str, path: Path) -> str:
    """How notices name a file: ``tree:path/below/it``."""
    return f"{tree}:{'/'.join(path)}"


_MOVABLE = (
    ("file_record", "stat_key, sha256, lf_count, owner, size_octets"),
    ("file_digest", "algorithm, stat_key, digest"),
    ("file_property", "name, value"),
)
"""Tables of what is known of files, and their columns beside tree and path."""

# --- writing ------------------------------------------------------------------------


def put_file_record(transaction: Transaction, operation: PutFileRecord) -> None:
    """What is known of a file, in place of what was known.

    Digests of other versions go: a later one could have the key of one of them, as
    inodes are used again, and modification times and sizes may be equal.
    """
    transaction.connection.execute(
        "DELETE FROM file_digest WHERE tree=? AND path=? AND stat_key<>?",
        (operation.tree, pack_path(operation.path), operation.stat_key),
    )
    transaction.connection.execute(
        "INSERT OR REPLACE INTO file_record(tree, path, stat_key, sha256, lf_count, "
        "owner, size_octets) VALUES(?, ?, ?, ?, ?, ?, ?)",
        (
            operation.tree,
            pack_path(operation.path),
            operation.stat_key,
            operation.sha256,
            operation.lf_count,
            operation.owner,
            operation.size_octets,
        ),
    )
    transaction.notify(Topic.FILE, _object(operation.tree, operation.path))


def put_file_digest(transaction: Transaction, operation: PutFileDigest) -> None:
    """One more digest, in place of that of an earlier version."""
    transaction.connection.execute(
        "INSERT OR REPLACE INTO file_digest(tree, path, algorithm, stat_key, digest) "
        "VALUES(?, ?, ?, ?, ?)",
        (
            operation.tree,
            pack_path(operation.path),
            operation.algorithm,
            operation.stat_key,
            operation.digest,
        ),
    )


def rekey_file_record(transaction: Transaction, operation: RekeyFileRecord) -> None:
    """What is known stays known under the new key."""
    path = pack_path(operation.path)
    for table in ("file_record", "file_digest"):
        transaction.connection.execute(
            f"UPDATE {table} SET stat_key=? WHERE tree=? AND path=? AND stat_key=?",
            (operation.new_key, operation.tree, path, operation.old_key),
        )
    transaction.notify(Topic.FILE, _object(operation.tree, operation.path))


def remove_file_records(transaction: Transaction, operation: RemoveFileRecords) -> int:
    """The records of a path and all below it go."""
    where, values = at_or_below(operation.tree, operation.path)
    connection = transaction.connection
    count = connection.execute(
        "DELETE FROM file_record WHERE " + where, values
    ).rowcount
    connection.execute("DELETE FROM file_digest WHERE " + where, values)
    if not operation.is_replaced:
        connection.execute("DELETE FROM file_property WHERE " + where, values)
        remove_locks_below(connection, operation.tree, operation.path)
    transaction.notify(Topic.FILE, _object(operation.tree, operation.path))
    return count


def rename_file_records(transaction: Transaction, operation: RenameFileRecords) -> int:
    """The records of a path and all below it move, over those that were there."""
    if operation.source == operation.target:
        return 0
    connection, tree = transaction.connection, operation.tree
    source, target = pack_path(operation.source), pack_path(operation.target)
    counts = []
    for table, columns in _MOVABLE:
        # Taken out first: the two may lie within each other.
        where, values = at_or_below(tree, operation.source)
        rows = connection.execute(
            f"DELETE FROM {table} WHERE {where} RETURNING path, {columns}", values
        ).fetchall()
        where, values = at_or_below(tree, operation.target)
        connection.execute(f"DELETE FROM {table} WHERE {where}", values)
        places = ", ".join("?" * (2 + columns.count(",") + 1))
        connection.executemany(
            f"INSERT INTO {table}(tree, path, {columns}) VALUES({places})",
            [(tree, _moved(row[0], source, target), *row[1:]) for row in rows],
        )
        counts.append(len(rows))
    # RFC 4918 7.6: a lock does not move with what was locked.
    remove_locks_below(connection, tree, operation.source)
    transaction.notify(Topic.FILE, _object(tree, operation.source))
    transaction.notify(Topic.FILE, _object(tree, operation.target))
    return counts[0]


def _moved(path: bytes, source: bytes, target: bytes) -> bytes:
    rest = path[len(source) :].lstrip(b"/")
    return b"/".join(part for part in (target, rest) if part)


def add_usage(transaction: Transaction, operation: AddUsage) -> tuple[int, int]:
    """Changed sums, never below zero."""
    octets, files = _usage(transaction.connection, operation.tree)
    octets = max(0, octets + operation.octets)
    files = max(0, files + operation.files)
    quota = operation.quota_octets
    if operation.octets > 0 and quota is not None and octets > quota:
        raise QuotaExceeded(f"{operation.tree} would hold {octets} of {quota} octets")
    set_usage(transaction, SetUsage(operation.tree, octets, files))
    return octets, files


def set_usage(transaction: Transaction, operation: SetUsage) -> None:
    """Sums as they were counted."""
    transaction.connection.execute(
        "INSERT OR REPLACE INTO usage(tree, octets, files) VALUES(?, ?, ?)",
        (operation.tree, operation.octets, operation.files),
    )


def put_partial(transaction: Transaction, operation: PutPartial) -> None:
    """A broken-off upload, in place of an earlier one by the same account."""
    transaction.connection.execute(
        "INSERT OR REPLACE INTO partial(tree, path, account, file, size_octets, "
        "expires) VALUES(?, ?, ?, ?, ?, ?)",
        (
            operation.tree,
            pack_path(operation.path),
            operation.account,
            operation.file,
            operation.size_octets,
            operation.expires,
        ),
    )


def remove_partial(transaction: Transaction, operation: RemovePartial) -> None:
    """A broken-off upload is forgotten."""
    transaction.connection.execute(
        "DELETE FROM partial WHERE tree=? AND path=? AND account=?",
        (operation.tree, pack_path(operation.path), operation.account),
    )


HANDLERS: Handlers = {
    PutFileRecord: put_file_record,
    PutFileDigest: put_file_digest,
    RekeyFileRecord: rekey_file_record,
    RemoveFileRecords: remove_file_records,
    RenameFileRecords: rename_file_records,
    AddUsage: add_usage,
    SetUsage: set_usage,
    PutPartial: put_partial,
    RemovePartial: remove_partial,
}


# --- reading ------------------------------------------------------------------------


def _usage(connection: Connection, tree: str) -> tuple[int, int]:
    row: tuple[int, int] | None = connection.execute(
        "SELECT octets, files FROM usage WHERE tree=?", (tree,)
    ).fetchone()
    return row or (0, 0)


@implementer(IFileRecords)
class FileRecords:
    """Digests, usage sums and partial uploads of file trees."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def digests(self, tree: str, path: Path, stat_key: str) -> Deferred[Digests | None]:
        """What is known of that version of the file."""

        def read(connection: Connection) -> Digests | None:
            row = connection.execute(
                "SELECT sha256, lf_count FROM file_record "
                "WHERE tree=? AND path=? AND stat_key=?",
                (tree, pack_path(path), stat_key),
            ).fetchone()
            return None if row is None else Digests(*row)

        return self._readers.near(read)

    def digest(
        self, tree: str, path: Path, stat_key: str, algorithm: str
    ) -> Deferred[bytes | None]:
        """One digest of that version, if it is known."""

        def read(connection: Connection) -> bytes | None:
            row = connection.execute(
                "SELECT digest FROM file_digest "
                "WHERE tree=? AND path=? AND algorithm=? AND stat_key=?",
                (tree, pack_path(path), algorithm, stat_key),
            ).fetchone()
            return None if row is None else bytes(row[0])

        return self._readers.near(read)

    def usage(self, tree: str) -> Deferred[tuple[int, int]]:
        """Sums of octets and files."""
        return self._readers.near(lambda connection: _usage(connection, tree))

    def partial(
        self, tree: str, path: Path, account: int
    ) -> Deferred[tuple[str, int] | None]:
        """File name in the upload area, and octets, of a partial upload."""

        def read(connection: Connection) -> tuple[str, int] | None:
            row: tuple[str, int] | None = connection.execute(
                "SELECT file, size_octets FROM partial "
                "WHERE tree=? AND path=? AND account=?",
                (tree, pack_path(path), account),
            ).fetchone()
            return row

        return self._readers.near(read)

    def expired_partials(
        self, now: float, limit: int = 200
    ) -> Deferred[tuple[Any, ...]]:
        """``(tree, path, account, file)`` of partial uploads past their time."""
        return self._readers.far(
            lambda connection: tuple(
                (tree, unpack_path(path), account, file)
                for tree, path, account, file in connection.execute(
                    "SELECT tree, path, account, file FROM partial WHERE expires<=? "
                    "ORDER BY expires LIMIT ?",
                    (now, limit),
                )
            )
        )

    def trees(self) -> Deferred[tuple[str, ...]]:
        """Every tree that has a record, partial upload or usage sum."""
        return self._readers.far(
            lambda connection: tuple(
                row[0]
                for row in connection.execute(
                    "SELECT tree FROM file_record UNION SELECT tree FROM partial "
                    "UNION SELECT tree FROM usage ORDER BY 1"
                )
            )
        )
