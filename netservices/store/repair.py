"""The operations with which ``check --repair`` mends a store.

Each looks again at what it is to mend, as the store may have changed since it was
examined; its result is whether anything was done.
"""

from __future__ import annotations

import os

from attrs import frozen

from netservices.store.operations import Handlers, Transaction
from netservices.store.rrsets import SOA, soa_serial, unpack_rdatas
from netservices.units import Operation

_PARENTS = {
    "account": ("domain", "domain", "id"),
    "account_group": ("account", "account", "id"),
    "credential": ("account", "account", "id"),
    "blob_data": ("hash", "blob", "hash"),
    "rrset": ("zone", "zone", "id"),
    "zone_diff": ("zone", "zone", "id"),
}
"""Column, table and column that the rows of a table refer to."""


@frozen(repr=False, eq=False)
class RemoveDangling(Operation):
    """Rows of ``table`` that refer to nothing go."""

    table: str


@frozen(repr=False, eq=False)
class ForgetBlob(Operation):
    """Content that is missing or damaged, and that nothing refers to, goes."""

    hash: bytes


@frozen(repr=False, eq=False)
class RemoveOrphan(Operation):
    """A content file that no row names goes, if it is older than ``before``."""

    hash: bytes
    before: float


@frozen(repr=False, eq=False)
class MendCondemned(Operation):
    """The collector's mark is set where there is no reference, and only there."""

    hash: bytes


@frozen(repr=False, eq=False)
class MendSerial(Operation):
    """A zone's serial is what its SOA says."""

    key: bytes


def remove_dangling(transaction: Transaction, operation: RemoveDangling) -> bool:
    """Delete rows whose parent is missing."""
    if operation.table not in _PARENTS:
        return False
    column, parent, target = _PARENTS[operation.table]
    return bool(
        transaction.connection.execute(
            f"DELETE FROM {operation.table} WHERE NOT EXISTS(SELECT 1 FROM {parent} "
            f"WHERE {parent}.{target}={operation.table}.{column})"
        ).rowcount
    )


def forget_blob(transaction: Transaction, operation: ForgetBlob) -> bool:
    """Delete an unreferenced row, and after the commit its file."""
    count = transaction.connection.execute(
        "DELETE FROM blob WHERE hash=?1 "
        "AND NOT EXISTS(SELECT 1 FROM blob_ref WHERE hash=?1)",
        (operation.hash,),
    ).rowcount
    files = transaction.blob_files
    if count and files is not None:
        transaction.after_commit.append(lambda: files.remove(operation.hash))
    return bool(count)


def remove_orphan(transaction: Transaction, operation: RemoveOrphan) -> bool:
    """Delete a file while the lock keeps anybody from naming it."""
    files = transaction.blob_files
    if (
        files is None
        or transaction.connection.execute(
            "SELECT 1 FROM blob WHERE hash=? AND is_inline=0", (operation.hash,)
        ).fetchone()
    ):
        return False
    try:
        if os.stat(files.path(operation.hash)).st_mtime >= operation.before:
            return False
    except FileNotFoundError:
        return False
    files.remove(operation.hash)
    return True


def mend_condemned(transaction: Transaction, operation: MendCondemned) -> bool:
    """Set or clear the mark, as the references say."""
    return bool(
        transaction.connection.execute(
            "UPDATE blob SET condemned=CASE WHEN EXISTS(SELECT 1 FROM blob_ref WHERE "
            "hash=?1) THEN NULL ELSE ?2 END WHERE hash=?1",
            (operation.hash, transaction.now),
        ).rowcount
    )


def mend_serial(transaction: Transaction, operation: MendSerial) -> bool:
    """Copy the SOA's serial into the zone's row."""
    row = transaction.connection.execute(
        "SELECT r.rdatas FROM rrset r JOIN zone z ON z.id=r.zone AND z.key=r.key "
        "WHERE z.key=? AND r.type=?",
        (operation.key, SOA),
    ).fetchone()
    rdatas = unpack_rdatas(row[0]) if row is not None else ()
    serial = soa_serial(rdatas[0]) if rdatas else 0
    return bool(
        transaction.connection.execute(
            "UPDATE zone SET serial=? WHERE key=?", (serial, operation.key)
        ).rowcount
    )


HANDLERS: Handlers = {
    RemoveDangling: remove_dangling,
    ForgetBlob: forget_blob,
    RemoveOrphan: remove_orphan,
    MendCondemned: mend_condemned,
    MendSerial: mend_serial,
}
