"""Connections of the HTTP server in memory, and what they say."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from netservices.core.wheel import Wheel
from netservices.http.server.connection import HTTPConnection
from netservices.http.server.known import Known
from netservices.http.server.shared import Shared
from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler

NOW = 1_795_000_000.0
DATE = b"Date: Wed, 18 Nov 2026 11:06:40 GMT\r\n"
CLIENT = IPv4Address("TCP", "192.0.2.1", 50000)
SERVER = IPv4Address("TCP", "192.0.2.80", 80)


class Wire(StringTransport):
    """A transport in memory, which remembers how it ended."""

    aborted = False
    half_closed = False

    def abortConnection(self) -> None:
        """Drop the connection."""
        self.aborted = True
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """Close our direction."""
        self.half_closed = True

    def setTcpNoDelay(self, enabled: object) -> None:
        """Part of ITCPTransport."""


class Talk:
    """One connection to ``handler``."""

    def __init__(
        self,
        handler: Handler,
        shared: Shared | None = None,
        known: Known | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.shared = shared or Shared(
            handler, HTTPSettings(**settings), Wheel(self.clock), lambda: NOW
        )
        if known is not None:
            self.shared.known = known, Known(0)
        self.wire = Wire(SERVER, CLIENT)
        self.connection = HTTPConnection(self.shared)
        self.connection.makeConnection(self.wire)

    def send(self, data: bytes) -> bytes:
        """What the server says to ``data``."""
        self.wire.clear()
        self.connection.dataReceived(data)
        return self.said()

    def said(self) -> bytes:
        """All that the server has said since the last ``send``, without the dates."""
        return self.wire.value().replace(DATE, b"")

    @property
    def is_closed(self) -> bool:
        """Whether the server has ended the connection, or its direction of it."""
        return bool(self.wire.disconnecting or self.wire.half_closed)
