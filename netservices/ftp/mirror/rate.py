"""A limit of octets a second for several transfers together."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater


class Rate:
    """Says how long to wait after each piece; 0 octets a second is no limit."""

    def __init__(self, reactor: Any, octets_per_second: int) -> None:
        self._reactor = reactor
        self._octets = octets_per_second
        self._free_at = 0.0

    def spend(self, octets: int) -> Deferred[None] | None:
        """Fires when more may be moved; None for at once."""
        if not self._octets:
            return None
        now = self._reactor.seconds()
        self._free_at = max(self._free_at, now) + octets / self._octets
        return deferLater(self._reactor, self._free_at - now, lambda: None)
