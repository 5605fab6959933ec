"""Many TCP connections: who has to go, and how long the others may be idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.policy import Client, Transport
from netservices.dns.server.connections import Connections
from netservices.dns.server.stream import OCTETS_A_TURN, StreamConnection
from netservices.dns.server.turns import BUDGET_OCTETS, Turns
from netservices.dns.wire import edns
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, make_authority, make_store
from tests.dns.test_server import WWW, Wire, framed, unframed

BIG = "".join(f"big TXT {'x' * 200}{i:03}\n" for i in range(50))


class Thing:
    """A connection that notes that it was closed."""

    def __init__(self, is_waiting: bool = False) -> None:
        self.is_waiting = is_waiting
        self.was_closed = False

    def close(self) -> None:
        """Note it."""
        self.was_closed = True


class TableTests(SynchronousTestCase):
    """RFC 7766 6.2."""

    def setUp(self) -> None:
        self.clock = Clock()

    def make(self, most: int, most_per_client: int = 1000) -> Connections:
        return Connections(most, most_per_client, 10.0, self.clock.seconds)

    def fill(self, table: Connections, count: int, client: str = "") -> list[Thing]:
        things = [Thing() for _ in range(count)]
        for thing in things:
            table.add(thing, client)
        return things

    def test_one_too_many(self) -> None:
        """It replaces the most idle one."""
        table = self.make(3)
        first, second, third = self.fill(table, 3)
        table.touch(first)
        self.fill(table, 1)
        closed = [thing.was_closed for thing in (first, second, third)]
        self.assertEqual([False, True, False], closed)
        self.assertEqual((3, 1), (len(table), table.replaced))

    def test_one_too_many_of_a_client(self) -> None:
        """It replaces one of its own, and nobody else's."""
        table = self.make(100, 3)
        others = self.fill(table, 3, "192.0.2.2")
        first, second, third = self.fill(table, 3, "192.0.2.1")
        table.touch(first)
        (fourth,) = self.fill(table, 1, "192.0.2.1")
        self.assertTrue(second.was_closed)
        left = [first, third, fourth, *others]
        self.assertFalse(any(thing.was_closed for thing in left))
        for thing in left:
            table.discard(thing)
        self.assertEqual(0, len(table))
        self.assertFalse(any(t.was_closed for t in self.fill(table, 3, "192.0.2.1")))

    def test_one_for_each(self) -> None:
        """Where a client may have one, the new one stays."""
        table = self.make(100, 1)
        first, second = self.fill(table, 2, "192.0.2.1")
        self.assertEqual((True, False), (first.was_closed, second.was_closed))
        self.assertEqual((second,), table.all())

    def test_not_counted(self) -> None:
        """Clients without a name may have any number."""
        table = self.make(100, 1)
        self.assertFalse(any(thing.was_closed for thing in self.fill(table, 50)))

    def test_idle_time_shrinks(self) -> None:
        """The whole time for the first half, then less, down to a second."""
        table = self.make(10)
        times = []
        for _ in range(10):
            self.fill(table, 1)
            times.append(round(table.idle_seconds(), 3))
        self.assertEqual([10.0] * 5 + [8.0, 6.0, 4.0, 2.0, 1.0], times)
        self.assertEqual(0.0, table.told_seconds())

    def test_idle_ones_go(self) -> None:
        """When the time shrinks, those that are idle for longer go; but not those that
        wait for us."""
        table = self.make(10)
        old = self.fill(table, 3)
        waiting = Thing(is_waiting=True)
        table.add(waiting, "")
        self.clock.advance(7)
        young = self.fill(table, 3)
        self.assertEqual([True] * 3, [thing.was_closed for thing in old])
        self.assertFalse(waiting.was_closed)
        self.assertFalse(any(thing.was_closed for thing in young))


class TurnsTests(SynchronousTestCase):
    """The budget of all connections together."""

    def setUp(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.turns = Turns(self.calls.append)
        self.done: list[int] = []

    def next_turn(self) -> None:
        """Call what is to be called."""
        for call in [self.calls.pop() for _ in tuple(self.calls)]:
            call()

    def work(self, number: int) -> None:
        """Spend half of the budget."""
        self.done.append(number)
        self.turns.spend(1, BUDGET_OCTETS // 2)

    def test_order(self) -> None:
        """Who waits goes on in order, as far as the budget of each turn reaches."""
        self.turns.spend(0, BUDGET_OCTETS)
        self.assertTrue(self.turns.is_over)
        for number in range(5):
            self.turns.wait(lambda number=number: self.work(number))
        for turn in ([0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4]):
            self.next_turn()
            self.assertEqual(turn, self.done)
        self.assertFalse(self.turns.is_over)

    def test_once_a_turn(self) -> None:
        """Who comes back to wait has its next turn later; afterwards nothing is left
        to be called."""
        self.turns.wait(lambda: self.turns.wait(lambda: self.work(1)))
        self.next_turn()
        self.assertEqual([], self.done)
        self.next_turn()
        self.assertEqual([1], self.done)
        self.next_turn()
        self.assertEqual([], self.calls)


class StreamTests(SynchronousTestCase):
    """The same, with real connections on a transport in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE + BIG)

    def build(self, **settings: Any) -> None:
        self.authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def connect(self, address: str = "192.0.2.1") -> tuple[StreamConnection, Wire]:
        make = IPv6Address if ":" in address else IPv4Address
        connection = self.authority.streams.buildProtocol(make("TCP", address, 4711))
        wire = Wire()
        connection.makeConnection(wire)
        return connection, wire

    def told(self, wire: Wire, connection: StreamConnection) -> int:
        """The keepalive time that a client is told, in tenths of a second."""
        asked = Edns(1232, False, ((edns.TCP_KEEPALIVE, b""),))
        wire.clear()
        connection.dataReceived(framed(question("www.example.com.", "A", edns=asked)))
        (reply,) = unframed(wire.value())
        opt = Message.parse(reply).edns
        assert opt is not None
        return int.from_bytes(opt.option(edns.TCP_KEEPALIVE) or b"", "big")

    def test_per_client(self) -> None:
        """An IPv4 address is a client, and so is an IPv6 network."""
        self.build(tcp_connections_per_client=2)
        for one, other in (
            ("192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:100::1", "2001:db8:0:200::1"),
        ):
            wires = [self.connect(address)[1] for address in (one, one, other, one)]
            closed = [wire.disconnecting for wire in wires]
            self.assertEqual([True, False, False, False], closed)
        same = [self.connect(f"2001:db8:0:301::{i}")[1] for i in range(3)]
        self.assertTrue(same[0].disconnecting)
        self.assertEqual(3, self.authority.status()["tcp_replaced"])

    def test_keepalive(self) -> None:
        """Clients are told how long they may be idle as things are.  RFC 7828 3.3.2."""
        self.build(tcp_connections=10, tcp_idle=10.0)
        connection, wire = self.connect()
        self.assertEqual(100, self.told(wire, connection))
        for _ in range(7):
            self.connect()
        self.assertEqual(40, self.told(wire, connection))
        for _ in range(2):
            self.connect()
        self.assertEqual(0, self.told(wire, connection))

    def test_shorter_time_holds(self) -> None:
        """The time that was told is the time after which the connection ends."""
        self.build(tcp_connections=10, tcp_idle=10.0)
        for _ in range(7):
            self.connect()
        connection, wire = self.connect()
        self.assertEqual(40, self.told(wire, connection))
        for _ in range(3):
            self.clock.advance(1)
        self.assertFalse(wire.disconnecting)
        for _ in range(2):
            self.clock.advance(1)
        self.assertTrue(wire.disconnecting)

    def test_queries(self) -> None:
        """A connection ends after ``tcp_queries`` questions, all of them answered."""
        self.build(tcp_queries=3)
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW, WWW))
        self.assertFalse(wire.disconnecting)
        connection.dataReceived(framed(WWW, WWW))
        self.assertEqual(3, len(unframed(wire.value())))
        self.assertTrue(wire.disconnecting)

    def test_many_at_once(self) -> None:
        """Many connections with much to answer share a turn: so datagrams are never
        held up for long.  All get their answers in the end."""
        self.build()
        calls: list[Callable[[], object]] = []
        self.authority.streams.turns = Turns(calls.append)
        big = question("big.example.com.", "TXT")
        pairs = [self.connect(f"192.0.2.{n}") for n in range(50)]
        for connection, _ in pairs:
            connection.dataReceived(framed(big))
        size = len(unframed(pairs[0][1].value())[0])
        before, turns = 0, 0
        while before < 50:
            answered = sum(bool(wire.value()) for _, wire in pairs)
            self.assertLessEqual((answered - before - 1) * size, BUDGET_OCTETS)
            before, turns = answered, turns + 1
            for call in [calls.pop() for _ in tuple(calls)]:
                call()
        self.assertGreater(turns, 3)

    def test_memory(self) -> None:
        """A client that takes nothing cannot make us keep more than a turn's worth."""
        self.build()
        connection, wire = self.connect()
        big = question("big.example.com.", "TXT")
        size = len(self.authority.dialogue.answer(big, Client("::1", Transport.TCP)))
        connection.dataReceived(framed(*[big] * 100))
        self.assertEqual("paused", wire.producerState)
        self.assertLess(len(wire.value()), OCTETS_A_TURN + size + 100)
        connection.pauseProducing()
        for _ in range(3):
            self.clock.advance(0)
        self.assertLess(len(wire.value()), OCTETS_A_TURN + size + 100)
        connection.resumeProducing()
        for _ in range(100):
            self.clock.advance(0)
        self.assertEqual(100, len(unframed(wire.value())))

    def test_one_octet_a_minute(self) -> None:
        """Octets do not keep a connection open; only whole questions do."""
        self.build(tcp_idle=60.0)
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW)[:1])
        for _ in range(61):
            self.clock.advance(1)
        self.assertTrue(wire.disconnecting)
