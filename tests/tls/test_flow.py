"""Back-pressure through the TLS layer, both ways."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from netservices.tls.flow import BUFFER_OCTETS, PIECE_OCTETS
from tests.tls.talkers import (
    LayerCase,
    Source,
    Talker,
)


class BackPressureTests(LayerCase):
    """Nothing is buffered without bound, and nobody starves."""

    def test_peer_that_never_reads(self) -> None:
        """A streaming producer is paused; no more than a piece is made ciphertext."""
        pair = self.connected()
        pair.left.is_paused = True
        source = Source(self.server_layer, [bytes(100_000)] * 50, True)
        source.start()
        self.assertEqual(["pause"], source.told)
        self.assertLess(pair.right.most_queued, 2 * PIECE_OCTETS)
        self.assertEqual([], [p for p in self.server_layer._plain if len(p) > 100_000])
        self.assertLess(self.server_layer._plain_octets, 2 * BUFFER_OCTETS)
        pair.left.is_paused = False
        pair.pump(50_000)
        self.assertEqual(50 * 100_000, len(self.client.received))

    def test_writer_that_does_not_listen(self) -> None:
        """However much is written at once, the transport below holds one piece of
        ciphertext at a time."""
        pair = self.connected()
        pair.left.is_paused = True
        self.server_layer.write(bytes(20 * PIECE_OCTETS))
        self.assertLess(pair.right.most_queued, PIECE_OCTETS + 65536 + 10_000)
        pair.left.is_paused = False
        pair.pump()
        self.assertEqual(20 * PIECE_OCTETS, len(self.client.received))
        self.assertLess(pair.right.most_queued, PIECE_OCTETS + 65536 + 10_000)

    def test_pull_producer(self) -> None:
        """A pull producer is asked step by step, and a close waits for it."""
        pair = self.connected()
        pieces = [os.urandom(300_000) for _ in range(5)]
        wanted = b"".join(pieces)
        source = Source(self.server_layer, pieces, False)
        source.start()
        self.server_layer.loseConnection()
        pair.pump(100_000)
        self.assertEqual(wanted, self.client.received)
        self.assertTrue(self.client.reason.check(ConnectionDone))
        self.assertLess(pair.right.most_queued, 2 * PIECE_OCTETS)

    def test_pull_producer_of_a_peer_that_never_reads(self) -> None:
        """A pull producer is not asked while its last piece waits."""
        pair = self.connected()
        pair.left.is_paused = True
        source = Source(self.server_layer, [bytes(100_000)] * 50, False)
        source.start()
        pair.pump()
        self.assertEqual(["resume"], source.told)

    def test_producer_registered_before_the_handshake(self) -> None:
        """Producers of both kinds begin when the handshake is complete."""
        for streaming in (True, False):
            pair = self.layers()
            source = Source(
                self.server_layer, [b"a" * 70_000, b"b" * 70_000], streaming
            )
            source.start()
            pair.pump()
            self.assertEqual(140_000, len(self.client.received))

    def test_producer_paused_under_a_cork(self) -> None:
        """A producer that corked writes have paused goes on after they have left."""

        def answer(talker: Any, _data: bytes) -> None:
            sources.append(Source(talker.transport, [bytes(50_000)] * 9, True))
            sources[0].start()

        sources: list[Source] = []
        pair = self.connected(Talker(answer))
        self.client_layer.write(b"?")
        pair.pump()
        self.assertEqual(450_000, len(self.client.received))

    def test_two_producers(self) -> None:
        """A second producer is refused with RuntimeError."""
        self.connected()
        self.server_layer.registerProducer(Source(None, [], True), True)
        self.assertRaises(
            RuntimeError, self.server_layer.registerProducer, object(), True
        )

    def test_lost_connection_stops_the_producer(self) -> None:
        """A producer is stopped when the connection is gone, and one that comes later
        at once."""
        pair = self.connected()
        pair.left.is_paused = True
        source = Source(self.server_layer, [bytes(100_000)] * 50, True)
        source.start()
        pair.right.end(Failure(ConnectionLost()))
        self.assertEqual("stop", source.told[-1])
        late = Source(None, [], True)
        self.server_layer.registerProducer(late, True)
        self.assertEqual(["stop"], late.told)

    def test_peer_that_only_asks(self) -> None:
        """While answers of TLS itself cannot leave nothing more is read, so a peer that
        asks and never reads fills no memory."""
        pair = self.layers()
        pair.right.bufferSize = 10
        pair.left.step(1 << 20)  # the ClientHello
        self.assertTrue(pair.right.is_paused)
        pair.pump()
        self.assertFalse(pair.right.is_paused)
        self.assertEqual(["made"], self.server.events)

    def test_pause_reading(self) -> None:
        """pauseProducing stops delivery, of what was already decrypted too."""

        class Hesitant(Talker):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.pauseProducing()  # type: ignore[union-attr]

        pair = self.layers(Hesitant(), None)
        self.client_layer.write(b"early")
        self.client_layer.loseConnection()
        pair.pump()
        self.assertEqual(b"", self.server.received)
        self.server_layer.resumeProducing()
        self.clock.advance(0)
        pair.pump()
        self.assertEqual(b"early", self.server.received)
        self.assertTrue(self.server.reason.check(ConnectionDone))

    def test_pause_holds_back_the_end(self) -> None:
        """A protocol that pauses in dataReceived is told of the end when it goes on,
        as with plain TCP."""
        pair = self.connected(Talker(lambda t, _d: t.transport.pauseProducing()))
        self.client_layer.write(b"all")
        self.client_layer.loseConnection()
        pair.pump()
        self.assertEqual(b"all", self.server.received)
        self.assertEqual(["made"], self.server.events)
        self.server_layer.resumeProducing()
        self.clock.advance(0)
        pair.pump()
        self.assertEqual(["made", "lost"], self.server.events)
        self.assertTrue(self.server.reason.check(ConnectionDone))
