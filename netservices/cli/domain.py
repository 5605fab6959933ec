"""``netservices domain``: what this server is responsible for."""

from __future__ import annotations

import datetime
from typing import Any

import click

from netservices.accounts.names import normalised_domain
from netservices.cli.bench import Bench
from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.cli.zones import wire_name
from netservices.units import DeleteDomain, Operation, RemoveAlias


@click.group()
def domain() -> None:
    """Domains: each has its zone, its postmaster and its accounts."""


@domain.command()
@click.argument("name")
@click.option("--no-zone", is_flag=True, help="Its names are served elsewhere.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    help="An address of this server for its zone; repeatable.",
)
@click.option("--postmaster", help="Who reads its postmaster's mail.")
@pass_workplace
def add(
    workplace: Workplace,
    name: str,
    no_zone: bool,
    addresses: tuple[str, ...],
    postmaster: str | None,
) -> None:
    """Add a domain, with its zone and its postmaster."""
    from netservices.domains import domain_operations, own_addresses

    with workplace.open() as bench:
        known = normalised_domain(name)
        has_zone = bench.get(bench.store.zones.load(wire_name(known))) is not None
        reader = bench.address(postmaster) if postmaster else _first_admin(bench)
        makes_zone = not (no_zone or has_zone)
        bench.apply(
            *domain_operations(
                known,
                workplace.configuration.hostname,
                addresses or own_addresses(),
                reader,
                makes_zone,
            ),
            *(_listing(bench, known) if makes_zone else ()),
        )
        if has_zone:
            click.echo(f"The zone {known} was there already and stays as it is.")


@domain.command("list")
@json_option
@pass_workplace
def list_domains(workplace: Workplace, as_json: bool) -> None:
    """List all domains, the default one first."""
    with workplace.open() as bench:
        rows = [
            {
                "domain": found.name,
                "default": position == 0,
                "created": datetime.datetime.fromtimestamp(
                    int(found.created), datetime.UTC
                ).isoformat(),
            }
            for position, found in enumerate(bench.domains())
        ]
    show(rows, ("domain", "default", "created"), as_json)


@domain.command()
@click.argument("name")
@click.option("--keep-zone", is_flag=True, help="Go on serving its names.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_workplace
def remove(workplace: Workplace, name: str, keep_zone: bool, yes: bool) -> None:
    """Remove a domain without accounts, with its aliases and its zone."""
    if not yes:
        click.confirm(f"Remove the domain {name}?", abort=True)
    with workplace.open() as bench:
        known = normalised_domain(name)
        operations: list[Operation] = [
            RemoveAlias(alias.address)
            for alias in bench.aliases()
            if alias.address.endswith(f"@{known}")
        ]
        zone = wire_name(known)
        if not keep_zone and bench.get(bench.store.zones.load(zone)) is not None:
            from netservices.cli.catalogs import removal
            from netservices.cli.zones import author

            operations += removal(bench, zone, author())
        bench.apply(*operations, DeleteDomain(known))


def _listing(bench: Bench, domain: str) -> tuple[Operation, ...]:
    """The new zone joins the default catalog, where there is one."""
    settings: Any = bench.configuration.protocols["dns"].settings
    if not settings.catalog:
        return ()
    from netservices.cli.catalogs import listing
    from netservices.cli.zones import author

    return listing(bench, settings.catalog, wire_name(domain), (), author())


def _first_admin(bench: Bench) -> str | None:
    """The login of the first administrator, who reads the postmaster's mail."""
    return next((a.login for a in bench.accounts() if a.is_admin), None)
