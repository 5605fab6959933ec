"""Small things that the store keeps for the DNS server, held in memory and up to date:
keys, grants, what is particular to a zone.

Each kind has a prefix in the key-value namespace ``dns``; the rest of the key names the
thing (often a folded name in wire format), and the value is JSON.  The command and the
server both read and write them here, so that what one puts the other understands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attrs import frozen

from netservices.dns.options import ZoneOptions
from netservices.interfaces import IStore
from netservices.units import DeleteValue, PutValue

NAMESPACE = "dns"
_PAGE = 500

T = TypeVar("T")


@frozen
class Kind(Generic[T]):
    """One kind of thing: its prefix, and how it becomes JSON and comes back."""

    prefix: bytes
    to_json: Callable[[T], Mapping[str, Any]]
    from_json: Callable[[Mapping[str, Any]], T]
    """ValueError, KeyError or TypeError where the JSON is not of this kind."""

    def put(self, key: bytes, value: T, **conditions: Any) -> PutValue:
        """The operation that keeps it; with ``if_absent`` or ``if_value``, only
        then."""
        text = json.dumps(self.to_json(value), sort_keys=True)
        return PutValue(NAMESPACE, self.prefix + key, text.encode(), **conditions)

    def delete(self, key: bytes) -> DeleteValue:
        """The operation that forgets it."""
        return DeleteValue(NAMESPACE, self.prefix + key)

    def read(self, value: bytes) -> T:
        """From what the store keeps.  ValueError."""
        try:
            return self.from_json(json.loads(value))
        except (KeyError, TypeError) as problem:
            raise ValueError(f"malformed: {problem}") from None


ZONE_OPTIONS: Kind[ZoneOptions] = Kind(
    b"zone/", ZoneOptions.to_json, ZoneOptions.from_json
)
"""By the zone's folded name."""


async def load_shelf(
    store: IStore, kind: Kind[T], read: Callable[[bytes], T] | None = None
) -> tuple[dict[bytes, T], list[str]]:
    """All things of a kind by key, and what is wrong with those that cannot be read;
    ``read`` takes the place of ``kind.read``.  StoreError."""
    read = read or kind.read
    found: dict[bytes, T] = {}
    problems: list[str] = []
    after = None
    while True:
        page = await store.values.scan(NAMESPACE, kind.prefix, after, _PAGE)
        for key, value in page:
            name = key[len(kind.prefix) :]
            try:
                found[name] = read(value)
            except ValueError as problem:
                problems.append(f"{key!r}: {problem}")
        if len(page) < _PAGE:
            return found, problems
        after = page[-1][0]


class Shelf(Generic[T]):
    """All things of one kind, as of the last ``load``."""

    def __init__(
        self,
        store: IStore,
        kind: Kind[T],
        changed: Callable[[], None] = lambda: None,
        complain: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``changed`` is called when things differ from before."""
        self._store = store
        self.kind = kind
        self.things: dict[bytes, T] = {}
        self._by_value: dict[bytes, T] = {}
        self._changed = changed
        self._complain = complain

    async def load(self) -> None:
        """Read them all.  StoreError."""
        self._put(await self._read())

    async def _read(self) -> dict[bytes, T]:
        """All of them.  Those that are as before are not made again: there may be a
        hundred thousand, of which one has changed.  StoreError."""
        fresh: dict[bytes, T] = {}

        def read(value: bytes) -> T:
            known = self._by_value.get(value)
            fresh[value] = self.kind.read(value) if known is None else known
            return fresh[value]

        things, problems = await load_shelf(self._store, self.kind, read)
        self._by_value = fresh
        for problem in problems:
            self._complain(problem)
        return things

    def _put(self, things: dict[bytes, T]) -> None:
        """Hold these, and say so where they differ from before."""
        if things != self.things:
            self.things = things
            self._changed()
