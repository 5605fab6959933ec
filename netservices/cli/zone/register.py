"""``netservices zone register``: a zone is made known to its parent."""

from __future__ import annotations

import click

from netservices.cli.output import json_option, show_one
from netservices.cli.workplace import Workplace, pass_workplace


@click.command("register", short_help="Register a delegation in the zone above.")
@click.argument("child")
@click.option("--ns", multiple=True, metavar="NAME[=ADDRESS]", help="A server of it.")
@click.option("--ds", multiple=True, metavar="DATA", help="A DS record: 1 8 2 0123...")
@click.option(
    "--parent", "origin", metavar="ORIGIN", help="The zone above; else found."
)
@click.option("--server", metavar="ADDRESS[@PORT]", help="The primary of the parent.")
@click.option("--key", "key_name", metavar="NAME", help="Sign with that key.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Sign with its key.",
)
@click.option("--ttl", type=click.IntRange(0, 2**31 - 1), default=86400)
@click.option("--replace", is_flag=True, help="Take the place of another delegation.")
@click.option("--remove", is_flag=True, help="Take the delegation away.")
@json_option
@pass_workplace
def register_zone(
    workplace: Workplace,
    child: str,
    ns: tuple[str, ...],
    ds: tuple[str, ...],
    origin: str | None,
    server: str | None,
    key_name: str | None,
    key_file: str | None,
    ttl: int,
    replace: bool,
    remove: bool,
    as_json: bool,
) -> None:
    """Register the delegation of CHILD in the zone above it, as a registrar does.

    By dynamic update (RFC 2136): NS, DS and the addresses of those servers that are
    inside CHILD come all at once or not at all.  Without --server it is the server
    here.
    """
    if remove == bool(ns) or (remove and (ds or replace)):
        raise click.UsageError("say --ns, once for each server, or --remove")
    if key_name is not None and key_file is not None:
        raise click.UsageError("say --key or --key-file")
    from netservices.cli.zone import registration
    from netservices.cli.zones import wire_name
    from netservices.dns.wire.names import fold, name_text

    wanted = registration.wanted_by(child, ns, ds)
    key = registration.chosen_key(workplace, key_name, key_file)
    asker = registration.chosen_server(workplace, server, key)
    above = None if origin is None else fold(wire_name(origin))
    registry = registration.Registry(asker, wanted.child, above)
    servers = [name_text(name) for name in sorted(wanted.servers)]
    row = {
        "zone": name_text(wanted.child),
        "parent": name_text(registry.parent),
        "action": registration.register(registry, wanted, ttl, replace),
        "servers": servers if as_json else ", ".join(servers) or None,
    }
    show_one(row, as_json)
