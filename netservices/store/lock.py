"""The lock that every process takes for the length of a commit.

SQLite's own busy wait lets some writers starve for seconds; a ``flock`` taken before
``BEGIN IMMEDIATE`` is fair, and dies with its holder. (That at most one *server* uses a
state directory is ``netservices.service.state``'s lock; the command does without it.)
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType


class CommitLock:
    """Held while a process commits; a context manager.  Without effect for no path."""

    def __init__(self, path: str | None) -> None:
        self._descriptor = -1
        if path is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)

    def __enter__(self) -> None:
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
