"""Blocking file system calls in threads, whose failures are those of
``interfaces``."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netservices.core.deferreds import shielded
from netservices.core.threads import NotRunning, TooManyWaiting, Workers
from netservices.files.problems import translated
from netservices.interfaces import StoreBusy, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_PART = 16
"""Of the longest time for which a slow disk is avoided: the first one."""


class Hops:
    """Runs blocking functions in a pool; without a reactor, at once."""

    def __init__(self, reactor: Any | None, threads: int, longest_queue: int) -> None:
        self.is_inline = reactor is None
        self._workers = Workers(reactor, "files", threads, longest_queue)
        self.start = self._workers.start
        self.stop = self._workers.stop

    def run(
        self, function: Callable[P, T], *args: P.args, **keywords: P.kwargs
    ) -> Deferred[T]:
        """What ``function`` returns; an OSError leaves as the problem that it means.
        StoreBusy, StoreUnavailable."""
        hop = self._workers.call(_translating, function, args, keywords)
        return hop.addErrback(_refused)


def _translating(
    function: Callable[..., T], args: tuple[Any, ...], keywords: dict[str, Any]
) -> T:
    with translated():
        return function(*args, **keywords)


def _refused(failure: Failure) -> Any:
    """The pool's refusals in the words of stores."""
    if failure.check(TooManyWaiting):
        raise StoreBusy("too many file operations wait")
    if failure.check(NotRunning):
        raise StoreUnavailable("the file service is not running")
    return failure


def unstoppable(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Deferred[T]]:
    """A coroutine function as one that returns a Deferred; cancelling that drops
    interest, and the coroutine runs to its end."""

    @wraps(function)
    def wrapper(*args: P.args, **keywords: P.kwargs) -> Deferred[T]:
        return shielded(Deferred.fromCoroutine(function(*args, **keywords)))

    return wrapper


def waits_so_far() -> int:
    """How often this thread has given the processor away to wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class Pace:
    """Whether the disk is fast enough to be written to in the reactor thread.

    One slow write is remembered for a while for all uploads, so that a disk that
    stalls does so once, not once an upload.  Where it is slow again soon after that
    while, the next one is twice as long, up to ``period_seconds``: a disk that is
    always slow is hardly ever tried, and one that hiccups is soon used again.
    """

    def __init__(self, slow_seconds: float, period_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._longest_period = period_seconds
        self._period = 0.0
        self._slow_until = 0.0

    def is_fast(self) -> bool:
        """Whether no write was slow for a while."""
        return time.monotonic() >= self._slow_until

    def timed(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` and take note of how long it took; on a busy machine the
        time may have been others', then it neither waited nor computed for long."""
        waits, busy, started = waits_so_far(), time.thread_time(), time.monotonic()
        result = function(*args, **kwargs)
        now, limit = time.monotonic(), self._slow_seconds
        if now - started > limit and (
            waits_so_far() != waits or time.thread_time() - busy > limit
        ):
            self._avoid(now)
        return result

    def _avoid(self, now: float) -> None:
        is_again = now - self._slow_until < self._longest_period
        period = self._period * 2 if is_again else 0.0
        first = self._longest_period / _FIRST_PART
        self._period = min(max(first, period), self._longest_period)
        self._slow_until = now + self._period
