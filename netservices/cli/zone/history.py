"""``netservices zone diff``, ``history`` and ``undo``: what changed in a zone."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from netservices.cli.output import json_option, progress, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option

if TYPE_CHECKING:
    from netservices.dns.zonefile import Comparison
    from netservices.values import ZoneChange


class _Trouble(click.ClickException):
    """No comparison was made; exit status 1 says that there are differences."""

    exit_code = 2


@click.command("diff", short_help="Show what a file would change, or what has changed.")
@click.argument("origin")
@click.argument("file", required=False, type=click.Path(exists=True, allow_dash=True))
@click.option("--from", "old", metavar="VERSION", help="An earlier version.")
@click.option("--to", "new", metavar="VERSION", help="A later one; else the present.")
@view_option
@json_option
@pass_workplace
def show_differences(
    workplace: Workplace,
    origin: str,
    file: str | None,
    old: str | None,
    new: str | None,
    as_json: bool,
) -> None:
    """What importing FILE would change in a zone, or what changed since a VERSION.

    A VERSION is a serial, or a revision as @12.  The exit status is 1 where there are
    differences.
    """
    if (file is None) == (old is None) or (file is not None and new is not None):
        raise click.UsageError("say FILE, or --from VERSION and perhaps --to VERSION")
    from netservices.cli.zone.versions import compare_file, compare_versions

    try:
        with progress("Read") as report, workplace.open() as bench:
            if file is not None:
                found = compare_file(bench, origin, file, report)
            else:
                found = compare_versions(bench, origin, old or "", new)
    except click.ClickException as problem:
        raise _Trouble(problem.format_message()) from None
    before, after, comparison = found
    if as_json:
        row = {"from": before, "to": after, **_records(comparison)}
        show_one(row, as_json)
    elif comparison:
        click.echo(f"--- {origin} {before}\n+++ {origin} {after}")
        for line in comparison.lines():
            click.echo(line)
    if comparison:
        sys.exit(1)


@click.command("history", short_help="Show who changed a zone, when, and how.")
@click.argument("origin")
@click.argument("revision", required=False, type=int)
@view_option
@json_option
@pass_workplace
def show_history(
    workplace: Workplace, origin: str, revision: int | None, as_json: bool
) -> None:
    """Who changed a zone and when; with REVISION the records of that change."""
    from netservices.cli.zone.versions import change_of, history_of

    with workplace.open() as bench:
        if revision is not None:
            _show_change(origin, *change_of(bench, origin, revision), as_json)
            return
        rows = [_row(change) for change in history_of(bench, origin)]
    if not as_json:
        for row in rows:
            row["when"] = _local_time(row["when"])
    columns = ("revision", "when", "who", "from", "to", "removed", "added")
    show(rows, columns, as_json)


@click.command("undo", short_help="Take back one change of a zone.")
@click.argument("origin")
@click.argument("revision", type=int)
@view_option
@pass_workplace
def undo_change(workplace: Workplace, origin: str, revision: int) -> None:
    """Take back one change, if nothing touched the same records later.

    The serial grows, and the taking back is a change of its own.
    """
    from netservices.cli.zone.versions import undo

    with workplace.open() as bench:
        undo(bench, origin, revision)


def _show_change(
    origin: str, change: ZoneChange, comparison: Comparison, as_json: bool
) -> None:
    row = _row(change)
    if as_json:
        show_one({**row, **_records(comparison)}, as_json)
        return
    when = _local_time(row["when"])
    click.echo(f"revision {change.revision}  {when}  {change.author or '-'}")
    click.echo(f"--- {origin} {change.from_serial}\n+++ {origin} {change.to_serial}")
    for line in comparison.lines():
        click.echo(line)


def _row(change: ZoneChange) -> dict[str, Any]:
    return {
        "revision": change.revision,
        "when": change.at,
        "who": change.author or None,
        "from": change.from_serial,
        "to": change.to_serial,
        "removed": change.removed_records,
        "added": change.added_records,
    }


def _records(comparison: Comparison) -> dict[str, Any]:
    """Both sides of a comparison as rows for scripts."""
    from netservices.cli.zone.editing import rows_of

    return {
        "removed_records": rows_of(comparison.removed),
        "added_records": rows_of(comparison.added),
    }


def _local_time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
