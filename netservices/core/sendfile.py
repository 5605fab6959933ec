"""Files onto connections: by ``sendfile`` where the socket is plain, by large reads
where a layer (TLS, a test) lies between.

Theory.  A ``FileSender`` is a pull producer, so everything around it is Twisted's usual
way: it is asked for its next step when the connection has sent everything before, a
``loseConnection`` waits for it, a lost connection stops it.  What is unusual is that
its step calls ``os.sendfile`` itself and then asks for the next writable event instead
of calling ``write``.

* A step is 2 MiB by ``sendfile``, which copies nothing and takes what the socket has
  room for, and 256 KiB by reads: larger ones overrun the processor's cache and starve
  others.
* Where the connection sends at once (``core.write``), a writable event leads straight
  to the next step: nothing is queued, so nothing has to be found empty first, and the
  connection hears of writable events from the first step to the last.
* Nothing blocks the reactor.  Before each step reads with RWF_NOWAIT of an octet every
  256 KiB, and of the last, tell whether it is in the page cache (0.6 us each); if not,
  a thread reads 2 MiB ahead and the step waits for it.  Where the file system does not
  know RWF_NOWAIT everything is read ahead in the thread, unless it lives in memory.
* The descriptor is duplicated: the caller may close its own at any time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPullProducer
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.threads import TooManyWaiting, Workers
from netservices.core.write import SendAtOnce

STEP_OCTETS = 256 * 1024
PLAIN_STEP_OCTETS = 2 * 1024 * 1024
AHEAD_OCTETS = 2 * 1024 * 1024
RETRY_SECONDS = 0.02

_NOWAIT = getattr(os, "RWF_NOWAIT", None)
_LOST = {
    errno.EPIPE,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EBADF,
}
_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class FileShrank(Exception):
    """The file ended before ``count`` octets were sent; ``sent`` of them were."""

    def __init__(self, sent: int, count: int) -> None:
        super().__init__(f"the file ended after {sent} of {count} octets")
        self.sent = sent


def send_file(
    transport: Any,
    descriptor: int,
    offset: int,
    count: int,
    workers: Workers | None = None,
) -> Deferred[int]:
    """Send ``count`` octets of a file from ``offset``; fires with ``count`` once the
    transport has taken them all.

    Whatever was written before leaves before.  Fails with ``FileShrank``, with
    ``ConnectionLost`` where the connection ends first, with ``OSError`` where the file
    cannot be read; cancelling it stops the sending and leaves the connection open.
    ``workers`` read what is not in memory (default: the reactor's threads).
    """
    if count <= 0:
        return succeed(0)
    try:
        sender = FileSender(transport, descriptor, offset, count, workers)
    except OSError:
        return fail()
    return sender.start()


@implementer(IPullProducer)
class FileSender:
    """One file on its way; see the module's theory.  ``sent`` counts octets."""

    def __init__(
        self,
        transport: Any,
        descriptor: int,
        offset: int,
        count: int,
        workers: Workers | None,
    ) -> None:
        self.sent = 0
        self._transport = transport
        self._offset = offset
        self._count = count
        self._workers = workers
        self._is_plain = isinstance(transport, tcp.Connection) and not transport.TLS
        self._has_begun = not self._is_plain
        self._is_waiting = False
        self._retry: Any = None
        self._warm_until = 0
        self._knows_nowait = _NOWAIT is not None
        self._octet = bytearray(1)
        self._result: Deferred[int] | None = Deferred(self._cancel)
        self._file = os.dup(descriptor)

    def start(self) -> Deferred[int]:
        """Register with the transport; what ``send_file`` returns."""
        assert self._result is not None
        result = self._result
        try:
            self._transport.registerProducer(self, False)
        except RuntimeError:
            self._end(Failure(), is_registered=False)
        return result

    # --- as the transport asks ------------------------------------------------------

    def resumeProducing(self) -> None:
        """Send the next step."""
        if self._result is None:
            return
        if self._is_waiting:
            self._rest()
            return
        if not self._has_begun:
            # registerProducer calls before the queue is empty; doWrite calls after.
            self._has_begun = True
            if isinstance(self._transport, SendAtOnce):
                self._transport.when_writable = self.resumeProducing
            self._transport.startWriting()
            return
        step = PLAIN_STEP_OCTETS if self._is_plain else STEP_OCTETS
        size = min(step, self._count - self.sent)
        if self._is_cold(size):
            self._rest()
            self._read_ahead()
            return
        try:
            moved = self._move(size)
        except OSError:
            self._end(Failure())
            return
        if moved == 0:
            self._end(Failure(FileShrank(self.sent, self._count)))
        elif moved is not None:
            self.sent += moved
            if self.sent == self._count:
                self._end(self.sent)
                return
        if self._is_plain and self._result is not None:
            self._transport.startWriting()

    def stopProducing(self) -> None:
        """The connection is lost."""
        text = f"after {self.sent} of {self._count} octets of a file"
        self._end(Failure(ConnectionLost(text)), is_registered=False)

    # --- one step -------------------------------------------------------------------

    def _move(self, size: int) -> int | None:
        """How many octets went; None where the socket takes none now, or is broken,
        which ``doWrite`` meets again.  OSError of the file."""
        position = self._offset + self.sent
        if self._is_plain:
            try:
                return os.sendfile(self._transport.fileno(), self._file, position, size)
            except BlockingIOError:
                return None
            except OSError as error:
                self._step_as_usual()
                if error.errno in _LOST:
                    return None
                if error.errno not in _NO_SENDFILE:
                    raise
                self._is_plain = False
        data = os.pread(self._file, min(size, STEP_OCTETS), position)
        if data:
            self._transport.write(data)
        return len(data)

    def _step_as_usual(self) -> None:
        """Have Twisted ask for each step."""
        if isinstance(self._transport, SendAtOnce):
            self._transport.when_writable = None

    def _rest(self) -> None:
        """Nothing can be sent now: hear no more that something could."""
        if getattr(self._transport, "when_writable", None) is not None:
            self._transport.stopWriting()

    def _is_cold(self, size: int) -> bool:
        """Whether reading the next step might wait for a disk."""
        position = self._offset + self.sent
        end = position + size
        if end <= self._warm_until:
            return False
        if not self._knows_nowait:
            return True
        assert _NOWAIT is not None
        try:
            for place in (*range(position, end, STEP_OCTETS), end - 1):
                os.preadv(self._file, [self._octet], place, _NOWAIT)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                return False  # the step itself meets it again
            self._knows_nowait = False
            if _is_in_memory(os.fstat(self._file).st_dev):
                self._warm_until = self._offset + self._count
                return False
            return True
        return False

    # --- reading ahead --------------------------------------------------------------

    def _read_ahead(self) -> None:
        self._is_waiting = True
        position = self._offset + self.sent
        length = min(AHEAD_OCTETS, self._count - self.sent)
        done = self._in_thread(lambda: _fill_page_cache(self._file, position, length))
        done.addCallbacks(
            lambda _nothing: self._went_ahead(position + length), self._not_read
        )

    def _in_thread(self, function: Callable[[], None]) -> Deferred[None]:
        if self._workers is not None:
            return self._workers.call(function)
        reactor = getattr(self._transport, "reactor", None)
        if reactor is None:
            function()
            return succeed(None)
        done: Deferred[None] = deferToThreadPool(
            reactor, reactor.getThreadPool(), function
        )
        return done

    def _went_ahead(self, warm_until: int) -> None:
        self._is_waiting = False
        self._warm_until = warm_until
        if self._result is None:
            self._close()
        else:
            self.resumeProducing()

    def _not_read(self, failure: Failure) -> None:
        reactor: Any = getattr(self._transport, "reactor", None)
        is_busy = failure.check(TooManyWaiting) and reactor is not None
        if self._result is not None and is_busy:
            self._retry = reactor.callLater(RETRY_SECONDS, self._try_again)
            return
        self._is_waiting = False
        if self._result is None:
            self._close()
        else:
            self._end(failure)

    def _try_again(self) -> None:
        """The workers had no room a moment ago."""
        self._retry = None
        self._is_waiting = False
        self.resumeProducing()

    # --- the end --------------------------------------------------------------------

    def _cancel(self, _deferred: Deferred[int]) -> None:
        # The Deferred fails with CancelledError by itself.
        self._end(None)

    def _end(self, outcome: Any, is_registered: bool = True) -> None:
        """Finish once: give back descriptor and transport, tell the caller."""
        result, self._result = self._result, None
        if result is None:
            return
        if self._retry is not None:
            self._retry.cancel()
            self._is_waiting = False
        if not self._is_waiting:
            self._close()
        self._step_as_usual()
        if is_registered:
            self._transport.unregisterProducer()
        if outcome is not None:
            result.callback(outcome)

    def _close(self) -> None:
        os.close(self._file)


def _fill_page_cache(file: int, position: int, length: int) -> None:
    """Read a stretch of a file and forget it; in a thread.  OSError."""
    scratch = bytearray(min(length, STEP_OCTETS))
    os.posix_fadvise(file, position, length, os.POSIX_FADV_WILLNEED)
    end = position + length
    while position < end:
        read = os.preadv(file, [scratch], position)
        if read == 0:
            return
        position += read


@cache
def _is_in_memory(device: int) -> bool:
    """Whether the file system of that device number has no disk below it."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    for line in lines:
        head, _, tail = line.partition(" - ")
        if head.split()[2:3] == [wanted]:
            return tail.split()[:1] in (["tmpfs"], ["ramfs"])
    return False
