"""What each protocol has done since the start, counted from events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_SIMPLE = {
    "login": "logins",
    "login_refused": "failed_logins",
    "session_refused": "refused_sessions",
    "file_changed": "changes",
}


class Totals:
    """A sink of events."""

    def __init__(self) -> None:
        self.by_protocol: dict[str, Counter[str]] = {}

    def hear(self, record: Mapping[str, Any]) -> None:
        """Count an event of a session."""
        protocol = record.get("protocol")
        if not protocol:
            return
        event = record["event"]
        if event == "transfer":
            self._of(protocol).update(_transfer(record))
        elif event in _SIMPLE:
            self._of(protocol)[_SIMPLE[event]] += 1

    def _of(self, protocol: str) -> Counter[str]:
        return self.by_protocol.setdefault(protocol, Counter())


def _transfer(record: Mapping[str, Any]) -> dict[str, int]:
    is_up = record["direction"] == "up"
    kind = "uploads" if is_up else "downloads"
    if record["outcome"] != "complete":
        kind = "failed_transfers"
    octets = "octets_up" if is_up else "octets_down"
    return {kind: 1, octets: record["size_octets"]}
