"""Data connections that last: in block and compressed mode the data says where a file
ends, and the connection serves the next transfer as well (RFC 959 3.3).

Theory.  Octets are read when they are asked for, one arrival at a time, for what lies
behind the end of a file belongs to the next one.  Between transfers the connection
listens, so that the client's end is heard of; what comes early is held, and stops the
reading.  When nothing is read or written, the kernel is asked for resets.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from netservices.core.speed import Speed
from netservices.ftp.datastream import DataStream, Take
from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.server.acknowledged import (
    FIRST_LOOK_SECONDS,
    LONGEST_LOOK_SECONDS,
    unacknowledged_octets,
)
from netservices.ftp.server.pace import Pace
from netservices.ftp.server.rates import Throttle


class LastingConnection(DataStream):
    """The part of ``channels.DataConnection`` that goes beyond one transfer."""

    _reactor: IReactorTime

    def __init__(self, reactor: IReactorTime, chunk_octets: int) -> None:
        super().__init__(reactor, chunk_octets)
        self.pace: Pace | None = None
        """How the transfer on it moves; None where none runs."""
        self.throttle: Throttle | None = None
        """Its bandwidth limits; None where there is none."""
        self._speed = Speed(reactor.seconds())
        self._received_at: float | None = None
        self._held: Any = None
        """The timer of a pause that a limit has asked for."""
        self._arrived: list[bytes] = []
        """What ``read`` has not given out."""

    def _unacknowledged(self) -> int:
        """Octets sent that the client's system has not acknowledged."""
        return 0 if self._is_closed else unacknowledged_octets(self.transport)

    def _forget_hold(self) -> None:
        """End a pause that a bandwidth limit has asked for."""
        held, self._held = self._held, None
        if held is not None and held.active():
            held.cancel()

    async def receive(self, take: Take) -> None:
        """Hand over what arrives until the clean end of the stream.  DataBroken."""
        self._check()
        self._take = take
        self._go_on_reading()
        try:
            await self._wait()
        finally:
            self._take = None

    def _go_on_reading(self) -> None:
        """Read, unless something else still waits."""
        if not self._is_storing and self._held is None:
            super()._go_on_reading()

    # --- reading --------------------------------------------------------------------

    async def read(self) -> bytes:
        """What arrives next; empty at the clean end of the stream.  DataBroken."""
        if not self._arrived:
            await self.receive(self._put)
        data = b"".join(self._arrived)
        self._arrived.clear()
        return data

    def _put(self, data: bytes) -> None:
        self.transport.pauseProducing()
        self._arrived.append(data)
        self._wake(None)

    def stop_reading(self) -> None:
        """Who waits in ``read`` gets nothing; what comes waits in the kernel again."""
        if not self._is_closed:
            self.transport.pauseProducing()
            self._wake(None)

    def put_back(self, data: bytes) -> None:
        """The next file begins with ``data``, which ``read`` gives out again."""
        if data:
            self._arrived.insert(0, data)

    async def give_way(self) -> None:
        """Let the reactor serve others.  DataBroken."""
        await deferLater(self._reactor, 0)
        self._check_problem()

    # --- between transfers ----------------------------------------------------------

    async def settle(self) -> None:
        """Returns once the client's system has everything; the connection stays open.
        DataBroken."""
        seconds = FIRST_LOOK_SECONDS
        self._check()
        while self._has_unsettled():
            look = self._reactor.callLater(seconds, self._wake, None)
            try:
                await self._wait()
            finally:
                if look.active():
                    look.cancel()
            self._check()
            self._check_socket()
            seconds = min(seconds * 2, LONGEST_LOOK_SECONDS)

    def _check_socket(self) -> None:
        """Where nothing is read or written, nobody else hears of a reset."""
        if self.transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise DataBroken("data connection reset")

    def _has_unsettled(self) -> bool:
        lower = getattr(self.transport, "lower", self.transport)
        unsent = getattr(lower, "unsent_octets", 0)
        return bool(not self._has_room or unsent or self._unacknowledged())

    def keep(self) -> bool:
        """Stay open for the next transfer, and hear of the client's end meanwhile;
        whether that is possible."""
        if self._is_closed or self._problem is not None:
            return False
        self._end_producing()
        self.pace = self.throttle = None
        self._forget_hold()
        if not self._arrived:
            self._take = self._put
            self.transport.resumeProducing()
        return True

    @property
    def is_open(self) -> bool:
        """Whether a connection that was kept may still be used."""
        return not self._is_closed and self._problem is None

    def renew(self) -> None:
        """Another transfer begins on a connection that was kept."""
        self.transport.pauseProducing()
        self._take = None
        self._octets = sum(len(data) for data in self._arrived)
        self._octets_this_turn = 0
        self._received_at = None
        self._speed = Speed(self._reactor.seconds())

    def let_go(self) -> None:
        """Close a connection that was kept."""
        if not self._is_closed:
            self._is_finishing = True
            self.transport.loseConnection()
