"""A new domain: the operations that make it whole, in one unit.

A domain gets its zone (SOA, NS, and this host's addresses), a postmaster (RFC 5321
4.5.1), an abuse and a hostmaster address (RFC 2142), and, as they come, its mail
records.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterable
from ipaddress import ip_address

from netservices.dns.wire.names import parse_name
from netservices.units import CreateDomain, CreateZone, Operation, PutAlias

ROLES = ("postmaster", "hostmaster", "abuse")
"""Addresses that a domain is expected to have; RFC 5321 4.5.1, RFC 2142."""

_SIOCGIFADDR = 0x8915


def domain_operations(
    name: str,
    hostname: str,
    addresses: Iterable[str],
    postmaster: str | None,
    with_zone: bool = True,
) -> tuple[Operation, ...]:
    """Domain, zone and role addresses; ``postmaster`` (an address) reads them."""
    operations: list[Operation] = [CreateDomain(name)]
    operations += role_operations(name, postmaster)
    if with_zone:
        operations.append(zone_operation(name, hostname, addresses))
    return tuple(operations)


def role_operations(name: str, postmaster: str | None) -> tuple[Operation, ...]:
    """The role addresses of a domain, if somebody reads them."""
    if postmaster is None:
        return ()
    return tuple(PutAlias(f"{role}@{name}", (postmaster,)) for role in ROLES)


def zone_operation(name: str, hostname: str, addresses: Iterable[str]) -> CreateZone:
    """The zone that a new domain starts with.

    Its name server is this host, under a name inside the zone where the host has no
    name that others could look up.
    """
    # Only here: reading zone files takes a library that a plain start does without.
    from netservices.dns.zonefile import default_zone

    server = hostname if "." in hostname else f"ns1.{name}"
    rrsets = default_zone(name, server, addresses)
    return CreateZone(parse_name(f"{name}."), rrsets, "with its domain")


def first_domain(
    hostname: str, interface: str, domain: str, login: str
) -> tuple[Operation, ...]:
    """What the first domain of a store has beside its account, which reads the mail of
    its roles; ``interface`` is the one address that is served, or empty for all."""
    addresses = (interface.partition("%")[0],) if interface else own_addresses()
    zone = zone_operation(domain, hostname, addresses)
    return (*role_operations(domain, login), zone)


def own_addresses() -> tuple[str, ...]:
    """This host's addresses that others can reach; loopback where there are none."""
    found = [*_ipv4_addresses(), *_ipv6_addresses()]
    usable = [text for text in found if not _is_local(text)]
    return tuple(dict.fromkeys(usable)) or ("127.0.0.1", "::1")


def _is_local(text: str) -> bool:
    address = ip_address(text)
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _ipv4_addresses() -> Iterable[str]:
    """The primary IPv4 address of each interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                reply = fcntl.ioctl(probe, _SIOCGIFADDR, request)
            except OSError:
                continue
            yield socket.inet_ntoa(reply[20:24])


def _ipv6_addresses() -> Iterable[str]:
    """All IPv6 addresses of the host."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as table:
            lines = table.readlines()
    except OSError:
        return
    for line in lines:
        yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
