"""Quotas under attack: by uploads that break off, and by several of one path."""

from __future__ import annotations

import os

from netservices.core.deferreds import value_of
from netservices.files.quota import Ledger
from netservices.files.tree import FileTree
from netservices.interfaces import IUpload, QuotaExceeded
from netservices.values import WriteMode
from tests.files.trees import FilesCase

PATH = ("f",)
QUOTA = 100


class QuotaTests(FilesCase):
    """A tree that may hold 100 octets."""

    def setUp(self) -> None:
        super().setUp()
        self.tree: FileTree = self.make_tree(quota_octets=QUOTA)

    def begin(self, octets: int, offset: int = 0) -> IUpload:
        """An upload of the path, at the beginning or gone on with."""
        mode = WriteMode.RESUME if offset else WriteMode.REPLACE
        upload = value_of(self.tree.begin_write(PATH, mode, offset))
        upload.write(b"x" * octets)
        return upload

    def used(self) -> int:
        """What the tree holds, by the records; they agree with the disk."""
        self.assertEqual((), value_of(self.files.check()).findings)
        return value_of(self.tree.usage()).used_octets

    def test_beside_the_file(self) -> None:
        """What is kept beside a full quota gives no room when it is gone on with,
        however often that is done."""
        value_of(self.begin(QUOTA).commit())
        for _ in range(3):
            value_of(self.begin(60).abort(keep_partial=True))
            self.assertEqual(QUOTA + 60, self.used())
            upload = self.begin(40, offset=60)
            self.failureResultOf(upload.write(b"x"), QuotaExceeded)
            value_of(upload.abort(keep_partial=True))
            other = value_of(self.tree.begin_write(("g",)))
            self.failureResultOf(other.write(b"x"), QuotaExceeded)
            value_of(other.abort())

            value_of(self.begin(40, offset=60).commit())

            self.assertEqual(QUOTA, self.used())

    def test_durable_in_the_middle(self) -> None:
        """Nor does what a checkpoint has made durable."""
        value_of(self.begin(QUOTA).commit())
        upload = self.begin(60)
        self.assertTrue(value_of(upload.checkpoint()))
        upload.write(b"x" * 40)
        self.assertTrue(value_of(upload.checkpoint()))
        self.failureResultOf(upload.write(b"x"), QuotaExceeded)
        value_of(upload.abort(keep_partial=True))
        self.assertEqual(2 * QUOTA, self.used())
        value_of(self.begin(0, offset=QUOTA).commit())
        self.assertEqual(QUOTA, self.used())

    def test_lowered(self) -> None:
        """Whoever has more than a quota that was lowered may replace a file by one that
        is no longer."""
        value_of(self.begin(QUOTA).commit())
        self.tree = self.files.home(self.account(1, 50))
        self.failureResultOf(self.begin(QUOTA).write(b"x"), QuotaExceeded)
        value_of(self.begin(QUOTA - 1).commit())
        self.assertEqual(QUOTA - 1, self.used())

    def test_kept_meanwhile(self) -> None:
        """What was kept of the same path while another upload of it was gone on with
        goes with its record."""
        self.tree = self.make_tree()
        value_of(self.begin(10).abort(keep_partial=True))
        first = self.begin(10, offset=10)
        value_of(self.begin(15).abort(keep_partial=True))
        value_of(first.commit())

        self.assertEqual(20, self.used())
        area = os.path.join(self.tree.volume.disk.directory, ".ns-uploads")
        self.assertEqual([], os.listdir(area))

    def test_late_sum(self) -> None:
        """A sum that was read while it changed is not taken for what holds now."""
        ledger = Ledger()
        ledger.learn(10)
        before = ledger.changes
        ledger.learn(20)
        ledger.refresh(10, before)
        self.assertEqual(20, ledger.used_octets)
        ledger.post(5)
        ledger.refresh(10, ledger.changes)
        self.assertEqual(20, ledger.used_octets)
        ledger.posted(5)
        ledger.refresh(30, ledger.changes)
        self.assertEqual(30, ledger.used_octets)
