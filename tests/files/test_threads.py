"""With threads: back-pressure, slow disks, cancelled callers, full disks."""

from __future__ import annotations

import os
import subprocess
from threading import Event, get_ident
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files import placing, reading, work
from netservices.files.durable import Durability
from netservices.files.work import Hops, Pace
from netservices.interfaces import (
    DiskFull,
    IsADirectory,
    NotFound,
    OutcomeUnknown,
    StoreBusy,
    StoreUnavailable,
)
from netservices.values import WriteMode
from tests.files.trees import FilesCase, WaitingReactor

CHUNK = b"x" * 100_000


class ThreadedCase(FilesCase):
    """A service with threads."""

    changes: Any = {"inline_octets": 0, "upload_buffer": 150_000}

    def setUp(self) -> None:
        """Calls run in threads, and come back in ``reactor.wait``."""
        super().setUp()
        self.reactor = WaitingReactor()
        self.wait = self.reactor.wait
        self.files = self.make_files(self.reactor, **self.changes)
        self.tree = self.make_tree()

    def area(self) -> list[str]:
        """Names in the upload area."""
        return os.listdir(os.path.join(self.directory(self.tree), ".ns-uploads"))

    def content(self, name: str) -> bytes:
        """A whole file, read behind the tree's back."""
        with open(os.path.join(self.directory(self.tree), name), "rb") as file:
            return file.read()

    def hold_writes(self) -> Event:
        """Writes wait in their threads for this event."""
        may_go_on = Event()
        self.addCleanup(may_go_on.set)
        write_all = placing.write_all

        def held(descriptor: int, chunks: Any) -> None:
            may_go_on.wait(60)
            write_all(descriptor, chunks)

        self.patch(placing, "write_all", held)
        return may_go_on

    def refuses(self, problem: Any, deferred: Deferred[Any] | None) -> None:
        """The Deferred fails with ``problem``."""
        assert deferred is not None
        with self.assertRaises(problem):
            self.wait(deferred)


class BackPressureTests(ThreadedCase):
    """A disk slower than the sender."""

    def test_the_sender_is_paused(self) -> None:
        """Above ``upload_buffer`` a write asks for a pause; nothing is mixed up."""
        upload = self.wait(self.tree.begin_write(("f",)))
        may_go_on = self.hold_writes()
        pieces = [bytes([number]) * 100_000 for number in range(6)]
        paused = [upload.write(piece) for piece in pieces]
        # One piece is being written, one may wait; from then on there is a pause.
        self.assertEqual([True, True], [pause is None for pause in paused[:2]])
        for pause in paused[2:]:
            self.assertNoResult(pause)
        may_go_on.set()
        for pause in paused[2:]:
            self.wait(pause)
        self.wait(upload.commit())
        self.assertEqual(b"".join(pieces), self.content("f"))

    def test_commit_waits_for_writes(self) -> None:
        """A commit during writes has all octets in the file."""
        upload = self.wait(self.tree.begin_write(("f",)))
        may_go_on = self.hold_writes()
        for _ in range(5):
            upload.write(CHUNK)
        committed = upload.commit()
        self.assertNoResult(committed)
        may_go_on.set()
        self.assertEqual(500_000, self.wait(committed).size)

    def test_abort_during_a_write(self) -> None:
        """The file goes when its thread has done; partial keeps what has arrived."""
        upload = self.wait(self.tree.begin_write(("f",)))
        may_go_on = self.hold_writes()
        upload.write(CHUNK)
        aborted = upload.abort()
        self.assertNoResult(aborted)
        may_go_on.set()
        self.wait(aborted)
        self.assertEqual([], self.area())
        upload = self.wait(self.tree.begin_write(("f",)))
        for _ in range(3):
            upload.write(CHUNK)
        self.wait(upload.abort(keep_partial=True))
        self.assertEqual(300_000, self.wait(self.tree.partial_octets(("f",))))

    def test_a_failing_write(self) -> None:
        """It fails the pause, later writes and the commit; abort leaves nothing, and
        the target is as it was."""
        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"old")
        self.wait(upload.commit())
        upload = self.wait(self.tree.begin_write(("f",)))

        def full(descriptor: int, chunks: Any) -> None:
            os.write(descriptor, b"half of it")
            raise OSError(28, "No space left on device")

        self.patch(placing, "write_all", full)
        self.assertIsNone(upload.write(CHUNK))
        self.refuses(DiskFull, upload.write(CHUNK * 2))
        self.refuses(DiskFull, upload.write(b"more"))
        self.refuses(DiskFull, upload.commit())
        self.wait(upload.abort())
        self.assertEqual(b"old", self.content("f"))
        self.assertEqual([], self.area())
        usage = self.wait(self.tree.usage())
        self.assertEqual(
            (3, 0), (usage.used_octets, self.tree.volume.ledger.reserved_octets)
        )

    def test_a_failing_small_commit(self) -> None:
        """A small file that cannot be written leaves nothing either."""

        def full(descriptor: int, chunks: Any) -> None:
            raise OSError(28, "No space left on device")

        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"small")
        self.patch(placing, "write_all", full)
        self.refuses(DiskFull, upload.commit())
        self.wait(upload.abort())
        self.assertEqual([], self.area())
        self.refuses(NotFound, self.tree.stat(("f",)))

    def test_a_failing_first_write(self) -> None:
        """An upload for which not even a temporary file can be made gives its promise
        back, also where the failed commit came first."""
        upload = self.wait(self.tree.begin_write(("f",)))

        def full(disk: Any) -> Any:
            raise OSError(28, "No space left on device")

        self.patch(placing, "new_temporary", full)
        upload.write(CHUNK)
        self.refuses(DiskFull, upload.commit())
        self.wait(upload.abort())
        self.assertEqual(0, self.tree.volume.ledger.reserved_octets)


class AbortDuringCommitTests(ThreadedCase):
    """An abort that comes while a commit runs: the commit's outcome counts."""

    def check(self, octets: int) -> None:
        """The file is whole, and nothing is left of the upload."""
        upload = self.wait(self.tree.begin_write(("f",)))
        written = upload.write(b"x" * octets)
        if written is not None:
            self.wait(written)
        may_go_on, place = Event(), placing.place
        self.addCleanup(may_go_on.set)

        def held(*args: Any) -> Any:
            may_go_on.wait(60)
            return place(*args)

        self.patch(placing, "place", held)
        committed = upload.commit()
        aborted = upload.abort(keep_partial=True)
        while self.tree.volume.hops._workers.unfinished > 1:
            self.reactor.step()
        self.assertNoResult(aborted)
        may_go_on.set()
        self.assertEqual(octets, self.wait(committed).size)
        self.wait(aborted)
        self.assertEqual(b"x" * octets, self.content("f"))
        self.assertEqual([], self.area())
        self.assertEqual(0, self.tree.volume.ledger.reserved_octets)
        self.assertEqual(octets, self.wait(self.tree.usage()).used_octets)

    def test_small(self) -> None:
        """What is still in memory is not taken from under the commit."""
        self.check(1000)

    def test_large(self) -> None:
        """The temporary file is not closed or removed under the commit."""
        self.check(200_000)

    def test_the_commit_fails(self) -> None:
        """Then the abort removes what it left."""
        upload = self.wait(self.tree.begin_write(("d",)))
        upload.write(CHUNK * 2)
        self.wait(self.tree.make_directory(("d",)))
        committed = upload.commit()
        aborted = upload.abort()
        self.refuses(IsADirectory, committed)
        self.wait(aborted)
        self.assertEqual([], self.area())
        self.assertEqual(0, self.tree.volume.ledger.reserved_octets)


class CancelTests(ThreadedCase):
    """Callers who lose interest: a client is gone while its call runs."""

    def test_cancelled_commit(self) -> None:
        """The commit happens all the same, and its name is free again after it."""
        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"x")
        committed = upload.commit()
        committed.addErrback(lambda _: None)
        committed.cancel()
        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"yz")
        self.wait(upload.commit())
        self.assertEqual(b"yz", self.content("f"))
        self.assertEqual(2, self.wait(self.tree.usage()).used_octets)

    def test_cancelled_begin(self) -> None:
        """An upload that nobody receives is aborted: its promise is given back."""
        begun = self.tree.begin_write(("f",), WriteMode.APPEND, expected_size=10)
        begun.addErrback(lambda _: None)
        begun.cancel()
        while self.tree.volume.hops._workers.unfinished:
            self.reactor.step()
        self.wait(self.tree.usage())
        self.assertEqual(0, self.tree.volume.ledger.reserved_octets)

    def test_cancelled_open(self) -> None:
        """A file that nobody receives is closed."""
        upload = self.wait(self.tree.begin_write(("f",)))
        self.wait(upload.commit())
        closed: list[Any] = []
        close = reading.OpenFile.close
        self.patch(
            reading.OpenFile, "close", lambda file: (closed.append(file), close(file))
        )
        self.tree.volume.disk.glance = None
        opened = self.tree.open(("f",))
        opened.addErrback(lambda _: None)
        opened.cancel()
        self.wait(self.tree.stat(()))
        self.reactor.wait(self.files.stop())
        self.assertNotEqual([], closed)

    def test_closed_while_read(self) -> None:
        """The descriptor stays open until the thread that reads has done."""
        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"abc")
        self.wait(upload.commit())
        self.patch(os, "RWF_NOWAIT", 0x4000_0000)  # unknown: EOPNOTSUPP
        opened = self.wait(self.tree.open(("f",)))
        descriptor = opened.fileno()
        may_go_on = Event()
        self.addCleanup(may_go_on.set)
        pread = os.pread

        def held(*args: Any) -> bytes:
            may_go_on.wait(60)
            return pread(*args)

        self.patch(os, "pread", held)
        data = opened.read(0, 10)
        opened.close()
        self.assertEqual(-1, opened.fileno())
        os.fstat(descriptor)
        may_go_on.set()
        self.assertEqual(b"abc", self.wait(data))
        with self.assertRaises(OSError):
            os.fstat(descriptor)
        self.refuses(StoreUnavailable, opened.read(0, 1))


class WhereTests(SynchronousTestCase):
    """Which thread does what."""

    def test_pace(self) -> None:
        """A slow write is remembered for a while."""
        now = [0.0]
        pace = Pace(0.005, 10.0)
        self.patch(work.time, "monotonic", lambda: now[0])
        self.patch(work, "waits_so_far", lambda: now[0])

        def write(seconds: float) -> None:
            now[0] += seconds

        now[0] = 100.0
        pace.timed(write, 0.004)
        self.assertTrue(pace.is_fast())
        pace.timed(write, 0.006)
        self.assertFalse(pace.is_fast())
        now[0] += 10.0
        self.assertTrue(pace.is_fast())

    def test_pace_without_waiting(self) -> None:
        """A write that took long but waited for nothing says nothing of the disk."""
        now = [100.0]
        pace = Pace(0.005, 10.0)
        self.patch(work.time, "monotonic", lambda: now[0])
        pace.timed(now.__setitem__, 0, 101.0)
        self.assertTrue(pace.is_fast())

    def test_waits(self) -> None:
        """Who sleeps waits; who computes need not."""
        before = work.waits_so_far()
        Event().wait(0.001)
        self.assertGreater(work.waits_so_far(), before)

    def test_pace_again(self) -> None:
        """A disk that is slow again and again is avoided ever longer, up to a limit;
        one that was fast for that long begins anew."""
        now = [100.0]
        pace = Pace(0.005, 8.0)
        self.patch(work.time, "monotonic", lambda: now[0])
        self.patch(work, "waits_so_far", lambda: now[0])

        def write() -> None:
            now[0] += 1.0

        avoided = []
        for rest in (0, 0, 0, 0, 0, 8.0):
            now[0] += rest
            pace.timed(write)
            began = now[0]
            while not pace.is_fast():
                now[0] += 0.125
            avoided.append(now[0] - began)
        self.assertEqual([0.5, 1.0, 2.0, 4.0, 8.0, 0.5], avoided)

    def test_too_many_calls(self) -> None:
        """More calls than may wait are refused at once."""
        reactor = WaitingReactor()
        hops = Hops(reactor, 1, 1)
        hops.start()
        self.addCleanup(lambda: reactor.wait(hops.stop()))
        may_go_on = Event()
        self.addCleanup(may_go_on.set)
        running = [hops.run(may_go_on.wait, 60) for _ in range(2)]
        self.failureResultOf(hops.run(get_ident), StoreBusy)
        may_go_on.set()
        for call in running:
            reactor.wait(call)
        self.assertNotEqual(get_ident(), reactor.wait(hops.run(get_ident)))


class InlineWriteTests(ThreadedCase):
    """Fast disks: writes in the reactor thread."""

    changes: Any = {"inline_octets": 500_000, "slow_write": 1000.0}

    def test_up_to_a_limit(self) -> None:
        """An upload writes in the reactor thread while that is fast, up to a limit."""
        threads: list[int] = []
        write_all = placing.write_all

        def noted(descriptor: int, chunks: Any) -> None:
            threads.append(get_ident())
            write_all(descriptor, chunks)

        self.patch(placing, "write_all", noted)
        upload = self.wait(self.tree.begin_write(("f",)))
        for _ in range(10):
            paused = upload.write(CHUNK)
            if paused is not None:
                self.wait(paused)
            while upload._writing.is_hopping:
                self.reactor.step()
        self.wait(upload.commit())
        here = [thread == get_ident() for thread in threads]
        self.assertEqual([False] + [True] * 5 + [False] * 4, here)


class SyncOrderTests(FilesCase):
    """What has reached the disk when a commit is acknowledged."""

    def test_nothing_is_acknowledged_unsynced(self) -> None:
        """The file is synced after its last write and before its rename, its directory
        after it, and the record comes last; so for every way in which files are
        made."""
        tree = self.make_tree()
        value_of(tree.make_directory(("d",)))
        self.calls: list[tuple[str, int]] = []
        for name in ("writev", "fsync", "rename", "copy_file_range", "unlink", "mkdir"):
            self.note(os, name)
        self.note(self.store, "apply")
        small, big = b"x", b"x" * 200_000
        for mode, data in (
            (WriteMode.REPLACE, small),
            (WriteMode.REPLACE, big),
            (WriteMode.APPEND, small),
            (WriteMode.RESUME, big),
        ):
            self.calls.clear()
            upload = value_of(tree.begin_write(("d", "f"), mode))
            upload.write(data)
            value_of(upload.commit())
            file, synced, renamed, directory, recorded = self.calls[-5:]
            self.assertEqual(
                ["writev", "fsync", "rename", "fsync", "apply"],
                [name for name, _ in self.calls[-5:]],
            )
            self.assertEqual(file[1], synced[1])
            self.assertEqual(self.inode(tree, "d"), directory[1])

    def test_changes_of_directories(self) -> None:
        """Removing, renaming and making are synced before they are acknowledged."""
        tree = self.make_tree()
        upload = value_of(tree.begin_write(("f",)))
        value_of(upload.commit())
        self.calls = []
        self.note(os, "fsync")
        value_of(tree.make_directory(("d",)))
        root, made = self.inode(tree), self.inode(tree, "d")
        value_of(tree.rename(("f",), ("d", "f")))
        value_of(tree.remove(("d", "f")))
        value_of(tree.remove(("d",), directory=True))
        expected = [made, root, made, root, made, root]
        self.assertEqual(expected, [inode for _, inode in self.calls])

    def inode(self, tree: Any, *path: str) -> int:
        """Of a directory of the tree."""
        return os.stat(os.path.join(self.directory(tree), *path)).st_ino

    def note(self, owner: Any, name: str) -> None:
        """Calls of that function, and the inode that they concern."""
        function = getattr(owner, name)

        def noted(*args: Any, **keywords: Any) -> Any:
            is_file = args and isinstance(args[0], int)
            self.calls.append((name, os.fstat(args[0]).st_ino if is_file else 0))
            return function(*args, **keywords)

        self.patch(owner, name, noted)


class DurabilityTests(FilesCase):
    """``durable``."""

    def test_grouped_syncs(self) -> None:
        """Who comes while a directory is synced shares the next sync; nobody is
        answered by one that began before."""
        directory = os.open(self.state, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        durability = Durability("full")
        begun, may_end = Event(), Event()
        self.addCleanup(may_end.set)
        syncs: list[int] = []

        def fsync(descriptor: int) -> None:
            syncs.append(descriptor)
            begun.set()
            may_end.wait(60)

        self.patch(os, "fsync", fsync)
        reactor = WaitingReactor()
        hops = Hops(reactor, 8, 8)
        hops.start()
        self.addCleanup(lambda: reactor.wait(hops.stop()))
        calls = [hops.run(durability.sync_directory, directory)]
        begun.wait(60)
        calls += [hops.run(durability.sync_directory, directory) for _ in range(6)]
        rounds = durability._rounds
        while next(iter(rounds.values())).users < 7:
            pass
        may_end.set()
        for call in calls:
            reactor.wait(call)
        self.assertEqual((2, {}), (len(syncs), rounds))

    def test_failed_syncs(self) -> None:
        """A file that cannot be synced does not replace the target; after a directory
        that cannot, the outcome is unknown."""
        tree = self.make_tree()
        for failing, problem, left in (
            ("sync_file", StoreUnavailable, b"old"),
            ("sync_directory", OutcomeUnknown, b"new"),
        ):
            upload = value_of(tree.begin_write(("f",)))
            upload.write(b"old")
            value_of(upload.commit())
            upload = value_of(tree.begin_write(("f",)))
            upload.write(b"new")

            def fail(_: Any, descriptor: int) -> None:
                raise OSError(5, "Input/output error")

            patched = self.patch(Durability, failing, fail)
            with self.assertRaises(problem):
                value_of(upload.commit())
            patched.restore()
            value_of(upload.abort())
            path = os.path.join(self.directory(tree), "f")
            with open(path, "rb") as file:
                self.assertEqual(left, file.read())


class FullDiskTests(ThreadedCase):
    """A home on a tmpfs of 1 MiB."""

    def setUp(self) -> None:
        """Mount it, which needs root."""
        if os.geteuid() != 0 and not os.environ.get("CI"):
            raise SkipTest("mounting a small file system needs root")
        super().setUp()
        mount = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "size=1m",
            "small",
            self.directory(self.tree),
        ]
        subprocess.run(mount, check=True)
        self.tree.volume.disk.close()
        self.addCleanup(self.unmount)

    def unmount(self) -> None:
        """The descriptor of the root holds it."""
        directory = self.directory(self.tree)
        self.tree.volume.disk.close()
        subprocess.run(["umount", directory], check=True)

    def test_a_full_disk(self) -> None:
        """An upload that does not fit fails with DiskFull, early where its size was
        told; the file it would replace is whole, and nothing is left over."""
        upload = self.wait(self.tree.begin_write(("f",)))
        for _ in range(6):
            upload.write(CHUNK)
        self.wait(upload.commit())
        self.refuses(DiskFull, self.tree.begin_write(("f",), expected_size=10**6))
        for mode in (WriteMode.REPLACE, WriteMode.CREATE):
            name = "f" if mode is WriteMode.REPLACE else "g"
            upload = self.wait(self.tree.begin_write((name,), mode))
            for _ in range(6):
                upload.write(CHUNK)
            self.refuses(DiskFull, upload.commit())
            self.wait(upload.abort())
        self.refuses(DiskFull, self.tree.begin_write(("f",), WriteMode.APPEND))
        self.assertEqual(CHUNK * 6, self.content("f"))
        self.assertEqual([], self.area())
        self.assertEqual(["f"], [n.name for n in self.wait(self.tree.list(()))])
        self.wait(self.tree.remove(("f",)))
        upload = self.wait(self.tree.begin_write(("f",)))
        upload.write(b"fits")
        self.wait(upload.commit())


class MountedTests(ThreadedCase):
    """A directory of the tree on another file system."""

    def test_uploads_cross_over(self) -> None:
        """The file is copied there first, and still takes its name in one step."""
        if os.geteuid() != 0 and not os.environ.get("CI"):
            raise SkipTest("mounting a small file system needs root")
        self.wait(self.tree.make_directory(("m",)))
        place = os.path.join(self.directory(self.tree), "m")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "m", place], check=True
        )
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        for data in (b"small", CHUNK * 3, b""):
            upload = self.wait(self.tree.begin_write(("m", "f")))
            upload.write(data)
            self.wait(upload.commit())
            self.assertEqual(data, self.content("m/f"))
            self.assertEqual(["f"], os.listdir(place))
            self.assertEqual([], self.area())
        upload = self.wait(self.tree.begin_write(("m", "f"), WriteMode.APPEND))
        upload.write(b"more")
        self.wait(upload.commit())
        self.assertEqual(b"more", self.content("m/f"))
        upload = self.wait(self.tree.begin_write(("m", "f")))
        for _ in range(12):
            upload.write(CHUNK)
        self.refuses(DiskFull, upload.commit())
        self.wait(upload.abort())
        self.assertEqual(([], ["f"]), (self.area(), os.listdir(place)))
