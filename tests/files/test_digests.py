"""Digests of files: kept, found, shared, given up."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files.digests import SUMS
from netservices.files.settings import FilesSettings
from netservices.files.tree import FileTree
from netservices.interfaces import (
    Conflict,
    IsADirectory,
    NotFound,
    StoreBusy,
    TooLarge,
)
from netservices.units import Unit
from netservices.values import FileDigest
from tests.files.trees import FilesCase, WaitingReactor

CONTENT = b"one line\nand another\r\n" * 1000


def put(tree: FileTree, name: str, content: bytes) -> None:
    """Upload a file."""
    upload = value_of(tree.begin_write((name,)))
    upload.write(content)
    value_of(upload.commit())


class DigestTests(FilesCase):
    """``IFileTree.digest``, inline."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.make_tree()
        put(self.tree, "a", CONTENT)

    def digest(self, *arguments: Any) -> FileDigest:
        """What is found of ``a``."""
        found: FileDigest = value_of(self.tree.digest(("a",), *arguments))
        return found

    def kept(self, name: str, algorithm: str) -> bytes | None:
        """What the records have of a file now."""
        status = os.stat(os.path.join(self.tree.volume.disk.directory, name))
        key = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
        records = self.store.file_records
        found: bytes | None = value_of(
            records.digest(self.tree.name, (name,), key, algorithm)
        )
        return found

    def test_algorithms(self) -> None:
        """Each is what hashlib and zlib say; a whole file's is kept."""
        for algorithm in SUMS:
            found = self.digest(algorithm)
            self.assertEqual((0, len(CONTENT)), (found.start, found.end))
            if algorithm == "CRC32":
                expected = zlib.crc32(CONTENT).to_bytes(4, "big")
            else:
                name = algorithm.replace("SHA-1", "sha1").replace("-", "")
                expected = hashlib.new(name, CONTENT).digest()
            self.assertEqual(expected, found.digest)
            if algorithm != "SHA-256":
                self.assertEqual(expected, self.kept("a", algorithm))

    def test_kept_is_used(self) -> None:
        """What is kept is not looked for again; another version is another file."""
        self.digest("MD5")
        with open(os.path.join(self.tree.volume.disk.directory, "a"), "r+b") as file:
            status = os.fstat(file.fileno())
            file.write(b"ONE")
            file.flush()
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            self.assertEqual(hashlib.md5(CONTENT).digest(), self.digest("MD5").digest)
            os.utime(file.fileno(), ns=(0, 0))
            changed = b"ONE" + CONTENT[3:]
            self.assertEqual(hashlib.md5(changed).digest(), self.digest("MD5").digest)

    def test_follows_the_file(self) -> None:
        """A digest stays known when the file's name or time changes, and goes with
        it."""
        self.digest("SHA-1")
        value_of(self.tree.set_attributes(("a",), mtime_ns=10**18))
        self.assertIsNotNone(self.kept("a", "SHA-1"))
        value_of(self.tree.rename(("a",), ("b",)))
        self.assertIsNotNone(self.kept("b", "SHA-1"))
        status = os.stat(os.path.join(self.tree.volume.disk.directory, "b"))
        value_of(self.tree.remove(("b",)))
        key = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
        records = self.store.file_records
        left = value_of(records.digest(self.tree.name, ("b",), key, "SHA-1"))
        self.assertIsNone(left)

    def test_ranges(self) -> None:
        """A range ends with the file; it is not kept; it does not begin beyond."""
        found = self.digest("MD5", 5, 10)
        self.assertEqual(hashlib.md5(CONTENT[5:10]).digest(), found.digest)
        found = self.digest("MD5", 5, 1 << 40)
        self.assertEqual(hashlib.md5(CONTENT[5:]).digest(), found.digest)
        self.assertEqual(len(CONTENT), found.end)
        self.assertIsNone(self.kept("a", "MD5"))
        self.assertRaises(Conflict, self.digest, "MD5", len(CONTENT) + 1)

    def test_busy_store(self) -> None:
        """What was found is told also where it cannot be kept."""

        def refuse(unit: Unit) -> Deferred[Any]:
            return fail(StoreBusy("too many units wait"))

        self.patch(self.store, "apply", refuse)
        self.assertEqual(hashlib.md5(CONTENT).digest(), self.digest("MD5").digest)
        self.assertIsNone(self.kept("a", "MD5"))

    def test_refused(self) -> None:
        """Files that are too long, are none, or are not there."""
        put(self.tree, "long", b"x" * 5000)
        files = self.make_files(digest_limit=4999)
        tree = files.home(self.account(1))
        self.failureResultOf(tree.digest(("long",), "MD5"), TooLarge)
        value_of(tree.digest(("long",), "MD5", 1))
        # What is kept needs no reading.
        value_of(tree.digest(("long",), "SHA-256"))
        self.failureResultOf(tree.digest((), "MD5"), IsADirectory)
        self.failureResultOf(tree.digest(("none",), "MD5"), NotFound)
        self.failureResultOf(tree.digest(("a",), "MD6"), LookupError)


class SharedDigestTests(FilesCase):
    """Digests that are found by threads."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = WaitingReactor()
        self.files = self.make_files(self.reactor, digests_at_once=1)
        self.tree = self.make_tree()
        path = self.tree.volume.disk.directory
        os.makedirs(path, exist_ok=True)
        for name in ("a", "b"):
            with open(os.path.join(path, name), "wb") as file:
                file.truncate(40 << 20)

    def begun(self, name: str, algorithm: str) -> Any:
        """A digest that is being found: its file is open, and is read."""
        readings = self.tree.volume.readings
        before = readings.count
        asked = self.tree.digest((name,), algorithm)
        while readings.count == before:
            self.reactor.step()
        return asked

    def test_shared(self) -> None:
        """Two who ask for the same get the same result of one read."""
        first = self.begun("a", "MD5")
        second = self.tree.digest(("a",), "MD5")
        expected = hashlib.md5(bytes(40 << 20)).digest()
        self.assertEqual(expected, self.reactor.wait(second).digest)
        self.assertEqual(expected, self.reactor.wait(first).digest)
        self.assertEqual(0, self.tree.volume.readings.count)

    def test_busy(self) -> None:
        """More than a few at once are refused."""
        first = self.begun("a", "MD5")
        self.assertRaises(StoreBusy, self.reactor.wait, self.tree.digest(("b",), "MD5"))
        self.reactor.wait(first)
        self.reactor.wait(self.tree.digest(("b",), "MD5"))

    def test_given_up(self) -> None:
        """Without anybody who waits the read stops after its step."""
        asked = self.begun("a", "MD5")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        while self.tree.volume.readings.count:
            self.reactor.step()
        self.assertEqual([], self.open_files("a"))

    def open_files(self, name: str) -> list[str]:
        """Descriptors of this process that lead to a file of the tree."""
        wanted = os.path.join(self.tree.volume.disk.directory, name)
        found = []
        for number in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{number}")
            except FileNotFoundError:
                continue
            if os.path.realpath(wanted) == target:
                found.append(target)
        return found


class LaterVersionTests(FilesCase):
    """Versions whose inode, size and modification time are those of an earlier one:
    inodes are used again, and clients set times."""

    settings = FilesSettings(upload_digest_limit=20, small_upload=10)
    old, new, newest = b"1" * 15, b"2" * 15, b"3" * 15

    def replace_twice(self, between: Callable[[FileTree], None]) -> FileTree:
        """The tree after three versions of ``a``, of which the last is like the first
        in everything but its content."""
        tree = self.make_tree()
        put(tree, "a", self.old)
        for algorithm in ("MD5", "SHA-256"):
            value_of(tree.digest(("a",), algorithm))
        directory = self.directory(tree)
        path, kept = os.path.join(directory, "a"), os.path.join(directory, "kept")
        os.link(path, kept)
        before = os.stat(kept)
        between(tree)
        with open(kept, "r+b") as file:
            file.write(self.newest)
        os.utime(kept, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.rename(kept, path)
        return tree

    def assert_newest(self, tree: FileTree) -> None:
        """What is told is true."""
        for algorithm, hasher in (("MD5", hashlib.md5), ("SHA-256", hashlib.sha256)):
            found = value_of(tree.digest(("a",), algorithm))
            self.assertEqual(hasher(self.newest).hexdigest(), found.digest.hex())

    def test_recorded(self) -> None:
        """An upload ends what is known of earlier versions."""
        tree = self.replace_twice(lambda tree: put(tree, "a", self.new))
        self.assert_newest(tree)

    def test_unrecorded(self) -> None:
        """So does one that is too long for a digest of its own."""
        tree = self.replace_twice(lambda tree: put(tree, "a", b"long" * 10))
        self.assert_newest(tree)

    def test_copied(self) -> None:
        """So does a copy."""

        def copy(tree: FileTree) -> None:
            put(tree, "b", b"long" * 10)
            value_of(tree.copy(("b",), ("a",)))

        self.assert_newest(self.replace_twice(copy))


class SumTests(SynchronousTestCase):
    """The sums by themselves."""

    @given(st.lists(st.binary(max_size=50), max_size=8))
    def test_pieces(self, pieces: list[bytes]) -> None:
        """Content is the sum of its pieces."""
        for make in SUMS.values():
            by_pieces, whole = make(), make()
            for piece in pieces:
                by_pieces.add(piece)
            whole.add(b"".join(pieces))
            self.assertEqual(whole.digest(), by_pieces.digest())
