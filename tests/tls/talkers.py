"""Protocols, producers and a test case for pairs of TLS layers in memory."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from netservices.tls.layer import (
    TLSLayer,
)
from tests.tls.authority import Authority
from tests.tls.memory import Pair

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
HOST = "server.example"


class Talker(Protocol):
    """Keeps what it receives; answers with what ``answers`` says."""

    def __init__(self, answer: Any = None) -> None:
        self.received = b""
        self.events: list[str] = []
        self.reason: Any = None
        self.answer = answer

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.answer is not None:
            self.answer(self, data)

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")
        self.reason = reason


@implementer(IHalfCloseableProtocol)
class HalfTalker(Talker):
    """Goes on sending after the peer's end."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


@implementer(IHandshakeListener)
class Listener(Talker):
    """Is told of the handshake."""

    def handshakeCompleted(self) -> None:
        self.events.append("handshake")


class Source:
    """A producer over a number of pieces."""

    def __init__(self, transport: Any, pieces: list[bytes], streaming: bool) -> None:
        self.transport = transport
        self.pieces = pieces
        self.streaming = streaming
        self.is_paused = False
        self.told: list[str] = []

    def start(self) -> None:
        self.transport.registerProducer(self, self.streaming)
        if self.streaming:
            self.run()

    def run(self) -> None:
        while self.pieces and not self.is_paused:
            self.transport.write(self.pieces.pop(0))
        if not self.pieces and self.transport is not None:
            self.transport.unregisterProducer()
            self.transport = None

    def pauseProducing(self) -> None:
        self.told.append("pause")
        self.is_paused = True

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self.is_paused = False
        if self.streaming:
            self.run()
        elif self.pieces:
            self.transport.write(self.pieces.pop(0))
        else:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.told.append("stop")
        self.is_paused = True
        self.pieces = []


class LayerCase(SynchronousTestCase):
    """Makes pairs of layers."""

    authority = Authority()

    def setUp(self) -> None:
        self.clock = Clock()
        self.server_context = self.authority.server_context(self.mktemp(), HOST)

    def layers(
        self,
        server: Protocol | None = None,
        client: Protocol | None = None,
        version: ssl.TLSVersion | None = None,
        **options: Any,
    ) -> Pair:
        """A connection, with nothing moved yet; client left, server right."""
        self.server = server or Talker()
        self.client = client or Talker()
        self.server_layer = TLSLayer(
            self.server_context, build=lambda: self.server, **options
        )
        self.client_layer = TLSLayer(
            self.authority.client_context(version),
            build=lambda: self.client,
            server_side=False,
            server_hostname=HOST,
            session=options.get("session"),
        )
        self.pair = Pair(self.client_layer, self.server_layer, self.clock)
        return self.pair

    def connected(self, *args: Any, **kwargs: Any) -> Pair:
        """A connection after the handshake."""
        pair = self.layers(*args, **kwargs)
        pair.pump()
        return pair
