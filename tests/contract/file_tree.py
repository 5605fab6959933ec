"""What every ``IFileTree`` promises, as tests that any implementation can inherit."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from netservices.core.deferreds import value_of
from netservices.interfaces import (
    BadName,
    Conflict,
    Exists,
    IFileTree,
    IOpenFile,
    IsADirectory,
    IUpload,
    NotADirectory,
    NotAllowed,
    NotEmpty,
    NotFound,
    QuotaExceeded,
)
from netservices.values import Digests, NodeKind, WriteMode

BIG = 300_000


class FileTreeContract:
    """Mix into a test case that has ``make_tree(quota_octets=None)``."""

    make_tree: Any
    assertEqual: Any
    assertTrue: Any
    assertRaises: Any
    assertNotEqual: Any
    assertIsNone: Any

    def wait(self, deferred: Deferred[Any]) -> Any:
        """The result; implementations with threads wait for it here."""
        return value_of(deferred)

    def pause(self, asked: Deferred[None] | None) -> None:
        """Wait as a write asks for it."""
        if asked is not None:
            self.wait(asked)

    def put(
        self, tree: Any, path: Any, data: bytes, mode: Any = None, at: int = 0
    ) -> Any:
        """Upload ``data`` in one piece and commit."""
        upload = self.wait(tree.begin_write(path, mode or WriteMode.REPLACE, at))
        self.pause(upload.write(data))
        return self.wait(upload.commit())

    def get(self, tree: Any, path: Any) -> bytes:
        """The whole content of a file."""
        opened = self.wait(tree.open(path))
        try:
            return self.rest_of(opened)
        finally:
            opened.close()

    def rest_of(self, opened: Any, offset: int = 0) -> bytes:
        """Everything from ``offset`` on."""
        found = b""
        while data := self.wait(opened.read(offset + len(found), 100_000)):
            found += data
        return found

    def names(self, tree: Any, path: Any = ()) -> list[str]:
        """The names in a directory."""
        return [node.name for node in self.wait(tree.list(path))]

    def refuses(self, problem: type[Exception], deferred: Deferred[Any]) -> None:
        """The Deferred fails with ``problem``."""
        with self.assertRaises(problem):
            self.wait(deferred)

    def test_interfaces(self) -> None:
        """Tree, open file and upload have all that their interfaces name."""
        tree = self.make_tree()
        self.assertTrue(verifyObject(IFileTree, tree))
        upload = self.wait(tree.begin_write(("a",)))
        self.assertTrue(verifyObject(IUpload, upload))
        self.wait(upload.commit())
        opened = self.wait(tree.open(("a",)))
        self.assertTrue(verifyObject(IOpenFile, opened))
        opened.close()

    def test_new_tree_is_empty(self) -> None:
        """A home that nobody has written to is an empty directory."""
        tree = self.make_tree()
        self.assertEqual([], self.names(tree))
        self.assertEqual(NodeKind.DIRECTORY, self.wait(tree.stat(())).kind)

    def test_upload_and_read(self) -> None:
        """What was written is read, small or large, and counted."""
        tree = self.make_tree()
        for name, data in (("empty", b""), ("small", b"abc"), ("big", b"x" * BIG)):
            node = self.put(tree, (name,), data)
            self.assertEqual((name, len(data)), (node.name, node.size))
            self.assertEqual(data, self.get(tree, (name,)))
            self.assertEqual(node, self.wait(tree.stat((name,))))
        usage = self.wait(tree.usage())
        self.assertEqual((BIG + 3, 3), (usage.used_octets, usage.file_count))

    def test_nothing_is_visible_before_commit(self) -> None:
        """An upload that runs shows neither name nor octets; abort leaves no trace."""
        tree = self.make_tree()
        self.put(tree, ("old",), b"old")
        for data in (b"new", b"n" * BIG):
            for name in ("old", "fresh"):
                upload = self.wait(tree.begin_write((name,)))
                upload.write(data)
                self.assertEqual(["old"], self.names(tree))
                self.assertEqual(b"old", self.get(tree, ("old",)))
                self.wait(upload.abort())
                self.assertEqual(["old"], self.names(tree))
                self.assertEqual(b"old", self.get(tree, ("old",)))
        self.assertEqual(3, self.wait(tree.usage()).used_octets)

    def test_reader_keeps_the_old_file(self) -> None:
        """A file that is replaced, or removed, is read to its old end."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"1" * BIG)
        opened = self.wait(tree.open(("f",)))
        self.wait(opened.read(0, 10))
        self.put(tree, ("f",), b"2")
        self.assertEqual(b"1" * BIG, self.rest_of(opened))
        self.wait(tree.remove(("f",)))
        self.assertEqual(b"1" * (BIG - 5), self.rest_of(opened, 5))
        opened.close()

    def test_new_version_new_identity(self) -> None:
        """Replacing a file changes its etag, even by equal content."""
        tree = self.make_tree()
        first = self.put(tree, ("f",), b"same")
        opened = self.wait(tree.open(("f",)))
        second = self.put(tree, ("f",), b"same")
        self.assertNotEqual(first.etag, second.etag)
        opened.close()

    def test_create_refuses_a_taken_name(self) -> None:
        """CREATE fails at once, or at commit if somebody was faster."""
        tree = self.make_tree()
        upload = self.wait(tree.begin_write(("f",), WriteMode.CREATE))
        upload.write(b"late")
        self.put(tree, ("f",), b"early")
        self.refuses(Exists, upload.commit())
        self.wait(upload.abort())
        self.refuses(Exists, tree.begin_write(("f",), WriteMode.CREATE))
        self.assertEqual(b"early", self.get(tree, ("f",)))
        self.assertEqual(5, self.wait(tree.usage()).used_octets)

    def test_append(self) -> None:
        """APPEND adds to a copy: readers of the file see none of it."""
        tree = self.make_tree()
        self.put(tree, ("log",), b"one\n", WriteMode.APPEND)
        opened = self.wait(tree.open(("log",)))
        self.put(tree, ("log",), b"two\r\n", WriteMode.APPEND)
        self.assertEqual(b"one\ntwo\r\n", self.get(tree, ("log",)))
        self.assertEqual(b"one\n", self.rest_of(opened))
        opened.close()
        expected = Digests(sha256(b"one\ntwo\r\n").digest(), 1)
        self.assertEqual(expected, self.wait(tree.digests(("log",))))

    def test_two_appends_lose_nothing(self) -> None:
        """Of two APPENDs at a time the later commit fails: it would undo the other."""
        tree = self.make_tree()
        self.put(tree, ("log",), b"0")
        first = self.wait(tree.begin_write(("log",), WriteMode.APPEND))
        second = self.wait(tree.begin_write(("log",), WriteMode.APPEND))
        first.write(b"1")
        second.write(b"2")
        self.wait(first.commit())
        self.refuses(Conflict, second.commit())
        self.wait(second.abort())
        self.assertEqual(b"01", self.get(tree, ("log",)))

    def test_resume_inside_a_file(self) -> None:
        """RESUME at an offset inside a file keeps what is before and beyond."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"0123456789")
        self.put(tree, ("f",), b"abc", WriteMode.RESUME, 4)
        self.assertEqual(b"0123abc789", self.get(tree, ("f",)))
        expected = Digests(sha256(b"0123abc789").digest(), 0)
        self.assertEqual(expected, self.wait(tree.digests(("f",))))
        self.refuses(Conflict, tree.begin_write(("f",), WriteMode.RESUME, 11))
        self.refuses(Conflict, tree.begin_write(("none",), WriteMode.RESUME, 1))
        self.assertEqual(10, self.wait(tree.usage()).used_octets)

    def test_resume_an_upload(self) -> None:
        """A kept partial upload is resumed at any offset in it, or by APPEND."""
        for size in (10, BIG):
            for mode, at in ((WriteMode.APPEND, 0), (WriteMode.RESUME, 7)):
                tree = self.make_tree()
                upload = self.wait(tree.begin_write(("f",)))
                upload.write(b"x" * size)
                self.wait(upload.abort(keep_partial=True))
                self.refuses(NotFound, tree.stat(("f",)))
                self.assertEqual([], self.names(tree))
                self.assertEqual(size, self.wait(tree.partial_octets(("f",))))
                resumed = self.wait(tree.begin_write(("f",), mode, at))
                self.assertEqual(at or size, resumed.offset)
                resumed.write(b"end\n")
                self.wait(resumed.commit())
                expected = b"x" * (at or size) + b"end\n"
                self.assertEqual(expected, self.get(tree, ("f",)))
                known = self.wait(tree.digests(("f",)))
                self.assertEqual(Digests(sha256(expected).digest(), 1), known)
                self.assertIsNone(self.wait(tree.partial_octets(("f",))))
                self.assertEqual(len(expected), self.wait(tree.usage()).used_octets)

    def test_resume_twice(self) -> None:
        """An upload may break off again and again."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"old")
        upload = self.wait(tree.begin_write(("f",)))
        upload.write(b"1" * BIG)
        self.wait(upload.abort(keep_partial=True))
        upload = self.wait(tree.begin_write(("f",), WriteMode.RESUME, BIG))
        upload.write(b"2")
        self.wait(upload.abort(keep_partial=True))
        self.assertEqual(BIG + 1, self.wait(tree.partial_octets(("f",))))
        self.assertEqual(BIG + 4, self.wait(tree.usage()).used_octets)
        self.assertEqual(b"old", self.get(tree, ("f",)))
        self.put(tree, ("f",), b"3", WriteMode.RESUME, BIG + 1)
        self.assertEqual(b"1" * BIG + b"23", self.get(tree, ("f",)))
        self.assertEqual(BIG + 2, self.wait(tree.usage()).used_octets)

    def test_replacing_forgets_the_partial(self) -> None:
        """A complete upload ends what was kept of an earlier one."""
        tree = self.make_tree()
        upload = self.wait(tree.begin_write(("f",)))
        upload.write(b"x" * 100)
        self.wait(upload.abort(keep_partial=True))
        self.put(tree, ("f",), b"whole")
        self.assertIsNone(self.wait(tree.partial_octets(("f",))))
        self.assertEqual(5, self.wait(tree.usage()).used_octets)

    def test_ended_uploads_take_nothing(self) -> None:
        """After commit or abort nothing is written or committed; abort is harmless."""
        tree = self.make_tree()
        upload = self.wait(tree.begin_write(("f",)))
        upload.write(b"x")
        self.wait(upload.commit())
        with self.assertRaises(Exception):  # noqa: B017
            self.wait(upload.write(b"y"))
        with self.assertRaises(Exception):  # noqa: B017
            self.wait(upload.commit())
        self.wait(upload.abort())
        self.wait(upload.abort(keep_partial=True))
        self.assertEqual(b"x", self.get(tree, ("f",)))
        self.assertIsNone(self.wait(tree.partial_octets(("f",))))

    def test_quota(self) -> None:
        """What cannot fit is refused before, or while, it is written; the target and
        the sums stay as they were, and deleting gives back."""
        tree = self.make_tree(quota_octets=BIG)
        self.put(tree, ("f",), b"1" * (BIG - 10))
        self.refuses(QuotaExceeded, tree.begin_write(("g",), expected_size=11))
        upload = self.wait(tree.begin_write(("g",), expected_size=10))
        upload.write(b"2" * 10)
        with self.assertRaises(QuotaExceeded):
            self.wait(upload.write(b"3"))
        self.refuses(QuotaExceeded, upload.commit())
        self.wait(upload.abort())
        self.put(tree, ("f",), b"4" * BIG)
        self.assertEqual(0, self.wait(tree.usage()).free_octets)
        self.refuses(QuotaExceeded, tree.begin_write(("g",), expected_size=1))
        self.wait(tree.remove(("f",)))
        self.put(tree, ("g",), b"5" * BIG)
        self.assertEqual(BIG, self.wait(tree.usage()).used_octets)

    def test_running_uploads_share_the_quota(self) -> None:
        """Two uploads at a time cannot both have the last octets."""
        tree = self.make_tree(quota_octets=BIG)
        first = self.wait(tree.begin_write(("f",), expected_size=BIG - 5))
        self.refuses(QuotaExceeded, tree.begin_write(("g",), expected_size=6))
        self.wait(first.abort())
        second = self.wait(tree.begin_write(("g",), expected_size=BIG))
        self.wait(second.abort())

    def test_append_to_what_is_gone(self) -> None:
        """APPEND to a file that is removed meanwhile fails: what it continued is no
        longer there."""
        tree = self.make_tree()
        self.put(tree, ("log",), b"0")
        upload = self.wait(tree.begin_write(("log",), WriteMode.APPEND))
        upload.write(b"1")
        self.wait(tree.remove(("log",)))
        self.refuses(Conflict, upload.commit())
        self.wait(upload.abort())
        self.refuses(NotFound, tree.stat(("log",)))

    def test_what_is_replaced_counts_once(self) -> None:
        """Uploads that began while a file was there to be replaced do not pass the
        quota when it has gone elsewhere meanwhile."""
        tree = self.make_tree(quota_octets=BIG)
        self.put(tree, ("f",), b"0" * BIG)
        uploads = [self.wait(tree.begin_write(("f",))) for _ in range(3)]
        for upload in uploads:
            self.pause(upload.write(b"1" * BIG))
        self.wait(uploads[0].commit())
        self.wait(tree.rename(("f",), ("g",)))
        for upload in uploads[1:]:
            self.refuses(QuotaExceeded, upload.commit())
            self.wait(upload.abort())
        self.refuses(NotFound, tree.stat(("f",)))
        self.assertEqual(BIG, self.wait(tree.usage()).used_octets)

    def test_a_partial_counts_once(self) -> None:
        """However many uploads of a path find its partial upload, and however they
        end, its octets are given back once."""
        tree = self.make_tree()
        self.put(tree, ("other",), b"0" * BIG)
        for endings in ("cc", "ca", "ac", "aa", "cd", "dc", "dd"):
            upload = self.wait(tree.begin_write(("f",)))
            self.pause(upload.write(b"1" * BIG))
            self.wait(upload.abort(keep_partial=True))
            self.assertEqual(2 * BIG, self.wait(tree.usage()).used_octets)
            uploads = [self.wait(tree.begin_write(("f",))) for _ in endings]
            for upload, ending in zip(uploads, endings, strict=True):
                upload.write(b"22")
                if ending == "c":
                    self.wait(upload.commit())
                else:
                    self.wait(upload.abort(keep_partial=ending == "a"))
            kept = self.wait(tree.partial_octets(("f",))) or 0
            file = 2 if "c" in endings else 0
            used = self.wait(tree.usage()).used_octets
            self.assertEqual(BIG + file + kept, used, endings)
            if file:
                self.wait(tree.remove(("f",)))
            if kept:
                last = self.wait(tree.begin_write(("f",), WriteMode.APPEND))
                self.wait(last.abort())
            self.assertIsNone(self.wait(tree.partial_octets(("f",))))

    def test_directories(self) -> None:
        """Directories are made one at a time, listed, and removed when empty."""
        tree = self.make_tree()
        self.refuses(NotFound, tree.make_directory(("a", "b")))
        node = self.wait(tree.make_directory(("a",)))
        self.assertEqual(("a", NodeKind.DIRECTORY), (node.name, node.kind))
        self.refuses(Exists, tree.make_directory(("a",)))
        self.put(tree, ("a", "f"), b"x")
        self.refuses(Exists, tree.make_directory(("a", "f")))
        self.refuses(NotFound, tree.make_directory(("a", "f", "g")))
        self.refuses(NotEmpty, tree.remove(("a",), directory=True))
        self.refuses(IsADirectory, tree.remove(("a",)))
        self.refuses(NotADirectory, tree.remove(("a", "f"), directory=True))
        self.refuses(IsADirectory, tree.begin_write(("a",)))
        self.refuses(IsADirectory, tree.open(("a",)))
        self.refuses(NotADirectory, tree.list(("a", "f")))
        self.refuses(NotFound, tree.list(("a", "none")))
        self.refuses(NotFound, tree.begin_write(("none", "f")))
        self.wait(tree.remove(("a", "f")))
        self.wait(tree.remove(("a",), directory=True))
        self.refuses(NotFound, tree.remove(("a",), directory=True))
        self.assertEqual([], self.names(tree))

    def test_the_root_stays(self) -> None:
        """The root is not removed, renamed, made or written."""
        tree = self.make_tree()
        self.refuses(NotAllowed, tree.remove((), directory=True))
        self.wait(tree.make_directory(("a",)))
        with self.assertRaises((NotAllowed, BadName)):
            self.wait(tree.rename((), ("a", "b")))
        self.refuses(BadName, tree.rename(("a",), ()))
        self.refuses(BadName, tree.make_directory(()))
        self.refuses(BadName, tree.begin_write(()))

    def test_rename_a_file(self) -> None:
        """Renaming replaces a file, or refuses to; never a directory."""
        tree = self.make_tree()
        self.put(tree, ("a",), b"aa")
        self.put(tree, ("b",), b"b")
        self.wait(tree.make_directory(("d",)))
        self.refuses(Exists, tree.rename(("a",), ("b",), replace=False))
        self.refuses(IsADirectory, tree.rename(("a",), ("d",)))
        self.refuses(NotADirectory, tree.rename(("d",), ("a",)))
        self.refuses(NotFound, tree.rename(("none",), ("x",)))
        self.refuses(NotFound, tree.rename(("a",), ("none", "x")))
        self.wait(tree.rename(("a",), ("a",)))
        self.wait(tree.rename(("a",), ("b",)))
        self.assertEqual(["b", "d"], self.names(tree))
        self.assertEqual(b"aa", self.get(tree, ("b",)))
        usage = self.wait(tree.usage())
        self.assertEqual((2, 1), (usage.used_octets, usage.file_count))
        self.wait(tree.rename(("b",), ("d", "c"), replace=False))
        self.assertEqual(["c"], self.names(tree, ("d",)))

    def test_rename_a_directory(self) -> None:
        """A directory moves with all that is in it, but not into itself."""
        tree = self.make_tree()
        self.wait(tree.make_directory(("a",)))
        self.wait(tree.make_directory(("a", "b")))
        self.put(tree, ("a", "b", "f"), b"x")
        self.refuses(NotAllowed, tree.rename(("a",), ("a", "b", "c")))
        self.wait(tree.make_directory(("empty",)))
        self.refuses(IsADirectory, tree.rename(("a",), ("empty",)))
        self.wait(tree.rename(("a",), ("z",)))
        self.assertEqual(b"x", self.get(tree, ("z", "b", "f")))
        self.refuses(NotFound, tree.stat(("a",)))

    def test_upload_into_a_directory_that_goes(self) -> None:
        """The directory is renamed during an upload: the commit says NotFound, and the
        upload can be kept."""
        tree = self.make_tree()
        self.wait(tree.make_directory(("a",)))
        for data in (b"x", b"x" * BIG):
            upload = self.wait(tree.begin_write(("a", "f")))
            upload.write(data)
            self.wait(tree.rename(("a",), ("b",)))
            self.refuses(NotFound, upload.commit())
            self.wait(upload.abort(keep_partial=True))
            self.assertEqual(len(data), self.wait(tree.partial_octets(("a", "f"))))
            self.wait(tree.rename(("b",), ("a",)))
            self.put(tree, ("a", "f"), b"y", WriteMode.RESUME, len(data))
            self.assertEqual(data + b"y", self.get(tree, ("a", "f")))
            self.wait(tree.remove(("a", "f")))

    def test_target_removed_during_an_upload(self) -> None:
        """The upload makes the file anew."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"old")
        upload = self.wait(tree.begin_write(("f",)))
        upload.write(b"new!")
        self.wait(tree.remove(("f",)))
        self.wait(upload.commit())
        self.assertEqual(b"new!", self.get(tree, ("f",)))
        usage = self.wait(tree.usage())
        self.assertEqual((4, 1), (usage.used_octets, usage.file_count))

    def test_bad_names(self) -> None:
        """Segments that are no names are refused everywhere."""
        tree = self.make_tree()
        for name in ("", ".", "..", "a/b", "a\0b", "x" * 256, "\ud800"):
            self.refuses(BadName, tree.stat((name,)))
            self.refuses(BadName, tree.list((name,)))
            self.refuses(BadName, tree.open((name,)))
            self.refuses(BadName, tree.begin_write((name,)))
            self.refuses(BadName, tree.make_directory((name,)))
            self.refuses(BadName, tree.remove((name,)))
            self.refuses(BadName, tree.rename((name,), ("a",)))
        self.refuses(BadName, tree.stat(("x" * 250,) * 20))

    def test_new_names_hold_no_control_characters(self) -> None:
        """A line feed in a name would forge an entry of NLST; RFC 959 4.1.3."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"")
        for name in ("a\nb", "a\rb", "\x01", "\x7f"):
            self.refuses(BadName, tree.begin_write((name,)))
            self.refuses(BadName, tree.make_directory((name,)))
            self.refuses(BadName, tree.rename(("f",), (name,)))

    def test_any_octets_in_names(self) -> None:
        """Names that are not UTF-8 survive; two forms of one letter are two names."""
        tree = self.make_tree()
        names = [b"\xff\xfe".decode("utf-8", "surrogateescape"), "é", "e\u0301", " a "]
        for name in names:
            self.put(tree, (name,), name.encode("utf-8", "surrogateescape"))
        for name in names:
            octets = name.encode("utf-8", "surrogateescape")
            self.assertEqual(octets, self.get(tree, (name,)))
        in_order = sorted(names, key=lambda n: n.encode("utf-8", "surrogateescape"))
        self.assertEqual(in_order, self.names(tree))

    def test_one_file_has_one_record(self) -> None:
        """Escaped octets that form UTF-8 name the same file, and the same digests."""
        tree = self.make_tree()
        upload = self.wait(tree.begin_write(("\udcc3\udca9",)))
        upload.write(b"x")
        self.wait(upload.abort(keep_partial=True))
        self.assertEqual(1, self.wait(tree.partial_octets(("é",))))

    def test_listing_in_pages(self) -> None:
        """Pages put together are the directory, in order, each name once."""
        tree = self.make_tree()
        for number in range(25):
            self.put(tree, (f"f{number:02}",), b"")
        found: list[str] = []
        after = None
        while page := self.wait(tree.list((), after, 10)):
            self.assertTrue(len(page) <= 10)
            found += [node.name for node in page]
            after = page[-1].name
        self.assertEqual([f"f{number:02}" for number in range(25)], found)

    def test_listing_while_it_changes(self) -> None:
        """Names removed between pages are skipped, those that stay come once."""
        tree = self.make_tree()
        for name in "abcdef":
            self.put(tree, (name,), b"")
        first = self.wait(tree.list((), None, 2))
        self.wait(tree.remove(("c",)))
        self.put(tree, ("a0",), b"")
        rest = self.wait(tree.list((), first[-1].name, 10))
        self.assertEqual(["d", "e", "f"], [node.name for node in rest])

    def test_attributes(self) -> None:
        """Modification time and mode are set; digests stay known."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"a\nb")
        node = self.wait(tree.set_attributes(("f",), mtime_ns=10**18, mode=0o640))
        self.assertEqual((10**18, 0o640), (node.mtime_ns, node.mode))
        self.assertEqual(node, self.wait(tree.stat(("f",))))
        expected = Digests(sha256(b"a\nb").digest(), 1)
        self.assertEqual(expected, self.wait(tree.digests(("f",))))
        self.put(tree, ("f",), b"new")
        self.assertEqual(0o640, self.wait(tree.stat(("f",))).mode)
        self.refuses(NotFound, tree.set_attributes(("none",), mtime_ns=0))

    def test_no_special_modes(self) -> None:
        """Set-uid never, and the server can go on reading what it keeps; a file that is
        read-only can be replaced."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"x")
        self.assertEqual(
            0o400, self.wait(tree.set_attributes(("f",), mode=0o4000)).mode
        )
        self.assertEqual(0o555, self.wait(tree.set_attributes(("f",), mode=0o555)).mode)
        self.assertEqual(b"x", self.get(tree, ("f",)))
        self.put(tree, ("f",), b"y")
        self.assertEqual(b"y", self.get(tree, ("f",)))

    def test_digests_follow_a_rename(self) -> None:
        """Records move with the file."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"a\nb")
        self.wait(tree.rename(("f",), ("g",)))
        expected = Digests(sha256(b"a\nb").digest(), 1)
        self.assertEqual(expected, self.wait(tree.digests(("g",))))

    def test_read_bounds(self) -> None:
        """Reads end at the size that the file had when it was opened."""
        tree = self.make_tree()
        self.put(tree, ("f",), b"0123456789")
        opened = self.wait(tree.open(("f",)))
        self.assertEqual(b"789", self.wait(opened.read(7, 100)))
        self.assertEqual(b"", self.wait(opened.read(10, 1)))
        self.assertEqual(b"", self.wait(opened.read(99, 1)))
        self.assertTrue(opened.fileno() >= 0)
        opened.close()
        opened.close()
        self.assertEqual(-1, opened.fileno())
