"""The transport's side of an HTTP/1 connection: room, time, and the end.

Theory.  *Room*: the transport says when it is full, and everything that writes waits
for it; whoever reads from the peer stops while there is no room for what would be read.

*Time*: a connection has one deadline, and what is waited for when it passes tells what
it means.  While a message moves in either direction, the deadline is the end of a
window: in each one the peer must send, or take, as much as ``minimum_rate`` says.  Time
in which we are waited for is not charged.

*The end*: a connection that is closed while its peer still sends is reset, and a reset
destroys what the peer has not yet read, among it the answer that says why (RFC 9112
9.6).  So where more may come our direction is closed first, and what comes is thrown
away until the peer has closed as well, or has had its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.taken import acknowledged_octets
from netservices.http.server.shared import Shared

LINGER_SECONDS = 5.0
"""How long a peer whose connection ends may be silent before it is cut."""

LONGEST_LINGER_SECONDS = 30.0
"""How long it may go on sending what nobody reads."""

HALF_CLOSED_SECONDS = 10.0
"""How long a peer that has ended its direction is believed to wait for an answer of
which nothing comes; it may as well have gone, which only writing tells."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class Flow(Protocol):
    """The part of a connection that knows nothing of requests."""

    transport: Any
    shared: Shared
    deadline: float

    _buffer: bytes
    _is_full = False
    """Whether the peer does not take what was written."""
    _is_paused = False
    _is_lent = False
    """Whether a file is on its way, which is the transport's producer meanwhile."""
    _is_closing = False
    _is_deaf = False
    """Whether what comes is thrown away."""
    _has_ended = False
    """Whether the peer has ended its direction."""
    _linger_until = 0.0
    """Until when what nobody reads is heard at the end; 0: it is not."""
    _resumed = 0
    _window: tuple[object, int] | None = None
    """What was moving at the end of the last window, and how far it had come."""
    _room: list[Deferred[None]]

    # --- room -----------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The peer does not read what was written."""
        self._is_full = True
        self._regulate()

    def resumeProducing(self) -> None:
        """The peer has read it."""
        self._is_full = False
        self._resumed += 1
        self._let_go()
        self._work()

    def stopProducing(self) -> None:
        """The transport is going away; ``connectionLost`` follows."""

    def room(self) -> Deferred[None] | None:
        """What fires when the peer takes more; None: it does now."""
        if not self._is_full or self._is_closing:
            return None
        waiting: Deferred[None] = Deferred()
        self._room.append(waiting)
        return waiting

    def _let_go(self) -> None:
        waiting, self._room = self._room, []
        for one in waiting:
            one.callback(None)

    def without_producer(self, function: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        """Call ``function``, which registers a producer of its own for a while."""
        self.transport.unregisterProducer()
        # Nobody would tell us that there is room again; the other producer is told.
        self._is_full = False
        self._is_lent = True
        self._let_go()
        return function().addBoth(self._producer_again)

    def _producer_again(self, result: Any) -> Any:
        self._is_lent = False
        # The transport drops its producer after it has told it that all is lost.
        is_lost = isinstance(result, Failure) and result.check(ConnectionLost)
        if self.connected and not self._is_closing and not is_lost:
            self.transport.registerProducer(self, True)
        return result

    def _regulate(self) -> None:
        """Read only what there is room for."""
        if self._is_closing or self._has_ended or not self.connected:
            return
        must_pause = not self._has_room
        if must_pause != self._is_paused:
            self._is_paused = must_pause
            if must_pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    # --- what the other part does ---------------------------------------------------

    def _work(self) -> None:
        """Go on with what has come, as far as that goes."""
        raise NotImplementedError

    @property
    def _has_room(self) -> bool:
        """Whether more should be read."""
        raise NotImplementedError

    @property
    def _is_over(self) -> bool:
        """Whether the peer has had all the time that it gets."""
        raise NotImplementedError

    @property
    def _moving(self) -> tuple[object, int] | None:
        """What the peer should be sending, and how much of it has come."""
        raise NotImplementedError

    def _overdue(self) -> None:
        """The time is over, or too little moves, and the peer is to blame."""
        raise NotImplementedError

    # --- time -----------------------------------------------------------------------

    def _expect(self, seconds: float) -> None:
        """Set the deadline to a later time than it was."""
        self.deadline = self.shared.wheel.seconds() + seconds

    def _expect_soon(self, seconds: float) -> None:
        """Set the deadline to what may be an earlier time."""
        self._expect(seconds)
        self.shared.wheel.watch(self)

    def expired(self) -> None:
        """Called by the wheel: the deadline has passed."""
        if self._linger_until:
            self._linger_until = 0.0
            self.transport.loseConnection()
            self._expect(LINGER_SECONDS)
        elif self._is_closing:
            self.transport.abortConnection()
        elif self._is_over or self._has_stalled():
            self._overdue()
        elif self._has_ended:
            self._expect(HALF_CLOSED_SECONDS)
        else:
            self._expect(self.shared.settings.stall_timeout)

    def _has_stalled(self) -> bool:
        """Whether a window has passed in which too little has moved."""
        settings = self.shared.settings
        least = max(1, int(settings.minimum_rate * settings.stall_timeout))
        moving = self._moving
        if self._is_full or self._is_lent:
            taken = acknowledged_octets(self.transport)
            if taken is None:
                # That there was room again is all that is known.
                taken, least = self._resumed, 1
            moving = (self.transport, taken)
        before, self._window = self._window, moving
        if before is None or moving is None or before[0] is not moving[0]:
            return False
        return moving[1] - before[1] < least

    # --- the end --------------------------------------------------------------------

    def close(self) -> None:
        """Close once what was written has left, and the peer can have read it."""
        if self._is_closing:
            return
        self._is_closing = True
        may_send = self._is_deaf or self._is_paused or bool(self._buffer)
        self._buffer = b""
        self.transport.unregisterProducer()
        if may_send and not self._has_ended:
            self._linger()
        else:
            self.transport.loseConnection()
        self._expect_soon(LINGER_SECONDS)

    def _linger(self) -> None:
        """Say that nothing more comes, and hear what the peer still has to say."""
        self._linger_until = self.shared.wheel.seconds() + LONGEST_LINGER_SECONDS
        self.transport.loseWriteConnection()
        if self._is_paused:
            self.transport.resumeProducing()

    def _throw_away(self) -> None:
        """Octets have come to a connection that is closing."""
        if self._linger_until:
            wheel = self.shared.wheel
            self.deadline = min(wheel.seconds() + LINGER_SECONDS, self._linger_until)

    def readConnectionLost(self) -> None:
        """The peer sends nothing more; it may still read."""
        self._has_ended = True
        if self._is_closing:
            self.transport.loseConnection()
            return
        self._expect_soon(HALF_CLOSED_SECONDS)
        self._work()

    def writeConnectionLost(self) -> None:
        """Our direction is closed."""
