"""Tables that nobody needs any longer, taken apart a little at a time.

To free a hundred thousand answers takes tens of milliseconds, and nobody is answered
meanwhile.  So a table that is given up is put here, and those who have time take some
of it away.
"""

from __future__ import annotations

from typing import Any

_SMALL = 200
"""Tables of fewer entries are freed at once."""


class Leftovers:
    """Tables on their way out."""

    def __init__(self) -> None:
        self._tables: list[dict[Any, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._tables)

    def drop(self, table: dict[Any, Any]) -> None:
        """Nobody uses this table any longer, nor changes it."""
        if len(table) > _SMALL:
            self._tables.append(table)

    def take_away(self, entries: int) -> None:
        """Free as many entries."""
        tables = self._tables
        while tables and entries > 0:
            table = tables[-1]
            count = min(entries, len(table))
            for _ in range(count):
                table.popitem()
            entries -= count
            if not table:
                tables.pop()
