"""Every operation that the store knows, and which of them a full disk allows."""

from __future__ import annotations

from netservices.store import (
    blobs,
    files,
    housekeeping,
    leases,
    locks,
    properties,
    records,
    repair,
    values,
    zones,
)
from netservices.store.operations import Handlers
from netservices.units import (
    AcquireLease,
    AddUsage,
    AssertValue,
    DeleteAccount,
    DeleteDomain,
    DeleteValue,
    DeleteZone,
    DropBlobReference,
    Operation,
    ReleaseLease,
    RemoveAlias,
    RemoveCredential,
    RemoveFileRecords,
    RemoveLock,
    RemovePartial,
    RenewLease,
)

HANDLERS: Handlers = {
    **records.HANDLERS,
    **blobs.HANDLERS,
    **files.HANDLERS,
    **locks.HANDLERS,
    **properties.HANDLERS,
    **zones.HANDLERS,
    **values.HANDLERS,
    **leases.HANDLERS,
    **housekeeping.HANDLERS,
    **repair.HANDLERS,
}

TAKEN_WHEN_FULL = frozenset(
    {
        DeleteDomain,
        DeleteAccount,
        RemoveCredential,
        RemoveAlias,
        DropBlobReference,
        RemoveFileRecords,
        RemoveLock,
        RemovePartial,
        DeleteZone,
        DeleteValue,
        AssertValue,
        AcquireLease,
        RenewLease,
        ReleaseLease,
        blobs.CollectBlobs,
        housekeeping.RemoveExpired,
        *repair.HANDLERS,
    }
)
"""What is taken while the disk is full: deletions, and the leases of those who delete.
``AddUsage`` joins them where it takes away."""


def is_deletion(operation: Operation) -> bool:
    """Whether an operation is taken while the disk is full."""
    if isinstance(operation, AddUsage):
        return operation.octets <= 0
    return type(operation) in TAKEN_WHEN_FULL
