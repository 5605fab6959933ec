"""``netservices status``: what runs, on which ports."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from netservices.cli.output import json_option, show, show_one
from netservices.cli.session import show_sessions
from netservices.cli.workplace import Workplace, pass_workplace

_FIRST_TIME = 1e9
"""Numbers with a fraction that are greater are times."""
_SESSIONS = 20
"""How many of them are shown to people; ``netservices session list`` has all."""


@click.command()
@json_option
@pass_workplace
def status(workplace: Workplace, as_json: bool) -> None:
    """Show the running server; exit status 0 when every listener answers."""
    reply = workplace.ask({"verb": "status"})
    silent = [row for row in reply["listeners"] if not row["answers"]]
    if as_json:
        click.echo(json.dumps(reply, indent=2))
    else:
        _show_for_people(reply)
    if silent:
        raise SystemExit(1)


def _show_for_people(reply: dict[str, Any]) -> None:
    """The server in lines, its listeners and sessions in tables."""
    plain = {
        name: value
        for name, value in reply.items()
        if not isinstance(value, list | dict) and name != "ok"
    }
    show_one(plain, as_json=False)
    click.echo()
    columns = ("protocol", "endpoint", "address", "port", "traffic", "answers")
    rows = [{**row, "traffic": _traffic(row)} for row in reply["listeners"]]
    show(rows, columns, as_json=False)
    for protocol, numbers in reply.get("protocols", {}).items():
        if numbers:
            _show_protocol(protocol, numbers)
    rows = reply.get("session_list", ())[:_SESSIONS]
    if rows:
        click.echo()
        show_sessions(rows, reply["sessions"])


def _traffic(listener: dict[str, Any]) -> str:
    """What goes on at a listener: connections of streams, questions of datagrams."""
    if "connections" in listener:
        return f"{listener['connections']} of {listener['accepted']} connections"
    return f"{listener['received']} received"


def _show_protocol(protocol: str, numbers: dict[str, Any]) -> None:
    """One protocol's numbers in lines, its lists of things as tables."""
    tables = [
        value
        for value in numbers.values()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    lines = {
        name: _counts(value) if isinstance(value, dict) else value
        for name, value in numbers.items()
        if value not in tables and value != []
    }
    click.echo(f"\n{protocol}")
    if lines:
        show_one(lines, as_json=False)
    for rows in tables:
        click.echo()
        rows = [{name: _moment(value) for name, value in row.items()} for row in rows]
        show(rows, tuple(rows[0]), as_json=False)


def _moment(value: Any) -> Any:
    """A time since 1970 as a date; anything else as it is."""
    if isinstance(value, float) and value > _FIRST_TIME:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return value


def _counts(numbers: dict[str, Any]) -> list[str]:
    """``A 12, MX 3``: the numbers of a dict; of a dict of dicts its keys."""
    return [
        name if isinstance(number, dict) else f"{name} {number}"
        for name, number in numbers.items()
    ]
