"""New zones, and serial numbers (RFC 1982)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, is_below, parse_name
from netservices.dns.wire.rdata import SOA, address_rdata
from netservices.values import RRset

DEFAULT_TTL = 3600
REVERSE_TOPS = (b"\7in-addr\4arpa\0", b"\3ip6\4arpa\0")
"""Above all reverse zones; RFC 1035 3.5, RFC 3596 2.5."""


def serial_of(rrsets: Iterable[RRset]) -> int | None:
    """The serial in the SOA among ``rrsets``."""
    for rrset in rrsets:
        if rrset.type == Type.SOA:
            return SOA.parse(rrset.rdatas[0]).serial
    return None


def with_serial(rrsets: Iterable[RRset], serial: int) -> tuple[RRset, ...]:
    """The same RRsets, with that serial in the SOA."""
    changed = []
    for rrset in rrsets:
        if rrset.type == Type.SOA:
            fields = evolve(SOA.parse(rrset.rdatas[0]), serial=serial)
            rrset = evolve(rrset, rdatas=(fields.encode(),))
        changed.append(rrset)
    return tuple(changed)


def default_zone(
    domain: str, hostname: str, addresses: Iterable[str], serial: int = 1
) -> tuple[RRset, ...]:
    """What a new domain starts with: SOA, NS, and the host's addresses under the
    domain's name and, where it is inside, the host's own.  ValueError."""
    apex = parse_name(domain)
    host = parse_name(hostname)
    return new_zone(apex, (host,), addresses, serial)


def new_zone(
    apex: bytes,
    servers: Sequence[bytes],
    addresses: Iterable[str] = (),
    serial: int = 1,
) -> tuple[RRset, ...]:
    """SOA and NS for those servers, the first of them the primary; ``addresses`` under
    the zone's name and those of the servers that are inside.  ValueError."""
    soa = SOA(
        mname=servers[0],
        # RFC 2142 7: hostmaster is who is asked about DNS.
        rname=parse_name("hostmaster", _domain_of(apex, servers[0])),
        serial=serial,
        # RFC 1912 2.2, with a shorter minimum: it is the TTL of denials (RFC 2308).
        refresh=7200,
        retry=1800,
        expire=1209600,
        minimum=900,
    )
    rrsets = [
        RRset(apex, int(Type.SOA), DEFAULT_TTL, (soa.encode(),)),
        RRset(apex, int(Type.NS), DEFAULT_TTL, tuple(dict.fromkeys(servers))),
    ]
    found: dict[int, dict[bytes, None]] = {}
    for address in addresses:
        type_, rdata = address_rdata(address)
        found.setdefault(type_, {})[rdata] = None
    owners = {fold(apex): apex}
    for server in servers:
        if is_below(fold(server), fold(apex)):
            owners.setdefault(fold(server), server)
    rrsets += [
        RRset(owner, type_, DEFAULT_TTL, tuple(rdatas))
        for owner in owners.values()
        for type_, rdatas in sorted(found.items())
    ]
    return tuple(rrsets)


def _domain_of(apex: bytes, server: bytes) -> bytes:
    """Where mail about a zone goes: to the zone's name, or, as nobody has mail at the
    name of a reverse zone, to the domain of its server."""
    is_reverse = any(is_below(fold(apex), top) for top in REVERSE_TOPS)
    return server[server[0] + 1 :] if is_reverse and server[0] else apex
