"""How often an address may ask."""

from __future__ import annotations

from math import ceil
from typing import Any

from netservices.core.buckets import TokenBuckets
from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler, Settled, after, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response


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
        address = request.origin.address
        if not self._limits.is_exempt(address):
            # An IPv6 customer has a whole network of addresses.
            key = self._limits.network_of(address) if ":" in address else address
            wait = self._buckets.take(key)
            if wait:
                # RFC 6585 4.
                seconds = str(max(1, ceil(wait)))
                raise Problem(429, fields=[("Retry-After", seconds)])
        return after(answer_of(handler, request), _for_this_one)


def _for_this_one(response: Response) -> None:
    """Another request is counted anew."""
    response.lasting = None
