"""``netservices account``: who may log in."""

from __future__ import annotations

import sys
from typing import Any

import click

from netservices.accounts.bootstrap import password_is_seen, unseen_login
from netservices.accounts.credentials import (
    app_password_operations,
    credential_operations,
    first_secrets,
)
from netservices.accounts.passwords import random_password
from netservices.cli.output import json_option, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.core.settings import Size
from netservices.units import (
    CreateAccount,
    DeleteAccount,
    PutAlias,
    RemoveAlias,
    RemoveCredential,
    UpdateAccount,
)
from netservices.values import Account, Alias, CredentialKind


class SizeParameter(click.ParamType[int]):
    """A size such as 10G; ``none`` for no limit."""

    name = "size"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Octets; -1 for none."""
        if str(value).lower() == "none":
            return -1
        try:
            return Size.parse(value)
        except ValueError as problem:
            self.fail(f"{value}: {problem}", param, ctx)


@click.group()
def account() -> None:
    """Accounts: one login and password for every protocol."""


def _as_row(found: Account) -> dict[str, Any]:
    quota = found.quota_octets
    return {
        "login": found.login,
        "admin": found.is_admin,
        "enabled": found.is_enabled,
        "quota": None if quota is None else str(Size(quota)),
        "groups": list(found.groups),
    }


@account.command()
@click.argument("name")
@click.option("--domain", help="The account's domain, where NAME does not say it.")
@click.option("--admin", is_flag=True, help="May administer the server.")
@click.option("--quota", type=SizeParameter(), help="What it may store, such as 10G.")
@click.option("--group", "groups", multiple=True, help="A group; repeatable.")
@click.option("--password-stdin", is_flag=True, help="Read the password from a pipe.")
@click.option("--adopt-files", is_flag=True, help="Take over files of that name.")
@json_option
@pass_workplace
def add(
    workplace: Workplace,
    name: str,
    domain: str | None,
    admin: bool,
    quota: int | None,
    groups: tuple[str, ...],
    password_stdin: bool,
    adopt_files: bool,
    as_json: bool,
) -> None:
    """Add an account; without --password-stdin a password is made and printed once."""
    password, is_made = _choose_password(password_stdin)
    with workplace.open() as bench:
        local, home = bench.new_login(name, domain)
        if not adopt_files:
            bench.refuse_left_files(f"{local}@{home}")
        secrets = first_secrets(password, workplace.configuration.accounts)
        octets = None if quota == -1 else quota
        bench.apply(CreateAccount(local, home, admin, octets, groups, secrets))
    row: dict[str, Any] = {"login": f"{local}@{home}"}
    if is_made:
        row["password"] = password
    show_one(row, as_json)


def _choose_password(from_stdin: bool) -> tuple[str, bool]:
    """A password, and whether it was made up here."""
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise click.ClickException("no password on standard input")
        return line, False
    return random_password(), True


@account.command("list")
@json_option
@pass_workplace
def list_accounts(workplace: Workplace, as_json: bool) -> None:
    """List all accounts."""
    with workplace.open() as bench:
        rows = [_as_row(found) for found in bench.accounts()]
    show(rows, ("login", "admin", "enabled", "quota", "groups"), as_json)


@account.command("show")
@click.argument("login")
@json_option
@pass_workplace
def show_account(workplace: Workplace, login: str, as_json: bool) -> None:
    """Show an account, its app passwords and what it stores."""
    with workplace.open() as bench:
        found = bench.account(login)
        row = _as_row(found)
        octets, files = bench.usage(found)
        row["stored"] = f"{Size(octets)} in {files} files"
        row["app_passwords"] = [
            f"{c.label} ({', '.join(c.protocols) or 'all protocols'})"
            for c in bench.credentials(found)
            if c.kind is CredentialKind.APP_PASSWORD
        ]
    show_one(row, as_json)


@account.command()
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password from a pipe.")
@json_option
@pass_workplace
def passwd(
    workplace: Workplace, login: str, password_stdin: bool, as_json: bool
) -> None:
    """Give an account a new password; app passwords stay."""
    password, is_made = _choose_password(password_stdin)
    with workplace.open() as bench:
        found = bench.account(login)
        settings = workplace.configuration.accounts
        operations = list(credential_operations(found.id, password, settings))
        if bench.get(unseen_login(bench.store)) == found.login:
            operations.append(password_is_seen())
        bench.apply(*operations)
    row = {"login": found.login}
    if is_made:
        row["password"] = password
    show_one(row, as_json)


@account.command()
@click.argument("login")
@click.option("--admin/--no-admin", default=None, help="May administer the server.")
@click.option("--quota", type=SizeParameter(), help="Such as 10G, or none.")
@click.option("--enable/--disable", default=None, help="May log in.")
@click.option("--group", "groups", multiple=True, help="Its groups; repeatable.")
@pass_workplace
def change(
    workplace: Workplace,
    login: str,
    admin: bool | None,
    quota: int | None,
    enable: bool | None,
    groups: tuple[str, ...],
) -> None:
    """Change what an account may do."""
    if (admin, quota, enable) == (None, None, None) and not groups:
        raise click.UsageError("say what to change; --help lists it")
    with workplace.open() as bench:
        found = bench.account(login)
        bench.apply(
            UpdateAccount(
                found.id,
                is_admin=admin,
                is_enabled=enable,
                quota_octets=quota,
                groups=groups or None,
                if_revision=found.revision,
            )
        )


@account.command()
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_workplace
def remove(workplace: Workplace, login: str, yes: bool) -> None:
    """Remove an account.  Its files are moved aside, not deleted."""
    with workplace.open() as bench:
        found = bench.account(login)
        if not yes:
            click.confirm(f"Remove {found.login}?", abort=True)
        bench.apply(DeleteAccount(found.id), *bench.forget_tree(found.login))
        place = bench.set_aside(found.login)
    click.echo(
        f"{found.login} is gone" + (f"; its files are in {place}" if place else "")
    )


@account.command()
@click.argument("login_or_address")
@pass_workplace
def unlock(workplace: Workplace, login_or_address: str) -> None:
    """Lift the lock-out of a login, address or network after failed logins."""
    reply = workplace.ask({"verb": "unlock", "name": login_or_address})
    if not reply.get("was_locked"):
        raise click.ClickException(f"{login_or_address} is not locked out")


@account.group("alias")
def alias() -> None:
    """Addresses that stand for others."""


@alias.command("add")
@click.argument("address")
@click.argument("targets", nargs=-1, required=True)
@pass_workplace
def add_alias(workplace: Workplace, address: str, targets: tuple[str, ...]) -> None:
    """Let ADDRESS stand for TARGETS."""
    with workplace.open() as bench:
        known = bench.address_of_ours(address)
        checked = tuple(bench.address(target) for target in targets)
        bench.refuse_alias_loop(known, checked)
        bench.apply(PutAlias(known, checked))


@alias.command("list")
@json_option
@pass_workplace
def list_aliases(workplace: Workplace, as_json: bool) -> None:
    """List all aliases."""

    def as_row(found: Alias) -> dict[str, Any]:
        return {"address": found.address, "targets": list(found.targets)}

    with workplace.open() as bench:
        rows = [as_row(found) for found in bench.aliases()]
    show(rows, ("address", "targets"), as_json)


@alias.command("remove")
@click.argument("address")
@pass_workplace
def remove_alias(workplace: Workplace, address: str) -> None:
    """Remove an alias."""
    with workplace.open() as bench:
        bench.apply(RemoveAlias(bench.address(address)))


@account.group("app-password")
def app_password() -> None:
    """Passwords for single programs, limited by protocol."""


@app_password.command("add")
@click.argument("login")
@click.argument("label")
@click.option("--protocol", "protocols", multiple=True, help="Only there; repeatable.")
@json_option
@pass_workplace
def add_app_password(
    workplace: Workplace,
    login: str,
    label: str,
    protocols: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make an app password and print it once."""
    with workplace.open() as bench:
        bench.refuse_unknown_protocols(protocols)
        found = bench.account(login)
        settings = workplace.configuration.accounts
        password, operations = app_password_operations(
            found.id, label, protocols, settings
        )
        bench.apply(*operations)
    show_one({"login": found.login, "label": label, "password": password}, as_json)


@app_password.command("list")
@click.argument("login")
@json_option
@pass_workplace
def list_app_passwords(workplace: Workplace, login: str, as_json: bool) -> None:
    """List the app passwords of an account (never the passwords)."""
    with workplace.open() as bench:
        rows = [
            {"label": c.label, "protocols": list(c.protocols)}
            for c in bench.credentials(bench.account(login))
            if c.kind is CredentialKind.APP_PASSWORD
        ]
    show(rows, ("label", "protocols"), as_json)


@app_password.command("remove")
@click.argument("login")
@click.argument("label")
@pass_workplace
def remove_app_password(workplace: Workplace, login: str, label: str) -> None:
    """Remove an app password; it stops working at once."""
    with workplace.open() as bench:
        found = bench.account(login)
        ids = [
            c.id
            for c in bench.credentials(found)
            if c.kind is CredentialKind.APP_PASSWORD and c.label == label
        ]
        if not ids:
            message = f"{found.login} has no app password {label!r}"
            raise click.ClickException(message)
        bench.apply(*(RemoveCredential(found.id, number) for number in ids))
