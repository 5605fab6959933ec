"""Passive ports under attack: theft, exhaustion, hasty and late clients."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.core.errors import Trouble
from netservices.core.settings import PortRange
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.passive import ANYONE, PassivePorts
from tests.ftp.sockets import SECONDS, ServerCase, Wire, read_all

reactor: Any = live_reactor


def is_refused(connection: socket.socket) -> bool:
    """Whether the server closes a connection without a word."""
    with connection:
        connection.settimeout(SECONDS)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True


class PassiveCase(ServerCase):
    """A server whose passive ports the test looks at."""

    @property
    def passive(self) -> PassivePorts:
        """The ports."""
        server: Any = self.server.house.servers["ftp"].stop
        ports: PassivePorts = server.__self__.connections.passive
        return ports

    def expected(self) -> int:
        """How many clients are expected."""
        groups = self.passive._listeners.values()
        return sum(len(one.expected) for group in groups for one in group)

    def another(self) -> Wire:
        """One more session."""
        wire = Wire(self.port)
        self.addCleanup(wire.close)
        wire.log_in()
        return wire

    def connect(self, port: int, source: str = "") -> socket.socket:
        """A data connection."""
        bound = (source, 0) if source else None
        return socket.create_connection(("127.0.0.1", port), SECONDS, bound)


class WaitingTests(TestCase):
    """One client's claim on a port."""

    def test_accepted_at_once(self) -> None:
        """A connection that waits in the kernel is taken when it is asked for, so that
        a transfer need not wait for another turn of the reactor."""
        ports = PassivePorts(reactor, PortRange(0, 0), 8, 64)
        self.addCleanup(lambda: DeferredList(ports.close()))
        lease = ports.lease("127.0.0.1", "127.0.0.1", DataConnection(4096, reactor))
        self.addCleanup(lambda: lease.connection.abort())
        self.assertFalse(lease.is_connected)

        client = socket.create_connection(("127.0.0.1", lease.port), SECONDS)

        self.addCleanup(client.close)
        self.assertTrue(lease.is_connected)


class TheftTests(PassiveCase):
    """Connections that are not the client's.  RFC 2577 8"""

    def test_many_thieves(self) -> Deferred[None]:
        """However many strangers come before, the client gets its data, on the port
        that it was told."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            for number in range(2, 52):
                thief = self.connect(port, f"127.0.0.{number}")
                self.assertTrue(is_refused(thief))
            data = self.connect(port)
            self.assertEqual("125", wire.say("RETR a")[:3])
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)

    def test_thief_during_wait(self) -> Deferred[None]:
        """A stranger who comes while the transfer waits gets nothing, and an upload of
        a stranger is not stored."""

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            self.assertEqual("150", wire.say("STOR a")[:3])
            thief = self.connect(port, "127.0.0.2")
            with contextlib.suppress(OSError):
                thief.sendall(b"false content")
            self.assertTrue(is_refused(thief))
            data = self.connect(port)
            data.sendall(b"content")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"content", self.content_of("a"))

        return self.talk(conversation)

    def test_unexpected(self) -> Deferred[None]:
        """A port that is open for good serves nobody who was not told of it: not
        before PASV, not after the transfer, not a second time."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            data = self.connect(port)
            self.assertTrue(is_refused(self.connect(port)))
            wire.say("RETR a")
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            self.assertTrue(is_refused(self.connect(port)))

        return self.talk(conversation)


class NeighboursTests(PassiveCase):
    """Several sessions of one address, as behind a router."""

    def test_two_at_once(self) -> Deferred[None]:
        """Both get their own data, in whatever order they connect."""
        self.put("a", b"content of a")
        self.put("b", b"content of b")

        def conversation(first: Wire) -> None:
            second = self.another()
            one, other = first.passive_port(), second.passive_port()
            self.assertNotEqual(one, other)
            self.assertEqual("150", first.say("RETR a")[:3])
            self.assertEqual("150", second.say("RETR b")[:3])
            of_second, of_first = self.connect(other), self.connect(one)
            self.assertEqual(b"content of a", read_all(of_first))
            self.assertEqual(b"content of b", read_all(of_second))
            self.assertEqual("226", first.reply()[:3])
            self.assertEqual("226", second.reply()[:3])

        return self.talk(conversation)

    def test_asked_again(self) -> Deferred[None]:
        """A second PASV replaces the first: one claim, and a connection that was made
        for the first is dropped."""

        def conversation(wire: Wire) -> None:
            first = self.connect(wire.passive_port())
            second = self.connect(wire.passive_port())
            self.assertTrue(is_refused(first))
            self.assertEqual("125", wire.say("STOR a")[:3])
            second.sendall(b"content")
            second.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(0, self.expected())

        return self.talk(conversation)


class ExhaustionTests(PassiveCase):
    """More sessions of one address than there are ports."""

    settings = {"ftp.passive_listeners": "1"}

    @as_deferred
    async def setUp(self) -> None:
        """A range of two ports that are free, or were a moment ago."""
        first = 0
        while not first:
            with contextlib.suppress(OSError, OverflowError):
                first = self.two_free_ports()
        self.settings = {**self.settings, "ftp.passive_ports": f"{first}-{first + 1}"}
        self.range = {first, first + 1}
        await super().setUp()

    @staticmethod
    def two_free_ports() -> int:
        """The first one.  OSError where the second is taken."""
        with socket.create_server(("127.0.0.1", 0)) as one:
            first = int(one.getsockname()[1])
            with socket.create_server(("127.0.0.1", first + 1)):
                return first

    def test_exhausted(self) -> Deferred[None]:
        """425, never a port outside the range; sessions live, and a port that comes
        free serves."""
        self.put("a", b"content")

        def conversation(first: Wire) -> None:
            second, third = self.another(), self.another()
            taken = {first.passive_port(), second.passive_port()}
            self.assertEqual(self.range, taken)
            for command in ("EPSV", "PASV", "EPSV 1"):
                self.assertEqual("425", third.say(command)[:3])
            self.assertEqual("425", third.say("LIST")[:3])
            first.say("QUIT")
            port = third.passive_port()
            self.assertIn(port, self.range)
            data = self.connect(port)
            third.say("RETR a")
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", third.reply()[:3])

        return self.talk(conversation)


class ReleaseTests(PassiveCase):
    """When a claim on a port ends."""

    def test_released(self) -> Deferred[None]:
        """With ABOR, PORT, REIN, a connection of the client, and QUIT."""

        def conversation(wire: Wire) -> None:
            for command in ("ABOR", "PORT 127,0,0,1,20,0", "REIN"):
                wire.passive_port()
                self.assertEqual(1, self.expected())
                wire.say(command)
                self.assertEqual(0, self.expected())
            wire.log_in()
            self.connect(wire.passive_port()).close()
            wire.say("NOOP")
            while self.expected():
                wire.say("NOOP")
            wire.passive_port()
            wire.say("QUIT")
            self.assertEqual("", wire.reply())
            while self.expected():
                pass

        return self.talk(conversation)

    @as_deferred
    async def test_hung_up(self) -> None:
        """With the control connection, also while the transfer waits."""

        def leave(*commands: str) -> None:
            wire = Wire(self.port)
            wire.log_in()
            for command in commands:
                wire.say(command)
            wire.close()

        await deferToThread(leave, "EPSV")
        await deferToThread(leave, "EPSV", "STOR a")
        while self.expected():
            await deferLater(reactor, 0.01)


class FamilyTests(PassiveCase):
    """Which addresses and families the replies know.  RFC 2428"""

    def test_replies(self) -> Deferred[None]:
        """EPSV names no address; each wrong family gets the right one; PASV names the
        address that the client connected to."""

        def conversation(wire: Wire) -> None:
            self.assertRegex(wire.say("EPSV"), r"^229 .*\(\|\|\|\d+\|\)$")
            self.assertRegex(wire.say("EPSV 1"), r"^229 ")
            for wrong in ("2", "9", "0", "12"):
                self.assertEqual(
                    "522 Network protocol not supported, use (1)",
                    wire.say(f"EPSV {wrong}"),
                )
            for nonsense in ("x", "-1", "1 2", "ALL1"):
                self.assertEqual("501", wire.say(f"EPSV {nonsense}")[:3], nonsense)
            self.assertRegex(wire.say("PASV"), r"\(127,0,0,1,\d+,\d+\)")
            self.assertEqual("501", wire.say("PASV 1")[:3])
            self.assertEqual("502", wire.say("LPSV")[:3])
            self.assertEqual("502", wire.say("LPRT 4,4,127,0,0,1,2,20,0")[:3])
            self.assertEqual("200", wire.say("EPSV all")[:3])
            for other in ("PASV", "PORT 127,0,0,1,20,0", "EPRT |1|127.0.0.1|5120|"):
                self.assertEqual("501", wire.say(other)[:3])
            self.assertEqual("229", wire.say("EPSV")[:3])

        return self.talk(conversation)


class LeaseTests(TestCase):
    """The table behind the ports."""

    def setUp(self) -> None:
        """One shared port for each address."""
        self.passive = PassivePorts(reactor, PortRange.parse("0"), 1, 4)
        self.addCleanup(lambda: DeferredList(self.passive.close()))

    def lease(self, peer: str) -> Any:
        """A claim."""
        return self.passive.lease("127.0.0.1", peer, DataConnection(4096, reactor))

    def test_shared(self) -> None:
        """Thousands of addresses share the one port."""
        ports = {self.lease(f"10.0.{n >> 8}.{n & 255}").port for n in range(4096)}
        self.assertEqual(1, len(ports))

    def test_anyone(self) -> None:
        """Where anyone may come, nobody else may be expected."""
        first = self.lease("10.0.0.1")
        open_to_all = self.lease(ANYONE)
        second = self.lease("10.0.0.2")
        self.assertNotEqual(first.port, open_to_all.port)
        self.assertNotEqual(second.port, open_to_all.port)
        self.assertNotEqual(self.lease(ANYONE).port, open_to_all.port)

    def test_released_once(self) -> None:
        """A claim that is over does not end the one that follows it."""
        old = self.lease("10.0.0.1")
        old.release()
        new = self.lease("10.0.0.1")
        old.release()
        self.assertEqual(1, len(new._listener.expected))

    def test_no_descriptors(self) -> None:
        """Without a descriptor for one more port: 425 at once, not after a try of each
        port of the range; and later it works."""
        self.passive.ports = PortRange.parse("20000-60000")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with open(os.devnull, "rb") as highest:
            limit = highest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            self.assertRaises(Trouble, self.lease, "10.0.0.1")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.lease("10.0.0.1")
