"""Zones on a command's bench: master files in, records changed, text out."""

from __future__ import annotations

import os
import pwd
import sys
import time
from pathlib import Path
from typing import Any

import click

from netservices.cli.bench import Bench, Progress
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import (
    fold,
    name_text,
    parse_name,
)
from netservices.dns.zonefile import (
    FATAL_CODES,
    ZoneFileError,
    check_zone,
    is_newer_serial,
    next_serial,
    read_zone,
    serial_of,
    with_serial,
)
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
        bench.apply(CreateZone(apex, rrsets, author()))
    elif _content(known.rrsets) == _content(rrsets):
        action = "unchanged"
        rrsets = known.rrsets
    else:
        action = "replaced"
        if not keep_serial:
            rrsets = _with_newer_serial(rrsets, known.info.serial)
        bench.apply(ReplaceZone(apex, rrsets, known.info.revision, author()))
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
    return with_serial(rrsets, next_serial(than, today()))


def today() -> int:
    """The date as 20261121, for serials of that form."""
    return int(time.strftime("%Y%m%d", time.gmtime()))


def author(detail: str = "") -> str:
    """Who runs this command, for the history of a zone."""
    _, *words = click.get_current_context().command_path.split()
    words += detail.split()
    try:
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    return f"{user}: {' '.join(words)}"


def change_zone(
    bench: Bench,
    zone: Zone,
    removed: tuple[tuple[bytes, int], ...],
    added: tuple[RRset, ...],
    detail: str = "",
) -> None:
    """Change some RRsets and the serial, unless the zone could not be served then."""
    gone = {(fold(owner), kind) for owner, kind in removed}
    gone |= {(fold(rrset.owner), rrset.type) for rrset in added}
    kept = (r for r in zone.rrsets if (fold(r.owner), r.type) not in gone)
    after = (*kept, *added)
    refuse_broken(name_text(zone.info.name), after)
    if _content(after) == _content(zone.rrsets):
        return
    serial = next_serial(zone.info.serial, today())
    soa = [r for r in with_serial(after, serial) if r.type == Type.SOA]
    added = (*(r for r in added if r.type != Type.SOA), *soa)
    bench.apply(
        UpdateZone(zone.info.name, removed, added, zone.info.revision, author(detail))
    )
