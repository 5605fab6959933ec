"""The whole server with views: who gets what, and how changes come there."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.keys import KEYS, make_key
from netservices.dns.dialogue.explain import explain
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.zone.overlay import MergedTree, overlay_name
from netservices.dns.zonefile import parse_record
from netservices.units import CreateZone, DeleteZone, ReplaceZone, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE, lines, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.receiving import TCP, ixfr_query, replies

ORIGIN = parse_name("example.com.")
INSIDE = overlay_name("inside", ORIGIN)
VIEWS = ("inside clients=10.0.0.0/8", "root server=127.0.0.11 zones=.")
ROOT = "$TTL 60\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\ncom NS ns.com.\nns.com. A 192.0.2.3\n"
OUTSIDE = "192.0.2.1"


def record(text: str) -> RRset:
    """A record of example.com."""
    return parse_record(ORIGIN, text)


class Asked:
    """The local side of a datagram."""

    def __init__(self, address: str) -> None:
        self.address = address


class ViewServerTests(SynchronousTestCase):
    """A server with a view for the inside and one for the root."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        add_zone(self.store, ROOT, ".")
        apply(self.store, CreateZone(INSIDE, (record("www 60 A 10.0.0.80"),)))
        self.start(VIEWS)

    def start(self, views: tuple[str, ...]) -> None:
        self.authority = make_authority(
            self.store,
            self.clock,
            views=views,
            load_slice=1000,
            allow_transfer=("any",),
        )
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def ask(
        self, name: str, qtype: str = "A", client: str = OUTSIDE, server: str = ""
    ) -> Message:
        """What comes back over UDP."""
        data = question(name, qtype)
        reply = self.authority.datagram(data, (client, 4711), Asked(server))
        return Message.parse(reply or b"")

    def addresses(self, client: str, name: str = "www.example.com.") -> set[str]:
        found = lines(self.ask(name, client=client).answer)
        return {line.split()[3] for line in found}

    def test_views(self) -> None:
        """Inside and outside get different records, also when they are remembered."""
        for _ in range(4):
            self.assertEqual({"10.0.0.80"}, self.addresses("10.1.2.3"))
            self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.addresses(OUTSIDE))
        self.assertEqual(2, len(self.authority.exact))

    def test_fallback(self) -> None:
        """What the overlay does not say, the zone does."""
        self.assertEqual(
            {"192.0.2.25"}, self.addresses("10.1.2.3", "mail.example.com.")
        )

    def test_zones_of_a_view(self) -> None:
        """A view limited to the root refers where others are answered, and refuses
        nothing else; over TCP too."""
        reply = self.ask("www.example.com.", server="127.0.0.11")
        self.assertFalse(reply.is_authoritative)
        self.assertEqual({"com. 60 NS ns.com."}, lines(reply.authority))
        self.assertTrue(self.ask("www.example.com.", server="127.0.0.12").answer)
        connection = self.authority.streams.buildProtocol(None)
        wire = StringTransport(
            hostAddress=_Address("127.0.0.11"), peerAddress=_Address("127.0.0.1")
        )
        wire.abortConnection = wire.loseConnection
        connection.makeConnection(wire)
        data = question("www.example.com.", "A")
        connection.dataReceived(len(data).to_bytes(2, "big") + data)
        self.assertEqual(reply.authority, Message.parse(wire.value()[2:]).authority)

    def test_zone_changes(self) -> None:
        """A change of the zone is in every view at once, unless the overlay says
        otherwise."""
        trees = self.authority.dialogue.views["inside"].get(ORIGIN)
        self.addresses("10.1.2.3", "mail.example.com.")
        apply(
            self.store,
            UpdateZone(
                ORIGIN,
                (),
                (record("mail 60 A 192.0.2.26"), record("www 60 A 192.0.2.9")),
            ),
        )
        self.assertEqual(
            {"192.0.2.26"}, self.addresses("10.1.2.3", "mail.example.com.")
        )
        self.assertEqual({"10.0.0.80"}, self.addresses("10.1.2.3"))
        self.assertEqual({"192.0.2.9"}, self.addresses(OUTSIDE))
        self.assertIs(trees, self.authority.dialogue.views["inside"].get(ORIGIN))

    def test_overlay_changes(self) -> None:
        """A change of the overlay is in its view at once, and nowhere else."""
        self.addresses("10.1.2.3")
        apply(
            self.store,
            UpdateZone(
                INSIDE,
                ((parse_name("www.example.com."), 1),),
                (record("db 60 A 10.0.0.5"), record("mail 0 HIDE *")),
            ),
        )
        self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.addresses("10.1.2.3"))
        self.assertEqual({"10.0.0.5"}, self.addresses("10.1.2.3", "db.example.com."))
        reply = self.ask("mail.example.com.", client="10.1.2.3")
        self.assertEqual(Rcode.NXDOMAIN, reply.rcode)
        self.assertEqual(Rcode.NXDOMAIN, self.ask("db.example.com.").rcode)

    def test_replaced(self) -> None:
        """A zone that is read anew, with many changes, keeps its overlay."""
        many = tuple(record(f"h{i} 60 A 192.0.2.7") for i in range(600))
        soa = (record("@ 60 SOA a b 9 2 3 4 5"), record("@ 60 NS a"))
        apply(self.store, ReplaceZone(ORIGIN, (*soa, *many)))
        self.assertEqual({"10.0.0.80"}, self.addresses("10.1.2.3"))
        self.assertEqual({"192.0.2.7"}, self.addresses("10.1.2.3", "h599.example.com."))
        self.assertEqual(Rcode.NXDOMAIN, self.ask("www.example.com.").rcode)

    def test_overlay_removed(self) -> None:
        """Without its overlay a view shows the zone; without the zone nothing."""
        apply(self.store, DeleteZone(INSIDE))
        self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.addresses("10.1.2.3"))
        apply(self.store, CreateZone(INSIDE, (record("www 60 A 10.0.0.81"),)))
        self.assertEqual({"10.0.0.81"}, self.addresses("10.1.2.3"))
        apply(self.store, DeleteZone(ORIGIN))
        reply = self.ask("www.example.com.", client="10.1.2.3")
        self.assertEqual({"com. 60 NS ns.com."}, lines(reply.authority))
        add_zone(self.store, EXAMPLE)
        self.assertEqual({"10.0.0.81"}, self.addresses("10.1.2.3"))

    def test_zone_of_a_view(self) -> None:
        """An overlay with a SOA is a zone that the view alone has, while it has it."""
        home = parse_name("home.arpa.")
        name = overlay_name("inside", home)
        soa = parse_record(home, "@ 60 SOA a b 1 2 3 4 5")
        printer = parse_record(home, "printer 60 A 10.0.0.9")
        apply(self.store, CreateZone(name, (soa, printer)))
        found = self.addresses("10.1.2.3", "printer.home.arpa.")
        self.assertEqual({"10.0.0.9"}, found)
        self.assertEqual(Rcode.NXDOMAIN, self.ask("printer.home.arpa.").rcode)
        apply(self.store, UpdateZone(name, ((home, 6),), ()))
        reply = self.ask("printer.home.arpa.", client="10.1.2.3")
        self.assertEqual({". 5 SOA a. b. 1 2 3 4 5"}, lines(reply.authority))

    def test_unknown_view(self) -> None:
        """The overlay of a view that is not configured changes nothing."""
        self.start(())
        self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.addresses("10.1.2.3"))
        self.assertEqual({}, self.authority.dialogue.views)

    def test_key(self) -> None:
        """A signed question is answered from the view of its key, and the same one
        without the key is not."""
        key = make_key("office", "hmac-sha256", "MDEyMzQ1Njc4OWFiY2RlZg==", "")
        apply(self.store, KEYS.put(key.name, key))
        self.start(("inside clients=key:office",))
        asked = SignedRequest(key)
        now = self.authority.dialogue.now()
        for _ in range(3):
            data = asked.sign(question("www.example.com.", "A"), now)
            reply = self.authority.datagram(data, (OUTSIDE, 4711), Asked(""))
            plain = Message.parse(asked.check(reply or b"", now))
            self.assertEqual({"www.example.com. 60 A 10.0.0.80"}, lines(plain.answer))
            self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.addresses(OUTSIDE))

    def test_expired(self) -> None:
        """Of a secondary zone that has expired nothing is told in a view either, until
        it is served again."""
        secondaries = self.authority.secondaries
        self.addresses("10.1.2.3")
        secondaries.withhold(ORIGIN, 1)
        reply = self.ask("www.example.com.", client="10.1.2.3")
        self.assertEqual(Rcode.SERVFAIL, reply.rcode)
        secondaries.release(ORIGIN)
        self.assertEqual({"10.0.0.80"}, self.addresses("10.1.2.3"))

    def test_explained(self) -> None:
        """An explanation names the view, and the overlay where it has a say."""
        for name, wanted in (("www", 2), ("mail", 1)):
            found = explain(
                self.authority.dialogue,
                parse_name(f"{name}.example.com."),
                1,
                Client("10.1.2.3", view="inside"),
            )
            rules = [step.rule for step in found.steps]
            self.assertEqual(wanted, rules.count("dns.views"))

    def transferred(
        self, view: str, origin: str = "example.com.", since: int = 0
    ) -> list[str]:
        """The records of a transfer to a client in that view."""
        query = question(origin, "AXFR")
        if since:
            query = ixfr_query(since)
        client = evolve(TCP, view=view)
        return [
            line
            for data in replies(self.authority, self.clock, query, client)
            for record in Message.parse(data).answer
            for line in lines((record,))
        ]

    def test_transfers(self) -> None:
        """A whole zone goes out as the client's view shows it, once, between two
        copies of the SOA; of a view no differences are known, so all of it goes."""
        apply(
            self.store,
            UpdateZone(
                INSIDE, (), (record("db.corp 60 A 10.0.0.5"), record("@ 0 HIDE MX"))
            ),
        )
        base = self.transferred("")
        for since in (0, 2026112100):
            found = self.transferred("inside", since=since)
            self.assertEqual(found[0], found[-1])
            self.assertEqual(len(found) - 1, len(set(found)))
            www = {
                f"www.example.com. 3600 A 192.0.2.{number}" for number in (80, 81)
            } | {"example.com. 3600 MX 10 mail.example.com."}
            new = {
                "www.example.com. 60 A 10.0.0.80",
                "db.corp.example.com. 60 A 10.0.0.5",
            }
            self.assertEqual(set(base) - www | new, set(found))
        current = self.transferred("inside", since=2026112101)
        self.assertEqual(found[:1], current)

    def test_transfer_of_a_views_own_zone(self) -> None:
        """A zone that only a view has goes to the clients of that view alone."""
        home = parse_name("home.arpa.")
        soa, ns = "home.arpa. 60 SOA a. b. 1 2 3 4 5", "home.arpa. 60 NS a."
        rrsets = (parse_record(home, soa), parse_record(home, ns))
        apply(self.store, CreateZone(overlay_name("inside", home), rrsets))
        self.assertEqual([soa, ns, soa], self.transferred("inside", "home.arpa."))
        self.assertEqual([], self.transferred("", "home.arpa."))

    def test_status(self) -> None:
        """The views and their zones are told; overlays are no zones."""
        status: Any = self.authority.status()
        self.assertEqual({".", "example.com."}, set(status["zones"]))
        self.assertEqual({"."}, set(status["views"]["root"]))
        zones = self.authority.zones.get(ORIGIN)
        assert zones is not None
        # Two addresses of www are one there.
        self.assertEqual(
            zones.record_count - 1, status["views"]["inside"]["example.com."]
        )

    def test_events(self) -> None:
        """What became of an overlay is told with its view."""
        apply(self.store, UpdateZone(INSIDE, (), (record("a 60 A 10.0.0.1"),)))
        recorder: Any = self.authority.backend._events
        _, fields = recorder.events[-1]
        self.assertEqual("inside", fields["view"])
        self.assertEqual("example.com.", fields["zone"])
        self.assertEqual("updated", fields["change"])

    def test_shared(self) -> None:
        """A view without an overlay of a zone has the zone's own tree."""
        zones = self.authority.dialogue.views
        self.assertIs(self.authority.zones.get(b"\0"), zones["inside"].get(b"\0"))
        self.assertIsInstance(zones["inside"].get(ORIGIN), MergedTree)


class _Address:
    def __init__(self, host: str) -> None:
        self.host = host
