"""``netservices zone list`` and ``remove``: which zones there are."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, readable_name, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import (
    apex_of,
    serial_raised,
    view_of,
    view_option,
    views_with_overlay,
    zone_title,
)


@click.command("create", short_help="Make a new zone with SOA and NS.")
@click.argument("origin")
@click.option("--ns", "servers", multiple=True, help="A name server; repeatable.")
@click.option("--address", "addresses", multiple=True, help="Of the zone's own name.")
@json_option
@pass_workplace
def create_zone(
    workplace: Workplace,
    origin: str,
    servers: tuple[str, ...],
    addresses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a new zone with SOA and NS; without --ns this host is its server.

    The addresses are also those of the servers that are inside the zone.
    """
    from netservices.cli.zones import create_with_servers

    with workplace.open() as bench:
        row = create_with_servers(bench, origin, servers, addresses)
    show_one(row, as_json)


@click.command("list")
@json_option
@pass_workplace
def list_zones(workplace: Workplace, as_json: bool) -> None:
    """List all zones."""
    from netservices.cli.secondaries import all_options, states
    from netservices.dns.options import NO_OPTIONS
    from netservices.dns.wire.names import fold, name_text

    with workplace.open() as bench:
        options = all_options(bench)
        found = states(bench)
        rows = []
        for info in bench.get(bench.store.zones.zones()):
            name = fold(info.name)
            own = options.get(name, NO_OPTIONS)
            role, state = "primary", "current"
            if own.primaries:
                role, state = "secondary", found.get(name, "empty")
            rows.append(
                {
                    "zone": readable_name(name_text(apex_of(info.name)), as_json),
                    "serial": info.serial,
                    "revision": info.revision,
                    "role": f"{role} catalog" if own.is_catalog else role,
                    "state": state,
                    "catalog": own.catalog or None,
                    "view": view_of(info.name),
                }
            )
    columns = ["zone", "serial", "revision", "role", "state"]
    columns += [name for name in ("catalog", "view") if any(r[name] for r in rows)]
    show(rows, columns, as_json)


@click.command("remove")
@click.argument("origin")
@click.option("--yes", is_flag=True, help="Do not ask.")
@view_option
@pass_workplace
def remove_zone(workplace: Workplace, origin: str, yes: bool) -> None:
    """Stop serving a zone and forget its records."""
    from netservices.cli.catalogs import removal
    from netservices.cli.zones import author, load_zone, wire_name

    if not yes:
        title = zone_title(wire_name(origin))
        click.confirm(f"Remove the zone {title}?", abort=True)
    with workplace.open() as bench:
        name = wire_name(origin)
        if view_of(name) is not None:
            load_zone(bench, origin)
        who = author()
        bench.apply(*removal(bench, name, who), *serial_raised(bench, name, who))
        for view in views_with_overlay(bench, name):
            text = f"its overlay in the view {view} stays until you remove it: --view"
            click.echo(f"Warning: {text} {view}", err=True)
