"""Tallies of failures that leak away with time, in bounded memory.

Theory.  A tally is a number that each failure raises by one and that time lowers, one
every ``forget_seconds / limit``; when it reaches ``limit`` its key is locked for
``lock_seconds``.  Keys live in two tables.  ``tallies`` forgets the least recently used
key when it is full.  ``locks`` holds those that reached the limit, and only a further
lock can push one out, the oldest first: so whoever wants to erase a lock by filling
memory must earn ``most_locks`` locks, each with ``limit`` failures of his own, and
those are slowed down and locked by network meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from attrs import define


@define
class Tally:
    """What is remembered of one key."""

    level: float
    """Failures that have not leaked away."""
    at: float
    """When ``level`` was right."""
    free_at: float = 0.0
    """Before this time every attempt has been given away."""
    pending: int = 0
    """Attempts let in whose outcome is not known."""
    evidence: tuple[int, ...] = ()
    """Marks of the last wrong passwords, the newest last."""


class Tallies:
    """Failures by key: counting, leaking, locking; every call but ``forget_where`` is
    O(1)."""

    def __init__(
        self,
        limit: int,
        forget_seconds: float,
        lock_seconds: float,
        most_keys: int,
        most_locks: int,
        seconds: Callable[[], float],
    ) -> None:
        self.limit = limit
        self._leak_per_second = limit / forget_seconds
        self._lock_seconds = lock_seconds
        self._most_keys = most_keys
        self._most_locks = most_locks
        self._seconds = seconds
        self._tallies: OrderedDict[Hashable, Tally] = OrderedDict()
        self._locks: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tallies) + len(self._locks)

    def find(self, key: Hashable) -> Tally | None:
        """The tally of ``key`` as of now, or None where nothing is remembered."""
        tally = self._tallies.get(key)
        if tally is None:
            return None
        now = self._seconds()
        # A clock that was set back must not add failures.
        leaked = max(0.0, now - tally.at) * self._leak_per_second
        tally.level = max(0.0, tally.level - leaked)
        tally.at = now
        return tally

    def open(self, key: Hashable) -> Tally:
        """The tally of ``key``, made where there is none."""
        tally = self.find(key)
        if tally is None:
            tally = self._tallies[key] = Tally(0.0, self._seconds())
            if len(self._tallies) > self._most_keys:
                self._tallies.popitem(last=False)
        else:
            self._tallies.move_to_end(key)
        return tally

    def count(self, key: Hashable, may_lock: bool = True) -> bool:
        """One more failure; whether ``key`` is locked now."""
        tally = self.open(key)
        tally.level = min(tally.level + 1.0, float(self.limit))
        # Rounded, so that what leaks between two failures does not postpone the lock.
        if not may_lock or round(tally.level) < self.limit:
            return False
        self._locks[key] = self._seconds() + self._lock_seconds
        self._locks.move_to_end(key)
        if len(self._locks) > self._most_locks:
            self._locks.popitem(last=False)
        return True

    def locked_for(self, key: Hashable) -> float:
        """Seconds until the lock of ``key`` ends; 0 where there is none."""
        until = self._locks.get(key)
        if until is None:
            return 0.0
        left = until - self._seconds()
        if left <= 0:
            del self._locks[key]
            return 0.0
        return left

    def forget(self, key: Hashable) -> bool:
        """Forget ``key``; whether it was locked."""
        was_locked = self.locked_for(key) > 0
        self._locks.pop(key, None)
        self._tallies.pop(key, None)
        return was_locked

    def forget_where(self, matches: Callable[[Hashable], bool]) -> bool:
        """Forget every key that matches, for an admin; whether one was locked."""
        keys = [*filter(matches, self._tallies), *filter(matches, self._locks)]
        return any([self.forget(key) for key in keys])

    def discard_if_empty(self, key: Hashable) -> None:
        """Give the memory of ``key`` back where it says nothing."""
        tally = self.find(key)
        now = self._seconds()
        if tally and not tally.level and not tally.pending and tally.free_at <= now:
            del self._tallies[key]
