"""``netservices backup``, ``restore`` and ``check``: the care of the store."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, progress, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace


@click.command()
@click.argument("directory", type=click.Path(file_okay=False))
@json_option
@pass_workplace
def backup(workplace: Workplace, directory: str, as_json: bool) -> None:
    """Copy the whole state to DIRECTORY, consistently, also while the server runs.

    A backup into the directory of an older one copies only what is new.
    """
    with workplace.open(as_owner=False) as bench, progress("Backup") as report:
        manifest = bench.backup(directory, report)
    row = {
        "directory": directory,
        "files": len(manifest.files),
        "octets": sum(size for _, size, _ in manifest.files),
        "store": manifest.store_id,
    }
    show_one(row, as_json)


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@json_option
@pass_workplace
def restore(workplace: Workplace, directory: str, as_json: bool) -> None:
    """Bring a backup back into an empty state directory, verified octet by octet."""
    with progress("Restore") as report:
        found = workplace.restore(directory, report)
    show_one({"state": workplace.directory, "files": found.examined}, as_json)


@click.command()
@click.option(
    "--level",
    type=click.Choice(["quick", "full", "deep"]),
    default="full",
    show_default=True,
    help="quick: the database; full: all references and sums; deep: all hashes.",
)
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@json_option
@pass_workplace
def check(workplace: Workplace, level: str, repair: bool, as_json: bool) -> None:
    """Look for damage; exit status 1 where some remains."""
    with workplace.open() as bench, progress("Check") as report:
        findings = bench.check(level, repair, report)
    rows = [
        {
            "code": found.code,
            "object": found.object,
            "problem": found.text,
            "repair": found.repair,
            "repaired": found.is_repaired,
        }
        for found in findings
    ]
    if rows or as_json:
        show(rows, ("code", "object", "problem", "repair", "repaired"), as_json)
    else:
        click.echo("No damage found.")
    if not all(found.is_repaired for found in findings):
        raise SystemExit(1)
