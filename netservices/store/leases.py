"""Rights that at most one process holds at a time.

A fence grows with every grant and is never used twice, so whatever a stale holder still
sends can be told apart.  A released lease keeps its row for the sake of that number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import ILeases, LeaseLost
from netservices.store.operations import Handlers, Transaction
from netservices.units import AcquireLease, ReleaseLease, RenewLease, Unit
from netservices.values import Lease

if TYPE_CHECKING:
    from netservices.store.sqlite import SQLiteStore


def acquire_lease(transaction: Transaction, operation: AcquireLease) -> Lease | None:
    """The lease, unless somebody else holds it; asking again gives a new fence."""
    row = transaction.connection.execute(
        "INSERT INTO lease(name, owner, fence, until) VALUES(?1, ?2, 1, ?3) "
        "ON CONFLICT(name) DO UPDATE SET owner=?2, fence=fence+1, until=?3 "
        "WHERE owner=?2 OR until<=?4 RETURNING fence, until",
        (
            operation.name,
            operation.owner,
            transaction.now + operation.seconds,
            transaction.now,
        ),
    ).fetchone()
    return None if row is None else Lease(operation.name, operation.owner, *row)


def renew_lease(transaction: Transaction, operation: RenewLease) -> Lease:
    """A longer time, while nobody else has taken it."""
    row = transaction.connection.execute(
        "UPDATE lease SET until=? WHERE name=? AND fence=? AND until>0 "
        "RETURNING owner, fence, until",
        (transaction.now + operation.seconds, operation.name, operation.fence),
    ).fetchone()
    if row is None:
        raise LeaseLost(f"the lease {operation.name} is somebody else's")
    return Lease(operation.name, *row)


def release_lease(transaction: Transaction, operation: ReleaseLease) -> None:
    """Anybody may have it now."""
    transaction.connection.execute(
        "UPDATE lease SET until=0 WHERE name=? AND fence=?",
        (operation.name, operation.fence),
    )


HANDLERS: Handlers = {
    AcquireLease: acquire_lease,
    RenewLease: renew_lease,
    ReleaseLease: release_lease,
}


@implementer(ILeases)
class Leases:
    """Rights held by one process at a time."""

    def __init__(self, store: SQLiteStore) -> None:
        self._store = store

    def acquire(self, name: str, owner: str, seconds: float) -> Deferred[Lease | None]:
        """None while somebody else holds it."""
        unit = Unit((AcquireLease(name, owner, seconds),))
        return self._store.apply(unit).addCallback(_first)

    def renew(self, lease: Lease, seconds: float) -> Deferred[Lease]:
        """LeaseLost."""
        unit = Unit((RenewLease(lease.name, lease.fence, seconds),))
        return self._store.apply(unit).addCallback(_first)

    def release(self, lease: Lease) -> Deferred[None]:
        """Give it back."""
        unit = Unit((ReleaseLease(lease.name, lease.fence),))
        return self._store.apply(unit).addCallback(_first)


def _first(results: tuple[Any, ...]) -> Any:
    return results[0]
