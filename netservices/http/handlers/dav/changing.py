"""DELETE, MKCOL, COPY and MOVE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList

from netservices.http.handlers.dav.answers import failures
from netservices.http.handlers.dav.conditions import wanted_version
from netservices.http.handlers.dav.place import Place, is_directory
from netservices.http.handlers.dav.problems import problem_of
from netservices.http.handlers.dav.propfind import depth_of
from netservices.http.handlers.dav.telling import tell_change
from netservices.interfaces import (
    Exists,
    FileProblem,
    IsADirectory,
    Locked,
    NotADirectory,
    NotEmpty,
    NotFound,
    QuotaExceeded,
    StoreError,
)
from netservices.values import Node, NodeKind, Path
from netservices.web.problems import Problem
from netservices.web.response import Response

PAGE = 500
AT_ONCE = 32
"""Files that are removed or copied together."""


@define
class Failures:
    """What went wrong in a tree, path by path."""

    place: Place
    top: Path
    """The path that the request is about: it fails as a whole."""
    found: dict[str, tuple[int, str]] = field(factory=dict)

    def add(self, path: Path, error: Exception, is_directory: bool = False) -> None:
        """Note a failure; one of the top, or of a lock on it or above it, is raised."""
        if isinstance(error, Locked):
            if any(lock == self.top[: len(lock)] for lock in error.paths):
                raise error
            for locked in error.paths:
                href = self.place.href(locked)
                self.found[href] = 423, "lock-token-submitted"
        elif isinstance(error, NotEmpty) and (self.found or path != self.top):
            # RFC 4918 9.6.1: nothing is said of directories that stay for what stays
            # in them.
            return
        elif path == self.top:
            raise error
        else:
            status = problem_of(error).status
            self.found[self.place.href(path, is_directory)] = status, ""

    def answer(self, otherwise: Response) -> Response:
        """The answer to the request."""
        return failures(self.found) if self.found else otherwise


# --- DELETE and MKCOL ---------------------------------------------------------------


async def delete(place: Place, now: float) -> Response:
    """Remove a file, or a directory with all that is in it (RFC 4918 9.6)."""
    if not place.path:
        raise Problem(403, "The root stays.")
    node = await place.tree.stat(place.path, False)
    if_etag = wanted_version(place.request, node, now)
    if not is_directory(node):
        octets = await place.tree.remove(place.path, if_etag=if_etag)
        tell_change(place, "deleted", place.path, size_octets=octets)
        return Response(204)
    if depth_of(place) != "infinity":
        # RFC 4918 9.6.1: nothing else may be said.
        raise Problem(400, "DELETE has the depth infinity.")
    failed = Failures(place, place.path)
    await remove_tree(failed, place.path)
    return failed.answer(Response(204))


async def remove_tree(failed: Failures, top: Path) -> None:
    """Remove a directory with all that is in it, the deepest first; what fails stays,
    and the directories that it is in."""
    tree = failed.place.tree
    waiting: list[tuple[Path, bool]] = [(top, False)]
    while waiting:
        path, is_emptied = waiting.pop()
        try:
            if is_emptied:
                await tree.remove(path, directory=True)
                tell_change(failed.place, "removed", path)
                continue
            waiting.append((path, True))
            after = None
            while page := await tree.list(path, after, PAGE):
                waiting += await _remove_page(failed, path, page)
                after = page[-1].name
                if len(page) < PAGE:
                    break
        except NotFound:
            continue
        except (FileProblem, StoreError) as error:
            failed.add(path, error, True)


async def _remove_page(
    failed: Failures, directory: Path, page: tuple[Node, ...]
) -> list[tuple[Path, bool]]:
    """Remove the files of a page; its directories are still to be done."""
    files, below = _divided(directory, page)
    tree = failed.place.tree
    for batch in _batches(files):
        removals = [tree.remove(path) for path in batch]
        for path, octets in zip(batch, await _ended(removals), strict=True):
            if not isinstance(octets, Exception):
                tell_change(failed.place, "deleted", path, size_octets=octets)
            elif not isinstance(octets, NotFound):
                failed.add(path, octets)
    return [(path, False) for path in below]


def _divided(directory: Path, page: tuple[Node, ...]) -> tuple[list[Path], list[Path]]:
    """The paths of the files of a page, and those of its directories."""
    files: list[Path] = []
    below: list[Path] = []
    for node in page:
        paths = below if node.kind is NodeKind.DIRECTORY else files
        paths.append((*directory, node.name))
    return files, below


def _batches(paths: list[Path]) -> Iterator[list[Path]]:
    """Paths to be worked on at once: the store makes what comes together durable
    together."""
    for start in range(0, len(paths), AT_ONCE):
        yield paths[start : start + AT_ONCE]


async def _ended(under_way: list[Deferred[Any]]) -> list[Any]:
    """The result of each, or its failure: one of the file service."""
    found = []
    for is_done, result in await DeferredList(under_way, consumeErrors=True):
        if not is_done:
            result.trap(FileProblem, StoreError)
        found.append(result if is_done else result.value)
    return found


async def make_collection(place: Place, now: float) -> Response:
    """Make a directory (RFC 4918 9.3)."""
    if place.request.body.length != 0:
        # RFC 4918 9.3.1: 415, for no content is understood.
        raise Problem(415, "MKCOL takes no content here.")
    wanted_version(place.request, await place.node(), now)
    try:
        if not place.path:
            raise Exists("the root")
        await place.tree.make_directory(place.path)
    except Exists:
        raise Problem(405, "That is there already.") from None
    except NotFound:
        raise Problem(409, "There is no such directory.") from None
    tell_change(place, "made", place.path)
    return Response(201)


# --- COPY and MOVE ------------------------------------------------------------------


async def copy(place: Place, now: float) -> Response:
    """Have the same under another name, too (RFC 4918 9.8)."""
    node, target, there = await _begun(place, now)
    depth = depth_of(place)
    failed = Failures(place, place.path)
    if not is_directory(node):
        if is_directory(there):
            await _clear(failed, target)
        await _in_words(place.tree.copy(place.path, target))
        tell_change(place, "copied", place.path, target)
        return _done(place, target, there)
    if depth == "1":
        raise Problem(400, "COPY has the depth 0 or infinity.")
    if there is not None:
        # RFC 4918 9.8.4: the directories are not merged.
        await _clear(failed, target)
    if failed.found:
        return failures(failed.found)
    await _in_words(_copy_directory(place, place.path, target))
    if depth == "infinity":
        await _copy_below(failed, place.path, target)
    return failed.answer(_done(place, target, there))


async def move(place: Place, now: float) -> Response:
    """Give it another name (RFC 4918 9.9); in one step, as all is in one tree."""
    node, target, there = await _begun(place, now)
    if is_directory(node) and depth_of(place) != "infinity":
        raise Problem(400, "MOVE has the depth infinity.")
    if there is not None and (is_directory(node) or is_directory(there)):
        failed = Failures(place, target)
        await _clear(failed, target)
        if failed.found:
            return failures(failed.found)
    await _in_words(place.tree.rename(place.path, target))
    tell_change(place, "renamed", place.path, target)
    return _done(place, target, there)


async def _begun(place: Place, now: float) -> tuple[Node, Path, Node | None]:
    """What is to be copied or moved, whereto, and what is there.  Problem."""
    target = place.destination()
    node = await place.tree.stat(place.path)
    wanted_version(place.request, node, now)
    shorter = min(len(target), len(place.path))
    if target[:shorter] == place.path[:shorter]:
        # RFC 4918 9.8.5: 403 where both are the same; nor is one put into the other.
        within = is_directory(node) or len(target) <= len(place.path)
        if within:
            raise Problem(403, "One of them lies in the other.")
    overwrite = place.request.fields.get("overwrite", "T").strip().upper()
    if overwrite not in ("T", "F"):
        raise Problem(400, "Overwrite is T or F.")
    try:
        there = await place.tree.stat(target, False)
    except (NotFound, NotADirectory):
        there = None
    if there is not None and overwrite == "F":
        raise Problem(412, "That is there already.")
    return node, target, there


async def _clear(failed: Failures, target: Path) -> None:
    """Remove what has the name."""
    try:
        await failed.place.tree.remove(target)
    except IsADirectory:
        await remove_tree(failed, target)


async def _copy_directory(place: Place, source: Path, target: Path) -> None:
    await place.tree.make_directory(target)
    await place.tree.copy_properties(source, target)
    tell_change(place, "made", target)


async def _copy_below(failed: Failures, source: Path, target: Path) -> None:
    """Copy what is in a directory; what fails is noted, and not entered."""
    tree = failed.place.tree
    waiting = [(source, target)]
    while waiting:
        old, new = waiting.pop()
        after = None
        while page := await tree.list(old, after, PAGE):
            files, below = _divided(old, page)
            for batch in _batches(files):
                await _copy_files(failed, batch, new)
            for path in below:
                made = (*new, path[-1])
                try:
                    await _copy_directory(failed.place, path, made)
                    waiting.append((path, made))
                except (FileProblem, StoreError) as error:
                    failed.add(made, error, True)
            after = page[-1].name
            if len(page) < PAGE:
                break


async def _copy_files(failed: Failures, paths: list[Path], target: Path) -> None:
    """Copy files into a directory."""
    made = [(*target, path[-1]) for path in paths]
    tree = failed.place.tree
    copies = [tree.copy(*pair) for pair in zip(paths, made, strict=True)]
    for path, copied, node in zip(paths, made, await _ended(copies), strict=True):
        if isinstance(node, QuotaExceeded):
            # Copies that are under way together promise themselves more room than each
            # alone needs.
            (node,) = await _ended([tree.copy(path, copied)])
        if isinstance(node, Exception):
            failed.add(copied, node)
        else:
            tell_change(failed.place, "copied", path, copied)


async def _in_words(doing: object) -> None:
    """What is done; where the directory of the target is missing, 409."""
    try:
        await doing  # type: ignore[misc]
    except (NotFound, NotADirectory):
        raise Problem(409, "There is no such directory.") from None


def _done(place: Place, target: Path, there: Node | None) -> Response:
    if there is not None:
        return Response(204)
    return Response(201, [("Location", place.href(target))])
