"""The store on a full and on a broken disk, by way of the fault shim."""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.store.shim import run_with_shim


class InlineFaultTests(SynchronousTestCase):
    """A store without threads."""

    mode: ClassVar[str] = "inline"

    def suffer(self, scenario: str, path: str) -> None:
        """Run a scenario of ``tests.store.faulty``."""
        directory = os.path.realpath(self.mktemp())
        run_with_shim(
            "faults",
            "tests.store.faulty",
            scenario,
            directory,
            self.mode,
            FAULT_PATH=path,
        )

    def test_full(self) -> None:
        """A full disk refuses the unit it met, loses none, and is left behind."""
        self.suffer("full", "-wal")

    def test_full_for_long(self) -> None:
        """On a full disk the store is readonly, and takes deletions."""
        self.suffer("full_for_long", "-wal")

    def test_broken(self) -> None:
        """After a failed sync, the outcome is unknown, and the store recovers."""
        self.suffer("broken", "-wal")

    def test_broken_with_token(self) -> None:
        """A unit with a token is told what happened, and its retry is taken once."""
        self.suffer("broken_with_token", "-wal")

    def test_broken_for_long(self) -> None:
        """While nothing can be synced, the store has failed."""
        self.suffer("broken_for_long", "netservices.db")

    def test_broken_write(self) -> None:
        """A failed write of the log loses nothing that was acknowledged."""
        self.suffer("broken_write", "-wal")

    def test_content(self) -> None:
        """Content that cannot be stored is refused, and its spool file goes."""
        self.suffer("content", "/spool/")


class ThreadedFaultTests(InlineFaultTests):
    """A store with a writer thread."""

    mode = "threaded"
