"""``netservices zone list`` and ``remove``: which zones there are."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace
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
                "zone": name_text(info.name),
                "serial": info.serial,
                "revision": info.revision,
            }
            for info in bench.get(bench.store.zones.zones())
        ]
    show(rows, ("zone", "serial", "revision"), as_json)


@click.command("remove")
@click.argument("origin")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_workplace
def remove_zone(workplace: Workplace, origin: str, yes: bool) -> None:
    """Stop serving a zone and forget its records."""
    if not yes:
        click.confirm(f"Remove the zone {origin}?", abort=True)
    from netservices.cli.zones import wire_name

    with workplace.open() as bench:
        bench.apply(DeleteZone(wire_name(origin)))
