"""Every way into a tree asks the permissions by directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.deferreds import value_of
from netservices.files.directories import RestrictedTree
from netservices.interfaces import IFileTree, NotAllowed
from netservices.values import Permission, Permissions, WriteMode
from tests.files.trees import FilesCase

SECRET, FILE, NOWHERE = ("secret",), ("secret", "f"), ("secret", "none")

CALLS: dict[str, Callable[[Any], Any]] = {
    "stat": lambda tree: tree.stat(FILE),
    "list": lambda tree: tree.list(SECRET),
    "list_lines": lambda tree: tree.list_lines(SECRET, lambda name, *_: name),
    "open": lambda tree: tree.open(FILE),
    "digests": lambda tree: tree.digests(FILE),
    "digest": lambda tree: tree.digest(FILE, "MD5"),
    "partial_octets": lambda tree: tree.partial_octets(FILE),
    "begin_write": lambda tree: tree.begin_write(NOWHERE),
    "copy": lambda tree: tree.copy(FILE, ("copy",)),
    "make_directory": lambda tree: tree.make_directory(NOWHERE),
    "remove": lambda tree: tree.remove(FILE),
    "rename": lambda tree: tree.rename(FILE, ("f",)),
    "set_attributes": lambda tree: tree.set_attributes(FILE, mtime_ns=1),
    "lock": lambda tree: tree.lock(FILE, "", 2e9),
    "unlock": lambda tree: tree.unlock(FILE, "token"),
    "renew_lock": lambda tree: tree.renew_lock(FILE, "token", 2e9),
    "locks": lambda tree: tree.locks(FILE),
    "properties": lambda tree: tree.properties(("open",), FILE),
    "change_properties": lambda tree: tree.change_properties(FILE, {"a": "b"}),
    "copy_properties": lambda tree: tree.copy_properties(("open",), FILE),
}
"""What is refused where nothing is allowed."""

OTHERS = frozenset(
    (
        *("name", "capabilities", "umask", "with_umask", "with_tokens"),
        *("disk_path", "usage", "subject", "changes", "refresh", "glance"),
    )
)
"""What is about no path, or tells nothing of what is there; ``glance`` gives nothing
where ``stat`` is refused."""


class RestrictedTests(FilesCase):
    """A tree with a directory in which nothing is allowed."""

    def setUp(self) -> None:
        super().setUp()
        whole = self.make_tree()
        value_of(whole.make_directory(SECRET))
        for path in (FILE, ("open",)):
            upload = value_of(whole.begin_write(path))
            upload.write(b"words")
            value_of(upload.commit())
        permissions = Permissions(Permission.ALL, {SECRET: Permission.NONE})
        self.tree = RestrictedTree(whole.volume, permissions, 1)

    def test_all_are_here(self) -> None:
        """Whoever adds a method to trees says here whether it asks."""
        self.assertEqual(set(), set(IFileTree.names()) - set(CALLS) - OTHERS)

    def test_refused(self) -> None:
        """Where nothing is allowed, nothing is done or told."""
        for name, call in CALLS.items():
            try:
                outcome = call(self.tree)
            except NotAllowed:
                continue
            assert isinstance(outcome, Deferred), name
            self.failureResultOf(outcome, NotAllowed)

    def test_glance(self) -> None:
        """What ``stat`` refuses is not glanced at."""
        self.assertIsNone(self.tree.glance(SECRET))
        self.assertIsNotNone(self.tree.glance(()))

    def test_continued(self) -> None:
        """Nor is a file continued that may not be changed."""
        for mode in WriteMode:
            try:
                outcome = self.tree.begin_write(FILE, mode)
            except NotAllowed:
                continue
            self.failureResultOf(outcome, NotAllowed)

    def test_not_listed(self) -> None:
        """What may not be touched is in no listing of what is above it, however it is
        made."""
        nodes = value_of(self.tree.list(()))
        self.assertEqual(["open"], [node.name for node in nodes])
        lines = value_of(self.tree.list_lines((), lambda name, *_: name + "\n"))
        self.assertEqual("open\n", lines.text)
        self.assertTrue(lines.is_last)
