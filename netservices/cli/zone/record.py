"""``netservices zone record``: single records of a zone."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option


@click.group("record")
def record() -> None:
    """Single records of a zone."""


@record.command("add")
@click.argument("origin")
@click.argument("text", nargs=-1, required=True)
@view_option
@pass_workplace
def add_record(workplace: Workplace, origin: str, text: tuple[str, ...]) -> None:
    """Add a record, written as in a master file: www 300 A 192.0.2.1"""
    from netservices.cli.zone.editing import add_to_zone

    with workplace.open() as bench:
        add_to_zone(bench, origin, " ".join(text))


@record.command("remove")
@click.argument("origin")
@click.argument("name")
@click.argument("rdtype", metavar="TYPE")
@click.argument("rdata", nargs=-1)
@view_option
@pass_workplace
def remove_record(
    workplace: Workplace, origin: str, name: str, rdtype: str, rdata: tuple[str, ...]
) -> None:
    """Remove all records of NAME and TYPE, or only the one with RDATA."""
    from netservices.cli.zone.editing import remove_from_zone

    with workplace.open() as bench:
        remove_from_zone(bench, origin, name, rdtype, " ".join(rdata))


@record.command("list")
@click.argument("origin")
@click.option("--name", help="Only this owner name.")
@click.option("--type", "rdtype", help="Only this type.")
@view_option
@json_option
@pass_workplace
def list_records(
    workplace: Workplace,
    origin: str,
    name: str | None,
    rdtype: str | None,
    as_json: bool,
) -> None:
    """List the records of a zone."""
    from netservices.cli.zone.editing import record_rows
    from netservices.cli.zones import load_zone

    with workplace.open() as bench:
        rows = record_rows(load_zone(bench, origin), name, rdtype)
    show(rows, ("name", "ttl", "type", "data"), as_json)
