"""What is configured for single zones, on a command's bench: primaries and catalogs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import click

from netservices.cli.bench import Bench
from netservices.cli.shelves import load_all
from netservices.core.deferreds import begun
from netservices.core.networks import parse_address
from netservices.dns.backend.keys import key_name
from netservices.dns.backend.secondaries import load_states
from netservices.dns.backend.shelf import NAMESPACE, ZONE_OPTIONS
from netservices.dns.options import NO_OPTIONS, Peer, ZoneOptions
from netservices.dns.rules import AccessList
from netservices.dns.wire.names import fold, name_text


def all_options(bench: Bench) -> Mapping[bytes, ZoneOptions]:
    """What is configured for each zone, by folded name."""
    return load_all(bench, ZONE_OPTIONS)


def options_of(bench: Bench, apex: bytes) -> ZoneOptions:
    """What is configured for one zone."""
    kind = ZONE_OPTIONS
    value = bench.get(bench.store.values.get(NAMESPACE, kind.prefix + fold(apex)))
    return NO_OPTIONS if value is None else kind.read(value)


def refuse_copy(bench: Bench, apex: bytes) -> None:
    """Refuse to change a zone here that comes from elsewhere."""
    options = options_of(bench, apex)
    if options.primaries:
        raise click.ClickException(
            f"{name_text(apex)} is a secondary zone: change it on its primary, "
            f"{options.primaries[0].split()[0]}"
        )


def read_peers(words: Iterable[str]) -> tuple[str, ...]:
    """Primaries as a person typed them: ``192.0.2.1 key=NAME 192.0.2.2``."""
    written: list[str] = []
    for word in " ".join(words).split():
        if "=" in word and written:
            written[-1] += f" {word}"
        else:
            written.append(word)
    for text in written:
        try:
            peer = Peer.parse(text)
            if peer.key:
                key_name(peer.key)
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None
        if parse_address(peer.address) is None:
            host, colon, port = peer.address.rpartition(":")
            hint = f": write {host}@{port}" if colon and parse_address(host) else ""
            raise click.ClickException(f"{peer.address!r} is no IP address{hint}")
    return tuple(written)


def check_access(words: Iterable[str]) -> tuple[str, ...]:
    """An access list as a person typed it."""
    try:
        return AccessList(words).words
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def states(bench: Bench) -> Mapping[bytes, str]:
    """The state of each secondary zone in one word, by folded name."""
    now = time.time()
    found = bench.get(begun(load_states(bench.store)))
    return {
        name: "expired" if 0 < state.expires <= now else "current"
        for name, state in found.items()
        if state.succeeded
    }
