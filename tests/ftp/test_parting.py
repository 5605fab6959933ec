"""The end of a download: what has arrived when the connection breaks."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.server.acknowledged import Parting

CLOSED = 7
"""The state, as Linux numbers them."""


class Ended(Protocol):
    """What was there before; notes the end."""

    reason: Failure | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Once."""
        self.reason = reason


class Transport:
    """A transport of which only the end matters, on a real socket."""

    unsent_octets = 0

    def __init__(self, handle: socket.socket, protocol: Protocol) -> None:
        self.protocol: Any = protocol
        self.before_close: Any = None
        self._handle = handle

    def getHandle(self) -> socket.socket:
        """The socket."""
        return self._handle

    def resumeProducing(self) -> None:
        """Nothing is read."""

    def connectionLost(self, reason: Failure) -> None:
        """Tell the protocol."""
        self.before_close()
        self._handle.close()
        self.protocol.connectionLost(reason)


def in_kernel(handle: socket.socket) -> int:
    """Octets that are not acknowledged."""
    found = fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", found)[0])


class PartingTests(SynchronousTestCase):
    """``Parting`` on the loopback interface."""

    def connect(self) -> None:
        """A connection whose client acknowledges late."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.near = socket.create_connection(listener.getsockname())
            self.far, _ = listener.accept()
        self.addCleanup(self.near.close)
        self.addCleanup(self.far.close)
        self.far.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        self.before = Ended()
        self.transport = Transport(self.near, self.before)
        self.clock = Clock()

    def leave_one_octet(self) -> None:
        """Send one that is not acknowledged when the client breaks off."""
        for _ in range(100):
            self.connect()
            self.near.send(b"x")
            self.reset()
            if in_kernel(self.near) == 1:
                return
        self.fail("all were acknowledged")

    def reset(self) -> None:
        """The client breaks off, which its server's system has heard of then."""
        linger = struct.pack("ii", 1, 0)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.far.close()
        while self.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != CLOSED:
            pass

    def outcome(self) -> Failure:
        """How it ended."""
        self.clock.pump([0.25] * 10)
        assert self.before.reason is not None
        return self.before.reason

    def test_reset_before_the_end(self) -> None:
        """A reset that comes before our FIN: the octet that was not acknowledged is
        the last one of the file, not that FIN."""
        self.leave_one_octet()
        Parting(self.transport, self.clock, 0).begin()
        self.assertIs(None, self.outcome().check(ConnectionDone))

    def test_reset_before_a_late_end(self) -> None:
        """The same where octets of ours had to wait."""
        self.leave_one_octet()
        parting = Parting(self.transport, self.clock, 0)
        parting.writeConnectionLost()
        self.transport.connectionLost(Failure(ConnectionDone()))
        self.assertIs(None, self.outcome().check(ConnectionDone))

    def test_reset_after_the_end(self) -> None:
        """A reset that comes after it, when the client has all octets."""
        self.connect()
        self.near.send(b"all")
        while in_kernel(self.near):
            pass
        parting = Parting(self.transport, self.clock, 0)
        self.near.shutdown(socket.SHUT_WR)
        parting.writeConnectionLost()
        self.reset()
        self.transport.connectionLost(Failure(ConnectionDone()))
        self.assertIsNot(None, self.outcome().check(ConnectionDone))
