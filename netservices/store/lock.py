"""Two locks of a state directory, both of the kind that dies with its holder.

``store.lock`` is taken by every process for the length of a commit: SQLite's own busy
wait lets some writers starve for seconds.  ``lock`` is taken by a server for its life,
so that a second one is refused; the ``netservices`` command does without.
"""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType

from netservices.core.errors import StartupError


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


class InstanceLock:
    """The right to be the server of a state directory, until ``release`` or death."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Another server may start; safe to call twice."""
        if self._descriptor >= 0:
            # The text must not outlive the lock.
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def lock_instance(directory: str) -> InstanceLock:
    """Be the server of that state directory; StartupError names the one that is."""
    path = os.path.join(directory, "lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").split()
        os.close(descriptor)
        who = f"process {holder[0]}" if holder else "another process"
        raise StartupError(
            f"{directory} is in use by a running server ({who}); stop it, or choose "
            "another state directory with --state"
        ) from None
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {started}\n".encode("ascii"), 0)
    return InstanceLock(descriptor)


def instance_holder(directory: str) -> int | None:
    """The process that serves that state directory now, or None."""
    try:
        descriptor = os.open(os.path.join(directory, "lock"), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).split()
        return int(holder[0]) if holder and holder[0].isdigit() else 0
    finally:
        os.close(descriptor)
