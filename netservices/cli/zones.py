"""Zones on a command's bench: master files in, records changed, text out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from netservices.cli.bench import Bench, Progress
from netservices.dns.wire.codes import Type, type_name, type_number
from netservices.dns.wire.names import (
    canonical_key,
    fold,
    is_below,
    name_text,
    parse_name,
)
from netservices.dns.zonefile import (
    FATAL_CODES,
    ZoneFileError,
    check_zone,
    is_newer_serial,
    next_serial,
    parse_record,
    read_zone,
    serial_of,
    with_serial,
)
from netservices.dns.zonefile.texts import rdata_text
from netservices.units import CreateZone, ReplaceZone, UpdateZone
from netservices.values import Finding, RRset, Zone


def wire_name(text: str) -> bytes:
    """A domain name that a person typed, absolute with or without the final dot."""
    try:
        return parse_name(text if text.endswith(".") else f"{text}.")
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def load_zone(bench: Bench, origin: str) -> Zone:
    """The whole zone of that name."""
    found = bench.get(bench.store.zones.load(wire_name(origin)))
    if found is None:
        raise click.ClickException(f"there is no zone {origin}")
    return found


def read_master_file(origin: str, file: str, progress: Progress) -> tuple[RRset, ...]:
    """The RRsets of a master file, or of standard input for ``-``."""
    apex = wire_name(origin)
    warnings: list[Finding] = []
    source = sys.stdin.read() if file == "-" else Path(file)
    try:
        rrsets = read_zone(source, apex, progress=progress, warnings=warnings)
    except ZoneFileError as problem:
        raise click.ClickException(str(problem)) from None
    for finding in warnings:
        click.echo(f"{finding.object}: {finding.text}", err=True)
    return rrsets


def refuse_broken(origin: str, rrsets: tuple[RRset, ...]) -> None:
    """Refuse what cannot be served; say what is merely doubtful."""
    findings = check_zone(wire_name(origin), rrsets)
    fatal = [f for f in findings if f.code in FATAL_CODES]
    if fatal:
        lines = "\n".join(f"  {f.object}: {f.text}" for f in fatal)
        raise click.ClickException(f"the zone {origin} cannot be served:\n{lines}")
    for finding in findings:
        click.echo(f"Warning: {finding.object}: {finding.text}", err=True)


def import_rrsets(
    bench: Bench, origin: str, rrsets: tuple[RRset, ...], keep_serial: bool
) -> dict[str, Any]:
    """Create or replace the zone; what was done, for people and scripts."""
    refuse_broken(origin, rrsets)
    apex = wire_name(origin)
    known = bench.get(bench.store.zones.load(apex))
    action = "created"
    if known is None:
        bench.apply(CreateZone(apex, rrsets))
    elif _content(known.rrsets) == _content(rrsets):
        action = "unchanged"
        rrsets = known.rrsets
    else:
        action = "replaced"
        if not keep_serial:
            rrsets = _with_newer_serial(rrsets, known.info.serial)
        bench.apply(ReplaceZone(apex, rrsets, known.info.revision))
    return {
        "zone": name_text(apex),
        "action": action,
        "records": sum(len(rrset.rdatas) for rrset in rrsets),
        "serial": serial_of(rrsets),
    }


def _content(rrsets: tuple[RRset, ...]) -> set[Any]:
    """All that makes two zones differ."""
    return {(r.owner, r.type, r.ttl, frozenset(r.rdatas)) for r in rrsets}


def _with_newer_serial(rrsets: tuple[RRset, ...], than: int) -> tuple[RRset, ...]:
    """The same zone with a serial that secondaries take for newer (RFC 1982)."""
    serial = serial_of(rrsets)
    if serial is not None and is_newer_serial(serial, than):
        return rrsets
    return with_serial(rrsets, next_serial(than, _today()))


def _today() -> int:
    """The date as 20261121, for serials of that form."""
    return int(time.strftime("%Y%m%d", time.gmtime()))


def add_to_zone(bench: Bench, origin: str, text: str) -> None:
    """Add the record that ``text`` writes; one that is there already stays."""
    zone = load_zone(bench, origin)
    try:
        wanted = parse_record(zone.info.name, text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if not is_below(fold(wanted.owner), fold(zone.info.name)):
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
    _put(bench, zone, origin, removed=(), added=(changed,))


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
            (unwanted,) = parse_record(zone.info.name, text).rdatas
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None
        rest = tuple(kept for kept in known.rdatas if kept != unwanted)
        if len(rest) == len(known.rdatas):
            raise click.ClickException(f"{name_text(owner)} has no such record")
    added = (evolve(known, rdatas=rest),) if rest else ()
    _put(bench, zone, origin, removed=((known.owner, known.type),), added=added)


def _put(
    bench: Bench,
    zone: Zone,
    origin: str,
    removed: tuple[tuple[bytes, int], ...],
    added: tuple[RRset, ...],
) -> None:
    """Change some RRsets and the serial, unless the zone could not be served then."""
    gone = {(fold(owner), kind) for owner, kind in removed}
    gone |= {(fold(rrset.owner), rrset.type) for rrset in added}
    kept = (r for r in zone.rrsets if (fold(r.owner), r.type) not in gone)
    after = (*kept, *added)
    refuse_broken(origin, after)
    if _content(after) == _content(zone.rrsets):
        return
    serial = next_serial(zone.info.serial, _today())
    soa = [r for r in with_serial(after, serial) if r.type == Type.SOA]
    added = (*(r for r in added if r.type != Type.SOA), *soa)
    bench.apply(UpdateZone(zone.info.name, removed, added, zone.info.revision))


def _owner(zone: Zone, name: str) -> bytes:
    try:
        return parse_name(name, zone.info.name)
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
