"""Zones that go out: AXFR (RFC 5936), and who may have them."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.dialogue.later import Later
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client, Transport
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS, Message
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.tsig import Key
from netservices.dns.zonefile import read_zone
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import DeleteZone, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE, now, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.receiving import (
    ORIGIN,
    TCP,
    UDP,
    axfr_query,
    collect,
    content,
    ixfr_query,
    make_copy,
    make_soa,
    replies,
)

APEX = parse_name(ORIGIN)
MANY = EXAMPLE + "".join(f"host{i} 60 A 10.0.{i >> 8}.{i & 255}\n" for i in range(9000))


class TransferTests(SynchronousTestCase):
    """A server that gives its zone to clients on this machine."""

    text = EXAMPLE

    def setUp(self) -> None:
        self.clock = Clock()
        self.store: Any = self.new_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, self.text)
        self.build(allow_transfer=("loopback",))

    def new_store(self) -> SQLiteStore:
        return make_store()

    def build(self, **settings: Any) -> None:
        self.authority = make_authority(self.store, self.clock, **settings)
        started = self.authority.start()
        while not started.called:
            self.clock.advance(0)
        self.successResultOf(started)
        self.addCleanup(self.authority.stop)

    def replies(self, query: bytes, client: Client = TCP) -> list[bytes]:
        return replies(self.authority, self.clock, query, client)

    def rcode(self, query: bytes, client: Client = TCP) -> int:
        """The response code of a request that is answered at once, without records."""
        message = Message.parse(now(self.authority.dialogue.answer(query, client)))
        self.assertEqual((), message.answer)
        return message.rcode

    def is_given(self, client: Client, query: bytes | None = None) -> bool:
        """Whether the client gets the zone."""
        reply = self.authority.dialogue.answer(query or axfr_query(), client)
        return isinstance(reply, Later)

    def follow(self) -> None:
        """Let the server see what the store was told."""
        while self.authority.backend._has_work or self.authority.backend._is_working:
            self.clock.advance(0.01)


class WholeZoneTests(TransferTests):
    """The form of AXFR."""

    def test_all_records(self) -> None:
        """Every record is there, glue and occluded names included, between two copies
        of the SOA; RFC 5936 2.2, 3.3, 3.5."""
        messages = self.replies(axfr_query())
        records = [r for data in messages for r in Message.parse(data).answer]
        self.assertEqual(records[0], records[-1])
        self.assertEqual(Type.SOA, records[0].type)
        expected = {
            (rrset.owner, rrset.type, rrset.ttl, rdata)
            for rrset in read_zone(EXAMPLE, ORIGIN)
            for rdata in rrset.rdatas
        }
        found = [(r.name, r.type, r.ttl, r.rdata) for r in records[:-1]]
        self.assertEqual(expected, set(found))
        self.assertEqual(len(expected), len(found))

    def test_header(self) -> None:
        """ID and question are copied, AA is set, TC, RA, AD and CD are not;
        RFC 5936 2.2.1."""
        query = Message.parse(axfr_query())
        asked = evolve(query, flags=codes.RD | codes.CD | codes.AD).encode()
        for data in self.replies(asked):
            message = Message.parse(data)
            self.assertEqual(query.id, message.id)
            self.assertEqual(codes.QR | codes.AA | codes.RD, message.flags)
            self.assertEqual(query.questions, message.questions)
            self.assertIsNone(message.edns)

    def test_edns(self) -> None:
        """OPT is there if the request had one; RFC 5936 2.2.5."""
        for data in self.replies(axfr_query(edns=Edns(udp_size=4096))):
            self.assertIsNotNone(Message.parse(data).edns)

    def test_letter_case(self) -> None:
        """Names keep their letter case, whatever that of the question and of names
        before them is; RFC 5936 3.4."""
        text = EXAMPLE + "WWW2 CNAME www\nx.wWw2 CNAME WWW2\ny.Www2 CNAME wwW2\n"
        add_zone(self.store, text.replace("example.com", "other.test"), "other.test.")
        self.build(allow_transfer=("loopback",))
        records = [
            (r.name, r.rdata)
            for data in self.replies(axfr_query("OTHER.test."))
            for r in Message.parse(data).answer
            if b"ww2" in r.name.lower()
        ]
        other = parse_name("other.test.")
        self.assertEqual(
            {
                (b"\4WWW2" + other, b"\3www" + other),
                (b"\1x\4wWw2" + other, b"\4WWW2" + other),
                (b"\1y\4Www2" + other, b"\4wwW2" + other),
            },
            set(records),
        )

    def test_udp(self) -> None:
        """Over UDP there is no AXFR; RFC 5936 4.2."""
        self.assertEqual(Rcode.FORMERR, self.rcode(axfr_query(), UDP))

    def test_malformed(self) -> None:
        """A request with an authority section is malformed; RFC 5936 2.1.4."""
        data = ixfr_query(1).replace(b"\0\xfb\0\1", b"\0\xfc\0\1", 1)
        self.assertEqual(Rcode.FORMERR, self.rcode(data))

    def test_other_zones(self) -> None:
        """For names that are no zone here the server is not the authority;
        RFC 5936 2.2.1."""
        for name in ("www.example.com.", "com.", "example.net."):
            self.assertEqual(Rcode.NOTAUTH, self.rcode(axfr_query(name)))

    def test_other_classes(self) -> None:
        """Zones are of class IN."""
        for qclass in (Class.CH, Class.ANY):
            data = question(ORIGIN, "AXFR", qclass)
            self.assertEqual(Rcode.REFUSED, self.rcode(data))

    def test_no_soa(self) -> None:
        """A zone that has lost its SOA cannot be given: SERVFAIL."""
        apply(self.store, UpdateZone(APEX, ((APEX, Type.SOA),), ()))
        self.follow()
        self.assertEqual(Rcode.SERVFAIL, self.rcode(axfr_query()))

    def test_expired(self) -> None:
        """A secondary zone that has expired is given to nobody: SERVFAIL."""
        self.authority.dialogue.policy.withheld.add(APEX)
        self.assertEqual(Rcode.SERVFAIL, self.rcode(axfr_query()))

    def test_large_records(self) -> None:
        """A record that fills a message gets one of its own."""
        rdatas = tuple(bytes((n,)) * 65000 for n in (1, 2, 3))
        big = RRset(b"\3big" + APEX, 65280, 60, rdatas)
        apply(self.store, UpdateZone(APEX, (), (big, make_soa(2026112102))))
        self.follow()
        messages = self.replies(axfr_query(edns=Edns()))
        self.assertTrue(all(len(data) <= MAX_MESSAGE_OCTETS for data in messages))
        found = {
            r.rdata for d in messages for r in Message.parse(d).answer if r.type > 65000
        }
        self.assertEqual(set(rdatas) | {b"\1\2\3"}, found)

    def test_too_large_records(self) -> None:
        """A record that fits into no message ends the transfer with an error."""
        big = RRset(b"\3big" + APEX, 65281, 60, (bytes(65535),))
        apply(self.store, UpdateZone(APEX, (), (big, make_soa(2026112102))))
        self.follow()
        messages = self.replies(axfr_query())
        self.assertEqual(Rcode.SERVFAIL, Message.parse(messages[-1]).rcode)
        self.assertEqual(1, len(self.flushLoggedErrors()))


class AccessTests(TransferTests):
    """Who may have a zone."""

    def test_nobody(self) -> None:
        """By default nobody may; RFC 5936 5."""
        self.build()
        self.assertEqual(Rcode.REFUSED, self.rcode(axfr_query()))
        self.assertEqual(Rcode.REFUSED, self.rcode(ixfr_query(1)))
        self.assertEqual(2, self.authority.status()["transfers"]["not_allowed"])

    def test_networks(self) -> None:
        """The settings name networks."""
        self.build(allow_transfer=("192.0.2.0/24", "!192.0.2.7"))
        for address, is_given in (("192.0.2.1", True), ("192.0.2.7", False)):
            self.assertEqual(is_given, self.is_given(Client(address, Transport.TCP)))

    def test_keys(self) -> None:
        """A list can name keys, and accounts that keys belong to."""
        self.build(allow_transfer=("key:k.example", "account:joe"))
        for name, account, is_given in (
            ("k.example.", "", True),
            ("other.", "joe", True),
            ("other.", "eve", False),
        ):
            key = Key(parse_name(name), parse_name("hmac-sha256."), b"s", account)
            self.assertEqual(is_given, self.is_given(evolve(TCP, key=key)))

    def test_zone_options(self) -> None:
        """What the zone's own options say goes before the settings, at once."""
        options = ZoneOptions(allow_transfer=("192.0.2.1",))
        apply(self.store, ZONE_OPTIONS.put(APEX, options))
        self.follow()
        self.assertFalse(self.is_given(TCP))
        self.assertTrue(self.is_given(Client("192.0.2.1", Transport.TCP)))
        apply(self.store, ZONE_OPTIONS.delete(APEX))
        self.follow()
        self.assertTrue(self.is_given(TCP))

    def test_broken_options(self) -> None:
        """Words that mean nothing allow nobody."""
        options = ZoneOptions(allow_transfer=("not an address",))
        apply(self.store, ZONE_OPTIONS.put(APEX, options))
        self.follow()
        self.assertFalse(self.is_given(TCP))

    def test_tls_only(self) -> None:
        """With ``transfer_over_tls_only`` only TLS will do; RFC 9103."""
        self.build(allow_transfer=("loopback",), transfer_over_tls_only=True)
        self.assertFalse(self.is_given(TCP))
        self.assertTrue(self.is_given(evolve(TCP, transport=Transport.TLS)))
        self.assertFalse(self.is_given(UDP, ixfr_query(1)))

    def test_old_tls(self) -> None:
        """Zones go over TLS 1.3, and not over what came before it; RFC 9103 7.2."""
        self.build(allow_transfer=("any",))
        for version, is_given in (("TLSv1.2", False), ("TLSv1.3", True)):
            client = Client("192.0.2.1", Transport.TLS, tls_version=version)
            self.assertEqual(is_given, self.is_given(client))


class ViewTests(TransferTests):
    """Clients that see other zones than others do."""

    def test_views(self) -> None:
        """A zone that a view does not show is none; one that it shows goes out as it
        is."""
        self.build(
            allow_transfer=("loopback",),
            views=("few server=127.0.0.9 zones=other.test",),
        )
        client = evolve(TCP, view="few")
        self.assertEqual(Rcode.NOTAUTH, self.rcode(axfr_query(), client))
        add_zone(
            self.store,
            "@ 9 SOA a b 1 2 3 4 5\n@ 9 NS a\na 9 A 1.2.3.4\n",
            "other.test.",
        )
        self.follow()
        query = axfr_query("other.test.")
        self.assertEqual(self.replies(query)[0][2:], self.replies(query, client)[0][2:])
        self.assertEqual(4, len(Message.parse(self.replies(query, client)[0]).answer))


class ChangingZoneTests(TransferTests):
    """A large zone that changes while it is read."""

    text = MANY

    def new_store(self) -> SQLiteStore:
        store = SQLiteStore(None, StoreSettings(zone_journal=5), None)
        self.successResultOf(store.open())
        return store

    def begin(self) -> list[bytes]:
        """The first message of a transfer; ``step`` lets the next one come."""
        later = self.authority.dialogue.answer(axfr_query(), TCP)
        assert isinstance(later, Later)
        messages: list[bytes] = []

        async def work() -> None:
            async for message in later.messages():
                messages.append(message)
                self.gate: Deferred[None] = Deferred()
                await self.gate

        self.working = Deferred.fromCoroutine(work())
        self.clock.advance(0)
        return messages

    def step(self) -> None:
        self.gate.callback(None)
        self.clock.advance(0)

    def finish(self) -> None:
        while not self.working.called:
            self.step()

    def test_many_messages(self) -> None:
        """Messages are filled, and none is longer than pointers reach."""
        messages = self.replies(axfr_query())
        self.assertLess(5, len(messages))
        self.assertTrue(all(len(data) <= 16384 for data in messages))
        self.assertTrue(all(len(data) > 16000 for data in messages[:-1]))
        expected = {
            (rrset.owner, rrset.type, rdata)
            for rrset in read_zone(MANY, ORIGIN)
            for rdata in rrset.rdatas
        }
        found = {
            (r.name, r.type, r.rdata) for d in messages for r in Message.parse(d).answer
        }
        self.assertEqual(expected, found)

    def test_one_version(self) -> None:
        """Whatever changes meanwhile, the transfer is the version with which it
        began."""
        before = content(make_copy(self.replies(axfr_query())))
        messages = self.begin()
        for serial, changes in enumerate(
            (
                (((b"\5host1" + APEX, 1), (b"\5host9" + APEX, 1)), ()),
                ((), (RRset(b"\5host9" + APEX, 1, 9, (b"9999",)),)),
                ((), (RRset(b"\3new" + APEX, 1, 9, (b"9999",)),)),
                (((b"\3new" + APEX, 1), (b"\3www" + APEX, 1)), ()),
                (((APEX, Type.MX),), (RRset(b"\5HOST8" + APEX, 1, 8, (b"8888",)),)),
            )
        ):
            removed, added = changes
            update = UpdateZone(APEX, removed, (*added, make_soa(2026112102 + serial)))
            apply(self.store, update)
            self.step()
            self.step()
        self.finish()
        self.assertEqual(before, content(make_copy(messages)))
        self.follow()
        after = content(make_copy(self.replies(axfr_query())))
        self.assertNotEqual(before, after)

    def test_too_many_changes(self) -> None:
        """What can no longer be read as it was ends with an error, never with a mix of
        versions."""
        messages = self.begin()
        for serial in range(2026112102, 2026112110):
            apply(self.store, UpdateZone(APEX, (), (make_soa(serial),)))
        self.finish()
        self.assertEqual(Rcode.SERVFAIL, Message.parse(messages[-1]).rcode)
        self.assertEqual(1, self.authority.status()["transfers"]["overtaken"])

    def test_removed(self) -> None:
        """A zone that is removed meanwhile ends the transfer with an error."""
        messages = self.begin()
        apply(self.store, DeleteZone(APEX))
        self.finish()
        self.assertEqual(Rcode.SERVFAIL, Message.parse(messages[-1]).rcode)
        self.assertEqual(1, self.authority.status()["transfers"]["overtaken"])

    def test_slow_client(self) -> None:
        """A client below the least rate is not served to the end."""
        self.build(
            allow_transfer=("loopback",),
            transfer_min_rate=1024,
            transfer_patience=10.0,
        )
        messages = self.begin()
        self.clock.advance(100)
        self.finish()
        self.assertEqual(2, len(messages))
        self.assertEqual(Rcode.SERVFAIL, Message.parse(messages[-1]).rcode)
        self.assertEqual(1, self.authority.status()["transfers"]["too slow"])


class TurnTests(TransferTests):
    """Transfers that wait for each other."""

    text = MANY

    def start(self, address: str) -> Any:
        """A transfer that is under way, or waits."""
        later = self.authority.dialogue.answer(
            axfr_query(), Client(address, Transport.TCP)
        )
        assert isinstance(later, Later)

        async def work() -> list[bytes]:
            return [message async for message in later.messages()]

        return Deferred.fromCoroutine(work())

    def numbers(self) -> tuple[int, int]:
        status = self.authority.status()["transfers"]
        return status["active"], status["waiting"]

    def test_limits(self) -> None:
        """So many at once, and of each client; the others wait, and get theirs."""
        self.build(allow_transfer=("any",), transfers_out=3, transfers_out_per_client=2)
        working = [self.start(f"192.0.2.{n}") for n in (1, 1, 1, 2, 2)]
        self.assertEqual((3, 2), self.numbers())
        working[1].cancel()
        self.failureResultOf(working[1])
        self.assertEqual((3, 1), self.numbers())
        working[4].cancel()
        self.failureResultOf(working[4])
        self.assertEqual((3, 0), self.numbers())
        while not all(one.called for one in working):
            self.clock.advance(0.001)
        self.assertEqual((0, 0), self.numbers())
        for index in (0, 2, 3):
            self.assertLess(5, len(self.successResultOf(working[index])))

    def test_too_many(self) -> None:
        """Where too many wait already, the next one is refused at once."""
        self.build(allow_transfer=("any",), transfers_out=1, transfers_out_waiting=1)
        first, second, third = (self.start("192.0.2.1") for _ in range(3))
        (refusal,) = self.successResultOf(third)
        self.assertEqual(Rcode.SERVFAIL, Message.parse(refusal).rcode)
        for working in (first, second):
            working.cancel()
            self.failureResultOf(working)
        self.assertEqual((0, 0), self.numbers())


class EventTests(TransferTests):
    """What is said of transfers."""

    def test_event(self) -> None:
        """Each transfer is an event, with what was sent."""
        later = self.authority.dialogue.answer(axfr_query(), TCP)
        assert isinstance(later, Later)
        messages = collect(later, self.clock)
        recorder: Any = self.authority.backend._events
        name, fields = recorder.events[-1]
        self.assertEqual("zone_sent", name)
        self.assertEqual(ORIGIN, fields["zone"])
        self.assertEqual(sum(map(len, messages)), fields["octets"])
        self.assertEqual(
            ("AXFR", "whole", "sent", "tcp"),
            tuple(fields[key] for key in ("wanted", "form", "outcome", "transport")),
        )
