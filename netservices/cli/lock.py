"""``netservices lock``: files that only one person may change now."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import click

from netservices.cli.bench import PAGE, Bench
from netservices.cli.output import json_option, show
from netservices.cli.workplace import Workplace, pass_workplace
from netservices.units import RemoveLock
from netservices.values import FileLock

_SCHEME = "urn:uuid:"
_COLUMNS = ("lock", "account", "path", "kind", "until")


@click.group()
def lock() -> None:
    """Locks on files: list them, break them."""


@lock.command("list")
@click.option("--account", help="Those of one account only.")
@json_option
@pass_workplace
def list_locks(workplace: Workplace, account: str | None, as_json: bool) -> None:
    """List the locks of now: on which files, whose, and until when."""
    with workplace.open() as bench:
        wanted = bench.account(account).id if account else None
        rows = [
            {
                "lock": found.token.removeprefix(_SCHEME),
                "account": _login(bench, found.account),
                "path": "/" + "/".join(found.path),
                "kind": "exclusive" if found.is_exclusive else "shared",
                "until": datetime.datetime.fromtimestamp(
                    int(found.expires), datetime.UTC
                ).isoformat(),
            }
            for _, found in _locks(bench)
            if wanted in (None, found.account)
        ]
    show(rows, _COLUMNS, as_json)


@lock.command("break")
@click.argument("locks", metavar="LOCK...", nargs=-1, required=True)
@pass_workplace
def break_locks(workplace: Workplace, locks: tuple[str, ...]) -> None:
    """End locks, though whoever holds them may still edit: LOCK is what ``list``
    shows."""
    with workplace.open() as bench:
        trees = {found.token: tree for tree, found in _locks(bench)}
        tokens = [_SCHEME + name.removeprefix(_SCHEME) for name in locks]
        missing = [token for token in tokens if token not in trees]
        if missing:
            named = ", ".join(token.removeprefix(_SCHEME) for token in missing)
            raise click.ClickException(f"there is no lock {named}")
        bench.apply(*(RemoveLock(trees[token], token) for token in tokens))


def _locks(bench: Bench) -> Iterator[tuple[str, FileLock]]:
    """All locks, and the trees that they are in."""
    after = ""
    while page := bench.get(bench.store.file_locks.all(after, PAGE)):
        yield from page
        after = page[-1][1].token


def _login(bench: Bench, number: int) -> str:
    found = bench.get(bench.store.records.account_by_id(number))
    return "-" if found is None else found.login
