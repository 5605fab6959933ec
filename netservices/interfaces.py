"""Every seam of netservices: who may ask what of whom.

Methods return Deferreds; a Deferred that ``IStore.apply`` or a method built on it
returns fires only when the change is on stable storage.  Cancelling one drops interest,
not the write.  Results are immutable and nothing returns an open cursor: long listings
come in pages, ``after`` being the last key of the page before.  A store fails with the
errors named here only, never with those of its engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from netservices.units import Unit
from netservices.values import (
    EVERYTHING,
    READ_ONLY,
    Account,
    Alias,
    BlobRef,
    Credential,
    Digests,
    Domain,
    DropBox,
    FileDigest,
    Lease,
    LineOf,
    Lines,
    Manifest,
    Node,
    Notice,
    Origin,
    Path,
    Permissions,
    Report,
    RRsets,
    Usage,
    WriteMode,
    Zone,
    ZoneChange,
    ZoneInfo,
    ZonePage,
)

# --- errors -------------------------------------------------------------------------


class StoreError(Exception):
    """Base of what a store may fail with."""


class NotFound(StoreError):
    """There is no such thing."""


class Exists(StoreError):
    """The name is taken."""


class Conflict(StoreError):
    """An assertion, revision or precondition of the unit did not hold; nothing was
    done."""


class QuotaExceeded(StoreError):
    """The account may not hold that much."""


class LeaseLost(StoreError):
    """Somebody else holds the lease now."""


class StoreReadOnly(StoreError):
    """The disk is nearly full: deletions are still taken."""


class StoreUnavailable(StoreError):
    """Nothing was applied; the caller may try again later."""


class StoreBusy(StoreUnavailable):
    """Too many units wait already."""


class OutcomeUnknown(StoreError):
    """The commit may or may not have happened; retry with the same token."""


class FileProblem(Exception):
    """Base of what a file tree refuses, beside the errors of the store."""


class TooLarge(FileProblem):
    """More would have to be read than the settings allow."""


class NotAllowed(FileProblem):
    """Permissions or the symlink policy say no."""


class NotADirectory(FileProblem):
    """A directory is wanted."""


class IsADirectory(FileProblem):
    """A file is wanted."""


class Withdrawn(FileProblem):
    """Whoever sent the upload wants it no more; the name is as it was."""


class NotEmpty(FileProblem):
    """The directory holds something."""


class BadName(FileProblem):
    """A segment is empty, ``.``, ``..``, too long, reserved, or holds control
    characters."""


class DiskFull(FileProblem):
    """No space left on the device."""


class LoginRefused(Exception):
    """The login failed; ``str()`` is for the log, never for the peer.

    ``retry_after`` is the number of seconds for which this origin or account is locked
    out, 0 where it is not; ``is_temporary`` is true where the server, not the peer, is
    at fault.
    """

    def __init__(
        self, reason: str, retry_after: float = 0.0, is_temporary: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_temporary = is_temporary


# --- the store ----------------------------------------------------------------------


class IStore(Interface):
    """One store, shared by every protocol of the process."""

    state: str = Attribute("opening, ready, readonly, failed or closed")
    records: IAccountRecords = Attribute("domains, accounts, credentials, aliases")
    blobs: IBlobs = Attribute("immutable content")
    file_records: IFileRecords = Attribute("what file systems cannot hold")
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


# --- the services that protocols use ------------------------------------------------


class IAccounts(Interface):
    """Who may log in, and as whom."""

    def login(login: str, password: bytes, origin: Origin) -> Deferred[Account]:
        """The account, after as long for an unknown login as for a wrong password.
        LoginRefused."""

    def exchange(
        mechanism: str,
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
        has_success_data: bool = False,
    ) -> Any:
        """A SASL exchange (``accounts.exchange.Exchange``); LookupError where not
        offered.

        ``bindings`` are channel binding data by type (RFC 5929, RFC 9266), ``identity``
        what a client certificate proved, ``has_success_data`` says whether the protocol
        can send data with its success (RFC 4422 3.6).
        """

    def mechanisms(
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
    ) -> tuple[str, ...]:
        """The SASL mechanisms on offer there, strongest first."""

    def may_use_plaintext(origin: Origin) -> bool:
        """Whether a password may travel there without TLS
        (``accounts.allow_plaintext``)."""

    def find(login: str) -> Deferred[Account | None]:
        """The account that a login or address names: ``name`` is in the default
        domain."""

    def domains() -> Deferred[tuple[str, ...]]:
        """The names of all domains, the default one first."""

    def set_password(account_id: int, password: str) -> Deferred[None]:
        """Give an account a new password, durably.  ValueError (BadPassword) for a bad
        one."""

    def unlock(login_or_address: str) -> bool:
        """Lift a lock-out; whether there was one."""


class IFiles(Interface):
    """The file trees of the server."""

    def home(
        account: Account,
        permissions: Permissions = EVERYTHING,
        umask: int | None = None,
    ) -> IFileTree:
        """The account's own tree, made when first written to.  New files and
        directories lack the bits of ``umask``."""

    def public(
        permissions: Permissions = READ_ONLY,
        umask: int | None = None,
        drop_box: DropBox | None = None,
    ) -> IFileTree:
        """``pub/``: what anonymous users read, and the directory of it into which they
        upload."""

    def sweep(now: float) -> Deferred[int]:
        """Remove partial uploads past their time and temporary files of dead
        processes."""

    def check(repair: bool = False) -> Deferred[Report]:
        """Compare usage sums, records and upload areas with the disk."""


class IFileTree(Interface):
    """One tree of files, below one root that nothing leaves."""

    name: str = Attribute("the tree's name in file records")
    umask: int = Attribute("permission bits that new files and directories lack")
    capabilities: frozenset[str] = Attribute(
        "of: write, append, rename, digest, mtime, mode, links, descriptor"
    )

    def with_umask(umask: int) -> IFileTree:
        """The same tree; new files and directories lack the bits of ``umask``."""

    def stat(path: Path, follow: bool = True) -> Deferred[Node]:
        """NotFound, NotAllowed."""

    def list(
        path: Path, after: str | None = None, limit: int = 1000
    ) -> Deferred[tuple[Node, ...]]:
        """A page of a directory ordered by name.  NotFound, NotADirectory."""

    def list_lines(
        path: Path, line_of: LineOf, after: str | None = None, limit: int = 1000
    ) -> Deferred[Lines]:
        """The same as text; ``line_of`` is called in a thread."""

    def open(path: Path) -> Deferred[IOpenFile]:
        """A snapshot: replacing or deleting the file does not disturb it."""

    def begin_write(
        path: Path,
        mode: WriteMode = WriteMode.REPLACE,
        offset: int = 0,
        expected_size: int | None = None,
    ) -> Deferred[IUpload]:
        """Nothing of an upload is visible before its commit.  QuotaExceeded where
        ``expected_size`` (octets to come) cannot fit; Exists, IsADirectory, BadName;
        NotFound (parent); Conflict where ``offset`` lies beyond the end."""

    def copy(
        source: Path, target: Path, progress: Callable[[int], None] | None = None
    ) -> Deferred[Node]:
        """The content of ``source`` under the name ``target``, too: all of it, at one
        moment, within the quota.  ``progress`` is told how many octets have been
        copied, and what it raises ends the copying.  As ``open`` and
        ``begin_write``."""

    def make_directory(path: Path) -> Deferred[Node]:
        """Exists, NotFound (parent), BadName."""

    def remove(path: Path, directory: bool = False) -> Deferred[int]:
        """A file, or an empty directory; the octets that are gone with it.  NotFound,
        NotEmpty, IsADirectory."""

    def rename(source: Path, target: Path, replace: bool = True) -> Deferred[None]:
        """Atomic.  IsADirectory where the target is a directory; Exists."""

    def set_attributes(
        path: Path, mtime_ns: int | None = None, mode: int | None = None
    ) -> Deferred[Node]:
        """Change modification time or permissions."""

    def digests(path: Path) -> Deferred[Digests]:
        """Stored digests, or those found by reading the file in a thread.  TooLarge."""

    def digest(
        path: Path, algorithm: str, start: int = 0, end: int | None = None
    ) -> Deferred[FileDigest]:
        """One digest of the octets from ``start`` up to ``end``, which is kept where it
        is that of the whole file; cancelling it stops a read that nobody else waits
        for.  LookupError for an algorithm that is not known; TooLarge, StoreBusy;
        Conflict where ``start`` lies beyond the end."""

    def disk_path(path: Path) -> str | None:
        """Where the path lies on this machine, for programs that work on files; None
        in a tree that is not on disk.  Links in it are not followed."""

    def usage() -> Deferred[Usage]:
        """What the tree holds, partial uploads included, and may hold."""

    def partial_octets(path: Path) -> Deferred[int | None]:
        """How much of an upload of ``path`` that this account left unfinished can be
        resumed."""


class IOpenFile(Interface):
    """A file opened for reading; its size was fixed at that moment."""

    node: Node = Attribute("as it was when opened")

    def fileno() -> int:
        """A descriptor for sendfile, or -1."""

    def read(offset: int, size: int) -> Deferred[bytes]:
        """At most ``size`` octets; empty at the end.  Never blocks the reactor."""

    def close() -> None:
        """Give the descriptor back; safe to call twice."""


class IUpload(Interface):
    """Octets on their way into a file."""

    offset: int = Attribute("where the first octet goes in the finished file")
    received_octets: int = Attribute("octets taken so far")

    def write(data: bytes) -> Deferred[None] | None:
        """Take ``data``; a Deferred asks the caller to pause until it fires.  Fails
        with QuotaExceeded or DiskFull, after which only ``abort`` is allowed."""

    def checkpoint() -> Deferred[bool]:
        """Make what has come so far durable, as a partial upload that even a crash of
        the server leaves to be resumed; whether it is.  Not to be called while a
        ``write`` asks for a pause."""

    def commit(is_wanted: Callable[[], bool] | None = None) -> Deferred[Node]:
        """Sync, rename, sync the directory, record; then the file has its name.

        ``is_wanted`` is asked last of all before the rename, maybe in another thread;
        where it says no: Withdrawn.
        """

    def abort(keep_partial: bool = False) -> Deferred[None]:
        """Leave the target as it was; a kept partial can be resumed by the same
        account."""


class IEvents(Interface):
    """What happened, for machines: fixed fields, one session id through a
    connection."""

    def emit(event: str, /, **fields: object) -> None:
        """Record an event of the schema in ``events.py``; unknown names are a bug."""

    def subscribe(sink: Callable[[Mapping[str, object]], None]) -> Callable[[], None]:
        """Add a sink; the result removes it."""


class ICertificates(Interface):
    """TLS identities by name, reread when their files change."""

    def server_context(alpn: tuple[str, ...] = ()) -> Any:
        """An ``ssl.SSLContext`` for servers that answers each SNI with the right
        chain; ask for each connection, so that ticket keys are replaced in time."""

    def private_context(alpn: tuple[str, ...] = ()) -> Any:
        """The same, but the caller's own: a session begun with it resumes with it
        only."""

    def names() -> tuple[str, ...]:
        """The host names for which a certificate is at hand."""

    def reload() -> None:
        """Look at the files now."""
