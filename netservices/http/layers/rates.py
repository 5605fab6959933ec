"""How often an address may ask."""

from __future__ import annotations

from math import ceil
from typing import Any

from netservices.core.buckets import TokenBuckets
from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request


class RequestRates:
    """The layer that answers 429 to whoever asks too often.

    An IPv4 address, or an IPv6 network, has a bucket of ``http.request_burst`` tokens,
    which fills by ``http.requests_per_second``.
    """

    def __init__(self, settings: HTTPSettings, limits: Any) -> None:
        self._limits = limits
        self._buckets: TokenBuckets = limits.buckets(
            settings.requests_per_second, settings.request_burst
        )

    def __call__(self, request: Request, handler: Handler) -> Settled:
        wait = self.wait(request.origin.address)
        if wait:
            # RFC 6585 4.
            seconds = str(max(1, ceil(wait)))
            raise Problem(429, fields=[("Retry-After", seconds)])
        return answer_of(handler, request)

    def wait(self, address: str) -> float:
        """Count a request; in how many seconds the address may ask, 0 where now.

        Connections call it for what they answer without asking a handler.
        """
        if self._limits.is_exempt(address):
            return 0.0
        # An IPv6 customer has a whole network of addresses.
        key = self._limits.network_of(address) if ":" in address else address
        return self._buckets.take(key)
