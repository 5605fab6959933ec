"""The values that cross the seams of ``interfaces``: frozen, and free of I/O.

Paths are tuples of ``str`` segments, decoded as UTF-8 with ``surrogateescape`` so that
any octets survive; the empty tuple is the root.  Times are seconds since 1970
(``float``) or, where the name ends in ``_ns``, nanoseconds.  Domain names of DNS are
wire-format ``bytes``, uncompressed, the root label included, in the letter case in
which they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, IntFlag
from typing import TypeAlias

from attrs import field, frozen

from netservices.core.fieldwise import Fieldwise

Path: TypeAlias = tuple[str, ...]


# --- accounts -----------------------------------------------------------------------


@frozen(repr=False, eq=False)
class Domain(Fieldwise):
    """A domain that this server is responsible for."""

    id: int
    name: str
    created: float


@frozen
class Account:
    """A person or program that may log in; one password serves every protocol."""

    id: int
    name: str
    domain: str
    is_admin: bool = False
    is_enabled: bool = True
    quota_octets: int | None = None
    groups: tuple[str, ...] = ()
    revision: int = 1
    created: float = 0.0

    @property
    def login(self) -> str:
        """The full login, ``name@domain``."""
        return f"{self.name}@{self.domain}"


class CredentialKind(Enum):
    """What a stored secret is."""

    PASSWORD = "password"  # an argon2id hash in PHC form
    SCRAM_SHA_256 = "scram-sha-256"  # iterations, salt, StoredKey, ServerKey (RFC 5802)
    APP_PASSWORD = "app-password"  # selector:argon2id hash (accounts.passwords)


@frozen(repr=False, eq=False)
class Credential(Fieldwise):
    """One stored secret of an account; never a password itself."""

    id: int
    account: int
    kind: CredentialKind
    secret: bytes = field(repr=False)
    label: str = ""
    protocols: tuple[str, ...] = ()
    """The protocols in which it counts; empty means all."""
    created: float = 0.0
    expires: float | None = None


@frozen(repr=False, eq=False)
class Alias(Fieldwise):
    """An address that stands for others; targets are addresses, ``|`` and ``/``
    excluded."""

    address: str
    targets: tuple[str, ...]


@frozen
class Origin:
    """Where a request comes from: counted in limits, named in events."""

    protocol: str
    address: str
    """The peer's IP address as text; the path's name for a UNIX socket."""
    is_secure: bool
    session: str = ""

    @property
    def event_fields(self) -> dict[str, object]:
        """The fields by which every event of a session says where it came from."""
        return {
            "protocol": self.protocol,
            "session": self.session,
            "address": self.address,
            "is_secure": self.is_secure,
        }


# --- blobs --------------------------------------------------------------------------


@frozen
class BlobRef:
    """Immutable content, named by the SHA-256 of its octets."""

    hash: bytes
    size: int


# --- files --------------------------------------------------------------------------


class NodeKind(Enum):
    """What a name in a file tree stands for."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "link"
    OTHER = "other"

    # By identity, as they are compared: a listing looks thousands of them up.
    __hash__ = object.__hash__


@frozen(slots=False)
class Node:
    """A file or directory of a tree, as it was when asked."""

    name: str
    kind: NodeKind
    size: int
    mtime_ns: int
    mode: int
    id: str
    """Unique within the tree; the MLST fact ``unique`` (RFC 3659 7.5.2)."""
    etag: str = ""
    """Changes whenever the content changes."""
    owner: str = ""
    link_target: str | None = None
    uid: int | None = None
    gid: int | None = None


LineOf: TypeAlias = Callable[[str, int, int, float, str, str | None], str]
"""Makes the line of an entry from its name, mode (with the bits of its kind), octets,
modification time (seconds since 1970), owner, and what it links to."""


@frozen(repr=False, eq=False)
class Lines(Fieldwise):
    """A page of a directory as text."""

    text: str = ""
    last: str = ""
    """Name of the last entry."""
    is_last: bool = False
    """Whether no page follows."""


@frozen(repr=False, eq=False)
class Digests(Fieldwise):
    """What is known of a file's content without reading it again."""

    sha256: bytes
    lf_count: int
    """Line feeds without a carriage return before them: SIZE in TYPE A adds them."""


@frozen(repr=False, eq=False)
class FileDigest(Fieldwise):
    """A digest of some octets of a file."""

    algorithm: str
    """SHA-256, SHA-512, SHA-1, MD5, CRC32."""
    digest: bytes
    start: int
    end: int
    """After the last octet."""


@frozen
class FileLock:
    """A write lock on a path of a tree (RFC 4918 6): only who holds it changes what is
    there."""

    token: str
    """A URI that no other lock ever has.  It is no secret: it counts only for the
    account that holds the lock."""
    path: Path
    account: int
    owner: str = ""
    """What the client says of who holds it, as XML."""
    is_exclusive: bool = True
    is_deep: bool = False
    """Whether it is on all that lies below, too."""
    expires: float = 0.0

    def is_on(self, path: Path) -> bool:
        """Whether ``path`` is locked by it."""
        return self.path == path or (
            self.is_deep and path[: len(self.path)] == self.path
        )


class WriteMode(Enum):
    """How an upload meets the file that has its name."""

    REPLACE = (
        "replace"  # a new file takes the name at commit; the old one lives until then
    )
    CREATE = "create"  # refused with Exists where the name is taken
    APPEND = "append"  # continues a file, or this account's partial upload of it
    RESUME = "resume"  # as APPEND, from an offset that may lie inside


class Permission(IntFlag):
    """What a user may do in a file tree."""

    READ = 1  # open, digests
    LIST = 2
    CREATE = 4  # files under new names
    REPLACE = 128  # what has a name already: write anew, go on with
    DELETE = 8
    RENAME = 16
    MAKE_DIRECTORY = 32
    ATTRIBUTES = 64  # times and modes

    NONE = 0
    WRITE = 132
    READ_ONLY = 3
    ALL = 255


@frozen
class Permissions:
    """What a user may do in a tree, directory by directory."""

    everywhere: Permission = Permission.ALL
    below: Mapping[Path, Permission] = field(factory=dict)
    """Paths with permissions of their own, for themselves and all that is below."""
    _deepest: int = field(init=False, eq=False, repr=False)
    """How many segments the longest of these paths has."""

    @_deepest.default
    def _find_deepest(self) -> int:
        return max(map(len, self.below), default=0)

    def at(self, path: Path) -> Permission:
        """What may be done to what is at ``path``: the longest path that is given
        counts."""
        for depth in range(min(len(path), self._deepest), 0, -1):
            found = self.below.get(path[:depth])
            if found is not None:
                return found
        return self.everywhere

    @property
    def anywhere(self) -> Permission:
        """All that is allowed in one place or another."""
        found = self.everywhere
        for permission in self.below.values():
            found |= permission
        return found

    def holds_others(self, path: Path) -> bool:
        """Whether some path at or below ``path`` has permissions of its own."""
        depth = len(path)
        return any(other[:depth] == path for other in self.below)


EVERYTHING = Permissions()
READ_ONLY = Permissions(Permission.READ_ONLY)


@frozen(repr=False, eq=False)
class DropBox(Fieldwise):
    """A directory into which strangers upload, and which they do not see."""

    path: Path
    longest_octets: int
    """Of one upload."""
    most_octets: int
    """Of all that lies there."""
    most_files: int
    """That lie there, empty ones too; as many more as come at the same time."""


@frozen(repr=False, eq=False)
class Usage(Fieldwise):
    """What a tree holds, and may hold."""

    used_octets: int
    file_count: int
    quota_octets: int | None
    free_octets: int
    """Free for this account: the lesser of quota and disk."""


# --- DNS ----------------------------------------------------------------------------


@frozen
class RRset:
    """All records of one owner and type (RFC 2181 5)."""

    owner: bytes
    type: int
    ttl: int
    rdatas: tuple[bytes, ...]
    """Wire format, names in them uncompressed and in their given letter case."""


RRsets: TypeAlias = tuple[RRset, ...]


@frozen
class NameReply:
    """A message of DNS that answers another one, and how long it holds."""

    message: bytes
    fresh_seconds: int
    """For so long the same request gets this reply."""
    is_for_all: bool
    """Whether it does so whoever asks."""


@frozen(repr=False, eq=False)
class ZoneInfo(Fieldwise):
    """A zone without its records."""

    name: bytes
    serial: int
    revision: int
    """Grows by one with each change of the zone in this store."""


@frozen(repr=False, eq=False)
class Zone(Fieldwise):
    """A whole zone at one revision; the class is always IN."""

    info: ZoneInfo
    rrsets: tuple[RRset, ...]


@frozen(repr=False, eq=False)
class ZoneChange(Fieldwise):
    """One change of a zone, as its journal has it."""

    revision: int
    """That of the zone after the change."""
    at: float | None
    """When it was stored; None: by a release that did not note it."""
    author: str
    from_serial: int
    to_serial: int
    removed_records: int
    added_records: int
    removed: tuple[RRset, ...] = ()
    """RRsets that went or changed, whole, as they were."""
    added: tuple[RRset, ...] = ()
    """RRsets that came or changed, whole, as they became."""


@frozen(repr=False, eq=False)
class ZonePage(Fieldwise):
    """Some RRsets of a zone, and what has changed since another page was read."""

    info: ZoneInfo
    soa: RRset | None
    """The SOA record at the apex, as of now."""
    rrsets: tuple[RRset, ...]
    """As of now, ordered by folded owner and type."""
    is_last: bool
    changes: tuple[tuple[RRsets, RRsets], ...] | None = ()
    """(Removed, added) of each change since the revision that was named; None: the
    journal does not reach back so far."""


# --- store --------------------------------------------------------------------------


class Topic(Enum):
    """What a change notice is about."""

    DOMAIN = 1
    ACCOUNT = 2
    ALIAS = 3
    ZONE = 4
    FILE = 5
    KEY_VALUE = 6


@frozen
class Notice:
    """A hint that an object changed; readers ask the store what it is now."""

    seq: int
    topic: Topic
    object: str
    """The object's name: a login, a zone in text form, a namespace, a tree and path."""


@frozen(repr=False, eq=False)
class Lease(Fieldwise):
    """A right held for a while by one process; ``fence`` grows with each holder."""

    name: str
    owner: str
    fence: int
    until: float


@frozen(repr=False, eq=False)
class Finding(Fieldwise):
    """One thing that ``check`` found wrong."""

    code: str
    object: str
    text: str
    repair: str = ""
    """What ``--repair`` does about it; empty where nothing can be done."""
    is_repaired: bool = False


@frozen(repr=False, eq=False)
class Report(Fieldwise):
    """What a check or a restore found."""

    findings: tuple[Finding, ...] = ()
    examined: int = 0


@frozen(repr=False, eq=False)
class Manifest(Fieldwise):
    """What a backup holds: sizes, hashes and the change cursor at which it was
    taken."""

    created: float
    store_id: str
    schema_version: int
    cursor: int
    files: tuple[tuple[str, int, str], ...]
    """(path below the backup, octets, SHA-256 in hexadecimal)."""
