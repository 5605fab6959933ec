"""What the server is willing to tell, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING

from attrs import frozen

from netservices.dns.rules import AccessList, narrowed
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import Type
from netservices.dns.wire.tsig import Key
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.zone.tree import ZoneTree


class Transport(Enum):
    """How a question came; only UDP has sources that can be forged."""

    UDP = auto()
    TCP = auto()
    TLS = auto()
    HTTPS = auto()


@frozen
class Client:
    """Who asks."""

    address: str
    """IP address as text."""
    transport: Transport = Transport.UDP
    server: str = ""
    """The address of ours that was asked, where the server knows it."""
    view: str = ""
    """The view that this client sees; empty: the zones as they are."""
    key: Key | None = None
    """The key with which this very request is signed."""
    mac: bytes = b""
    """The signature of this very request."""
    reserved_octets: int = 0
    """What a reply has to leave free for its signature."""
    tls_version: str = ""
    """``TLSv1.3`` and such; empty: no TLS, or not known."""


_VERSION_NAMES = (b"\7version\4bind\0", b"\7version\6server\0")
_IDENTITY_NAMES = (b"\2id\6server\0", b"\x08hostname\4bind\0")

# RFC 8482 4.2, 6: HINFO with the name of the RFC as CPU.
_ANY_HINFO = b"\x07RFC8482\x00"
_ANY_TTL = 3600


class Policy:
    """The decisions of the authoritative server."""

    def __init__(self, settings: DNSSettings) -> None:
        self.settings = settings
        self.max_udp_size: int = settings.max_udp_size
        self.max_chain: int = settings.max_cname_chain
        self.is_minimal: bool = settings.minimal_responses
        self.nsid: bytes = settings.nsid.encode()
        self.withheld: set[bytes] = set()
        """Apexes of zones that are too old to be served: secondaries that expired."""
        self._allow_query = narrowed(settings.allow_query)
        self._access: Mapping[bytes, AccessList] = {}
        self.has_access_lists = self._allow_query is not None
        """Whether there is anything that is not for everybody."""
        self._texts: dict[bytes, bytes] = {}
        for names, text in (
            (_VERSION_NAMES, settings.version),
            (_IDENTITY_NAMES, settings.identity),
        ):
            self._texts.update(dict.fromkeys(names, text.encode()) if text else {})

    def restrict(self, access: Mapping[bytes, AccessList]) -> None:
        """Zones, by folded name, that are not for everybody; the others are for those
        of the setting ``allow_query``."""
        self._access = access
        self.has_access_lists = bool(access) or self._allow_query is not None

    def access_to(self, tree: ZoneTree) -> AccessList | None:
        """Who may ask about a zone; None: everybody.

        Recursion, the rest of the world, is for nobody (RFC 5358 4)."""
        return self._access.get(tree.apex, self._allow_query)

    def chaos_text(self, folded: bytes) -> bytes | None:
        """The text for a name of class CH (RFC 4892), or None: refused."""
        return self._texts.get(folded)

    def pick_any(self, name: bytes, rrsets: tuple[RRset, ...]) -> tuple[RRset, ...]:
        """What ANY gets of the RRsets of a name; RFC 8482 4."""
        # What ALIAS stands for is among the RRsets, and means something to everybody.
        rrsets = tuple(r for r in rrsets if r.type != Type.ALIAS) or rrsets
        if not rrsets or self.settings.any_policy == "all":
            return rrsets
        if self.settings.any_policy == "hinfo":
            return (RRset(name, Type.HINFO, _ANY_TTL, (_ANY_HINFO,)),)
        # RFC 8482 4.1: one RRset; the smallest, as amplification is what this is for.
        # A CNAME stands alone and is the answer.
        return (min(rrsets, key=_size_octets),)


def _size_octets(rrset: RRset) -> tuple[bool, int, int]:
    size = sum(len(rdata) + 12 for rdata in rrset.rdatas)
    return rrset.type != Type.CNAME, size, rrset.type
