"""``netservices zone catalog``: catalogs of our zones for secondaries (RFC 9432)."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace


@click.group("catalog")
def catalog() -> None:
    """Catalogs: zones that tell secondaries which zones there are."""


@catalog.command("create")
@click.argument("origin")
@pass_workplace
def create_catalog(workplace: Workplace, origin: str) -> None:
    """Create a catalog without members."""
    from netservices.cli.catalogs import create_operations
    from netservices.cli.zones import author

    with workplace.open() as bench:
        bench.apply(*create_operations(bench, origin, author()))


@catalog.command("add")
@click.argument("catalog_name", metavar="CATALOG")
@click.argument("origin")
@click.option(
    "--group", "groups", multiple=True, help="How consumers shall treat it; repeatable."
)
@pass_workplace
def add_member(
    workplace: Workplace, catalog_name: str, origin: str, groups: tuple[str, ...]
) -> None:
    """List a zone in a catalog."""
    from netservices.cli.catalogs import add_operations
    from netservices.cli.zones import author

    with workplace.open() as bench:
        bench.apply(*add_operations(bench, catalog_name, origin, groups, author()))


@catalog.command("remove")
@click.argument("catalog_name", metavar="CATALOG")
@click.argument("origin")
@pass_workplace
def remove_member(workplace: Workplace, catalog_name: str, origin: str) -> None:
    """List a zone no longer: secondaries that follow the catalog drop it."""
    from netservices.cli.catalogs import remove_operations
    from netservices.cli.zones import author

    with workplace.open() as bench:
        bench.apply(*remove_operations(bench, catalog_name, origin, author()))


@catalog.command("list")
@click.argument("catalog_name", metavar="[CATALOG]", required=False)
@json_option
@pass_workplace
def list_members(workplace: Workplace, catalog_name: str | None, as_json: bool) -> None:
    """List all catalogs, or the members of one."""
    from netservices.cli.catalogs import catalog_rows, member_rows

    with workplace.open() as bench:
        if catalog_name is None:
            show(catalog_rows(bench), ("catalog", "role", "members"), as_json)
            return
        rows = member_rows(bench, catalog_name)
    show(rows, ("zone", "id", "groups", "moves_to"), as_json)
