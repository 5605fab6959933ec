"""``netservices zone list`` and ``remove``: which zones there are."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import (
    apex_of,
    serial_raised,
    view_of,
    view_option,
    zone_title,
)
from netservices.units import DeleteZone


@click.command("list")
@json_option
@pass_workplace
def list_zones(workplace: Workplace, as_json: bool) -> None:
    """List all zones."""
    from netservices.dns.wire.names import name_text

    with workplace.open() as bench:
        rows = [
            {
                "zone": name_text(apex_of(info.name)),
                "serial": info.serial,
                "revision": info.revision,
                "view": view_of(info.name),
            }
            for info in bench.get(bench.store.zones.zones())
        ]
    columns = ["zone", "serial", "revision"]
    if any(row["view"] for row in rows):
        columns.append("view")
    show(rows, columns, as_json)


@click.command("remove")
@click.argument("origin")
@click.option("--yes", is_flag=True, help="Do not ask.")
@view_option
@pass_workplace
def remove_zone(workplace: Workplace, origin: str, yes: bool) -> None:
    """Stop serving a zone and forget its records."""
    from netservices.cli.zones import author, load_zone, wire_name

    if not yes:
        title = zone_title(wire_name(origin))
        click.confirm(f"Remove the zone {title}?", abort=True)
    with workplace.open() as bench:
        name = wire_name(origin)
        if view_of(name) is not None:
            load_zone(bench, origin)
        bench.apply(DeleteZone(name), *serial_raised(bench, name, author()))
