"""Every seam of netservices: who may ask what of whom.

Methods return Deferreds; a Deferred that ``IStore.apply`` or a method built on it
returns fires only when the change is on stable storage.  Cancelling one drops interest,
not the write.  Results are immutable and nothing returns an open cursor: long listings
come in pages, ``after`` being the last key of the page before.  A store fails with the
errors named here only, never with those of its engine.
"""

from __future__ import annotations

from netservices.interfaces.errors import (
    BadName,
    Conflict,
    DiskFull,
    Exists,
    FileProblem,
    IsADirectory,
    LeaseLost,
    Locked,
    LoginRefused,
    NotADirectory,
    NotAllowed,
    NotEmpty,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    StoreBusy,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
    TooLarge,
    Withdrawn,
)
from netservices.interfaces.files import (
    IFiles,
    IFileTree,
    IOpenFile,
    IUpload,
)
from netservices.interfaces.services import (
    IAccounts,
    ICertificates,
    IEvents,
    INameAnswers,
    IWeb,
)
from netservices.interfaces.store import (
    IAccountRecords,
    IBlobs,
    IBlobSink,
    IChangeFeed,
    IFileRecords,
    IKeyValue,
    ILeases,
    ILockRecords,
    IPropertyRecords,
    IStore,
    IStoreAdmin,
    IZones,
)

__all__ = [
    "BadName",
    "Conflict",
    "DiskFull",
    "Exists",
    "FileProblem",
    "IAccountRecords",
    "IAccounts",
    "IBlobSink",
    "IBlobs",
    "ICertificates",
    "IChangeFeed",
    "IEvents",
    "IFileRecords",
    "IFileTree",
    "IFiles",
    "IKeyValue",
    "ILeases",
    "ILockRecords",
    "INameAnswers",
    "IOpenFile",
    "IPropertyRecords",
    "IStore",
    "IStoreAdmin",
    "IUpload",
    "IWeb",
    "IZones",
    "IsADirectory",
    "LeaseLost",
    "Locked",
    "LoginRefused",
    "NotADirectory",
    "NotAllowed",
    "NotEmpty",
    "NotFound",
    "OutcomeUnknown",
    "QuotaExceeded",
    "StoreBusy",
    "StoreError",
    "StoreReadOnly",
    "StoreUnavailable",
    "TooLarge",
    "Withdrawn",
]
