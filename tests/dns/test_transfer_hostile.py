"""Clients of zone transfers that mean no good, or have bad luck."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.later import Later
from netservices.dns.server.turns import Turns
from netservices.dns.wire.codes import QR, Rcode
from netservices.dns.wire.message import Message
from tests.dns.authority import EXAMPLE
from tests.dns.house import add_zone, make_authority, make_store
from tests.dns.receiving import (
    TCP,
    UDP,
    axfr_query,
    collect,
    content,
    ixfr_query,
    make_copy,
)
from tests.dns.test_server import Wire, framed, unframed

MANY = EXAMPLE + "".join(f"host{i} 60 A 10.0.{i >> 8}.{i & 255}\n" for i in range(1500))


class HostileTests(SynchronousTestCase):
    """A server that gives its zone to everybody."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, MANY)
        self.build()

    def build(self, **settings: Any) -> None:
        options = {"allow_transfer": ("any",), "load_slice": 100000, **settings}
        self.authority = make_authority(self.store, self.clock, **options)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def connect(self, number: int = 1) -> tuple[Any, Wire]:
        """A connection from an address of that number, and what it writes to."""
        address = IPv4Address("TCP", f"10.{number >> 8}.{number & 255}.1", 4711)
        connection: Any = self.authority.streams.buildProtocol(address)
        wire = Wire()
        connection.makeConnection(wire)
        return connection, wire

    def status(self) -> Any:
        return self.authority.status()["transfers"]

    def test_never_reads(self) -> None:
        """A client that takes nothing is cut off, and its turn is another's."""
        connection, wire = self.connect()
        connection.dataReceived(framed(axfr_query()))
        connection.pauseProducing()
        self.clock.advance(0)
        self.assertEqual(1, self.status()["active"])
        self.clock.pump([1.0] * 30)
        self.assertTrue(wire.was_aborted)
        connection.connectionLost()
        self.assertEqual(0, self.status()["active"])
        self.assertEqual(1, self.status()["broken off"])

    def test_cut(self) -> None:
        """A connection that breaks in the middle leaves nothing behind."""
        for messages in range(4):
            connection, wire = self.connect()
            connection.dataReceived(framed(axfr_query()))
            connection.pauseProducing()
            for _ in range(messages):
                self.clock.advance(0)
                connection.resumeProducing()
                connection.pauseProducing()
            connection.connectionLost()
            self.clock.advance(1)
            self.assertEqual(0, self.status()["active"])
        self.assertEqual([], self.flushLoggedErrors())

    def test_thousand(self) -> None:
        """Of a thousand requests at once ten run, the others wait, and all end."""
        self.build(transfers_out_waiting=500)
        self.authority.streams.turns = Turns(lambda go_on: None, 1 << 30)
        connections = [self.connect(number) for number in range(1000)]
        for connection, _ in connections:
            connection.dataReceived(framed(axfr_query()))
            self.assertLessEqual(self.status()["active"], 10)
        connections[3][0].connectionLost()
        for connection, _ in connections[20:120]:
            connection.connectionLost()
        self.assertLessEqual(self.status()["waiting"], 500)
        while self.status()["active"]:
            self.clock.advance(0)
            self.assertLessEqual(self.status()["active"], 10)
        whole = refused = 0
        for _, wire in connections:
            messages = unframed(wire.value())
            if not messages:
                continue
            if Message.parse(messages[0]).rcode == Rcode.SERVFAIL:
                refused += 1
            elif len(messages) > 1 and b"\3ns1" in messages[-1]:
                whole += 1
        self.assertEqual(490, refused)
        self.assertEqual(510 - 101, whole)

    def test_many_on_one_connection(self) -> None:
        """Several transfers on one connection are answered each with its own ID, and
        questions between them; RFC 5936 4.1.2."""
        connection, wire = self.connect()
        queries = [axfr_query() for _ in range(3)]
        connection.dataReceived(framed(*queries))
        while self.status()["active"]:
            self.clock.advance(0)
        messages = unframed(wire.value())
        whole = content(make_copy(collect_all(self, axfr_query())))
        for query in queries:
            own = [data for data in messages if data[:2] == query[:2]]
            self.assertEqual(whole, content(make_copy(own)))

    def test_questions(self) -> None:
        """No question, two questions, or an answer section: FORMERR."""
        query = Message.parse(axfr_query())
        (asked,) = query.questions
        for data in (
            axfr_query()[:4] + bytes(8),
            axfr_query()[:4] + b"\0\2" + axfr_query()[6:],
            axfr_query()[:6] + b"\0\1" + axfr_query()[8:],
            type(query)(questions=(asked, asked)).encode(),
        ):
            for client in (TCP, UDP):
                reply = self.authority.dialogue.answer(data, client)
                assert isinstance(reply, bytes)
                self.assertEqual(Rcode.FORMERR, reply[3] & 15)

    def test_flipped_bits(self) -> None:
        """Whatever bits of a request are wrong, there is a reply or silence, and
        nothing in the log."""
        chance = random.Random(1995)
        for query in (ixfr_query(5), axfr_query()):
            for _ in range(1500):
                data = bytearray(query)
                for _ in range(chance.randrange(1, 4)):
                    data[chance.randrange(2, len(data))] ^= 1 << chance.randrange(8)
                for client in (TCP, UDP):
                    reply = self.authority.dialogue.answer(bytes(data), client)
                    if isinstance(reply, bytes):
                        self.assertTrue(reply[2] << 8 & QR)
        self.assertEqual([], self.flushLoggedErrors())

    def test_small_buffers(self) -> None:
        """Over UDP no reply is longer than the client takes."""
        for serial in (1, 2026112100, 2026112101):
            reply = self.authority.dialogue.answer(ixfr_query(serial), UDP)
            if isinstance(reply, Later):
                (reply,) = collect(reply, self.clock)
            assert reply is not None
            self.assertLessEqual(len(reply), 512)


def collect_all(case: HostileTests, query: bytes) -> list[bytes]:
    """The messages of one transfer."""
    later = case.authority.dialogue.answer(query, TCP)
    assert isinstance(later, Later)
    return collect(later, case.clock)
