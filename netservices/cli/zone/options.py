"""``netservices zone set`` and ``options``: what is particular to one zone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from netservices.cli.output import json_option, show_one
from netservices.cli.workplace import Workplace, pass_workplace

LISTS = ("allow_query", "allow_transfer", "allow_update", "allow_notify")
"""Options that are access lists."""


@click.command("set", short_help="Say what is particular to a zone.")
@click.argument("origin")
@click.option("--allow-query", multiple=True, metavar="WORD", help="Who may ask.")
@click.option(
    "--allow-transfer", multiple=True, metavar="WORD", help="Who may have all of it."
)
@click.option(
    "--allow-update", multiple=True, metavar="WORD", help="Who may change all of it."
)
@click.option(
    "--allow-notify",
    multiple=True,
    metavar="WORD",
    help="Who beside its primaries may say that it has changed.",
)
@click.option(
    "--notify", multiple=True, metavar="PEER", help="Whom to tell when it changes."
)
@click.option(
    "--reset",
    multiple=True,
    type=click.Choice([name.replace("_", "-") for name in (*LISTS, "notify")]),
    help="Forget that option: the server's setting is in force.",
)
@json_option
@pass_workplace
def set_options(
    workplace: Workplace,
    origin: str,
    allow_query: tuple[str, ...],
    allow_transfer: tuple[str, ...],
    allow_update: tuple[str, ...],
    allow_notify: tuple[str, ...],
    notify: tuple[str, ...],
    reset: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what is particular to a zone; what is not named stays as it is.

    WORD is a network, loopback, any, none, key:NAME, account:LOGIN, or !NETWORK for who
    is shut out.  PEER is an address: 192.0.2.53, "192.0.2.53@5353 key=NAME".  Give an
    option several times, or several words with commas.
    """
    from attrs import evolve

    from netservices.cli.secondaries import options_of, read_peers
    from netservices.cli.zones import wire_name
    from netservices.dns.backend.shelf import ZONE_OPTIONS
    from netservices.dns.wire.names import fold

    changes: dict[str, Any] = {name.replace("-", "_"): () for name in reset}
    lists = (allow_query, allow_transfer, allow_update, allow_notify)
    for name, words in zip(LISTS, lists, strict=True):
        if words:
            changes[name] = _access(words)
    if notify:
        changes["notify"] = read_peers(_split(notify))
    if not changes:
        raise click.UsageError("say what to set, for example --allow-transfer")
    apex = fold(wire_name(origin))
    with workplace.open() as bench:
        _require(bench, apex, origin)
        options = evolve(options_of(bench, apex), **changes)
        _warn_of_keys(bench, options)
        bench.apply(ZONE_OPTIONS.put(apex, options))
    show_one(_row(apex, options), as_json)


@click.command("options", short_help="Show what is particular to a zone.")
@click.argument("origin")
@json_option
@pass_workplace
def show_options(workplace: Workplace, origin: str, as_json: bool) -> None:
    """Show what is particular to a zone; a dash: the server's setting is in force."""
    from netservices.cli.secondaries import options_of
    from netservices.cli.zones import wire_name
    from netservices.dns.wire.names import fold

    apex = fold(wire_name(origin))
    with workplace.open() as bench:
        _require(bench, apex, origin)
        options = options_of(bench, apex)
    show_one(_row(apex, options), as_json)


def _split(words: Iterable[str]) -> list[str]:
    return [part for word in words for part in word.replace(",", " ").split()]


def _access(words: Iterable[str]) -> tuple[str, ...]:
    """An access list as a person typed it."""
    from netservices.cli.secondaries import check_access

    # A list that shuts everybody out is not one that is not there.
    found = ["!any" if word == "none" else word for word in _split(words)]
    return check_access(dict.fromkeys(found))


def _require(bench: Any, apex: bytes, origin: str) -> None:
    from netservices.dns.wire.names import fold

    known = bench.get(bench.store.zones.zones())
    if apex not in {fold(info.name) for info in known}:
        raise click.ClickException(f"there is no zone {origin}")


def _warn_of_keys(bench: Any, options: Any) -> None:
    """Say which keys are named and not there."""
    from netservices.cli.shelves import load_all
    from netservices.dns.backend.keys import KEYS, key_name
    from netservices.dns.options import Peer

    words = [word for name in LISTS for word in getattr(options, name)]
    wanted = {word[4:] for word in words if word.startswith("key:")}
    wanted |= {peer.key for peer in map(Peer.parse, options.notify) if peer.key}
    known = load_all(bench, KEYS)
    for name in sorted(wanted):
        if key_name(name) not in known:
            click.echo(
                f"Warning: there is no key {name}: netservices key add {name}", err=True
            )


def _row(apex: bytes, options: Any) -> dict[str, Any]:
    """For people and scripts."""
    from netservices.dns.wire.names import name_text

    return {
        "zone": name_text(apex),
        "primaries": list(options.primaries),
        "notify": list(options.notify),
        **{name: list(getattr(options, name)) for name in LISTS},
        "catalog": options.catalog or None,
        "is_catalog": options.is_catalog,
    }
