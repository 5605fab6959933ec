"""Versions of a zone as the store has them: a whole one in pages, and the steps from an
older one to the newest.

A whole version is read page by page while the zone may change.  It stays one version
because each page brings the changes since the one before: an RRset that a change
touches before its page was read is taken from the change, as it was, and is skipped
when its page comes.  So neither a second copy of the zone nor a long read of the store
is needed, and what is remembered grows with the changes alone.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from typing import TypeAlias

from attrs import define, frozen

from netservices.dns.wire.serials import is_newer_serial
from netservices.interfaces import IZones, StoreError
from netservices.values import RRset, RRsets, ZoneChange, ZonePage

PAGE_RRSETS = 500
_SOA = 6

Key: TypeAlias = tuple[bytes, int]
"""Folded owner, and type."""

Pause: TypeAlias = Callable[[float], Awaitable[None]]
"""Lets other work have its turn, for so many seconds."""


class Gone(StoreError):
    """The version can no longer be read: the zone is gone, or its journal too short for
    all that changed meanwhile."""


def key_of(rrset: RRset) -> Key:
    """Under which RRsets are the same."""
    return rrset.owner.lower(), rrset.type


class Version:
    """The newest version of a zone at the time at which it was opened."""

    def __init__(
        self, zones: IZones, name: bytes, page: ZonePage, soa: RRset, pause: Pause
    ) -> None:
        self._zones = zones
        self._pause = pause
        self._name = name
        self._first = page
        self._soa = soa
        self.serial = page.info.serial

    @classmethod
    async def open(cls, zones: IZones, name: bytes, pause: Pause) -> Version | None:
        """None where there is no such zone, or it has no SOA.  StoreError."""
        page = await zones.page(name, None, PAGE_RRSETS, None)
        if page is None or page.soa is None:
            return None
        return cls(zones, name, page, page.soa, pause)

    async def parts(self) -> AsyncGenerator[Iterable[RRset], None]:
        """Every RRset once, some at a time, between two copies of the SOA
        (RFC 5936 2.2).  StoreError."""
        yield (self._soa,)
        async for part in self._others():
            yield part
        yield (self._soa,)

    async def _others(self) -> AsyncGenerator[Iterable[RRset], None]:
        page = self._first
        touched: set[Key] = {(self._name.lower(), _SOA)}
        while True:
            yield [rrset for rrset in page.rrsets if key_of(rrset) not in touched]
            if page.is_last:
                return
            position = key_of(page.rrsets[-1])
            page = await self._next(position, page.info.revision)
            for change in page.changes or ():
                seen: list[Key] = []
                for removed, added in _slices(change):
                    yield _before(position, touched, seen, removed, added)
                    await self._pause(0)
                touched.update(seen)

    async def _next(self, position: Key, revision: int) -> ZonePage:
        page = await self._zones.page(self._name, position, PAGE_RRSETS, revision)
        if page is None or page.changes is None:
            raise Gone("the zone has changed too much while it was read")
        return page


def _slices(change: tuple[RRsets, RRsets]) -> Iterator[tuple[RRsets, RRsets]]:
    """A change in parts, none of which holds up other work."""
    removed, added = change
    for start in range(0, max(len(removed), len(added)), PAGE_RRSETS):
        part = slice(start, start + PAGE_RRSETS)
        yield removed[part], added[part]


def _before(
    position: Key,
    touched: set[Key],
    seen: list[Key],
    removed: Iterable[RRset],
    added: Iterable[RRset],
) -> list[RRset]:
    """What a change touches for the first time behind ``position``, as it was; all that
    it touches there is added to ``seen``."""
    found = []
    for rrset in removed:
        key = key_of(rrset)
        if key > position:
            seen.append(key)
            if key not in touched:
                found.append(rrset)
    seen += (key for rrset in added if (key := key_of(rrset)) > position)
    return found


# --- from an older version to the newest --------------------------------------------


@frozen
class Chain:
    """The changes that lead from one serial to the newest, grouped so that each group
    raises the serial."""

    groups: tuple[tuple[ZoneChange, ...], ...]
    """Without RRsets, oldest first."""
    records: int
    """How many records went and came on the way."""

    @property
    def first(self) -> int:
        """The revision to which the first change led."""
        return self.groups[0][0].revision


def find_chain(history: Sequence[ZoneChange], serial: int) -> Chain | None:
    """The way from the version with that serial, in a history whose newest change comes
    first; None where there is none, or where more than one version had that serial and
    nobody knows which is meant."""
    steps = list(_without_gaps(history))[::-1]
    if not steps:
        return None
    had = [steps[0].from_serial, *(step.to_serial for step in steps)]
    if had.count(serial) != 1:
        return None
    way = steps[had.index(serial) :]
    groups: list[list[ZoneChange]] = []
    for step in way:
        if groups and not (_raises(groups[-1]) and _raises([step])):
            groups[-1].append(step)
        else:
            groups.append([step])
    while len(groups) > 1 and not _raises(groups[-1]):
        last = groups.pop()
        groups[-1] += last
    if not groups or not all(_raises(group) for group in groups):
        return None
    records = sum(step.removed_records + step.added_records for step in way)
    return Chain(tuple(tuple(group) for group in groups), records)


def _without_gaps(history: Sequence[ZoneChange]) -> Iterator[ZoneChange]:
    """The newest changes, up to the first that is not kept."""
    for number, change in enumerate(history):
        if change.revision != history[0].revision - number:
            return
        yield change


def _raises(steps: list[ZoneChange]) -> bool:
    return is_newer_serial(steps[-1].to_serial, steps[0].from_serial)


@define
class _Change:
    """What became of one RRset."""

    old: RRset | None
    new: RRset | None


@frozen
class Difference:
    """The single records by which a version differs from the one before."""

    old_soa: RRset
    new_soa: RRset
    deleted: tuple[RRset, ...]
    """Parts of RRsets: the records that go."""
    added: tuple[RRset, ...]


@frozen
class Changes:
    """All differences from one version to the newest."""

    serial: int
    """Of the newest."""
    differences: tuple[Difference, ...]

    def rrsets(self) -> Iterator[RRset]:
        """In the order of RFC 1995 4."""
        newest = self.differences[-1].new_soa
        yield newest
        for difference in self.differences:
            yield difference.old_soa
            yield from difference.deleted
            yield difference.new_soa
            yield from difference.added
        yield newest

    async def parts(self) -> AsyncGenerator[Iterable[RRset], None]:
        """The same, all at once."""
        yield self.rrsets()


async def read_changes(
    zones: IZones, name: bytes, chain: Chain, pause: Pause
) -> Changes | None:
    """What has changed on the way; None where the journal has become too short, or a
    version on the way had no SOA.  StoreError."""
    whole = {
        change.revision: change for change in await zones.history(name, chain.first)
    }
    differences: list[Difference] = []
    for group in chain.groups:
        changes = [whole.get(change.revision) for change in group]
        difference = await _join(name, changes, pause)
        if difference is None:
            return None
        differences.append(difference)
    return Changes(chain.groups[-1][-1].to_serial, tuple(differences))


async def _join(
    name: bytes, journalled: Iterable[ZoneChange | None], pause: Pause
) -> Difference | None:
    """Changes that follow each other, as one; None where one is missing."""
    changes: dict[Key, _Change] = {}
    for change in journalled:
        if change is None:
            return None
        gone: dict[Key, RRset] = {}
        for removed, _ in _slices((change.removed, ())):
            gone.update((key_of(rrset), rrset) for rrset in removed)
            await pause(0)
        for _, added in _slices(((), change.added)):
            for rrset in added:
                key = key_of(rrset)
                _note(changes, key, gone.pop(key, None), rrset)
            await pause(0)
        for key, rrset in gone.items():
            _note(changes, key, rrset, None)
    soa = changes.pop((name, _SOA), None)
    if soa is None or soa.old is None or soa.new is None:
        return None
    deleted: list[RRset] = []
    added_records: list[RRset] = []
    for index, changed in enumerate(changes.values(), 1):
        old, new = _records(changed)
        deleted += (old,) if old is not None else ()
        added_records += (new,) if new is not None else ()
        if index % PAGE_RRSETS == 0:
            await pause(0)
    return Difference(soa.old, soa.new, tuple(deleted), tuple(added_records))


def _note(
    changes: dict[Key, _Change], key: Key, old: RRset | None, new: RRset | None
) -> None:
    known = changes.get(key)
    if known is None:
        changes[key] = _Change(old, new)
    else:
        known.new = new


def _records(change: _Change) -> tuple[RRset | None, RRset | None]:
    """The records of an RRset that go, and those that come.

    RFC 1995 4: a record is modified by removing it and adding the modified one; so a
    new TTL (RFC 2181 5.2: it is the RRset's) touches all of them.
    """
    old, new = change.old, change.new
    if old is None or new is None or old.ttl != new.ttl:
        return old, new
    staying = set(old.rdatas) & set(new.rdatas)
    return _without(old, staying), _without(new, staying)


def _without(rrset: RRset, staying: set[bytes]) -> RRset | None:
    rdatas = tuple(rdata for rdata in rrset.rdatas if rdata not in staying)
    return RRset(rrset.owner, rrset.type, rrset.ttl, rdatas) if rdatas else None
