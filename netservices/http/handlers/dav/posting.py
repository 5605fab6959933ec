"""POST: what the forms on the page of a directory ask for.

Each does what a request of WebDAV would do, at the path where it would do it, and needs
the right to that.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from attrs import evolve

from netservices.http.handlers.dav.changing import Failures, remove_tree
from netservices.http.handlers.dav.page import chosen_name, show
from netservices.http.handlers.dav.place import Place, is_directory
from netservices.http.handlers.dav.problems import problem_of
from netservices.http.handlers.dav.putting import outcome_of
from netservices.http.handlers.dav.telling import tell_change, tell_upload
from netservices.http.handlers.listing import readable
from netservices.interfaces import Exists, FileProblem, StoreError
from netservices.values import Path, WriteMode
from netservices.web.authentication import LoginWanted
from netservices.web.csrf import FORM_TOKEN
from netservices.web.forms import MULTIPART, Form, read_form
from netservices.web.multipart import MultipartLimits, Part, Parts, save
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response, redirect

Check = Callable[[Request, Path, str, bool], object]
"""Raises where the visitor may not do at a path what a method does, there or, if told
so, with all that is below."""

_MOST_OCTETS = 1 << 50


class Forms:
    """The forms of all directories."""

    def __init__(self, largest_upload: int, logout: str, check: Check) -> None:
        """``largest_upload`` in octets, 0: any; ``logout`` is the path where one logs
        out."""
        longest = largest_upload or _MOST_OCTETS
        self._limits = MultipartLimits(longest_file=longest, longest=_MOST_OCTETS)
        self._logout = logout
        self._check = check
        self._doing: dict[str, Callable[[Place, Form], Awaitable[str]]] = {
            "directory": self._make,
            "rename": self._rename,
            "remove": self._remove,
        }

    async def __call__(self, place: Place, now: float) -> Response:
        """Do it, and show the directory as it is then; or say on its page what is
        wrong."""
        if not (place.has_slash or not place.path):
            raise Problem(405, fields=[("Allow", "GET, HEAD, PUT, DELETE, OPTIONS")])
        try:
            done = await self._done(place)
        except LoginWanted:
            raise
        except Problem as problem:
            return await self._wrong(place, problem)
        except (FileProblem, StoreError) as error:
            return await self._wrong(place, problem_of(error))
        return redirect(f"{place.href(place.path, True)}?done={done}")

    async def _wrong(self, place: Place, problem: Problem) -> Response:
        words = problem.detail or {
            403: "You may not do that.",
            404: "That is not there any more.",
            413: "That is more than is taken here.",
        }.get(problem.status, "That did not work.")
        response = await show(place, self._logout, problem.status, words)
        response.fields += problem.fields
        response.must_close = problem.must_close
        return response

    async def _done(self, place: Place) -> str:
        """The word for what was done."""
        kind = place.request.fields.get("content-type").partition(";")[0].strip()
        if kind.lower() == MULTIPART:
            return await self._store(place)
        form = await read_form(place.request)
        _check_token(place.request, form.get(FORM_TOKEN))
        doing = self._doing.get(form.get("do"))
        if doing is None:
            raise Problem(400, "The form says nothing that could be done.")
        return await doing(place, form)

    def _need(
        self, place: Place, path: Path, method: str, is_deep: bool = False
    ) -> None:
        mount = place.request.mount
        self._check(place.request, (*mount, *path[len(place.root) :]), method, is_deep)

    # --- what they do -----------------------------------------------------------------

    async def _store(self, place: Place) -> str:
        """Files, one after the other as they come; what precedes one that fails has
        been stored."""
        told: dict[str, str] = {}
        stored = 0
        async for part in Parts(place.request, self._limits):
            if part.filename is None:
                told[part.name] = await part.text()
                continue
            # What nobody chose comes as a file without a name.
            if not part.filename:
                continue
            _check_token(place.request, told.get(FORM_TOKEN, ""))
            try:
                await self._store_one(place, part, "replace" in told)
            except Exists:
                words = f"There is a file {part.safe_name} already; it has been left."
                raise Problem(409, words) from None
            stored += 1
        if not stored:
            raise Problem(400, "Choose a file first.")
        return "stored"

    async def _store_one(self, place: Place, part: Part, may_replace: bool) -> None:
        name = part.safe_name
        path = (*place.path, name)
        self._need(place, path, "PUT")
        mode = WriteMode.REPLACE if may_replace else WriteMode.CREATE
        there = evolve(place, path=path)
        started = time.monotonic()
        try:
            node = await save(part, place.tree, path, mode)
        except BaseException as error:
            tell_upload(there, 0, time.monotonic() - started, outcome_of(error))
            raise
        tell_upload(there, node.size, time.monotonic() - started, "complete")

    async def _make(self, place: Place, form: Form) -> str:
        path = (*place.path, _name(form.get("name")))
        self._need(place, path, "MKCOL")
        try:
            await place.tree.make_directory(path)
        except Exists:
            raise Problem(
                409, f"There is something named {path[-1]} already."
            ) from None
        return "made"

    async def _rename(self, place: Place, form: Form) -> str:
        source = (*place.path, _name(chosen_name(place.request)))
        target = _target(place, source[-1], form.get("to"))
        if source == target:
            return "renamed"
        if target[: len(source)] == source:
            raise Problem(409, "A directory cannot be moved into itself.")
        self._need(place, source, "MOVE", True)
        self._need(place, target, "PUT", True)
        try:
            await place.tree.rename(source, target, replace=False)
        except Exists:
            raise _taken(target[-1]) from None
        tell_change(place, "renamed", source, target)
        return "renamed"

    async def _remove(self, place: Place, form: Form) -> str:
        path = (*place.path, _name(chosen_name(place.request)))
        self._need(place, path, "DELETE", True)
        node = await place.tree.stat(path, False)
        if not is_directory(node):
            octets = await place.tree.remove(path)
            tell_change(place, "deleted", path, size_octets=octets)
            return "removed"
        failed = Failures(place, path)
        await remove_tree(failed, path)
        if failed.found:
            raise Problem(409, "Some of what is in it could not be removed.")
        return "removed"


def _taken(name: str) -> Problem:
    return Problem(409, f"There is something named {readable(name)} already.")


def _check_token(request: Request, token: str) -> None:
    """Problem 403 where the form is not of a page that we showed in this session."""
    session = request.session
    if session is not None and session.exists and not session.is_form_token(token):
        raise Problem(403, "This page was old. It is fresh now: try again.")


def _name(text: str) -> str:
    if not text or "/" in text:
        raise Problem(400, "Give it a name without a slash.")
    return text


def _target(place: Place, name: str, text: str) -> Path:
    """The path that a new name means: beside the old one, in the directory that it
    ends with, or from the home on where it begins with a slash.  Problem 400."""
    text = text.strip()
    if not text:
        raise Problem(400, "Give it a new name.")
    segments = text.split("/")
    if any(one in (".", "..") for one in segments):
        raise Problem(400, "A new name has no dots alone between slashes.")
    start = place.root if text.startswith("/") else place.path
    found = (*start, *(one for one in segments if one))
    return (*found, name) if text.endswith("/") else found
