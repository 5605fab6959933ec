"""Active data connections: where they come from, when, and to whom."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.ftp.dialogue.channels import NoDataConnection
from netservices.ftp.server.active import ActivePorts, Attempt
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import HostPort
from netservices.testing import running
from tests.ftp.memory import LOGIN, MemoryFTP
from tests.ftp.sockets import SECONDS, SETTINGS, ServerCase, Wire, read_all

reactor: Any = live_reactor

CONTROL = HostPort("127.0.0.1", 21)
TARGET = HostPort("127.0.0.1", 5000)


def listening(host: str = "127.0.0.1") -> socket.socket:
    """Where a client expects its data."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, 0), family=family)
    made.settimeout(SECONDS)
    return made


def eprt(listener: socket.socket) -> str:
    """The command that names a listener."""
    host, port = listener.getsockname()[:2]
    return f"EPRT |{2 if ':' in host else 1}|{host}|{port}|"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


class SourcePortTests(ServerCase):
    """Where active connections come from, on real sockets."""

    def test_below_control_port(self) -> Deferred[None]:
        """A data connection comes from L-1, L being the control port.  RFC 959 3.2"""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            with listening() as listener:
                self.assertEqual("200", wire.say(eprt(listener))[:3])
                self.assertEqual("150", wire.say("RETR a")[:3])
                accepted, (host, port) = listener.accept()
                self.assertEqual(b"content", read_all(accepted))
                self.assertEqual("226", wire.reply()[:3])
            self.assertEqual("127.0.0.1", host)
            # Somebody else may listen on that port; then it is another one.
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", self.port - 1))
                self.assertEqual(self.port - 1, port)

        return self.talk(conversation)

    def test_one_port_named_again(self) -> Deferred[None]:
        """A client that names one port for every transfer gets them all, although the
        same two ends were connected a moment ago."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            with listening() as listener:
                for _ in range(5):
                    wire.say(eprt(listener))
                    self.assertEqual("150", wire.say("RETR a")[:3])
                    self.assertEqual(b"content", read_all(listener.accept()[0]))
                    self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)


class ManyTests(TestCase):
    """Many connections from one port."""

    @as_deferred
    async def test_fifty_at_once(self) -> None:
        """Fifty transfers to one client run at once, all from the one port."""
        source = free_port()
        settings = {**SETTINGS, "ftp.active_port": str(source)}
        server = await running(
            ftp=True, accounts=[("alice", "secret")], settings=settings
        )
        self.addCleanup(server.stop)

        def conversation() -> None:
            wires, ends = [], []
            with contextlib.ExitStack() as stack:
                for number in range(50):
                    wire = Wire(server.port("ftp", "tcp"))
                    stack.callback(wire.close)
                    wire.log_in()
                    with listening() as listener:
                        wire.say(eprt(listener))
                        self.assertEqual("150", wire.say(f"STOR {number}")[:3])
                        accepted, (_, port) = listener.accept()
                    stack.callback(accepted.close)
                    self.assertEqual(source, port)
                    wires.append(wire)
                    ends.append(accepted)
                for end in ends:
                    end.sendall(b"x" * 1000)
                    end.close()
                for wire in wires:
                    self.assertEqual("226 Transfer complete, 1000 octets", wire.reply())

        await deferToThread(conversation)

    @as_deferred
    async def test_occupied_port(self) -> None:
        """Where somebody listens on the source port, another one serves."""
        with listening() as occupant:
            source = occupant.getsockname()[1]
            settings = {**SETTINGS, "ftp.active_port": str(source)}
            server = await running(
                ftp=True, accounts=[("alice", "secret")], settings=settings
            )
            self.addCleanup(server.stop)

            def conversation() -> None:
                wire = Wire(server.port("ftp", "tcp"))
                wire.log_in()
                with listening() as listener:
                    wire.say(eprt(listener))
                    self.assertEqual("150", wire.say("LIST")[:3])
                    accepted, (_, port) = listener.accept()
                    read_all(accepted)
                    self.assertNotEqual(source, port)
                    self.assertEqual("226", wire.reply()[:3])
                wire.close()

            await deferToThread(conversation)


class IPv6Tests(TestCase):
    """Over IPv6."""

    @as_deferred
    async def test_transfer(self) -> None:
        """EPRT, EPSV and the source port work as over IPv4; the other family is
        refused with the one to use.  RFC 2428 2"""
        server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={**SETTINGS, "ftp.listen": ["tcp:0:interface=[::1]"]},
        )
        self.addCleanup(server.stop)
        port = server.port("ftp", "tcp")

        def conversation() -> None:
            wire = Wire(port, "::1")
            wire.log_in()
            data = wire.data("STOR a")
            data.sendall(b"content")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            with listening("::1") as listener:
                self.assertEqual("200", wire.say(eprt(listener))[:3])
                self.assertEqual("150", wire.say("RETR a")[:3])
                self.assertEqual(b"content", read_all(listener.accept()[0]))
                self.assertEqual("226", wire.reply()[:3])
            refused = wire.say("EPRT |1|127.0.0.1|2000|")
            self.assertEqual("522 Network protocol not supported, use (2)", refused)
            self.assertEqual("501", wire.say("EPRT |2|::2|2000|")[:3])
            wire.close()

        await deferToThread(conversation)


class AttemptTests(SynchronousTestCase):
    """What an attempt does when it fails, in memory."""

    def setUp(self) -> None:
        """A server whose control port is 21."""
        self.reactor: Any = MemoryReactorClock()
        self.ports = ActivePorts(self.reactor, "L-1", 30.0)

    def attempt(self, local: HostPort = CONTROL) -> Attempt:
        """One more connection."""
        connection = DataConnection(4096, self.reactor)
        return self.ports.connect(local, TARGET, connection)

    def fail(self, error: Any = None) -> Any:  # type: ignore[override]
        """Let the last attempt fail."""
        _, _, factory, _, _ = self.reactor.tcpClients[-1]
        connector = self.reactor.connectors[-1]
        factory.clientConnectionFailed(connector, Failure(error))

    def sources(self) -> list[int]:
        """The source ports that were tried."""
        return [binding._port for _, _, _, _, binding in self.reactor.tcpClients]

    def test_denied(self) -> None:
        """Without the privilege another port serves, and the log says so once."""
        seen: list[Any] = []
        globalLogPublisher.addObserver(seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, seen.append)
        for _ in range(3):
            self.attempt()
            if self.sources()[-1]:
                self.fail(ConnectBindError(errno.EACCES, "denied"))
        self.assertEqual([20, 0, 0, 0], self.sources())
        said = [one for one in seen if "cannot come from port" in one["log_format"]]
        self.assertEqual(1, len(said))

    def test_taken(self) -> None:
        """A port that is taken now is tried again the next time."""
        for number in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
            self.attempt()
            self.fail(ConnectBindError(number, "taken"))
        self.assertEqual([20, 0, 20, 0], self.sources())

    def test_refused(self) -> None:
        """A client that does not listen is not tried from another port."""
        attempt = self.attempt()
        self.fail(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
        self.failureResultOf(attempt.done, NoDataConnection)
        self.assertEqual([20], self.sources())

    def test_no_port_at_all(self) -> None:
        """Where no other port is to be had either, that is the end."""
        attempt = self.attempt()
        self.fail(ConnectBindError(errno.EADDRINUSE, "taken"))
        self.fail(ConnectBindError(errno.EADDRNOTAVAIL, "taken"))
        self.failureResultOf(attempt.done, NoDataConnection)

    def test_implicit_tls(self) -> None:
        """The data port of 990 is 989; that of port 1 is any."""
        self.attempt(HostPort("127.0.0.1", 990))
        self.attempt(HostPort("127.0.0.1", 1))
        self.assertEqual([989, 0], self.sources())

    def test_made(self) -> None:
        """The connection is there when it is made, and not a second time."""
        attempt = self.attempt()
        connection = attempt.buildProtocol(None)
        connection.makeConnection(StringTransport())
        self.assertIs(connection, self.successResultOf(attempt.done))


class BounceTests(ServerCase):
    """Other hosts and well-known ports as targets.  RFC 2577 3"""

    def test_refused(self) -> Deferred[None]:
        """501, and nothing is connected."""

        def conversation(wire: Wire) -> None:
            for command in (
                "PORT 127,0,0,2,20,0",
                "EPRT |1|127.0.0.2|5120|",
                "PORT 127,0,0,1,0,25",
                "EPRT |1|127.0.0.1|1023|",
                "PORT 127,0,0,1,256,1",
                "PORT 127,0,0,1,0,0",
                "EPRT |1|127.0.0.1|65536|",
            ):
                self.assertEqual("501", wire.say(command)[:3], command)
            self.assertEqual("425", wire.say("LIST")[:3])

        return self.talk(conversation)


class ForeignTests(ServerCase):
    """Site-to-site transfers, where the operator allows them."""

    settings = {"ftp.allow_foreign": "true"}

    def test_both_ways(self) -> Deferred[None]:
        """Data goes to another host, and is taken from one; low ports stay refused."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            with listening("127.0.0.2") as listener:
                self.assertEqual("200", wire.say(eprt(listener))[:3])
                self.assertEqual("150", wire.say("RETR a")[:3])
                self.assertEqual(b"content", read_all(listener.accept()[0]))
                self.assertEqual("226", wire.reply()[:3])
            self.assertEqual("501", wire.say("PORT 127,0,0,2,0,25")[:3])
            port = wire.passive_port()
            address = ("127.0.0.1", port)
            data = socket.create_connection(address, SECONDS, ("127.0.0.3", 0))
            self.assertIn(wire.say("STOR b")[:3], ("125", "150"))
            data.sendall(b"from elsewhere")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"from elsewhere", self.content_of("b"))

        return self.talk(conversation)


class EarlyTests(ServerCase):
    """``ftp.active_connect = "early"``."""

    settings = {"ftp.active_connect": "early"}

    def test_transfer(self) -> Deferred[None]:
        """The connection is there before the answer to PORT; the transfer says 125."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            for _ in range(2):
                with listening() as listener:
                    self.assertEqual("200", wire.say(eprt(listener))[:3])
                    accepted, _ = listener.accept()
                    self.assertEqual("125", wire.say("RETR a")[:3])
                    self.assertEqual(b"content", read_all(accepted))
                    self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)

    def test_nobody_listens(self) -> Deferred[None]:
        """425 at once, and the session goes on."""

        def conversation(wire: Wire) -> None:
            self.assertEqual("425", wire.say(f"EPRT |1|127.0.0.1|{free_port()}|")[:3])
            self.assertEqual("425", wire.say("LIST")[:3])

        return self.talk(conversation)

    def test_unused(self) -> Deferred[None]:
        """A connection that no transfer uses is dropped by the next preparation, by
        ABOR and with the session."""

        def conversation(wire: Wire) -> None:
            for command in ("EPSV", "ABOR", "QUIT"):
                with listening() as listener:
                    wire.say(eprt(listener))
                    accepted, _ = listener.accept()
                    accepted.settimeout(SECONDS)
                    self.assertEqual("2", wire.say(command)[:1])
                    with contextlib.suppress(ConnectionResetError):
                        self.assertEqual(b"", accepted.recv(1))
                    accepted.close()

        return self.talk(conversation)


class EarlyDialogueTests(MemoryFTP, SynchronousTestCase):
    """The same, in memory."""

    settings = FTPSettings(active_connect="early")

    def test_codes(self) -> None:
        """200 and 125."""
        self.assert_dialogue(
            LOGIN
            + """
            C: EPRT |1|127.0.0.1|2000|
            S: 200 ...
            C: NLST
            S: 125 ...
            S: 226 ...
            C: PORT 127,0,0,2,20,0
            S: 501 ...
            """
        )
