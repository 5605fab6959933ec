"""``netservices zone balance``: how the addresses of a name are given out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace

if TYPE_CHECKING:
    from netservices.cli.bench import Bench
    from netservices.dns.zone.balance import BalanceRule
    from netservices.values import RRset, Zone


@click.group(
    "balance", short_help="Distribute the addresses of a name by weight and health."
)
def balance() -> None:
    """Give out the addresses of a name by weight, in turn, or by health."""


@balance.command("set")
@click.argument("origin")
@click.argument("name")
@click.argument("options", nargs=-1)
@pass_workplace
def set_rule(
    workplace: Workplace, origin: str, name: str, options: tuple[str, ...]
) -> None:
    """Distribute NAME as the options say: www weight=192.0.2.1:3,192.0.2.2 answers=1

    \b
    weight=ADDRESS:N,...   the share of each address, 1 if not given; 0: a backup,
                           used when all others are out of service
    mode=weighted|cyclic|sticky|failover
    answers=N|all          how many addresses an answer has; 1 if not given
    ttl=SECONDS            at most so much; 30 if not given
    type=A|AAAA            that type alone
    check=tcp:80, http:80/path, https:443/path
                           with interval=10s timeout=3s rise=2 fall=3, and for http
                           host=NAME status=200-399 text=TEXT verify=yes|no
    """
    from netservices.cli.zones import load_zone
    from netservices.dns.backend.balance import BALANCE
    from netservices.dns.wire.names import name_text
    from netservices.dns.zone.balance import BalanceRule

    with workplace.open() as bench:
        zone = load_zone(bench, origin)
        owner = _owner(zone, name)
        try:
            text = shlex.join((name_text(owner), *options))
            rule = BalanceRule.parse(text)
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None
        _compare(zone, rule)
        bench.apply(BALANCE.put(rule.name, rule))


@balance.command("list")
@click.argument("origin", required=False)
@json_option
@pass_workplace
def list_rules(workplace: Workplace, origin: str | None, as_json: bool) -> None:
    """List the rules that `zone balance set` made, of one zone or all."""
    from netservices.cli.zones import wire_name
    from netservices.dns.wire.names import canonical_key, fold, is_below, name_text

    apex = b"\0" if origin is None else fold(wire_name(origin))
    with workplace.open() as bench:
        rules = _rules(bench)
    rows = [
        {"name": name_text(name), "rule": str(rule).partition(" ")[2]}
        for name, rule in sorted(rules.items(), key=lambda i: canonical_key(i[0]))
        if is_below(name, apex)
    ]
    show(rows, ("name", "rule"), as_json)


@balance.command("remove")
@click.argument("origin")
@click.argument("name")
@pass_workplace
def remove_rule(workplace: Workplace, origin: str, name: str) -> None:
    """Give out all addresses of NAME again."""
    from netservices.cli.zones import load_zone
    from netservices.dns.backend.balance import BALANCE
    from netservices.dns.wire.names import fold, name_text

    with workplace.open() as bench:
        owner = fold(_owner(load_zone(bench, origin), name))
        if owner not in _rules(bench):
            raise click.ClickException(f"{name_text(owner)} has no rule")
        bench.apply(BALANCE.delete(owner))


def _owner(zone: Zone, name: str) -> bytes:
    """The name in the zone that a person typed."""
    from netservices.dns.wire.names import fold, is_below, name_text, parse_name

    try:
        owner = parse_name(name, zone.info.name)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if not is_below(fold(owner), fold(zone.info.name)):
        text = f"{name_text(owner)} is not in the zone {name_text(zone.info.name)}"
        raise click.ClickException(text)
    return owner


def _rules(bench: Bench) -> dict[bytes, BalanceRule]:
    from netservices.cli.shelves import load_all
    from netservices.dns.backend.balance import BALANCE

    return load_all(bench, BALANCE)


def _compare(zone: Zone, rule: BalanceRule) -> None:
    """Refuse a rule for a name without addresses; say which of its addresses the zone
    does not have, as they are never given."""
    from netservices.dns.wire.codes import Type
    from netservices.dns.wire.names import fold, name_text
    from netservices.dns.zone.balance import address_text

    own: list[RRset] = [r for r in zone.rrsets if fold(r.owner) == rule.name]
    if any(rrset.type == Type.ALIAS for rrset in own):
        return
    there = {rdata for r in own if r.type in rule.types for rdata in r.rdatas}
    name = name_text(rule.name)
    if not there:
        raise click.ClickException(f"{name} has no addresses: add them to the zone")
    for rdata, _ in rule.weights:
        if rdata not in there:
            text = f"{name} has no address {address_text(rdata)}; it is never given"
            click.echo(f"Warning: {text}", err=True)
