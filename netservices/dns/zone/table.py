"""The table of a zone's names, which grows without holding anybody up.

Theory.  A dict that is full moves all that it has into a larger one, at once: with a
million names that takes tens of milliseconds, and nobody is answered meanwhile.  So the
names of a large zone are spread over ``PARTS`` dicts.  ``parts`` has that many places
in any case; those of a small zone are all the same dict.  Which place is a name's, its
hash says: ``parts[hash(name) >> SHIFT & MASK]``.  The bits are not those by which a
dict finds its own places, or names in one part would be in each other's way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from netservices.dns.zone.leaves import Node, node_of

PARTS = 32
MASK = PARTS - 1
SHIFT = 50
LARGEST_WHOLE = 16384
"""Names that one dict may have before it is taken apart, within some milliseconds."""

Part: TypeAlias = dict[bytes, Node | bytes]


class Table:
    """Folded names with their nodes, or the octets of their leaves: as much of a dict
    as a tree uses."""

    __slots__ = ("_is_whole", "parts")

    def __init__(self) -> None:
        whole: Part = {}
        self.parts = (whole,) * PARTS
        """For readers in a hurry."""
        self._is_whole = True

    def get(self, name: bytes) -> Node | bytes | None:
        """What is there under that name."""
        return self.parts[hash(name) >> SHIFT & MASK].get(name)

    def __getitem__(self, name: bytes) -> Node | bytes:
        return self.parts[hash(name) >> SHIFT & MASK][name]

    def __setitem__(self, name: bytes, found: Node | bytes) -> None:
        part = self.parts[hash(name) >> SHIFT & MASK]
        part[name] = found
        if self._is_whole and len(part) > LARGEST_WHOLE:
            self._take_apart(part)

    def __delitem__(self, name: bytes) -> None:
        del self.parts[hash(name) >> SHIFT & MASK][name]

    def __contains__(self, name: object) -> bool:
        return name in self.parts[hash(name) >> SHIFT & MASK]

    def __iter__(self) -> Iterator[bytes]:
        for part in self.dicts():
            yield from part

    def __len__(self) -> int:
        if self._is_whole:
            return len(self.parts[0])
        return sum(map(len, self.parts))

    def items(self) -> Iterator[tuple[bytes, Node | bytes]]:
        """Names and what is there."""
        for part in self.dicts():
            yield from part.items()

    def dicts(self) -> tuple[Part, ...]:
        """Each dict once."""
        return self.parts[:1] if self._is_whole else self.parts

    def _take_apart(self, whole: Part) -> None:
        parts: tuple[Part, ...] = tuple({} for _ in range(PARTS))
        for name, found in whole.items():
            parts[hash(name) >> SHIFT & MASK][name] = found
        self.parts = parts
        self._is_whole = False


class Names(Mapping[bytes, Node]):
    """The names of a tree and their nodes.  Nodes of leaves are made when they are
    asked for, so what is written into one is lost."""

    __slots__ = ("_packed",)

    def __init__(self, packed: Table) -> None:
        self._packed = packed

    def get(self, name: bytes, default: Any = None) -> Any:
        """The node of that name."""
        found = self._packed.get(name)
        if found.__class__ is bytes:
            return node_of(name, found)
        return default if found is None else found

    def __getitem__(self, name: bytes) -> Node:
        found = self._packed[name]
        return node_of(name, found) if isinstance(found, bytes) else found

    def __contains__(self, name: object) -> bool:
        return name in self._packed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)
