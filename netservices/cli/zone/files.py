"""``netservices zone import`` and ``export``: zones as master files."""

from __future__ import annotations

import os

import click

from netservices.cli.output import json_option, progress, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option


@click.command("import")
@click.argument("origin")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--keep-serial", is_flag=True, help="Never raise the SOA serial.")
@view_option
@json_option
@pass_workplace
def import_zone(
    workplace: Workplace, origin: str, file: str, keep_serial: bool, as_json: bool
) -> None:
    """Read a master file (RFC 1035 5) and serve it; it replaces the zone as it was.

    A file with an error changes nothing.  Where the SOA serial of a changed zone did
    not grow, it is raised so that secondaries notice (RFC 1982).
    """
    from netservices.cli.zones import import_rrsets, read_master_file

    with progress("Read") as report:
        rrsets = read_master_file(origin, file, report)
    with workplace.open() as bench:
        row = import_rrsets(bench, origin, rrsets, keep_serial)
    show_one(row, as_json)


@click.command("export")
@click.argument("origin")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A file.")
@view_option
@pass_workplace
def export_zone(workplace: Workplace, origin: str, output: str | None) -> None:
    """Write a zone as a master file, to standard output or a file."""
    from netservices.cli.zones import load_zone
    from netservices.dns.zonefile import write_zone

    with workplace.open() as bench:
        text = write_zone(load_zone(bench, origin))
    if output is None:
        click.echo(text, nl=False)
        return
    temporary = f"{output}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, output)
