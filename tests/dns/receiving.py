"""What takes transfers in the tests: messages collected, and put into zones of
dnspython, which is strict about what may be deleted."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.xfr
import dns.zone
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from netservices.core.deferreds import value_of
from netservices.dns.client.ask import make_query
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.server.authority import Authority
from netservices.dns.wire.codes import Class, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from netservices.values import RRset

TCP = Client("127.0.0.1", Transport.TCP)
UDP = Client("127.0.0.1", Transport.UDP)
ORIGIN = "example.com."


def soa_rdata(serial: int, minimum: int = 300) -> bytes:
    """RDATA of a zone's SOA."""
    numbers = (serial, 7200, 1800, 1209600, minimum)
    names = parse_name(f"ns1.{ORIGIN}") + parse_name(f"hostmaster.{ORIGIN}")
    return names + b"".join(number.to_bytes(4, "big") for number in numbers)


def make_soa(serial: int) -> RRset:
    """A zone's SOA."""
    return RRset(parse_name(ORIGIN), Type.SOA, 3600, (soa_rdata(serial),))


def axfr_query(origin: str = ORIGIN, edns: Edns | None = None) -> bytes:
    """A request for the whole zone."""
    return make_query(origin, "AXFR", edns=edns).encode()


def ixfr_query(
    serial: int, origin: str = ORIGIN, edns: Edns | None = None, **fields: Any
) -> bytes:
    """A request for what has changed since that serial."""
    apex = parse_name(origin)
    soa = Record(apex, Type.SOA, Class.IN, 0, soa_rdata(serial))
    return Message(
        id=0x4711,
        questions=(Question(apex, Type.IXFR),),
        edns=edns,
        **{"authority": (soa,), **fields},
    ).encode()


async def _collect(later: Later) -> list[bytes]:
    return [message async for message in later.messages()]


def collect(later: Later, clock: Clock) -> list[bytes]:
    """All messages of a reply that takes its time."""
    collected = Deferred.fromCoroutine(_collect(later))
    while not collected.called:
        clock.advance(0.0001)
    return value_of(collected)


def replies(
    authority: Authority, clock: Clock, query: bytes, client: Client = TCP
) -> list[bytes]:
    """What answers a request, each message as octets."""
    reply = authority.dialogue.answer(query, client)
    if isinstance(reply, Later):
        return collect(reply, clock)
    return [] if reply is None else [reply]


def make_copy(messages: list[bytes]) -> dns.zone.Zone:
    """The zone that a whole transfer makes."""
    zone = dns.zone.Zone(ORIGIN, relativize=False)
    take(zone, messages, dns.rdatatype.AXFR)
    return zone


def take(
    zone: dns.zone.Zone,
    messages: list[bytes],
    type_: dns.rdatatype.RdataType,
    serial: int | None = None,
    is_udp: bool = False,
) -> bool:
    """Take a transfer into ``zone``; whether dnspython found it whole."""
    with dns.xfr.Inbound(zone, type_, serial, is_udp) as inbound:
        done = False
        for message in messages:
            assert not done, "messages after the end"
            done = inbound.process_message(
                dns.message.from_wire(message, xfr=True, one_rr_per_rrset=True)
            )
    return done


def content(zone: dns.zone.Zone) -> set[tuple[str, int, str, str]]:
    """All records of a zone of dnspython."""
    return {
        (name.to_text(), ttl, dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())
        for name, ttl, rdata in zone.iterate_rdatas()
    }
