"""Keys and grants on a command's bench."""

from __future__ import annotations

import base64
import secrets
import sys
from typing import Any

import click
from attrs import evolve

from netservices.cli.bench import Bench
from netservices.cli.shelves import load_all
from netservices.dns.backend.keys import GRANTS, KEYS, key_name, make_key
from netservices.dns.grants import Grant, make_grant
from netservices.dns.wire.names import name_text
from netservices.dns.wire.tsig import Key, algorithm_text, find_algorithm
from netservices.units import Operation

MAX_SECRET_OCTETS = 512
MIN_SECRET_OCTETS = 16


def key_text(key: Key) -> str:
    """The key's name as people write it."""
    return name_text(key.name).removesuffix(".")


def load_key(bench: Bench, name: str) -> Key:
    """The key of that name."""
    found: Key | None = load_all(bench, KEYS).get(_key_name(name))
    if found is None:
        raise click.ClickException(f"there is no key {name}")
    return found


def _key_name(text: str) -> bytes:
    try:
        return key_name(text)
    except ValueError as problem:
        raise click.ClickException(f"{text} is no name for a key: {problem}") from None


def add_key(
    bench: Bench, name: str, algorithm: str, login: str | None, secret: str | None
) -> Key:
    """A new key; without ``secret`` one is made."""
    if _key_name(name) == b"\0":
        raise click.ClickException("a key needs a name")
    if _key_name(name) in load_all(bench, KEYS):
        raise click.ClickException(f"there is a key {name} already")
    if secret is None:
        secret = random_secret(algorithm)
    try:
        key = make_key(name, algorithm, secret)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if len(key.secret) > MAX_SECRET_OCTETS:
        raise click.ClickException(
            f"the secret has more than {MAX_SECRET_OCTETS} octets"
        )
    if len(key.secret) < MIN_SECRET_OCTETS:
        # RFC 8945 8: it should be as long as the hash.
        click.echo("Warning: the secret is short, and may be guessed", err=True)
    if login is not None:
        account = bench.account(login)
        key = evolve(key, account=account.login, account_id=account.id)
    bench.apply(KEYS.put(key.name, key))
    return key


def random_secret(algorithm: str) -> str:
    """A secret in base64; RFC 8945 8: as long as the keyed hash."""
    found = find_algorithm(key_name(algorithm))
    octets = found.full_octets if found is not None else 32
    return base64.b64encode(secrets.token_bytes(max(octets, 20))).decode("ascii")


def secret_from_stdin() -> str:
    """The secret in base64 that a pipe brings."""
    secret = "".join(sys.stdin.read(4 * MAX_SECRET_OCTETS).split())
    if not secret:
        raise click.ClickException("no secret on standard input")
    return secret


def key_clause(key: Key) -> str:
    """The key as BIND has it in its configuration, and ``nsupdate -k`` in a file."""
    secret = base64.b64encode(key.secret).decode("ascii")
    return (
        f'key "{key_text(key)}" {{\n'
        f"\talgorithm {algorithm_text(key.algorithm)};\n"
        f'\tsecret "{secret}";\n'
        "};"
    )


def key_argument(key: Key) -> str:
    """The key as ``nsupdate``, ``knsupdate``, ``dig`` and ``kdig`` take it."""
    secret = base64.b64encode(key.secret).decode("ascii")
    return f"-y {algorithm_text(key.algorithm)}:{key_text(key)}:{secret}"


def remove_key(bench: Bench, name: str) -> int:
    """The key goes, and what was granted to it; how many grants those were."""
    key = load_key(bench, name)
    held = [g for g in load_all(bench, GRANTS).values() if g.is_held_by(_bare(key))]
    operations: list[Operation] = [KEYS.delete(key.name)]
    operations += [GRANTS.delete(grant.id) for grant in held]
    bench.apply(*operations)
    return len(held)


def _bare(key: Key) -> Key:
    """The key without its account, whose grants are not its own."""
    return evolve(key, account="")


def wanted_grant(
    bench: Bench, holder: str, names: str, types: str, zone: str | None
) -> Grant:
    """The grant that the words of a command mean; its holder and zone are there."""
    kind, _, name = holder.partition(":")
    if kind == "account" and name:
        holder = f"account:{bench.account(name).login}"
    elif kind == "key" and name:
        load_key(bench, name)
    if zone is not None:
        _refuse_unknown_zone(bench, zone)
    try:
        return make_grant(holder, names, types, zone or "")
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def unwanted_grant(
    bench: Bench, holder: str, names: str, types: str, zone: str | None
) -> Grant:
    """The grant that those words have made; its holder and zone may be gone."""
    kind, _, name = holder.partition(":")
    if kind == "account" and "@" not in name:
        holder = f"account:{name}@{bench.default_domain}"
    try:
        wanted = make_grant(holder, names, types, zone or "")
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if wanted.id not in load_all(bench, GRANTS):
        raise click.ClickException("there is no such grant; see netservices key grants")
    return wanted


def _refuse_unknown_zone(bench: Bench, zone: str) -> None:
    wanted = _key_name(zone)
    known = {info.name.lower() for info in bench.get(bench.store.zones.zones())}
    if wanted not in known:
        raise click.ClickException(f"there is no zone {zone}")


def grant_rows(bench: Bench, holder: str | None) -> list[dict[str, Any]]:
    """Grants as rows, by holder."""
    grants = sorted(load_all(bench, GRANTS).values(), key=lambda grant: grant.id)
    wanted = None if holder is None else holder.lower().rstrip(".")
    return [
        {
            "holder": grant.holder.rstrip("."),
            "names": str(grant.pattern),
            "types": grant.types_text,
            "zone": name_text(grant.zone).removesuffix(".") if grant.zone else "any",
        }
        for grant in grants
        if wanted in (None, grant.holder.rstrip(".").lower())
    ]
