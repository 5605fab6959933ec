"""The store: what it keeps, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from netservices.units import Unit
from netservices.values import (
    Account,
    Alias,
    BlobRef,
    Credential,
    Digests,
    Domain,
    FileLock,
    Lease,
    Manifest,
    Notice,
    Path,
    Report,
    RRsets,
    Zone,
    ZoneChange,
    ZoneInfo,
    ZonePage,
)


class IStore(Interface):
    """One store, shared by every protocol of the process."""

    state: str = Attribute("opening, ready, readonly, failed or closed")
    records: IAccountRecords = Attribute("domains, accounts, credentials, aliases")
    blobs: IBlobs = Attribute("immutable content")
    file_records: IFileRecords = Attribute("what file systems cannot hold")
    file_locks: ILockRecords = Attribute("who alone may change a file now")
    file_properties: IPropertyRecords = Attribute("what clients note about files")
    zones: IZones = Attribute("DNS zones")
    values: IKeyValue = Attribute("small values of protocols and plugins")
    changes: IChangeFeed = Attribute("what changed, for caches")
    leases: ILeases = Attribute("rights held by one process at a time")
    admin: IStoreAdmin = Attribute("check, backup, restore, statistics")

    def open() -> Deferred[None]:
        """Recover and migrate; fires when ready.  StartupError names what is wrong."""

    def close() -> Deferred[None]:
        """Refuse new work, finish what waits, checkpoint."""

    def apply(unit: Unit, is_awaited: bool = True) -> Deferred[tuple[Any, ...]]:
        """Do all operations of the unit or none; one result each, in order.

        Fires only when the unit is on stable storage.  Units are applied in the order
        in which they come.  One that nobody awaits may wait a moment for others.
        """


class IBlobs(Interface):
    """Immutable content, stored once for all that refer to it."""

    def create(size_hint: int | None = None) -> IBlobSink:
        """A sink for new content."""

    def read(
        ref: BlobRef, offset: int = 0, length: int | None = None
    ) -> Deferred[bytes]:
        """At most 1 MiB of the content.  NotFound."""

    def verify(ref: BlobRef) -> Deferred[bool]:
        """Whether the octets still have their hash."""

    def collect(older_than: float) -> Deferred[int]:
        """Delete content without references since before that time; how many went."""


class IBlobSink(Interface):
    """Content on its way in: memory up to the inline limit, then a file."""

    def write(data: bytes) -> Deferred[None] | None:
        """Take ``data``; a Deferred asks the caller to pause until it fires."""

    def finish() -> Deferred[BlobRef]:
        """Durable, and collectable after the grace hour unless a unit refers to it."""

    def abort() -> Deferred[None]:
        """Forget it."""


class IAccountRecords(Interface):
    """Domains, accounts and credentials as they are stored; ``IAccounts`` is the
    policy."""

    def domains() -> Deferred[tuple[Domain, ...]]:
        """All domains, the default one (the oldest) first."""

    def account(name: str, domain: str) -> Deferred[Account | None]:
        """The account of that name, both folded to lower case."""

    def account_by_id(id: int) -> Deferred[Account | None]:  # noqa: A002
        """The account of that id."""

    def accounts(after: str = "", limit: int = 200) -> Deferred[tuple[Account, ...]]:
        """A page of accounts ordered by login."""

    def credentials(account: int) -> Deferred[tuple[Credential, ...]]:
        """Everything with which the account may prove itself."""

    def alias(address: str) -> Deferred[Alias | None]:
        """The alias of exactly that address."""

    def aliases(after: str = "", limit: int = 200) -> Deferred[tuple[Alias, ...]]:
        """A page of aliases ordered by address."""


class IFileRecords(Interface):
    """Digests, usage sums and partial uploads of file trees."""

    def digests(tree: str, path: Path, stat_key: str) -> Deferred[Digests | None]:
        """What is known of that version of the file."""

    def digest(
        tree: str, path: Path, stat_key: str, algorithm: str
    ) -> Deferred[bytes | None]:
        """One digest of that version, if it is known."""

    def usage(tree: str) -> Deferred[tuple[int, int]]:
        """Sums of octets and files."""

    def partial(
        tree: str, path: Path, account: int
    ) -> Deferred[tuple[str, int] | None]:
        """File name in the upload area, and octets, of a partial upload."""

    def expired_partials(now: float, limit: int = 200) -> Deferred[tuple[Any, ...]]:
        """``(tree, path, account, file)`` of partial uploads past their time."""

    def trees() -> Deferred[tuple[str, ...]]:
        """Every tree that has a record, partial upload or usage sum."""


class ILockRecords(Interface):
    """Write locks on files, those that have expired left out."""

    def near(
        tree: str, path: Path, is_below: bool = False
    ) -> Deferred[tuple[FileLock, ...]]:
        """Those on ``path`` and on what is above it; with ``is_below``, those below,
        too."""

    def all(
        after: str = "", limit: int = 200
    ) -> Deferred[tuple[tuple[str, FileLock], ...]]:
        """A page of all locks and their trees, ordered by token."""


class IPropertyRecords(Interface):
    """Properties that clients set on files and directories (RFC 4918 4)."""

    def of(
        tree: str, paths: tuple[Path, ...]
    ) -> Deferred[Mapping[Path, Mapping[str, str]]]:
        """Values by name of those of the paths that have any."""


class IZones(Interface):
    """DNS zones: the truth and the journal.  Servers answer from memory, not from
    here."""

    def zones() -> Deferred[tuple[ZoneInfo, ...]]:
        """All zones, ordered by name."""

    def load(name: bytes) -> Deferred[Zone | None]:
        """A zone with all its RRsets."""

    def differences(
        name: bytes, revision: int, max_octets: int | None = None
    ) -> Deferred[tuple[tuple[int, int, RRsets, RRsets], ...] | None]:
        """``(from serial, to serial, removed, added)`` since that revision; None: too
        old, or more than ``max_octets`` in the journal."""

    def history(
        name: bytes, since: int | None = None
    ) -> Deferred[tuple[ZoneChange, ...]]:
        """What the journal tells of a zone, the newest change first and that which made
        the zone last.  With ``since`` the changes from that revision on, with their
        RRsets; a journal that does not reach back so far begins later."""

    def page(
        name: bytes, after: tuple[bytes, int] | None, rrsets: int, since: int | None
    ) -> Deferred[ZonePage | None]:
        """At most ``rrsets`` RRsets behind the (folded owner, type) of ``after``, and
        the changes of the zone since the revision ``since``; None: no such zone."""


class IKeyValue(Interface):
    """Small values by namespace and key; a plugin's namespace is its name."""

    def get(namespace: str, key: bytes) -> Deferred[bytes | None]:
        """The value, unless it is absent or has expired."""

    def put(
        namespace: str, key: bytes, value: bytes, expires: float | None = None
    ) -> Deferred[None]:
        """Put one value durably; units do it conditionally and with other writes."""

    def delete(namespace: str, key: bytes) -> Deferred[bool]:
        """Whether there was one."""

    def scan(
        namespace: str,
        prefix: bytes = b"",
        after: bytes | None = None,
        limit: int = 500,
    ) -> Deferred[tuple[tuple[bytes, bytes], ...]]:
        """A page of pairs ordered by key."""


class IChangeFeed(Interface):
    """Hints that something changed, in this process or another one."""

    def subscribe(callback: Callable[[tuple[Notice, ...]], None]) -> Callable[[], None]:
        """Call back in the reactor thread after each commit, at least once a change;
        the result unsubscribes.  A callback that raises is logged and stays
        subscribed."""

    def since(seq: int, limit: int = 1000) -> Deferred[tuple[Notice, ...]]:
        """Notices after ``seq``, oldest first.  NotFound where some of them are no
        longer kept: the caller reads everything anew."""

    def cursor() -> Deferred[int]:
        """The newest sequence number."""

    def poll() -> Deferred[int]:
        """Look now for what other processes committed; how many notices that gave."""


class ILeases(Interface):
    """Rights that at most one process holds at a time, with a fence against stale
    holders."""

    def acquire(name: str, owner: str, seconds: float) -> Deferred[Lease | None]:
        """None while somebody else holds it."""

    def renew(lease: Lease, seconds: float) -> Deferred[Lease]:
        """LeaseLost."""

    def release(lease: Lease) -> Deferred[None]:
        """Give it back."""


class IStoreAdmin(Interface):
    """Care of the store; every method works while it is in use."""

    def check(
        level: str = "quick",
        repair: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Deferred[Report]:
        """``quick`` (engine), ``full`` (references, sums, orphans) or ``deep``
        (re-hash)."""

    def backup(
        target: str,
        progress: Callable[[int, int], None] | None = None,
        extra_trees: tuple[str, ...] = (),
    ) -> Deferred[Manifest]:
        """A consistent copy of database and blobs in the empty or older backup
        ``target``, and copies of ``extra_trees``, directories of the state directory.
        StartupError names what is wrong with the target."""

    def statistics() -> Deferred[Mapping[str, int]]:
        """Counts and sizes, for ``status``."""
