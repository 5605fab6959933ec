"""Replies that take their time, over TCP and UDP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Opcode
from netservices.dns.wire.message import Message
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, make_authority, make_store
from tests.dns.test_server import Wire, framed, unframed

WWW = question("www.example.com.", "A")
SLOW = question("www.example.com.", "SOA", opcode=Opcode.NOTIFY)


class LaterTests(SynchronousTestCase):
    """A server whose NOTIFY takes its time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        self.build()

    def build(self, **settings: Any) -> None:
        self.authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        self.authority.dialogue.opcodes[Opcode.NOTIFY] = self.reply_later
        self.gates: list[Deferred[None]] = []
        self.ended = 0
        factory = self.authority.streams
        self.connection: Any = factory.buildProtocol(None)
        self.wire = Wire()
        self.connection.makeConnection(self.wire)

    def reply_later(self, data: bytes, client: Client) -> Later:
        """Two messages, each behind a gate."""

        async def messages() -> AsyncGenerator[bytes, None]:
            try:
                for number in (1, 2):
                    self.gates.append(Deferred())
                    await self.gates[-1]
                    yield data + bytes((number,))
            finally:
                self.ended += 1

        return Later(messages)

    def sent(self) -> list[bytes]:
        return unframed(self.wire.value())

    def test_out_of_order(self) -> None:
        """A quick answer overtakes a slow one; RFC 7766 6.2.1.1."""
        self.connection.dataReceived(framed(SLOW, WWW))
        (quick,) = self.sent()
        self.assertEqual(2, len(Message.parse(quick).answer))
        self.gates[0].callback(None)
        self.gates[1].callback(None)
        self.assertEqual([quick, SLOW + b"\1", SLOW + b"\2"], self.sent())
        self.assertEqual(1, self.ended)

    def test_pressure(self) -> None:
        """The next message is made when the client has taken the one before."""
        self.connection.dataReceived(framed(SLOW))
        self.connection.pauseProducing()
        self.gates[0].callback(None)
        self.assertEqual(1, len(self.gates))
        self.connection.resumeProducing()
        self.assertEqual(2, len(self.gates))

    def test_limit(self) -> None:
        """With ``tcp_pending`` under way nothing more is read; then it goes on."""
        self.build(tcp_pending=2)
        self.connection.dataReceived(framed(SLOW, SLOW, SLOW, WWW))
        self.assertEqual(2, len(self.gates))
        self.assertEqual("paused", self.wire.producerState)
        self.assertEqual([], self.sent())
        for gate in (0, 2):
            self.gates[gate].callback(None)
        self.assertEqual(4, len(self.gates))
        self.assertEqual(2, len(self.sent()))
        for gate in (1, 4):
            self.gates[gate].callback(None)
        self.assertEqual("producing", self.wire.producerState)
        self.assertEqual(5, len(self.sent()))

    def test_gone(self) -> None:
        """A client that goes away ends what was being made for it."""
        self.connection.dataReceived(framed(SLOW, SLOW))
        self.connection.connectionLost()
        self.assertEqual(2, self.ended)

    def test_idle(self) -> None:
        """A connection that waits for its reply is not idle."""
        self.connection.dataReceived(framed(SLOW))
        self.clock.pump([1.0] * 30)
        self.assertFalse(self.wire.disconnecting)
        self.gates[0].callback(None)
        self.gates[1].callback(None)
        self.clock.pump([1.0] * 30)
        self.assertTrue(self.wire.disconnecting)

    def test_drain(self) -> None:
        """At a stop, what was asked before is still answered."""
        self.connection.dataReceived(framed(SLOW))
        self.connection.drain()
        self.connection.dataReceived(framed(WWW))
        self.assertFalse(self.wire.disconnecting)
        self.gates[0].callback(None)
        self.gates[1].callback(None)
        self.assertEqual(2, len(self.sent()))
        self.assertTrue(self.wire.disconnecting)

    def test_failure(self) -> None:
        """A reply that fails is logged and ends its connection, and no other."""
        self.connection.dataReceived(framed(SLOW))
        self.gates[0].errback(ValueError("broken"))
        self.assertTrue(self.wire.was_aborted)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_datagram(self) -> None:
        """Over UDP the reply is sent when it is there, from where it was asked."""
        sent: list[tuple[bytes, Any]] = []

        class Local:
            address = "127.0.0.5"

            def send(self, data: bytes, address: Any) -> bool:
                sent.append((data, address))
                return True

        peer = ("192.0.2.1", 4711)
        self.assertIsNone(self.authority.datagram(SLOW, peer, Local()))
        self.assertEqual([], sent)
        self.gates[0].callback(None)
        self.assertEqual([(SLOW + b"\1", peer)], sent)
