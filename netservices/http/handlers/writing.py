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
from netservices.http.handlers.files import READING
from netservices.http.layers.access import AccessRules
from netservices.http.settings import HTTPSettings
from netservices.plugin import Services
from netservices.values import Account, Path
from netservices.web.authentication import require_account
from netservices.web.handler import Handler, after, answer_of
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
        if request.method == "OPTIONS" and self._is_for_some(request, "PUT"):
            return after(answer_of(self._reading, request), _allow_writing)
        # Where nobody may, it is refused as any method that is not for this site.
        is_writing = request.method in WRITING
        if not is_writing or not self._is_for_some(request, request.method):
            return self._reading(request)
        return self._write(request, require_account(request))

    def _is_for_some(self, request: Request, method: str) -> bool:
        """Whether there is somebody who may do that."""
        if request.segments[0].startswith("~"):
            return self._settings.account_pages and self._settings.account_uploads
        return self._rules.names(request, method)

    async def _write(self, request: Request, account: Account) -> Response:
        place = await self._sites.place(request)
        root: Path = ()
        if place.account is None:
            if not self._rules.grants(request):
                raise Problem(403)
            tree = self._files.site(place.site, is_writable=True)
        elif place.account.id == account.id:
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
        return await answered(
            there,
            self._method_of(request),
            self._now(),
            (*READING, *WRITING),
        )

    def _method_of(
        self, request: Request
    ) -> Callable[[Place, float], Awaitable[Response]]:
        return self._put if request.method == "PUT" else delete

    async def _put(self, place: Place, now: float) -> Response:
        return await put(place, now, self._settings.largest_upload)


def _allow_writing(response: Response) -> None:
    """RFC 9110 10.2.1: what can be done, too."""
    response.set("Allow", ", ".join((response.get("Allow"), *WRITING)))
