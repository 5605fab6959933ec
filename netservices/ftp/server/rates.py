"""Bandwidth limits: who shares what, and when the next octets may move.

Theory.  A ``Rate`` is a queue without members: the time at which all octets that were
promised so far have moved.  A transfer asks for its next step, is told how long to wait
for it, waits that long (one timer), moves the octets, and asks again.  As each transfer
has one step in the queue at most, and steps of one rate have about one size, all get
the same share; what one does not use, because its peer is slow, the others have.

A transfer that several rates limit asks all of them, and waits for the slowest.  The
others have promised no more than it moves, so nothing of them is lost.

What was not asked for does not pile up: whoever asks within ``_SLACK_SECONDS`` after
his turn was only late, as timers are; later than that, the time begins anew.  So there
are no bursts beyond that and one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

from attrs import define, field

from netservices.ftp.options import Limit

_SLACK_SECONDS = 0.25
_STEPS_A_SECOND = 20
_LONGEST_STEP_SECONDS = 0.25
_SMALLEST_STEP = 512
LARGEST_STEP = 256 * 1024


@define(eq=False)
class Rate:
    """So many octets a second, for all who ask."""

    octets: int
    _moved_at: float = float("-inf")
    """When what was promised will have moved."""

    def wait(self, octets: int, now: float) -> float:
        """Promise ``octets``; the seconds until they may move."""
        start = self._moved_at if self._moved_at > now - _SLACK_SECONDS else now
        self._moved_at = start + octets / self.octets
        return max(0.0, start - now)

    def charge(self, octets: int, now: float) -> float:
        """Count octets that have moved already; the seconds until all of them would
        have."""
        self.wait(octets, now)
        return max(0.0, self._moved_at - now)


@define(eq=False)
class Throttle:
    """The rates that limit one transfer."""

    rates: tuple[Rate, ...]
    """The one that most transfers share comes last."""

    @property
    def step(self) -> int:
        """Octets to ask for at a time: the same for all who share the last rate, unless
        that would take long at the narrowest."""
        shared = self.rates[-1].octets / _STEPS_A_SECOND
        narrowest = self.octets * _LONGEST_STEP_SECONDS
        return max(_SMALLEST_STEP, min(LARGEST_STEP, int(min(shared, narrowest))))

    @property
    def octets(self) -> int:
        """A second, at most."""
        return min(rate.octets for rate in self.rates)

    def wait(self, octets: int, now: float) -> float:
        """Ask to move octets; the seconds until that may happen."""
        return max(rate.wait(octets, now) for rate in self.rates)

    def charge(self, octets: int, now: float) -> float:
        """Octets came; the seconds until more may."""
        return max(rate.charge(octets, now) for rate in self.rates)


@define(eq=False)
class Rates:
    """All rates of one server; one that nobody uses is forgotten."""

    _known: WeakValueDictionary[Any, Rate] = field(factory=WeakValueDictionary)

    def throttle(self, limits: Iterable[Limit]) -> Throttle | None:
        """What keeps a transfer to these limits; None where there is none."""
        rates = tuple(map(self._rate, limits))
        return Throttle(rates) if rates else None

    def _rate(self, limit: Limit) -> Rate:
        rate = self._known.get(limit.name)
        if rate is None:
            rate = self._known[limit.name] = Rate(limit.octets)
        # A reload may have changed it, for those who share it already, too.
        rate.octets = limit.octets
        return rate
