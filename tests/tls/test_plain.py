"""The way back from TLS into the clear."""

from __future__ import annotations

from typing import Any

from netservices.tls.layer import HANDSHAKE_SECONDS, start_tls
from netservices.tls.plain import stop_tls
from tests.tls.memory import Pair
from tests.tls.talkers import HOST, VERSIONS, HalfTalker, LayerCase, Talker


class PlainCase(LayerCase):
    """A connection in TLS whose server ends that when it hears ``CCC``."""

    def make(self, version: Any = VERSIONS[1]) -> Pair:
        """Client left, server right, after the handshake."""
        self.when_plain: list[bytes] = []
        self.server = Talker(self.answer)
        self.client = HalfTalker()
        self.pair = Pair(self.client, self.server, self.clock)
        start_tls(self.server, self.server_context)
        start_tls(
            self.client,
            self.authority.client_context(version),
            server_side=False,
            server_hostname=HOST,
        )
        self.pair.pump()
        return self.pair

    def answer(self, server: Talker, data: bytes) -> None:
        """End TLS."""
        if data.startswith(b"CCC"):
            server.received = b""
            server.transport.write(b"200\r\n")
            stop_tls(server, lambda: self.when_plain.append(server.received))

    def back(self) -> None:
        """The client ends TLS, too."""
        stop_tls(self.client, lambda: None)


class PlainTests(PlainCase):
    """``stop_tls``"""

    def test_both_ways(self) -> None:
        """After both close_notify the octets on the wire are the protocol's own, in
        both versions and however they are cut.  RFC 4217 5"""
        for version in VERSIONS:
            for most in (1 << 30, 1):
                pair = self.make(version)
                self.client.transport.write(b"CCC\r\n")
                pair.pump(most)
                self.assertEqual(b"200\r\n", self.client.received)
                self.assertEqual([], self.when_plain)
                self.back()
                pair.pump(most)
                self.assertEqual([b""], self.when_plain)
                self.client.transport.write(b"NOOP\r\n")
                self.server.transport.write(b"hello")
                self.assertEqual(b"NOOP\r\n", bytes(pair.left.queue))
                pair.pump(most)
                self.assertEqual(b"NOOP\r\n", self.server.received)
                self.assertEqual(b"200\r\nhello", self.client.received)
                self.assertIs(pair.right, self.server.transport)

    def test_in_the_same_segment(self) -> None:
        """What follows the client's close_notify at once is heard."""
        for version in VERSIONS:
            pair = self.make(version)
            self.client.transport.write(b"CCC\r\n")
            pair.pump()
            layer = self.client.transport
            goodbye = layer.engine.close()
            pair.left.write(goodbye + b"NOOP\r\n")
            pair.pump()
            self.assertEqual(b"NOOP\r\n", self.server.received)

    def test_said_too_early(self) -> None:
        """What the client says in TLS behind its request counts for nothing."""
        pair = self.make()
        self.client.transport.write(b"CCC\r\nDELE a\r\n")
        self.client.transport.write(b"DELE b\r\n")
        pair.pump()
        self.client.transport.write(b"DELE c\r\n")
        self.back()
        pair.pump()
        self.client.transport.write(b"NOOP\r\n")
        pair.pump()
        self.assertEqual(b"NOOP\r\n", self.server.received)

    def test_request_and_end_at_once(self) -> None:
        """A client that asks and sends close_notify in one segment is understood."""
        pair = self.make()
        layer = self.client.transport
        request = b"".join(layer.engine.encrypt(b"CCC\r\n"))
        pair.left.write(request + layer.engine.close() + b"NOOP\r\n")
        pair.pump()
        self.assertEqual([b""], self.when_plain)
        self.assertEqual(b"NOOP\r\n", self.server.received)

    def test_no_close_notify(self) -> None:
        """A client that only waits for the server's end, as curl does when told to,
        goes on in the clear."""
        for version in VERSIONS:
            for most in (1 << 30, 1):
                pair = self.make(version)
                self.client.transport.write(b"CCC\r\n")
                pair.pump()
                pair.left.write(b"TYPE I\r\n")
                pair.pump(most)
                self.assertEqual(b"TYPE I\r\n", self.server.received)

    def test_broken_records(self) -> None:
        """What begins as a TLS record and is none ends the connection."""
        pair = self.make()
        self.client.transport.write(b"CCC\r\n")
        pair.pump()
        pair.left.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        pair.pump()
        self.assertEqual([], self.when_plain)
        self.assertTrue(pair.right.aborted)
        self.assertEqual("lost", self.server.events[-1])

    def test_endless_tls(self) -> None:
        """A client that never ends TLS is not listened to for ever."""
        pair = self.make()
        self.client.transport.write(b"CCC\r\n")
        pair.pump()
        for _ in range(5):
            self.client.transport.write(bytes(100_000))
            pair.pump()
        self.assertEqual(b"", self.server.received)
        self.clock.advance(HANDSHAKE_SECONDS + 1)
        self.assertTrue(pair.right.aborted)
        self.assertEqual(["made", "lost"], self.server.events)

    def test_said_meanwhile(self) -> None:
        """What the server says before TLS has ended leaves in the clear, after it."""
        pair = self.make()
        self.client.transport.write(b"CCC\r\n")
        pair.pump()
        self.server.transport.write(b"421\r\n")
        pair.pump()
        self.assertEqual(b"200\r\n", self.client.received)
        self.back()
        pair.pump()
        self.assertEqual(b"200\r\n421\r\n", self.client.received)

    def test_client_leaves(self) -> None:
        """The end of the connection reaches the protocol, once."""
        pair = self.make()
        self.client.transport.write(b"CCC\r\n")
        pair.pump()
        pair.left.loseConnection()
        pair.pump()
        self.assertEqual(["made", "lost"], self.server.events)
        self.assertEqual([], self.clock.getDelayedCalls())
