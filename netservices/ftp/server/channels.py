"""One data connection: Twisted's side of ``dialogue.channels.DataChannel``.

Theory.  A connection is paused until a transfer wants its octets, so what a client
sends early waits in the kernel, and while a download runs nothing is read: a client
that half-closes its side is not taken for one that went away.  An upload ends well only
with a clean end of the stream (``ConnectionDone``); a reset is ``ConnectionLost`` and
becomes ``DataBroken``, because the octets before it may be incomplete (RFC 959 3.4.1:
in stream mode the end of file is the end of the connection, which is why it must be a
clean one).

A download is complete when the client's system has acknowledged its last octet; see
``acknowledged``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.sendfile import FileSender, FileShrank
from netservices.core.write import expect_bulk
from netservices.ftp.datastream import Take
from netservices.ftp.dialogue.channels import DataBroken, NotProtected
from netservices.ftp.server.acknowledged import Parting
from netservices.ftp.server.farewell import LOOK_OCTETS, look
from netservices.ftp.server.lasting import LastingConnection
from netservices.ftp.server.protection import begin
from netservices.ftp.server.rates import Throttle
from netservices.interfaces import IOpenFile
from netservices.tls.layer import TLSFailed, TLSLayer, TLSTruncated

_AT_ONCE_OCTETS = 64 * 1024
_LEAST_AHEAD = 64 * 1024
_MUCH_A_SECOND = 4 * 1024 * 1024


@implementer(IPushProducer)
class DataConnection(LastingConnection):
    """An open data connection, or one that has ended."""

    def __init__(self, chunk_octets: int, reactor: IReactorTime) -> None:
        super().__init__(reactor, chunk_octets)
        self.made: Callable[[DataConnection], None] | None = None
        """Told when the connection is there."""
        self.lost: Callable[[bool], None] | None = None
        """Told when it has ended, and whether that was a clean end."""
        self._sender: FileSender | None = None
        self._sending: Deferred[int] | None = None
        self.has_losses = False
        """Whether an upload came over a network that loses segments."""
        self._next_look = LOOK_OCTETS
        self.protection: tuple[str, bool] | None = None
        """The version of TLS, and whether a session was resumed."""
        self.accepts_truncation = False
        """Whether an end of stream without close_notify is a clean one."""

    @property
    def rate(self) -> float:
        """Octets a second, over the last seconds."""
        return self._speed.rate(self._reactor.seconds(), self.octets)

    def mark_speed(self, now: float) -> None:
        """Note how far the transfer is."""
        self._speed.mark(now, self.octets)

    @property
    def octets(self) -> int:
        """How many octets the connection has carried."""
        return self._octets + (self._sender.sent if self._sender is not None else 0)

    def connectionMade(self) -> None:
        """Wait, without reading, for the transfer."""
        super().connectionMade()
        if self.made is not None:
            self.made(self)

    async def secure(
        self,
        contexts: Sequence[ssl.SSLContext],
        otherwise: ssl.SSLContext,
        records: bytes,
        seconds: float,
        keeps_tickets: Callable[[], bool],
    ) -> ssl.SSLContext:
        """Shake hands with a client that has said ``records``; what is carried from now
        on is protected.  The context used: that of the ``contexts`` whose session the
        client resumes, or ``otherwise``.

        NotProtected where the peer speaks no TLS, not as it should, or nothing within
        ``seconds``; DataBroken where it goes.
        """
        self._check()
        self._octets = 0
        shaken = self._wait()
        layer = begin(
            self,
            contexts,
            otherwise,
            records,
            seconds,
            keeps_tickets,
            lambda: self._wake(None),
        )
        await shaken
        self.protection = (layer.version or "", layer.session_reused)
        layer.pauseProducing()
        return layer.context

    def give_tickets(self) -> None:
        """Let the client have the tickets that were kept for the end of an upload."""
        if isinstance(self.transport, TLSLayer):
            self.transport.give_tickets()

    def vouch(self, is_resumed: bool) -> None:
        """Whether the session that was resumed, if any, is the client's own."""
        if self.protection is not None:
            version, was_resumed = self.protection
            self.protection = (version, was_resumed and is_resumed)

    @property
    def is_finishing(self) -> bool:
        """Whether it ends because everything has been sent."""
        return self._is_finishing

    # --- sending --------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send; returns when there is room for more.  DataBroken."""
        self._check()
        if self.throttle is None:
            await self._send(data)
            return
        for start in range(0, len(data), self.throttle.step):
            piece = data[start : start + self.throttle.step]
            await self._wait_for_turn(self.throttle.wait(len(piece), self._now()))
            await self._send(piece)

    async def send_file(
        self, file: IOpenFile, offset: int, end: int | None = None
    ) -> None:
        """Send a file as it is, to ``end``, or to the end it had when opened.
        DataBroken."""
        self._check()
        end = file.node.size if end is None else end
        if end - offset <= _AT_ONCE_OCTETS and self.throttle is None:
            # One read and one write cost less than what sendfile needs around it.
            data = await _octets_of(file, offset, end)
            self._check()
            self._octets += len(data)
            transport: Any = self.transport
            transport.write(data)
        elif file.fileno() < 0:
            await self._send_read(file, offset, end)
        elif self.throttle is None:
            await self._send_descriptor(file.fileno(), offset, end - offset)
        else:
            await self._send_slowly(self.throttle, file.fileno(), offset, end)

    async def _send_read(self, file: IOpenFile, offset: int, end: int) -> None:
        """Where the system cannot send it itself."""
        while offset < end:
            data = await file.read(offset, min(self._chunk, end - offset))
            if not data:
                raise DataBroken("the file became shorter while it was sent")
            offset += len(data)
            await self.send(data)

    async def _send_slowly(
        self, throttle: Throttle, descriptor: int, offset: int, end: int
    ) -> None:
        """No faster than the bandwidth limits allow."""
        while offset < end:
            size = min(throttle.step, end - offset)
            await self._wait_for_turn(throttle.wait(size, self._now()))
            await self._send_descriptor(descriptor, offset, size)
            offset += size

    async def _send_descriptor(self, descriptor: int, offset: int, count: int) -> None:
        if count <= 0:
            return
        self._sender = FileSender(self.transport, descriptor, offset, count, None)
        self._sending = self._sender.start()
        try:
            await self._sending
        except (ConnectionLost, FileShrank, CancelledError) as error:
            self._check_problem()
            if isinstance(error, CancelledError):
                raise
            raise DataBroken(str(error)) from error
        finally:
            self._octets += self._sender.sent
            self._sender = self._sending = None

    def _now(self) -> float:
        return self._reactor.seconds()

    async def _wait_for_turn(self, seconds: float) -> None:
        """Wait for a bandwidth limit.  DataBroken."""
        until = self._now() + seconds
        while (left := until - self._now()) > 0:
            self._held = self._reactor.callLater(left, self._wake, None)
            try:
                # What wakes it before its time is room in the transport, or the end.
                await self._wait()
            finally:
                self._forget_hold()
            self._check()

    @property
    def is_held(self) -> bool:
        """Whether a bandwidth limit is what it waits for."""
        return self._held is not None

    async def finish(self) -> None:
        """Close; returns once the client's system has everything.  DataBroken."""
        self._check()
        self._is_finishing = True
        self._end_producing()
        if isinstance(self.transport, TLSLayer):
            self.transport.leave(self._part)
        else:
            self._part()
        if not self._is_closed:
            await self._wait()
        self._check_problem()

    def _part(self) -> None:
        """Everything was written, close_notify too."""
        transport: Any = self.transport
        lower = getattr(transport, "lower", transport)
        if isinstance(lower, tcp.Connection):
            goodbye = getattr(transport, "goodbye_octets", 0)
            Parting(lower, self._reactor, goodbye).begin()
        else:
            lower.loseConnection()

    # --- receiving ------------------------------------------------------------------

    async def receive(self, take: Take) -> None:
        """Hand over what arrives until the clean end of the stream.  DataBroken."""
        self._check()
        if self.throttle is not None:
            # What one read takes goes through at once.
            expect_bulk(self.transport, self.throttle.step)
            self._hold_little(self.throttle.octets)
        await super().receive(take)

    def dataReceived(self, data: bytes) -> None:
        """Hand octets over, and pause while they are more than can be stored, or than
        a limit allows."""
        if self._take is None:
            return
        if self._received_at is None:
            self._received_at = self._reactor.seconds()
        if self._octets + len(data) >= self._next_look:
            self._look_for_losses()
        self._store(data)
        if self.throttle is not None:
            seconds = self.throttle.charge(len(data), self._now())
            if seconds > 0 and self._held is None and not self._is_closed:
                self.transport.pauseProducing()
                self._held = self._reactor.callLater(seconds, self._let_read)

    def _hold_little(self, octets_a_second: int) -> None:
        """Let the kernel take about a second's octets ahead of us: a client that is
        rid of megabytes at once would wait for minutes for its 226."""
        if octets_a_second < _MUCH_A_SECOND:
            size = max(_LEAST_AHEAD, octets_a_second)
            transport: Any = self.transport
            with suppress(AttributeError, OSError):
                handle = transport.getHandle()
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def _let_read(self) -> None:
        """A bandwidth limit allows more."""
        self._held = None
        self._go_on_reading()

    @property
    def receiving_seconds(self) -> float:
        """How long ago the first octet of an upload came."""
        if self._received_at is None:
            return 0.0
        return self._reactor.seconds() - self._received_at

    def _look_for_losses(self) -> None:
        """Ask the kernel, less and less often the longer the upload."""
        self._next_look *= 2
        handle = getattr(self.transport, "getHandle", lambda: None)()
        self.has_losses = look(handle).has_losses

    # --- the end --------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: clean, or broken."""
        self._is_closed = True
        self._forget_hold()
        is_clean = reason.check(ConnectionDone) is not None
        if self.lost is not None:
            self.lost(is_clean)
        if self.accepts_truncation and reason.check(TLSTruncated):
            is_clean = True
        if not is_clean or not (self._is_finishing or self._take is not None):
            kind = NotProtected if self._is_shaking(reason) else DataBroken
            self._break(Failure(kind(f"data connection lost: {reason.value!r}")))
        elif not self._is_storing:
            self._wake(None)

    def _is_shaking(self, reason: Failure) -> bool:
        """Whether the handshake has failed, and nothing else."""
        return self.protection is None and reason.check(TLSFailed) is not None

    def look(self, now: float) -> None:
        """Give up a connection whose peer lets nothing move, or hardly anything.

        What lies unacknowledged in the kernel has not moved yet, so that a slow client
        whose buffers drain is seen to be alive.
        """
        if self.pace is None or self._is_closed:
            return
        unacknowledged = self._unacknowledged()
        problem = self.pace.look(
            now, self.octets - unacknowledged, self._waits_for_peer(unacknowledged)
        )
        if problem is not None:
            self._break(Failure(DataBroken(problem)))
            self.abort()

    def _waits_for_peer(self, unacknowledged: int) -> bool:
        """Whether the next move is the peer's, not the disk's or a limit's."""
        if self._is_storing or self.is_held:
            return False
        if self._sending is not None:
            return unacknowledged > 0
        return self._waiter is not None

    def _break(self, problem: Failure) -> None:
        if self._sending is not None:
            self._problem = self._problem or problem
            self._sending.cancel()
        super()._break(problem)


async def _octets_of(file: IOpenFile, offset: int, end: int) -> bytes:
    """All octets from ``offset`` to ``end``.  DataBroken.

    A read gives what is in memory where that is less than was asked for: it says
    nothing of the file's end.
    """
    pieces = []
    while offset < end:
        data = await file.read(offset, end - offset)
        if not data:
            raise DataBroken("the file became shorter while it was sent")
        pieces.append(data)
        offset += len(data)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
