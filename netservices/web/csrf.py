"""Requests that another site makes a browser send, with the cookies and passwords that
the browser has for this one.

Theory.  A browser says where a request comes from, in fields that no page can write:
``Sec-Fetch-Site`` (over HTTPS and on loopback), ``Origin`` (with every request that
changes something), or ``Referer``.  The first of them that is there decides.  Programs
send none of them: they act for nobody but themselves, and may.  What remains is an old
browser whose user hides where he comes from; if it brings a session it has to show the
token that our forms carry, in a field of the form or in ``X-CSRF-Token``.

The check holds for all requests that change something, whether or not somebody has
logged in: the network from which a browser comes may be a right, too.  It also holds
for WebSockets, whose handshake is a GET.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl

from netservices.core.deferreds import drive
from netservices.web.body import Body
from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response

FORM_TOKEN = "form_token"  # noqa: S105
"""The field of a form that holds the token of its session."""

LONGEST_FORM = 64 * 1024
"""Octets of a form that is looked through for its token."""

# RFC 9110 9.2.1, and what reads in WebDAV.
SAFE = frozenset(
    ("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY")
)

_ORIGIN = re.compile(r"(https?)://([a-z0-9.\-_]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin (RFC 6454 7); None for ``null`` and
    nonsense."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return scheme, host.strip("[]"), int(port) if port else _PORTS[scheme]


def check_origin(text: str) -> None:
    """ValueError where ``text`` is no origin; for settings."""
    if parse_origin(text) is None:
        raise ValueError(f"{text!r} is no origin such as https://app.example.org")


class ForgeryCheck:
    """The layer; refuses with 403.

    ``trusted`` are origins whose pages may change something here;
    ``takes_any(request)`` says where everybody's may.
    """

    def __init__(
        self,
        trusted: Iterable[str] = (),
        takes_any: Callable[[Request], bool] = lambda request: False,
    ) -> None:
        self._trusted = {parse_origin(text) for text in trusted} - {None}
        self._takes_any = takes_any

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Let the handler answer what nobody forged."""
        if request.method in SAFE and "upgrade" not in request.fields:
            return answer_of(handler, request)
        is_ours = self._is_ours(request)
        if is_ours is None and _has_session(request):
            return drive(self._after_token(request, handler))
        if is_ours is False and not self._takes_any(request):
            raise _refusal(request)
        return answer_of(handler, request)

    def _is_ours(self, request: Request) -> bool | None:
        """Whether a page of ours sent it; None where nothing tells."""
        fields = request.fields
        site = fields.get("sec-fetch-site")
        if site in ("same-origin", "none"):
            return True
        origin = fields.get("origin")
        if origin:
            return self._may_come_from(origin, request, not site)
        if site:
            return False
        referer = fields.get("referer")
        if referer:
            return self._may_come_from("/".join(referer.split("/", 3)[:3]), request)
        return None

    def _may_come_from(
        self, text: str, request: Request, may_be_own: bool = True
    ) -> bool:
        origin = parse_origin(text)
        if origin is None:
            return False
        port = request.port if request.port is not None else _PORTS[request.scheme]
        is_own = origin == (request.scheme, request.host, port)
        return (is_own and may_be_own) or origin in self._trusted

    async def _after_token(self, request: Request, handler: Handler) -> Response:
        """The handler's answer, if the form carries the session's token."""
        if not await _has_token(request) and not self._takes_any(request):
            raise _refusal(request)
        answer = answer_of(handler, request)
        return answer if isinstance(answer, Response) else await answer


def _has_session(request: Request) -> bool:
    return request.session is not None and request.session.is_kept


async def _has_token(request: Request) -> bool:
    """Whether field or form hold the token; the form can be read again afterwards."""
    session, fields = request.session, request.fields
    if session.is_form_token(fields.get("x-csrf-token")):
        return True
    kind = fields.get("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return False
    content = await request.body.whole(LONGEST_FORM)
    request.body = body = Body(len(content))
    if content:
        body.feed(content)
        body.finish()
    try:
        pairs = parse_qsl(content.decode("latin-1"), max_num_fields=1000)
    except ValueError:
        return False
    return any(n == FORM_TOKEN and session.is_form_token(v) for n, v in pairs)


def _refusal(request: Request) -> Problem:
    where = request.fields.get("origin") or request.fields.get("referer")
    return Problem(
        403,
        "This came from a page of another site. Go to the page here, and try again.",
        log_text=f"forged? sent from {where[:200] or 'an unknown page'}",
    )
