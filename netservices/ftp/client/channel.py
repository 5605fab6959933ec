"""One data connection, seen from the client.

Theory.  What a server sends faster than we can store stays with it.  A download ends
well only with a clean end of the stream; with TLS that is close_notify.  Whether an
upload ended well is not seen here: the server's reply says it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from netservices.ftp.datastream import DataStream, Take
from netservices.ftp.dialogue.channels import DataBroken
from netservices.tls.layer import TLSLayer, start_tls


class ClientChannel(DataStream):
    """An open data connection, or one that has ended."""

    def __init__(self, reactor: Any, chunk_octets: int) -> None:
        super().__init__(reactor, chunk_octets)
        self.made: Callable[[ClientChannel], None] | None = None
        """Told when the connection is there."""
        self._progress = -1

    @property
    def octets(self) -> int:
        """How many it has carried."""
        return self._octets

    def connectionMade(self) -> None:
        """Wait, without reading, for the transfer."""
        super().connectionMade()
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
        await self._send(data)

    async def finish(self) -> None:
        """Close once everything sent has left.  DataBroken."""
        self._check()
        self._is_finishing = True
        self._end_producing()
        self.transport.loseConnection()
        if not self._is_closed:
            await self._wait()
        self._check_problem()

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
        """Hand octets over, unless some could not be stored."""
        if self._problem is None:
            self._store(data)

    def _refuse(self, failure: Failure) -> None:
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

    def look(self) -> None:
        """Give it up if nothing has moved since this was asked the last time."""
        unsent = getattr(self.transport, "unsent_octets", 0)
        progress = self.octets - unsent
        if progress == self._progress and not self._is_storing:
            self._break(Failure(DataBroken("data connection stalled")))
            self.abort()
        self._progress = progress
