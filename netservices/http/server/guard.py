"""Who may connect: so many at once in all, and by address and network.

What an address and a network may have is counted across all protocols
(``core.limits``).  When all connections of this server are in use, the one that was
opened first and has nothing to do makes room; only where none of them is idle a new one
is refused.  A peer that is refused hears 503 and when to come again.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from netservices.core.limits import Slot, TooMany
from netservices.interfaces import IEvents

RETRY_SECONDS = 10
"""What a peer that is refused is told."""

_LOOKS = 64
"""So many of the oldest connections are looked at for an idle one."""

_TELLS_A_SECOND = 1 / 60
"""How often one network's refusals become an event."""


class Guard:
    """Counts connections; ``limits`` is ``core.limits.Limits``."""

    def __init__(self, most: int, limits: Any, events: IEvents) -> None:
        self.refused = 0
        self.reused = 0
        """Idle connections that made room for others."""
        self._most = most
        self._limits = limits
        self._events = events
        self._told = limits.buckets(_TELLS_A_SECOND, 1)

    def enter(self, connection: Any, others: dict[Any, None]) -> Slot | None:
        """The right of ``connection`` to be there; None where it has none.  ``others``
        are the open ones, the oldest first."""
        if len(others) >= self._most and not self._make_room(others):
            self._refuse(connection, "too many connections")
            return None
        slot = self._limits.enter("http", "", connection.origin.address)
        if isinstance(slot, TooMany):
            self._refuse(connection, f"too many sessions of one {slot.what}")
            return None
        found: Slot = slot
        return found

    def _make_room(self, others: dict[Any, None]) -> bool:
        """Close an idle connection; whether there was one."""
        for other in list(islice(others, _LOOKS)):
            if other.is_idle:
                self.reused += 1
                del others[other]
                other.close()
                return True
            # One that works is not looked at again soon.
            del others[other]
            others[other] = None
        return False

    def _refuse(self, connection: Any, reason: str) -> None:
        self.refused += 1
        origin = connection.origin
        if not self._told.take(self._limits.network_of(origin.address)):
            self._events.emit("session_refused", **origin.event_fields, reason=reason)
