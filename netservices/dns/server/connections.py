"""The TCP connections of a server, the most idle first, and for how long they may be.

Idle connections cost memory and descriptors, and whoever opens many takes them from
others.  So the more of ``most`` are taken, the sooner an idle one is closed, and one
too many replaces the most idle: among those of its own client where that has too many,
else among all (RFC 7766 6.2.2, 6.2.3).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

SHORTEST_IDLE_SECONDS = 1.0


class Connection(Protocol):
    """What can be closed to make room."""

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for us, not we for it."""

    def close(self) -> None:
        """End it."""


class Connections:
    """Those that are open, by client; every operation is O(1), but for closing."""

    def __init__(
        self,
        most: int,
        most_per_client: int,
        idle_seconds: float,
        seconds: Callable[[], float],
    ) -> None:
        """``seconds`` is a clock."""
        self._most = most
        self._most_per_client = most_per_client
        self._idle_seconds = idle_seconds
        self._seconds = seconds
        self._touched: OrderedDict[Connection, float] = OrderedDict()
        self._by_client: dict[str, OrderedDict[Connection, None]] = {}
        self._clients: dict[Connection, str] = {}
        self.replaced = 0
        """Connections that were closed to make room for others."""

    def __len__(self) -> int:
        return len(self._touched)

    def all(self) -> tuple[Connection, ...]:
        """All of them."""
        return tuple(self._touched)

    def idle_seconds(self) -> float:
        """How long a connection may be idle as things are: up to half of all places
        the whole time, then ever less."""
        free = 1.0 - len(self._touched) / self._most if self._most else 0.0
        seconds = self._idle_seconds * min(1.0, 2.0 * free)
        return max(seconds, min(SHORTEST_IDLE_SECONDS, self._idle_seconds))

    def told_seconds(self) -> float:
        """What clients are told of it: nothing at all is left where all places are
        taken (RFC 7828 3.3.2)."""
        is_full = len(self._touched) >= self._most
        return 0.0 if is_full else self.idle_seconds()

    def add(self, connection: Connection, client: str) -> None:
        """Take a new one in, and make room for it; an empty ``client`` may have any
        number of them."""
        own = self._by_client.setdefault(client, OrderedDict()) if client else None
        if own is not None and len(own) >= self._most_per_client:
            self._replace(next(iter(own)))
        elif len(self._touched) >= self._most and self._touched:
            self._replace(next(iter(self._touched)))
        self._touched[connection] = self._seconds()
        if client:
            self._clients[connection] = client
            self._by_client.setdefault(client, OrderedDict())[connection] = None
        self._close_idle()

    def touch(self, connection: Connection) -> None:
        """This connection is the least idle one now."""
        if connection not in self._touched:
            return
        self._touched[connection] = self._seconds()
        self._touched.move_to_end(connection)
        client = self._clients.get(connection)
        if client is not None:
            self._by_client[client].move_to_end(connection)

    def idle_since(self, connection: Connection) -> float:
        """When it was touched last; now, where it is not here."""
        return self._touched.get(connection, self._seconds())

    def discard(self, connection: Connection) -> None:
        """The connection is gone."""
        self._touched.pop(connection, None)
        client = self._clients.pop(connection, None)
        if client is not None:
            own = self._by_client[client]
            own.pop(connection, None)
            if not own:
                del self._by_client[client]

    def _replace(self, connection: Connection) -> None:
        self.replaced += 1
        self.discard(connection)
        connection.close()

    def _close_idle(self) -> None:
        """Close those that were let be for longer than is allowed by now."""
        oldest = self._seconds() - self.idle_seconds()
        while self._touched:
            connection, touched = next(iter(self._touched.items()))
            if touched >= oldest:
                return
            if connection.is_waiting:
                self.touch(connection)
                continue
            self.discard(connection)
            connection.close()
