"""Uploads that are made durable in the middle, to be resumed after a crash."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files import placing
from netservices.files.tree import FileTree
from netservices.interfaces import DiskFull, IUpload, NotFound, QuotaExceeded
from netservices.values import WriteMode
from tests.files.checkpointing import content
from tests.files.crashing import ACCOUNT, open_files
from tests.files.trees import FilesCase

PATH = ("f",)
ROUNDS = 5


class CheckpointTests(FilesCase):
    """``IUpload.checkpoint``."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.make_tree()

    def begin(self, *pieces: bytes, tree: FileTree | None = None) -> IUpload:
        """An upload with a checkpoint behind each piece."""
        upload = value_of((tree or self.tree).begin_write(PATH))
        for piece in pieces:
            upload.write(piece)
            self.assertTrue(value_of(upload.checkpoint()))
        return upload

    def content(self) -> bytes:
        """What the file holds."""
        file = value_of(self.tree.open(PATH))
        try:
            return value_of(file.read(0, 1 << 20))
        finally:
            file.close()

    def partial(self) -> int | None:
        """How much could be resumed."""
        return value_of(self.tree.partial_octets(PATH))

    def assert_sums(self) -> None:
        """Records and disk agree."""
        self.assertEqual((), value_of(self.files.check()).findings)

    def test_commit(self) -> None:
        """The whole file takes its name, and nothing remains to be resumed."""
        upload = self.begin(b"one ", b"two ")
        self.assertEqual(8, self.partial())
        self.failureResultOf(self.tree.stat(PATH), NotFound)
        upload.write(b"three")
        value_of(upload.commit())
        self.assertEqual(b"one two three", self.content())
        self.assertIsNone(self.partial())
        self.assert_sums()
        digests = value_of(self.tree.digests(PATH))
        self.assertEqual(0, digests.lf_count)

    def test_abort(self) -> None:
        """What is kept is everything, what is given up leaves nothing."""
        for keep, octets in ((True, 7), (False, None)):
            with self.subTest(keep=keep):
                upload = self.begin(b"one ")
                upload.write(b"two")
                value_of(upload.abort(keep_partial=keep))
                self.assertEqual(octets, self.partial())
                self.assert_sums()

    def test_resume(self) -> None:
        """A checkpoint is gone on from; what came behind it may be written anew."""
        upload = self.begin(b"one ")
        upload.write(b"XXX")
        value_of(upload.abort(keep_partial=True))
        upload = value_of(self.tree.begin_write(PATH, WriteMode.RESUME, 4))
        upload.write(b"two ")
        self.assertTrue(value_of(upload.checkpoint()))
        self.assertEqual(8, self.partial())
        upload.write(b"three")
        value_of(upload.commit())
        self.assertEqual(b"one two three", self.content())
        self.assert_sums()

    def test_earlier_partial(self) -> None:
        """A new upload's checkpoint takes the place of an older partial upload."""
        value_of(self.begin(b"older one").abort(keep_partial=True))
        upload = self.begin(b"new")
        self.assertEqual(3, self.partial())
        self.assert_sums()
        value_of(upload.commit())
        self.assertEqual(b"new", self.content())
        self.assert_sums()

    def test_old_file(self) -> None:
        """The file that has the name stays as it is until the commit."""
        upload = self.begin(b"old")
        value_of(upload.commit())
        upload = self.begin(b"newer")
        self.assertEqual(b"old", self.content())
        value_of(upload.commit())
        self.assertEqual(b"newer", self.content())
        self.assert_sums()

    def test_impossible(self) -> None:
        """There is none of nothing, none in the middle of a longer file, and none
        after the end."""
        upload = value_of(self.tree.begin_write(PATH))
        self.assertFalse(value_of(upload.checkpoint()))
        upload.write(b"0123456789")
        value_of(upload.commit())
        self.assertFalse(value_of(upload.checkpoint()))
        upload = value_of(self.tree.begin_write(PATH, WriteMode.RESUME, 3))
        upload.write(b"x")
        self.assertFalse(value_of(upload.checkpoint()))
        value_of(upload.commit())
        self.assertEqual(b"012x456789", self.content())

    def test_full_disk(self) -> None:
        """A checkpoint that cannot be written ends the upload; the older file stays."""
        value_of(self.begin(b"old").commit())
        upload = value_of(self.tree.begin_write(PATH))

        def full(descriptor: int, chunks: Any) -> None:
            os.write(descriptor, b"half")
            raise OSError(28, "No space left on device")

        upload.write(b"x" * 10)
        self.patch(placing, "write_all", full)
        self.failureResultOf(upload.checkpoint(), DiskFull)
        self.failureResultOf(upload.commit(), DiskFull)
        value_of(upload.abort())
        self.assertEqual(b"old", self.content())
        self.assertIsNone(self.partial())
        self.assert_sums()

    def test_quota(self) -> None:
        """Octets count once, whether before a checkpoint or behind it."""
        self.tree = self.make_tree(quota_octets=100)
        upload = self.begin(b"x" * 60, b"x" * 30)
        upload.write(b"x" * 10)
        self.failureResultOf(upload.write(b"x"), QuotaExceeded)
        value_of(upload.abort())
        self.assertIsNone(self.partial())
        upload = self.begin(b"x" * 50, b"x" * 50)
        value_of(upload.commit())
        upload = self.begin(b"y" * 60)
        upload.write(b"y" * 40)
        value_of(upload.commit())
        self.assertEqual(b"y" * 100, self.content())
        self.assert_sums()


class CrashTests(SynchronousTestCase):
    """``kill -9`` in the middle of uploads."""

    def test_killed(self) -> None:
        """What a checkpoint has made durable can be gone on from, again and again."""
        state = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(state, "store"))
        moments = random.Random(21)
        durable = 0
        for _ in range(ROUNDS):
            durable = self.run_and_kill(state, durable, moments.randrange(1, 12))
            files = open_files(state)
            tree = files.home(ACCOUNT)
            found = value_of(tree.partial_octets(PATH))
            assert found is not None
            self.assertTrue(found >= durable)
            value_of(files.stop())
            value_of(files.store.close())
        files = open_files(state)
        tree = files.home(ACCOUNT)
        upload = value_of(tree.begin_write(PATH, WriteMode.RESUME, durable))
        value_of(upload.commit())
        file = value_of(tree.open(PATH))
        self.assertEqual(content(durable), value_of(file.read(0, durable + 1)))
        file.close()
        value_of(files.check(repair=True))
        self.assertEqual((), value_of(files.check()).findings)
        value_of(files.stop())
        value_of(files.store.close())

    def run_and_kill(self, state: str, offset: int, count: int) -> int:
        """What the process has called durable before its death."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.files.checkpointing", state, str(offset)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdout is not None
        try:
            for _ in range(count):
                offset = int(process.stdout.readline())
        finally:
            process.kill()
        rest, _ = process.communicate()
        return int(rest.split()[-1]) if rest.split() else offset
