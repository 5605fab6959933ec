"""The TLS layer between two ends in memory: conversations, ends, nonsense."""

from __future__ import annotations

import os
import ssl
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    ISSLTransport,
)
from twisted.internet.protocol import Factory
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from netservices.tls.layer import (
    FLUSH_SECONDS,
    TLSFactory,
    TLSFailed,
    TLSLayer,
    TLSTruncated,
)
from tests.tls.authority import Authority
from tests.tls.memory import Pair
from tests.tls.talkers import (
    HOST,
    VERSIONS,
    HalfTalker,
    LayerCase,
    Talker,
)


class ConversationTests(LayerCase):
    """What goes in comes out."""

    def test_every_split(self) -> None:
        """Handshake, question, answer and end come through whatever the pieces."""

        def answer(talker: Any, data: bytes) -> None:
            talker.transport.write(data.upper())
            talker.transport.loseConnection()

        for version in VERSIONS:
            for most in (1, 2, 3, 5, 7, 64, 1000):
                pair = self.layers(Talker(answer), None, version)
                pair.pump(most)
                self.client_layer.write(b"hello")
                pair.pump(most)
                self.assertEqual(b"HELLO", self.client.received)
                for side in (self.client, self.server):
                    self.assertEqual(["made", "lost"], side.events)
                    self.assertTrue(side.reason.check(ConnectionDone), side.reason)

    def test_both_directions_at_once(self) -> None:
        """Large blocks cross each other whole."""
        pair = self.connected()
        up, down = os.urandom(700_000), os.urandom(900_000)
        self.client_layer.write(up)
        self.server_layer.writeSequence([down[:10], down[10:]])
        pair.pump(10_000)
        self.assertEqual(up, self.server.received)
        self.assertEqual(down, self.client.received)

    def test_nothing_is_built_before_the_handshake(self) -> None:
        """A peer that has not got through the handshake costs no protocol."""
        built: list[Any] = []
        inner = Factory.forProtocol(Talker)
        inner.buildProtocol = built.append  # type: ignore[assignment,method-assign]
        factory = TLSFactory(inner, lambda: self.server_context)
        layer = factory.buildProtocol("address")
        pair = Pair(Talker(), layer, self.clock)
        pair.left.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        pair.pump()
        self.assertEqual([], built)
        pair.left.loseConnection()
        pair.pump()
        self.assertTrue(pair.right.disconnected)

    def test_factory_that_refuses(self) -> None:
        """Where the inner factory builds nothing the connection ends."""
        self.layers()
        self.server_layer._build = lambda: None
        self.pair.pump()
        self.assertTrue(self.client.reason.check(ConnectionDone))

    def test_one_write_for_one_segment(self) -> None:
        """What a protocol writes while it handles one block shares one record."""

        def answer(talker: Any, _data: bytes) -> None:
            for word in (b"a", b"b", b"c"):
                talker.transport.write(word)

        pair = self.connected(Talker(answer))
        written: list[int] = []
        write = pair.right.write
        pair.right.write = lambda data: (  # type: ignore[method-assign,assignment]
            written.append(len(data)),
            write(data),
        )
        self.client_layer.write(b"?")
        pair.pump()
        self.assertEqual(b"abc", self.client.received)
        self.assertEqual(1, len(written))

    def test_what_is_known(self) -> None:
        """Version, cipher, certificate and names are at hand after the handshake."""
        self.connected(version=ssl.TLSVersion.TLSv1_3)
        self.assertEqual("TLSv1.3", self.server_layer.version)
        self.assertIn("TLS_", self.server_layer.cipher or "")
        self.assertIsNone(self.server_layer.alpn)
        self.assertFalse(self.server_layer.session_reused)
        certificate = self.client_layer.getPeerCertificate()
        assert certificate is not None
        self.assertIn(HOST.encode(), certificate)
        self.assertIsNone(self.server_layer.getPeerCertificate())
        self.assertEqual("192.0.2.1", self.server_layer.getPeer().host)
        self.server_layer.setTcpNoDelay(True)
        self.assertTrue(self.server_layer.getTcpNoDelay())
        verifyObject(ISSLTransport, self.server_layer)

    def test_text_is_refused(self) -> None:
        """Text raises TypeError."""
        self.connected()
        self.assertRaises(TypeError, self.server_layer.write, "text")

    def test_write_before_the_handshake(self) -> None:
        """What is written early waits for the handshake, and so does the close."""
        pair = self.layers()
        self.client_layer.write(b"early")
        self.client_layer.loseConnection()
        pair.pump()
        self.assertEqual(b"early", self.server.received)
        self.assertTrue(self.server.reason.check(ConnectionDone))


class EndTests(LayerCase):
    """Clean ends, truncated ends, slow ends."""

    def test_peer_closes(self) -> None:
        """close_notify from the peer is ConnectionDone.  RFC 8446 6.1."""
        pair = self.connected()
        self.client_layer.write(b"all")
        self.client_layer.loseConnection()
        pair.pump()
        self.assertEqual(b"all", self.server.received)
        self.assertTrue(self.server.reason.check(ConnectionDone))
        self.assertTrue(self.client.reason.check(ConnectionDone))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_truncation(self) -> None:
        """An end of stream without close_notify is TLSTruncated, a ConnectionLost: the
        data may be incomplete.  RFC 8446 6.1."""
        for version in VERSIONS:
            pair = self.connected(version=version)
            self.client_layer.write(b"part")
            pair.left.loseConnection()
            pair.pump()
            self.assertEqual(b"part", self.server.received)
            self.assertTrue(self.server.reason.check(TLSTruncated))
            self.assertTrue(self.server.reason.check(ConnectionLost))

    def test_reset(self) -> None:
        """A connection that breaks is ConnectionLost."""
        pair = self.connected()
        pair.right.end(Failure(ConnectionLost()))
        self.assertTrue(self.server.reason.check(ConnectionLost))
        self.assertFalse(self.server.reason.check(TLSTruncated))

    def test_peer_ignores_close_notify(self) -> None:
        """A peer that never answers our close_notify is gone after close_seconds; what
        we sent has left, so it is a clean end."""
        pair = self.connected(close_seconds=5)
        pair.left.protocol = HalfTalker()  # takes everything, answers nothing
        self.server_layer.write(b"last")
        self.server_layer.loseConnection()
        pair.pump()
        self.clock.advance(4.9)
        self.assertEqual(["made"], self.server.events)
        self.clock.advance(0.2)
        self.assertEqual(["made", "lost"], self.server.events)

    def test_peer_never_reads_the_end(self) -> None:
        """Where our last octets cannot leave, the end is ConnectionLost."""
        pair = self.connected(close_seconds=5)
        pair.left.is_paused = True
        self.server_layer.write(b"last")
        self.server_layer.loseConnection()
        pair.pump()
        self.clock.advance(FLUSH_SECONDS)
        self.assertTrue(pair.right.aborted)
        self.assertTrue(self.server.reason.check(ConnectionLost))

    def test_slow_peer_gets_everything(self) -> None:
        """As long as octets leave, the end waits for them however slow the peer is."""
        pair = self.connected(close_seconds=5)
        pair.left.is_paused = True
        self.server_layer.write(bytes(30))
        self.server_layer.loseConnection()
        unsent = [1000]
        type(pair.right).unsent_octets = property(  # type: ignore[attr-defined]
            lambda _transport: unsent[0]
        )
        self.addCleanup(delattr, type(pair.right), "unsent_octets")
        for _ in range(5):
            self.clock.advance(FLUSH_SECONDS)
            unsent[0] -= 1
        self.assertFalse(pair.right.aborted)
        pair.left.is_paused = False
        pair.pump()
        self.assertEqual(bytes(30), self.client.received)
        self.assertTrue(self.server.reason.check(ConnectionDone))

    def test_peer_leaves_before_everything_was_sent(self) -> None:
        """The peer's end of stream while our data still waits is ConnectionLost, not a
        clean end."""
        pair = self.connected()
        pair.left.is_paused = True
        self.server_layer.write(bytes(100_000))
        self.server_layer.loseConnection()
        pair.left.loseConnection()
        pair.left.write_closed = True
        self.server_layer.readConnectionLost()
        pair.right.end(Failure(ConnectionDone()))
        self.assertTrue(self.server.reason.check(ConnectionLost))

    def test_data_after_close_notify_is_ignored(self) -> None:
        """Octets behind close_notify are not delivered.  RFC 8446 6.1."""
        pair = self.connected()
        self.client_layer.loseConnection()
        pair.left.queue += b"\x17\x03\x03\x00\x05hello"
        pair.pump()
        self.assertEqual(b"", self.server.received)
        self.assertTrue(self.server.reason.check(ConnectionDone))

    def test_half_close(self) -> None:
        """A half-closeable protocol goes on sending after the peer's close_notify.  RFC
        8446 6.1."""
        server = HalfTalker()
        pair = self.connected(server, HalfTalker())
        self.client_layer.write(b"question")
        self.client_layer.loseWriteConnection()
        pair.pump()
        self.assertEqual(["made", "read lost"], server.events)
        self.server_layer.write(b"answer")
        pair.pump()
        self.assertEqual(b"answer", self.client.received)
        self.server_layer.loseConnection()
        pair.pump()
        self.assertEqual("lost", server.events[-1])
        self.client_layer.loseConnection()
        pair.pump()
        self.assertTrue(self.client.reason.check(ConnectionDone))

    def test_close_during_dataReceived_drops_later_data(self) -> None:
        """After loseConnection nothing more is delivered."""
        pair = self.connected(Talker(lambda t, _d: t.transport.loseConnection()))
        self.client_layer.write(b"one")
        pair.pump()
        self.client_layer.write(b"two")
        pair.pump()
        self.assertEqual(b"one", self.server.received)

    def test_abort(self) -> None:
        """abortConnection drops what waits, at once."""
        pair = self.connected()
        self.server_layer.write(b"x")
        self.server_layer.abortConnection()
        self.assertTrue(pair.right.aborted)
        self.assertEqual(["made", "lost"], self.server.events)

    def test_slow_handshake(self) -> None:
        """A handshake that takes longer than handshake_seconds is cut off."""
        layer = TLSLayer(self.server_context, build=Talker, handshake_seconds=3)
        pair = Pair(Talker(), layer, self.clock)
        pair.left.write(b"\x16\x03\x01")
        pair.pump()
        self.clock.advance(2.9)
        self.assertFalse(pair.right.disconnected)
        self.clock.advance(0.2)
        self.assertTrue(pair.right.aborted)

    def test_no_timer_is_left_after_the_handshake(self) -> None:
        """An idle connection holds no timer."""
        self.connected()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_drain(self) -> None:
        """A draining server tells the protocol above, and cuts half-open handshakes."""
        drained: list[str] = []
        self.connected()
        self.server.drain = lambda: drained.append("told")  # type: ignore[attr-defined]
        self.server_layer.drain()
        self.assertEqual(["told"], drained)
        pair = self.layers()
        self.server_layer.drain()
        self.assertTrue(pair.right.aborted)


class NonsenseTests(LayerCase):
    """Peers that do not speak TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def test_garbage(self) -> None:
        """Anything that is no ClientHello ends the connection with one log line and no
        traceback."""
        for garbage in (
            b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n",
            b"EHLO me\r\n",
            bytes(1000),
            b"\x16\x03\x01\x00\x05hello",
            b"\xff" * 70_000,
        ):
            self.logged.clear()
            layer = TLSLayer(self.server_context, build=Talker)
            peer = Talker()
            pair = Pair(peer, layer, self.clock)
            pair.left.write(garbage)
            pair.pump()
            self.assertTrue(pair.right.disconnected)
            lines = [event for event in self.logged if "TLSLayer" in str(event)]
            self.assertEqual(1, len(lines), lines)
            self.assertNotIn("log_failure", lines[0])
            self.assertEqual("192.0.2.1", lines[0]["peer"])

    def test_http_without_tls(self) -> None:
        """A peer that speaks HTTP is told, in the clear, where that is known to
        help."""
        layer = TLSLayer(self.server_context, build=Talker, plain_answer=b"use TLS")
        peer = Talker()
        pair = Pair(peer, layer, self.clock)
        pair.left.write(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n")
        pair.pump()

        self.assertEqual(b"use TLS", bytes(peer.received))
        self.assertTrue(pair.right.disconnected)

    def test_alert_is_sent(self) -> None:
        """A peer that almost speaks TLS is told what is wrong.  RFC 8446 6.2."""
        layer = TLSLayer(self.server_context, build=Talker)
        peer = Talker()
        pair = Pair(peer, layer, self.clock)
        pair.left.write(b"\x16\x03\x01\x00\x05hello")
        pair.pump()
        self.assertEqual(b"\x15", peer.received[:1])

    def test_broken_record(self) -> None:
        """A record that was tampered with ends the connection with TLSFailed, and
        nothing of it is delivered."""
        pair = self.connected()
        self.client_layer.write(b"genuine")
        pair.left.queue[-1] ^= 1
        pair.pump()
        self.assertEqual(b"", self.server.received)
        self.assertTrue(self.server.reason.check(TLSFailed))

    def test_untrusted_server(self) -> None:
        """A client that does not trust the certificate ends the handshake on both
        sides."""
        stranger = Authority().server_context(self.mktemp(), HOST)
        self.server_context = stranger
        pair = self.connected()
        self.assertTrue(pair.left.disconnected)
        self.assertTrue(pair.right.disconnected)
        self.assertEqual([], self.client.events + self.server.events)
