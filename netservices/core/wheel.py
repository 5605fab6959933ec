"""One coarse timer for all deadlines of a process.

Theory.  A ``callLater`` for each command costs 2.3 us, and moving one to an earlier
time costs a search through all timers of the process.  Here a watched thing merely
holds its ``deadline``; to touch it is to store a number.  The wheel keeps each thing in
the slot of the second in which its deadline *was* when it was put there.  When that
second comes, the wheel looks at the deadline again: it has moved, and the thing goes to
a later slot, or it has not, and the thing is told.  So a thing costs work once in its
idle time, however often it is touched, and one that is told is told at most one
granule late and never early.

A deadline that moves to an *earlier* time must be told to the wheel by another
``watch``.  While nothing is watched no ``callLater`` is pending.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger


class Watched(Protocol):
    """What a wheel watches; compared by identity."""

    deadline: float
    """In the wheel's seconds; moves freely, to an earlier time only with ``watch``."""

    def expired(self) -> None:
        """The deadline has passed.  The wheel goes on watching if this moves it on."""


class Wheel:
    """Watches things with deadlines; every operation is O(1)."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, granularity_seconds: float = 1.0) -> None:
        self._reactor = reactor
        self._granule = granularity_seconds
        self._slots: dict[int, set[Watched]] = {}
        self._slot_of: dict[Watched, int] = {}
        self._call: IDelayedCall | None = None
        self.seconds: Callable[[], float] = reactor.seconds
        """The time in which deadlines are given."""

    def __len__(self) -> int:
        return len(self._slot_of)

    def watch(self, thing: Watched) -> None:
        """Watch ``thing``, or note that its deadline has moved to an earlier time."""
        slot = ceil(thing.deadline / self._granule)
        old_slot = self._slot_of.get(thing)
        if old_slot == slot:
            return
        if old_slot is not None:
            self._take_out(thing, old_slot)
        self._slot_of[thing] = slot
        self._slots.setdefault(slot, set()).add(thing)
        self._arm()

    def unwatch(self, thing: Watched) -> None:
        """Watch ``thing`` no longer; nothing happens if it was not watched."""
        slot = self._slot_of.pop(thing, None)
        if slot is not None:
            self._take_out(thing, slot)
        if not self._slot_of and self._call is not None:
            call, self._call = self._call, None
            call.cancel()

    def soon(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the next turn of the reactor."""
        self._reactor.callLater(0, function)

    def _arm(self) -> None:
        """See to it that the next slot is turned when its second is over."""
        if self._call is None:
            now = self._reactor.seconds()
            next_slot = floor(now / self._granule) + 1
            # The slack is for sums of floating point: rather late than twice.
            delay = next_slot * self._granule - now + self._granule * 1e-6
            self._call = self._reactor.callLater(delay, self._turn)

    def _take_out(self, thing: Watched, slot: int) -> None:
        things = self._slots.get(slot)
        # None while that slot is being turned, and its things are told one by one.
        if things is not None:
            things.discard(thing)
            if not things:
                del self._slots[slot]

    def _turn(self) -> None:
        """One granule is over."""
        self._call = None
        now = self._reactor.seconds()
        reached = floor(now / self._granule)
        for slot in sorted(slot for slot in self._slots if slot <= reached):
            for thing in self._slots.pop(slot, ()):
                # An earlier one may have unwatched or moved it.
                if self._slot_of.get(thing) == slot:
                    self._look_at(thing, slot, now)
        if self._slot_of:
            self._arm()

    def _look_at(self, thing: Watched, slot: int, now: float) -> None:
        """Tell ``thing``, unless its deadline has moved on."""
        if thing.deadline <= now:
            try:
                thing.expired()
            except Exception:
                self._log.failure("a deadline of {thing} failed", thing=thing)
        if self._slot_of.get(thing) != slot:
            return
        del self._slot_of[thing]
        if thing.deadline > now:
            self.watch(thing)


class Deadline:
    """Calls a function when nobody has touched the deadline for ``seconds``."""

    __slots__ = ("_function", "_seconds", "_wheel", "deadline")

    def __init__(
        self, wheel: Wheel, seconds: float, function: Callable[[], object]
    ) -> None:
        self._wheel = wheel
        self._seconds = seconds
        self._function = function
        self.deadline = wheel.seconds() + seconds
        wheel.watch(self)

    def touch(self, seconds: float | None = None) -> None:
        """The seconds begin anew; with ``seconds``, there are that many from now on."""
        before = self.deadline
        if seconds is not None:
            self._seconds = seconds
        self.deadline = self._wheel.seconds() + self._seconds
        if self.deadline < before:
            self._wheel.watch(self)

    def cancel(self) -> None:
        """The function will not be called; safe to call twice."""
        self._wheel.unwatch(self)

    def expired(self) -> None:
        """Called by the wheel."""
        self._function()
