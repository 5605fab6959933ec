"""``netservices zone check``: mistakes in a zone."""

from __future__ import annotations

import sys

import click

from netservices.cli.output import json_option, progress, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import apex_of, overlay_findings, view_option


@click.command("check")
@click.argument("origin")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@view_option
@json_option
@pass_workplace
def check_zone(
    workplace: Workplace, origin: str, file: str | None, as_json: bool
) -> None:
    """Look for mistakes in a zone, or in a master file before it is imported.

    Of an overlay it tells what is wrong in its view alone.
    """
    from netservices.cli.zones import load_zone, read_master_file, wire_name
    from netservices.dns.zonefile import check_zone as mistakes_in

    if file is not None:
        with progress("Read") as report:
            rrsets = read_master_file(origin, file, report)
    else:
        with workplace.open() as bench:
            rrsets = load_zone(bench, origin).rrsets
    name = wire_name(origin)
    if apex_of(name) == name:
        findings = mistakes_in(name, rrsets)
    else:
        with workplace.open() as bench:
            findings = overlay_findings(bench, name, rrsets)
    rows = [{"code": f.code, "name": f.object, "problem": f.text} for f in findings]
    if rows or as_json:
        show(rows, ("code", "name", "problem"), as_json)
    else:
        click.echo("No mistakes found.")
    if rows:
        sys.exit(1)
