"""Who asks most, and for what: of the last minutes, in bounded memory.

Theory.  Of many questions only some are looked at, and each of those counts for the
ones that were passed over: as many as keep the looking at about ``_LOOKS_A_SECOND``.
So a busy server spends the same small part of its time on this as any other, and a
quiet one counts every question.  Two windows of time are kept, the present one and the
one before; what is told is of both.
"""

from __future__ import annotations

from collections.abc import Callable
from random import randrange
from typing import Any, TypeAlias

from netservices.core.frequent import Frequent
from netservices.dns.wire.codes import type_name
from netservices.dns.wire.names import name_text
from netservices.plugin import DatagramAnswer

_LOOKS_A_SECOND = 1000
_MOST_PASSED_OVER = 4096
_QUESTION = 12

Question: TypeAlias = tuple[bytes, int]
"""Folded name, and type."""


class Top:
    """The most frequent questions and clients."""

    def __init__(
        self, size: int, window_seconds: float, seconds: Callable[[], float]
    ) -> None:
        """``size`` of each; 0: none, and nothing is looked at."""
        self._size = size
        self._window = window_seconds
        self._seconds = seconds
        self._began = self._before = seconds()
        self._last_look = self._began
        self._stride = 1
        self._clients = (self._new(), self._new())
        self._names = (self._new(), self._new())

    def _new(self) -> Frequent[Any]:
        return Frequent(self._size)

    def noting(self) -> Callable[[bytes, str], None]:
        """What counts a question of a client: some are looked at, most are not."""
        if not self._size:
            return lambda data, address: None
        look = self.look
        left = 1

        def note(data: bytes, address: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                left = look(data, address)

        return note

    def watching(self, answer: DatagramAnswer) -> DatagramAnswer:
        """The same ``answer``, watched; without a call of ``noting`` for each."""
        if not self._size:
            return answer
        look = self.look
        left = 1

        def watched(data: bytes, address: Any, local: Any) -> bytes | None:
            nonlocal left
            left -= 1
            if not left:
                left = look(data, address[0])
            return answer(data, address, local)

        return watched

    def look(self, data: bytes, address: str) -> int:
        """Count a question for itself and those passed over; how many questions on the
        next look is."""
        now = self._seconds()
        if now - self._began >= self._window:
            self._turn(now)
        stride = self._stride
        gap = now - self._last_look
        self._last_look = now
        self._clients[0].add(address, stride)
        question = question_of(data)
        if question is not None:
            self._names[0].add(question, stride)
        if gap * _LOOKS_A_SECOND < 0.5 and stride < _MOST_PASSED_OVER:
            self._stride = stride * 2
        elif gap * _LOOKS_A_SECOND > 2 and stride > 1:
            self._stride = stride // 2
        # Not every n-th: questions may come in a rhythm of their own.
        return 1 if self._stride == 1 else randrange(1, 2 * self._stride)

    def _turn(self, now: float) -> None:
        """Begin a new window; after a long silence, two."""
        is_long = now - self._began >= 2 * self._window
        self._before = now if is_long else self._began
        self._began = now
        self._clients = self._new(), self._new() if is_long else self._clients[0]
        self._names = self._new(), self._new() if is_long else self._names[0]

    def clients(self, most: int) -> list[dict[str, Any]]:
        """Rows of the clients that ask most."""
        return [
            {"client": address, "queries": count, "error": error}
            for address, count, error in self._merged(self._clients, most)
        ]

    def names(self, most: int) -> list[dict[str, Any]]:
        """Rows of the questions that are asked most."""
        return [
            {
                "name": name_text(name),
                "type": type_name(qtype),
                "queries": count,
                "error": error,
            }
            for (name, qtype), count, error in self._merged(self._names, most)
        ]

    def seconds(self) -> int:
        """For how long what is told has been counted."""
        now = self._seconds()
        if now - self._began >= self._window:
            self._turn(now)
        return round(now - self._before)

    def _merged(
        self, windows: tuple[Frequent[Any], Frequent[Any]], most: int
    ) -> list[tuple[Any, int, int]]:
        """The top of both windows together."""
        sums: dict[Any, tuple[int, int]] = {}
        for window in windows:
            for thing, count, error in window.top(self._size):
                known = sums.get(thing, (0, 0))
                sums[thing] = known[0] + count, known[1] + error
        ordered = sorted(sums.items(), key=lambda item: -item[1][0])
        return [(thing, count, error) for thing, (count, error) in ordered[:most]]


def question_of(data: bytes) -> Question | None:
    """Folded name and type of a packet's question; None where it has no readable
    one."""
    position = _QUESTION
    if len(data) < position or data[4:6] != b"\0\1":
        return None
    try:
        while length := data[position]:
            if length > 63:
                return None
            position += length + 1
    except IndexError:
        return None
    end = position + 1
    if len(data) < end + 4 or end - _QUESTION > 255:
        return None
    return data[_QUESTION:end].lower(), data[end] << 8 | data[end + 1]
