"""A client in memory whose server is the test: it reads commands, writes replies."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.client import ClientLimits, Control, FTPClient

T = TypeVar("T")
LIMITS = ClientLimits(reply_seconds=10, stall_seconds=10, completion_seconds=100)


def _address(host: str, port: int) -> Any:
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, port)


class DataEnd:
    """The server's end of a data connection."""

    def __init__(self, protocol: Any, host: str) -> None:
        self.transport = StringTransport(peerAddress=_address(host, 2000))
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Octets to the client."""
        self.protocol.dataReceived(data)

    def end(self, is_clean: bool = True) -> None:
        """Close it."""
        reason = ConnectionDone() if is_clean else ConnectionLost()
        self.protocol.connectionLost(Failure(reason))


class ClientCase(SynchronousTestCase):
    """Tests of a client that is connected and has not logged in."""

    peer = "192.0.2.1"
    local = "192.0.2.99"

    def setUp(self) -> None:
        """Connect it."""
        self.connect()

    def connect(self, **limits: Any) -> None:
        """A new connection, with some limits of its own."""
        self.reactor = MemoryReactorClock()
        self.transport = StringTransport(
            hostAddress=_address(self.local, 1000), peerAddress=_address(self.peer, 21)
        )
        self.control = Control(self.reactor, evolve(LIMITS, **limits))
        self.control.makeConnection(self.transport)
        self.client = FTPClient(self.control, self.reactor, "ftp.example.org")

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Begin; the test answers what the client says."""
        return Deferred.fromCoroutine(coroutine)

    def said(self) -> str:
        """What the client has said since this was asked the last time."""
        found: bytes = self.transport.value()
        self.transport.clear()
        return found.decode("utf-8", "surrogateescape").replace("\r\n", "\n")

    def answer(self, *lines: str) -> None:
        """Reply lines."""
        for line in lines:
            self.control.dataReceived(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def exchange(self, *pairs: tuple[str, str]) -> None:
        """What the client says, and the replies."""
        for command, reply in pairs:
            self.assertEqual(command + "\n", self.said())
            self.answer(*reply.split("\n"))

    def log_in(self, features: str = "") -> None:
        """As alice, at a server with some features: ``"MDTM, REST STREAM"``."""
        done = self.start(self.client.login("alice", b"secret"))
        listed = "".join(f" {name}\n" for name in features.split(", ") if name)
        self.exchange(
            ("USER alice", "331 x"),
            ("PASS secret", "230 x"),
            ("TYPE I", "200 x"),
            ("FEAT", f"211-x\n{listed}211 x"),
        )
        self.successResultOf(done)

    def data(self, port: int = 5000) -> DataEnd:
        """Agree on a passive connection, and connect."""
        self.exchange(("EPSV", f"229 x (|||{port}|)"))
        host, found, factory, _seconds, _address = self.reactor.tcpClients[-1]
        self.assertEqual((self.peer, port), (host, found))
        return DataEnd(factory.buildProtocol(None), host)
