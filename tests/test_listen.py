"""Sockets and listeners: binding, systemd's sockets, limits, drain."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientCreator, Factory, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.config.endpoint import parse_endpoint
from netservices.config.settings import ServerSettings
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError, StartupError
from netservices.listen import Listener, Listeners
from netservices.plugin import Server
from netservices.sockets import Bound, Passed, _ways_out, bind_all

reactor: Any = _reactor
SETTINGS = ServerSettings()


def bind(*texts: str, settings: ServerSettings = SETTINGS) -> list[Bound]:
    """The sockets of some endpoints."""
    endpoints = {"echo": tuple(parse_endpoint(text) for text in texts)}
    return bind_all(endpoints, settings, Passed({}))["echo"]


class BindTests(SynchronousTestCase):
    """``bind_all``."""

    def bound(self, *texts: str) -> list[Bound]:
        """Sockets that are closed after the test."""
        found = bind(*texts)
        for one in found:
            self.addCleanup(one.close)
        return found

    def refused(self, *texts: str) -> str:
        """The one line that explains a failed bind."""
        error = self.assertRaises(StartupError, bind, *texts)
        self.assertEqual(1, error.exit_status)
        self.assertEqual(1, len(str(error).splitlines()))
        return str(error)

    def test_one_address(self) -> None:
        """Port 0 becomes the bound port; connections wait in the kernel's queue."""
        (one,) = self.bound("tcp:0:interface=127.0.0.1")

        with socket.create_connection(("127.0.0.1", one.port)) as early:
            self.assertEqual("127.0.0.1", early.getpeername()[0])
        self.assertFalse(one.socket.getblocking())
        self.assertTrue(one.is_stream)

    def test_wildcards_are_two_sockets(self) -> None:
        """A wildcard is IPv6 and IPv4 on one port, TCP and UDP alike."""
        for kind in ("tcp", "udp"):
            found = self.bound(f"{kind}:0")
            self.assertEqual(["::", "0.0.0.0"], [one.address for one in found])
            self.assertEqual(1, len({one.port for one in found}))
            self.assertTrue(all(one.is_wildcard for one in found))

    def test_port_in_use(self) -> None:
        """The line names protocol, port, reason and the ways out."""
        (one,) = self.bound("tcp:0:interface=127.0.0.1")

        line = self.refused(f"tcp:{one.port}:interface=127.0.0.1")

        self.assertIn(f"echo: cannot listen on port {one.port} (tcp:{one.port}", line)
        self.assertIn("address already in use", line)
        for way in ("--port-offset", "systemd:NAME", "CAP_NET_BIND_SERVICE"):
            self.assertIn(way, line)

    def test_permission(self) -> None:
        """A port below 1024 without the right is explained with three ways out."""
        error = OSError(errno.EACCES, "Permission denied")

        line = _ways_out(parse_endpoint("tcp:21"), error)

        for way in ("--port-offset", "systemd:NAME", "CAP_NET_BIND_SERVICE"):
            self.assertIn(way, line)

    def test_foreign_address(self) -> None:
        """An address that this machine does not have is named."""
        line = self.refused("tcp:0:interface=192.0.2.1")

        self.assertIn("no interface of this machine has 192.0.2.1", line)

    def test_all_or_none(self) -> None:
        """When one bind fails, what was bound before is free again."""
        (taken,) = self.bound("udp:0:interface=127.0.0.1")
        (probe,) = bind("udp:0:interface=127.0.0.1")
        free = probe.port
        probe.close()

        self.refused(
            f"udp:{free}:interface=127.0.0.1", f"udp:{taken.port}:interface=127.0.0.1"
        )

        (again,) = self.bound(f"udp:{free}:interface=127.0.0.1")
        self.assertEqual(free, again.port)

    def test_unix(self) -> None:
        """A UNIX socket has the mode asked for, and is gone when it is closed."""
        path = f"/tmp/netservices-{os.getpid()}.sock"
        (one,) = bind(f"unix:{path}:mode=640")
        self.assertEqual(0o640, stat.S_IMODE(os.stat(path).st_mode))
        self.assertEqual((path, 0), (one.address, one.port))

        self.assertIn("already in use", self.refused(f"unix:{path}"))

        one.close()
        self.assertFalse(os.path.exists(path))

    def test_stale_unix_socket(self) -> None:
        """What a dead process left is replaced; a file is not."""
        path = f"/tmp/netservices-{os.getpid()}-stale.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        self.bound(f"unix:{path}")

        file = f"{path}.file"
        with open(file, "w", encoding="ascii"):
            pass
        self.addCleanup(os.unlink, file)
        self.assertIn("not a socket", self.refused(f"unix:{file}"))


class PassedTests(SynchronousTestCase):
    """Sockets of systemd, as far as one process can show them."""

    def test_other_process(self) -> None:
        """Variables that are meant for another process are ignored."""
        passed = Passed({"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"})
        self.assertEqual((), passed.names)

    def test_names(self) -> None:
        """Descriptors have the names that systemd gave them."""
        environ = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": "4",
            "LISTEN_FDNAMES": "web:dns:dns",
        }
        self.assertEqual(("web", "dns", "unknown"), Passed(environ).names)

    def test_unknown_name(self) -> None:
        """A name that systemd did not pass is refused with those that it did."""
        environ = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "web",
        }
        error = self.assertRaises(ConfigurationError, Passed(environ).take, "ftp")
        self.assertIn("it passed web", str(error))
        error = self.assertRaises(ConfigurationError, Passed({}).take, "ftp")
        self.assertIn("it passed none", str(error))

    def test_descriptor(self) -> None:
        """``fd=N`` adopts a descriptor, non-blocking; what is no socket is refused."""
        with socket.socket() as parent:
            parent.bind(("127.0.0.1", 0))
            number = os.dup(parent.fileno())
            (one,) = bind(f"tcp:fd={number}")
            self.addCleanup(one.close)
            self.assertFalse(one.socket.getblocking())
            self.assertEqual(parent.getsockname()[1], one.port)
            self.assertTrue(
                one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            )
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        error = self.assertRaises(ConfigurationError, bind, f"tcp:fd={reading}")
        self.assertIn("is not a socket", str(error))


class Echo(Protocol):
    """Sends back what it gets; says goodbye when the server stops."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def drain(self) -> None:
        """What a real protocol does: a last word, then the end."""
        self.transport.write(b"bye")
        self.transport.loseConnection()


class Stubborn(Protocol):
    """Knows nothing of draining."""


class Client(Protocol):
    """Collects what comes, and knows when it ends."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[None] = Deferred()
        self._wanted: list[tuple[int, Deferred[bytes]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for wanted in list(self._wanted):
            if len(self.received) >= wanted[0]:
                self._wanted.remove(wanted)
                wanted[1].callback(self.received)

    def expect(self, octets: int) -> Deferred[bytes]:
        """Fires when that many octets have come."""
        deferred: Deferred[bytes] = Deferred()
        self._wanted.append((octets, deferred))
        return deferred

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(None)


class ListenerTests(TestCase):
    """Listeners on loopback, with the real reactor."""

    def listener(self, text: str, server: Server, most: int = 100) -> Listener:
        """An open listener, closed after the test."""
        (bound,) = bind(text)
        listener = Listener("echo", bound, most)
        listener.open(server, reactor, SETTINGS, lambda factory: factory)
        self.addCleanup(listener.close)
        return listener

    def connect(self, listener: Listener) -> Deferred[Any]:
        """A client of the listener."""
        creator = ClientCreator(reactor, Client)
        return creator.connectTCP("127.0.0.1", listener.listening.port)

    @as_deferred
    async def test_connections_are_counted(self) -> None:
        """A connection is live until it is lost, and counted for ever."""
        listener = self.listener(
            "tcp:0:interface=127.0.0.1", Server(stream=Factory.forProtocol(Echo))
        )
        client = await self.connect(listener)
        client.transport.write(b"hello")
        await client.expect(5)
        self.assertEqual(1, listener.status()["connections"])

        empty = listener.connections.when_empty()
        client.transport.loseConnection()
        await empty

        status = listener.status()
        self.assertEqual((0, 1), (status["connections"], status["accepted"]))
        self.assertTrue(status["answers"])

    @as_deferred
    async def test_too_many(self) -> None:
        """One connection too many is closed; the others live."""
        listener = self.listener(
            "tcp:0:interface=127.0.0.1",
            Server(stream=Factory.forProtocol(Echo)),
            most=1,
        )
        first = await self.connect(listener)
        first.transport.write(b"hello")
        await first.expect(5)
        second = await self.connect(listener)

        await second.ended

        self.assertEqual(1, listener.status()["refused"])
        first.transport.write(b"again")
        self.assertEqual(b"helloagain", await first.expect(10))
        empty = listener.connections.when_empty()
        first.transport.loseConnection()
        await empty

    @as_deferred
    async def test_drain(self) -> None:
        """Protocols with ``drain`` are told; ``drain`` fires when all are gone."""
        listeners = Listeners(reactor)
        listeners.add({"echo": bind("tcp:0:interface=127.0.0.1")}, 10)
        (listener,) = listeners.all
        server = Server(stream=Factory.forProtocol(Echo))
        listener.open(server, reactor, SETTINGS, lambda factory: factory)
        client = await self.connect(listener)
        client.transport.write(b"hello")
        await client.expect(5)

        await listeners.close()
        await listeners.drain()

        await client.ended
        self.assertEqual(b"hellobye", client.received)
        self.assertEqual(0, listeners.live_count)

    @as_deferred
    async def test_abort(self) -> None:
        """What does not drain is cut."""
        listener = self.listener(
            "tcp:0:interface=127.0.0.1", Server(stream=Factory.forProtocol(Stubborn))
        )
        client = await self.connect(listener)
        while not listener.connections.live:
            await _next_turn()
        listener.connections.drain()
        self.assertEqual(1, len(listener.connections.live))

        self.assertEqual(1, listener.connections.abort())

        await client.ended
        await listener.connections.when_empty()

    @as_deferred
    async def test_roles(self) -> None:
        """A role is served by its own factory."""
        server = Server(
            stream=Factory.forProtocol(Stubborn),
            roles={"loud": Factory.forProtocol(Echo)},
        )
        listener = self.listener("tcp:0:interface=127.0.0.1:role=loud", server)
        client = await self.connect(listener)
        client.transport.write(b"hello")
        self.assertEqual(b"hello", await client.expect(5))
        empty = listener.connections.when_empty()
        client.transport.loseConnection()
        await empty

    def test_unfit_endpoints(self) -> None:
        """An endpoint for which the protocol has nothing is a configuration error."""
        nothing = Server()
        for text, reason in (
            ("tcp:0:interface=127.0.0.1", "the protocol takes no connections"),
            ("udp:0:interface=127.0.0.1", "the protocol answers no datagrams"),
            ("tcp:0:interface=127.0.0.1:role=x", "no role 'x'; there are: none"),
        ):
            (bound,) = bind(text)
            self.addCleanup(bound.close)
            listener = Listener("echo", bound, 1)
            error = self.assertRaises(
                ConfigurationError, listener.open, nothing, reactor, SETTINGS, None
            )
            self.assertIn(reason, str(error))

    @as_deferred
    async def test_datagrams(self) -> None:
        """A UDP listener answers through the reactor."""
        listener = self.listener(
            "udp:0:interface=127.0.0.1",
            Server(datagram=lambda data, _address, _local: data.upper()),
        )
        answer = await deferToThread(_ask_udp, listener.listening.port, b"hello")

        self.assertEqual(b"HELLO", answer)
        self.assertEqual(1, listener.status()["received"])

    @as_deferred
    async def test_tls(self) -> None:
        """A ``tls`` endpoint serves TLS from the first octet."""
        from netservices.tls.certificates import Certificates
        from netservices.tls.layer import TLSFactory
        from netservices.tls.settings import TLSSettings

        state = self.mktemp()
        os.makedirs(state)
        certificates = Certificates(TLSSettings(), state, "localhost")
        (bound,) = bind("tls:0:interface=127.0.0.1")
        listener = Listener("echo", bound, 10)

        def wrap(factory: Any) -> Any:
            return TLSFactory(factory, certificates.server_context)

        server = Server(stream=Factory.forProtocol(Echo))
        listener.open(server, reactor, SETTINGS, wrap)
        self.addCleanup(listener.close)

        answer = await deferToThread(_ask_tls, listener.listening.port, b"hello")

        self.assertEqual(b"hello", answer)
        await listener.connections.when_empty()


def _next_turn() -> Deferred[None]:
    deferred: Deferred[None] = Deferred()
    reactor.callLater(0, deferred.callback, None)
    return deferred


def _ask_udp(port: int, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(30)
        client.sendto(data, ("127.0.0.1", port))
        return client.recv(1000)


def _ask_tls(port: int, data: bytes) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(data)
        return client.recv(1000)
