"""Sweeping, recounting, starting and stopping."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import fail

from netservices.core.deferreds import value_of
from netservices.files import area, care
from netservices.files.nodes import stat_key
from netservices.files.settings import FilesSettings
from netservices.interfaces import (
    NotADirectory,
    NotAllowed,
    NotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.values import WriteMode
from tests.files.trees import FilesCase, WaitingReactor


class CareTests(FilesCase):
    """``care`` and ``service``."""

    settings = FilesSettings(partial_lifetime=100.0, small_upload=10)

    def put(self, tree: Any, name: str, data: bytes) -> None:
        """A whole file."""
        upload = value_of(tree.begin_write((name,)))
        upload.write(data)
        value_of(upload.commit())

    def keep(self, tree: Any, name: str, data: bytes) -> None:
        """A partial upload."""
        upload = value_of(tree.begin_write((name,)))
        upload.write(data)
        value_of(upload.abort(keep_partial=True))

    def area_of(self, tree: Any) -> list[str]:
        """Names in the upload area."""
        return os.listdir(os.path.join(self.directory(tree), ".ns-uploads"))

    def test_partials_expire(self) -> None:
        """A partial upload goes after its time, from disk, records and sums."""
        tree = self.make_tree()
        self.put(tree, "f", b"abc")
        self.keep(tree, "g", b"x" * 50)
        self.assertEqual(0, value_of(self.files.sweep(0)))
        self.assertEqual(53, value_of(tree.usage()).used_octets)
        self.assertEqual(1, value_of(self.files.sweep(2**40)))
        self.assertEqual([], self.area_of(tree))
        self.assertIsNone(value_of(tree.partial_octets(("g",))))
        self.assertEqual(3, value_of(tree.usage()).used_octets)

    def test_only_unowned_files_are_swept(self) -> None:
        """What a process holds stays; what a dead one left goes at once."""
        tree = self.make_tree()
        upload = value_of(tree.begin_write(("f",)))
        upload.write(b"x" * 50)
        left = os.path.join(self.directory(tree), ".ns-uploads", "t-0123456789abcdef")
        lost = os.path.join(self.directory(tree), ".ns-uploads", "p-0123456789abcdef")
        for name in (left, lost):
            with open(name, "w"):
                pass
        self.assertEqual(2, value_of(self.files.sweep(0)))
        self.assertEqual(1, len(self.area_of(tree)))
        value_of(upload.commit())
        self.assertEqual(50, value_of(tree.stat(("f",))).size)
        self.assertEqual([], self.area_of(tree))

    def test_a_partial_in_use_is_not_swept(self) -> None:
        """It is being resumed when its time runs out: the upload goes on."""
        tree = self.make_tree()
        self.keep(tree, "f", b"x" * 50)
        upload = value_of(tree.begin_write(("f",), WriteMode.APPEND))
        value_of(self.files.sweep(2**40))
        upload.write(b"y")
        value_of(upload.commit())
        self.assertEqual(51, value_of(tree.stat(("f",))).size)
        value_of(self.files.check(repair=True))
        self.assertEqual(51, value_of(tree.usage()).used_octets)

    def test_a_swept_creation_is_repeated(self) -> None:
        """A sweep between making and locking a file makes the upload take another."""
        tree = self.make_tree()
        place = os.path.join(self.directory(tree), ".ns-uploads")
        lost: list[str] = []
        flock = area.fcntl.flock

        def swept(descriptor: int, operation: int) -> None:
            if not lost:
                lost.extend(os.listdir(place))
                os.unlink(os.path.join(place, lost[0]))
            flock(descriptor, operation)

        self.patch(area.fcntl, "flock", swept)
        upload = value_of(tree.begin_write(("f",)))
        upload.write(b"x" * 50)
        self.assertNotEqual(lost, self.area_of(tree))
        value_of(upload.commit())
        self.assertEqual(50, value_of(tree.stat(("f",))).size)

    def test_check_recounts(self) -> None:
        """Files that came behind our back are found; repair makes the sums right."""
        tree = self.make_tree()
        self.put(tree, "f", b"abc")
        self.keep(tree, "g", b"x" * 50)
        os.mkdir(os.path.join(self.directory(tree), "d"))
        with open(os.path.join(self.directory(tree), "d", "new"), "w") as file:
            file.write("12345")
        with open(os.path.join(self.directory(tree), "d", ".ns-upload-1"), "w"):
            pass
        os.symlink("/etc", os.path.join(self.directory(tree), "d", "etc"))
        codes = ["stray-upload", "usage-sum"]
        report = value_of(self.files.check())
        self.assertEqual(codes, sorted(f.code for f in report.findings))
        self.assertFalse(any(f.is_repaired for f in report.findings))
        report = value_of(self.files.check(repair=True))
        self.assertEqual(codes, sorted(f.code for f in report.findings))
        self.assertTrue(all(f.is_repaired for f in report.findings))
        report = value_of(self.files.check())
        self.assertEqual(((), 2), (report.findings, report.examined))
        usage = value_of(tree.usage())
        self.assertEqual((58, 2), (usage.used_octets, usage.file_count))

    def test_check_of_a_tree_that_is_gone(self) -> None:
        """Its sums are set to nothing, and its directory is not made by looking."""
        tree = self.make_tree()
        self.put(tree, "f", b"abc")
        directory = self.directory(tree)
        os.rename(directory, directory + ".gone")
        self.files = self.make_files()
        found = value_of(self.files.check(repair=True)).findings
        self.assertIn(("usage-sum", tree.name), [(f.code, f.object) for f in found])
        self.assertFalse(os.path.exists(directory))

    def test_a_tree_that_cannot_be_read(self) -> None:
        """It is reported, and the others are cared for."""
        with open(os.path.join(self.state, "files", "broken"), "w"):
            pass
        os.mkdir(os.path.join(self.state, "files", "odd"))
        area_file = os.path.join(self.state, "files", "odd", ".ns-uploads")
        with open(area_file, "w"):
            pass
        tree = self.make_tree()
        self.put(tree, "f", b"x" * 50)
        left = os.path.join(self.directory(tree), ".ns-uploads", "t-0123456789abcdef")
        with open(left, "w"):
            pass
        self.assertEqual(1, value_of(self.files.sweep(0)))
        self.assertEqual(1, len(self.flushLoggedErrors(NotADirectory)))
        found = value_of(self.files.check()).findings
        self.assertEqual(
            [("unreadable-tree", "home:odd")], [(f.code, f.object) for f in found]
        )

    def test_partial_kept_while_sweeping(self) -> None:
        """Between a sweep's look at the area and at the records an upload is kept: it
        stays."""
        tree = self.make_tree()
        lost = os.path.join(self.directory(tree), ".ns-uploads", "p-0123456789abcdef")
        self.keep(tree, "f", b"x" * 50)
        with open(lost, "w"):
            pass
        upload = value_of(tree.begin_write(("g",)))
        upload.write(b"x" * 50)
        unowned = care._unowned

        def slow(disk: Any) -> list[str]:
            found = unowned(disk)
            value_of(upload.abort(keep_partial=True))
            return found

        self.patch(care, "_unowned", slow)
        self.assertEqual(1, value_of(self.files.sweep(0)))
        for name in ("f", "g"):
            again = value_of(tree.begin_write((name,), WriteMode.APPEND))
            self.assertEqual(50, again.offset)
            value_of(again.commit())

    def test_keeping_fails(self) -> None:
        """An abort that cannot keep what it has leaves the target as it was."""
        tree = self.make_tree()
        upload = value_of(tree.begin_write(("f",)))
        upload.write(b"x" * 50)
        tree.volume.store = Refusing(self.store, "readonly")
        value_of(upload.abort(keep_partial=True))
        self.assertEqual([], self.area_of(tree))

    def test_record_of_a_partial_fails(self) -> None:
        """
        Nor does it leave a file that nobody knows of, where the disk is full at the
        last step.
        """
        tree = self.make_tree()
        upload = value_of(tree.begin_write(("f",)))
        upload.write(b"x" * 50)
        full = Refusing(self.store, "ready")
        full.apply = lambda unit: fail(StoreReadOnly("full"))
        tree.volume.store = full
        value_of(upload.abort(keep_partial=True))
        self.assertEqual([], self.area_of(tree))

    def test_limits(self) -> None:
        """What is read at once, and what is read again for a digest, has a limit."""
        self.files = self.make_files(read_chunk=4096, upload_digest_limit=20)
        tree = self.make_tree()
        self.put(tree, "f", b"\n" * 5000)
        opened = value_of(tree.open(("f",)))
        self.assertEqual(4096, len(value_of(opened.read(0, 5000))))
        opened.close()
        self.check_found_when_asked(tree)
        upload = value_of(tree.begin_write(("f",), WriteMode.APPEND))
        upload.write(b"more")
        value_of(upload.commit())
        self.check_found_when_asked(tree)

    def check_found_when_asked(self, tree: Any) -> None:
        """The digest of ``f`` is not known yet; once asked for, it is."""
        key = stat_key(os.stat(os.path.join(self.directory(tree), "f")))
        records = self.store.file_records
        self.assertIsNone(value_of(records.digests(tree.name, ("f",), key)))
        self.assertEqual(5000, value_of(tree.digests(("f",))).lf_count)
        self.assertIsNotNone(value_of(records.digests(tree.name, ("f",), key)))

    def test_public_is_read_only(self) -> None:
        """``pub/`` is read, and nothing else; what is in it has no sums."""
        with open(os.path.join(self.state, "pub", "hello"), "w") as file:
            file.write("hello")
        tree = self.files.public()
        opened = value_of(tree.open(("hello",)))
        self.assertEqual(b"hello", value_of(opened.read(0, 10)))
        opened.close()
        self.assertNotIn("write", tree.capabilities)
        for refused in (
            tree.begin_write(("f",)),
            tree.make_directory(("d",)),
            tree.remove(("hello",)),
            tree.rename(("hello",), ("x",)),
            tree.set_attributes(("hello",), mtime_ns=0),
        ):
            with self.assertRaises(NotAllowed):
                value_of(refused)
        self.assertEqual((), value_of(self.files.check()).findings)

    def test_homes(self) -> None:
        """A home is made when it is first used, and is its account's alone."""
        tree = self.make_tree()
        directory = os.path.join(self.state, "files", "user1@example.org")
        self.assertFalse(os.path.exists(directory))
        self.put(tree, "f", b"")
        self.assertEqual(0o700, os.stat(directory).st_mode & 0o777)
        self.assertEqual(0o644, os.stat(os.path.join(directory, "f")).st_mode & 0o777)

    def test_modes_do_not_depend_on_the_umask(self) -> None:
        """The process's own umask (twistd sets 077) plays no part."""
        self.addCleanup(os.umask, os.umask(0o077))
        tree = self.make_tree()
        self.put(tree, "f", b"")
        value_of(tree.make_directory(("d",)))
        self.assertEqual(0o644, value_of(tree.stat(("f",))).mode)
        self.assertEqual(0o755, value_of(tree.stat(("d",))).mode)
        self.files = self.make_files(umask="027")
        tree = self.make_tree()
        self.put(tree, "f", b"")
        value_of(tree.make_directory(("d",)))
        self.assertEqual(0o640, value_of(tree.stat(("f",))).mode)
        self.assertEqual(0o750, value_of(tree.stat(("d",))).mode)

    def test_a_store_that_takes_nothing(self) -> None:
        """Where no record can be written, no file is replaced."""
        tree = self.make_tree()
        self.put(tree, "f", b"old")
        upload = value_of(tree.begin_write(("f",)))
        upload.write(b"new")
        for state, problem in (
            ("readonly", StoreReadOnly),
            ("failed", StoreUnavailable),
        ):
            tree.volume.store = Refusing(self.store, state)
            refused = [upload.commit(), tree.rename(("f",), ("g",))]
            if state == "failed":
                refused.append(tree.remove(("f",)))
            for deferred in refused:
                self.failureResultOf(deferred, problem)
            tree.volume.store = self.store
            upload = value_of(tree.begin_write(("f",)))
            upload.write(b"new")
        self.assertEqual(3, value_of(tree.stat(("f",))).size)
        self.assertEqual([], self.area_of(tree))

    def test_a_full_disk_takes_deletions(self) -> None:
        """Whoever is asked to make room can do so."""
        tree = self.make_tree()
        self.put(tree, "f", b"old")
        tree.volume.store = Refusing(self.store, "readonly")
        value_of(tree.remove(("f",)))
        self.failureResultOf(tree.stat(("f",)), NotFound)

    def test_swept_again_and_again(self) -> None:
        """The service sweeps in the interval, until it is stopped."""
        reactor = WaitingReactor()
        files = self.make_files(reactor)
        tree = self.make_tree()
        self.put(tree, "f", b"x" * 50)
        left = os.path.join(self.directory(tree), ".ns-uploads", "t-0123456789abcdef")
        for _ in range(2):
            with open(left, "w"):
                pass
            reactor.advance(self.settings.sweep_interval)
            while not reactor.getDelayedCalls():
                reactor.step()
            self.assertFalse(os.path.exists(left))
        reactor.wait(files.stop())
        self.assertEqual([], reactor.getDelayedCalls())
        with self.assertRaises(StoreUnavailable):
            reactor.wait(files.home(self.account(1)).stat(()))


class Refusing:
    """A store in another state."""

    def __init__(self, store: Any, state: str) -> None:
        self.state = state
        self.file_records = store.file_records
        self.file_locks = store.file_locks
        self.apply = store.apply
