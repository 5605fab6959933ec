"""Uploads whose stream ends: with the file, or because the client was killed."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.settings import PortRange
from netservices.ftp.server.active import ActivePorts
from netservices.ftp.server.connections import DataConnections
from netservices.ftp.server.dataport import SessionPort
from netservices.ftp.server.farewell import Link, look, wait_seconds
from netservices.ftp.server.pace import Patience
from netservices.ftp.server.passive import PassivePorts
from tests.ftp.sockets import ServerCase, Wire

NEAR = Link(True, 0.0001)
FAR = Link(True, 0.2)

LITTLE, MUCH = 1000, 1_000_000


class WaitTests(SynchronousTestCase):
    """How long the end of the control connection may take."""

    def test_at_once(self) -> None:
        """A small file from near by waits for nothing."""
        self.assertEqual(0.0, wait_seconds(LITTLE, 0.001, NEAR, False))
        self.assertEqual(0.002, wait_seconds(MUCH, 0.001, NEAR, False))

    def test_part(self) -> None:
        """A longer one waits for a small part of what it took, within limits."""
        self.assertEqual(0.002, wait_seconds(LITTLE, 0.01, NEAR, False))
        self.assertEqual(0.01, wait_seconds(MUCH, 0.08, NEAR, False))
        self.assertEqual(0.025, wait_seconds(MUCH, 3600.0, NEAR, False))

    def test_far(self) -> None:
        """From afar, part of a round trip."""
        self.assertEqual(0.025, wait_seconds(LITTLE, 0.001, FAR, False))

    def test_losses(self) -> None:
        """Where segments are lost, the time in which one is sent again."""
        self.assertGreater(wait_seconds(LITTLE, 0.001, NEAR, True), 0.2)

    @given(st.floats(0, 1e6), st.floats(0, 1e4), st.booleans())
    def test_bounded(self, taken: float, trip: float, has_losses: bool) -> None:
        """It is never more than a second."""
        found = wait_seconds(LITTLE, taken, Link(True, trip), has_losses)
        self.assertTrue(0.0 <= found <= 1.0)


class LookTests(SynchronousTestCase):
    """What the kernel knows."""

    def ends(self) -> tuple[socket.socket, socket.socket]:
        """The two ends of a connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            far = socket.create_connection(listener.getsockname())
            near, _ = listener.accept()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        return near, far

    def test_open(self) -> None:
        """Open it is, also with octets that wait, and they still wait then."""
        near, far = self.ends()
        self.assertTrue(look(near).is_open)
        far.sendall(b"NOOP\r\n")
        self.assertTrue(look(near).is_open)
        self.assertEqual(b"NOOP\r\n", near.recv(100))

    def test_ended(self) -> None:
        """An end is seen behind octets that nobody has read."""
        near, far = self.ends()
        far.sendall(b"NOOP\r\n")
        far.close()
        while look(near).is_open:
            pass
        self.assertEqual(b"NOOP\r\n", near.recv(100))

    def test_closed_here(self) -> None:
        """A socket that we have closed has no client."""
        near, _far = self.ends()
        near.close()
        self.assertFalse(look(near).is_open)

    def test_no_tcp(self) -> None:
        """A UNIX socket is asked in another way."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.assertTrue(look(near).is_open)
        far.sendall(b"x")
        self.assertTrue(look(near).is_open)
        near.recv(1)
        far.close()
        self.assertFalse(look(near).is_open)


class KeepsClientTests(SynchronousTestCase):
    """The look of a session, on a clock."""

    def setUp(self) -> None:
        """A session whose upload of a megabyte has just ended."""
        self.clock = Clock()
        shared = DataConnections(
            self.clock,
            PassivePorts(self.clock, PortRange.parse("0"), 1, 1),
            ActivePorts(self.clock, "0", 30.0),
            Patience(300.0),
            4096,
            30.0,
            StringTransport,
        )
        near, self.far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(self.far.close)
        self.port = SessionPort("127.0.0.1", "127.0.0.1", shared)
        self.port.control = near
        self.port._current = connection = shared.make()
        connection.makeConnection(StringTransport())
        Deferred.fromCoroutine(connection.receive(lambda _data: None))
        connection.dataReceived(bytes(MUCH))

    def ask(self) -> Deferred[bool]:
        """Begin to look."""
        return Deferred.fromCoroutine(self.port.keeps_client())

    def test_stays(self) -> None:
        """A client that stays has its file after the wait."""
        asked = self.ask()
        self.assertNoResult(asked)
        self.clock.advance(0.002)
        self.assertTrue(self.successResultOf(asked))

    def test_leaves_meanwhile(self) -> None:
        """The end of the control connection may come after that of the data."""
        asked = self.ask()
        self.far.close()
        self.clock.advance(0.002)
        self.assertFalse(self.successResultOf(asked))

    def test_has_left(self) -> None:
        """Who is gone is not waited for."""
        self.far.close()
        self.assertFalse(self.successResultOf(self.ask()))

    def test_tls(self) -> None:
        """With TLS the end of the stream says it all."""
        self.port.is_protected = True
        self.assertTrue(self.successResultOf(self.ask()))


class KilledTests(ServerCase):
    """Programs that are killed in the middle of an upload."""

    def test_killed(self) -> Deferred[None]:
        """The old file stays, however much came, and what came can be continued."""
        self.put("a", b"old content")

        def conversation(wire: Wire) -> None:
            for octets in (LITTLE, MUCH):
                leaving = Wire(self.port)
                leaving.log_in()
                data = leaving.data("STOR a")
                data.sendall(bytes(octets))
                leaving.close()
                data.close()
                while self.transfers():
                    pass
                self.assertEqual(b"old content", self.content_of("a"))

        return self.talk(conversation)

    def transfers(self) -> int:
        """How many the server has."""
        status = self.server.house.servers["ftp"].status
        assert status is not None
        found: int = status()["transfers"]
        return found

    def test_done(self) -> Deferred[None]:
        """Who is done keeps the control connection, or says QUIT, and has its file."""

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"content")
            wire.socket.sendall(b"QUIT\r\n")
            data.close()
            replies = {wire.reply()[:3], wire.reply()[:3]}
            self.assertEqual({"221", "226"}, replies)
            self.assertEqual(b"content", self.content_of("a"))

        return self.talk(conversation)
