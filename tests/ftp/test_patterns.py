"""Patterns in the last segment of LIST and NLST."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.backend import View
from netservices.interfaces import NotFound
from netservices.values import EVERYTHING, Node, NodeKind, Path


class LongNames:
    """A tree with one directory of many files of long names; notes what it is asked."""

    def __init__(self, count: int) -> None:
        self.names = [f"{number:05}{'a' * 245}" for number in range(count)]
        self.asked: list[int] = []

    async def stat(self, path: Path, follow: bool = True) -> Node:
        """Nothing but the root."""
        if path:
            raise NotFound("nothing")
        return Node("", NodeKind.DIRECTORY, 0, 0, 0, "")

    async def list(
        self, path: Path, after: str | None = None, limit: int = 1000
    ) -> tuple[Node, ...]:
        """A page."""
        self.asked.append(limit)
        left = [name for name in self.names if after is None or name > after]
        return tuple(Node(name, NodeKind.FILE, 0, 0, 0, "") for name in left[:limit])


class PatternTests(SynchronousTestCase):
    """``View.nodes``."""

    def match(self, pattern: str) -> tuple[list[str], list[int]]:
        """The names that match, and the sizes of the pages that were looked at."""
        tree: Any = LongNames(600)
        view = View(tree, EVERYTHING, page=250)

        async def collect() -> list[str]:
            return [node.name async for page in view.nodes(pattern) for node in page]

        found = self.successResultOf(Deferred.fromCoroutine(collect()))
        return found, tree.asked

    def test_short(self) -> None:
        """A usual one is matched with whole pages."""
        found, asked = self.match("*599*")
        self.assertEqual(1, len(found))
        self.assertEqual({250}, set(asked))

    def test_long(self) -> None:
        """One that takes long is matched with few names at a time, and others get
        their turn in between; what it matches is the same."""
        found, asked = self.match("*" + "?" * 249)
        self.assertEqual(600, len(found))
        self.assertEqual({40}, set(asked))
        found, asked = self.match("*" + "[a-z]" * 120 + "*")
        self.assertEqual(600, len(found))
        self.assertLess(max(asked), 20)

    def test_longest(self) -> None:
        """However long it is, one name at least is looked at."""
        found, asked = self.match("*" + "*" * 20_000)
        self.assertEqual(600, len(found))
        self.assertEqual({1}, set(asked))
