"""The connection to a primary: messages cut anywhere, patience, back-pressure; and who
may connect at the same time."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.dns.client.link import WAITING_OCTETS, Link, LinkLimits
from netservices.dns.client.problems import NoAnswer
from netservices.dns.server.secondary import Permits


def framed(*messages: bytes) -> bytes:
    """Messages behind their lengths."""
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


class LinkTests(SynchronousTestCase):
    """One connection."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport: Any = StringTransport()
        self.link = Link(self.clock, LinkLimits(10, 30, 100))
        self.link.makeConnection(self.transport)

    def next(self) -> Deferred[bytes]:
        """The next message."""
        return begun(self.link.receive())

    @given(some.lists(some.binary(max_size=40), max_size=6), some.data())
    def test_splits(self, messages: list[bytes], data: Any) -> None:
        """Wherever the stream is cut, the messages are the same."""
        self.setUp()
        stream = framed(*messages)
        while stream:
            size = data.draw(some.integers(1, len(stream)))
            self.link.dataReceived(stream[:size])
            stream = stream[size:]
        for message in messages:
            self.assertEqual(message, self.successResultOf(self.next()))
        self.assertNoResult(self.next())

    def test_waiting(self) -> None:
        """Whoever waits gets the message when its last octet is here."""
        waiting = self.next()
        for octet in framed(b"abc"):
            self.assertNoResult(waiting)
            self.link.dataReceived(bytes((octet,)))
        self.assertEqual(b"abc", self.successResultOf(waiting))

    def test_idle(self) -> None:
        """Silence ends it, and only while somebody waits."""
        self.clock.advance(60)
        waiting = self.next()
        self.clock.advance(29)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertIn("nothing came", str(self.failureResultOf(waiting, NoAnswer)))
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)

    def test_total(self) -> None:
        """A connection has an end, however lively it is."""
        for _ in range(9):
            waiting = self.next()
            self.clock.advance(11)
            self.link.dataReceived(framed(b"x"))
            self.successResultOf(waiting)
        waiting = self.next()
        self.clock.advance(1)
        self.assertIn("too long", str(self.failureResultOf(waiting, NoAnswer)))

    def test_pressure(self) -> None:
        """What is not taken is not read; when it is taken, more is read."""
        message = bytes(60_000)
        for _ in range(WAITING_OCTETS // 60_000 + 1):
            self.assertEqual("producing", self.transport.producerState)
            self.link.dataReceived(framed(message))
        self.assertEqual("paused", self.transport.producerState)
        for _ in range(4):
            self.successResultOf(self.next())
        self.assertEqual("producing", self.transport.producerState)

    def test_lost(self) -> None:
        """What had come before the end is there; then it is the end."""
        self.link.dataReceived(framed(b"last") + b"\0")
        self.link.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(b"last", self.successResultOf(self.next()))
        failure = self.failureResultOf(self.next(), NoAnswer)
        self.assertIn("closed the connection", str(failure.value))
        self.assertEqual([], self.clock.getDelayedCalls())


class PermitTests(SynchronousTestCase):
    """How many zones are asked for at the same time."""

    def test_permits(self) -> None:
        """Two of one address, three in all; who waits comes when another is done."""
        permits = Permits(3, 2)
        first, second, third = (begun(permits.acquire("192.0.2.1")) for _ in range(3))
        held = self.successResultOf(first)
        self.successResultOf(second)
        self.assertNoResult(third)
        other = begun(permits.acquire("192.0.2.2"))
        last = begun(permits.acquire("192.0.2.3"))
        self.successResultOf(other).release()
        self.successResultOf(last)
        self.assertNoResult(third)
        held.release()
        self.successResultOf(third)

    def test_given_up(self) -> None:
        """Who waits no longer takes nobody's turn."""
        permits = Permits(1, 1)
        held = self.successResultOf(begun(permits.acquire("192.0.2.1")))
        waiting = [begun(permits.acquire(f"192.0.2.{n}")) for n in (1, 2)]
        for deferred in waiting:
            deferred.cancel()
            self.failureResultOf(deferred)
        held.release()
        self.successResultOf(begun(permits.acquire("192.0.2.2"))).release()
        self.successResultOf(begun(permits.acquire("192.0.2.1")))
