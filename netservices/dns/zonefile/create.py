"""New zones, and serial numbers (RFC 1982)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, is_below, parse_name
from netservices.dns.wire.rdata import SOA, address_rdata
from netservices.values import RRset

DEFAULT_TTL = 3600


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
    apex = parse_name(domain.rstrip(".") + ".")
    host = parse_name(hostname.rstrip(".") + ".")
    soa = SOA(
        mname=host,
        # RFC 2142 7: hostmaster is who is asked about DNS.
        rname=parse_name("hostmaster", apex),
        serial=serial,
        # RFC 1912 2.2, with a shorter minimum: it is the TTL of denials (RFC 2308).
        refresh=7200,
        retry=1800,
        expire=1209600,
        minimum=900,
    )
    rrsets = [
        RRset(apex, int(Type.SOA), DEFAULT_TTL, (soa.encode(),)),
        RRset(apex, int(Type.NS), DEFAULT_TTL, (host,)),
    ]
    found: dict[int, dict[bytes, None]] = {}
    for address in addresses:
        type_, rdata = address_rdata(address)
        found.setdefault(type_, {})[rdata] = None
    owners = {fold(apex): apex}
    if is_below(fold(host), fold(apex)):
        owners.setdefault(fold(host), host)
    rrsets += [
        RRset(owner, type_, DEFAULT_TTL, tuple(rdatas))
        for owner in owners.values()
        for type_, rdatas in sorted(found.items())
    ]
    return tuple(rrsets)
