"""Locks on files: who may hold which, and which there are.

Whether a lock excludes another is decided here, in the transaction that puts it: so two
processes never give out locks that exclude each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from sqlite3 import Connection
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import Conflict, ILockRecords, QuotaExceeded
from netservices.store.operations import Handlers, Transaction
from netservices.store.paths import at_or_below, pack_path, unpack_path
from netservices.store.readers import Readers
from netservices.units import PutLock, RemoveLock, RenewLock
from netservices.values import FileLock, Path

_COLUMNS = "path, token, account, owner, is_exclusive, is_deep, expires"
_LOCKS = f"SELECT {_COLUMNS} FROM file_lock WHERE "


def _lock(row: Any) -> FileLock:
    path, token, account, owner, is_exclusive, is_deep, expires = row
    return FileLock(
        token=token,
        path=unpack_path(path),
        account=account,
        owner=owner,
        is_exclusive=bool(is_exclusive),
        is_deep=bool(is_deep),
        expires=expires,
    )


def _locks_near(
    connection: Connection, tree: str, path: Path, is_below: bool, now: float
) -> Iterator[FileLock]:
    """The locks whose paths lead to ``path``; with ``is_below``, those below, too."""
    above = [pack_path(path[:depth]) for depth in range(len(path) + 1)]
    marks = ", ".join("?" * len(above))
    where = f"tree=? AND path IN ({marks}) AND expires>? ORDER BY path, token"
    rows = connection.execute(_LOCKS + where, (tree, *above, now)).fetchall()
    if is_below:
        where, values = at_or_below(tree, path)
        where += " AND path<>? AND expires>? ORDER BY path, token"
        rows += connection.execute(_LOCKS + where, (*values, pack_path(path), now))
    return map(_lock, rows)


# --- writing ------------------------------------------------------------------------


def put_lock(transaction: Transaction, operation: PutLock) -> None:
    """A lock, unless another one excludes it (RFC 4918 6.1)."""
    connection, lock = transaction.connection, operation.lock
    now, tree = transaction.now, operation.tree
    for other in _locks_near(connection, tree, lock.path, lock.is_deep, now):
        meets = other.is_deep or len(other.path) >= len(lock.path)
        if meets and (other.is_exclusive or lock.is_exclusive):
            raise Conflict("another lock excludes it")
    (held,) = connection.execute(
        "SELECT count(*) FROM file_lock WHERE account=? AND expires>?",
        (lock.account, now),
    ).fetchone()
    if held >= operation.max_locks:
        raise QuotaExceeded("the account holds too many locks")
    connection.execute(
        f"INSERT INTO file_lock(tree, {_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tree,
            pack_path(lock.path),
            lock.token,
            lock.account,
            lock.owner,
            lock.is_exclusive,
            lock.is_deep,
            lock.expires,
        ),
    )


def renew_lock(transaction: Transaction, operation: RenewLock) -> bool:
    """A lock lasts longer, or shorter."""
    changed = transaction.connection.execute(
        "UPDATE file_lock SET expires=? WHERE tree=? AND token=? AND expires>?",
        (operation.expires, operation.tree, operation.token, transaction.now),
    )
    return bool(changed.rowcount)


def remove_lock(transaction: Transaction, operation: RemoveLock) -> bool:
    """A lock ends."""
    removed = transaction.connection.execute(
        "DELETE FROM file_lock WHERE tree=? AND token=?",
        (operation.tree, operation.token),
    )
    return bool(removed.rowcount)


def remove_locks_below(connection: Connection, tree: str, path: Path) -> None:
    """The locks on a path, and on all below it, end: RFC 4918 6.1, what they were on
    is there no more."""
    where, values = at_or_below(tree, path)
    connection.execute("DELETE FROM file_lock WHERE " + where, values)


HANDLERS: Handlers = {
    PutLock: put_lock,
    RenewLock: renew_lock,
    RemoveLock: remove_lock,
}


# --- reading ------------------------------------------------------------------------


@implementer(ILockRecords)
class LockRecords:
    """The locks of now."""

    def __init__(self, readers: Readers, seconds: Callable[[], float]) -> None:
        self._readers = readers
        self._seconds = seconds

    def near(
        self, tree: str, path: Path, is_below: bool = False
    ) -> Deferred[tuple[FileLock, ...]]:
        """The locks on ``path`` and on what is above it; with ``is_below``, those
        below, too."""
        now = self._seconds()
        return self._readers.near(
            lambda connection: tuple(_locks_near(connection, tree, path, is_below, now))
        )

    def all(
        self, after: str = "", limit: int = 200
    ) -> Deferred[tuple[tuple[str, FileLock], ...]]:
        """A page of all locks and their trees, ordered by token."""
        now = self._seconds()
        return self._readers.far(
            lambda connection: tuple(
                (tree, _lock(row))
                for tree, *row in connection.execute(
                    f"SELECT tree, {_COLUMNS} FROM file_lock "
                    "WHERE token>? AND expires>? ORDER BY token LIMIT ?",
                    (after, now, limit),
                )
            )
        )
