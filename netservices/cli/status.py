"""``netservices status``: what runs, on which ports."""

from __future__ import annotations

import json
from typing import Any

import click

from netservices.cli.output import json_option, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace


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
    summary = {
        name: value
        for name, value in reply.items()
        if not isinstance(value, list | dict)
    }
    show_one(summary, as_json=False)
    click.echo()
    columns = ("protocol", "endpoint", "address", "port", "connections", "answers")
    show(reply["listeners"], columns, as_json=False)
    for protocol, numbers in reply.get("protocols", {}).items():
        sessions = numbers.pop("sessions", [])
        if numbers:
            click.echo(f"\n{protocol}")
            show_one(numbers, as_json=False)
        if sessions:
            click.echo()
            show(sessions, tuple(sessions[0]), as_json=False)
