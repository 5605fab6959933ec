"""How fast something moves now: over the last seconds, not since it began."""

from __future__ import annotations

from collections import deque

SECONDS_APART = 1.0
"""How often a speed wants to be told how far it is."""

_MARKS = 6


class Speed:
    """Remembers how far something was at its last few marks."""

    __slots__ = ("_marks",)

    def __init__(self, now: float) -> None:
        self._marks: deque[tuple[float, int]] = deque(((now, 0),), _MARKS)

    def mark(self, now: float, octets: int) -> None:
        """Note that it is at ``octets`` now."""
        self._marks.append((now, octets))

    def rate(self, now: float, octets: int) -> float:
        """Octets a second since the oldest mark."""
        then, octets_then = self._marks[0]
        return (octets - octets_then) / (now - then) if now > then else 0.0
