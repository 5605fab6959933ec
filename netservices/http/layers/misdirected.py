"""Requests that have come to the wrong connection."""

from __future__ import annotations

from netservices.interfaces import ICertificates
from netservices.web.handler import Handler
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer


class CoveredHosts:
    """The layer that answers 421 (RFC 9110 15.5.20) to a client which asks, on a
    connection made for one name, for a host that its certificate is not for.

    Clients that share connections between hosts come again on another one.
    """

    def __init__(self, certificates: ICertificates) -> None:
        self._certificates = certificates

    def __call__(self, request: Request, handler: Handler) -> Answer:
        if request.tls is not None:
            asked = request.tls.server_name
            if (
                asked
                and request.host
                and asked.lower().rstrip(".") != request.host
                and not self._certificates.is_covered(asked, request.host)
            ):
                raise Problem(421)
        return handler(request)
