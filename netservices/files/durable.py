"""Bringing files and directory entries to stable storage, as ``files.durability``
says.

Several commits in one directory share its sync: who comes while one runs waits for the
next, which one of them does for all.  A failed sync fails all who waited for it.
"""

from __future__ import annotations

import os
from threading import Condition

from attrs import define


@define
class _Round:
    """Syncs of one directory: how many began, how many ended, who needs it."""

    begun: int = 0
    ended: int = 0
    users: int = 0
    failed: int = 0
    """The last round that failed."""


class Durability:
    """How far writes are synced; its methods block, and are called in threads."""

    def __init__(self, level: str) -> None:
        self.level = level
        self._rounds: dict[tuple[int, int], _Round] = {}
        self._changed = Condition()

    def sync_file(self, descriptor: int) -> None:
        """The octets of a file, and what is needed to find them."""
        if self.level == "full":
            os.fsync(descriptor)
        elif self.level == "data":
            os.fdatasync(descriptor)

    def sync_directory(self, descriptor: int) -> None:
        """The names in a directory."""
        if self.level != "full":
            return
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino)
        with self._changed:
            current = self._rounds.setdefault(key, _Round())
            current.users += 1
        try:
            self._sync_round(current, descriptor)
        finally:
            with self._changed:
                current.users -= 1
                if not current.users:
                    del self._rounds[key]

    def _sync_round(self, current: _Round, descriptor: int) -> None:
        with self._changed:
            # A sync that has begun may have missed our entry: the next one counts.
            wanted = current.begun + 1
            while current.begun != current.ended and current.ended < wanted:
                self._changed.wait()
            if current.ended >= wanted:
                if current.failed >= wanted:
                    raise OSError(5, "the directory could not be synced")
                return
            current.begun += 1
            mine = current.begun
        try:
            os.fsync(descriptor)
        except OSError:
            current.failed = mine
            raise
        finally:
            with self._changed:
                current.ended = mine
                self._changed.notify_all()
