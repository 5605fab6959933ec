"""No change of a file tree is acknowledged before it is on stable storage."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tests.store.shim import EXEMPT_NAMES, run_with_shim


class AuditTests(SynchronousTestCase):
    """The file service below the auditor of ``tests.store``."""

    def audit(self, durability: str) -> tuple[int, int, str]:
        """Acknowledgements, those that came too early, and what was not synced."""
        directory = os.path.realpath(self.mktemp())
        os.makedirs(directory)
        printed = run_with_shim(
            "audit",
            "tests.files.audited",
            directory,
            durability,
            AUDIT_ROOT=directory,
            # What has left the upload area, or comes back there, is swept.
            AUDIT_EXEMPT_NAMES=EXEMPT_NAMES + ":/.ns-uploads",
        )
        acknowledged, unsynced, where = json.loads(printed.splitlines()[-1])
        return acknowledged, unsynced, where

    def test_full(self) -> None:
        """Every acknowledged change has reached the disk."""
        acknowledged, unsynced, where = self.audit("full")
        self.assertTrue(acknowledged > 70)
        self.assertEqual((0, ""), (unsynced, where))

    def test_none(self) -> None:
        """The auditor sees what is not synced: it would see ours."""
        acknowledged, unsynced, _ = self.audit("none")
        self.assertTrue(unsynced > acknowledged // 2)
