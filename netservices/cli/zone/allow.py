"""``netservices zone allow``: who may have a zone, change it, or announce changes."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show_one
from netservices.cli.workplace import Workplace, pass_workplace

_ACTIONS = ("update", "transfer", "notify")


@click.command("allow")
@click.argument("origin")
@click.argument("action", metavar="ACTION", type=click.Choice(_ACTIONS))
@click.argument("who", nargs=-1)
@click.option("--nobody", is_flag=True, help="Forget the list.")
@json_option
@pass_workplace
def allow(
    workplace: Workplace,
    origin: str,
    action: str,
    who: tuple[str, ...],
    nobody: bool,
    as_json: bool,
) -> None:
    """Say who may change a zone, transfer it, or announce changes of it.

    ACTION is update, transfer or notify.
    WHO replaces the zone's list: networks, loopback, any, key:NAME, account:LOGIN, and
    !NETWORK, which shuts one out.  Without WHO the list is shown.
    """
    from netservices.cli.secondaries import check_access, options_of
    from netservices.cli.zones import load_zone
    from netservices.dns.backend.shelf import ZONE_OPTIONS
    from netservices.dns.options import ZoneOptions
    from netservices.dns.wire.names import fold, name_text

    if who and nobody:
        raise click.ClickException("--nobody stands alone")
    with workplace.open() as bench:
        apex = fold(load_zone(bench, origin).info.name)
        fields = dict(options_of(bench, apex).to_json())
        if who or nobody:
            fields[f"allow_{action}"] = check_access(who)
            bench.apply(ZONE_OPTIONS.put(apex, ZoneOptions.from_json(fields)))
    words = list(fields.get(f"allow_{action}", ()))
    show_one({"zone": name_text(apex), action: words}, as_json)
