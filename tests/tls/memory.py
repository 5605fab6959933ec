"""Two transports that are connected to each other in memory, moved by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure


class MemoryTransport:
    """One end; what it sends waits in ``queue`` until ``Pair.pump`` moves it.

    It behaves as Twisted's sockets do: a queue above ``bufferSize`` pauses a streaming
    producer, an empty one resumes it, ``loseConnection`` waits for queue and pull
    producer.
    """

    bufferSize = 65536  # noqa: N815

    def __init__(self, clock: Any = None) -> None:
        self.reactor = clock
        self.queue = bytearray()
        self.most_queued = 0
        self.protocol: Any = None
        self.other: MemoryTransport | None = None
        self.producer: Any = None
        self.streamingProducer = False  # noqa: N815
        self.producer_is_paused = False
        self.disconnecting = False
        self.write_closing = False
        self.write_closed = False
        self.disconnected = False
        self.is_paused = False
        self.aborted = False
        self.no_delay = False

    def write(self, data: bytes) -> None:
        if self.disconnected or self.write_closed:
            return
        self.queue += data
        self.most_queued = max(self.most_queued, len(self.queue))
        if (
            self.producer is not None
            and self.streamingProducer
            and len(self.queue) > self.bufferSize
        ):
            self.producer_is_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None, "two producers"
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self.producer_is_paused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.is_paused = True

    def resumeProducing(self) -> None:
        self.is_paused = False

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self.write_closed:
            self.end(Failure(ConnectionDone()))

    def loseWriteConnection(self) -> None:
        self.write_closing = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.end(Failure(ConnectionAborted()))

    def getPeer(self) -> Any:
        return IPv4Address("TCP", "192.0.2.1", 1)

    def getHost(self) -> Any:
        return IPv4Address("TCP", "192.0.2.2", 2)

    def getTcpNoDelay(self) -> bool:
        return self.no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    # --- the wire -------------------------------------------------------------------

    def step(self, most: int) -> bool:
        """Send up to ``most`` octets to the other end; whether anything happened."""
        other = self.other
        assert other is not None
        if self.disconnected or (other.is_paused and not other.disconnecting):
            return False
        if self.queue:
            data = bytes(self.queue[:most])
            del self.queue[:most]
            if not other.disconnected and not other.disconnecting:
                other.protocol.dataReceived(data)
            if self.queue or self.disconnected:
                return True
        elif not self._has_work():
            return False
        self._drained()
        return True

    def _has_work(self) -> bool:
        return bool(
            self.disconnecting
            or (self.write_closing and not self.write_closed)
            or (
                self.producer is not None
                and (self.producer_is_paused or not self.streamingProducer)
            )
        )

    def _drained(self) -> None:
        if self.producer is not None and (
            self.producer_is_paused or not self.streamingProducer
        ):
            self.producer_is_paused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            self.end(Failure(ConnectionDone()))
        elif self.write_closing and not self.write_closed:
            self.write_closed = True
            half = IHalfCloseableProtocol(self.protocol, None)
            if half is not None:
                half.writeConnectionLost()
            self._tell_other()

    def end(self, reason: Failure) -> None:
        """This end is gone."""
        if self.disconnected:
            return
        self.disconnected = True
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(reason)
        if not self.write_closed:
            self._tell_other()

    def _tell_other(self) -> None:
        """The other end reads the end of the stream."""
        other = self.other
        assert other is not None
        if other.disconnected or other.disconnecting:
            return
        half = IHalfCloseableProtocol(other.protocol, None)
        if half is not None:
            half.readConnectionLost()
        else:
            other.end(Failure(ConnectionDone()))


class Pair:
    """Two connected ends."""

    def __init__(self, left: Any, right: Any, clock: Any = None) -> None:
        self.left, self.right = MemoryTransport(clock), MemoryTransport(clock)
        self.left.other, self.right.other = self.right, self.left
        self.left.protocol, self.right.protocol = left, right
        right.makeConnection(self.right)
        left.makeConnection(self.left)

    def pump(self, most: int = 1 << 30) -> None:
        """Move octets both ways, ``most`` at a time, until all is quiet."""
        for _ in range(2_000_000):
            if not any([self.left.step(most), self.right.step(most)]):
                return
        raise AssertionError("the conversation does not come to rest")
