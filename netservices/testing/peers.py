"""The other end of a session, in memory.

A ``MemoryTransport`` behaves as Twisted's do where it matters to a session: it asks for
a pause when its peer does not read, keeps what arrives while reading is paused, closes
only when everything was read, tells of the end later and not inside ``loseConnection``,
and drops everything at ``abortConnection``.  TLS is simulated: the switch takes place,
no octet is encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer, noLongerProvides

from netservices.core.wheel import Wheel

BUFFER_OCTETS = 64 * 1024
"""A transport with more than this unread asks its producer to pause."""


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """What a protocol writes to; a ``Peer`` is at its other end."""

    def __init__(self, host: Any = None, peer: Any = None) -> None:
        self.protocol: Any = None
        self.producer: Any = None
        self.streaming = True
        self.disconnecting = False
        self.has_ended = False
        self.writes: list[bytes] = []
        """What was written and not read yet, a write each."""
        self.is_reading = True
        self.no_delay = False
        self._host = host or IPv4Address("TCP", "127.0.0.1", 21)
        self._peer = peer or IPv4Address("TCP", "127.0.0.2", 50000)
        self._is_producer_paused = False
        self._arrived = bytearray()
        self._reason: Exception | None = None
        self._when_open: Callable[[Any], None] | None = None
        self._when_plain: Callable[[], None] | None = None

    # --- what the protocol uses -----------------------------------------------------

    def write(self, data: bytes) -> None:
        """Keep ``data`` until the peer reads it."""
        if not isinstance(data, bytes):
            raise TypeError(f"octets are wanted, not {type(data).__name__}")
        if self.has_ended or self._reason is not None or not data:
            return
        if self.disconnecting:
            return
        self.writes.append(data)
        is_full = sum(map(len, self.writes)) > BUFFER_OCTETS
        if is_full and self.producer is not None and not self._is_producer_paused:
            self._is_producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write the parts as one."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close once the peer has read everything."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Drop what was not read, and close."""
        self.writes.clear()
        self._reason = ConnectionAborted()

    def loseWriteConnection(self) -> None:  # noqa: N802
        """As ``loseConnection``: there are no half-closed sessions here."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Ask ``producer`` to pause while the peer does not read."""
        if self.producer is not None:
            raise RuntimeError("there is a producer already")
        self.producer = producer
        self.streaming = streaming

    def unregisterProducer(self) -> None:
        """The producer has nothing more to say."""
        self.producer = None

    def pauseProducing(self) -> None:
        """Keep what arrives."""
        self.is_reading = False

    def resumeProducing(self) -> None:
        """Deliver what arrives."""
        self.is_reading = True

    def stopProducing(self) -> None:
        """The protocol wants no more."""
        self.loseConnection()

    def getHost(self) -> Any:
        """The protocol's own address."""
        return self._host

    def getPeer(self) -> Any:
        """The address of the peer."""
        return self._peer

    def getTcpNoDelay(self) -> bool:
        """Whether small writes leave at once."""
        return self.no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Let small writes leave at once."""
        self.no_delay = enabled

    def getTcpKeepAlive(self) -> bool:
        """Never: this network loses nothing."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to be done."""

    def start_tls(
        self,
        _protocol: Any,
        _context: Any,
        when_open: Callable[[Any], None],
        handshake_seconds: float = 0.0,
    ) -> None:
        """Simulate a switch; ``shake_hands`` completes it, whenever that is."""
        alsoProvides(self, ISSLTransport)
        self._when_open = when_open

    def stop_tls(self, _protocol: Any, when_plain: Callable[[], None]) -> None:
        """Simulate the way back; ``end_tls`` completes it."""
        noLongerProvides(self, ISSLTransport)
        self._when_plain = when_plain

    def getPeerCertificate(self) -> None:  # noqa: N802
        """Simulated TLS has none."""

    # --- what the peer does ---------------------------------------------------------

    def arrive(self, data: bytes) -> None:
        """``data`` comes in from the peer."""
        if self._when_open is not None:
            # In the middle of a handshake plain octets are no TLS.
            self._reason = ConnectionLost("not a TLS record")
        if self._when_plain is not None:
            return  # what comes before the end of TLS counts for nothing
        self._arrived += data
        self.settle()

    def shake_hands(self) -> None:
        """The peer completes the handshake that ``start_tls`` has begun."""
        when_open, self._when_open = self._when_open, None
        if when_open is None:
            raise AssertionError(
                "the session has not asked for TLS; has it a tls_context?"
                " In memory any object will do"
            )
        when_open(self)
        self.settle()

    def end_tls(self) -> None:
        """The peer answers the end of TLS that ``stop_tls`` has begun."""
        when_plain, self._when_plain = self._when_plain, None
        if when_plain is None:
            raise AssertionError("the session has not ended TLS")
        when_plain()
        self.settle()

    def read(self) -> bytes:
        """Everything that was written and not read."""
        found = b"".join(self.writes)
        self.writes.clear()
        if self._is_producer_paused:
            self._is_producer_paused = False
            if self.producer is not None:
                self.producer.resumeProducing()
        self.settle()
        return found

    def settle(self) -> None:
        """Deliver what waits, and the end where it has come."""
        while self._arrived and self.is_reading and not self._is_ending:
            data = bytes(self._arrived)
            self._arrived.clear()
            self.protocol.dataReceived(data)
        if self._reason is None and self.disconnecting and not self.writes:
            self._reason = ConnectionDone()
        if self._reason is not None and not self.has_ended:
            self.has_ended = True
            if self.producer is not None:
                self.producer.stopProducing()
                self.producer = None
            self.protocol.connectionLost(Failure(self._reason))

    def end(self, reason: Exception) -> None:
        """The connection is over, whatever waits."""
        self._reason = reason
        self.settle()

    @property
    def _is_ending(self) -> bool:
        return self.disconnecting or self._reason is not None


class Peer:
    """One end in memory of the session that ``make_session(wheel)`` makes."""

    def __init__(
        self,
        make_session: Callable[[Wheel], Any],
        *,
        host: Any = None,
        address: Any = None,
    ) -> None:
        self.clock = Clock()
        self.wheel = Wheel(self.clock)
        self.session = make_session(self.wheel)
        self.transport = MemoryTransport(host, address)
        self.transport.protocol = self.session
        self.session.makeConnection(self.transport)
        self.transport.settle()

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self.transport.has_ended

    def send(self, data: bytes) -> None:
        """One segment; the session may rest, and goes on at once."""
        if not self.is_closed:
            self.transport.arrive(data)
            self.turn()

    def receive(self) -> bytes:
        """Everything that the session has said since the last time."""
        found = b""
        while said := self.transport.read():
            found += said
            self.turn()
        return found

    def receive_lines(self) -> list[str]:
        """What ``receive`` returns, as lines of text without their ends."""
        text = self.receive().decode("utf-8", "backslashreplace")
        lines = text.split("\r\n")
        if lines[-1]:
            raise AssertionError(f"the session sent a line without end: {lines[-1]!r}")
        return lines[:-1]

    def turn(self) -> None:
        """Let the reactor turn until nothing is left to do now."""
        while self._is_due():
            self.clock.advance(0)
        self.transport.settle()

    def _is_due(self) -> bool:
        now = self.clock.seconds()
        return any(call.getTime() <= now for call in self.clock.getDelayedCalls())

    def wait(self, seconds: float) -> None:
        """Let time pass, at most a second at once."""
        while seconds > 0:
            self.clock.advance(min(1, seconds))
            self.transport.settle()
            seconds -= 1

    def shake_hands(self) -> None:
        """Complete the TLS handshake that the session has asked for."""
        self.transport.shake_hands()
        self.turn()

    def end_tls(self) -> None:
        """Complete the end of TLS that the session has begun."""
        self.transport.end_tls()
        self.turn()

    def leave(self) -> None:
        """Close this end."""
        if not self.is_closed:
            self.transport.end(ConnectionDone())
