"""The upload area of a tree: temporary files, and partial uploads to be resumed.

Theory
======

Octets of an upload go to a file in ``.ns-uploads/``, a directory in the root of the
tree (so on its file system) which no path reaches and no listing shows.  ``t-<random>``
is an upload that runs; ``p-<random>`` is one that broke off and has a ``PutPartial``
record.

The writer holds an exclusive ``flock`` on its file.  The kernel drops it when the
process dies, however it dies; so a file whose lock can be taken belongs to nobody, and
the sweep of any process may remove it, at once and without knowing process ids.  The
one gap, between creating and locking, is closed by the creator: if the file has lost
its name by the time it is locked, a sweep was faster, and another file is made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from netservices.files import names
from netservices.files.beneath import Opener

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_MOST_TRIES = 100
TEMPORARY = "t-"
PARTIAL = "p-"


def open_area(root: int, opener: Opener, is_made: bool = True) -> int:
    """A descriptor of the upload area.  FileNotFoundError where not ``is_made``."""
    try:
        return opener(root, names.AREA, _DIRECTORY)
    except FileNotFoundError:
        if not is_made:
            raise
    with suppress(FileExistsError):
        os.mkdir(names.AREA, 0o700, dir_fd=root)
    return opener(root, names.AREA, _DIRECTORY)


def _lock(descriptor: int) -> bool:
    """Whether the file is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return os.fstat(descriptor).st_nlink > 0


def create(directory: int, prefix: bytes = b"t-") -> tuple[bytes, int]:
    """A new locked file: its name, and a descriptor to read and write."""
    for _ in range(_MOST_TRIES):
        name = prefix + secrets.token_hex(8).encode()
        descriptor = os.open(
            name,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=directory,
        )
        if _lock(descriptor):
            return name, descriptor
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "sweeps took every new file")


def claim(directory: int, name: bytes) -> int:
    """Lock a partial upload and open it to go on.  FileNotFoundError where it is gone,
    BlockingIOError where somebody is at it."""
    descriptor = os.open(
        name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory
    )
    if _lock(descriptor):
        return descriptor
    is_gone = os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)
    if is_gone:
        raise FileNotFoundError(errno.ENOENT, "swept")
    raise BlockingIOError(errno.EAGAIN, "in use")


def remove_unowned(directory: int, name: bytes) -> int | None:
    """Remove a file that nobody has locked; its size, or None where it is in use or
    gone."""
    try:
        descriptor = os.open(
            name,
            os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
            dir_fd=directory,
        )
    except OSError:
        return None
    try:
        if not _lock(descriptor):
            return None
        size = os.fstat(descriptor).st_size
        os.unlink(name, dir_fd=directory)
        return size
    finally:
        os.close(descriptor)


def has_partials(root: int, opener: Opener) -> bool:
    """Whether there is a partial upload, of anybody and any path."""
    try:
        directory = open_area(root, opener, is_made=False)
    except FileNotFoundError:
        return False
    with closing(directory):
        return any(name.startswith(PARTIAL) for name in os.listdir(directory))


def is_unowned(directory: int, name: bytes) -> bool:
    """Whether nobody has locked the file."""
    try:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        return False
    with closing(descriptor):
        return _lock(descriptor)


def files(directory: int) -> Iterator[tuple[bytes, int]]:
    """Names and sizes of what lies in the area."""
    with os.scandir(directory) as entries:
        found = [os.fsencode(entry.name) for entry in entries]
    for name in found:
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield name, status.st_size


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """The descriptor, closed at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
