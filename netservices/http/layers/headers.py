"""Fields that make browsers careful, on every response that does not say otherwise."""

from __future__ import annotations

from typing import Any

from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler, Settled, after, answer_of
from netservices.web.request import Request
from netservices.web.response import Response

_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
)


class SecurityHeaders:
    """The layer; what a handler has set stays as it is."""

    def __init__(self, settings: HTTPSettings) -> None:
        fields = list(_ALWAYS) if settings.security_headers else []
        if settings.security_headers and settings.frame_options != "allow":
            fields.append(("X-Frame-Options", settings.frame_options.upper()))
        self._plain = tuple(fields)
        if settings.hsts:
            # RFC 6797 7.2: never over plain HTTP.
            fields.append(("Strict-Transport-Security", _hsts(settings)))
        self._secure = tuple(fields)

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Add what is missing."""
        fields = self._secure if request.is_secure else self._plain
        answer = answer_of(handler, request)
        if not fields:
            return answer

        def add(response: Response) -> None:
            present = {name.lower() for name, _value in response.fields}
            response.fields += [f for f in fields if f[0].lower() not in present]

        return after(answer, add)


def _hsts(settings: HTTPSettings) -> str:
    """RFC 6797 6.1."""
    words: list[Any] = [f"max-age={int(settings.hsts)}"]
    if settings.hsts_subdomains:
        words.append("includeSubDomains")
    return "; ".join(words)
