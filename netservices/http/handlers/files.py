"""Files of sites and accounts, to be read.

A short file that is asked for again, and whatever the kernel has in its caches, is
answered at once; what has to be waited for is looked up in threads of the file service.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.threads import deferToThread

from netservices.http.backend import DEFAULT_SITE, Place, Sites, url_path
from netservices.http.handlers.coded import CodedFile
from netservices.http.handlers.finding import Finder
from netservices.http.handlers.kept import Kept, Key, KnownFile, Variant
from netservices.http.handlers.listing import list_directory
from netservices.http.settings import HTTPSettings
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
from netservices.web.coders import HERE_OCTETS, Run, compressed, version
from netservices.web.conditions import Outcome, Validators, evaluate
from netservices.web.negotiation import codings_of
from netservices.web.problems import Problem, not_possible
from netservices.web.representation import Representation, respond
from netservices.web.request import Request
from netservices.web.response import Answer, Response

READING = ("GET", "HEAD", "OPTIONS")
WHOLE_TIMES = 16
"""A file that is so many times as long as one that is kept is compressed once, and the
result is kept; a longer one is compressed each time."""

_NANOSECONDS = 1_000_000_000


class FilesHandler:
    """Answers with files; one for all sites.

    ``now`` tells the time since 1970, ``clock`` that of the reactor; ``run`` calls a
    function in a thread.
    """

    def __init__(
        self,
        sites: Sites,
        clock: Callable[[], float],
        now: Callable[[], float] = time.time,
        run: Run = deferToThread,
    ) -> None:
        self.sites = sites
        self.kept = Kept(sites.settings.file_cache)
        self._finder = Finder(sites, clock, now)
        self._clock = clock
        self._now = now
        self._run = run

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other settings; ``sites`` has them already."""
        self.kept.clear()
        self._finder.reconfigure(settings)

    def __call__(self, request: Request) -> Answer:
        """The answer, at once where nothing has to be waited for."""
        if request.method not in ("GET", "HEAD"):
            return without_reading(request)
        key = self._key(request)
        known = self.kept.get(key, self._clock(), self.sites.changes)
        if known is not None:
            answer = self._answer_at_once(request, known)
            return self._read_known(request, known) if answer is None else answer
        return self._read(request)

    def _key(self, request: Request) -> Key:
        """By site, not by host: names that somebody makes up lead to one entry."""
        return self.sites.site_of(request.host), request.path

    # --- what is known --------------------------------------------------------------

    def _answer_at_once(self, request: Request, known: KnownFile) -> Response | None:
        """The answer where no file has to be opened for it."""
        variant = self._chosen(request, known)
        if variant is None:
            return None
        if variant.content is None and not self._is_head_enough(request, variant):
            return None
        return self._lasting(self._respond(request, known, variant), known)

    def _is_head_enough(self, request: Request, variant: Variant) -> bool:
        if request.method == "HEAD":
            return True
        validators = Validators(variant.etag, variant.node.mtime_ns // _NANOSECONDS)
        found = evaluate(request.method, request.fields, validators, self._now())
        return found is Outcome.NOT_MODIFIED

    def _chosen(self, request: Request, known: KnownFile) -> Variant | None:
        """What to send, of what is there or can be made of what is there; None: it has
        to be made while it is sent.  Problem 406."""
        coding = self._coding(request, known)
        variant = known.variants.get(coding)
        plain = known.variants[""]
        if variant is not None or plain.content is None:
            return variant
        if len(plain.content) > HERE_OCTETS:
            return None
        content = compressed(coding, plain.content)
        return self._made(request, known, coding, content)

    def _made(
        self,
        request: Request,
        known: KnownFile,
        coding: str,
        content: bytes | None = None,
    ) -> Variant:
        """A coding that was made; its content is kept where there is one."""
        plain = known.variants[""]
        etag = f'"{plain.node.etag}-{version(coding)}"'
        variant = Variant(coding, plain.path, plain.node, etag, content)
        if content is not None and coding not in known.variants:
            known.variants[coding] = variant
            self.kept.grow(self._key(request), known, len(content))
        return variant

    def _coding(self, request: Request, known: KnownFile) -> str:
        if not known.varies:
            return ""
        is_ranged = "range" in request.fields
        coding = known.choose(codings_of(request.fields), is_ranged)
        if coding is None:
            raise Problem(406, fields=[("Vary", "Accept-Encoding")])
        return coding

    def _lasting(self, response: Response, known: KnownFile) -> Response:
        """Whoever asks in the same words gets the same, as long as nothing changes."""
        body = response.body
        pieces = body if isinstance(body, tuple) else (body,)
        if known.holding.is_kept and all(isinstance(piece, bytes) for piece in pieces):
            response.lasting = known.holding
        return response

    def _respond(
        self,
        request: Request,
        known: KnownFile,
        variant: Variant,
        content: IOpenFile | CodedFile | None = None,
    ) -> Response:
        """The answer with one variant, which ``content`` is where it is not kept."""
        data = variant.content
        is_made = isinstance(content, CodedFile)
        size = variant.node.size if data is None else len(data)
        it = Representation(
            content=content if data is None else data,
            size=None if is_made else size,
            media_type=known.media_type,
            etag=variant.etag,
            modified=known.variants[""].node.mtime_ns // _NANOSECONDS,
            coding=variant.coding,
            vary="Accept-Encoding" if known.varies else "",
            fields=known.fields,
        )
        return respond(request, it, self._now())

    # --- what has to be looked up ---------------------------------------------------

    async def _read(self, request: Request) -> Response:
        place = await self.sites.place(request)
        try:
            return await self._read_place(request, place)
        except IsADirectory:
            return _with_slash(request)
        except (FileProblem, StoreError) as problem:
            if isinstance(problem, NotFound) and await self._is_new(place):
                return welcome()
            raise refusal(problem) from None

    async def _is_new(self, place: Place) -> bool:
        """Whether nobody has put anything into the default site yet."""
        if place.path or place.site != DEFAULT_SITE:
            return False
        try:
            return not await place.tree.list((), limit=1)
        except NotFound:
            return True

    async def _read_place(self, request: Request, place: Place) -> Response:
        found = await self._finder.open(place)
        if found is None:
            if await self._is_new(place):
                return welcome()
            if not self.sites.settings.listings:
                raise Problem(404)
            return await list_directory(
                request, place.tree, place.path, self.sites.is_hidden
            )
        path, file = found
        try:
            known = await self._finder.know(place, path, file)
            if known.holding.is_kept:
                self.kept.put(self._key(request), known)
            return await self._answer(request, known, file)
        except BaseException:
            file.close()
            raise

    async def _read_known(self, request: Request, known: KnownFile) -> Response:
        """The answer with a file that is not in memory."""
        variant = self._chosen(request, known)
        wanted = known.variants[""] if variant is None else variant
        try:
            file = await known.tree.open(wanted.path)
        except (FileProblem, StoreError):
            return await self._read_anew(request)
        if file.node.etag != wanted.node.etag:
            file.close()
            return await self._read_anew(request)
        return await self._send(request, known, variant, file)

    async def _read_anew(self, request: Request) -> Response:
        self.kept.drop(self._key(request))
        return await self._read(request)

    async def _answer(
        self, request: Request, known: KnownFile, file: IOpenFile
    ) -> Response:
        """The answer, for which the file as it is has been opened."""
        variant = self._chosen(request, known)
        if variant is None or (variant.content is None and not variant.coding):
            return await self._send(request, known, variant, file)
        file.close()
        if variant.content is not None:
            return self._lasting(self._respond(request, known, variant), known)
        other = await known.tree.open(variant.path)
        fresh = self._finder.variant(variant.coding, variant.path, other.node)
        return await self._send(request, known, fresh, other)

    async def _send(
        self,
        request: Request,
        known: KnownFile,
        variant: Variant | None,
        file: IOpenFile,
    ) -> Response:
        """The answer with an open file: as it is, or compressed where there is no
        variant; once, or while it is sent."""
        if variant is not None:
            return self._respond(request, known, variant, file)
        coding = self._coding(request, known)
        coded = CodedFile(file, coding, self._run)
        most = WHOLE_TIMES * self.sites.settings.small_file
        if known.variants[""].node.size > most:
            made = self._made(request, known, coding)
            return self._respond(request, known, made, coded)
        content = await coded.whole()
        made = self._made(request, known, coding, content)
        return self._lasting(self._respond(request, known, made), known)


def welcome() -> Response:
    """What is shown in place of a site that is not there yet."""
    from netservices.web.pages import page

    response = page("welcome")
    response.set("Cache-Control", "no-store")
    return response


def without_reading(request: Request) -> Response:
    """The answer to methods that do not read.  Problem 405 or 501."""
    if request.method == "OPTIONS":
        return Response(204, [("Allow", ", ".join(READING))])
    raise not_possible(request.method, *READING)


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
