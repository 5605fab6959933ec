"""Which method is whose, and who may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from netservices.http.handlers.dav.changing import delete, make_collection
from netservices.http.handlers.dav.getting import get
from netservices.http.handlers.dav.place import Place, without_slash
from netservices.http.handlers.dav.problems import in_words_of_http
from netservices.http.handlers.dav.putting import put
from netservices.http.settings import HTTPSettings
from netservices.plugin import Services
from netservices.web.authentication import require_account
from netservices.web.problems import method_not_allowed
from netservices.web.request import Request
from netservices.web.response import Response

Method: TypeAlias = Callable[[Place], Awaitable[Response]]

CLASSES = "1"


class DAV:
    """The homes of accounts, each for its own account."""

    def __init__(self, settings: HTTPSettings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._methods: dict[str, Method] = {
            "GET": get,
            "HEAD": get,
            "PUT": self._put,
            "DELETE": delete,
            "MKCOL": make_collection,
        }
        self.allow = ", ".join(["OPTIONS", *self._methods])

    async def __call__(self, request: Request) -> Response:
        """Answer one request; a ``web.handler.Handler``."""
        if request.method == "OPTIONS":
            return self._options()
        method = self._methods.get(request.method)
        if method is None:
            raise method_not_allowed("OPTIONS", *self._methods)
        account = require_account(request)
        segments = request.segments
        place = Place(
            request=request,
            tree=self._services.files.home(account),
            account=account,
            path=without_slash(segments),
            has_slash=request.path.endswith("/"),
        )
        with in_words_of_http():
            return await method(place)

    def _options(self) -> Response:
        """What can be done here (RFC 4918 10.1).  Nobody needs to log in to learn it:
        clients ask this first."""
        fields = [
            ("DAV", CLASSES),
            ("Allow", self.allow),
            # Microsoft's clients take the server for another one without it.
            ("MS-Author-Via", "DAV"),
        ]
        return Response(200, fields)

    async def _put(self, place: Place) -> Response:
        return await put(place, self._settings.largest_upload)
