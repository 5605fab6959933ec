"""Reads of whole files whose results several callers share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore

from netservices.interfaces import StoreBusy


@define(eq=False)
class Reading:
    """One read of a file, and who waits for what it finds."""

    octets: int = 0
    """How many have been read."""
    _waiting: list[Deferred[Any]] = field(factory=list)
    _outcome: list[Any] = field(factory=list)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def wait(self) -> Deferred[Any]:
        """Fires with what is found; cancelling it drops the interest."""
        waiting: Deferred[Any] = Deferred(self._waiting.remove)
        if self._outcome:
            waiting.callback(self._outcome[0])
        else:
            self._waiting.append(waiting)
        return waiting

    def end(self, outcome: Any) -> None:
        """Tell all who wait what was found, or the Failure."""
        self._outcome.append(outcome)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(outcome)


@define(eq=False)
class Readings:
    """The reads that run on one tree."""

    steps: DeferredSemaphore
    """Shared by all trees: each step takes one of its tokens."""
    _running: dict[tuple[object, ...], Reading] = field(factory=dict)

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    def find(
        self,
        key: tuple[object, ...],
        at_once: int,
        read: Callable[[Reading], Coroutine[Any, Any, Any]],
    ) -> Deferred[Any]:
        """What ``read`` finds; one that runs for the same key is joined.  StoreBusy."""
        reading = self._running.get(key)
        if reading is not None:
            return reading.wait()
        if len(self._running) >= at_once:
            raise StoreBusy("too many digests are being found")
        reading = self._running[key] = Reading()
        waiting = reading.wait()
        Deferred.fromCoroutine(read(reading)).addBoth(self._over, key, reading)
        return waiting

    def _over(self, outcome: Any, key: tuple[object, ...], reading: Reading) -> None:
        del self._running[key]
        reading.end(outcome)
