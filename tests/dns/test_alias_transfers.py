"""ALIAS in zones that go out to other servers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.client.problems import NoAnswer
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.alias import Known
from netservices.units import UpdateZone
from netservices.values import RRset
from tests.dns.authority import lines
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.receiving import ORIGIN, axfr_query, ixfr_query, make_soa, replies

ZONE = """
$TTL 60
@    SOA  ns1 hostmaster 5 7200 1800 1209600 300
@    NS   ns1
ns1  A    192.0.2.53
@    ALIAS www
www  A    192.0.2.80
     A    192.0.2.81
     AAAA 2001:db8::80
away ALIAS cdn.example.net.
"""


class AliasTransferTests(SynchronousTestCase):
    """A server that gives a zone with ALIAS records away."""

    def build(self, **settings: Any) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, ZONE)
        self.authority = make_authority(
            self.store, self.clock, allow_transfer=("loopback",), **settings
        )
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        resolvers: Any = self
        self.authority.distribution.resolvers = resolvers
        self.known: Known | None = Known((b"\xc6\x33\x64\1",), 30)

    async def find(self, name: bytes, type_: int) -> Known:
        """The resolvers take a moment."""
        moment: Deferred[None] = Deferred()
        self.clock.callLater(0.5, moment.callback, None)
        await moment
        if self.known is None:
            raise NoAnswer("no answer")
        return self.known if type_ == Type.A else Known((), 30)

    def transfer(self, query: bytes) -> list[Message]:
        return list(map(Message.parse, replies(self.authority, self.clock, query)))

    def records(self, query: bytes) -> set[str]:
        messages = self.transfer(query)
        self.assertEqual({0}, {message.rcode for message in messages})
        return set().union(*(lines(message.answer) for message in messages))

    def test_expanded(self) -> None:
        """In place of an ALIAS go all addresses of its target, a rule or not; those of
        others are waited for."""
        self.build(balance=("www.example.com", "example.com"))
        found = self.records(axfr_query())
        self.assertTrue(
            {
                "example.com. 60 A 192.0.2.80",
                "example.com. 60 A 192.0.2.81",
                "example.com. 60 AAAA 2001:db8::80",
                "www.example.com. 60 A 192.0.2.80",
                "www.example.com. 60 A 192.0.2.81",
                "away.example.com. 30 A 198.51.100.1",
            }
            <= found
        )
        self.assertFalse([line for line in found if "ALIAS" in line])

    def test_kept(self) -> None:
        """With ``keep`` the record goes out as it is."""
        self.build(alias_in_transfers="keep")
        found = self.records(axfr_query())
        self.assertIn("example.com. 60 ALIAS www.example.com.", found)
        self.assertNotIn("example.com. 60 A 192.0.2.80", found)

    def test_unknown(self) -> None:
        """A transfer for which addresses cannot be had fails, so that the secondary
        keeps those that it has."""
        self.build()
        self.known = None
        messages = self.transfer(axfr_query())
        self.assertEqual(Rcode.SERVFAIL, messages[-1].rcode)
        self.flushLoggedErrors()

    def test_endless(self) -> None:
        """An ALIAS that leads back to itself stands for nothing, and does not keep the
        rest of the zone from going out."""
        self.build()
        target = (parse_name("loop." + ORIGIN),)
        loop = RRset(target[0], Type.ALIAS, 60, target)
        apply(self.store, UpdateZone(parse_name(ORIGIN), (), (make_soa(6), loop)))
        self.clock.advance(1)
        found = self.records(axfr_query())
        self.assertIn("www.example.com. 60 A 192.0.2.80", found)
        self.assertEqual([], [line for line in found if line.startswith("loop")])

    def test_incremental(self) -> None:
        """Of a zone that has an ALIAS, or had one, the whole goes out, also to who asks
        for what has changed; with ``keep`` what has changed."""
        apex = parse_name(ORIGIN)
        text = RRset(apex, Type.TXT, 60, (b"\1x",))
        gone = (
            (apex, int(Type.ALIAS)),
            (parse_name("away." + ORIGIN), int(Type.ALIAS)),
        )
        for settings, removed, is_whole in (
            ({}, (), True),
            ({}, gone, True),
            ({"alias_in_transfers": "keep"}, gone, False),
        ):
            self.build(**settings)
            change = UpdateZone(apex, removed, (make_soa(6), text))
            apply(self.store, change)
            self.clock.advance(1)
            found = self.records(ixfr_query(5))
            self.assertIn('example.com. 60 TXT "x"', found)
            self.assertEqual(is_whole, "www.example.com. 60 A 192.0.2.80" in found)
