"""Live properties (RFC 4918 15, RFC 4331): what the server knows of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from netservices.core.dates import internet_date
from netservices.http.handlers.dav.answers import empty_element
from netservices.http.handlers.dav.elements import Name, dav, escaped
from netservices.http.handlers.dav.place import Place, etag_of
from netservices.values import FileLock, Node, NodeKind, Path, Usage
from netservices.web.dates import http_date
from netservices.web.media import MediaTypes

_MEDIA_TYPES = MediaTypes()
_NANOSECONDS = 1_000_000_000
_INFINITE = "infinity"


@define
class Resource:
    """A file or directory, and what there is to say of it."""

    place: Place
    path: Path
    node: Node
    now: float
    locks: tuple[FileLock, ...] = ()
    """All near it, those elsewhere too."""
    usage: Usage | None = None
    dead: Mapping[Name, str] = field(factory=dict)

    @property
    def is_directory(self) -> bool:
        """Whether it is a collection."""
        return self.node.kind is NodeKind.DIRECTORY

    @property
    def href(self) -> str:
        """Its address."""
        return self.place.href(self.path, self.is_directory)


def _resource_type(it: Resource) -> str | None:
    return "<D:collection/>" if it.is_directory else ""


def _length(it: Resource) -> str | None:
    return None if it.is_directory else str(it.node.size)


def _media_type(it: Resource) -> str | None:
    if it.is_directory:
        return "httpd/unix-directory"
    return escaped(_MEDIA_TYPES.of(it.path[-1] if it.path else ""))


def _etag(it: Resource) -> str | None:
    return etag_of(it.node) if it.node.etag else None


def _modified(it: Resource) -> str | None:
    return http_date(it.node.mtime_ns // _NANOSECONDS)


def _created(it: Resource) -> str | None:
    # Not RFC 4918 15.1: file systems do not tell when a file was made; clients show
    # the year 1970 where nothing is said.
    return internet_date(it.node.mtime_ns // _NANOSECONDS)


_ENTRY = (
    "<D:lockentry><D:lockscope><D:{}/></D:lockscope>"
    "<D:locktype><D:write/></D:locktype></D:lockentry>"
)


def _supported_locks(it: Resource) -> str | None:
    return _ENTRY.format("exclusive") + _ENTRY.format("shared")


def _lock_discovery(it: Resource) -> str | None:
    return "".join(
        active_lock(it.place, lock, it.now) for lock in it.locks if lock.is_on(it.path)
    )


def active_lock(place: Place, lock: FileLock, now: float) -> str:
    """A lock that is there (RFC 4918 14.1)."""
    scope = "exclusive" if lock.is_exclusive else "shared"
    depth = _INFINITE if lock.is_deep else "0"
    seconds = max(0, round(lock.expires - now))
    return (
        f"<D:activelock><D:lockscope><D:{scope}/></D:lockscope>"
        f"<D:locktype><D:write/></D:locktype><D:depth>{depth}</D:depth>{lock.owner}"
        f"<D:timeout>Second-{seconds}</D:timeout>"
        f"<D:locktoken><D:href>{escaped(lock.token)}</D:href></D:locktoken>"
        f"<D:lockroot><D:href>{place.href(lock.path)}</D:href></D:lockroot>"
        "</D:activelock>"
    )


def _available(it: Resource) -> str | None:
    return str(it.usage.free_octets) if it.usage and it.is_directory else None


def _used(it: Resource) -> str | None:
    return str(it.usage.used_octets) if it.usage and it.is_directory else None


LIVE: Mapping[Name, Callable[[Resource], str | None]] = {
    dav("resourcetype"): _resource_type,
    dav("getcontentlength"): _length,
    dav("getcontenttype"): _media_type,
    dav("getetag"): _etag,
    dav("getlastmodified"): _modified,
    dav("creationdate"): _created,
    dav("supportedlock"): _supported_locks,
    dav("lockdiscovery"): _lock_discovery,
    dav("quota-available-bytes"): _available,
    dav("quota-used-bytes"): _used,
}
"""Name to what makes the XML in it; None: such a resource has it not."""

QUOTA = frozenset((dav("quota-available-bytes"), dav("quota-used-bytes")))
"""RFC 4331 2: not among all properties, unless they are named."""

LOCKS = dav("lockdiscovery")


def live_property(it: Resource, name: Name) -> str | None:
    """A live property as an element; None where it has none of that name."""
    make = LIVE.get(name)
    inner = None if make is None else make(it)
    if inner is None:
        return None
    if not inner:
        return empty_element(name)
    local = name.rpartition("}")[2]
    return f"<D:{local}>{inner}</D:{local}>"
