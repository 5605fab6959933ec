"""Zones fetched from primaries over real sockets: those that behave, and the others."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.client.link import LinkLimits
from netservices.dns.client.problems import NoAnswer
from netservices.dns.client.transfer import MESSAGES_A_TURN, Primary, fetch_zone
from netservices.dns.dialogue.inbound import (
    BadTransfer,
    Form,
    Inbound,
    InboundLimits,
    TransferRefused,
)
from netservices.dns.options import Peer
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.names import parse_name
from tests.dns.primary import ScriptedPrimary, a, reply, soa

APEX = parse_name("example.com.")
FIVE, SIX = soa(5, APEX), soa(6, APEX)
OLD, NEW = (a("www.example.com.", f"192.0.2.{n}") for n in (5, 6))


class FetchTests(TestCase):
    """``fetch_zone`` with serial 5 in hand, unless a test says otherwise."""

    def setUp(self) -> None:
        self.primary = ScriptedPrimary(reactor)
        self.addCleanup(self.primary.stop)
        self.pauses = 0

    def fetch(self, have: int | None = 5, **options: Any) -> Deferred[Any]:
        """What comes of it."""

        def pause() -> Deferred[None]:
            self.pauses += 1
            return deferLater(reactor, 0)

        primary = Primary(
            Peer("127.0.0.1", self.primary.port),
            limits=options.pop("limits", LinkLimits()),
            inbound=InboundLimits(**options.pop("inbound", {})),
        )
        return as_deferred(fetch_zone)(reactor, primary, APEX, have, pause, **options)

    async def fails(self, kind: type[Exception], *words: str, **options: Any) -> None:
        """The fetch fails so, and says these words."""
        try:
            await self.fetch(**options)
        except kind as problem:
            for word in words:
                self.assertIn(word, str(problem))
            return
        self.fail(f"no {kind.__name__}")

    @as_deferred
    async def test_first(self) -> None:
        """Without a version of ours the zone is asked for at once."""
        self.primary.serve(FIVE, OLD)
        found = await self.fetch(None)
        self.assertEqual((5, 3), (found.new_serial, found.records))
        self.assertEqual(["AXFR"], self.primary.asked)

    @as_deferred
    async def test_current(self) -> None:
        """With the newest version one question over UDP is all."""
        self.primary.serve(FIVE, OLD)
        self.assertEqual(FIVE, await self.fetch())
        self.assertEqual(["SOA"], self.primary.asked)

    @as_deferred
    async def test_forced(self) -> None:
        """The whole zone comes, if that is wanted, whatever its serial."""
        self.primary.serve(FIVE, OLD)
        found = await self.fetch(is_forced=True)
        self.assertIs(Form.FULL, found.form)

    @as_deferred
    async def test_incremental(self) -> None:
        """A newer version comes as its differences."""
        self.primary.serve(SIX, NEW)
        self.primary.answers["IXFR"] = lambda query: [
            reply(query, SIX, FIVE, OLD),
            reply(query, SIX, NEW, SIX, questions=()),
        ]
        found = await self.fetch()
        self.assertIs(Form.INCREMENTAL, found.form)
        self.assertEqual([NEW], found.differences[0].added)
        self.assertEqual(["SOA", "IXFR"], self.primary.asked)

    @as_deferred
    async def test_refused_in_a_datagram(self) -> None:
        """One that tells nothing over UDP is asked over TCP, and that counts."""
        self.primary.answers["IXFR"] = lambda query: [reply(query, FIVE)]
        self.assertEqual(FIVE, await self.fetch())
        self.assertEqual(["SOA", "IXFR"], self.primary.asked)

    @as_deferred
    async def test_small_messages(self) -> None:
        """A primary that sends each record in a message of its own, all at once, holds
        up nobody."""
        hosts = [a(f"h{n}.example.com.", "192.0.2.1") for n in range(500)]
        self.primary.answers["AXFR"] = lambda query: [
            reply(query, record) for record in (FIVE, *hosts, FIVE)
        ]
        found = await self.fetch(None)
        self.assertEqual(502, found.records)
        self.assertGreaterEqual(self.pauses, 502 // MESSAGES_A_TURN)

    @as_deferred
    async def test_fall_back(self) -> None:
        """Where IXFR is not known, or comes broken, the whole zone is asked for."""
        for answer in (
            lambda query: [reply(query, rcode=Rcode.NOTIMP)],
            lambda query: [reply(query, SIX, FIVE, FIVE, SIX)],
            lambda query: [b"\0" * 40],
        ):
            self.primary.serve(SIX, NEW)
            self.primary.answers["IXFR"] = answer
            self.primary.asked.clear()
            found = await self.fetch()
            self.assertIsInstance(found, Inbound)
            self.assertEqual(["SOA", "IXFR", "AXFR"], self.primary.asked)

    @as_deferred
    async def test_refused(self) -> None:
        """A primary that refuses is told apart from one that is not there."""
        await self.fails(TransferRefused, "REFUSED")
        await self.fails(TransferRefused, "REFUSED", have=None)

    @as_deferred
    async def test_not_authoritative(self) -> None:
        """An answer from a cache, or without the SOA, is not believed."""
        for fields in ({"flags": 0x8000}, {"answer": (OLD,)}):
            self.primary.answers["SOA"] = lambda query, fields=fields: [
                reply(query, FIVE, **({"answer": (FIVE,)} | fields))
            ]
            await self.fails(BadTransfer, "not authoritative")

    @as_deferred
    async def test_broken_off(self) -> None:
        """A transfer that ends early is none."""
        self.primary.serve(SIX, NEW)
        self.primary.answers["AXFR"] = lambda query: [reply(query, SIX, NEW), None]
        await self.fails(NoAnswer, "closed the connection", have=None)

    @as_deferred
    async def test_hangs(self) -> None:
        """A primary that falls silent is left after ``idle_seconds``."""
        self.primary.serve(SIX, NEW)
        self.primary.answers["AXFR"] = lambda query: [reply(query, SIX, NEW)]
        limits = LinkLimits(idle_seconds=0.05)
        await self.fails(NoAnswer, "nothing came", have=None, limits=limits)

    @as_deferred
    async def test_drips(self) -> None:
        """One that sends for ever, but little, is left after ``total_seconds``."""
        self.primary.serve(SIX, NEW)
        self.primary.answers["AXFR"] = lambda query: [reply(query, SIX, NEW)]
        limits = LinkLimits(total_seconds=0.05)
        await self.fails(NoAnswer, "too long", have=None, limits=limits)

    @as_deferred
    async def test_garbage(self) -> None:
        """Octets that are no messages end the transfer."""
        for octets in (b"", b"x", b"\xff" * 600):
            self.primary.answers["AXFR"] = lambda query, octets=octets: [octets]
            await self.fails(BadTransfer, "message", have=None)

    @as_deferred
    async def test_down(self) -> None:
        """Nobody listens there: no answer over UDP, no connection over TCP."""
        port = self.primary.port
        await self.primary.stop()
        self.primary = ScriptedPrimary(reactor)
        self.addCleanup(self.primary.stop)
        self.primary.port = port
        await self.fails(NoAnswer, "no connection", have=None)

    @as_deferred
    async def test_pressure(self) -> None:
        """A long transfer is read in pieces, none of which is lost."""
        records = [a(f"n{n}.example.com.", "192.0.2.1") for n in range(20_000)]
        self.primary.answers["AXFR"] = lambda query: [
            reply(query, FIVE),
            *(reply(query, *records[at : at + 500]) for at in range(0, 20_000, 500)),
            reply(query, FIVE),
        ]
        found = await self.fetch(None)
        self.assertEqual(20_002, found.records)
        self.assertEqual(20_001, len(found.full.rrsets()))
