"""When a transfer is too slow to go on, and how long sessions wait."""

from __future__ import annotations

import socket
import termios
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.settings import PortRange
from netservices.ftp.dialogue.channels import DataBroken, NoDataConnection
from netservices.ftp.server.active import ActivePorts
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.connections import DataConnections
from netservices.ftp.server.dataport import SessionPort
from netservices.ftp.server.pace import Pace, Patience
from netservices.ftp.server.passive import Lease, Listener, PassivePorts
from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import MemoryFTP

PATIENCE = Patience(stall_seconds=60.0, minimum_rate=10, period_seconds=120.0)


class PaceTests(SynchronousTestCase):
    """The arithmetic."""

    def looks(self, patience: Patience, *steps: tuple[int, bool]) -> list[bool]:
        """Whether something is wrong after each look; a step is how many octets have
        moved, and whether the peer was waited for."""
        pace, now, octets, found = Pace(patience, 0.0), 0.0, 0, []
        for moved, waits in steps:
            now += patience.look_seconds
            octets += moved
            found.append(pace.look(now, octets, waits) is not None)
        return found

    def test_stall(self) -> None:
        """Nothing moves for the whole time: that is the end, and no sooner."""
        steps = [(0, True)] * 4
        self.assertEqual([False, False, False, True], self.looks(PATIENCE, *steps))

    def test_alive(self) -> None:
        """Whatever moves begins the time anew."""
        steps = [(0, True), (0, True), (5000, True), (0, True), (0, True), (0, True)]
        self.assertEqual([False] * 6, self.looks(PATIENCE, *steps))

    def test_octet_a_minute(self) -> None:
        """A peer that never stalls, but hardly moves, ends with the period."""
        steps = [(1, True)] * 8
        self.assertEqual([False] * 7 + [True], self.looks(PATIENCE, *steps))

    def test_average(self) -> None:
        """A burst makes up for a pause, within one period; the next counts anew."""
        steps = [(0, True), (1200, True), *[(0, True), (1, True)] * 3]
        steps += [(0, True), (1, True)] * 4
        found = self.looks(PATIENCE, *steps)
        self.assertEqual([False] * 15 + [True], found)

    def test_ours(self) -> None:
        """Time in which the peer waits for us is not charged."""
        steps = [(0, False)] * 100 + [(1, False)] * 100
        self.assertNotIn(True, self.looks(PATIENCE, *steps))

    def test_no_minimum(self) -> None:
        """With no minimum rate an octet now and then is enough."""
        patience = Patience(stall_seconds=60.0, minimum_rate=0)
        self.assertNotIn(True, self.looks(patience, *[(1, True)] * 100))

    @given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), max_size=60))
    def test_never_early(self, steps: list[tuple[int, bool]]) -> None:
        """Who always moves faster than the minimum is never given up."""
        fast = [(moved + 150, waits) for moved, waits in steps]
        self.assertNotIn(True, self.looks(PATIENCE, *fast))


class SocketTransport(StringTransport):
    """A transport whose kernel holds octets that the peer has not acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = socket.socketpair()
        self.is_aborted = False

    def getHandle(self) -> socket.socket:
        """The socket."""
        return self.near

    def abortConnection(self) -> None:
        """Note it."""
        self.is_aborted = True


class Held:
    """An upload that stores only when the test lets it."""

    def __init__(self) -> None:
        self.waiting: Deferred[None] = Deferred()

    def take(self, _data: bytes) -> Deferred[None]:
        """Later."""
        return self.waiting


class WaitingTests(SynchronousTestCase):
    """Whose turn it is, seen from a connection."""

    def setUp(self) -> None:
        """A connection on which a transfer runs."""
        self.clock = Clock()
        self.transport = SocketTransport()
        self.addCleanup(self.transport.near.close)
        self.addCleanup(self.transport.far.close)
        self.connection = DataConnection(4096, self.clock)
        self.connection.makeConnection(self.transport)
        self.connection.pace = Pace(PATIENCE, 0.0)

    def wait(self, looks: int) -> None:
        """Let time pass, with a look now and then."""
        for _ in range(looks):
            self.clock.advance(PATIENCE.look_seconds)
            self.connection.look(self.clock.seconds())

    def test_upload_stalls(self) -> None:
        """An upload that sends nothing breaks off."""
        done = Deferred.fromCoroutine(self.connection.receive(lambda _data: None))
        self.wait(3)
        self.assertNoResult(done)
        self.wait(1)
        self.failureResultOf(done, DataBroken)
        self.assertTrue(self.transport.is_aborted)

    def test_slow_disk(self) -> None:
        """While an upload is stored, the client may rest."""
        held = Held()
        done = Deferred.fromCoroutine(self.connection.receive(held.take))
        self.connection.dataReceived(b"x")
        self.wait(100)
        self.assertNoResult(done)
        held.waiting.callback(None)
        self.wait(4)
        self.failureResultOf(done, DataBroken)

    def test_slow_listing(self) -> None:
        """While we have nothing to send, it is not the client who stalls."""
        Deferred.fromCoroutine(self.connection.send(b"first page"))
        self.wait(100)
        self.assertFalse(self.transport.is_aborted)

    def test_reader_stalls(self) -> None:
        """A client that does not read while we wait for room breaks off."""
        self.connection.pauseProducing()
        done = Deferred.fromCoroutine(self.connection.send(b"x" * 4096))
        self.wait(5)
        self.failureResultOf(done, DataBroken)

    def test_unacknowledged(self) -> None:
        """What drains from the kernel counts as moved."""
        self.assertEqual(0, self.connection._unacknowledged())
        self.transport.near.sendall(b"x" * 100)
        self.assertGreater(self.connection._unacknowledged(), 0)
        self.assertNotEqual(0, termios.TIOCOUTQ)

    def test_between_transfers(self) -> None:
        """A connection without a transfer is nobody's fault."""
        self.connection.pace = None
        self.wait(100)
        self.assertFalse(self.transport.is_aborted)


class PassiveWaitTests(SynchronousTestCase):
    """How long a passive transfer waits, on a clock."""

    def setUp(self) -> None:
        """A session that has a passive port."""
        self.clock = Clock()
        self.shared = DataConnections(
            self.clock,
            PassivePorts(self.clock, PortRange.parse("0"), 1, 1),
            ActivePorts(self.clock, "0", 30.0),
            PATIENCE,
            4096,
            30.0,
            StringTransport,
        )
        self.port = SessionPort("127.0.0.1", "127.0.0.1", self.shared)
        self.listener = Listener()
        self.lease = Lease(4000, self.listener, "127.0.0.1", self.shared.make())
        self.listener.expected["127.0.0.1"] = self.lease
        self.port._lease = self.lease

    def arrive(self) -> Any:
        """The client connects; what the listener makes of it."""
        address: Any = type("Address", (), {"host": "127.0.0.1"})()
        connection = self.listener.buildProtocol(address)
        if connection is not None:
            connection.makeConnection(StringTransport())
        return connection

    def test_too_late(self) -> None:
        """425 when the time is over; who connects then is closed."""
        opened = Deferred.fromCoroutine(self.port.open())
        self.clock.advance(29.9)
        self.assertNoResult(opened)
        self.clock.advance(0.1)
        self.failureResultOf(opened, NoDataConnection)
        self.assertEqual({}, self.listener.expected)
        self.assertIsNone(self.arrive())

    def test_in_time(self) -> None:
        """At the last moment it is taken, and no timer is left but that of the pace."""
        opened = Deferred.fromCoroutine(self.port.open())
        self.clock.advance(29.9)
        connection = self.arrive()
        self.assertIs(connection, self.successResultOf(opened))
        self.port.close()
        self.assertEqual(set(), self.shared.running)

    def test_twice(self) -> None:
        """The second connection of one client is closed."""
        self.assertIsNotNone(self.arrive())
        self.assertIsNone(self.arrive())

    def test_given_up(self) -> None:
        """ABOR, QUIT and the end of the session free the port at once."""
        opened = Deferred.fromCoroutine(self.port.open())
        self.port.close()
        self.failureResultOf(opened, NoDataConnection)
        self.assertEqual({}, self.listener.expected)
        self.assertIsNone(self.arrive())


class IdleTests(MemoryFTP, SynchronousTestCase):
    """Silence on the control connection."""

    settings = FTPSettings(idle_timeout=60.0)  # type: ignore[arg-type]

    def test_idle(self) -> None:
        """Who says nothing is sent away."""
        peer = self.logged_in()
        peer.wait(62)
        self.assertEqual(["421"], self.codes(peer))

    def test_long_transfer(self) -> None:
        """A transfer may take hours without a word on the control connection."""
        peer = self.logged_in()
        self.port.holds = True
        peer.send(b"PASV\r\nSTOR a\r\n")
        for _ in range(100):
            peer.wait(50)
        self.assertNotIn(b"\r\n421 ", peer.receive())
        assert self.port.channel is not None
        hold, self.port.channel.hold = self.port.channel.hold, None
        assert hold is not None
        hold.callback(None)
        self.assertEqual(b"226 Transfer complete, 0 octets\r\n", peer.receive())
        peer.wait(62)
        self.assertEqual(b"421 Idle for too long\r\n", peer.receive())
