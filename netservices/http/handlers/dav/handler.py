"""Which method is whose, and who may ask."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from netservices.http.handlers.dav import changing
from netservices.http.handlers.dav.answers import error
from netservices.http.handlers.dav.getting import get
from netservices.http.handlers.dav.locking import lock, unlock, with_tokens
from netservices.http.handlers.dav.patching import PATCHES, Patch, patch
from netservices.http.handlers.dav.place import Place, without_slash
from netservices.http.handlers.dav.posting import Check, Forms
from netservices.http.handlers.dav.problems import allowing, in_words_of_http
from netservices.http.handlers.dav.propfind import propfind
from netservices.http.handlers.dav.proppatch import proppatch
from netservices.http.handlers.dav.putting import put
from netservices.http.settings import HTTPSettings
from netservices.interfaces import Locked
from netservices.plugin import Services
from netservices.web.authentication import require_account
from netservices.web.problems import not_possible
from netservices.web.request import Request
from netservices.web.response import Response

Method: TypeAlias = Callable[[Place, float], Awaitable[Response]]
"""Answers a request about a place, at a time in seconds since 1970."""

CLASSES = "1, 2, 3"
"""RFC 4918 18: locks, and all of RFC 4918."""


_FOR_FILES = ("PUT", "PATCH", "MKCOL")
"""Methods that mean nothing where a directory is."""


async def answered(
    place: Place, method: Method, now: float, methods: Iterable[str]
) -> Response:
    """The answer of a method, in the locks that the request holds; refusals of the file
    service in words of HTTP.  ``methods`` are all that can be done."""
    allowed = [name for name in methods if name not in _FOR_FILES]
    with allowing(allowed), in_words_of_http():
        try:
            return await method(await with_tokens(place), now)
        except Locked as locked:
            hrefs = [place.href(path) for path in locked.paths]
            return error(423, "lock-token-submitted", hrefs)


class DAV:
    """The homes of accounts, each for its own account."""

    def __init__(
        self,
        settings: HTTPSettings,
        services: Services,
        now: Callable[[], float] = time.time,
        check: Check = lambda request, path, method, is_deep: None,
    ) -> None:
        """``check`` raises where a visitor may not do something; for what is asked for
        by forms."""
        self._settings = settings
        self._services = services
        self._now = now
        self.patches: dict[str, Patch] = dict(PATCHES)
        """What PATCH understands, by media type; others may add to it."""
        self._logout = f"{settings.login_path}logout" if settings.login_path else ""
        self._methods: dict[str, Method] = {
            "GET": self._get,
            "HEAD": self._get,
            "POST": Forms(settings.largest_upload, self._logout, check),
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": changing.delete,
            "MKCOL": changing.make_collection,
            "COPY": changing.copy,
            "MOVE": changing.move,
            "PROPFIND": self._propfind,
            "PROPPATCH": self._proppatch,
            "LOCK": self._lock,
            "UNLOCK": self._unlock,
        }

    async def __call__(self, request: Request) -> Response:
        """Answer one request; a ``web.handler.Handler``."""
        if request.method == "OPTIONS":
            return self._options()
        method = self._methods.get(request.method)
        if method is None:
            raise not_possible(request.method, "OPTIONS", *self._methods)
        account = require_account(request)
        place = Place(
            request=request,
            tree=self._services.files.home(account),
            account=account,
            path=without_slash(request.segments),
            events=self._services.events,
            has_slash=request.path.endswith("/"),
        )
        return await answered(place, method, self._now(), ("OPTIONS", *self._methods))

    def _options(self) -> Response:
        """What can be done here (RFC 4918 10.1).  Nobody needs to log in to learn it:
        clients ask this first."""
        fields = [
            ("DAV", CLASSES),
            ("Allow", ", ".join(["OPTIONS", *self._methods])),
            # Microsoft's clients take the server for another one without it.
            ("MS-Author-Via", "DAV"),
            # RFC 5789 3.1.
            ("Accept-Patch", ", ".join(sorted(self.patches))),
        ]
        return Response(200, fields)

    async def _get(self, place: Place, now: float) -> Response:
        return await get(place, now, self._logout)

    async def _put(self, place: Place, now: float) -> Response:
        return await put(place, now, self._settings.largest_upload)

    async def _patch(self, place: Place, now: float) -> Response:
        most = self._settings.largest_patched
        return await patch(place, now, self.patches, most)

    async def _propfind(self, place: Place, now: float) -> Response:
        most = self._settings.webdav_most_listed
        return await propfind(place, await self._xml(place), now, most)

    async def _proppatch(self, place: Place, now: float) -> Response:
        return await proppatch(place, await self._xml(place))

    async def _lock(self, place: Place, now: float) -> Response:
        longest = self._settings.webdav_longest_lock
        return await lock(place, await self._xml(place), now, longest)

    async def _unlock(self, place: Place, now: float) -> Response:
        return await unlock(place)

    async def _xml(self, place: Place) -> bytes:
        """The content of the request.  Problem 413."""
        return await place.request.body.whole(self._settings.webdav_longest_xml)
