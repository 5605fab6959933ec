"""``netservices zone check``: mistakes in a zone."""

from __future__ import annotations

import sys

import click

from netservices.cli.output import json_option, progress, show
from netservices.cli.workplace import Workplace, pass_workplace


@click.command("check")
@click.argument("origin")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@json_option
@pass_workplace
def check_zone(
    workplace: Workplace, origin: str, file: str | None, as_json: bool
) -> None:
    """Look for mistakes in a zone, or in a master file before it is imported."""
    from netservices.cli.zones import load_zone, read_master_file, wire_name
    from netservices.dns.zonefile import check_zone as mistakes_in

    if file is not None:
        with progress("Read") as report:
            rrsets = read_master_file(origin, file, report)
    else:
        with workplace.open() as bench:
            rrsets = load_zone(bench, origin).rrsets
    findings = mistakes_in(wire_name(origin), rrsets)
    rows = [{"code": f.code, "name": f.object, "problem": f.text} for f in findings]
    if rows or as_json:
        show(rows, ("code", "name", "problem"), as_json)
    else:
        click.echo("No mistakes found.")
    if rows:
        sys.exit(1)
