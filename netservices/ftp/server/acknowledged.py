"""What the peer's system has acknowledged of a connection, and closing one then.

Theory.  What only lies in our own kernel is lost with a reset; what the peer's system
has acknowledged has arrived.  So a download has arrived when nothing is unacknowledged,
and nothing that the client does afterwards can change that: it may close, reset, or
leave the connection open until it has heard of the end on another one.  Its own end
says less: a program that is killed ends its streams, too.

A client that knows how much there is may close before it has read our last words
(close_notify, FIN), and its system answers these with a reset.  The kernel goes on to
tell what was unacknowledged then; if it is the last words only, the file has arrived.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

FIRST_LOOK_SECONDS = 0.002
LONGEST_LOOK_SECONDS = 0.25

_FIN_OCTETS = 1
"""The end of a stream counts as one octet (RFC 9293 3.4)."""

_UNSIGNED = struct.Struct("i")


def unacknowledged_octets(transport: Any) -> int:
    """How many octets lie in our kernel until the peer's has them; 0 for what is no
    socket."""
    try:
        descriptor = transport.getHandle().fileno()
        found = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError, AttributeError):
        return 0
    octets: int = _UNSIGNED.unpack(found)[0]
    return octets


@implementer(IHalfCloseableProtocol)
class Parting(Protocol):
    """The last protocol of a connection to which everything was written.

    It ends the stream and closes the connection when all has arrived.  The protocol
    before is told of the end: ``ConnectionDone`` where it has, else another reason.
    """

    transport: Any

    def __init__(self, transport: Any, reactor: IReactorTime, goodbye: int) -> None:
        self._reactor = reactor
        self._goodbye = goodbye
        self._timer: Any = None
        self._has_arrived = False
        self._before = transport.protocol
        transport.protocol = self
        self.makeConnection(transport)
        transport.before_close = self._find_out

    def begin(self) -> None:
        """Close at once, or send FIN and look from time to time."""
        if self._is_acknowledged:
            self._close(CONNECTION_DONE)
            return
        transport = self.transport
        # Where nobody reads, the end of both directions looks like a loss.
        transport.resumeProducing()
        if transport.unsent_octets:
            transport.loseWriteConnection()
        else:
            self._end_stream()
        self._look_later(FIRST_LOOK_SECONDS)

    def _end_stream(self) -> None:
        """Send FIN, if it was not sent.  After a reset there is none: what is not
        acknowledged then is of the file."""
        with suppress(OSError):
            self.transport.getHandle().shutdown(socket.SHUT_WR)
            self._goodbye += _FIN_OCTETS

    def _look_later(self, seconds: float) -> None:
        self._timer = self._reactor.callLater(seconds, self._look, seconds)

    def _look(self, seconds: float) -> None:
        """Close where everything has arrived, or nothing can arrive any more."""
        self._timer = None
        handle = self.transport.getHandle()
        if self._is_acknowledged:
            self._close(CONNECTION_DONE)
        elif handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            # After the peer's own end nobody else hears of a reset.
            self._close(CONNECTION_LOST)
        else:
            self._look_later(min(seconds * 2, LONGEST_LOOK_SECONDS))

    def _close(self, reason: Exception) -> None:
        self.transport.connectionLost(Failure(reason))

    @property
    def _is_acknowledged(self) -> bool:
        return not (
            self.transport.unsent_octets or unacknowledged_octets(self.transport)
        )

    def _find_out(self) -> None:
        """The socket is about to be closed: whether all but the last words arrived."""
        self._has_arrived = (
            not self.transport.unsent_octets
            and unacknowledged_octets(self.transport) <= self._goodbye
        )

    def dataReceived(self, data: bytes) -> None:
        """It goes to nobody."""

    def readConnectionLost(self) -> None:  # noqa: N802
        """The peer has ended its side, and may still be reading."""
        if self._is_acknowledged:
            self._close(CONNECTION_DONE)

    def writeConnectionLost(self) -> None:  # noqa: N802
        """FIN has been sent, or the connection had been reset."""
        self._end_stream()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        if self._timer is not None:
            self._timer.cancel()
        if self._has_arrived:
            reason = Failure(CONNECTION_DONE)
        elif reason.check(type(CONNECTION_DONE)):
            reason = Failure(CONNECTION_LOST)
        before, self._before = self._before, None
        before.connectionLost(reason)
