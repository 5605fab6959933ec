"""``netservices http``: who has logged in with a browser, and who may see what."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from netservices.accounts.credentials import NAMESPACE, generation_key
from netservices.cli.bench import Bench
from netservices.cli.output import json_option, show, show_one
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.core.deferreds import begun

if TYPE_CHECKING:
    from netservices.web.sessions import Record, Sessions
    from netservices.web.sessions.held import Held

COLUMNS = ("id", "account", "site", "address", "since", "seen", "browser")


@click.group()
def http() -> None:
    """Sessions of browsers, and the access rules."""


@http.command("sessions")
@click.argument("login", metavar="[LOGIN]", required=False)
@click.option("--all", "with_anonymous", is_flag=True, help="Also those of nobody.")
@json_option
@pass_workplace
def list_sessions(
    workplace: Workplace, login: str | None, with_anonymous: bool, as_json: bool
) -> None:
    """List who has logged in with a browser; of LOGIN only, if it is given."""
    with workplace.open() as bench:
        found = _sessions_of(bench, login)
        rows = [_row(one) for one in found if one.record.account or with_anonymous]
    if not as_json:
        rows = [_in_words(row) for row in rows]
    show(rows, COLUMNS, as_json)


@http.command("end")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--account", default="", help="All sessions of one account.")
@click.option("--all", "everybody", is_flag=True, help="All sessions there are.")
@pass_workplace
def end(
    workplace: Workplace, ids: tuple[str, ...], account: str, everybody: bool
) -> None:
    """End sessions of browsers: whoever has them has to log in again, at once."""
    if not (ids or account or everybody):
        raise click.UsageError("say which: ID, --account or --all")
    with workplace.open() as bench:
        sessions = _sessions(bench)
        wanted = [
            one
            for one in _sessions_of(bench, account or None)
            if everybody or account or one.label in ids
        ]
        missing = sorted(set(ids) - {one.label for one in wanted})
        if missing:
            raise click.ClickException(f"there is no session {', '.join(missing)}")
        for one in wanted:
            bench.get(begun(sessions.end(one)))
        bench.has_written = bool(wanted)
    click.echo(f"{len(wanted)} ended")


@http.command("explain")
@click.argument("where")
@click.option("--method", default="GET", help="The method of the request.")
@click.option("--login", default="", help="Who asks; without it, a stranger.")
@click.option("--address", default="192.0.2.1", help="Where he is.")
@json_option
@pass_workplace
def explain(
    workplace: Workplace,
    where: str,
    method: str,
    login: str,
    address: str,
    as_json: bool,
) -> None:
    """Tell what the access rules say of WHERE, such as /in/ or example.org/in/."""
    from netservices.core.who import Person
    from netservices.http.rules import Rules, is_deep
    from netservices.web.problems import Problem
    from netservices.web.request import segments_of

    settings: Any = workplace.configuration.protocols["http"].settings
    host, slash, path = where.partition("/")
    if not slash:
        raise click.UsageError("WHERE is a path such as /in/, maybe behind a host")
    with workplace.open() as bench:
        account = bench.account(login) if login else None
        person = Person(
            address,
            account.login if account else "",
            frozenset(account.groups) if account else frozenset(),
            account is None,
            bench.default_domain,
        )
    try:
        segments = segments_of(f"/{path}")
    except Problem as problem:
        raise click.ClickException(problem.detail) from None
    verb = method.upper()
    found = Rules(settings.access).judge(
        host.lower(), segments, verb, person, is_deep(verb, "1")
    )
    line = found.line.text if found.line else "no rule is about this"
    show_one({"outcome": found.outcome.value, "because": line}, as_json)


def _sessions(bench: Bench) -> Sessions:
    from netservices.web.sessions import SessionLimits, Sessions

    return Sessions(bench.store, SessionLimits(), time.time)


def _sessions_of(bench: Bench, login: str | None) -> list[Held]:
    sessions = _sessions(bench)
    if login is None:
        found = bench.get(begun(sessions.all()))
    else:
        found = bench.get(begun(sessions.of_account(bench.account(login).id)))
    return [one for one in found if _is_in_force(bench, one.record)]


def _is_in_force(bench: Bench, record: Record) -> bool:
    """Whether the account may still use it: it is there, with the same password."""
    if not record.account:
        return True
    account = bench.get(bench.store.records.account_by_id(record.account))
    key = generation_key(record.account)
    generation = bench.get(bench.store.values.get(NAMESPACE, key))
    is_same = int(generation or 0) == record.generation
    return account is not None and account.is_enabled and is_same


def _row(one: Held) -> dict[str, Any]:
    record = one.record
    return {
        "id": one.label,
        "account": record.login or None,
        "site": record.site,
        "address": record.address,
        "since": record.logged_in or record.created,
        "seen": record.seen,
        "browser": record.agent,
    }


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: _moment(row[name]) for name in ("since", "seen")}
    return {**row, **times}


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
