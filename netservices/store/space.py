"""Free space on the store's disk, watched so that deletions stay possible.

A spare file is kept.  When the disk is full, it is given up, and its octets are what
the commits of deletions live on.  It is made again once there is space for it above the
floor.
"""

from __future__ import annotations

import os
from contextlib import suppress

_LOOK_EVERY_SECONDS = 1.0


class Space:
    """The free space of a directory; ``directory=None`` (memory) has plenty."""

    def __init__(self, directory: str | None, floor: int, spare: int) -> None:
        self._directory = directory
        self._floor = floor
        self._spare = spare
        self._path = "" if directory is None else os.path.join(directory, "spare")
        self._looked = float("-inf")
        self._is_low = False

    @property
    def free_octets(self) -> int:
        """Octets that this process may still write."""
        if self._directory is None:
            return 1 << 62
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize

    def is_low(self, now: float) -> bool:
        """Whether only deletions are to be taken; looks at the disk once a second."""
        if self._directory is None or 0 <= now - self._looked < _LOOK_EVERY_SECONDS:
            return self._is_low
        self._looked = now
        free = self.free_octets
        held = self._held()
        if free < self._floor:
            self._is_low = True
        elif held or free >= self._floor + self._spare:
            self._is_low = not held and not self._hold()
        return self._is_low

    def exhausted(self, now: float) -> None:
        """The disk turned out to be full: give the spare file up."""
        self._is_low = True
        self._looked = now
        with suppress(OSError):
            os.unlink(self._path)

    def _held(self) -> bool:
        try:
            return os.stat(self._path).st_size >= self._spare
        except OSError:
            return False

    def _hold(self) -> bool:
        if not self._spare:
            return True
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._spare)
            return True
        except OSError:
            os.unlink(self._path)
            return False
        finally:
            os.close(descriptor)
