"""Commits of which nobody knows whether a power cut would undo them."""

from __future__ import annotations

import errno
import os
from typing import Any

from netservices.core.deferreds import value_of
from netservices.files.settings import FilesSettings
from netservices.interfaces import OutcomeUnknown
from netservices.values import WriteMode
from tests.files.trees import FilesCase


class UnknownTests(FilesCase):
    """The last sync of a commit fails."""

    settings = FilesSettings(small_upload=10)

    def broken_disk(self, durability: Any) -> None:
        """From now on no directory can be synced."""

        def fail(_descriptor: int) -> None:
            raise OSError(errno.EIO, "broken")

        self.patch(durability, "sync_directory", fail)

    def test_nothing_is_kept(self) -> None:
        """The file has its name, and what was the upload's file is used no more: its
        descriptor may be somebody else's by now."""
        tree = self.make_tree()
        first = value_of(tree.begin_write(("f",)))
        first.write(b"x" * 100)
        value_of(first.abort(keep_partial=True))
        upload = value_of(tree.begin_write(("f",), WriteMode.RESUME, 100))
        upload.write(b"y" * 100)
        self.broken_disk(tree.volume.disk.durability)
        self.failureResultOf(upload.commit(), OutcomeUnknown)
        for _ in range(4):
            self.addCleanup(os.close, os.open(__file__, os.O_RDONLY))

        value_of(upload.abort(keep_partial=True))

        self.assertIs(None, value_of(tree.partial_octets(("f",))))
        self.assertEqual(0, tree.volume.ledger.reserved_octets)
        name = os.path.join(self.directory(tree), "f")
        self.assertEqual(200, os.path.getsize(name))
