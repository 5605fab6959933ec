"""Zones on a command's bench: master files in, records changed, text out."""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from netservices.cli.bench import Bench, Progress
from netservices.cli.secondaries import refuse_copy
from netservices.cli.zone.overlays import (
    apex_of,
    refuse_broken_overlay,
    refuse_unknown_view,
    serial_raised,
    zone_title,
)
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import (
    fold,
    name_text,
    parse_name,
)
from netservices.dns.zonefile import (
    FATAL_CODES,
    ZoneFileError,
    by_key,
    check_zone,
    is_newer_serial,
    new_zone,
    next_serial,
    read_zone,
    serial_of,
    with_serial,
)
from netservices.dns.zonefile.changes import Key
from netservices.units import CreateZone, ReplaceZone, UpdateZone
from netservices.values import Finding, RRset, Zone

_LARGE_ZONE = 20_000
"""RRsets; from here on looking at all of them for a change of a few takes too long."""


def wire_name(text: str) -> bytes:
    """A domain name that a person typed, absolute with or without the final dot."""
    try:
        return parse_name(text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def load_zone(bench: Bench, origin: str) -> Zone:
    """The whole zone of that name."""
    name = wire_name(origin)
    found = bench.get(bench.store.zones.load(name))
    if found is None and apex_of(name) != name:
        raise click.ClickException(f"there is no overlay of {zone_title(name)}")
    if found is None:
        raise click.ClickException(f"there is no zone {origin}")
    return found


def read_master_file(
    origin: str,
    file: str,
    progress: Progress,
    include_below: str | None = None,
    warnings: list[Finding] | None = None,
    places: dict[Key, str] | None = None,
) -> tuple[RRset, ...]:
    """The RRsets of a master file, or of standard input for ``-``.  What is doubtful
    is said, or goes to ``warnings``; ``places`` gets where each RRset stands."""
    name = wire_name(origin)
    apex = apex_of(name)
    found: list[Finding] = []
    source = sys.stdin.read() if file == "-" else Path(file)
    try:
        rrsets = read_zone(
            source,
            apex,
            include_below=include_below,
            needs_soa=apex == name,
            progress=progress,
            warnings=found,
            places=places,
        )
    except ZoneFileError as problem:
        raise click.ClickException(str(problem)) from None
    if warnings is None:
        for finding in found:
            click.echo(f"Warning: {finding.text}", err=True)
    else:
        warnings += found
    return rrsets


def refuse_broken(
    origin: str, rrsets: tuple[RRset, ...], is_quiet: bool = False
) -> None:
    """Refuse what cannot be served; say what is merely doubtful."""
    name = wire_name(origin)
    if apex_of(name) != name:
        refuse_broken_overlay(name, rrsets)
        return
    findings = check_zone(name, rrsets)
    _refuse_fatal(origin, findings)
    for finding in () if is_quiet else findings:
        click.echo(f"Warning: {finding.object}: {finding.text}", err=True)


def _refuse_fatal(origin: str, findings: Iterable[Finding]) -> None:
    fatal = [f for f in findings if f.code in FATAL_CODES]
    if fatal:
        lines = "\n".join(f"  {f.object}: {f.text}" for f in fatal)
        raise click.ClickException(f"the zone {origin} cannot be served:\n{lines}")


def import_rrsets(
    bench: Bench,
    origin: str,
    rrsets: tuple[RRset, ...],
    keep_serial: bool,
    source: str = "",
) -> dict[str, Any]:
    """Create or replace the zone; what was done, for people and scripts.  ``source`` is
    the server that it comes from."""
    apex = wire_name(origin)
    refuse_copy(bench, apex)
    refuse_broken(origin, rrsets)
    known = bench.get(bench.store.zones.load(apex))
    action = "created"
    who = author(f"from {source}" if source else "")
    if known is None:
        refuse_unknown_view(bench, apex)
        raised = serial_raised(bench, apex, who)
        bench.apply(CreateZone(apex, rrsets, who), *raised)
    elif _content(known.rrsets) == _content(rrsets):
        action = "unchanged"
        rrsets = known.rrsets
    else:
        action = "replaced"
        if not keep_serial:
            rrsets = _with_newer_serial(rrsets, known.info.serial)
        raised = serial_raised(bench, apex, who)
        bench.apply(ReplaceZone(apex, rrsets, known.info.revision, who), *raised)
    return {
        "zone": zone_title(apex),
        "action": action,
        "records": sum(len(rrset.rdatas) for rrset in rrsets),
        "serial": serial_of(rrsets),
    }


def create_with_servers(
    bench: Bench, origin: str, servers: tuple[str, ...], addresses: tuple[str, ...]
) -> dict[str, Any]:
    """A new zone with SOA and NS; this host is its server where none is given."""
    from netservices.domains import own_addresses

    apex = wire_name(origin)
    if bench.get(bench.store.zones.load(apex)) is not None:
        raise click.ClickException(f"the zone {origin} exists")
    hostname = bench.configuration.hostname
    if not servers:
        # A host name that others cannot look up is no name of a server.
        servers = (hostname if "." in hostname else f"ns1.{origin}",)
        addresses = addresses or tuple(own_addresses())
    try:
        rrsets = new_zone(apex, [wire_name(name) for name in servers], addresses)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    return import_rrsets(bench, origin, rrsets, keep_serial=True)


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
    refuse_copy(bench, zone.info.name)
    now = by_key(zone.rrsets)
    if all(now.get((fold(o), t)) is None for o, t in removed) and all(
        _is_same(now.get((fold(rrset.owner), rrset.type)), rrset) for rrset in added
    ):
        return
    for owner, kind in removed:
        now.pop((fold(owner), kind), None)
    now.update(by_key(added))
    after = tuple(now.values())
    _refuse_broken_change(zone, after, {*(o for o, _ in removed), *_owners(added)})
    serial = next_serial(zone.info.serial, today())
    soa = [r for r in with_serial(after, serial) if r.type == Type.SOA]
    added = (*(r for r in added if r.type != Type.SOA), *soa)
    name, who = zone.info.name, author(detail)
    raised = serial_raised(bench, name, who)
    if not zone.info.revision:
        bench.apply(CreateZone(name, added, who), *raised)
        return
    bench.apply(UpdateZone(name, removed, added, zone.info.revision, who), *raised)


def _is_same(known: RRset | None, rrset: RRset) -> bool:
    return known is not None and _content((known,)) == _content((rrset,))


def _owners(rrsets: Iterable[RRset]) -> set[bytes]:
    return {rrset.owner for rrset in rrsets}


def _refuse_broken_change(
    zone: Zone, after: tuple[RRset, ...], owners: Iterable[bytes]
) -> None:
    """Refuse a change, at some names, with which the zone cannot be served; say what is
    doubtful now and was not before."""
    name = zone.info.name
    if apex_of(name) != name:
        refuse_broken_overlay(name, after)
        return
    # What forbids serving is seen at the names that change, and at the apex.
    touched = {fold(name), *map(fold, owners)}
    findings = check_zone(name, (r for r in after if fold(r.owner) in touched))
    _refuse_fatal(name_text(name), findings)
    if len(after) > _LARGE_ZONE:
        return
    before = set(check_zone(name, zone.rrsets))
    for finding in check_zone(name, after):
        if finding not in before:
            click.echo(f"Warning: {finding.object}: {finding.text}", err=True)
