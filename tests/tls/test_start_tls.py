"""STARTTLS: TLS put in while two sides talk."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost

from netservices.tls.layer import (
    TLSFailed,
    TLSLayer,
    start_tls,
)
from tests.tls.memory import Pair
from tests.tls.talkers import (
    HOST,
    LayerCase,
    Listener,
    Source,
    Talker,
)


class StartTLSTests(LayerCase):
    """TLS put in while the two sides talk."""

    def start(self, server: Talker, **options: Any) -> Pair:
        """Two plain talkers."""
        self.server, self.client = server, Talker()
        return Pair(self.client, self.server, self.clock)

    def upgrade(self, talker: Any, _data: bytes) -> None:
        """What a server does at STARTTLS."""
        if not talker.transport.getTcpNoDelay():
            talker.transport.setTcpNoDelay(True)  # any mark: upgrade once
            talker.transport.write(b"go")
            self.opened: list[TLSLayer] = []
            start_tls(talker, self.server_context, when_open=self.opened.append)

    def test_upgrade(self) -> None:
        """After the go-ahead both talk TLS, and the protocol is told when."""
        server = Listener(self.upgrade)
        pair = self.start(server)
        self.client.transport.write(b"STARTTLS")  # type: ignore[union-attr]
        pair.pump()
        self.assertEqual(b"go", self.client.received)
        layer = start_tls(
            self.client,
            self.authority.client_context(),
            server_side=False,
            server_hostname=HOST,
        )
        pair.pump(3)
        self.assertEqual([server.transport], self.opened)
        self.assertEqual(["made", "handshake"], server.events)
        layer.write(b"secret")
        self.assertNotIn(b"secret", bytes(pair.left.queue))
        pair.pump()
        self.assertEqual(b"STARTTLSsecret", server.received)
        layer.loseConnection()
        pair.pump()
        self.assertTrue(server.reason.check(ConnectionDone))

    def test_injected_plaintext(self) -> None:
        """Octets in the clear behind the go-ahead are no TLS: the handshake fails, and
        they are never delivered.  RFC 3207 4.2."""
        server = Talker(self.upgrade)
        pair = self.start(server)
        self.client.transport.write(b"STARTTLS")  # type: ignore[union-attr]
        pair.pump()
        self.client.transport.write(b"MAIL FROM:<evil@example>\r\n")  # type: ignore
        pair.pump()
        self.assertEqual(b"STARTTLS", server.received)
        self.assertTrue(server.reason.check(TLSFailed))

    def test_peer_leaves_during_the_handshake(self) -> None:
        """The protocol learns that its connection is lost."""
        server = Talker(self.upgrade)
        pair = self.start(server)
        self.client.transport.write(b"STARTTLS")  # type: ignore[union-attr]
        pair.pump()
        pair.left.loseConnection()
        pair.pump()
        self.assertTrue(server.reason.check(ConnectionLost))

    def test_close_during_the_handshake(self) -> None:
        """loseConnection in the middle of a handshake ends the connection."""
        server = Talker(self.upgrade)
        pair = self.start(server)
        self.client.transport.write(b"STARTTLS")  # type: ignore[union-attr]
        pair.pump()
        server.transport.loseConnection()  # type: ignore[union-attr]
        pair.pump()
        self.assertEqual(["made", "lost"], server.events)
        self.assertTrue(server.reason.check(ConnectionDone))

    def test_producer_moves(self) -> None:
        """A producer that was registered on the transport serves the layer."""
        server = Talker(self.upgrade)
        pair = self.start(server)
        producer = Source(None, [], True)
        server.transport.registerProducer(producer, True)  # type: ignore[union-attr]
        self.client.transport.write(b"STARTTLS")  # type: ignore[union-attr]
        pair.pump()
        layer: Any = server.transport
        self.assertIs(producer, layer.producer)
        start_tls(
            self.client,
            self.authority.client_context(),
            server_side=False,
            server_hostname=HOST,
        )
        pair.pump()
        pair.left.is_paused = True
        layer.write(bytes(200_000))
        self.assertEqual(["pause"], producer.told)
        pair.left.is_paused = False
        producer.streaming = False
        producer.pieces = [b"more"]
        producer.transport = layer
        pair.pump()
        self.assertEqual(["pause", "resume"], producer.told)
        self.assertEqual(2 + 200_000 + 4, len(self.client.received))
