"""What the operating system says, in the words of ``interfaces``."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from netservices.interfaces import (
    BadName,
    DiskFull,
    Exists,
    IsADirectory,
    NotADirectory,
    NotAllowed,
    NotEmpty,
    NotFound,
    StoreUnavailable,
)

_MEANINGS: dict[int, type[Exception]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: Exists,
    errno.ENOTDIR: NotADirectory,
    errno.EISDIR: IsADirectory,
    errno.ENOTEMPTY: NotEmpty,
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EFBIG: DiskFull,
    errno.ENAMETOOLONG: BadName,
    # A link that the policy does not follow, or that leads out of the tree.
    errno.ELOOP: NotAllowed,
    errno.EXDEV: NotAllowed,
    errno.EACCES: NotAllowed,
    errno.EPERM: NotAllowed,
    errno.EROFS: NotAllowed,
    # A directory moved into itself.
    errno.EINVAL: NotAllowed,
    errno.ENXIO: NotAllowed,
    errno.EBUSY: NotAllowed,
}


def problem_of(error: OSError) -> Exception:
    """What ``error`` means to users of file trees: never a path of this machine."""
    meaning = _MEANINGS.get(error.errno or 0, StoreUnavailable)
    return meaning(errno.errorcode.get(error.errno or 0, "unknown"))


@contextmanager
def translated() -> Iterator[None]:
    """Within, an ``OSError`` leaves as the problem that it means."""
    try:
        yield
    except OSError as error:
        raise problem_of(error) from error
