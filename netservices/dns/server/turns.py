"""What all connections together do in one turn of the reactor.

Each connection keeps to a turn of its own; but a thousand of them, each with its turn,
would hold up everybody else, and datagrams first of all.  So there is a budget for all:
when it is spent, whoever has more to do waits, and goes on in the order in which the
waiting began, after other work has had its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

BUDGET_OCTETS = 128 * 1024
"""Octets of replies between two turns of other work: some milliseconds."""

MESSAGE_OCTETS = 256
"""What a message costs beside its octets, in octets."""


class Turns:
    """The budget, and those who wait for the next one."""

    def __init__(
        self,
        soon: Callable[[Callable[[], object]], object],
        budget_octets: int = BUDGET_OCTETS,
    ) -> None:
        """``soon`` calls a function in the next turn of the reactor."""
        self._soon = soon
        self._budget = budget_octets
        self._waiting: deque[Callable[[], object]] = deque()
        self._spent = 0
        self._is_due = False

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self._spent >= self._budget

    def spend(self, messages: int, octets: int) -> None:
        """So many replies, of so many octets together, were made."""
        self._spent += octets + messages * MESSAGE_OCTETS
        if self._spent >= self._budget:
            self._come_back()

    def wait(self, go_on: Callable[[], object]) -> None:
        """Call ``go_on`` when there is a budget again."""
        self._waiting.append(go_on)
        self._come_back()

    def _come_back(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._soon(self._begin)

    def _begin(self) -> None:
        self._is_due = False
        self._spent = 0
        # Whoever comes back to wait while this goes on has had a turn.
        for _ in range(len(self._waiting)):
            if self.is_over:
                break
            self._waiting.popleft()()
        if self._waiting:
            self._come_back()
