"""Load distribution in a server: rules from the settings and the store, on trees that
come, change and go; checks over real connections."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.backend.balance import BALANCE
from netservices.dns.client.ask import Client as Questioner
from netservices.dns.policy import Client
from netservices.dns.server.probe import Unfit
from netservices.dns.wire.codes import Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.balance import BalanceRule, Check, address_text
from netservices.testing import running
from netservices.units import DeleteZone, UpdateZone
from netservices.values import RRset
from tests.dns.authority import now, question
from tests.dns.house import Recorder, add_zone, apply, make_authority, make_store

reactor: Any = installed_reactor

ZONE = """
$TTL 3600
@    SOA ns h 1 2 3 4 300
@    NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
     A   192.0.2.2
     A   192.0.2.3
     AAAA 2001:db8::1
     TXT "text"
link CNAME www
@    MX  5 www
@    ALIAS www
"""

HEAD = "@ 60 SOA ns h 1 2 3 4 300\n@ 60 NS ns\nns 60 A 127.0.0.1\n"

WWW = parse_name("www.example.com.")
APEX = parse_name("example.com.")


class RuleTests(SynchronousTestCase):
    """A server on a clock, whose checks end as the test says."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, ZONE)
        self.down: set[str] = set()
        self.looked: list[str] = []

    def start(self, *rules: str, **settings: Any) -> None:
        self.authority = make_authority(
            self.store, self.clock, balance=rules, **settings
        )
        probe: Any = self.look
        self.authority.distribution.health.probe = probe
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        self.clock.advance(0)

    async def look(self, address: str, check: Check, host: str) -> None:
        self.looked.append(address)
        if address in self.down:
            raise Unfit("refused")

    def message(self, name: str = "www", qtype: str = "A", client: str = "") -> Message:
        data = question(f"{name}.example.com.".removeprefix("@."), qtype)
        asker = Client(client or "127.0.0.1")
        return Message.parse(now(self.authority.dialogue.answer(data, asker)))

    def given(self, name: str = "www", qtype: str = "A", client: str = "") -> list[str]:
        """The addresses in an answer."""
        return [
            address_text(record.rdata)
            for record in self.message(name, qtype, client).answer
            if record.type in (Type.A, Type.AAAA)
        ]

    def count(self, name: str = "www", questions: int = 90) -> dict[str, int]:
        """How often each address comes first."""
        return dict(Counter(self.given(name)[0] for _ in range(questions)))

    def put_rule(self, text: str) -> None:
        rule = BalanceRule.parse(text)
        apply(self.store, BALANCE.put(rule.name, rule))
        self.clock.advance(1)

    def test_settings(self) -> None:
        """A rule of the settings is at work; what it does not cover is as ever."""
        self.start("www.example.com mode=cyclic weight=192.0.2.1:2,192.0.2.3:0 ttl=7")
        self.assertEqual({"192.0.2.1": 60, "192.0.2.2": 30}, self.count())
        self.assertEqual(7, self.message().answer[0].ttl)
        self.assertEqual(["2001:db8::1"], self.given(qtype="AAAA"))
        self.assertEqual(1, len(self.message(qtype="TXT").answer))
        self.assertEqual(1, len(self.given("ns")))

    def test_datagrams(self) -> None:
        """What is remembered of packets does not stop the distribution, and other
        types of the name are remembered."""
        self.start("www.example.com mode=cyclic")
        peer = ("127.0.0.1", 4711)
        found = set()
        for _ in range(6):
            reply = self.authority.datagram(
                question("www.example.com.", "A"), peer, None
            )
            assert reply is not None
            found.add(Message.parse(reply).answer[0].rdata)
            self.authority.datagram(question("www.example.com.", "TXT"), peer, None)
        self.assertEqual(3, len(found))
        self.assertEqual(1, len(self.authority.exact))

    def test_other_ways(self) -> None:
        """The rule holds through a CNAME, an ALIAS and in the additional section."""
        self.start("www.example.com mode=failover weight=192.0.2.2")
        for name in ("link", "@"):
            self.assertEqual(["192.0.2.2"], self.given(name))
        additional = self.message("@", "MX").additional
        given = {address_text(r.rdata) for r in additional if r.name == WWW}
        self.assertEqual({"192.0.2.2", "2001:db8::1"}, given)

    def test_alias(self) -> None:
        """A rule for a name with an ALIAS picks from the addresses of its target."""
        self.start("example.com mode=failover weight=192.0.2.3")
        self.assertEqual(["192.0.2.3"], self.given("@"))
        self.assertEqual(3, len(self.given("www")))

    def test_sticky(self) -> None:
        """Clients are told apart by their network."""
        self.start("www.example.com mode=sticky")
        given = {self.given(client=f"10.0.{n}.1")[0] for n in range(40)}
        self.assertEqual(3, len(given))
        self.assertEqual(self.given(client="10.0.7.1"), self.given(client="10.0.7.250"))

    def test_command(self) -> None:
        """A rule that is put into the store is at work at once, before that of the
        settings, and so is its removal."""
        self.start("www.example.com answers=2")
        self.assertEqual(2, len(self.given()))
        self.put_rule("www.example.com answers=1")
        self.assertEqual(1, len(self.given()))
        apply(self.store, BALANCE.delete(WWW))
        self.clock.advance(1)
        self.assertEqual(2, len(self.given()))

    def test_zone_changes(self) -> None:
        """Rules stay at work when the zone changes, and wait for names and zones."""
        self.start("new.example.com", "www.example.org", "www.example.com")
        added = RRset(parse_name("new.example.com."), Type.A, 60, (b"aaaa", b"bbbb"))
        apply(self.store, UpdateZone(APEX, (), (added,)))
        self.clock.advance(1)
        self.assertEqual(1, len(self.given("new")))
        four = RRset(WWW, Type.A, 60, (b"aaaa", b"bbbb", b"cccc", b"dddd"))
        apply(self.store, UpdateZone(APEX, (), (four,)))
        self.clock.advance(1)
        self.assertEqual(4, len(self.count()))
        add_zone(self.store, ZONE, "example.org.")
        self.clock.advance(1)
        data = question("www.example.org.", "A")
        reply = now(self.authority.dialogue.answer(data, Client("127.0.0.1")))
        self.assertEqual(1, len(Message.parse(reply).answer))

    def test_health(self) -> None:
        """Addresses come and go with their checks; the last one never goes."""
        self.start("www.example.com answers=all check=tcp:80 type=A fall=2 rise=1")
        self.assertEqual(3, len(self.given()))
        for down, rounds, wanted in (
            ({"192.0.2.1"}, 1, {1, 2, 3}),
            ({"192.0.2.1"}, 2, {2, 3}),
            ({"192.0.2.1", "192.0.2.2"}, 2, {3}),
            ({"192.0.2.1", "192.0.2.2", "192.0.2.3"}, 2, {1, 2, 3}),
            ({"192.0.2.1", "192.0.2.3"}, 1, {2}),
            (set(), 1, {1, 2, 3}),
        ):
            self.down = down
            self.clock.pump([0.5] * 25 * rounds)
            found = {int(address.rpartition(".")[2]) for address in self.given()}
            if rounds > 1 or down == set():
                self.assertEqual(wanted, found)

    def test_backup(self) -> None:
        """Events tell which addresses are given, the status too."""
        self.down = {"192.0.2.1"}
        self.start("www.example.com check=tcp:80 weight=192.0.2.2:0,192.0.2.3:0 type=A")
        self.assertEqual({"192.0.2.2", "192.0.2.3"}, set(self.count()))
        self.down = {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
        self.clock.pump([0.5] * 70)
        self.assertEqual(3, len(self.given()))
        self.down = set()
        self.clock.pump([0.5] * 50)
        events: Any = self.authority.backend._events
        assert isinstance(events, Recorder)
        given = [f["gives"] for e, f in events.events if e == "balance_changed"]
        self.assertEqual(("backup", "all", "primary"), (given[0], given[1], given[-1]))
        status = self.authority.status()
        self.assertEqual("primary", status["balance"][0]["gives"])
        self.assertEqual("up", status["checks"][0]["state"])

    def test_places(self) -> None:
        """What is looked at follows the zone, and ends with it."""
        self.start("www.example.com check=tcp:80")
        self.assertEqual(4, len(set(self.looked)))
        two = RRset(WWW, Type.A, 60, (b"\1\1\1\1", b"\2\2\2\2"))
        apply(self.store, UpdateZone(APEX, (), (two,)))
        self.clock.advance(1)
        self.assertIn("2.2.2.2", self.looked)
        self.assertEqual(3, len(self.authority.distribution.health))
        apply(self.store, DeleteZone(APEX))
        self.clock.advance(1)
        self.assertEqual(0, len(self.authority.distribution.health))

    def test_limit(self) -> None:
        """Addresses beyond the limit are not looked at, and count as in service."""
        self.down = {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
        self.start("www.example.com check=tcp:80 type=A", max_checked_addresses=2)
        self.assertEqual(2, len(self.looked))
        self.assertEqual({"192.0.2.3"}, set(self.count()))

    def test_nothing(self) -> None:
        """A rule for a name without addresses gives nothing, and the status says so."""
        self.start("link.example.com", "none.example.com", "www.example.com")
        given = [row["gives"] for row in self.authority.status()["balance"]]
        self.assertEqual(["nothing", "nothing", "primary"], given)

    def test_two_rules(self) -> None:
        """Two rules for one name are a mistake."""
        with self.assertRaises(ValueError):
            self.start("www.example.com", "WWW.example.com. answers=2")

    def test_stop(self) -> None:
        """A stop leaves no timer behind."""
        self.start("www.example.com check=tcp:80")
        self.authority.distribution.stop()
        self.clock.pump([0.5] * 50)
        self.assertEqual(4, len(self.looked))


class SocketTests(TestCase):
    """A whole server, asked over the network, that looks at real servers."""

    timeout = 30

    @as_deferred
    async def test_check(self) -> None:
        """The address where nobody listens is not given, and is when somebody does."""
        port = reactor.listenTCP(
            0, Factory.forProtocol(Protocol), interface="127.0.0.2"
        )
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        zone = HEAD + "www 60 A 127.0.0.2\nwww 60 A 127.0.0.3\n"
        rule = f"www.example.com answers=all check=tcp:{number} interval=1s rise=1"
        server = await running(
            dns=True,
            settings={"dns.balance": [rule]},
            zones={"example.com": zone},
        )
        self.addCleanup(server.stop)
        questioner = Questioner(reactor, "127.0.0.1", server.port("dns", "udp"))
        await self.until(questioner, {"127.0.0.2"})
        other = reactor.listenTCP(
            number, Factory.forProtocol(Protocol), interface="127.0.0.3"
        )
        self.addCleanup(other.stopListening)
        await self.until(questioner, {"127.0.0.2", "127.0.0.3"})

    async def until(self, questioner: Questioner, wanted: set[str]) -> None:
        """Ask until these addresses are given; the test's own timeout ends it."""
        while True:
            reply = await questioner.ask("www.example.com", "A")
            given = {address_text(record.rdata) for record in reply.answer}
            self.assertTrue(given)
            if given == wanted:
                return
            await deferLater(reactor, 0.05)

    @as_deferred
    async def test_alias(self) -> None:
        """An ALIAS has the addresses that a resolver knows, with the first answer."""
        theirs = await running(
            dns=True, zones={"example.net": HEAD + "cdn 50 A 192.0.2.7\n"}
        )
        self.addCleanup(theirs.stop)
        resolver = f"127.0.0.1@{theirs.port('dns', 'udp')}"
        ours = await running(
            dns=True,
            settings={"dns.alias_resolvers": [resolver]},
            zones={"example.com": HEAD + "@ 60 ALIAS cdn.example.net.\n"},
        )
        self.addCleanup(ours.stop)
        questioner = Questioner(reactor, "127.0.0.1", ours.port("dns", "udp"))
        reply = await questioner.ask("example.com", "A")
        self.assertEqual([b"\xc0\0\2\7"], [record.rdata for record in reply.answer])
        self.assertLessEqual(reply.answer[0].ttl, 50)
        reply = await questioner.ask("example.com", "AAAA")
        self.assertEqual((0, ()), (reply.rcode, reply.answer))
