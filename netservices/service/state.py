"""The state directory: made, checked, and held by one server at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil

from netservices.core.errors import StartupError
from netservices.store.directory import check_entries

LOCK_NAME = "instance.lock"
_LEFT_BY_A_START = {LOCK_NAME, "log"}


def prepare(directory: str, owner: tuple[int, int] = (-1, -1)) -> bool:
    """Make the directory unless it is there; whether it was made.  StartupError.

    ``owner`` (uid, gid) gets a directory that is made.
    """
    try:
        os.makedirs(os.path.dirname(directory), mode=0o755, exist_ok=True)
        os.mkdir(directory, 0o700)
        if owner != (-1, -1):
            os.chown(directory, *owner)
        return True
    except FileExistsError:
        if os.path.isdir(directory):
            return False
        raise StartupError(
            f"state directory {directory}: a file of that name is in the way; --state"
            " DIR names another place"
        ) from None
    except OSError as error:
        raise StartupError(
            f"state directory {directory} cannot be made: {error.strerror}; --state DIR"
            " names another place"
        ) from None


def check_owner(directory: str) -> None:
    """Refuse a directory that is not this user's, or has parts that are not.
    StartupError."""
    found = os.stat(directory)
    if found.st_uid == os.geteuid() and os.access(directory, os.W_OK | os.X_OK):
        check_entries(directory, (LOCK_NAME,), ("files",))
        return
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise StartupError(
            f"state directory {directory} is on a file system that is mounted"
            " read-only; --state DIR names another place"
        )
    if found.st_uid == os.geteuid():
        raise StartupError(f"state directory {directory} is not writable: chmod u+rwx")
    raise StartupError(
        f"state directory {directory} belongs to {_user(found.st_uid)}, and this server"
        f" runs as {_user(os.geteuid())}; run it as {_user(found.st_uid)} (twistd"
        " --uid), chown the directory, or give another --state"
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


class InstanceLock:
    """Held while a server runs on the state directory; the kernel drops it when the
    process dies, however it dies."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, LOCK_NAME)
        self._descriptor = -1

    def acquire(self) -> None:
        """StartupError where another server has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise StartupError(
                f"state directory {self.directory}: {LOCK_NAME}: {error.strerror}"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StartupError(
                f"state directory {self.directory} is in use by process"
                f" {holder or 'unknown'}; stop that, or give another --state"
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):
            # Only words for whoever is refused; a full disk must not stop a start.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another server in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def remove_if_unused(directory: str) -> None:
    """Remove a directory that was made for a start that failed, unless it holds
    something worth keeping."""
    with contextlib.suppress(OSError):
        if set(os.listdir(directory)) <= _LEFT_BY_A_START:
            shutil.rmtree(directory)
