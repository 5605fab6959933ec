"""What all connections of the server have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

from netservices.core.trace import Trace
from netservices.core.wheel import Wheel
from netservices.http.layers.rates import RequestRates
from netservices.http.server.access import Access
from netservices.http.server.guard import Guard
from netservices.http.server.known import Known
from netservices.http.settings import HTTPSettings
from netservices.web.dates import http_date
from netservices.web.handler import Handler


@define(eq=False)
class Shared:
    """Handler, limits and clocks of a server."""

    handler: Handler
    settings: HTTPSettings
    wheel: Wheel
    time: Callable[[], float]
    """Seconds since 1970."""
    workers: Any = None
    """Threads that read files which are not in memory; None: the reactor's."""
    connections: dict[Any, None] = field(factory=dict)
    """Those that are open, the oldest first."""
    guard: Guard | None = None
    trace: Trace | None = None
    """Shows each head that goes by, where ``log.trace`` is set."""
    access: Access = field(factory=Access)
    """Told of each answer that has ended."""
    rates: RequestRates | None = None
    """Counts the requests of an address, where they are limited."""
    known: tuple[Known, Known] | None = None
    """What is known by heart, of plain connections and of those with TLS; None where
    everything must go the long way."""
    _date: bytes = b""
    _date_until: float = 0.0

    def date_line(self) -> bytes:
        """The field ``Date`` of now (RFC 9110 6.6.1), and the empty line."""
        now = self.time()
        if not self._date_until - 1.0 <= now < self._date_until:
            second = int(now)
            self._date_until = second + 1.0
            self._date = f"Date: {http_date(second)}\r\n\r\n".encode()
        return self._date
