"""A file opened for reading.

What the page cache holds is read in the reactor thread (``RWF_NOWAIT``: 0.1 ms for 256
KiB), what it does not hold in another one.  Where a file system cannot tell, every read
goes to a thread.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from netservices.files.problems import problem_of
from netservices.files.work import Hops
from netservices.interfaces import IOpenFile, StoreUnavailable
from netservices.values import Node

_NOT_CACHED = frozenset((errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS))


@implementer(IOpenFile)
class OpenFile:
    """A regular file, its size fixed when it was opened."""

    def __init__(
        self, descriptor: int, node: Node, hops: Hops, largest_read: int
    ) -> None:
        self.node = node
        self._descriptor = descriptor
        self._hops = hops
        self._largest_read = largest_read
        self._reads = 0
        self._is_closed = False

    def fileno(self) -> int:
        """The descriptor, or -1 once closed."""
        return -1 if self._is_closed else self._descriptor

    def read(self, offset: int, size: int) -> Deferred[bytes]:
        """At most ``size`` octets, and what one step may read; empty at the end."""
        if self._is_closed:
            return fail(StoreUnavailable("the file is closed"))
        size = min(size, self._largest_read, self.node.size - offset)
        if size <= 0:
            return succeed(b"")
        try:
            cached = self._read_cached(offset, size)
        except OSError as error:
            return fail(problem_of(error))
        if cached is not None:
            return succeed(cached)
        # The descriptor stays open while a thread reads: its number must not become
        # another file's meanwhile.
        self._reads += 1
        done = self._hops.run(os.pread, self._descriptor, size, offset)
        return done.addBoth(self._read_done)

    def _read_cached(self, offset: int, size: int) -> bytes | None:
        """What is in memory; None where the disk would be waited for."""
        if self._hops.is_inline:
            return os.pread(self._descriptor, size, offset)
        buffer = bytearray(size)
        try:
            found = os.preadv(self._descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in _NOT_CACHED:
                return None
            raise
        return bytes(buffer) if found == size else bytes(memoryview(buffer)[:found])

    def _read_done(self, result: Any) -> Any:
        self._reads -= 1
        self._close_when_unused()
        return result

    def close(self) -> None:
        """Give the descriptor back, once no thread reads any more."""
        self._is_closed = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        if self._is_closed and not self._reads and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()
