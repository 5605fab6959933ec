"""Copies of files."""

from __future__ import annotations

import os

from netservices.core.deferreds import value_of
from netservices.files import placing
from netservices.files.tree import FileTree
from netservices.interfaces import IsADirectory, NotAllowed, NotFound, QuotaExceeded
from netservices.values import Path
from tests.files.trees import FilesCase

CONTENT = b"some words\n" * 5000


class CopyTests(FilesCase):
    """``IFileTree.copy``."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.make_tree(quota_octets=200_000)
        self.put(("a",), CONTENT)

    def put(self, path: Path, content: bytes) -> None:
        """Upload a file."""
        upload = value_of(self.tree.begin_write(path))
        upload.write(content)
        value_of(upload.commit())

    def content(self, tree: FileTree, path: Path) -> bytes:
        """What a file holds."""
        file = value_of(tree.open(path))
        self.addCleanup(file.close)
        return value_of(file.read(0, 1 << 20))

    def usage(self) -> tuple[int, int]:
        """Octets and files."""
        found = value_of(self.tree.usage())
        return found.used_octets, found.file_count

    def left(self) -> list[str]:
        """What lies in the upload area."""
        found = []
        for directory, _, names in os.walk(self.directory(self.tree)):
            if ".ns-upload" in directory:
                found += names
        return found

    def test_copy(self) -> None:
        """The content, under another name; the sums and the digest follow."""
        node = value_of(self.tree.copy(("a",), ("b",)))
        self.assertEqual(("b", len(CONTENT)), (node.name, node.size))
        self.assertEqual(CONTENT, self.content(self.tree, ("b",)))
        self.assertEqual((2 * len(CONTENT), 2), self.usage())
        digests = [value_of(self.tree.digests((name,))) for name in "ab"]
        self.assertEqual(digests[0], digests[1])
        value_of(self.tree.copy(("a",), ("b",)))
        self.assertEqual((2 * len(CONTENT), 2), self.usage())
        self.assertEqual([], self.left())

    def test_replaces_at_once(self) -> None:
        """Until the copy has the name, the old file has it."""
        self.patch(placing, "COPY_STEP", 10_000)
        self.put(("b",), b"old")
        seen: list[bytes] = []
        steps: list[int] = []

        def progress(octets: int) -> None:
            steps.append(octets)
            seen.append(self.content(self.tree, ("b",)))

        value_of(self.tree.copy(("a",), ("b",), progress))
        self.assertEqual({b"old"}, set(seen))
        self.assertEqual(sorted(steps), steps)
        self.assertEqual(CONTENT, self.content(self.tree, ("b",)))

    def test_ended(self) -> None:
        """What the progress raises ends it, and nothing is left."""
        self.patch(placing, "COPY_STEP", 10_000)

        def progress(octets: int) -> None:
            raise NotAllowed("no more of it")

        self.put(("b",), b"old")
        self.failureResultOf(self.tree.copy(("a",), ("b",), progress), NotAllowed)
        self.assertEqual(b"old", self.content(self.tree, ("b",)))
        self.assertEqual([], self.left())
        self.assertEqual((len(CONTENT) + 3, 2), self.usage())

    def test_refused(self) -> None:
        """A directory, nothing, a directory in the way, the quota."""
        value_of(self.tree.make_directory(("d",)))
        self.failureResultOf(self.tree.copy(("d",), ("e",)), IsADirectory)
        self.failureResultOf(self.tree.copy(("x",), ("e",)), NotFound)
        self.failureResultOf(self.tree.copy(("a",), ("x", "e")), NotFound)
        self.failureResultOf(self.tree.copy(("a",), ("d",)), IsADirectory)
        for number in range(2):
            value_of(self.tree.copy(("a",), (str(number),)))
        self.failureResultOf(self.tree.copy(("a",), ("e",)), QuotaExceeded)
        self.assertEqual((3 * len(CONTENT), 3), self.usage())

    def test_itself(self) -> None:
        """A file may be copied over itself; it stays what it was."""
        value_of(self.tree.copy(("a",), ("a",)))
        self.assertEqual(CONTENT, self.content(self.tree, ("a",)))
        self.assertEqual((len(CONTENT), 1), self.usage())
