"""A write is a value: a ``Unit`` of frozen operations, applied all or not at all.

Operations hold only ``int``, ``str``, ``bytes``, ``bool``, ``None``, enums and tuples,
so that they can be queued, grouped with those of strangers, replayed alone, sent to
another process, logged (what may be a secret does not print), and invented by
hypothesis.  ``IStore.apply(unit)`` answers with one result an operation, in order; each
class says what its result is.
"""

from __future__ import annotations

from attrs import field, frozen

from netservices.core.fieldwise import Fieldwise
from netservices.values import BlobRef, CredentialKind, FileLock, Path, RRset


class Operation(Fieldwise):
    """Base of all operations; a store refuses what it has no handler for."""

    __slots__ = ()


@frozen
class Unit:
    """Operations that happen together.

    ``token`` (16 random octets) makes a retry safe: a unit whose token the store has
    already applied is not applied again, and answers with the first time's results.
    """

    operations: tuple[Operation, ...]
    token: bytes | None = None


# --- domains and accounts -----------------------------------------------------------


@frozen(repr=False, eq=False)
class CreateDomain(Operation):
    """Result: the domain's id.  Exists."""

    name: str


@frozen(repr=False, eq=False)
class DeleteDomain(Operation):
    """Result: None.  NotFound; Conflict while accounts live in it."""

    name: str


@frozen(repr=False, eq=False)
class CreateAccount(Operation):
    """Result: the account's id.  Exists; NotFound for an unknown domain."""

    name: str
    domain: str
    is_admin: bool = False
    quota_octets: int | None = None
    groups: tuple[str, ...] = ()
    secrets: tuple[tuple[CredentialKind, bytes], ...] = field(default=(), repr=False)
    """Its first credentials, put as ``PutCredential`` does: the account's id, which
    that operation would need, is not known before the unit is applied."""


@frozen(repr=False, eq=False)
class UpdateAccount(Operation):
    """Result: the new revision.  A field left at ``None`` stays as it is; a quota of -1
    means none.  NotFound; Conflict where ``if_revision`` no longer holds."""

    id: int
    is_admin: bool | None = None
    is_enabled: bool | None = None
    quota_octets: int | None = None
    groups: tuple[str, ...] | None = None
    if_revision: int | None = None


@frozen(repr=False, eq=False)
class DeleteAccount(Operation):
    """Result: None; credentials go with it.  NotFound."""

    id: int


@frozen(repr=False, eq=False)
class PutCredential(Operation):
    """Result: the credential's id.  A PASSWORD or SCRAM key replaces the one before it;
    app passwords add up, and one with the label of another replaces that.  NotFound."""

    account: int
    kind: CredentialKind
    secret: bytes = field(repr=False)
    label: str = ""
    protocols: tuple[str, ...] = ()
    expires: float | None = None


@frozen(repr=False, eq=False)
class RemoveCredential(Operation):
    """Result: None.  NotFound."""

    account: int
    id: int


@frozen(repr=False, eq=False)
class PutAlias(Operation):
    """Result: None; replaces the alias of that address."""

    address: str
    targets: tuple[str, ...]


@frozen(repr=False, eq=False)
class RemoveAlias(Operation):
    """Result: None.  NotFound."""

    address: str


# --- blobs --------------------------------------------------------------------------


@frozen(repr=False, eq=False)
class AddBlobReference(Operation):
    """Result: None.  ``(kind, account, owner)`` names what refers to it.  NotFound
    where the blob was never finished."""

    ref: BlobRef
    kind: int
    account: int
    owner: int


@frozen(repr=False, eq=False)
class DropBlobReference(Operation):
    """Result: None.  Content without references is collected after a grace hour."""

    ref: BlobRef
    kind: int
    account: int
    owner: int


# --- files: what a file system cannot hold ------------------------------------------


@frozen(repr=False, eq=False)
class PutFileRecord(Operation):
    """Result: None.  What is known of one file version, found by its stat identity."""

    tree: str
    path: Path
    stat_key: str
    """``device:inode:size:mtime_ns``; a record whose key does not match is ignored."""
    sha256: bytes
    lf_count: int
    owner: int
    size_octets: int


@frozen(repr=False, eq=False)
class PutFileDigest(Operation):
    """Result: None.  Another digest of one file version, beside its SHA-256."""

    tree: str
    path: Path
    stat_key: str
    algorithm: str
    """As FTP and IANA name it: ``SHA-512``, ``CRC32``."""
    digest: bytes


@frozen(repr=False, eq=False)
class RekeyFileRecord(Operation):
    """Result: None.  The same content is found by another stat identity now."""

    tree: str
    path: Path
    old_key: str
    new_key: str


@frozen(repr=False, eq=False)
class RemoveFileRecords(Operation):
    """Result: how many went.  The record of ``path`` and all below it; with it go
    properties and locks, unless ``is_replaced``: the path has another content now."""

    tree: str
    path: Path
    is_replaced: bool = False


@frozen(repr=False, eq=False)
class RenameFileRecords(Operation):
    """Result: how many moved.  The record of ``source`` and all below it; those that
    were at ``target`` go.  Properties move, too; locks on the source end, those on the
    target stay (RFC 4918 7.6)."""

    tree: str
    source: Path
    target: Path


@frozen(repr=False, eq=False)
class PutProperties(Operation):
    """Result: None.  What clients note about a path: values by name; None removes.
    QuotaExceeded where all properties of the path together would be longer than
    ``max_octets``."""

    tree: str
    path: Path
    changes: tuple[tuple[str, str | None], ...]
    max_octets: int


@frozen(repr=False, eq=False)
class CopyProperties(Operation):
    """Result: how many there are.  Those of ``source`` alone, in place of those of
    ``target``."""

    tree: str
    source: Path
    target: Path


@frozen(repr=False, eq=False)
class PutLock(Operation):
    """Result: None.  Conflict where another lock excludes it; QuotaExceeded where the
    account holds ``max_locks`` already."""

    tree: str
    lock: FileLock
    max_locks: int


@frozen(repr=False, eq=False)
class RenewLock(Operation):
    """Result: whether there is such a lock still."""

    tree: str
    token: str
    expires: float


@frozen(repr=False, eq=False)
class RemoveLock(Operation):
    """Result: whether there was one."""

    tree: str
    token: str


@frozen(repr=False, eq=False)
class AddUsage(Operation):
    """Result: the new sums ``(octets, files)``.  QuotaExceeded where ``octets`` is
    positive and the sum would pass ``quota_octets``."""

    tree: str
    octets: int
    files: int
    quota_octets: int | None = None


@frozen(repr=False, eq=False)
class SetUsage(Operation):
    """Result: None.  What a recount found."""

    tree: str
    octets: int
    files: int


@frozen(repr=False, eq=False)
class PutPartial(Operation):
    """Result: None.  An upload that broke off, kept to be continued."""

    tree: str
    path: Path
    account: int
    file: str
    """Its name in the tree's upload area."""
    size_octets: int
    expires: float


@frozen(repr=False, eq=False)
class RemovePartial(Operation):
    """Result: None, also where there was none."""

    tree: str
    path: Path
    account: int


# --- zones --------------------------------------------------------------------------


@frozen(repr=False, eq=False)
class CreateZone(Operation):
    """Result: the revision, higher than those of an earlier zone of that name.
    Exists."""

    name: bytes
    rrsets: tuple[RRset, ...]
    author: str = ""
    """Who did it, and how, for people who read the history."""


@frozen(repr=False, eq=False)
class ReplaceZone(Operation):
    """Result: the new revision.  The whole content; the difference is journalled.
    NotFound; Conflict where ``if_revision`` no longer holds."""

    name: bytes
    rrsets: tuple[RRset, ...]
    if_revision: int | None = None
    author: str = ""


@frozen(repr=False, eq=False)
class UpdateZone(Operation):
    """Result: the new revision.  RRsets named by (owner, type) in ``removed`` go, then
    those of ``added`` are put; journalled for IXFR and undo.  NotFound; Conflict."""

    name: bytes
    removed: tuple[tuple[bytes, int], ...]
    added: tuple[RRset, ...]
    if_revision: int | None = None
    author: str = ""


@frozen(repr=False, eq=False)
class DeleteZone(Operation):
    """Result: None.  NotFound."""

    name: bytes


# --- key and value ------------------------------------------------------------------


@frozen(repr=False, eq=False)
class PutValue(Operation):
    """Result: whether it was put.  ``if_absent`` and ``if_value`` make it
    conditional."""

    namespace: str
    key: bytes
    value: bytes = field(repr=False)
    expires: float | None = None
    if_absent: bool = False
    if_value: bytes | None = field(default=None, repr=False)


@frozen(repr=False, eq=False)
class DeleteValue(Operation):
    """Result: whether there was one."""

    namespace: str
    key: bytes


@frozen(repr=False, eq=False)
class AddToValue(Operation):
    """Result: the new number.  A counter kept as decimal text; absent counts as 0, and
    only then ``expires`` counts.  Conflict where the value is no number."""

    namespace: str
    key: bytes
    amount: int
    expires: float | None = None


# --- leases and assertions ----------------------------------------------------------


@frozen(repr=False, eq=False)
class AcquireLease(Operation):
    """Result: the ``Lease``, or None while somebody else holds it."""

    name: str
    owner: str
    seconds: float


@frozen(repr=False, eq=False)
class RenewLease(Operation):
    """Result: the ``Lease``.  LeaseLost where ``fence`` is no longer the holder's."""

    name: str
    fence: int
    seconds: float


@frozen(repr=False, eq=False)
class ReleaseLease(Operation):
    """Result: None, also where it was lost."""

    name: str
    fence: int


@frozen(repr=False, eq=False)
class AssertValue(Operation):
    """Result: None.  Conflict unless the key holds exactly ``value`` (None: is
    absent)."""

    namespace: str
    key: bytes
    value: bytes | None = field(repr=False)
