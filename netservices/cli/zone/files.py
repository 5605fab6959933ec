"""``netservices zone import`` and ``export``: zones as master files."""

from __future__ import annotations

import os
import sys

import click

from netservices.cli.output import json_option, progress, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option

_include_option = click.option(
    "--include-below",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Where files that are included may lie; else beside FILE or below.",
)


@click.command(
    "import", short_help="Serve a zone from a master file or another server."
)
@click.argument("origin")
@click.argument(
    "file",
    required=False,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option("--from", "peer", metavar="SERVER", help="A server to take it from.")
@click.option("--keep-serial", is_flag=True, help="Never raise the SOA serial.")
@_include_option
@view_option
@json_option
@pass_workplace
def import_zone(
    workplace: Workplace,
    origin: str,
    file: str | None,
    peer: str | None,
    keep_serial: bool,
    include_below: str | None,
    as_json: bool,
) -> None:
    """Read a master file (RFC 1035 5) and serve it; it replaces the zone as it was.

    With --from the zone is transferred, once, from a server that allows it (AXFR), such
    as 192.0.2.1 or 192.0.2.1@5353.  A file with an error changes nothing.  Where the
    SOA serial of a changed zone did not grow, it is raised so that secondaries notice
    (RFC 1982).
    """
    from netservices.cli.zones import import_rrsets, read_master_file

    if (file is None) == (peer is None):
        raise click.UsageError("say FILE or --from SERVER")
    if peer is not None:
        from netservices.cli.zone.fetching import fetched

        rrsets = fetched(origin, peer)
    else:
        with progress("Read") as report:
            rrsets = read_master_file(origin, file or "", report, include_below)
    with workplace.open() as bench:
        row = import_rrsets(bench, origin, rrsets, keep_serial, peer or "")
    show_one(row, as_json)


@click.command(
    "import-dir", short_help="Serve every zone of a directory of master files."
)
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@click.option("--keep-serial", is_flag=True, help="Never raise the SOA serials.")
@_include_option
@json_option
@pass_workplace
def import_directory(
    workplace: Workplace,
    directory: str,
    keep_serial: bool,
    include_below: str | None,
    as_json: bool,
) -> None:
    """Read every master file of a directory; its name says the zone.

    ``example.org``, ``example.org.zone``, ``example.org.db`` and ``db.example.org`` are
    the zone example.org.  All files are read before any zone is changed: one with an
    error changes none.
    """
    from netservices.cli.zones import import_rrsets, read_master_file, refuse_broken

    found = zone_files(directory)
    if not found:
        raise click.ClickException(f"{directory} has no master files")
    read = []
    with progress("Read") as report:
        for number, (origin, path) in enumerate(found):
            rrsets = read_master_file(
                origin, path, lambda done, total: None, include_below
            )
            refuse_broken(origin, rrsets, is_quiet=True)
            read.append((origin, rrsets))
            report(number + 1, len(found))
    with workplace.open() as bench:
        rows = [
            import_rrsets(bench, origin, rrsets, keep_serial) for origin, rrsets in read
        ]
    show(rows, ("zone", "action", "records", "serial"), as_json)


def zone_files(directory: str) -> list[tuple[str, str]]:
    """The origin and path of each master file, by name.  What is hidden, or a copy that
    an editor left, is none."""
    found: dict[str, str] = {}
    for entry in sorted(os.listdir(directory)):
        path = os.path.join(directory, entry)
        name = entry.removeprefix("db.")
        for ending in (".zone", ".db", ".txt", "."):
            name = name.removesuffix(ending)
        is_left = entry.startswith((".", "#")) or entry.endswith(("~", ".bak", ".jnl"))
        if is_left or not name or not os.path.isfile(path):
            continue
        if name in found:
            raise click.ClickException(f"{found[name]} and {path} are the same zone")
        found[name] = path
    return list(found.items())


@click.command("export", short_help="Write a zone as a master file.")
@click.argument("origin", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A file.")
@click.option("--all", "directory", metavar="DIR", help="All zones, into files of DIR.")
@view_option
@pass_workplace
def export_zone(
    workplace: Workplace,
    origin: str | None,
    output: str | None,
    directory: str | None,
) -> None:
    """Write a zone as a master file, to standard output or a file.

    With --all every zone goes to a file of its name in DIR, as example.org.zone.
    """
    if (origin is None) == (directory is None) or (output and directory):
        raise click.UsageError("say ORIGIN, or --all DIR")
    from netservices.cli.zones import load_zone
    from netservices.dns.zonefile import write_zone

    if directory is not None:
        _export_all(workplace, directory)
        return
    with workplace.open() as bench:
        text = write_zone(load_zone(bench, origin or ""))
    if output is None:
        sys.stdout.write(text)
        return
    _write(output, text)


def _export_all(workplace: Workplace, directory: str) -> None:
    from netservices.dns.wire.names import name_text
    from netservices.dns.zonefile import write_zone

    os.makedirs(directory, exist_ok=True)
    with workplace.open() as bench:
        for info in bench.get(bench.store.zones.zones()):
            zone = bench.get(bench.store.zones.load(info.name))
            if zone is not None:
                _write(os.path.join(directory, _file_name(info.name)), write_zone(zone))
                click.echo(name_text(info.name))


def _file_name(name: bytes) -> str:
    """A file's name for a zone; a slash, as RFC 2317 has it, cannot be in one."""
    from netservices.dns.wire.names import name_text

    text = name_text(name).lower().removesuffix(".").replace("/", "\\047")
    return f"{text or 'root'}.zone"


def _write(path: str, text: str) -> None:
    """Write a file whole, or not at all."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
