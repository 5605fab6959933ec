"""The state directory: made where it is missing, refused where it will not do."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pwd import getpwuid

from netservices.core.errors import StartupError
from netservices.store.sync import sync_directory

DATABASE = "netservices.db"

_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "store.lock", "spare")
_DIRECTORIES = ("blobs", "spool")


def prepare_directory(path: str) -> None:
    """Make ``path``, or see that it is ours to write; StartupError with the way
    out."""
    try:
        _make(os.path.abspath(path))
        found = os.stat(path)
    except OSError as error:
        raise StartupError(
            f"the state directory {path} cannot be made: {error.strerror}; "
            "choose another one with --state"
        ) from None
    _check_owner(path, found)
    _check_writable(path)
    check_entries(path, _FILES, _DIRECTORIES)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o007:
        # Passwords and mail are in it.
        os.chmod(path, stat.S_IMODE(found.st_mode) & ~0o007)


def _make(path: str) -> None:
    """Make a directory and those above it, their names on stable storage."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make(above)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
        sync_directory(above)


def _check_owner(path: str, found: os.stat_result) -> None:
    database = os.path.join(path, DATABASE)
    for name in (path, database):
        if name == database:
            if not os.path.lexists(database):
                continue
            found = os.lstat(database)
        if found.st_uid not in (os.geteuid(), 0) or (
            found.st_uid == 0 and os.geteuid() != 0
        ):
            raise StartupError(
                f"{name} belongs to {_user(found.st_uid)}, and this is "
                f"{_user(os.geteuid())}: start as {_user(found.st_uid)}, chown it, or "
                "choose another state directory with --state"
            )


def _check_writable(path: str) -> None:
    probe = os.path.join(path, f".probe-{os.getpid()}")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        os.unlink(probe)
    except OSError as error:
        raise StartupError(
            f"the state directory {path} cannot be written: {error.strerror}; "
            "choose another one with --state"
        ) from None


def check_entries(
    path: str, files: tuple[str, ...], directories: tuple[str, ...]
) -> None:
    """Refuse what is there of a state directory and will not do: a command that root
    ran by hand leaves files that the server cannot write.  StartupError."""
    for name in (*files, *directories):
        entry = os.path.join(path, name)
        with suppress(FileNotFoundError):
            _check_entry(entry, os.stat(entry), name in directories)


def _check_entry(entry: str, found: os.stat_result, wants_directory: bool) -> None:
    is_directory = stat.S_ISDIR(found.st_mode)
    if is_directory != wants_directory:
        kind = "directory" if is_directory else "file"
        raise StartupError(
            f"{entry}: a {kind} of that name is in the way; move it out of the state "
            "directory"
        )
    mode = os.R_OK | os.W_OK | (os.X_OK if is_directory else 0)
    if not os.access(entry, mode, effective_ids=True):
        raise StartupError(
            f"{entry} belongs to {_user(found.st_uid)}, and {_user(os.geteuid())} may "
            "not read and write it: chown the state directory with all that is in it"
        )


def _user(number: int) -> str:
    try:
        return f"{getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"
