"""Tables that nobody needs any longer, taken apart a little at a time.

To free a hundred thousand answers takes tens of milliseconds, and nobody is answered
meanwhile.  So a table that is given up is put here, and those who have time take some
of it away.
"""

from __future__ import annotations

from sys import getrefcount
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netservices.dns.zone.tree import ZoneTree

_SMALL = 200
"""Tables of fewer entries are freed at once."""
_OURS = 2
"""References to a tree that only ``look`` knows: its own, and that of the count."""
_ITS_OWN = 3
"""References to the table of such a tree: those of tree and ``Names``, and that of the
count."""


class Leftovers:
    """Tables on their way out."""

    def __init__(self) -> None:
        self._tables: list[dict[Any, Any]] = []
        self._trees: list[ZoneTree] = []

    def __bool__(self) -> bool:
        return bool(self._tables)

    def drop(self, table: dict[Any, Any]) -> None:
        """Nobody uses this table any longer, nor changes it."""
        if len(table) > _SMALL:
            self._tables.append(table)

    def drop_tree(self, tree: ZoneTree) -> None:
        """A tree is out of service.  Whoever is still reading it may do so to the
        end."""
        if len(tree.packed) > _SMALL:
            self._trees.append(tree)

    def look(self) -> None:
        """See which trees are not read any longer."""
        trees, self._trees = self._trees, []
        while trees:
            tree = trees.pop()
            if getrefcount(tree) > _OURS or getrefcount(tree.packed) > _ITS_OWN:
                self._trees.append(tree)
            else:
                self._tables += tree.packed.dicts()

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
