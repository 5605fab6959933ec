"""Nothing leaves a root: no link, no ``..``, no race."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import ConfigurationError
from netservices.files import beneath
from netservices.files.beneath import has_openat2, make_opener, rename_noreplace
from netservices.files.settings import FilesSettings
from netservices.interfaces import FileProblem, NotAllowed, NotFound, StoreError
from netservices.values import NodeKind, WriteMode
from tests.files.trees import FilesCase

RACE_ROUNDS = 400


def needs_root() -> None:
    """Skip where we may not, except in CI, which runs as root."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        raise SkipTest("giving files to others needs root")


class Confinement:
    """Links and races; mixed into one case for each resolver."""

    def setUp(self: Any) -> None:
        """A tree, and a secret beside it."""
        super().setUp()  # type: ignore[misc]
        self.tree = self.make_tree()
        self.root = self.directory(self.tree)
        self.outside = os.path.join(self.state, "outside")
        os.mkdir(self.outside)
        self.write(os.path.join(self.outside, "secret"), b"secret")
        os.mkdir(os.path.join(self.root, "d"))
        self.write(os.path.join(self.root, "d", "f"), b"inside")

    def write(self: Any, name: str, data: bytes) -> None:
        """Make a file behind the tree's back."""
        with open(name, "wb") as file:
            file.write(data)

    def link(self: Any, text: str, *path: str) -> None:
        """Make a symbolic link behind the tree's back."""
        os.symlink(text, os.path.join(self.root, *path))

    def refuses(self: Any, problem: Any, deferred: Deferred[Any]) -> None:
        """The Deferred fails with ``problem``."""
        with self.assertRaises(problem):
            value_of(deferred)

    def content(self: Any, *path: str) -> bytes:
        """The beginning of a file."""
        opened = value_of(self.tree.open(path))
        try:
            return bytes(value_of(opened.read(0, 100)))
        finally:
            opened.close()

    def outside_is_untouched(self: Any) -> None:
        """Nothing outside was made, changed or removed."""
        self.assertEqual(["secret"], os.listdir(self.outside))
        path = os.path.join(self.outside, "secret")
        with open(path, "rb") as file:
            self.assertEqual(b"secret", file.read())
        self.assertEqual(0o644, os.stat(path).st_mode & 0o777)
        self.assertTrue(os.stat(path).st_mtime > 10**6)

    def test_links_inside(self: Any) -> None:
        """Relative links that stay in the tree are followed, also upwards."""
        self.link("d/f", "l")
        self.link("../d/./f", "d", "up")
        self.link("d", "dir")
        self.link("dir/up", "chain")
        for path in (("l",), ("d", "up"), ("dir", "f"), ("chain",), ("dir", "up")):
            self.assertEqual(b"inside", self.content(*path))
        self.assertEqual(4, len(value_of(self.tree.list(()))))
        node = value_of(self.tree.stat(("l",), follow=False))
        self.assertEqual((NodeKind.SYMLINK, "d/f"), (node.kind, node.link_target))
        self.assertEqual(NodeKind.FILE, value_of(self.tree.stat(("l",))).kind)
        names = [node.name for node in value_of(self.tree.list(("dir",)))]
        self.assertEqual(["f", "up"], names)

    def test_links_out(self: Any) -> None:
        """Absolute links, and those that rise above the root, lead nowhere."""
        inside = os.path.abspath(os.path.join(self.root, "d"))
        for number, text in enumerate(
            (
                os.path.abspath(self.outside),
                inside,
                "/",
                "../../outside",
                "d/../../../outside",
                "../" + os.path.basename(self.root) + "/d",
                "/proc/self/cwd",
            )
        ):
            name = f"l{number}"
            self.link(text, name)
            self.refuse_everything_below(name)
            self.assertEqual(text, value_of(self.tree.stat((name,), False)).link_target)
            self.refuses(NotAllowed, self.tree.stat((name,)))
            value_of(self.tree.remove((name,)))
        self.outside_is_untouched()

    def refuse_everything_below(self: Any, name: str) -> None:
        """No operation passes through that link."""
        tree = self.tree
        there = (name, "secret")
        self.refuses(NotAllowed, tree.stat(there))
        self.refuses(NotAllowed, tree.stat(there, follow=False))
        self.refuses(NotAllowed, tree.list((name,)))
        self.refuses(NotAllowed, tree.open(there))
        for mode in WriteMode:
            self.refuses(NotAllowed, tree.begin_write(there, mode))
            self.refuses(NotAllowed, tree.begin_write((name, "new"), mode))
        self.refuses(NotAllowed, tree.make_directory((name, "new")))
        self.refuses(NotAllowed, tree.remove(there))
        self.refuses(NotAllowed, tree.rename(there, ("stolen",)))
        self.refuses(NotAllowed, tree.rename(("d", "f"), there))
        self.refuses(NotAllowed, tree.set_attributes(there, mtime_ns=0, mode=0o600))
        self.refuses(NotAllowed, tree.digests(there))

    def test_the_last_name_is_never_followed_by_changes(self: Any) -> None:
        """Removing, renaming and replacing concern the link, not what it leads to."""
        out = os.path.abspath(os.path.join(self.outside, "secret"))
        self.link(out, "l")
        self.refuses(NotAllowed, self.tree.open(("l",)))
        self.refuses(NotAllowed, self.tree.set_attributes(("l",), mtime_ns=0))
        self.refuses(NotAllowed, self.tree.begin_write(("l",), WriteMode.APPEND))
        upload = value_of(self.tree.begin_write(("l",)))
        upload.write(b"mine")
        value_of(upload.commit())
        self.assertEqual(b"mine", self.content("l"))
        self.link(out, "m")
        value_of(self.tree.rename(("m",), ("n",)))
        self.assertTrue(os.path.islink(os.path.join(self.root, "n")))
        value_of(self.tree.rename(("d", "f"), ("n",)))
        self.assertEqual(b"inside", self.content("n"))
        self.outside_is_untouched()

    def test_links_that_lead_nowhere(self: Any) -> None:
        """Loops are NotAllowed, dangling links NotFound."""
        self.link("loop", "loop")
        self.link("none", "dangling")
        self.refuses(NotAllowed, self.tree.open(("loop",)))
        self.refuses(NotAllowed, self.tree.list(("loop",)))
        self.refuses(NotFound, self.tree.open(("dangling",)))
        self.refuses(NotFound, self.tree.stat(("dangling",)))
        self.refuses(NotFound, self.tree.stat(("d", "f", "g")))
        self.assertEqual(3, len(value_of(self.tree.list(()))))

    def test_what_is_no_file(self: Any) -> None:
        """A FIFO is not opened for anybody, and nobody waits for its writer."""
        os.mkfifo(os.path.join(self.root, "fifo"))
        self.assertEqual(NodeKind.OTHER, value_of(self.tree.stat(("fifo",))).kind)
        self.refuses(NotAllowed, self.tree.open(("fifo",)))
        self.refuses(NotAllowed, self.tree.digests(("fifo",)))
        self.refuses(NotAllowed, self.tree.begin_write(("fifo",), WriteMode.APPEND))
        value_of(self.tree.remove(("fifo",)))

    def test_the_upload_area_is_out_of_reach(self: Any) -> None:
        """No path names it, no listing shows it, no link gives it another name."""
        upload = value_of(self.tree.begin_write(("f",)))
        upload.write(b"x" * 100_000)
        self.assertTrue(os.listdir(os.path.join(self.root, ".ns-uploads")))
        self.assertEqual(["d"], [n.name for n in value_of(self.tree.list(()))])
        for path in ((".ns-uploads",), (".ns-uploads", "t"), ("d", ".ns-upload-1")):
            self.refuses(FileProblem, self.tree.stat(path))
            self.refuses(FileProblem, self.tree.open(path))
            self.refuses(FileProblem, self.tree.begin_write(path))
            self.refuses(FileProblem, self.tree.rename(("d",), path))
        value_of(upload.abort())

    def test_races(self: Any) -> None:
        """While a process swaps a directory and a link that leads out, as fast as it
        can, every operation stays inside or is refused."""
        os.mkdir(os.path.join(self.root, "x"))
        self.write(os.path.join(self.root, "x", "secret"), b"public")
        os.symlink(os.path.abspath(self.outside), os.path.join(self.root, "y"))
        inside = os.open(os.path.join(self.root, "x"), os.O_RDONLY)
        self.addCleanup(os.close, inside)
        swapper = subprocess.Popen(
            [sys.executable, "-c", SWAPPER, self.root], stdout=subprocess.PIPE
        )
        try:
            assert swapper.stdout is not None
            self.assertEqual(b"ready\n", swapper.stdout.readline())
            done = 0
            for number in range(RACE_ROUNDS):
                done += self.race_once(number)
                if "moved" in os.listdir(inside):
                    # The way back was barred.
                    os.rename("moved", "secret", src_dir_fd=inside, dst_dir_fd=inside)
        finally:
            swapper.kill()
            swapper.communicate()
        # The race was one: some got through to the inside, none to the outside.
        self.assertTrue(done > 0)
        self.outside_is_untouched()

    def race_once(self: Any, number: int) -> int:
        """One of each operation through ``x``; how many were carried out."""
        there, new = ("x", "secret"), ("x", f"n{number}")
        done = 0
        for attempt in (
            lambda: self.assertEqual(b"public", self.content(*there)),
            lambda: self.assertEqual(6, value_of(self.tree.stat(there)).size),
            lambda: value_of(self.tree.set_attributes(there, 10**9, 0o666)),
            lambda: value_of(self.tree.make_directory(new)),
            lambda: value_of(self.tree.remove(new, directory=True)),
            lambda: self.upload_public(there),
            lambda: value_of(self.tree.rename(there, ("x", "moved"))),
            lambda: value_of(self.tree.rename(("x", "moved"), there)),
            lambda: self.assertNotIn(
                "outside", [node.name for node in value_of(self.tree.list(("x",)))]
            ),
        ):
            try:
                attempt()
                done += 1
            except (FileProblem, StoreError):
                pass
        return done

    def upload_public(self: Any, path: tuple[str, ...]) -> None:
        """Replace a file by the same content."""
        upload = value_of(self.tree.begin_write(path))
        upload.write(b"public")
        try:
            value_of(upload.commit())
        finally:
            value_of(upload.abort())


SWAPPER = """
import ctypes, os, sys
root = os.open(sys.argv[1], os.O_PATH)
exchange = ctypes.CDLL(None).renameat2
print("ready", flush=True)
while True:
    exchange(root, b"x", root, b"y", 2)
"""


class OpenAt2Tests(Confinement, FilesCase):
    """By ``openat2``."""

    resolver = "openat2"
    if not has_openat2():
        skip = "this system has no openat2"


class WalkTests(Confinement, FilesCase):
    """By the walk."""

    resolver = "walk"


class OwnerTests(Confinement, FilesCase):
    """By the walk that compares owners."""

    settings = FilesSettings(symlinks="owner")

    def test_links_of_others(self) -> None:
        """Only links whose owner owns what they lead to are followed."""
        needs_root()
        self.link("d/f", "l")
        self.link("d", "dir")
        self.link("dir/f", "both")
        self.assertEqual(b"inside", self.content("both"))
        os.chown(os.path.join(self.root, "dir"), 12345, -1, follow_symlinks=False)
        self.assertEqual(b"inside", self.content("l"))
        self.refuses(NotAllowed, self.tree.open(("dir", "f")))
        self.refuses(NotAllowed, self.tree.open(("both",)))
        self.refuses(NotAllowed, self.tree.list(("dir",)))
        os.chown(os.path.join(self.root, "d"), 12345, -1)
        self.assertEqual(b"inside", self.content("dir", "f"))
        self.assertEqual(b"inside", self.content("both"))
        os.chown(os.path.join(self.root, "l"), 12345, -1, follow_symlinks=False)
        self.refuses(NotAllowed, self.tree.open(("l",)))


class DenyTests(FilesCase):
    """``symlinks = "deny"``."""

    settings = FilesSettings(symlinks="deny")

    def test_no_link_is_followed(self) -> None:
        """A link is seen, and may be removed; it leads nowhere."""
        for resolver in ("walk", "auto"):
            self.files = self.make_files(resolver=resolver)
            tree = self.make_tree()
            root = self.directory(tree)
            os.mkdir(os.path.join(root, "d"))
            os.symlink("d", os.path.join(root, "l"))
            node = value_of(tree.stat(("l",), follow=False))
            self.assertEqual(NodeKind.SYMLINK, node.kind)
            for refused in (
                tree.stat(("l",)),
                tree.list(("l",)),
                tree.make_directory(("l", "x")),
                tree.begin_write(("l", "x")),
            ):
                with self.assertRaises(NotAllowed):
                    value_of(refused)
            value_of(tree.remove(("l",)))
            self.assertEqual(["d"], [node.name for node in value_of(tree.list(()))])


class FollowTests(FilesCase):
    """``symlinks = "follow"``."""

    settings = FilesSettings(symlinks="follow")

    def test_links_lead_where_they_lead(self) -> None:
        """The administrator wanted it so."""
        tree = self.make_tree()
        os.mkdir(os.path.join(self.state, "other"))
        target = os.path.abspath(os.path.join(self.state, "other"))
        os.symlink(target, os.path.join(self.directory(tree), "l"))
        value_of(tree.make_directory(("l", "made")))
        self.assertEqual(["made"], os.listdir(target))


class ChoiceTests(SynchronousTestCase):
    """Which way of opening is taken."""

    def test_a_kernel_without_openat2(self) -> None:
        """``auto`` walks; who insists is told."""
        self.patch(beneath, "_SYS_OPENAT2", 100_000)
        self.assertFalse(has_openat2())
        opener = make_opener("inside")
        root = os.open(".", os.O_PATH)
        self.addCleanup(os.close, root)
        os.close(opener(root, b".", os.O_PATH))
        with self.assertRaises(ConfigurationError):
            make_opener("inside", "openat2")

    def test_rename_without_noreplace(self) -> None:
        """File systems that lack it get the same answers another way."""
        directory = self.mktemp()
        os.makedirs(os.path.join(directory, "d"))
        for name in ("a", "b"):
            with open(os.path.join(directory, name), "w") as file:
                file.write(name)
        at = os.open(directory, os.O_PATH)
        self.addCleanup(os.close, at)
        for rename in (rename_noreplace, beneath._rename_by_link):
            for source in (b"a", b"d"):
                with self.assertRaises(FileExistsError):
                    rename(at, source, at, b"b")
                rename(at, source, at, b"new")
                self.assertEqual(3, len(os.listdir(directory)))
                rename(at, b"new", at, source)
                with self.assertRaises(FileNotFoundError):
                    rename(at, b"none", at, b"new")
