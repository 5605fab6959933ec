"""ALIAS in a server: answers from our zones, and from those of others."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.zone.alias import Known
from netservices.units import UpdateZone
from netservices.values import RRset
from tests.dns.authority import lines, question
from tests.dns.house import add_zone, apply, make_authority, make_store

HEAD = "$TTL 3600\n@ SOA ns h 1 2 3 4 300\n@ NS ns\nns A 192.0.2.53\n"

OURS = (
    HEAD
    + """
@       ALIAS  www
@       MX     10 @
www     A      192.0.2.80
        A      192.0.2.81
        AAAA   2001:db8::80
v4      ALIAS  ns
link    CNAME  @
toward  ALIAS  link2
link2   CNAME  www
other   ALIAS  www.example.org.
chain   ALIAS  chain.example.org.
away    ALIAS  cdn.example.net.
*.wild  ALIAS  www
gone    ALIAS  missing
loop1   ALIAS  loop2
loop2   ALIAS  loop1
sub     NS     ns.example.net.
below   ALIAS  www.sub
short   60 ALIAS www
mail    MX     5 away
outside ALIAS  outside2
outside2 CNAME cdn.example.net.
"""
)

THEIRS = (
    HEAD
    + """
www     120 A  198.51.100.80
chain   ALIAS  third.example.com.
"""
)


class AliasTests(SynchronousTestCase):
    """A server with two zones, and resolvers that answer when they are told to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, OURS + "third ALIAS ns\n")
        add_zone(self.store, THEIRS, "example.org.")
        self.authority = make_authority(self.store, self.clock)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        self.asked: list[tuple[str, int, Deferred[Known]]] = []
        resolvers: Any = self
        self.authority.distribution.resolvers = resolvers

    def find(self, name: bytes, type_: int) -> Deferred[Known]:
        """What the server asks its resolvers."""
        deferred: Deferred[Known] = Deferred()
        self.asked.append((name_text(name), type_, deferred))
        return deferred

    def begin(self, name: str, qtype: str, **more: Any) -> bytes | Later | None:
        client = Client("127.0.0.1", Transport.TCP)
        data = question(f"{name}.example.com.".removeprefix("@."), qtype, **more)
        return self.authority.dialogue.answer(data, client)

    def ask(self, name: str, qtype: str = "A") -> Message:
        reply = self.begin(name, qtype)
        assert isinstance(reply, bytes), "an answer that has to wait"
        return Message.parse(reply)

    def wait(self, name: str, qtype: str = "A") -> Deferred[Message]:
        """An answer that takes its time."""
        reply = self.begin(name, qtype)
        assert isinstance(reply, Later)

        async def collect() -> Message:
            (message,) = [message async for message in reply.messages()]
            return Message.parse(message)

        return Deferred.fromCoroutine(collect())

    def assert_answer(self, name: str, qtype: str, *wanted: str) -> None:
        found = self.ask(name, qtype)
        self.assertEqual(set(wanted), lines(found.answer))
        self.assertEqual(Rcode.NOERROR, found.rcode)
        self.assertTrue(found.is_authoritative)

    def test_apex(self) -> None:
        """At the apex, A and AAAA are the target's, under our name."""
        self.assert_answer(
            "@", "A", "example.com. 3600 A 192.0.2.80", "example.com. 3600 A 192.0.2.81"
        )
        self.assert_answer("@", "AAAA", "example.com. 3600 AAAA 2001:db8::80")
        self.assert_answer("@", "NS", "example.com. 3600 NS ns.example.com.")
        self.assert_answer("@", "ALIAS", "example.com. 3600 ALIAS www.example.com.")
        self.assertEqual(1, len(self.ask("@", "SOA").answer))

    def test_none(self) -> None:
        """A target without addresses of that type is NODATA, one that does not exist
        too: the name with the ALIAS is there."""
        for name, qtype in (("v4", "AAAA"), ("gone", "A"), ("v4", "TXT")):
            found = self.ask(name, qtype)
            self.assertEqual((Rcode.NOERROR, ()), (found.rcode, found.answer))
            self.assertEqual([Type.SOA], [record.type for record in found.authority])

    def test_chains(self) -> None:
        """CNAME to ALIAS, ALIAS to CNAME, from zone to zone and back."""
        self.assert_answer(
            "link",
            "AAAA",
            "link.example.com. 3600 CNAME example.com.",
            "example.com. 3600 AAAA 2001:db8::80",
        )
        self.assert_answer(
            "toward", "AAAA", "toward.example.com. 3600 AAAA 2001:db8::80"
        )
        self.assert_answer("other", "A", "other.example.com. 120 A 198.51.100.80")
        self.assert_answer("chain", "A", "chain.example.com. 3600 A 192.0.2.53")
        self.assert_answer("short", "AAAA", "short.example.com. 60 AAAA 2001:db8::80")

    def test_wildcard(self) -> None:
        """A wildcard ALIAS stands for every name below."""
        self.assert_answer(
            "a.b.wild", "AAAA", "a.b.wild.example.com. 3600 AAAA 2001:db8::80"
        )

    def test_loop(self) -> None:
        """A loop has an end: SERVFAIL."""
        self.assertEqual(Rcode.SERVFAIL, self.ask("loop1").rcode)

    def test_any(self) -> None:
        """ANY shows addresses in place of the ALIAS."""
        found = self.ask("v4", "ANY")
        self.assertEqual({"v4.example.com. 3600 A 192.0.2.53"}, lines(found.answer))

    def test_additional(self) -> None:
        """The addresses of an MX are there where they are known, and nobody waits for
        those that are not."""
        found = lines(self.ask("@", "MX").additional)
        self.assertIn("example.com. 3600 AAAA 2001:db8::80", found)
        found = lines(self.ask("mail", "MX").additional)
        self.assertEqual({"ns.example.com. 3600 A 192.0.2.53"}, found)
        self.assertEqual("cdn.example.net.", self.asked[0][0])

    def test_change(self) -> None:
        """A change at the target is in the next answer, one of the ALIAS too."""
        name = parse_name("www.example.com.")
        added = RRset(name, Type.AAAA, 3600, (b"\x20\1" + bytes(14),))
        apply(self.store, UpdateZone(parse_name("example.com."), (), (added,)))
        self.clock.advance(1)
        self.assert_answer("@", "AAAA", "example.com. 3600 AAAA 2001::")
        apex = parse_name("example.com.")
        added = RRset(apex, Type.A, 3600, (b"\1\2\3\4",))
        apply(self.store, UpdateZone(apex, ((apex, int(Type.ALIAS)),), (added,)))
        self.clock.advance(1)
        self.assert_answer("@", "A", "example.com. 3600 A 1.2.3.4")
        self.assertEqual((), self.ask("@", "AAAA").answer)

    def test_abroad(self) -> None:
        """The first question for a target of somebody else's waits for the resolvers;
        the next ones do not."""
        waiting = self.wait("away")
        self.assertEqual([("cdn.example.net.", 1)], [a[:2] for a in self.asked])
        self.assertNoResult(waiting)
        self.asked[0][2].callback(Known((b"\xc6\x33\x64\1",), 90))
        found = lines(self.successResultOf(waiting).answer)
        self.assertEqual({"away.example.com. 90 A 198.51.100.1"}, found)
        self.clock.advance(30)
        self.assert_answer("away", "A", "away.example.com. 60 A 198.51.100.1")
        self.assertEqual(1, len(self.asked))

    def test_chain_abroad(self) -> None:
        """A chain in our zone that leaves it ends with the resolvers."""
        waiting = self.wait("outside")
        self.assertEqual("cdn.example.net.", self.asked[0][0])
        self.asked[0][2].callback(Known((b"\xc6\x33\x64\1",), 90))
        found = lines(self.successResultOf(waiting).answer)
        self.assertEqual({"outside.example.com. 90 A 198.51.100.1"}, found)

    def test_delegated(self) -> None:
        """A target below a zone cut is asked of the resolvers."""
        self.wait("below")
        self.assertEqual("www.sub.example.com.", self.asked[0][0])

    def test_no_answer(self) -> None:
        """Where the resolvers fail, or are too slow, the answer is SERVFAIL."""
        waiting = self.wait("away")
        self.asked[0][2].errback(NoAnswer("no answer"))
        self.assertEqual(Rcode.SERVFAIL, self.successResultOf(waiting).rcode)
        self.assertEqual(Rcode.SERVFAIL, self.ask("away").rcode)
        waiting = self.wait("away", "AAAA")
        self.clock.advance(3)
        self.assertEqual(Rcode.SERVFAIL, self.successResultOf(waiting).rcode)

    def test_status(self) -> None:
        """The status names targets and their state."""
        self.wait("away")
        (row,) = self.authority.status()["alias_targets"]
        found = (row["target"], row["type"], row["state"], row["addresses"])
        self.assertEqual(("cdn.example.net.", "A", "unknown", 0), found)
