"""What differs between two versions of a zone, earlier versions, and taking back a
change.

The SOA's serial is on nobody's side: it goes on growing whatever is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from attrs import evolve, frozen

from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import canonical_key, fold, name_text
from netservices.dns.zonefile.create import with_serial
from netservices.dns.zonefile.write import record_text
from netservices.values import RRset, ZoneChange

Key: TypeAlias = tuple[bytes, int]
"""Owner in lower case, and type."""


class CannotUndo(ValueError):
    """A change cannot be taken back; the text says why."""


@frozen
class Comparison:
    """The records that only one of two versions has, as RRsets of just those."""

    removed: tuple[RRset, ...]
    added: tuple[RRset, ...]

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)

    def lines(self) -> list[str]:
        """One record a line after ``-`` or ``+``, by name and type, the SOA first."""
        marked = [(rrset, "-") for rrset in self.removed]
        marked += [(rrset, "+") for rrset in self.added]
        marked.sort(key=lambda pair: (*_order(pair[0]), pair[1] == "+"))
        return [
            mark + record_text(rrset, rdata)
            for rrset, mark in marked
            for rdata in sorted(rrset.rdatas)
        ]


def _order(rrset: RRset) -> tuple[object, ...]:
    return rrset.type != Type.SOA, canonical_key(rrset.owner), rrset.type


def by_key(rrsets: Iterable[RRset]) -> dict[Key, RRset]:
    """RRsets by owner and type."""
    return {(fold(rrset.owner), rrset.type): rrset for rrset in rrsets}


def compare(old: Iterable[RRset], new: Iterable[RRset]) -> Comparison:
    """What ``new`` lacks of ``old``, and what it has more; a record whose TTL or
    owner's letter case is another is both."""
    before, after = by_key(old), by_key(new)
    return Comparison(_only(before, after), _only(after, before))


def _only(one: dict[Key, RRset], other: dict[Key, RRset]) -> tuple[RRset, ...]:
    """The records of ``one`` that ``other`` does not have."""
    found = []
    for key, rrset in one.items():
        there = other.get(key)
        if there is None or (there.owner, there.ttl) != (rrset.owner, rrset.ttl):
            found.append(rrset)
            continue
        if there is not rrset and there.rdatas != rrset.rdatas:
            known = frozenset(there.rdatas)
            rdatas = tuple(rdata for rdata in rrset.rdatas if rdata not in known)
            if rdatas:
                found.append(evolve(rrset, rdatas=rdatas))
    return tuple(found)


def version_before(
    rrsets: Iterable[RRset], changes: Iterable[ZoneChange]
) -> tuple[RRset, ...]:
    """The zone as it was before ``changes``, which are its last ones, newest first."""
    content = by_key(rrsets)
    for change in changes:
        for rrset in change.added:
            content.pop((fold(rrset.owner), rrset.type), None)
        content.update(by_key(change.removed))
    return tuple(content.values())


def undoing(
    change: ZoneChange, later: Sequence[ZoneChange], rrsets: Iterable[RRset]
) -> tuple[tuple[Key, ...], tuple[RRset, ...]]:
    """What has to go from ``rrsets``, the zone after ``change`` and ``later``, and
    what has to be put, to take ``change`` back.  CannotUndo."""
    before, after = by_key(change.removed), by_key(change.added)
    now = by_key(rrsets)
    touched = [
        key
        for key in sorted(before.keys() | after.keys())
        if _plain(before.get(key)) != _plain(after.get(key))
    ]
    if not touched:
        raise CannotUndo(
            f"revision {change.revision} changed nothing but the serial: there is "
            "nothing to undo"
        )
    altered = [key for key in touched if _plain(now.get(key)) != _plain(after.get(key))]
    if altered:
        raise CannotUndo(_what_altered(change, later, altered))
    removed = tuple(key for key in touched if key not in before)
    return removed, tuple(before[key] for key in touched if key in before)


def _what_altered(
    change: ZoneChange, later: Sequence[ZoneChange], altered: Sequence[Key]
) -> str:
    """The refusal: which RRsets, and by which revisions."""
    lines = [
        f"revision {change.revision} cannot be undone, as later changes touched the "
        "same records:"
    ]
    for key in altered:
        revisions = [
            str(other.revision)
            for other in reversed(later)
            if key in by_key(other.removed) or key in by_key(other.added)
        ]
        where = f" (revision {', '.join(revisions)})" if revisions else ""
        lines.append(f"  {name_text(key[0])} {type_name(key[1])}{where}")
    return "\n".join(lines)


def _plain(rrset: RRset | None) -> object:
    """An RRset for comparing: records in any order, a SOA without its serial."""
    if rrset is None:
        return None
    if rrset.type == Type.SOA:
        (rrset,) = with_serial((rrset,), 0)
    return rrset.ttl, frozenset(rrset.rdatas)
