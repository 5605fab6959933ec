"""Single records of a zone on a command's bench."""

from __future__ import annotations

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
from netservices.dns.zonefile import parse_record
from netservices.dns.zonefile.texts import rdata_text
from netservices.values import RRset, Zone


def add_to_zone(bench: Bench, origin: str, text: str) -> None:
    """Add the record that ``text`` writes; one that is there already stays."""
    zone = _zone_or_new_overlay(bench, origin)
    apex = apex_of(zone.info.name)
    try:
        wanted = parse_record(apex, text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if not is_below(fold(wanted.owner), fold(apex)):
        owner = name_text(wanted.owner)
        raise click.ClickException(f"{owner} is not in the zone {origin}")
    known = _rrset(zone, wanted.owner, wanted.type)
    if known is None:
        changed = wanted
    else:
        rdatas = dict.fromkeys((*known.rdatas, *wanted.rdatas))
        changed = evolve(known, ttl=wanted.ttl, rdatas=tuple(rdatas))
    if wanted.type == Type.SOA:
        changed = wanted
    change_zone(bench, zone, removed=(), added=(changed,))


def _zone_or_new_overlay(bench: Bench, origin: str) -> Zone:
    """The zone or overlay; an overlay begins with its first record."""
    name = wire_name(origin)
    found = bench.get(bench.store.zones.load(name)) or new_overlay(bench, name)
    if found is None:
        return load_zone(bench, origin)
    if not found.info.revision:
        load_zone(bench, name_text(apex_of(name)))
    return found


def remove_from_zone(
    bench: Bench, origin: str, name: str, rdtype: str, rdata: str
) -> None:
    """Remove an RRset, or the one record of it that ``rdata`` writes."""
    zone = load_zone(bench, origin)
    owner = _owner(zone, name)
    known = _rrset(zone, owner, _type(rdtype))
    if known is None:
        message = f"{name_text(owner)} has no records of type {rdtype.upper()}"
        raise click.ClickException(message)
    rest: tuple[bytes, ...] = ()
    if rdata:
        try:
            text = f"{name_text(owner)} {known.ttl} {type_name(known.type)} {rdata}"
            (unwanted,) = parse_record(apex_of(zone.info.name), text).rdatas
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None
        rest = tuple(kept for kept in known.rdatas if kept != unwanted)
        if len(rest) == len(known.rdatas):
            raise click.ClickException(f"{name_text(owner)} has no such record")
    added = (evolve(known, rdatas=rest),) if rest else ()
    change_zone(bench, zone, removed=((known.owner, known.type),), added=added)


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


def _rrset(zone: Zone, owner: bytes, rdtype: int) -> RRset | None:
    folded = fold(owner)
    for rrset in zone.rrsets:
        if rrset.type == rdtype and fold(rrset.owner) == folded:
            return rrset
    return None


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
    return [
        {
            "name": name_text(rrset.owner),
            "ttl": rrset.ttl,
            "type": type_name(rrset.type),
            "data": rdata_text(rrset.type, rdata),
        }
        for rrset in rrsets
        if owner in (None, fold(rrset.owner)) and wanted in (None, rrset.type)
        for rdata in rrset.rdatas
    ]
