"""PUT and DELETE on sites and on the pages of accounts, by those who may.

The owner of ``/~name/`` may; on a site, whoever has logged in and is allowed the method
by name in a line of ``http.access`` (``@editors example.org/ write PUT DELETE``).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from netservices.http.backend import Sites
from netservices.http.handlers.dav.changing import delete
from netservices.http.handlers.dav.handler import answered
from netservices.http.handlers.dav.place import Place
from netservices.http.handlers.dav.putting import put
from netservices.http.layers.access import AccessRules
from netservices.http.settings import HTTPSettings
from netservices.plugin import Services
from netservices.values import Account, Path
from netservices.web.authentication import require_account
from netservices.web.handler import Handler
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response

WRITING = ("PUT", "DELETE")


class SiteWriting:
    """Answers what changes files; ``reading`` answers all else."""

    def __init__(
        self,
        settings: HTTPSettings,
        services: Services,
        sites: Sites,
        rules: AccessRules,
        reading: Handler,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._files = services.files
        self._events = services.events
        self._sites = sites
        self._rules = rules
        self._reading = reading
        self._now = now

    def __call__(self, request: Request) -> Answer:
        """A ``web.handler.Handler``."""
        if request.method not in WRITING:
            return self._reading(request)
        is_home = request.segments[0].startswith("~") and self._settings.account_pages
        if not is_home and not self._rules.names(request):
            # Nobody may: refused as any method that is not for this site.
            return self._reading(request)
        return self._write(request, require_account(request))

    async def _write(self, request: Request, account: Account) -> Response:
        place = await self._sites.place(request)
        root: Path = ()
        if place.account is None:
            if not self._rules.grants(request):
                raise Problem(403)
            tree = self._files.site(place.site, is_writable=True)
        elif place.account.id == account.id and self._settings.account_uploads:
            tree = self._files.home(account)
            root = (self._settings.account_directory,)
            request = request.below(1)
        else:
            raise Problem(403)
        there = Place(
            request=request,
            tree=tree,
            account=account,
            path=(*root, *place.path),
            events=self._events,
            has_slash=place.is_directory,
            root=root,
        )
        if not place.path:
            raise Problem(405, "The root stays.", [("Allow", "GET, HEAD, OPTIONS")])
        return await answered(there, self._method_of(request), self._now())

    def _method_of(
        self, request: Request
    ) -> Callable[[Place, float], Awaitable[Response]]:
        return self._put if request.method == "PUT" else delete

    async def _put(self, place: Place, now: float) -> Response:
        return await put(place, now, self._settings.largest_upload)
