"""Directories as roots of their own: sites, and pages of accounts."""

from __future__ import annotations

import os

from netservices.core.deferreds import value_of
from netservices.files.tree import FileTree
from netservices.interfaces import BadName, NotAllowed, NotFound
from tests.files.trees import FilesCase, WaitingReactor


class WithinTests(FilesCase):
    """Roots that are not made, do not leak, and may be replaced."""

    def setUp(self) -> None:
        super().setUp()
        self.sites = os.path.join(self.state, "sites")
        self.site = os.path.join(self.sites, "example.org")
        os.mkdir(self.site)
        self.write("sites/example.org/page", b"page")

    def write(self, path: str, content: bytes) -> None:
        """A file below the state directory."""
        place = os.path.join(self.state, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(content)

    def content(self, tree: FileTree, *path: str) -> bytes:
        """What is read at ``path``."""
        file = value_of(tree.open(path))
        self.addCleanup(file.close)
        return value_of(file.read(0, 100))

    def test_site(self) -> None:
        """A site is read, and cannot be written."""
        tree = self.files.site("example.org")

        self.assertEqual(b"page", self.content(tree, "page"))
        self.failureResultOf(tree.begin_write(("new",)), NotAllowed)
        self.failureResultOf(tree.remove(("page",)), NotAllowed)

    def test_names(self) -> None:
        """The names of sites, as they are now."""
        self.assertEqual({"example.org"}, self.files.sites())
        os.mkdir(os.path.join(self.sites, "new.example"))
        self.assertEqual({"example.org", "new.example"}, self.files.sites())
        for name in ("", ".", "..", "a/b", "a\0b"):
            self.assertRaises(BadName, self.files.site, name)

    def test_confined(self) -> None:
        """No link leads from a site into another."""
        self.write("sites/other/private", b"private")
        os.symlink("../other", os.path.join(self.site, "other"))
        os.symlink("page", os.path.join(self.site, "same"))
        tree = self.files.site("example.org")

        self.failureResultOf(tree.open(("other", "private")), NotAllowed)
        self.assertEqual(b"page", self.content(tree, "same"))

    def test_site_is_a_link(self) -> None:
        """A site may be wherever its operator says."""
        self.write("releases/42/page", b"42")
        os.symlink("../releases/42", os.path.join(self.sites, "linked.example"))

        self.assertEqual(b"42", self.content(self.files.site("linked.example"), "page"))

    def test_replaced(self) -> None:
        """Another directory in the same place is seen by the next refresh."""
        tree = self.files.site("example.org")
        self.assertEqual(b"page", self.content(tree, "page"))
        os.rename(self.site, self.site + ".old")
        self.write("sites/example.org/page", b"new")

        self.assertEqual(b"page", self.content(tree, "page"))
        tree.refresh()
        self.assertEqual(b"new", self.content(tree, "page"))
        tree.refresh()
        self.assertEqual(b"new", self.content(tree, "page"))

    def test_not_made(self) -> None:
        """Looking makes neither site nor home."""
        account = self.account(7)
        for tree in (self.files.site("none"), self.files.pages(account, "www")):
            tree.refresh()
            self.failureResultOf(tree.stat(()), NotFound)
            self.assertIsNone(tree.glance(()))
        self.assertEqual(["example.org"], os.listdir(self.sites))
        self.assertEqual([], os.listdir(os.path.join(self.state, "files")))

    def test_pages(self) -> None:
        """Pages are what lies in one directory of a home, made when it is."""
        account = self.account(1)
        home = self.files.home(account)
        value_of(home.make_directory(("secret",)))
        pages = self.files.pages(account, "www")
        self.failureResultOf(pages.stat(()), NotFound)
        changes = pages.changes
        value_of(home.make_directory(("www",)))

        self.assertEqual("dir", value_of(pages.stat(())).kind.value)
        self.assertGreater(pages.changes, changes)
        os.symlink("../secret", os.path.join(self.directory(home), "www", "out"))
        self.failureResultOf(pages.stat(("out",)), NotAllowed)
        self.failureResultOf(pages.make_directory(("new",)), NotAllowed)

    def test_glance(self) -> None:
        """What is in memory is looked at without a thread, once the root is open."""
        reactor = WaitingReactor()
        tree = self.make_files(reactor).site("example.org")
        self.assertIsNone(tree.glance(("page",)))
        reactor.wait(tree.stat(()))

        node = tree.glance(("page",))
        assert node is not None
        self.assertEqual(4, node.size)
        self.assertIsNone(tree.glance(("none",)))


class WalkingWithinTests(WithinTests):
    """The same on systems without ``openat2``."""

    resolver = "walk"

    def test_glance(self) -> None:
        """Nothing is looked at without a thread."""
        reactor = WaitingReactor()
        tree = self.make_files(reactor).site("example.org")
        reactor.wait(tree.stat(()))

        self.assertIsNone(tree.glance(("page",)))
