"""``netservices zone check``: mistakes in a zone."""

from __future__ import annotations

import sys

import click

from netservices.cli.output import json_option, progress, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option

_LEVELS = ("note", "warning", "error")


class _Unreadable(click.ClickException):
    """Nothing was checked; exit status 1 says that there are mistakes."""

    exit_code = 2


@click.command("check", short_help="Look for mistakes in a zone, or in a master file.")
@click.argument("origin")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="warning",
    help="How bad a finding has to be: all, or what is no mere note.",
)
@click.option("--online", is_flag=True, help="Ask the name servers, too.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=53, help="Where they are asked."
)
@view_option
@json_option
@pass_workplace
def check_zone(
    workplace: Workplace,
    origin: str,
    file: str | None,
    level: str,
    online: bool,
    port: int,
    as_json: bool,
) -> None:
    """Look for mistakes in a zone, or in a master file before it is imported.

    Of an overlay it tells what is wrong in its view alone.  The exit status is 1 where
    there are findings, 2 where nothing could be checked.
    """
    from netservices.cli.zone.findings import findings_of

    try:
        with progress("Read") as report, workplace.open() as bench:
            rows = findings_of(bench, origin, file, port if online else 0, report)
    except click.ClickException as problem:
        raise _Unreadable(problem.format_message()) from None
    shown = _LEVELS[_LEVELS.index(level) :]
    rows = [row for row in rows if row["level"] in shown]
    if rows or as_json:
        columns = ("level", "code", "name", "problem")
        show(rows, columns if file is None else (*columns, "where"), as_json)
    else:
        click.echo("No mistakes found.")
    if rows:
        sys.exit(1)
