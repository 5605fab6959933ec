"""Long directories."""

from __future__ import annotations

import os
import random
from typing import Any

from netservices.core.deferreds import value_of
from netservices.files import listing
from netservices.files.listing import Snapshot, Snapshots
from netservices.files.settings import FilesSettings
from tests.files.trees import FilesCase

MANY = 100_000


class ListingTests(FilesCase):
    """``listing``."""

    settings = FilesSettings(durability="none")

    def test_a_hundred_thousand_names(self) -> None:
        """All names come, in order, in bounded pages; the directory is read once, and
        each entry looked at once."""
        tree = self.make_tree()
        root = os.open(self.directory(tree), os.O_RDONLY)
        names = [b"f%06d" % number for number in range(MANY)]
        for name in random.Random(1).sample(names, MANY):
            os.mknod(name, dir_fd=root)
        os.close(root)
        scans = self.count(listing, "sorted_names")
        looks = self.count(listing, "node_of")
        found: list[bytes] = []
        after = None
        while page := value_of(tree.list((), after, MANY)):
            self.assertTrue(len(page) <= self.settings.longest_page)
            found += [node.name.encode() for node in page]
            after = page[-1].name
            if len(found) == MANY:
                break
        self.assertEqual(names, found)
        self.assertEqual((1, MANY), (len(scans), len(looks)))

    def test_full_pages(self) -> None:
        """Where the last page is a full one, too, the directory is not read again."""
        tree = self.make_tree()
        for number in range(6):
            os.mknod(os.path.join(self.directory(tree), f"f{number}"))
        scans = self.count(listing, "sorted_names")
        pages = [value_of(tree.list((), after, 2)) for after in (None, "f1", "f3")]
        self.assertEqual([2, 2, 2], [len(page) for page in pages])
        self.assertEqual((), value_of(tree.list((), "f5", 2)))
        self.assertEqual(1, len(scans))

    def test_first_pages(self) -> None:
        """Who asks for the first page again and again keeps nobody busy: the names are
        read once, until one comes or goes."""
        self.patch(listing, "_SETTLED_NS", -(10**18))
        tree = self.make_tree()
        directory = self.directory(tree)
        for number in range(6):
            os.mknod(os.path.join(directory, f"f{number}"))
        scans = self.count(listing, "sorted_names")
        for _ in range(3):
            page = value_of(tree.list((), None, 2))
            self.assertEqual(["f0", "f1"], [node.name for node in page])
        self.assertEqual(1, len(scans))
        before = os.stat(directory).st_ctime_ns
        os.mknod(os.path.join(directory, "a"))
        while os.stat(directory).st_ctime_ns == before:
            os.utime(directory)
        page = value_of(tree.list((), None, 2))
        self.assertEqual(["a", "f0"], [node.name for node in page])

    def test_first_pages_of_what_changes(self) -> None:
        """What has just changed can change again without getting another time."""
        tree = self.make_tree()
        for number in range(6):
            os.mknod(os.path.join(self.directory(tree), f"f{number}"))
        scans = self.count(listing, "sorted_names")
        for _ in range(2):
            value_of(tree.list((), None, 2))
        self.assertEqual(2, len(scans))

    def test_lines(self) -> None:
        """A page as text has the same entries in the same order; it tells whether it
        is the last one."""
        tree = self.make_tree()
        directory = os.fsencode(self.directory(tree))
        for name in (b"c", b"a", b"\xff"):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(name)
        os.symlink(b"c", os.path.join(directory, b"b"))

        def line_of(name: str, mode: int, size: int, *more: Any) -> str:
            return f"{name} {mode:o} {size} {more[2]}\n"

        first = value_of(tree.list_lines((), line_of, None, 2))
        self.assertEqual("a 100644 1 None\nb 120777 1 c\n", first.text)
        self.assertEqual(("b", False), (first.last, first.is_last))
        second = value_of(tree.list_lines((), line_of, "b", 2))
        self.assertEqual("c 100644 1 None\n\udcff 100644 1 None\n", second.text)
        self.assertTrue(second.is_last)
        empty = value_of(tree.list_lines((), line_of, "\udcff", 2))
        self.assertEqual(("", True), (empty.text, empty.is_last))

    def count(self, module: Any, name: str) -> list[None]:
        """One entry a call of that function from now on."""
        calls: list[None] = []
        function = getattr(module, name)

        def counted(*args: Any) -> Any:
            calls.append(None)
            return function(*args)

        self.patch(module, name, counted)
        return calls

    def test_snapshots_are_bounded(self) -> None:
        """The oldest go when there are too many names; old ones are not used, nor
        those of a directory that took the name of another."""
        snapshots = Snapshots(10, 60)
        now = listing.time.monotonic()
        four = (b"a", b"b", b"c", b"d")
        for number in range(5):
            snapshots.put(("t", b"%d" % number), Snapshot((1, number), four, now))
        kept = [snapshots.get(("t", b"%d" % n), (1, n)) is not None for n in range(5)]
        self.assertEqual([False, False, False, True, True], kept)
        self.assertIsNone(snapshots.get(("t", b"4"), (1, 99)))
        snapshots.put(("t", b"big"), Snapshot((1, 1), four * 3, now))
        self.assertIsNone(snapshots.get(("t", b"big"), (1, 1)))
        snapshots.put(("t", b"old"), Snapshot((1, 1), four, now - 61))
        self.assertIsNone(snapshots.get(("t", b"old"), (1, 1)))
        snapshots.drop(("t", b"4"))
        self.assertIsNone(snapshots.get(("t", b"4"), (1, 4)))

    def test_names_made_by_others(self) -> None:
        """What could not be made through us is listed nevertheless, and its octets
        survive; the directory's own rules hold, not ours."""
        tree = self.make_tree()
        directory = os.fsencode(self.directory(tree))
        for name in (b"a\nb", b"\xff", b"\x01"):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(name)
        for node in value_of(tree.list(())):
            opened = value_of(tree.open((node.name,)))
            octets = node.name.encode("utf-8", "surrogateescape")
            self.assertEqual(octets, value_of(opened.read(0, 10)))
            opened.close()
            value_of(tree.remove((node.name,)))
        self.assertEqual([], os.listdir(directory))
