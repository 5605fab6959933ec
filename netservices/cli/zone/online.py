"""Name servers that are named and do not serve: asked one by one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from netservices.cli.reactor import in_reactor
from netservices.dns.client.ask import Client
from netservices.dns.client.problems import NoAnswer
from netservices.dns.wire.codes import Rcode, Type, rcode_name
from netservices.dns.wire.names import fold, name_text
from netservices.dns.wire.rdata import SOA
from netservices.dns.zone.tree import ZoneTree
from netservices.values import Finding

SECONDS = 3.0
TRIES = 2
MOST_SERVERS = 1000


def lame_servers(tree: ZoneTree, port: int) -> list[Finding]:
    """What is wrong with the servers of the zone and of those that it delegates
    (RFC 1912 2.8)."""
    return in_reactor(lambda reactor: _ask_all(reactor, tree, port))


async def _ask_all(reactor: Any, tree: ZoneTree, port: int) -> list[Finding]:
    findings: list[Finding] = []
    serials: dict[bytes, int] = {tree.apex: tree.serial}
    for number, (zone, server) in enumerate(_servers(tree)):
        if number >= MOST_SERVERS:
            break
        addresses = _addresses(tree, server)
        if not addresses:
            text = f"{name_text(zone)} NS {name_text(server)} has no address"
            findings.append(Finding("lame", name_text(zone), text))
        for address in addresses:
            problem = await _ask(reactor, zone, address, port, serials)
            if problem is not None:
                text = f"{name_text(zone)} NS {name_text(server)} [{address}] {problem}"
                code = "serial" if problem.startswith("has") else "lame"
                findings.append(Finding(code, name_text(zone), text))
    return findings


def _servers(tree: ZoneTree) -> Iterator[tuple[bytes, bytes]]:
    """Zones, our own and those below, and their servers."""
    for owner, node in tree.names.items():
        servers = node.get(Type.NS)
        for server in () if servers is None else servers.rdatas:
            yield owner, fold(server)


def _addresses(tree: ZoneTree, server: bytes) -> list[str]:
    """The addresses of a server, from the zone, or as this machine finds them."""
    node = tree.names.get(server)
    found = []
    for type_, family in ((Type.A, socket.AF_INET), (Type.AAAA, socket.AF_INET6)):
        rrset = None if node is None else node.get(type_)
        if rrset is not None:
            found += [socket.inet_ntop(family, rdata) for rdata in rrset.rdatas]
    if found:
        return found
    try:
        rows = socket.getaddrinfo(name_text(server), None, type=socket.SOCK_DGRAM)
    except OSError:
        return []
    return sorted({str(row[4][0]) for row in rows})


async def _ask(
    reactor: Any, zone: bytes, address: str, port: int, serials: dict[bytes, int]
) -> str | None:
    """What is wrong with what a server says of a zone's SOA, if anything is."""
    try:
        reply = await Client(reactor, address, port, SECONDS).ask(zone, Type.SOA, TRIES)
    except (NoAnswer, OSError):
        return "does not answer"
    if reply.rcode != Rcode.NOERROR:
        return f"answers {rcode_name(reply.rcode)}"
    soa = next((r for r in reply.answer if r.type == Type.SOA), None)
    if soa is None or not reply.is_authoritative:
        return "is no authority for it"
    serial = SOA.parse(soa.rdata).serial
    if serials.setdefault(zone, serial) != serial:
        return f"has serial {serial} where others have {serials[zone]}"
    return None
