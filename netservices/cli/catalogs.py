"""Catalogs on a command's bench: made, changed and listed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import click
from attrs import evolve

from netservices.cli.bench import Bench
from netservices.cli.secondaries import all_options, options_of, refuse_copy
from netservices.cli.zones import load_zone, today, wire_name
from netservices.dns.backend.secondaries import forget_state
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.options import ZoneOptions
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, name_text
from netservices.dns.wire.rdata import SOA
from netservices.dns.zone.catalog import (
    BrokenCatalog,
    Member,
    member_owners,
    member_rrsets,
    new_catalog,
    read_catalog,
)
from netservices.dns.zonefile import next_serial, with_serial
from netservices.units import CreateZone, DeleteZone, Operation, UpdateZone
from netservices.values import RRset, Zone

MOST_MEMBERS = 1_000_000
_INVALID = b"\x07invalid\0"
_TIMERS = (3600, 600, 2_592_000, 0)
"""Refresh, retry, expire, minimum of a catalog's SOA."""


def create_operations(bench: Bench, origin: str, who: str) -> tuple[Operation, ...]:
    """A catalog without members."""
    apex = fold(wire_name(origin))
    soa = SOA(_INVALID, _INVALID, 1, *_TIMERS).encode()
    options = evolve(options_of(bench, apex), is_catalog=True)
    create = CreateZone(apex, new_catalog(apex, soa), who)
    return create, ZONE_OPTIONS.put(apex, options)


def add_operations(
    bench: Bench,
    catalog: str,
    origin: str,
    groups: tuple[str, ...],
    who: str,
) -> tuple[Operation, ...]:
    """A zone of this server joins a catalog of this server."""
    load_zone(bench, origin)
    return listing(bench, catalog, wire_name(origin), groups, who)


def listing(
    bench: Bench, catalog: str, name: bytes, groups: tuple[str, ...], who: str
) -> tuple[Operation, ...]:
    """The same, for a zone that may be made in the same unit."""
    zone, members = _open(bench, catalog)
    apex, member = fold(zone.info.name), fold(name)
    if member in members:
        raise click.ClickException(f"{name_text(member)} is in {catalog} already")
    if member == apex:
        raise click.ClickException("a catalog does not list itself")
    options = options_of(bench, member)
    if options.catalog:
        raise click.ClickException(
            f"{name_text(member)} is in the catalog {options.catalog}"
        )
    # RFC 9432 4.1: labels say nothing; a new one each time makes consumers begin anew.
    label = secrets.token_hex(8).encode()
    added = member_rrsets(apex, label, member, tuple(map(_group, groups)))
    put = ZONE_OPTIONS.put(member, evolve(options, catalog=name_text(apex)))
    return _change(zone, (), added, who), put


def _group(text: str) -> bytes:
    octets = text.encode()
    if not octets or len(octets) > 255:
        raise click.ClickException("a group has 1 to 255 octets")
    return octets


def remove_operations(
    bench: Bench, catalog: str, origin: str, who: str
) -> tuple[Operation, ...]:
    """A zone leaves a catalog."""
    name = fold(wire_name(origin))
    zone, members = _open(bench, catalog)
    member = members.get(name)
    if member is None:
        raise click.ClickException(f"{name_text(name)} is not in {catalog}")
    gone = member_owners(zone.info.name, member.label, zone.rrsets)
    options = evolve(options_of(bench, name), catalog="")
    kept = options != ZoneOptions()
    forget = ZONE_OPTIONS.put(name, options) if kept else ZONE_OPTIONS.delete(name)
    return _change(zone, gone, (), who), forget


def removal(bench: Bench, name: bytes, who: str) -> tuple[Operation, ...]:
    """A zone goes, with its records and all that is kept beside them."""
    name = fold(name)
    return (
        DeleteZone(name),
        ZONE_OPTIONS.delete(name),
        forget_state(name),
        *leaving(bench, name, who),
        *_released(bench, name),
    )


def _released(bench: Bench, name: bytes) -> tuple[Operation, ...]:
    """The zones that a catalog of ours has listed are in none when it is gone."""
    if options_of(bench, name).primaries:
        return ()
    text = name_text(name)
    return tuple(
        ZONE_OPTIONS.put(member, evolve(options, catalog=""))
        for member, options in all_options(bench).items()
        if options.catalog == text
    )


def leaving(bench: Bench, name: bytes, who: str) -> tuple[Operation, ...]:
    """What the removal of a zone means for the catalog that it is in."""
    options = options_of(bench, name)
    if not options.catalog:
        return ()
    if not options.primaries:
        change, *_ = remove_operations(bench, options.catalog, name_text(name), who)
        return (change,)
    catalog = options_of(bench, wire_name(options.catalog))
    if catalog.primaries:
        raise click.ClickException(
            f"{name_text(name)} is a member of the catalog {options.catalog}, "
            f"which comes from {catalog.primaries[0].split()[0]}: remove it there"
        )
    return ()


def catalog_rows(bench: Bench) -> list[dict[str, Any]]:
    """All catalogs."""
    options = all_options(bench)
    rows = []
    for name, own in options.items():
        if own.is_catalog:
            text = name_text(name)
            members = sum(other.catalog == text for other in options.values())
            role = "consumer" if own.primaries else "producer"
            rows.append({"catalog": text, "role": role, "members": members})
    return rows


def member_rows(bench: Bench, catalog: str) -> list[dict[str, Any]]:
    """What a catalog says of each member."""
    _, members = _read(bench, catalog)
    return [
        {
            "zone": name_text(member.zone),
            "id": member.label_text,
            "groups": list(member.groups),
            "moves_to": name_text(member.new_catalog) if member.new_catalog else None,
        }
        for member in members.values()
    ]


def _open(bench: Bench, catalog: str) -> tuple[Zone, Mapping[bytes, Member]]:
    """A catalog of ours, to be changed."""
    refuse_copy(bench, wire_name(catalog))
    return _read(bench, catalog)


def _read(bench: Bench, catalog: str) -> tuple[Zone, Mapping[bytes, Member]]:
    zone = load_zone(bench, catalog)
    try:
        return zone, read_catalog(zone.info.name, zone.rrsets, MOST_MEMBERS)
    except BrokenCatalog as problem:
        raise click.ClickException(f"{catalog} is no catalog: {problem}") from None


def _change(
    zone: Zone,
    removed: tuple[tuple[bytes, int], ...],
    added: tuple[RRset, ...],
    who: str,
) -> UpdateZone:
    """The change, with a new serial."""
    serial = next_serial(zone.info.serial, today())
    soa = with_serial([r for r in zone.rrsets if r.type == Type.SOA], serial)
    return UpdateZone(zone.info.name, removed, (*added, *soa), zone.info.revision, who)
