"""DNS in streams: TCP and TLS (RFC 7766, RFC 7858)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.limits import TooMany
from netservices.core.wheel import Deadline, Wheel
from netservices.dns.policy import Client, Transport
from netservices.dns.settings import DNSSettings

_log = Logger()

MESSAGES_A_TURN = 128
"""Questions of one connection answered before other connections get their turn."""

Answer: TypeAlias = Callable[[bytes, Client], bytes | None]


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """One TCP or TLS connection: messages behind their lengths (RFC 1035 4.2.2).

    A client that does not take its answers is not read from; one that sends no whole
    question for ``tcp_idle`` is disconnected.
    """

    transport: Any

    def __init__(self, factory: StreamFactory, address: str) -> None:
        self.connections = factory
        self.client = Client(address, Transport.TCP)
        self._received = bytearray()
        self._slot: Any = None
        self._deadline: Deadline | None = None
        self._is_blocked = False
        self._is_resting = False
        self._is_closing = False

    # --- what Twisted calls ---

    def connectionMade(self) -> None:
        if ISSLTransport.providedBy(self.transport):
            self.client = Client(self.client.address, Transport.TLS)
        slot = self.connections.limits.enter("dns", "", self.client.address)
        if isinstance(slot, TooMany):
            self.connections.refused += 1
            self._is_closing = True
            self.transport.abortConnection()
            return
        self._slot = slot
        self.connections.add(self)
        self._deadline = Deadline(
            self.connections.wheel, self.connections.idle_seconds, self._expired
        )
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._received += data
        if not self._is_resting and not self._is_blocked:
            self._work()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._is_closing = True
        self._received.clear()
        # The two hold each other no longer: both are free at once.
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
        if self._slot is not None:
            self._slot.leave()
        self.connections.discard(self)

    def pauseProducing(self) -> None:
        """The client does not take its answers: read no more questions."""
        self._is_blocked = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The client has taken what was there."""
        self._is_blocked = False
        if self._deadline is not None:
            self._deadline.touch()
        self.transport.resumeProducing()
        if not self._is_resting and not self._is_closing:
            self._work()

    def stopProducing(self) -> None:
        """The connection is gone."""

    def drain(self) -> None:
        """The server stops: what was asked is answered already."""
        self.close()

    # --- ours ---

    def close(self) -> None:
        """Send what is written, then end; cut where the client takes nothing."""
        self._is_closing = True
        if self._is_blocked:
            self.transport.abortConnection()
            return
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _expired(self) -> None:
        # RFC 7766 6.2.3.  One that does not take its last answers either is cut off.
        if self._is_closing or self._is_blocked:
            self.transport.abortConnection()
            return
        self.close()
        self._touch()

    def _work(self) -> None:
        """Answer the whole questions that are here, in one write."""
        replies: list[bytes] = []
        position = taken = 0
        received = self._received
        while len(received) - position >= 2:
            length = received[position] << 8 | received[position + 1]
            end = position + 2 + length
            if length > self.connections.max_query_octets:
                self._is_closing = True
                break
            if len(received) < end:
                break
            if taken == MESSAGES_A_TURN:
                self._rest()
                break
            reply = self._answer(bytes(received[position + 2 : end]))
            position = end
            taken += 1
            if reply is None:
                # No question at all: nobody whom waiting for more would help.
                self._is_closing = True
                break
            replies.append(len(reply).to_bytes(2, "big") + reply)
        del received[:position]
        if replies:
            self._touch()
            self.transport.write(b"".join(replies))
        if self._is_closing:
            self.close()

    def _answer(self, data: bytes) -> bytes | None:
        try:
            return self.connections.answer(data, self.client)
        except Exception:
            _log.failure("a question from {address}", address=self.client.address)
            return None

    def _touch(self) -> None:
        """Whole questions came: the time to be idle begins anew, and others are more
        idle than this connection."""
        if self._deadline is not None:
            self._deadline.touch()
        self.connections.touch(self)

    def _rest(self) -> None:
        """Go on in the next turn of the reactor; take no more input until then."""
        self._is_resting = True
        self.transport.pauseProducing()
        self.connections.wheel.soon(self._resume)

    def _resume(self) -> None:
        self._is_resting = False
        if not self._is_closing and not self._is_blocked:
            self.transport.resumeProducing()
            self._work()


class StreamFactory(Factory):
    """The TCP side: at most ``tcp_connections``; a new one pushes out the most idle
    (RFC 7766 6.2.2)."""

    noisy = False

    def __init__(
        self, answer: Answer, settings: DNSSettings, limits: Any, wheel: Wheel
    ) -> None:
        self.answer = answer
        self.limits = limits
        self.wheel = wheel
        self.idle_seconds = float(settings.tcp_idle)
        self.max_query_octets = int(settings.max_query_octets)
        self.refused = 0
        self._max_connections = settings.tcp_connections
        self._live: OrderedDict[StreamConnection, None] = OrderedDict()

    def buildProtocol(self, address: IAddress | None) -> StreamConnection:
        return StreamConnection(self, getattr(address, "host", ""))

    def __len__(self) -> int:
        return len(self._live)

    def add(self, connection: StreamConnection) -> None:
        """Count a new connection in."""
        if len(self._live) >= self._max_connections:
            idlest, _ = self._live.popitem(last=False)
            idlest.close()
        self._live[connection] = None

    def touch(self, connection: StreamConnection) -> None:
        """This connection is the least idle one now."""
        if connection in self._live:
            self._live.move_to_end(connection)

    def discard(self, connection: StreamConnection) -> None:
        """The connection is gone."""
        self._live.pop(connection, None)
