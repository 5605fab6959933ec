"""``netservices zone``: the names that this server answers for."""

from __future__ import annotations

import os
import sys

import click

from netservices.cli.output import json_option, progress, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.units import DeleteZone


@click.group()
def zone() -> None:
    """DNS zones: import, export, check, and change single records."""


@zone.command("import")
@click.argument("origin")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--keep-serial", is_flag=True, help="Never raise the SOA serial.")
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


@zone.command("export")
@click.argument("origin")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A file.")
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


@zone.command("check")
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


@zone.command("list")
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


@zone.command("remove")
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


@zone.group("record")
def record() -> None:
    """Single records of a zone."""


@record.command("add")
@click.argument("origin")
@click.argument("text", nargs=-1, required=True)
@pass_workplace
def add_record(workplace: Workplace, origin: str, text: tuple[str, ...]) -> None:
    """Add a record, written as in a master file: www 300 A 192.0.2.1"""
    from netservices.cli.zones import add_to_zone

    with workplace.open() as bench:
        add_to_zone(bench, origin, " ".join(text))


@record.command("remove")
@click.argument("origin")
@click.argument("name")
@click.argument("rdtype", metavar="TYPE")
@click.argument("rdata", nargs=-1)
@pass_workplace
def remove_record(
    workplace: Workplace, origin: str, name: str, rdtype: str, rdata: tuple[str, ...]
) -> None:
    """Remove all records of NAME and TYPE, or only the one with RDATA."""
    from netservices.cli.zones import remove_from_zone

    with workplace.open() as bench:
        remove_from_zone(bench, origin, name, rdtype, " ".join(rdata))


@record.command("list")
@click.argument("origin")
@click.option("--name", help="Only this owner name.")
@click.option("--type", "rdtype", help="Only this type.")
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
    from netservices.cli.zones import load_zone, record_rows

    with workplace.open() as bench:
        rows = record_rows(load_zone(bench, origin), name, rdtype)
    show(rows, ("name", "ttl", "type", "data"), as_json)
