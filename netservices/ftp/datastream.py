"""A data connection as both its ends have it: octets out as fast as they are taken,
octets in as fast as they can be stored, and one who waits for either.

Theory.  The connection is paused until a transfer wants its octets.  On the way out
flow control is Twisted's (the stream is its transport's producer); a fast network takes
all at once and never makes a sender wait, so ``_send`` itself stops for others after
``_CHUNKS_A_TURN`` chunks.  On the way in the transport is paused while ``take`` wants
to wait.  At most one coroutine waits at a time; what breaks while nobody waits is told
to the next one that asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.write import expect_bulk
from netservices.ftp.dialogue.channels import DataBroken

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Is given what arrives; what it returns is waited for before more is read."""

_CHUNKS_A_TURN = 4


@implementer(IPushProducer)
class DataStream(Protocol):
    """An open data connection, or one that has ended."""

    transport: Any

    def __init__(self, reactor: Any, chunk_octets: int) -> None:
        self._reactor = reactor
        self._chunk = chunk_octets
        self._octets = 0
        self._octets_this_turn = 0
        self._problem: Failure | None = None
        self._is_closed = False
        self._is_producer = False
        self._is_finishing = False
        self._has_room = True
        self._take: Take | None = None
        self._is_storing = False
        self._waiter: Deferred[None] | None = None

    def connectionMade(self) -> None:
        """Wait, without reading, for the transfer."""
        expect_bulk(self.transport, self._chunk)
        self.transport.pauseProducing()

    # --- sending --------------------------------------------------------------------

    async def _send(self, data: bytes) -> None:
        """Send; returns when there is room for more.  DataBroken."""
        if not self._is_producer:
            self._is_producer = True
            self.transport.registerProducer(self, True)
        self._octets += len(data)
        self._octets_this_turn += len(data)
        self.transport.write(data)
        if not self._has_room:
            await self._wait()
            self._octets_this_turn = 0
        elif self._octets_this_turn >= self._chunk * _CHUNKS_A_TURN:
            await deferLater(self._reactor, 0)
            self._octets_this_turn = 0
            self._check()

    def _end_producing(self) -> None:
        """Nothing more is sent for now."""
        if self._is_producer:
            self._is_producer = False
            self.transport.unregisterProducer()

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

    def _store(self, data: bytes) -> None:
        """Hand octets over, and pause while they are more than can be stored."""
        if self._take is None:
            return
        self._octets += len(data)
        try:
            waiting: Any = self._take(data)
        except Exception:
            self._refuse(Failure())
            return
        if waiting is not None:
            self.transport.pauseProducing()
            self._is_storing = True
            waiting.addCallbacks(self._stored, self._not_stored)

    def _stored(self, _none: None) -> None:
        self._is_storing = False
        if self._is_closed:
            self._wake(None)
        else:
            self._go_on_reading()

    def _not_stored(self, failure: Failure) -> None:
        self._is_storing = False
        self._refuse(failure)

    def _refuse(self, failure: Failure) -> None:
        """What came could not be stored."""
        self._wake(failure)

    def _go_on_reading(self) -> None:
        """Read, if there is somebody to give it to."""
        if self._take is not None and not self._is_closed:
            self.transport.resumeProducing()

    # --- the end --------------------------------------------------------------------

    def abort(self) -> None:
        """Reset the connection; safe to call again, and after the end."""
        if not self._is_closed and self.transport is not None:
            self.transport.abortConnection()
        self._break(Failure(DataBroken("data connection aborted")))

    def _check(self) -> None:
        """DataBroken where it is broken or closed."""
        self._check_problem()
        if self._is_closed:
            raise DataBroken("data connection closed early")

    def _check_problem(self) -> None:
        """DataBroken where it is broken."""
        if self._problem is not None:
            self._problem.raiseException()

    def _wait(self) -> Deferred[None]:
        """Until ``_wake``."""
        self._waiter = Deferred()
        return self._waiter

    def _break(self, problem: Failure) -> None:
        """It is of no use from now on; only the first reason counts."""
        if self._problem is None:
            self._problem = problem
        self._wake(self._problem)

    def _wake(self, result: Failure | None) -> None:
        """Let who waits go on, or fail."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)
        elif result is not None and self._problem is None:
            # Nobody waits now; the next call that does is told.
            self._problem = Failure(DataBroken(result.getErrorMessage()))
