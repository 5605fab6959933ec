"""Nothing is acknowledged before it is on stable storage: the auditor sees to it."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tests.store.shim import run_with_shim


class DurabilityTests(SynchronousTestCase):
    """The store below the auditor."""

    def audit(self, scenario: str, durability: str = "full") -> tuple[int, int, str]:
        """Acknowledgements, those that came too early, and what was not synced."""
        directory = os.path.realpath(self.mktemp())
        printed = run_with_shim(
            "audit",
            "tests.store.audited",
            scenario,
            directory,
            durability,
            AUDIT_ROOT=directory,
        )
        acknowledged, unsynced, where = json.loads(printed)
        return acknowledged, unsynced, where

    def test_rows(self) -> None:
        """Each of a thousand rows was synced when it was acknowledged."""
        self.assertEqual((1000, 0, ""), self.audit("rows"))

    def test_group(self) -> None:
        """So were those of groups, while the log was cut and begun afresh."""
        self.assertEqual((3200, 0, ""), self.audit("group"))

    def test_files(self) -> None:
        """So was content, in rows and in files, and the names of the files."""
        self.assertEqual((50, 0, ""), self.audit("files"))

    def test_auditor(self) -> None:
        """The auditor would have seen it: without syncs, it finds all of them."""
        acknowledged, unsynced, where = self.audit("rows", "none")
        self.assertEqual((1000, 1000), (acknowledged, unsynced))
        self.assertIn("netservices.db-wal", where)
        acknowledged, unsynced, where = self.audit("files", "none")
        self.assertEqual((50, 50), (acknowledged, unsynced))
        self.assertIn("/blobs/", where)
