"""The most frequent among very many things, in bounded memory.

Theory.  After Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and
Top-k Elements in Data Streams": whatever there is no room to count is known to have a
count of at most ``floor``, so a thing that is (again) counted starts there and its
count is never too small, and too large by at most its ``error``.  There the least
counted thing makes room for each new one; here, half of all make room at once, which
costs nothing in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import nlargest
from operator import itemgetter
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Frequent(Generic[T]):
    """Counts of the ``size`` most frequent things, and of up to as many others."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._counts: dict[T, int] = {}
        self._errors: dict[T, int] = {}
        self._floor = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, thing: T, times: int = 1) -> None:
        """Count a thing."""
        counts = self._counts
        if thing in counts:
            counts[thing] += times
            return
        if len(counts) >= 2 * self.size:
            self._make_room()
        self._counts[thing] = self._floor + times
        if self._floor:
            self._errors[thing] = self._floor

    def top(self, most: int) -> list[tuple[T, int, int]]:
        """The things with the highest counts: thing, count, and by how much that may
        be too large."""
        found = nlargest(min(most, self.size), self._counts.items(), key=itemgetter(1))
        return [(thing, count, self._errors.get(thing, 0)) for thing, count in found]

    def _make_room(self) -> None:
        kept = nlargest(self.size + 1, self._counts.items(), key=itemgetter(1))
        self._floor = kept.pop()[1]
        self._counts = dict(kept)
        errors = self._errors
        self._errors = {thing: errors[thing] for thing, _ in kept if thing in errors}
