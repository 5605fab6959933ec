"""The zones in memory follow the store."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.zones import MAX_RRSETS_IN_PLACE
from netservices.dns.server.authority import Authority
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.zonefile import parse_record, read_zone, with_serial
from netservices.interfaces import StoreUnavailable
from netservices.units import DeleteZone, ReplaceZone, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import Recorder, add_zone, apply, make_authority, make_store

ZONE = parse_name("example.com.")
PEER = ("127.0.0.1", 4711)


class BackendTests(SynchronousTestCase):
    """A server, and a store that changes below it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        self.authority = make_authority(self.store, self.clock, load_slice=10)
        self.start(self.authority)

    def start(self, authority: Authority) -> None:
        started = authority.start()
        for _ in range(100):
            self.clock.advance(0)
        self.successResultOf(started)
        self.addCleanup(authority.stop)

    def settle(self) -> None:
        """Give pauses their turns."""
        for _ in range(50):
            self.clock.advance(0)

    def ask(self, name: str, qtype: str = "A") -> Message:
        """Three times, so that the answer comes from every cache."""
        data = question(name, qtype)
        replies = {self.authority.datagram(data, PEER, None) for _ in range(3)}
        self.assertEqual(1, len(replies))
        return Message.parse(replies.pop() or b"")

    def events(self, name: str) -> list[Any]:
        recorder: Any = self.authority.backend._events
        assert isinstance(recorder, Recorder)
        return [fields for event, fields in recorder.events if event == name]

    def test_start(self) -> None:
        """What the store holds is served."""
        self.assertEqual(2, len(self.ask("www.example.com.").answer))
        (event,) = self.events("zone_changed")
        self.assertEqual(2026112101, event["serial"])

    def test_settle(self) -> None:
        """What was announced before ``settle`` is in the answers when it fires."""
        self.successResultOf(self.authority.settle())
        lines = "".join(f"h{number} 60 A 192.0.2.1\n" for number in range(200))
        add_zone(self.store, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n" + lines, "x.")
        settled = self.authority.settle()
        self.assertNoResult(settled)
        self.assertEqual(Rcode.REFUSED, self.ask("h199.x.").rcode)
        while not settled.called:
            self.clock.advance(0.01)

        self.assertEqual(1, len(self.ask("h199.x.").answer))

    def test_new_zone(self) -> None:
        """A zone that is created is served at once."""
        self.assertEqual(Rcode.REFUSED, self.ask("x.").rcode)
        add_zone(
            self.store, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n@ 60 A 192.0.2.1\n", "x."
        )
        self.settle()
        self.assertEqual(1, len(self.ask("x.").answer))

    def test_record_added(self) -> None:
        """A small change goes into the tree in place: names, serial and denials."""
        before = self.authority.zones.get(ZONE)
        self.assertEqual(Rcode.NXDOMAIN, self.ask("fresh.example.com.").rcode)
        rrsets = read_zone(EXAMPLE, "example.com.")
        (soa,) = [r for r in with_serial(rrsets, 2026112102) if r.type == Type.SOA]
        apply(
            self.store,
            UpdateZone(
                ZONE, (), (parse_record("example.com.", "fresh A 192.0.2.3"), soa)
            ),
        )
        self.settle()
        self.assertEqual(1, len(self.ask("fresh.example.com.").answer))
        self.assertIn(
            (2026112102).to_bytes(4, "big"),
            self.ask("none.example.com.").authority[0].rdata,
        )
        tree = self.authority.zones.get(ZONE)
        assert tree is not None
        self.assertIs(before, tree)
        self.assertEqual((2026112102, 2), (tree.serial, tree.revision))
        self.assertEqual("updated", self.events("zone_changed")[-1]["change"])

    def test_record_removed(self) -> None:
        """What is removed is gone at once, from every cache."""
        self.ask("www.example.com.")
        apply(self.store, UpdateZone(ZONE, ((parse_name("www.example.com."), 1),), ()))
        self.settle()
        self.assertEqual(Rcode.NXDOMAIN, self.ask("www.example.com.").rcode)

    def test_many_changes_at_once(self) -> None:
        """Several changes before anybody looks are all taken."""
        for number in range(20):
            record = parse_record("example.com.", f"h{number} A 192.0.2.{number}")
            apply(self.store, UpdateZone(ZONE, (), (record,)))
        self.settle()
        for number in range(20):
            self.assertEqual(1, len(self.ask(f"h{number}.example.com.").answer))

    def test_replaced(self) -> None:
        """A change too large for one turn is read into a new tree; until that is whole
        the old one answers."""
        before = self.authority.zones.get(ZONE)
        lines = "".join(f"h{i} A 192.0.2.1\n" for i in range(MAX_RRSETS_IN_PLACE + 1))
        apply(self.store, ReplaceZone(ZONE, read_zone(EXAMPLE + lines, "example.com.")))
        self.assertEqual(Rcode.NXDOMAIN, self.ask("h1.example.com.").rcode)
        self.assertIs(before, self.authority.zones.get(ZONE))
        for _ in range(100):
            self.clock.advance(0)
        self.assertIsNot(before, self.authority.zones.get(ZONE))
        self.assertEqual(1, len(self.ask("h1.example.com.").answer))

    def test_deleted(self) -> None:
        """A zone that is deleted is foreign."""
        self.ask("www.example.com.")
        apply(self.store, DeleteZone(ZONE))
        self.settle()
        self.assertEqual(Rcode.REFUSED, self.ask("www.example.com.").rcode)
        self.assertEqual("removed", self.events("zone_changed")[-1]["change"])

    def test_created_again(self) -> None:
        """A zone deleted and made anew is the new one."""
        apply(self.store, DeleteZone(ZONE))
        add_zone(self.store, "@ 60 SOA a b 9 2 3 4 5\n@ 60 NS a\n@ 60 A 192.0.2.9\n")
        self.settle()
        self.assertEqual(1, len(self.ask("example.com.").answer))
        self.assertEqual(Rcode.NXDOMAIN, self.ask("www.example.com.").rcode)

    def test_reload(self) -> None:
        """SIGHUP looks at every zone again."""
        self.authority.stop()
        apply(self.store, UpdateZone(ZONE, ((parse_name("www.example.com."), 1),), ()))
        self.settle()
        self.assertEqual(2, len(self.ask("www.example.com.").answer))
        self.authority.backend._is_stopped = False
        self.successResultOf(self.authority.reload())
        self.assertEqual(Rcode.NXDOMAIN, self.ask("www.example.com.").rcode)

    def test_malformed_records(self) -> None:
        """Records that cannot be right are left out and reported; the rest is
        served."""
        bad = RRset(parse_name("bad.example.com."), Type.MX, 60, (b"\0",))
        good = parse_record("example.com.", "good A 192.0.2.1")
        apply(self.store, UpdateZone(ZONE, (), (bad, good)))
        self.settle()
        self.assertEqual(1, len(self.ask("good.example.com.").answer))
        self.assertEqual(Rcode.NXDOMAIN, self.ask("bad.example.com.", "MX").rcode)
        self.assertEqual(1, len(self.events("zone_refused")))

    def test_without_soa(self) -> None:
        """A zone that lost its SOA is answered for with SERVFAIL."""
        apply(self.store, UpdateZone(ZONE, ((ZONE, Type.SOA),), ()))
        self.settle()
        self.assertEqual(Rcode.SERVFAIL, self.ask("www.example.com.").rcode)

    def test_trouble_with_the_store(self) -> None:
        """While the store fails the old zone is served; later the change is taken."""
        zones: Any = self.store.zones
        differences = zones.differences
        zones.differences = lambda name, revision, octets: fail(
            StoreUnavailable("away")
        )
        apply(self.store, UpdateZone(ZONE, ((parse_name("www.example.com."), 1),), ()))
        self.settle()
        self.assertEqual(2, len(self.ask("www.example.com.").answer))
        self.assertEqual(1, len(self.flushLoggedErrors(StoreUnavailable)))
        zones.differences = differences
        self.clock.advance(5)
        self.settle()
        self.assertEqual(Rcode.NXDOMAIN, self.ask("www.example.com.").rcode)

    def test_start_fails(self) -> None:
        """A store that cannot be read stops the start."""
        authority = make_authority(self.store, self.clock)
        zones: Any = self.store.zones
        zones.zones = lambda: fail(StoreUnavailable("away"))
        self.failureResultOf(authority.start(), StoreUnavailable)
        authority.stop()

    def test_status(self) -> None:
        """Counts by type and code, and the zones."""
        self.ask("www.example.com.")
        self.ask("none.example.com.", "AAAA")
        status = self.authority.status()
        self.assertEqual(6, status["queries"])
        self.assertEqual({"A": 3, "AAAA": 3}, status["by_type"])
        self.assertEqual({"NOERROR": 3, "NXDOMAIN": 3}, status["by_rcode"])
        self.assertEqual(2026112101, status["zones"][name_text(ZONE)]["serial"])

    def test_every_deferred_is_observed(self) -> None:
        """A late failure goes to the log, once."""
        zones: Any = self.store.zones
        waiting: Deferred[Any] = Deferred()
        zones.differences = lambda name, revision, octets: waiting
        apply(self.store, UpdateZone(ZONE, ((parse_name("www.example.com."), 1),), ()))
        waiting.errback(RuntimeError("a bug"))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
