"""Looking in the reactor thread: only at what the kernel has in memory."""

from __future__ import annotations

import os
from typing import Any

from netservices.core.deferreds import value_of
from netservices.files.disk import Disk
from netservices.files.looking import Looking
from netservices.interfaces import IsADirectory, NotAllowed, NotFound
from tests.files.trees import FilesCase, WaitingReactor


class GlanceTests(FilesCase):
    """A service with threads, and a tree whose root is open."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = WaitingReactor()
        self.files = self.make_files(self.reactor)
        self.tree = self.make_tree()
        self.root = self.directory(self.tree)
        with open(os.path.join(self.root, "file"), "wb") as file:
            file.write(b"content")

    def test_cached(self) -> None:
        """What was just written is opened and looked at without a thread."""
        opened = value_of(self.tree.open(("file",)))
        self.addCleanup(opened.close)

        self.assertEqual(7, opened.node.size)
        self.assertEqual(7, value_of(self.tree.stat(("file",))).size)

    def test_refused(self) -> None:
        """Problems are the same as from a thread, and a link stays confined."""
        os.mkdir(os.path.join(self.root, "directory"))
        os.symlink("/etc", os.path.join(self.root, "out"))

        for path, problem in (
            (("directory",), IsADirectory),
            (("out", "passwd"), NotAllowed),
            (("file", "below"), NotFound),
            (("missing",), NotFound),
        ):
            failed: Any = self.outcome(self.tree.open(path))
            self.assertIsInstance(failed, problem)

    def outcome(self, deferred: Any) -> Any:
        """The exception that it fails with, at once or from a thread."""
        deferred.addErrback(lambda failure: failure.value)
        return self.reactor.wait(deferred)

    def test_not_in_memory(self) -> None:
        """What the kernel would have to read is looked at in a thread."""
        disk = self.tree.volume.disk
        disk.glance = NothingCached()

        waiting = self.tree.stat(("file",))

        self.assertFalse(waiting.called)
        self.assertEqual(7, self.reactor.wait(waiting).size)

    def test_root_not_open(self) -> None:
        """Nothing is looked at before a thread has opened the root."""
        tree = self.make_tree()

        waiting = tree.stat(())

        self.assertFalse(waiting.called)
        self.reactor.wait(waiting)
        self.assertTrue(tree.stat(()).called)

    def test_link_text(self) -> None:
        """Where a link leads may be on the disk, so a thread reads it."""
        os.symlink("file", os.path.join(self.root, "link"))

        waiting = self.tree.stat(("link",), follow=False)

        self.assertFalse(waiting.called)
        self.assertEqual("file", self.reactor.wait(waiting).link_target)

    def test_slow_disk(self) -> None:
        """After one slow call, everything is looked at in threads for a while."""
        self.files = self.make_files(self.reactor, slow_write=0.0)
        tree = self.make_tree()
        self.reactor.wait(tree.stat(()))
        self.assertTrue(tree.stat(()).called)

        waiting = tree.stat(())

        self.assertFalse(waiting.called)
        self.reactor.wait(waiting)


class NothingCached(Looking):
    """A tree of which the kernel has nothing in memory."""

    owner = ""

    def open(self, path: bytes, flags: int) -> int:
        """Would wait."""
        raise BlockingIOError


class NoGlanceTests(FilesCase):
    """Where the system, or the policy, cannot look without waiting."""

    def test_walk(self) -> None:
        """The walk always needs a thread."""
        files = self.make_files(WaitingReactor(), resolver="walk")
        disk: Disk = files.volume("home:a@example.org").disk

        self.assertIsNone(disk.glance)
