"""The layer that compresses what handlers make.

Files have been negotiated where they were found; what comes here is the rest: listings,
pages of applications, JSON.

Compression tells lengths, and lengths tell secrets: whoever can have a browser ask for
pages that repeat his guess beside a secret, and sees how long they are, reads the
secret letter by letter (BREACH).  So what is somebody's own stays as it is where it
travels through TLS; without TLS there is nothing to guess.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread

from netservices.core.deferreds import begun
from netservices.web.coders import HERE_OCTETS, Run, available, compressed, stream
from netservices.web.handler import Handler, Settled, after, answer_of
from netservices.web.media import is_compressible
from netservices.web.negotiation import codings_of
from netservices.web.request import Request
from netservices.web.response import Response, unsent

_ELSEWHERE = frozenset((204, 206, 304))
_DIGESTS = frozenset(("content-md5", "digest", "content-digest", "repr-digest"))
_OWN = ("private", "no-store", "no-transform")


def run_where_apt(function: Any, coder: Any, data: bytes, *more: Any) -> Awaitable[Any]:
    """Compress a piece here where that takes a moment, else in a thread."""
    if len(data) <= HERE_OCTETS:
        return succeed(function(coder, data, *more))
    return deferToThread(function, coder, data, *more)


class Compression:
    """The layer; ``codings`` are those wanted, the most wanted first."""

    def __init__(
        self, codings: Sequence[str], from_octets: int, run: Run = run_where_apt
    ) -> None:
        self._run = run
        self.reconfigure(codings, from_octets)

    def reconfigure(self, codings: Sequence[str], from_octets: int) -> None:
        """Take other codings, and another length from which on it is worth it."""
        self._codings = available(codings)
        self._from_octets = from_octets

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """The handler's response, maybe compressed."""
        answer = answer_of(handler, request)
        if not self._codings:
            return answer
        return after(answer, partial(self._changed, request))

    def _changed(
        self, request: Request, response: Response
    ) -> Response | Deferred[Response] | None:
        if not self._may_compress(request, response):
            return None
        response.vary("Accept-Encoding")
        coding = codings_of(request.fields).best(self._codings)
        if not coding:
            # RFC 9110 12.5.3: what was excluded is sent all the same, for nothing else
            # is there.
            return None
        _announce(response, coding)
        body = response.body
        if request.method == "HEAD":
            response.body, response.length = unsent(), None
            return None
        if isinstance(body, bytes):
            return self._whole(response, coding, body)
        response.body = stream(coding, body, self._run, True)  # type: ignore[arg-type]
        response.length = None
        return None

    def _whole(
        self, response: Response, coding: str, body: bytes
    ) -> Response | Deferred[Response] | None:
        response.length = None
        if len(body) <= HERE_OCTETS:
            response.body = compressed(coding, body)
            return None
        return begun(self._later(response, coding, body))

    async def _later(self, response: Response, coding: str, body: bytes) -> Response:
        response.body = await self._run(compressed, coding, body)
        return response

    def _may_compress(self, request: Request, response: Response) -> bool:
        """Whether it would get shorter, may be changed, and holds no secret."""
        body = response.body
        if isinstance(body, bytes):
            length = response.length if request.method == "HEAD" else len(body)
            if length is not None and length < self._from_octets:
                return False
        elif not hasattr(body, "__aiter__"):
            return False
        if response.status in _ELSEWHERE or response.status < 200 or response.tunnel:
            return False
        told = {name.lower(): value for name, value in response.fields}
        if not is_compressible(told.get("content-type", "")):
            return False
        if "content-encoding" in told or not _DIGESTS.isdisjoint(told):
            return False
        # Whoever says that it varies so has chosen already.
        if "accept-encoding" in told.get("vary", "").lower():
            return False
        return not _is_own(request, told)


def _is_own(request: Request, told: dict[str, str]) -> bool:
    """Whether the response is somebody's own, or must not be changed."""
    said = told.get("cache-control", "").lower()
    if "no-transform" in said:
        return True
    if not request.is_secure:
        return False
    has_session = request.session is not None and request.session.is_used
    return (
        has_session
        or "set-cookie" in told
        or "authorization" in request.fields
        or any(word in said for word in _OWN)
    )


def _announce(response: Response, coding: str) -> None:
    response.set("Content-Encoding", coding)
    etag = response.get("ETag")
    if etag.startswith('"'):
        # RFC 9110 8.8.3.3: other octets than those of which it is the strong tag.
        response.set("ETag", f"W/{etag}")
    response.fields = [
        pair
        for pair in response.fields
        if pair[0].lower() not in ("content-length", "accept-ranges")
    ]
