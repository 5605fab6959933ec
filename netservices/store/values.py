"""Small values by namespace and key."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import Conflict, IKeyValue
from netservices.store.operations import Handlers, Transaction
from netservices.store.readers import Readers
from netservices.units import AddToValue, AssertValue, DeleteValue, PutValue, Unit
from netservices.values import Topic

if TYPE_CHECKING:
    from netservices.store.sqlite import SQLiteStore

_GET = (
    "SELECT value FROM kv WHERE namespace=? AND key=? "
    "AND (expires IS NULL OR expires>?)"
)
_PUT = "INSERT OR REPLACE INTO kv(namespace, key, value, expires) VALUES(?, ?, ?, ?)"


def _get(
    connection: Connection, namespace: str, key: bytes, now: float
) -> bytes | None:
    row = connection.execute(_GET, (namespace, key, now)).fetchone()
    return None if row is None else bytes(row[0])


def put_value(transaction: Transaction, operation: PutValue) -> bool:
    """A value, if the conditions hold."""
    if operation.if_absent or operation.if_value is not None:
        held = _get(
            transaction.connection, operation.namespace, operation.key, transaction.now
        )
        if operation.if_absent and held is not None:
            return False
        if operation.if_value is not None and held != operation.if_value:
            return False
    transaction.connection.execute(
        _PUT, (operation.namespace, operation.key, operation.value, operation.expires)
    )
    transaction.notify(Topic.KEY_VALUE, operation.namespace)
    return True


def delete_value(transaction: Transaction, operation: DeleteValue) -> bool:
    """A value goes."""
    held = _get(
        transaction.connection, operation.namespace, operation.key, transaction.now
    )
    if transaction.connection.execute(
        "DELETE FROM kv WHERE namespace=? AND key=?",
        (operation.namespace, operation.key),
    ).rowcount:
        transaction.notify(Topic.KEY_VALUE, operation.namespace)
    return held is not None


def add_to_value(transaction: Transaction, operation: AddToValue) -> int:
    """A counter moves; ``expires`` counts where it is new."""
    row = transaction.connection.execute(
        "SELECT value, expires FROM kv WHERE namespace=? AND key=? "
        "AND (expires IS NULL OR expires>?)",
        (operation.namespace, operation.key, transaction.now),
    ).fetchone()
    text, expires = row or (b"0", operation.expires)
    try:
        number = int(text) + operation.amount
    except ValueError:
        raise Conflict(f"{operation.namespace} holds no number there") from None
    transaction.connection.execute(
        _PUT, (operation.namespace, operation.key, b"%d" % number, expires)
    )
    transaction.notify(Topic.KEY_VALUE, operation.namespace)
    return number


def assert_value(transaction: Transaction, operation: AssertValue) -> None:
    """The unit goes on only where the value is as expected."""
    held = _get(
        transaction.connection, operation.namespace, operation.key, transaction.now
    )
    if held != operation.value:
        raise Conflict(f"a value of {operation.namespace} is not as asserted")


HANDLERS: Handlers = {
    PutValue: put_value,
    DeleteValue: delete_value,
    AddToValue: add_to_value,
    AssertValue: assert_value,
}


@implementer(IKeyValue)
class KeyValues:
    """Small values by namespace and key."""

    def __init__(
        self, store: SQLiteStore, readers: Readers, seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self._readers = readers
        self._seconds = seconds

    def get(self, namespace: str, key: bytes) -> Deferred[bytes | None]:
        """The value, unless it is absent or has expired."""
        now = self._seconds()
        return self._readers.near(
            lambda connection: _get(connection, namespace, key, now)
        )

    def put(
        self, namespace: str, key: bytes, value: bytes, expires: float | None = None
    ) -> Deferred[None]:
        """Put one value durably."""
        unit = Unit((PutValue(namespace, key, value, expires),))
        return self._store.apply(unit).addCallback(lambda _: None)

    def delete(self, namespace: str, key: bytes) -> Deferred[bool]:
        """Whether there was one."""
        unit = Unit((DeleteValue(namespace, key),))
        return self._store.apply(unit).addCallback(lambda results: bool(results[0]))

    def scan(
        self,
        namespace: str,
        prefix: bytes = b"",
        after: bytes | None = None,
        limit: int = 500,
    ) -> Deferred[tuple[tuple[bytes, bytes], ...]]:
        """A page of pairs ordered by key."""
        start, comparison = (prefix, ">=") if after is None else (after, ">")
        if start < prefix:
            start, comparison = prefix, ">="
        end = _after_all(prefix)
        query = (
            f"SELECT key, value FROM kv WHERE namespace=? AND key{comparison}? "
            + ("AND key<? " if end else "AND ?=x'' ")
            + "AND (expires IS NULL OR expires>?) ORDER BY key LIMIT ?"
        )
        values = (namespace, start, end, self._seconds(), limit)
        return self._readers.far(
            lambda connection: tuple(connection.execute(query, values))
        )


def _after_all(prefix: bytes) -> bytes:
    """The least key after all that begin with ``prefix``; empty where there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else b""
