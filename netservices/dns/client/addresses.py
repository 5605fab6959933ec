"""What recursive resolvers say about the addresses of a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from netservices.core.errors import SyntaxProblem
from netservices.core.networks import parse_address
from netservices.dns.client.ask import Client
from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer
from netservices.dns.wire.codes import Class, Rcode, Type, rcode_name
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import fold
from netservices.dns.wire.rdata import SOA
from netservices.dns.zone.alias import Known

MAX_CHAIN = 16
MAX_ADDRESSES = 100
"""No more addresses of a name are looked at."""
MAX_DENIAL_SECONDS = 3600
DENIAL_SECONDS = 60
"""How long a denial counts that does not say it."""
UDP_SIZE = 1232
SYSTEM_FILE = "/etc/resolv.conf"


def system_resolvers(file: str = SYSTEM_FILE) -> tuple[Peer, ...]:
    """The resolvers that this machine uses; none where that cannot be read."""
    try:
        text = Path(file).read_text("utf-8", "replace")
    except OSError:
        return ()
    words = [line.split() for line in text.splitlines()]
    return tuple(
        Peer(found[1])
        for found in words
        if found[:1] == ["nameserver"] and found[1:] and parse_address(found[1])
    )


class Resolvers:
    """Asks one resolver after the other until one has an answer."""

    def __init__(
        self, reactor: Any, peers: Sequence[Peer], seconds: float = 2.0, tries: int = 2
    ) -> None:
        """``seconds`` is the patience for one try of one resolver."""
        self._clients = [
            Client(reactor, peer.address, peer.port or 53, seconds) for peer in peers
        ]
        self._tries = tries

    async def find(self, name: bytes, type_: int) -> Known:
        """The addresses of ``name``.  NoAnswer where no resolver knows."""
        problem = "no resolver is known: dns.alias_resolvers"
        for client in self._clients:
            try:
                reply = await client.ask(
                    name,
                    type_,
                    self._tries,
                    wants_recursion=True,
                    edns=Edns(udp_size=UDP_SIZE),
                )
            except (NoAnswer, OSError, CannotListenError) as silence:
                problem = str(silence)
                continue
            if reply.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
                found = read_addresses(reply, name, type_)
                if found is not None:
                    return found
                problem = "a referral in place of an answer"
            else:
                problem = rcode_name(reply.rcode)
        raise NoAnswer(problem)


def read_addresses(reply: Message, name: bytes, type_: int) -> Known | None:
    """What a reply says about the addresses of ``name``; None: nothing.

    Only what belongs to the name, and to the names to which its CNAMEs lead, counts.
    """
    owner = fold(name)
    ttl = 0x7FFFFFFF
    for _ in range(MAX_CHAIN):
        own = [
            record
            for record in reply.answer
            if record.class_ == Class.IN and fold(record.name) == owner
        ]
        found = [record for record in own if record.type == type_]
        if found:
            # RFC 2181 5.2: where TTLs differ, the least counts.
            ttl = min([ttl, *(record.ttl for record in found)])
            rdatas = dict.fromkeys(record.rdata for record in found)
            return Known(tuple(rdatas)[:MAX_ADDRESSES], ttl)
        links = [record for record in own if record.type == Type.CNAME]
        if not links:
            return _denial(reply, ttl)
        ttl = min(ttl, links[0].ttl)
        owner = fold(links[0].rdata)
    return None


def _denial(reply: Message, ttl: int) -> Known | None:
    """That there are none; RFC 2308 5: for as long as the SOA says."""
    soa = next((r for r in reply.authority if r.type == Type.SOA), None)
    if soa is not None:
        return Known((), min(ttl, MAX_DENIAL_SECONDS, _denial_seconds(soa)))
    # RFC 2308 2.2: NS without SOA is a referral, no denial.
    is_referral = any(record.type == Type.NS for record in reply.authority)
    if is_referral and reply.rcode == Rcode.NOERROR:
        return None
    return Known((), min(ttl, DENIAL_SECONDS))


def _denial_seconds(soa: Record) -> int:
    try:
        return min(soa.ttl, SOA.parse(soa.rdata).minimum)
    except SyntaxProblem:
        return DENIAL_SECONDS
