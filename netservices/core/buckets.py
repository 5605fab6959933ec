"""Token buckets: how often something may happen, by any key, in bounded memory.

Theory.  A bucket is one number: the time at which it would be full again (the
"theoretical arrival time" of the cell-rate algorithm).  Taking a token moves that time
on by ``1 / rate``; a take is refused while the time lies more than ``burst / rate``
ahead.  A bucket that is full equals one that does not exist, so forgetting the key that
was used least recently does harm only where more than ``most_keys`` keys are busy at
once - and whoever commands that many networks has more tokens than the one he regains.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable


class TokenBuckets:
    """Buckets of one rate and burst, made when first used; every call is O(1)."""

    def __init__(
        self,
        rate_per_second: float,
        burst: float,
        seconds: Callable[[], float],
        most_keys: int = 65536,
    ) -> None:
        if rate_per_second <= 0 or burst < 1 or most_keys < 1:
            raise ValueError("rate, burst and number of keys must be positive")
        self._interval = 1.0 / rate_per_second
        self._tolerance = burst * self._interval
        self._seconds = seconds
        self._most_keys = most_keys
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, amount: float = 1.0) -> float:
        """0.0 where ``amount`` tokens were taken, else the seconds until they can be.

        Nothing is taken in the second case; ``inf`` where more than the burst is asked.
        """
        cost = amount * self._interval
        if cost > self._tolerance * (1 + 1e-9):
            return float("inf")
        now = self._seconds()
        full_at = max(self._full_at.get(key, now), now) + cost
        # The slack is for sums of floating point, a millionth of a token.
        wait = full_at - now - self._tolerance - self._interval * 1e-6
        if wait > 0:
            return wait
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most_keys:
            self._full_at.popitem(last=False)
        return 0.0

    def forget(self, key: Hashable) -> bool:
        """Fill the bucket of ``key``; whether it was not full."""
        return self._full_at.pop(key, 0.0) > self._seconds()
