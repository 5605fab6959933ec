"""``netservices zone explain``: why a question gets its answer."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from netservices.cli.output import json_option
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.core.errors import SyntaxProblem

if TYPE_CHECKING:
    from netservices.cli.bench import Bench
    from netservices.dns.zone.tree import ZoneTree

_SECTIONS = ("answer", "authority", "additional")


@click.command("explain", short_help="Tell which rules and records give an answer.")
@click.argument("name")
@click.argument("rdtype", metavar="[TYPE]", default="A")
@click.option("--from", "address", default="127.0.0.1", help="The address of a client.")
@click.option("--server", default="", help="The address of ours that it asks.")
@click.option("--view", default="", help="The view that it sees, whoever it is.")
@click.option("--tcp", is_flag=True, help="Asked over TCP, not over UDP.")
@json_option
@pass_workplace
def explain(
    workplace: Workplace,
    name: str,
    rdtype: str,
    address: str,
    server: str,
    view: str,
    tcp: bool,
    as_json: bool,
) -> None:
    """Tell, step by step, which rules and records give the answer to a question.

    The running server tells; without one, the zones in the store.
    """
    from netservices.cli.zones import wire_name
    from netservices.dns.wire.names import name_text

    request = {
        "name": name_text(wire_name(name)),
        "type": rdtype.upper(),
        "address": address,
        "server": server,
        "view": view,
        "transport": "tcp" if tcp else "udp",
    }
    row = workplace.ask_if_running({"verb": "dns.explain", **request})
    if row is None:
        with workplace.open() as bench:
            row = _explain_stored(bench, request)
    row.pop("ok", None)
    if as_json:
        click.echo(json.dumps(row, indent=2))
    else:
        _show(row)


def _show(row: dict[str, Any]) -> None:
    """Steps with their records, then the answer."""
    click.echo(f"{row['name']} {row['type']}")
    for number, step in enumerate(row["steps"], 1):
        click.echo(f"{number}. {step['rule']}: {step['text']}")
        for record in step["records"]:
            click.echo(f"     {record}")
    if "rcode" not in row:
        return
    words = [row["rcode"]]
    words += ["authoritative"] if row["is_authoritative"] else []
    words += ["truncated"] if row["is_truncated"] else []
    click.echo(" ".join(words))
    for section in _SECTIONS:
        for record in row[section]:
            click.echo(f"  {section:<10}  {record}")


def _explain_stored(bench: Bench, request: dict[str, str]) -> dict[str, Any]:
    """The explanation from the zones in the store."""
    from netservices.dns.backend.views import ViewedZones
    from netservices.dns.dialogue.answer import Dialogue
    from netservices.dns.policy import Policy
    from netservices.dns.server.explain import explain_request
    from netservices.dns.views import Views
    from netservices.dns.wire.names import fold, parse_name
    from netservices.dns.zone.overlay import Overlay
    from netservices.dns.zone.tree import Zones

    settings = bench.configuration.dns
    zones = Zones()
    views = Views(settings.views)
    viewed = ViewedZones(zones, views.views)
    for tree in _trees_above(bench, fold(parse_name(request["name"]))):
        if not isinstance(tree, Overlay):
            zones.put(tree)
        viewed.put(tree)
    dialogue = Dialogue(zones, Policy(settings))
    dialogue.views = viewed.zones
    try:
        return explain_request(dialogue, views.see, request)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def _trees_above(bench: Bench, name: bytes) -> list[ZoneTree]:
    """The zones that ``name`` may be in, and what lies over them."""
    from netservices.dns.backend.views import empty_tree
    from netservices.dns.wire.names import fold, is_below

    trees = []
    for info in bench.get(bench.store.zones.zones()):
        tree = empty_tree(info.name, info.revision)
        if not is_below(name, tree.apex):
            continue
        zone = bench.get(bench.store.zones.load(fold(info.name)))
        for rrset in () if zone is None else zone.rrsets:
            with suppress(SyntaxProblem):
                tree.put(rrset)
        tree.touch()
        trees.append(tree)
    return trees
