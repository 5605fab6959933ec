"""A session's view of a file tree: FTP path names, a working directory, globs.

Paths of the protocol are text with ``/``; those of a tree are tuples of segments.
``..`` is resolved here, by the text alone: ``a/../b`` is ``b`` even where ``a`` is a
link, as every FTP client assumes when it shortens paths itself.  Nothing is lost by
that, because the tree confines each path again when it resolves it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import attrs
from attrs import define

from netservices.ftp.wire import line_of_node
from netservices.interfaces import FileProblem, IFileTree, NotFound, StoreError
from netservices.values import (
    LineOf,
    Lines,
    Node,
    NodeKind,
    Path,
    Permission,
    Permissions,
)

__all__ = ["Permission", "View", "path_text", "resolve"]

_GLOB = re.compile(r"[*?\[]")
_STEPS_A_PAGE = 10_000
"""Names times letters of a pattern that are matched at once: 6 ms at worst."""


_FILE_LETTERS = (
    ("a", Permission.REPLACE),
    ("d", Permission.DELETE),
    ("f", Permission.RENAME),
    ("r", Permission.READ),
    ("w", Permission.REPLACE),
)
_DIRECTORY_LETTERS = (
    ("c", Permission.CREATE),
    ("d", Permission.DELETE),
    ("e", Permission.ALL),
    ("f", Permission.RENAME),
    ("l", Permission.LIST),
    ("m", Permission.MAKE_DIRECTORY),
    ("p", Permission.DELETE),
)
_ROOT_LETTERS = tuple(pair for pair in _DIRECTORY_LETTERS if pair[0] not in "df")
"""The root stays, and keeps its name."""


def resolve(directory: Path, text: str) -> Path:
    """The absolute path that ``text`` means when ``directory`` is the current one."""
    segments = [] if text.startswith("/") else list(directory)
    for segment in text.split("/"):
        if segment == "..":
            # The parent of the root is the root.
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return tuple(segments)


def path_text(path: Path) -> str:
    """The path as FTP writes it."""
    return "/" + "/".join(path)


@define
class View:
    """A tree as one logged-in session sees it."""

    tree: IFileTree
    permissions: Permissions
    directory: Path = ()
    page: int = 250

    def path(self, text: str) -> Path:
        """The path that the client names."""
        return resolve(self.directory, text)

    def may(self, permission: Permission) -> bool:
        """Whether the user may do something of that kind, in one place or another; the
        tree knows where."""
        return bool(self.permissions.anywhere & permission)

    def perm_fact(self, kind: NodeKind, path: Path) -> str:
        """The value of the fact ``perm`` for what is at ``path`` (RFC 3659 7.5.5)."""
        letters: tuple[tuple[str, Permission], ...] = _ROOT_LETTERS
        if path:
            is_directory = kind is NodeKind.DIRECTORY
            letters = _DIRECTORY_LETTERS if is_directory else _FILE_LETTERS
        allowed = self.permissions.at(path)
        if self.permissions.holds_others(path):
            allowed &= ~Permission.RENAME
        return "".join(letter for letter, wanted in letters if wanted & allowed)

    async def nodes(
        self, text: str, may_match: bool = True
    ) -> AsyncIterator[tuple[Node, ...]]:
        """Pages of what LIST or NLST of ``text`` shows.

        The entries of a directory, the one node of a file, or (with ``may_match``)
        what a pattern in the last segment matches.  NotFound where there is nothing of
        that name.
        """
        path = self.path(text)
        try:
            node = await self.tree.stat(path)
        except NotFound:
            if not (may_match and path and _GLOB.search(path[-1])):
                raise
            async for page in self._matching(path):
                yield page
            return
        if node.kind is not NodeKind.DIRECTORY:
            yield (node,)
            return
        async for page in self.entries(path):
            yield page

    async def lines(self, text: str, line_of: LineOf) -> AsyncIterator[str]:
        """The same as text, made where entries are looked at."""
        path = self.path(text)
        node = None
        with suppress(NotFound):
            node = await self.tree.stat(path)
        if node is None or node.kind is not NodeKind.DIRECTORY:
            async for nodes in self.nodes(text):
                yield "".join([line_of_node(line_of, one) for one in nodes])
            return
        page = Lines()
        while not page.is_last:
            after = page.last or None
            page = await self.tree.list_lines(path, line_of, after, self.page)
            yield page.text

    async def _matching(self, path: Path) -> AsyncIterator[tuple[Node, ...]]:
        matches = re.compile(fnmatch.translate(path[-1])).match
        found_one = False
        # A long pattern may look at each letter of a long name again and again: fewer
        # names then, before others get their turn.
        most = max(1, min(self.page, _STEPS_A_PAGE // len(path[-1])))
        async for page in self.entries(path[:-1], most):
            matching = tuple(node for node in page if matches(node.name))
            if matching:
                found_one = True
                yield matching
        if not found_one:
            raise NotFound("nothing matches")

    async def entries(
        self, path: Path, most: int = 0
    ) -> AsyncIterator[tuple[Node, ...]]:
        """Pages of a directory, ordered by name, of at most so many names."""
        most = most or self.page
        after: str | None = None
        was_full = False
        while page := await self.tree.list(path, after, most):
            yield page
            is_short = len(page) < most
            if is_short and was_full:
                return
            # A tree may give less than was asked for, on every page: only after a
            # full one does a short one mean the end.
            was_full = not is_short
            after = page[-1].name

    async def resolved(self, directory: Path, page: tuple[Node, ...]) -> list[Node]:
        """The page with links replaced by what they lead to, where that can be seen."""
        nodes = []
        for node in page:
            if node.kind is NodeKind.SYMLINK:
                node = await self._target(directory, node)
            nodes.append(node)
        return nodes

    async def _target(self, directory: Path, link: Node) -> Node:
        try:
            target = await self.tree.stat((*directory, link.name))
        except (FileProblem, StoreError):
            return link
        return attrs.evolve(target, name=link.name)
