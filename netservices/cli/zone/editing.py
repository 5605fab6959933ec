"""Single records of a zone on a command's bench: any number of edits, one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from attrs import evolve

from netservices.cli.bench import Bench
from netservices.cli.zone.overlays import apex_of, new_overlay
from netservices.cli.zones import change_zone, load_zone, wire_name
from netservices.dns.wire.codes import Type, type_name, type_number
from netservices.dns.wire.names import (
    canonical_key,
    fold,
    is_below,
    name_text,
    parse_name,
)
from netservices.dns.zonefile import by_key, parse_record
from netservices.dns.zonefile.changes import Key
from netservices.dns.zonefile.texts import rdata_text
from netservices.interfaces import Conflict
from netservices.values import RRset, Zone

_DEFAULT_TTL = 3600
_TRIES = 5
"""How often a change is made anew where another got in between."""


class Draft:
    """A zone with some edits.  Mistakes in them are ValueErrors."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.apex = apex_of(zone.info.name)
        self._now = by_key(zone.rrsets)
        self._changed: dict[Key, RRset | None] = {}
        self._set: set[Key] = set()

    def add(self, text: str) -> None:
        """Add the record that ``text`` writes; one that is there already stays."""
        wanted = self._parse(text)
        known = self._find(wanted.owner, wanted.type)
        if known is not None and wanted.type != Type.SOA:
            rdatas = dict.fromkeys((*known.rdatas, *wanted.rdatas))
            wanted = evolve(known, ttl=wanted.ttl, rdatas=tuple(rdatas))
        self._put(wanted)

    def set(self, text: str) -> None:
        """Put the record that ``text`` writes in place of all of its owner and type;
        several of them follow one another."""
        wanted = self._parse(text)
        key = fold(wanted.owner), wanted.type
        if key in self._set:
            self.add(text)
            return
        self._set.add(key)
        self._put(wanted)

    def remove(self, name: str, rdtype: str, rdata: str = "") -> None:
        """Remove an RRset, or the one record of it that ``rdata`` writes."""
        owner = parse_name(name, self.apex)
        known = self._find(owner, type_number(rdtype))
        if known is None:
            raise ValueError(
                f"{name_text(owner)} has no records of type {rdtype.upper()}"
            )
        rest: tuple[bytes, ...] = ()
        if rdata:
            text = f"{name_text(owner)} {known.ttl} {type_name(known.type)} {rdata}"
            (unwanted,) = parse_record(self.apex, text).rdatas
            rest = tuple(kept for kept in known.rdatas if kept != unwanted)
            if len(rest) == len(known.rdatas):
                raise ValueError(f"{name_text(owner)} has no such record")
        key = fold(owner), known.type
        self._changed[key] = evolve(known, rdatas=rest) if rest else None

    def changes(self) -> tuple[tuple[Key, ...], tuple[RRset, ...]]:
        """What has to go, and what has to be put."""
        removed = [key for key, rrset in self._changed.items() if rrset is None]
        added = [rrset for rrset in self._changed.values() if rrset is not None]
        return tuple(removed), tuple(added)

    def _parse(self, text: str) -> RRset:
        """The record that ``text`` writes.  Without a TTL it has that of its RRset,
        or else that of the zone's SOA."""
        soa = self._find(self.apex, Type.SOA)
        default = _DEFAULT_TTL if soa is None else soa.ttl
        wanted = parse_record(self.apex, text, default)
        known = self._find(wanted.owner, wanted.type)
        if known is not None:
            wanted = parse_record(self.apex, text, known.ttl)
        if not is_below(fold(wanted.owner), fold(self.apex)):
            owner, apex = name_text(wanted.owner), name_text(self.apex)
            raise ValueError(f"{owner} is not in the zone {apex}")
        return wanted

    def _find(self, owner: bytes, type_: int) -> RRset | None:
        key = fold(owner), int(type_)
        return self._changed[key] if key in self._changed else self._now.get(key)

    def _put(self, rrset: RRset) -> None:
        self._changed[fold(rrset.owner), rrset.type] = rrset


def edit(bench: Bench, origin: str, apply: Callable[[Draft], None]) -> None:
    """Change a zone as ``apply`` does its draft, all at once or not at all."""
    for left in reversed(range(_TRIES)):
        draft = Draft(_zone_or_new_overlay(bench, origin))
        try:
            apply(draft)
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None
        try:
            change_zone(bench, draft.zone, *draft.changes())
        except Conflict:
            if not left:
                raise
            continue
        return


def add_lines(draft: Draft, lines: Sequence[str]) -> None:
    """Add the record of each line."""
    _each(lines, draft.add)


def set_lines(draft: Draft, lines: Sequence[str]) -> None:
    """Put the records of all lines in place of what their RRsets were."""
    _each(lines, draft.set)


def remove_lines(draft: Draft, lines: Sequence[str]) -> None:
    """Remove what each line names: owner and type, and the data if it is given."""

    def remove(line: str) -> None:
        name, rdtype, *rdata = [*line.split(None, 2), "", ""][:3]
        if not rdtype:
            raise ValueError("a name and a type are wanted")
        draft.remove(name, rdtype, rdata[0].strip())

    _each(lines, remove)


def _each(lines: Sequence[str], function: Callable[[str], None]) -> None:
    """Call with each line; empty ones and comments are skipped."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(";"):
            continue
        try:
            function(text)
        except ValueError as problem:
            is_one = len(lines) == 1
            words = str(problem) if is_one else f"line {number}: {problem}"
            raise ValueError(words) from None


def _zone_or_new_overlay(bench: Bench, origin: str) -> Zone:
    """The zone or overlay; an overlay begins with its first record."""
    name = wire_name(origin)
    found = bench.get(bench.store.zones.load(name)) or new_overlay(bench, name)
    if found is None:
        return load_zone(bench, origin)
    if not found.info.revision:
        load_zone(bench, name_text(apex_of(name)))
    return found


def _owner(zone: Zone, name: str) -> bytes:
    try:
        return parse_name(name, apex_of(zone.info.name))
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def _type(text: str) -> int:
    try:
        return type_number(text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def record_rows(
    zone: Zone, name: str | None, rdtype: str | None
) -> list[dict[str, Any]]:
    """The records of a zone as rows, in canonical order, the apex first."""
    owner = None if name is None else fold(_owner(zone, name))
    wanted = None if rdtype is None else _type(rdtype)
    rrsets = sorted(
        zone.rrsets,
        key=lambda r: (canonical_key(r.owner), r.type != Type.SOA, r.type),
    )
    return rows_of(
        rrset
        for rrset in rrsets
        if owner in (None, fold(rrset.owner)) and wanted in (None, rrset.type)
    )


def rows_of(rrsets: Iterable[RRset]) -> list[dict[str, Any]]:
    """A row for each record."""
    return [
        {
            "name": name_text(rrset.owner),
            "ttl": rrset.ttl,
            "type": type_name(rrset.type),
            "data": rdata_text(rrset.type, rdata),
        }
        for rrset in rrsets
        for rdata in rrset.rdatas
    ]
