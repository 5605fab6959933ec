"""Files of sites and accounts, to be read.

A hit in memory, and whatever the kernel has in its caches, is answered at once; what
has to be waited for is looked up in threads of the file service.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from netservices.http.backend import DEFAULT_SITE, Place, Sites, url_path
from netservices.http.handlers.listing import list_directory
from netservices.interfaces import (
    BadName,
    FileProblem,
    IOpenFile,
    IsADirectory,
    NotADirectory,
    NotAllowed,
    NotFound,
    StoreBusy,
    StoreError,
)
from netservices.values import Node, NodeKind
from netservices.web.media import MediaTypes
from netservices.web.problems import Problem, method_not_allowed
from netservices.web.representation import Representation, respond
from netservices.web.request import Request
from netservices.web.response import Answer, Response

READING = ("GET", "HEAD", "OPTIONS")
_NANOSECONDS = 1_000_000_000


class FilesHandler:
    """Answers with files; one for all sites."""

    def __init__(self, sites: Sites, now: Callable[[], float] = time.time) -> None:
        self.sites = sites
        self._now = now
        self._media_types = MediaTypes()

    def __call__(self, request: Request) -> Answer:
        """The answer, at once where nothing has to be waited for."""
        if request.method not in ("GET", "HEAD"):
            return without_reading(request)
        return self._read(request)

    async def _read(self, request: Request) -> Response:
        place = await self.sites.place(request)
        try:
            file = await self._open(place)
        except IsADirectory:
            return _with_slash(request)
        except (FileProblem, StoreError) as problem:
            if isinstance(problem, NotFound) and await self._is_new(place):
                return welcome()
            raise refusal(problem) from None
        if file is None:
            if await self._is_new(place):
                return welcome()
            if not self.sites.settings.listings:
                raise Problem(404)
            return await list_directory(
                request, place.tree, place.path, self.sites.is_hidden
            )
        return respond(request, self._representation(file), self._now())

    async def _is_new(self, place: Place) -> bool:
        """Whether nobody has put anything into the default site yet."""
        if place.path or place.site != DEFAULT_SITE:
            return False
        try:
            return not await place.tree.list((), limit=1)
        except NotFound:
            return True

    async def _open(self, place: Place) -> IOpenFile | None:
        """The file to be shown; None for a directory without an index.  IsADirectory
        where a slash is missing, and what trees refuse."""
        tree = place.tree
        if not place.is_directory:
            return await tree.open(place.path)
        for name in self.sites.settings.index:
            try:
                return await tree.open((*place.path, name))
            except (NotFound, NotADirectory, IsADirectory):
                continue
        await self._check_directory(place)
        return None

    async def _check_directory(self, place: Place) -> None:
        """NotFound where there is no such directory."""
        node = await place.tree.stat(place.path)
        if node.kind is not NodeKind.DIRECTORY:
            raise NotFound("a slash behind the name of a file")

    def _representation(self, file: IOpenFile) -> Representation:
        node = file.node
        return Representation(
            content=file,
            size=node.size,
            media_type=self._media_types.of(node.name),
            etag=etag_of(node),
            modified=node.mtime_ns // _NANOSECONDS,
        )


def welcome() -> Response:
    """What is shown in place of a site that is not there yet."""
    from netservices.web.pages import page

    response = page("welcome")
    response.set("Cache-Control", "no-store")
    return response


def etag_of(node: Node, variant: str = "") -> str:
    """The strong entity tag of a file, or of one coding of it."""
    return f'"{node.etag}-{variant}"' if variant else f'"{node.etag}"'


def without_reading(request: Request) -> Response:
    """The answer to methods that do not read.  Problem 405."""
    if request.method == "OPTIONS":
        return Response(204, [("Allow", ", ".join(READING))])
    raise method_not_allowed(*READING)


def refusal(problem: Exception) -> Problem:
    """What a tree's refusal means to a client."""
    if isinstance(problem, NotAllowed):
        return Problem(403, log_text=str(problem))
    if isinstance(problem, NotFound | NotADirectory | BadName):
        return Problem(404)
    retry = [("Retry-After", "10")]
    if isinstance(problem, StoreBusy):
        return Problem(503, "The server has too much to do.", retry)
    return Problem(503, fields=retry, log_text=repr(problem))


def _with_slash(request: Request) -> Response:
    """RFC 9110 15.4.2: the directory lies where its path ends in a slash, so that links
    in its pages are read relative to it."""
    # Made from the segments: a path that begins with two slashes is another host.
    location = url_path((*request.mount, *request.segments, ""))
    if request.query is not None:
        location += f"?{request.query}"
    return Response(301, [("Location", location)])
