"""Plain HTTP leads to HTTPS, where the operator wants it."""

from __future__ import annotations

from typing import Any

from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response

# RFC 8555 8.3: whoever checks a host for a certificate comes over plain HTTP.
_STAYS_PLAIN = "/.well-known/acme-challenge/"


class RequireTLS:
    """The layer; ``port`` is that of HTTPS."""

    def __init__(self, settings: HTTPSettings, port: int) -> None:
        self._is_on = settings.require_tls
        self._port = port

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Redirect what is not secure."""
        if not self._is_on or request.is_secure or self._may_stay(request):
            return answer_of(handler, request)
        if not request.host:
            # RFC 9110 15.5.22.
            raise Problem(
                426,
                "This site wants HTTPS.",
                [("Upgrade", "TLS/1.2, HTTP/1.1"), ("Connection", "Upgrade")],
            )
        name = f"[{request.host}]" if ":" in request.host else request.host
        authority = name if self._port == 443 else f"{name}:{self._port}"
        # RFC 9110 15.4.9: 308 keeps method and content.
        status = 301 if request.method in ("GET", "HEAD") else 308
        location = f"https://{authority}{request.target}"
        return Response(status, [("Location", location)])

    def _may_stay(self, request: Request) -> bool:
        return request.path.startswith(_STAYS_PLAIN) or request.path == "*"


def tls_port(settings: HTTPSettings, configuration: Any) -> int:
    """The port that browsers find HTTPS on: what the settings say, or that of the first
    TLS listener."""
    if settings.public_tls_port:
        return settings.public_tls_port
    protocols = getattr(configuration, "protocols", {})
    found = protocols.get("http")
    for endpoint in () if found is None else found.endpoints:
        if endpoint.kind == "tls" and endpoint.port:
            return int(endpoint.port)
    return 443
