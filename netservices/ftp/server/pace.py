"""Whether a transfer moves fast enough to go on.

Theory.  Two things end a transfer whose peer is at fault: nothing has moved for
``stall_seconds``, or, averaged over ``period_seconds``, less than ``minimum_rate``
octets a second have.  The second is for a peer that sends an octet a minute so as never
to stall.  Time in which the peer waits for us (a slow disk, a bandwidth limit) is not
charged.

A connection is looked at a few times in each of these periods; what it does at that
moment stands for the time since the last look.  So a transfer ends at most a quarter of
a period late and never early.
"""

from __future__ import annotations

from attrs import define, frozen

_LOOKS = 4


@frozen
class Patience:
    """How slow a peer may be."""

    stall_seconds: float
    minimum_rate: int = 0
    """Octets a second; 0: any rate will do."""
    period_seconds: float = 300.0

    @property
    def look_seconds(self) -> float:
        """How often a connection is looked at."""
        if not self.minimum_rate:
            return self.stall_seconds / _LOOKS
        return min(self.stall_seconds, self.period_seconds) / _LOOKS


@define
class Pace:
    """How one transfer has moved so far."""

    patience: Patience
    _seen_at: float
    """When it began, in the clock's seconds."""
    _octets: int = 0
    _idle_seconds: float = 0.0
    _charged_seconds: float = 0.0
    _charged_octets: int = 0

    def look(self, now: float, octets: int, waits_for_peer: bool) -> str | None:
        """None, or what is wrong; ``octets`` is how many have moved altogether, and
        ``waits_for_peer`` whether more would if the peer wanted."""
        seconds, self._seen_at = now - self._seen_at, now
        moved, self._octets = octets - self._octets, octets
        self._charged_octets += moved
        if moved:
            self._idle_seconds = 0.0
        if not waits_for_peer:
            return None
        self._charged_seconds += seconds
        if not moved:
            self._idle_seconds += seconds
            if self._idle_seconds >= self.patience.stall_seconds:
                return "data connection stalled"
        return self._average()

    def _average(self) -> str | None:
        seconds, octets = self._charged_seconds, self._charged_octets
        if seconds < self.patience.period_seconds:
            return None
        self._charged_seconds, self._charged_octets = 0.0, 0
        if octets < self.patience.minimum_rate * seconds:
            return f"data connection too slow: {octets} octets in {seconds:.0f} s"
        return None
