"""``netservices session``: who is connected, what moves how fast, and its end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace

COLUMNS = (
    "session",
    "protocol",
    "account",
    "address",
    "since",
    "idle",
    "tls",
    "directory",
    "transfer",
)
_ORDERS = ("rate", "since", "idle")
_LONGEST_NAME = 40
_DAY = 86400


@click.group()
def session() -> None:
    """Sessions of the running server: list them, end them."""


@session.command("list")
@click.option("--protocol", default="", help="Those of one protocol only.")
@click.option("--account", default="", help="Those of one account only.")
@click.option("--address", default="", help="Those from one address only.")
@click.option(
    "--sort",
    type=click.Choice(_ORDERS),
    default="rate",
    help="What comes first: fast transfers, new sessions, or busy ones.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, help="How many at most."
)
@json_option
@pass_workplace
def list_sessions(
    workplace: Workplace,
    protocol: str,
    account: str,
    address: str,
    sort: str,
    limit: int,
    as_json: bool,
) -> None:
    """List the open sessions, and what they transfer."""
    reply = workplace.ask(
        {
            "verb": "sessions",
            "protocol": protocol,
            "account": account,
            "address": address,
            "order": sort,
            "most": limit,
        }
    )
    if as_json:
        click.echo(json.dumps(reply["sessions"], indent=2))
        return
    show_sessions(reply["sessions"], reply["total"])


@session.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--account", default="", help="All sessions of one account.")
@click.option("--address", default="", help="All sessions from one address.")
@pass_workplace
def end(workplace: Workplace, ids: tuple[str, ...], account: str, address: str) -> None:
    """End sessions; a transfer that runs breaks off."""
    if not (ids or account or address):
        raise click.UsageError("say which: ID, --account or --address")
    reply = workplace.ask(
        {
            "verb": "end_sessions",
            "sessions": list(ids),
            "account": account,
            "address": address,
        }
    )
    ended = reply["ended"]
    for one in ended:
        click.echo(f"{one} has ended")
    missing = [one for one in ids if one not in ended]
    if missing or not ended:
        what = ", ".join(missing) or "of that kind"
        raise click.ClickException(f"there is no session {what}")


def show_sessions(rows: Sequence[Mapping[str, Any]], total: int) -> None:
    """Print sessions as a table, and how many more there are."""
    is_short = sys.stdout.isatty()
    words = [_words(row, is_short) for row in rows]
    columns: tuple[str, ...] = COLUMNS
    if is_short:
        # A terminal has no room for columns without anything in them.
        columns = tuple(c for c in COLUMNS if any(row[c] != "-" for row in words))
    show(words, columns or COLUMNS, as_json=False)
    if total > len(rows):
        click.echo(f"... and {total - len(rows)} more", err=not is_short)


def _words(row: Mapping[str, Any], is_short: bool) -> dict[str, Any]:
    directory = row["directory"]
    return {
        "session": row["session"],
        "protocol": row["protocol"],
        "account": row["account"] or "-",
        "address": row["address"] or "-",
        "since": _moment(row["since"]),
        "idle": _duration(row["idle_seconds"]),
        "tls": row["tls"] or "-",
        "directory": (shortened(directory) if is_short else directory) or "-",
        "transfer": _transfer(row["transfer"], is_short),
    }


def _transfer(transfer: Mapping[str, Any] | None, is_short: bool) -> str:
    """``RETR /big.iso 45% of 700.0M at 11.2M/s``."""
    if transfer is None:
        return "-"
    path = shortened(transfer["path"]) if is_short else transfer["path"]
    total = transfer["total_octets"]
    if total is None:
        how_far = octets(transfer["octets"])
    else:
        how_far = f"{transfer['percent'] or 0}% of {octets(total)}"
    return f"{transfer['verb']} {path} {how_far} at {octets(transfer['rate'])}/s"


def octets(number: int) -> str:
    """A number of octets in few letters: ``512``, ``1.5K``, ``700.0M``."""
    size = float(number)
    for unit in ("", "K", "M", "G"):
        if size < 1024:
            return f"{size:.1f}{unit}" if unit else str(number)
        size /= 1024
    return f"{size:.1f}T"


def shortened(name: str) -> str:
    """A long name without its middle."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def _moment(seconds: float) -> str:
    """The time of day; for what is older than a day, the date before it."""
    form = "%H:%M:%S" if time.time() - seconds < _DAY else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(seconds))


def _duration(seconds: float) -> str:
    """``5s``, ``3m``, ``2h``."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
