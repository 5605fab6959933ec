"""Other servers are told of changes: NOTIFY (RFC 1996)."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.client.notify import Courier, Delivered, make_notification
from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.server.notifier import is_own_address
from netservices.dns.wire.codes import AA, QR, Opcode, Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.signing import Believed, check_request
from netservices.dns.wire.tsig import Key, find_tsig
from netservices.units import DeleteZone, UpdateZone
from netservices.values import RRset
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.receiving import ORIGIN, make_soa

reactor: Any = global_reactor
APEX = parse_name(ORIGIN)
ZONE = """
$TTL 3600
@    SOA  ns1 hostmaster 1 7200 1800 1209600 300
     NS   ns1
     NS   ns2
     NS   ns.elsewhere.test.
     NS   ns.other.test.
ns1  A    192.0.2.1
ns2  A    192.0.2.2
     AAAA 2001:db8::2
"""
OTHER = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.3\n"


class Messenger:
    """In place of what sends: keeps what it is to bring, and to whom."""

    def __init__(self) -> None:
        self.brought: list[tuple[int, Peer]] = []
        self.waiting: list[Deferred[Delivered]] = []
        self.keys: list[Key | None] = []

    async def deliver(self, message: Message, peer: Peer, key: Key | None) -> Delivered:
        serial = int.from_bytes(message.answer[0].rdata[-20:-16], "big")
        self.brought.append((serial, peer))
        self.keys.append(key)
        self.waiting.append(Deferred())
        return await self.waiting[-1]

    def stop(self) -> None:
        """Nothing is open."""

    def take(self) -> list[tuple[int, str]]:
        """Serials and addresses since the last time."""
        brought, self.brought = self.brought, []
        return [(serial, str(peer)) for serial, peer in brought]


class NotifierTests(SynchronousTestCase):
    """A server with secondaries."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, ZONE)
        add_zone(self.store, OTHER, "other.test.")
        self.clock.advance(1000)
        self.build()

    def build(self, **settings: Any) -> None:
        self.authority = make_authority(self.store, self.clock, **settings)
        self.notifier = self.authority.notifier
        self.messenger = Messenger()
        self.notifier.courier = self.messenger  # type: ignore[assignment]
        self.notifier.is_own = lambda address: address == "192.0.2.99"
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        self.clock.advance(0)

    def change(self, serial: int, *added: RRset) -> None:
        apply(self.store, UpdateZone(APEX, (), (*added, make_soa(serial))))
        self.follow()

    def follow(self) -> None:
        while self.authority.backend._has_work or self.authority.backend._is_working:
            self.clock.advance(0.01)
        self.clock.advance(0)

    def options(self, **fields: Any) -> None:
        apply(self.store, ZONE_OPTIONS.put(APEX, ZoneOptions(**fields)))
        self.follow()

    def events(self, name: str) -> list[Any]:
        recorder: Any = self.authority.backend._events
        return [fields for event, fields in recorder.events if event == name]

    def test_name_servers(self) -> None:
        """A new serial is told to the addresses of the NS that are in zones of ours,
        but not to that of the primary master; RFC 1996 3.3."""
        self.change(2)
        self.assertEqual(
            {(2, "192.0.2.2"), (2, "[2001:db8::2]"), (2, "192.0.2.3")},
            set(self.messenger.take()),
        )

    def test_own_address(self) -> None:
        """We do not tell ourselves."""
        self.change(2, RRset(b"\3ns2" + APEX, Type.A, 60, (bytes((192, 0, 2, 99)),)))
        addresses = {address for _, address in self.messenger.take()}
        self.assertNotIn("192.0.2.99", addresses)

    def test_listed(self) -> None:
        """The zone's options and the settings list more, each told once."""
        self.build(notify=("192.0.2.50@5353", "192.0.2.2"))
        self.options(notify=("192.0.2.60 key=k", "192.0.2.50@5353", "nonsense @"))
        self.change(2)
        found = [address for _, address in self.messenger.take()]
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(
            {"192.0.2.60 key=k", "192.0.2.50@5353", "192.0.2.2", "[2001:db8::2]"}
            | {"192.0.2.3"},
            set(found),
        )

    def test_same_serial(self) -> None:
        """A change that leaves the serial is not told."""
        self.change(1, RRset(b"\1x" + APEX, Type.A, 60, (b"1234",)))
        self.clock.advance(5)
        self.assertEqual([], self.messenger.take())

    def test_together(self) -> None:
        """What changes within a second of the last notification is told together."""
        self.change(2)
        self.assertEqual(3, len(self.messenger.take()))
        for serial in range(3, 9):
            self.change(serial)
        self.assertEqual([], self.messenger.take())
        self.clock.advance(1)
        self.assertEqual({8}, {serial for serial, _ in self.messenger.take()})
        self.clock.advance(5)
        self.assertEqual([], self.messenger.take())

    def test_newer_version(self) -> None:
        """What a newer serial has overtaken is told no longer."""
        self.change(2)
        self.clock.advance(1)
        self.change(3)
        self.assertEqual(
            [True] * 3 + [False] * 3, [one.called for one in self.messenger.waiting]
        )
        self.assertEqual(3, self.notifier.status()["under_way"])

    def test_start(self) -> None:
        """A start tells nobody, unless ``notify_on_start`` is set."""
        self.assertEqual([], self.messenger.take())
        self.build(notify_on_start=True)
        self.assertEqual({1}, {serial for serial, _ in self.messenger.take()})

    def test_new_zone(self) -> None:
        """A zone that comes while the server runs is told."""
        text = "@ 60 SOA ns h 7 2 3 4 5\n@ 60 NS ns2.example.com.\n"
        add_zone(self.store, text, "new.test.")
        self.follow()
        self.assertIn((7, "192.0.2.2"), self.messenger.take())

    def test_removed_zone(self) -> None:
        """A zone that is gone is not told; one that comes back under its name is."""
        self.change(2)
        self.messenger.take()
        apply(self.store, DeleteZone(APEX))
        self.follow()
        self.assertEqual([], self.messenger.take())
        add_zone(self.store, ZONE)
        self.follow()
        self.clock.advance(1)
        self.assertEqual({1}, {serial for serial, _ in self.messenger.take()})

    def test_queue(self) -> None:
        """What is beyond ``notify_queue`` is dropped and counted."""
        self.build(notify_queue=3)
        self.change(2)
        apply(self.store, UpdateZone(parse_name("other.test."), (), ()))
        text = "@ 60 SOA ns h 7 2 3 4 5\n@ 60 NS ns2.example.com.\n"
        add_zone(self.store, text, "new.test.")
        self.follow()
        self.assertEqual(1, self.notifier.status()["dropped"])

    def test_parallel(self) -> None:
        """So many wait for replies at once; the others follow."""
        self.build(notify_parallel=1)
        self.change(2)
        self.assertEqual(1, len(self.messenger.take()))
        self.messenger.waiting[0].callback(Delivered("udp", 1))
        self.assertEqual(1, len(self.messenger.take()))

    def test_outcomes(self) -> None:
        """Success is an event; failure is said once, until there was a success."""
        self.options(notify=("192.0.2.60",))
        for serial in (2, 3, 4, 5):
            self.clock.advance(1)
            self.change(serial)
            brought = self.messenger.take()
            for waiting, (_, address) in zip(
                self.messenger.waiting[-len(brought) :], brought, strict=True
            ):
                if address == "192.0.2.60" and serial != 4:
                    waiting.errback(NoAnswer("no reply"))
                else:
                    waiting.callback(Delivered("udp", 2))
        failures = self.events("zone_notify_failed")
        self.assertEqual([2, 5], [fields["serial"] for fields in failures])
        self.assertEqual("no reply", failures[0]["reason"])
        self.assertEqual(13, len(self.events("zone_notified")))
        self.assertEqual(13, self.notifier.status()["told"])
        self.assertEqual(3, self.notifier.status()["failed"])

    def test_stop(self) -> None:
        """A stop ends what is due and under way."""
        self.change(2)
        self.change(3)
        self.authority.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(0, self.notifier.status()["under_way"])

    def test_message(self) -> None:
        """A notification has the opcode, AA, the question and the SOA;
        RFC 1996 3.7."""
        message = Message.parse(make_notification(make_soa(7)).encode())
        self.assertEqual((Opcode.NOTIFY, AA), (message.opcode, message.flags))
        (asked,) = message.questions
        self.assertEqual((APEX, Type.SOA), (asked.name, asked.type))
        self.assertEqual(make_soa(7).rdatas[0], message.answer[0].rdata)

    def test_is_own_address(self) -> None:
        """The address of this machine is known; that of others is not taken for it."""
        self.assertTrue(is_own_address("127.0.0.1"))
        self.assertFalse(is_own_address("127.0.0.77"))
        self.assertFalse(is_own_address("nonsense"))


class Secondary(DatagramProtocol):
    """Replies to notifications, after so many of them were lost."""

    def __init__(self, lost: int = 0, key: Key | None = None) -> None:
        self.lost = lost
        self.key = key
        self.rcode: int = Rcode.NOERROR
        self.heard: list[tuple[bytes, Any]] = []

    def reply(self, data: bytes) -> bytes:
        """The reply, signed where the request is."""
        if self.key is not None:
            keys = {self.key.name: self.key}
            checked = check_request(data, find_tsig(data), keys, reactor.seconds())
            assert isinstance(checked, Believed)
            return checked.signer.sign(
                self.reply_to(checked.message), reactor.seconds()
            )
        return self.reply_to(data)

    def reply_to(self, data: bytes) -> bytes:
        message = Message.parse(data)
        return evolve(message, flags=QR | AA, rcode=self.rcode, answer=()).encode()

    def datagramReceived(self, data: bytes, address: Any) -> None:
        self.heard.append((data, address))
        if len(self.heard) <= self.lost:
            return
        # Somebody guesses, and the wrong question comes back: neither is the reply.
        self.transport.write(b"\0\0" + data[2:], address)
        self.transport.write(data, address)
        self.transport.write(self.reply(data), address)


class OverTCP(Protocol):
    """The same over TCP."""

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard.append(data[2:])  # type: ignore[attr-defined]
        reply = Secondary().reply(data[2:])
        assert self.transport is not None
        self.transport.write(len(reply).to_bytes(2, "big") + reply)


class CourierTests(TestCase):
    """Notifications on real sockets."""

    def listen(self, secondary: Secondary) -> Peer:
        port = reactor.listenUDP(0, secondary, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return Peer("127.0.0.1", port.getHost().port)

    def make_courier(self, **options: Any) -> Courier:
        courier = Courier(reactor, **{"waits": (0.05, 0.1, 5.0), **options})
        self.addCleanup(courier.stop)
        return courier

    @as_deferred
    async def test_repeated(self) -> None:
        """A notification is repeated until there is a reply, from the same port and
        with the same ID; RFC 1996 3.6."""
        secondary = Secondary(lost=2)
        peer = self.listen(secondary)
        message = make_notification(make_soa(7))
        done = await self.make_courier().deliver(message, peer, None)
        self.assertEqual(Delivered("udp", 3), done)
        self.assertEqual(1, len(set(secondary.heard)))

    @as_deferred
    async def test_source(self) -> None:
        """It leaves from the address that is set."""
        secondary = Secondary()
        peer = self.listen(secondary)
        courier = self.make_courier(sources=("127.0.0.9", "127.0.0.8", "::1"))
        await courier.deliver(make_notification(make_soa(7)), peer, None)
        self.assertEqual("127.0.0.9", secondary.heard[0][1][0])

    @as_deferred
    async def test_signed(self) -> None:
        """It is signed with the peer's key, and so must the reply be; RFC 8945."""
        key = Key(parse_name("k."), parse_name("hmac-sha256."), b"secret")
        secondary = Secondary(key=key)
        peer = evolve(self.listen(secondary), key="k")
        courier = self.make_courier()
        message = make_notification(make_soa(7))
        self.assertEqual(Delivered("udp", 1), await courier.deliver(message, peer, key))
        await self.assertFailure(
            Deferred.fromCoroutine(courier.deliver(message, peer, None)), NoAnswer
        )

    @as_deferred
    async def test_refused(self) -> None:
        """A server that will not have it, or does not know NOTIFY, is not asked again;
        RFC 1996 3.12."""
        secondary = Secondary()
        peer = self.listen(secondary)
        for rcode in (Rcode.REFUSED, Rcode.NOTIMP):
            secondary.rcode = rcode
            delivery = self.make_courier().deliver(
                make_notification(make_soa(7)), peer, None
            )
            problem = await self.assertFailure(
                Deferred.fromCoroutine(delivery), NoAnswer
            )
            self.assertIn(rcode.name, str(problem))
        self.assertEqual(2, len(secondary.heard))

    @as_deferred
    async def test_tcp(self) -> None:
        """Without a reply over UDP it goes over TCP; RFC 1996 3.4."""
        factory: Any = Factory.forProtocol(OverTCP)
        factory.heard = []
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        peer = Peer("127.0.0.1", port.getHost().port)
        courier = self.make_courier(waits=(0.02, 0.02))
        message = make_notification(make_soa(7))
        self.assertEqual(
            Delivered("tcp", 3), await courier.deliver(message, peer, None)
        )
        self.assertEqual([message.encode()], factory.heard)

    @as_deferred
    async def test_nobody(self) -> None:
        """Where nobody listens, it says so in the end."""
        secondary = Secondary(lost=99)
        peer = self.listen(secondary)
        courier = self.make_courier(waits=(0.02, 0.02))
        delivery = courier.deliver(make_notification(make_soa(7)), peer, None)
        await self.assertFailure(Deferred.fromCoroutine(delivery), NoAnswer)
        self.assertEqual(2, len(secondary.heard))
