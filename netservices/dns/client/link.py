"""One connection to a primary, over TCP or TLS: a question at a time, each with as many
messages in reply as it takes (RFC 7766, RFC 9103).

Theory.  What arrives is cut into messages and waits in a short queue; while more than
``WAITING_OCTETS`` wait, nothing is read, so that a primary that sends faster than we
parse fills its own buffers.  Whoever waits for a message gets it, or ``NoAnswer``: the
connection is closed, or nothing came for ``idle_seconds``, or the whole took longer
than ``total_seconds``.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer
from netservices.tls.layer import TLSLayer, start_tls

WAITING_OCTETS = 256 * 1024
DNS_PORT, TLS_PORT = 53, 853
_ALPN = "dot"


@frozen
class LinkLimits:
    """How patient one connection is, in seconds."""

    connect_seconds: float = 10.0
    idle_seconds: float = 30.0
    total_seconds: float = 3600.0


class Link(Protocol):
    """A connection to one server; see the module's theory."""

    transport: Any

    def __init__(self, reactor: Any, limits: LinkLimits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._received = bytearray()
        self._messages: deque[bytes] = deque()
        self._waiting_octets = 0
        self._is_paused = False
        self._wanted: Deferred[bytes] | None = None
        self._opened: Deferred[None] | None = None
        self._ended = ""
        self._idle: Any = None
        self._total: Any = None
        self.octets = 0

    @classmethod
    async def open(
        cls,
        reactor: Any,
        peer: Peer,
        limits: LinkLimits,
        authorities: str = "",
    ) -> Link:
        """A connection to ``peer``, with TLS if it has any.  NoAnswer.

        ``authorities`` is a file of certificates to trust; empty: the system's.
        """
        from twisted.internet.endpoints import HostnameEndpoint

        port = peer.port or (TLS_PORT if peer.tls else DNS_PORT)
        endpoint = HostnameEndpoint(reactor, peer.address, port, limits.connect_seconds)
        link = cls(reactor, limits)
        try:
            await endpoint.connect(_OneLink(link))
        except (ConnectError, DNSLookupError, CancelledError) as error:
            raise NoAnswer(f"no connection: {_reason(error)}") from None
        if peer.tls:
            await link._secure(peer.tls, authorities)
        return link

    async def _secure(self, name: str, authorities: str) -> None:
        """RFC 9103 5: TLS from the first octet, ALPN "dot"."""
        try:
            context = _context(name, authorities)
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise NoAnswer(f"the authorities in {authorities}: {error}") from None
        self._opened = Deferred()
        start_tls(
            self,
            context,
            server_side=False,
            server_hostname=None if name == "*" else name,
            when_open=self._is_open,
            clock=self._reactor,
            handshake_seconds=self._limits.connect_seconds,
        )
        await self._opened

    def _is_open(self, layer: TLSLayer) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.callback(None)

    # --- questions ---

    def send(self, message: bytes) -> None:
        """Ask; replies come from ``receive``."""
        self.transport.write(len(message).to_bytes(2, "big") + message)

    async def receive(self) -> bytes:
        """The next message.  NoAnswer."""
        if self._messages:
            message = self._messages.popleft()
            self._waiting_octets -= len(message)
            self._read_on()
            return message
        if self._ended:
            raise NoAnswer(self._ended)
        self._wanted = Deferred()
        self._idle = self._reactor.callLater(
            self._limits.idle_seconds, self._give_up, "nothing came for too long"
        )
        return await self._wanted

    def close(self) -> None:
        """End the connection, whatever is under way."""
        if not self._ended:
            self._end("the connection is closed")
            self.transport.abortConnection()

    # --- what Twisted calls ---

    def connectionMade(self) -> None:
        self._total = self._reactor.callLater(
            self._limits.total_seconds, self._give_up, "it took too long"
        )

    def dataReceived(self, data: bytes) -> None:
        self.octets += len(data)
        self._received += data
        position = 0
        received = self._received
        while len(received) - position >= 2:
            end = position + 2 + (received[position] << 8 | received[position + 1])
            if len(received) < end:
                break
            self._messages.append(bytes(received[position + 2 : end]))
            self._waiting_octets += end - position - 2
            position = end
        del received[:position]
        if not self._is_paused and self._waiting_octets > WAITING_OCTETS:
            self._is_paused = True
            self.transport.pauseProducing()
        if self._wanted is not None and self._messages:
            self._stop_idle()
            wanted, self._wanted = self._wanted, None
            message = self._messages.popleft()
            self._waiting_octets -= len(message)
            wanted.callback(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        text = "the primary closed the connection"
        if not reason.check(ConnectionDone):
            text = f"the connection is lost: {_reason(reason.value)}"
        self._end(text)

    # --- ends ---

    def _read_on(self) -> None:
        if self._is_paused and self._waiting_octets <= WAITING_OCTETS // 2:
            self._is_paused = False
            self.transport.resumeProducing()

    def _give_up(self, reason: str) -> None:
        self._end(reason)
        self.transport.abortConnection()

    def _end(self, reason: str) -> None:
        """Whoever waits is told; later ones, too."""
        if self._ended:
            return
        self._ended = reason
        self._stop_idle()
        if self._total is not None and self._total.active():
            self._total.cancel()
        for waiting in (self._wanted, self._opened):
            if waiting is not None and not waiting.called:
                waiting.errback(NoAnswer(reason))
        self._wanted = self._opened = None

    def _stop_idle(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None


class _OneLink(Factory):
    """Makes the one connection, and no noise in the log."""

    noisy = False

    def __init__(self, link: Link) -> None:
        self._link = link

    def buildProtocol(self, addr: Any) -> Link:
        return self._link


def _context(name: str, authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities or None)
    # Not RFC 9103 7.1: NSD selects no token, and is understood all the same.
    context.set_alpn_protocols([_ALPN])
    # RFC 9103 7.2
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if name == "*":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: BaseException | None) -> str:
    return str(error) or type(error).__name__
