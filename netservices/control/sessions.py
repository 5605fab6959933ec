"""The sessions of all protocols: listed and ended for ``netservices session``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.task import deferLater

from netservices.plugin import OpenSession, Server

MOST_LISTED = 1000
"""Sessions in one reply, which must neither grow nor take long."""

_A_TURN = 100
"""Sessions looked at before others get their turn."""

_ORDERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "rate": lambda row: (
        row["transfer"] is not None,
        (row["transfer"] or {}).get("rate") or 0,
        -row["idle_seconds"],
    ),
    "since": lambda row: row["since"],
    "idle": lambda row: -row["idle_seconds"],
}
ORDERS = tuple(_ORDERS)
"""By which sessions are sorted, the most interesting ones first: the fastest transfers,
the newest sessions, those that were busy last."""

_EMPTY: Mapping[str, Any] = {
    "session": "",
    "account": "",
    "address": "",
    "since": 0.0,
    "idle_seconds": 0,
    "tls": "",
    "client": "",
    "directory": "",
    "transfer": None,
}


@frozen
class Wanted:
    """Which sessions are meant: those that fit all that is not empty."""

    sessions: frozenset[str] = frozenset()
    protocol: str = ""
    account: str = ""
    address: str = ""

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a session is one of them."""
        return (
            (not self.sessions or row["session"] in self.sessions)
            and self.protocol in ("", row["protocol"])
            and self.account in ("", row["account"])
            and self.address in ("", row["address"])
        )


class Sessions:
    """The open sessions of ``servers``."""

    def __init__(self, servers: Mapping[str, Server], reactor: Any) -> None:
        self._servers = servers
        self._reactor = reactor

    async def first(
        self, wanted: Wanted, order: str = "rate", most: int = MOST_LISTED
    ) -> tuple[list[dict[str, Any]], int]:
        """The first ``most`` of them, and how many there are.  ValueError for an
        ``order`` that there is not."""
        if order not in _ORDERS:
            raise ValueError(f"sessions are sorted by {', '.join(ORDERS)}")
        key, most = _ORDERS[order], min(most, MOST_LISTED)
        rows: list[dict[str, Any]] = []
        total = 0
        async for row, _session in self._all(wanted):
            total += 1
            rows.append(row)
            if len(rows) >= 2 * most:
                # As it goes, so that it never takes long.
                rows = sorted(rows, key=key, reverse=True)[:most]
        return sorted(rows, key=key, reverse=True)[:most], total

    async def end(self, wanted: Wanted) -> list[dict[str, Any]]:
        """End them; those that there were."""
        ended = []
        async for row, session in self._all(wanted):
            session.end()
            ended.append(row)
        return ended

    async def _all(
        self, wanted: Wanted
    ) -> AsyncIterator[tuple[dict[str, Any], OpenSession]]:
        """What fits, with pauses in which others get their turn."""
        looked_at = 0
        for protocol, server in tuple(self._servers.items()):
            if server.sessions is None or wanted.protocol not in ("", protocol):
                continue
            for session in tuple(server.sessions()):
                looked_at += 1
                if looked_at % _A_TURN == 0:
                    await deferLater(self._reactor, 0)
                row = {"protocol": protocol, **_EMPTY, **session.status()}
                if wanted.fits(row):
                    yield row, session
