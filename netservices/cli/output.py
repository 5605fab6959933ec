"""What people and scripts see: tables, ``--json``, and progress bars on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for scripts."
)


def stand_in_for_closed_streams() -> None:
    """Fill the places of closed standard streams, or the next file that is opened, such
    as the database, would get their numbers.

    There is nothing to read then, and writing to standard output fails.
    """
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def discard_output() -> None:
    """Let Python's last flush of standard output succeed, whatever it holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def show(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool
) -> None:
    """Print ``rows``: as a JSON array, or as a table of ``columns`` for people.

    Whoever pipes the table gets one line a row, tab-separated and without a header.
    """
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
    elif not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(_text(row[column]) for column in columns))
    else:
        _show_table(rows, columns)


def readable_name(text: str, as_json: bool) -> str:
    """A domain name for people at a terminal, with its letters of all scripts; pipes
    and scripts get the A-labels, which mean one name alone."""
    if as_json or "xn--" not in text.lower() or not sys.stdout.isatty():
        return text
    from netservices.dns.wire.names import u_labels

    return u_labels(text)


def show_one(row: Mapping[str, Any], as_json: bool) -> None:
    """Print one thing: as a JSON object, or as ``name: value`` lines."""
    if as_json:
        click.echo(json.dumps(dict(row), indent=2, ensure_ascii=False))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def _show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = bool(rows) and all(isinstance(r[column], int | float) for r in rows)
        table.add_column(
            column.replace("_", " "), justify="right" if numeric else "left"
        )
    for row in rows:
        table.add_row(*(Text(_text(row[column])) for column in columns))
    Console().print(table)


def _text(value: Any) -> str:
    """A value in a person's words; control characters shown, not obeyed."""
    if value is None:
        return "-"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or "-"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; silent where that is no terminal.

    Yields ``report(done, total)``.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
