"""``netservices zone record``: single records of a zone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from netservices.cli.output import json_option, readable_name, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zone.overlays import view_option

if TYPE_CHECKING:
    from netservices.cli.zone.editing import Draft


@click.group("record")
def record() -> None:
    """Show and change single records of a zone."""


@record.command("add")
@click.argument("origin")
@click.argument("text", nargs=-1, required=True)
@view_option
@pass_workplace
def add_record(workplace: Workplace, origin: str, text: tuple[str, ...]) -> None:
    """Add a record, written as in a master file: www 300 A 192.0.2.1

    For TEXT - the records are read from standard input, one a line; all are added, or
    none.
    """
    from netservices.cli.zone.editing import add_lines

    _edit(workplace, origin, add_lines, text)


@record.command("set")
@click.argument("origin")
@click.argument("text", nargs=-1, required=True)
@view_option
@pass_workplace
def set_record(workplace: Workplace, origin: str, text: tuple[str, ...]) -> None:
    """Put a record in place of all that its name has of its type.

    For TEXT - the records are read from standard input, one a line.
    """
    from netservices.cli.zone.editing import set_lines

    _edit(workplace, origin, set_lines, text)


@record.command("remove")
@click.argument("origin")
@click.argument("name")
@click.argument("rdtype", metavar="[TYPE]", required=False)
@click.argument("rdata", nargs=-1)
@view_option
@pass_workplace
def remove_record(
    workplace: Workplace,
    origin: str,
    name: str,
    rdtype: str | None,
    rdata: tuple[str, ...],
) -> None:
    """Remove all records of NAME and TYPE, or only the one with RDATA.

    For NAME - what to remove is read from standard input, one a line.
    """
    from netservices.cli.zone.editing import remove_lines

    if rdtype is None and name != "-":
        raise click.UsageError("Missing argument '[TYPE]'.")
    words = (name,) if rdtype is None else (name, rdtype, *rdata)
    _edit(workplace, origin, remove_lines, words)


def _edit(
    workplace: Workplace,
    origin: str,
    function: Callable[[Draft, Sequence[str]], None],
    words: tuple[str, ...],
) -> None:
    """Do what the words say, or each line of standard input."""
    from netservices.cli.zone.editing import edit

    lines: Sequence[str] = (" ".join(words),)
    if lines == ("-",):
        lines = sys.stdin.read().splitlines()

    def apply(draft: Draft) -> None:
        function(draft, lines)

    with workplace.open() as bench:
        edit(bench, origin, apply)


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
    for row in rows:
        row["name"] = readable_name(row["name"], as_json)
    show(rows, ("name", "ttl", "type", "data"), as_json)
