"""One data connection, seen from the client.

Theory.  The connection is paused until a transfer wants its octets, and while ``take``
wants to wait: what a server sends faster than we can store stays with it.  A download
ends well only with a clean end of the stream; with TLS that is close_notify.  Whether
an upload ended well is not seen here: the server's reply says it.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.write import expect_bulk
from netservices.ftp.dialogue.channels import DataBroken
from netservices.tls.layer import TLSLayer, start_tls

_CHUNKS_A_TURN = 4
Take = Callable[[bytes], Awaitable[None] | None]


@implementer(IPushProducer)
class ClientChannel(Protocol):
    """An open data connection, or one that has ended."""

    transport: Any

    def __init__(self, reactor: Any, chunk_octets: int) -> None:
        self._reactor = reactor
        self._chunk = chunk_octets
        self.octets = 0
        """How many it has carried."""
        self.made: Callable[[ClientChannel], None] | None = None
        """Told when the connection is there."""
        self._problem: Failure | None = None
        self._is_closed = False
        self._is_producer = False
        self._is_finishing = False
        self._has_room = True
        self._octets_this_turn = 0
        self._take: Take | None = None
        self._is_storing = False
        self._waiter: Deferred[None] | None = None
        self._progress = -1

    def connectionMade(self) -> None:
        """Wait, without reading, for the transfer."""
        expect_bulk(self.transport, self._chunk)
        self.transport.pauseProducing()
        if self.made is not None:
            self.made(self)

    async def secure(
        self, context: ssl.SSLContext, hostname: str, session: ssl.SSLSession | None
    ) -> TLSLayer:
        """Shake hands, resuming ``session``; what follows is protected.  DataBroken."""
        self._check()
        layer = start_tls(
            self,
            context,
            server_side=False,
            server_hostname=hostname,
            session=session,
            when_open=lambda _layer: self._wake(None),
        )
        layer.resumeProducing()
        await self._wait()
        layer.pauseProducing()
        return layer

    # --- sending --------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Send; returns when there is room for more.  DataBroken."""
        self._check()
        if not self._is_producer:
            self._is_producer = True
            self.transport.registerProducer(self, True)
        self.octets += len(data)
        self._octets_this_turn += len(data)
        self.transport.write(data)
        if not self._has_room:
            await self._wait()
            self._octets_this_turn = 0
        elif self._octets_this_turn >= self._chunk * _CHUNKS_A_TURN:
            # A fast network never makes us wait; others want their turn.
            await deferLater(self._reactor, 0)
            self._octets_this_turn = 0
            self._check()

    async def finish(self) -> None:
        """Close once everything sent has left.  DataBroken."""
        self._check()
        self._is_finishing = True
        if self._is_producer:
            self._is_producer = False
            self.transport.unregisterProducer()
        self.transport.loseConnection()
        if not self._is_closed:
            await self._wait()
        self._check_problem()

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._has_room = False

    def resumeProducing(self) -> None:
        """There is room again."""
        self._has_room = True
        if not self._is_finishing:
            self._wake(None)

    def stopProducing(self) -> None:
        """The connection is going; ``connectionLost`` follows."""
        self._has_room = False

    # --- receiving ------------------------------------------------------------------

    async def receive(self, take: Take) -> None:
        """Hand over what arrives until the clean end of the stream.  DataBroken, and
        what ``take`` raises."""
        self._check()
        self._take = take
        self.transport.resumeProducing()
        try:
            await self._wait()
        finally:
            self._take = None

    def dataReceived(self, data: bytes) -> None:
        """Hand octets over, and pause while they are more than can be stored."""
        if self._take is None or self._problem is not None:
            return
        self.octets += len(data)
        try:
            waiting: Any = self._take(data)
        except Exception:
            self._break(Failure())
            return
        if waiting is not None:
            self.transport.pauseProducing()
            self._is_storing = True
            waiting.addCallbacks(self._stored, self._not_stored)

    def _stored(self, _none: None) -> None:
        self._is_storing = False
        if self._is_closed:
            self._wake(None)
        elif self._take is not None:
            self.transport.resumeProducing()

    def _not_stored(self, failure: Failure) -> None:
        self._is_storing = False
        self._break(failure)

    # --- the end --------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: clean, or broken."""
        self._is_closed = True
        is_clean = reason.check(ConnectionDone) is not None
        if not is_clean or not (self._is_finishing or self._take is not None):
            self._break(Failure(DataBroken(f"data connection lost: {reason.value}")))
        elif not self._is_storing:
            self._wake(None)

    def abort(self) -> None:
        """Reset the connection; safe to call again, and after the end."""
        if not self._is_closed and self.transport is not None:
            self.transport.abortConnection()
        self._break(Failure(DataBroken("data connection aborted")))

    def look(self) -> None:
        """Give it up if nothing has moved since this was asked the last time."""
        unsent = getattr(self.transport, "unsent_octets", 0)
        progress = self.octets - unsent
        if progress == self._progress and not self._is_storing:
            self._break(Failure(DataBroken("data connection stalled")))
            self.abort()
        self._progress = progress

    def _check(self) -> None:
        self._check_problem()
        if self._is_closed:
            raise DataBroken("data connection closed early")

    def _check_problem(self) -> None:
        if self._problem is not None:
            self._problem.raiseException()

    def _wait(self) -> Deferred[None]:
        self._waiter = Deferred()
        return self._waiter

    def _break(self, problem: Failure) -> None:
        if self._problem is None:
            self._problem = problem
        self._wake(self._problem)

    def _wake(self, result: Failure | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)
