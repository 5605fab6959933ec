"""``netservices zone top``: who asks most, and for what."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace

_COLUMNS = {
    "names": ("name", "type", "queries", "error"),
    "clients": ("client", "queries", "error"),
    "zones": ("zone", "queries"),
}


@click.command("top", short_help="Show what the running server is asked most.")
@click.option("--names", "of", flag_value="names", default="names", help="Questions.")
@click.option("--clients", "of", flag_value="clients", help="Clients.")
@click.option("--zones", "of", flag_value="zones", help="Zones, since the start.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, help="How many at most."
)
@json_option
@pass_workplace
def show_top(workplace: Workplace, of: str, limit: int, as_json: bool) -> None:
    """Show what the running server is asked most, in the last minutes."""
    reply = workplace.ask({"verb": "dns.top", "of": of, "most": limit})
    show(reply["rows"], _COLUMNS[of], as_json)
    if reply["seconds"] is not None and not as_json:
        click.echo(f"in the last {reply['seconds']} seconds", err=True)
