"""PROPFIND: what there is, and what is known of it (RFC 4918 9.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from netservices.http.handlers.dav.answers import (
    CLOSING,
    MEDIA_TYPE,
    OPENING,
    empty_element,
    error,
    propstat,
    response_of,
)
from netservices.http.handlers.dav.elements import Name, dav, parse
from netservices.http.handlers.dav.place import Place
from netservices.http.handlers.dav.properties import (
    LIVE,
    LOCKS,
    QUOTA,
    Resource,
    live_property,
)
from netservices.interfaces import FileProblem, NotADirectory, NotFound
from netservices.values import FileLock, Node, NodeKind, Path, Usage
from netservices.web.problems import Problem
from netservices.web.response import Response

PAGE = 500

TURN = 4000
"""Properties and locks, over all resources, that are looked at before what is said of
them leaves: some milliseconds."""


@frozen
class Wanted:
    """What a request asks for."""

    names: tuple[Name, ...] = ()
    """By name; with ``is_all``, beside all others."""
    is_all: bool = False
    is_names: bool = False
    """Names only, without values."""

    @property
    def has_dead(self) -> bool:
        """Whether properties that clients set are asked for."""
        return self.is_all or self.is_names or any(n not in LIVE for n in self.names)

    def has(self, names: Iterable[Name]) -> bool:
        """Whether one of these live properties is asked for."""
        return not self.is_names and any(name in self.names for name in names)


def parse_wanted(data: bytes) -> Wanted:
    """What the content of the request asks for.  Problem 400."""
    if not data.strip():
        # RFC 4918 9.1: no content asks for all.
        return Wanted(is_all=True)
    root = parse(data)
    if root.name != dav("propfind"):
        raise Problem(400, "PROPFIND wants a propfind element.")
    prop = root.find(dav("prop"))
    if prop is not None:
        return Wanted(tuple(dict.fromkeys(one.name for one in prop.elements)))
    if root.find(dav("propname")) is not None:
        return Wanted(is_names=True)
    if root.find(dav("allprop")) is not None:
        include = root.find(dav("include"))
        more = () if include is None else tuple(one.name for one in include.elements)
        return Wanted(more, is_all=True)
    raise Problem(400, "PROPFIND wants prop, propname or allprop.")


def depth_of(place: Place, default: str = "infinity") -> str:
    """The field Depth (RFC 4918 10.2).  Problem 400."""
    depth = place.request.fields.get("depth", default).strip().lower()
    if depth not in ("0", "1", "infinity"):
        raise Problem(400, "Depth is 0, 1 or infinity.")
    return depth


@frozen
class Scope:
    """What the resources of one answer have in common."""

    place: Place
    wanted: Wanted
    now: float
    locks: tuple[FileLock, ...] = ()
    usage: Usage | None = None

    def slices(
        self, found: Sequence[tuple[Path, Node]]
    ) -> Iterator[Sequence[tuple[Path, Node]]]:
        """The same in pieces; they are short where much is asked about each."""
        each = len(LIVE) + len(self.wanted.names) + len(self.locks)
        step = max(1, TURN // each)
        for start in range(0, len(found), step):
            yield found[start : start + step]

    async def responses(self, found: Iterable[tuple[Path, Node]]) -> bytes:
        """What is said of these."""
        found = tuple(found)
        dead: Mapping[Path, Mapping[Name, str]] = {}
        if self.wanted.has_dead:
            paths = (path for path, _ in found)
            dead = await self.place.tree.properties(*paths)
        return "".join(
            _response(
                Resource(
                    place=self.place,
                    path=path,
                    node=node,
                    now=self.now,
                    locks=self.locks,
                    usage=self.usage,
                    dead=dead.get(path, {}),
                ),
                self.wanted,
            )
            for path, node in found
        ).encode("utf-8", "replace")


async def propfind(place: Place, data: bytes, now: float, most: int) -> Response:
    """The answer; a directory is read while it is sent."""
    wanted, depth = parse_wanted(data), depth_of(place)
    tree = place.tree
    node = await tree.stat(place.path)
    is_directory = node.kind is NodeKind.DIRECTORY
    needs_locks = wanted.is_all or wanted.has((LOCKS,))
    locks: tuple[FileLock, ...] = ()
    if needs_locks:
        locks = await tree.locks(place.path, is_directory and depth != "0")
    usage = await tree.usage() if wanted.has(QUOTA) else None
    scope = Scope(place, wanted, now, locks, usage)
    fields = [("Content-Type", MEDIA_TYPE), ("Cache-Control", "private, no-cache")]
    if depth == "0" or not is_directory:
        only = await scope.responses([(place.path, node)])
        body = OPENING.encode() + only + CLOSING.encode()
        return Response(207, fields, body)
    if depth == "1":
        first = await tree.list(place.path, None, PAGE)
        return Response(207, fields, _listed(scope, node, first))
    found = await _all_below(place, node, most)
    if found is None:
        # RFC 4918 9.1.1.
        return error(403, "propfind-finite-depth")
    return Response(207, fields, _told(scope, found))


async def _listed(
    scope: Scope, node: Node, page: tuple[Node, ...]
) -> AsyncIterator[bytes]:
    """The directory and what is in it, page by page."""
    tree, path = scope.place.tree, scope.place.path
    yield OPENING.encode() + await scope.responses([(path, node)])
    while page:
        for some in scope.slices(await _seen(scope.place, path, page)):
            yield await scope.responses(some)
        if len(page) < PAGE:
            break
        try:
            page = await tree.list(path, page[-1].name, PAGE)
        except (NotFound, NotADirectory):
            # Somebody has removed it: what was told was there.
            break
    yield CLOSING.encode()


async def _told(scope: Scope, found: list[tuple[Path, Node]]) -> AsyncIterator[bytes]:
    yield OPENING.encode()
    for some in scope.slices(found):
        yield await scope.responses(some)
    yield CLOSING.encode()


async def _seen(
    place: Place, directory: Path, page: Iterable[Node]
) -> list[tuple[Path, Node]]:
    """The entries of a page; in place of a link what it leads to, if it does."""
    found = []
    for node in page:
        path = (*directory, node.name)
        if node.kind is NodeKind.SYMLINK:
            try:
                node = await place.tree.stat(path)
            except (FileProblem, NotFound):
                continue
        if node.kind in (NodeKind.FILE, NodeKind.DIRECTORY):
            found.append((path, node))
    return found


async def _all_below(
    place: Place, node: Node, most: int
) -> list[tuple[Path, Node]] | None:
    """All that is there, the directory first; None where it is too much.  Directories
    behind links are told, and not entered."""
    found = [(place.path, node)]
    waiting = [place.path]
    while waiting:
        path, after = waiting.pop(), None
        while True:
            try:
                page = await place.tree.list(path, after, PAGE)
            except (NotFound, NotADirectory):
                break
            found += await _seen(place, path, page)
            waiting += [
                (*path, entry.name)
                for entry in page
                if entry.kind is NodeKind.DIRECTORY
            ]
            if len(found) > most:
                return None
            if len(page) < PAGE:
                break
            after = page[-1].name
    return found


def _response(it: Resource, wanted: Wanted) -> str:
    if wanted.is_names:
        names = [name for name in LIVE if live_property(it, name) is not None]
        names += [name for name in it.dead if name not in LIVE]
        return response_of(it.href, propstat(200, map(empty_element, names)))
    names = list(wanted.names)
    if wanted.is_all:
        known = [*(name for name in LIVE if name not in QUOTA), *it.dead]
        names = [*dict.fromkeys((*known, *names))]
    found, missing = [], []
    for name in names:
        element = live_property(it, name) if name in LIVE else it.dead.get(name)
        if element is not None:
            found.append(element)
        elif not wanted.is_all or name in wanted.names:
            missing.append(empty_element(name))
    inner = propstat(200, found) if found or not missing else ""
    if missing:
        inner += propstat(404, missing)
    return response_of(it.href, inner)
