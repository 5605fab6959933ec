"""``netservices key``: secrets that sign requests, and what may be done with them."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace


@click.group()
def key() -> None:
    """Keys for DNS (TSIG), and what may be done with them."""


@key.command("add")
@click.argument("name")
@click.option("--algorithm", default="hmac-sha256", show_default=True)
@click.option("--account", help="Whose key it is: it has that account's rights too.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret from a pipe.")
@json_option
@pass_workplace
def add_key(
    workplace: Workplace,
    name: str,
    algorithm: str,
    account: str | None,
    secret_stdin: bool,
    as_json: bool,
) -> None:
    """Add a key; without --secret-stdin a secret is made and printed."""
    from netservices.cli import keys

    secret = keys.secret_from_stdin() if secret_stdin else None
    with workplace.open() as bench:
        made = keys.add_key(bench, name, algorithm.lower(), account, secret)
    _show(made, as_json)


@key.command("list")
@json_option
@pass_workplace
def list_keys(workplace: Workplace, as_json: bool) -> None:
    """List all keys, without their secrets."""
    from netservices.cli import keys
    from netservices.cli.shelves import load_all
    from netservices.dns.backend.keys import KEYS
    from netservices.dns.wire.tsig import algorithm_text

    with workplace.open() as bench:
        found = load_all(bench, KEYS)
    rows = [
        {
            "key": keys.key_text(one),
            "algorithm": algorithm_text(one.algorithm),
            "account": one.account or None,
        }
        for one in found.values()
    ]
    show(rows, ("key", "algorithm", "account"), as_json)


@key.command("show")
@click.argument("name")
@json_option
@pass_workplace
def show_key(workplace: Workplace, name: str, as_json: bool) -> None:
    """Show a key with its secret, as other programs want it written."""
    from netservices.cli import keys

    with workplace.open() as bench:
        found = keys.load_key(bench, name)
    _show(found, as_json)


def _show(found: object, as_json: bool) -> None:
    from netservices.cli import keys
    from netservices.dns.backend.keys import KEYS
    from netservices.dns.wire.tsig import Key

    assert isinstance(found, Key)
    if as_json:
        fields = dict(KEYS.to_json(found))
        del fields["account_id"]
        show_one({**fields, "name": keys.key_text(found)}, as_json)
        return
    click.echo(keys.key_clause(found))
    click.echo(f"# nsupdate {keys.key_argument(found)}")


@key.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_workplace
def remove_key(workplace: Workplace, name: str, yes: bool) -> None:
    """Remove a key, with what was granted to it."""
    from netservices.cli import keys

    if not yes:
        click.confirm(f"Remove the key {name}?", abort=True)
    with workplace.open() as bench:
        count = keys.remove_key(bench, name)
    if count:
        click.echo(f"{count} grants went with it.")


@key.command("grant")
@click.argument("holder")
@click.argument("names")
@click.argument("types", default="any")
@click.option("--zone", help="In that zone only.")
@pass_workplace
def grant(
    workplace: Workplace, holder: str, names: str, types: str, zone: str | None
) -> None:
    """Allow HOLDER to change records by dynamic update.

    HOLDER is key:NAME or account:LOGIN.  NAMES is a name, *.NAME for all names below
    it, * for all, _LABEL.* or _LABEL.*.NAME for those that begin with that label, or
    self for the name of the key.  TYPES are types such as A,AAAA, or any.
    """
    from netservices.cli import keys
    from netservices.dns.backend.keys import GRANTS

    with workplace.open() as bench:
        wanted = keys.wanted_grant(bench, holder, names, types, zone)
        bench.apply(GRANTS.put(wanted.id, wanted))


@key.command("revoke")
@click.argument("holder")
@click.argument("names")
@click.argument("types", default="any")
@click.option("--zone", help="The zone of the grant, where it has one.")
@pass_workplace
def revoke(
    workplace: Workplace, holder: str, names: str, types: str, zone: str | None
) -> None:
    """Take back a grant; the words are those with which it was given."""
    from netservices.cli import keys
    from netservices.dns.backend.keys import GRANTS

    with workplace.open() as bench:
        wanted = keys.unwanted_grant(bench, holder, names, types, zone)
        bench.apply(GRANTS.delete(wanted.id))


@key.command("grants")
@click.argument("holder", required=False)
@json_option
@pass_workplace
def list_grants(workplace: Workplace, holder: str | None, as_json: bool) -> None:
    """List all grants, or those of HOLDER."""
    from netservices.cli import keys

    with workplace.open() as bench:
        rows = keys.grant_rows(bench, holder)
    show(rows, ("holder", "names", "types", "zone"), as_json)
