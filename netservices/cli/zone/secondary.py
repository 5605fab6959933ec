"""``netservices zone secondary``, ``refresh`` and ``retransfer``: zones that come from
another server."""

from __future__ import annotations

from typing import Any

import click

from netservices.cli.output import json_option, show_one
from netservices.cli.workplace import Workplace, pass_workplace

TRANSFER_SECONDS = 3600.0


@click.command("secondary", short_help="Serve a zone that comes from its primaries.")
@click.argument("origin")
@click.argument("peers", metavar="PEER...", nargs=-1, required=True)
@click.option(
    "--allow-notify",
    multiple=True,
    metavar="WORD",
    help="Who else may say that the zone has changed: a network, or key:NAME.",
)
@click.option("--catalog", is_flag=True, help="Its members become secondaries, too.")
@json_option
@pass_workplace
def make_secondary(
    workplace: Workplace,
    origin: str,
    peers: tuple[str, ...],
    allow_notify: tuple[str, ...],
    catalog: bool,
    as_json: bool,
) -> None:
    """Serve a zone that comes from other servers, its primaries, best first.

    A primary is an address, with port, key and TLS where they are needed:

        192.0.2.1@5353 key=transfer.example.org tls=ns1.example.org

    ``tls=*`` takes any certificate.  The key is one of `netservices key`.
    """
    from attrs import evolve

    from netservices.cli.secondaries import check_access, options_of, read_peers
    from netservices.cli.zones import author, wire_name
    from netservices.dns.backend.shelf import ZONE_OPTIONS
    from netservices.dns.wire.names import fold
    from netservices.units import CreateZone, Operation

    apex = fold(wire_name(origin))
    with workplace.open() as bench:
        options = options_of(bench, apex)
        known = {fold(info.name) for info in bench.get(bench.store.zones.zones())}
        if apex in known and not options.primaries:
            raise click.ClickException(
                f"{origin} is a zone of this server's own: remove it first"
            )
        options = evolve(
            options,
            primaries=read_peers(peers),
            allow_notify=check_access(allow_notify) or options.allow_notify,
            is_catalog=catalog or options.is_catalog,
        )
        operations: list[Operation] = [ZONE_OPTIONS.put(apex, options)]
        if apex not in known:
            operations.append(CreateZone(apex, (), author()))
        bench.apply(*operations)
    _ask(workplace, "dns.refresh", origin, as_json, is_running_needed=False)


@click.command("refresh", short_help="Ask the primaries of a secondary zone now.")
@click.argument("origin")
@json_option
@pass_workplace
def refresh_zone(workplace: Workplace, origin: str, as_json: bool) -> None:
    """Ask the primaries of a secondary zone now, and take what is new."""
    _ask(workplace, "dns.refresh", origin, as_json)


@click.command("retransfer")
@click.argument("origin")
@json_option
@pass_workplace
def retransfer_zone(workplace: Workplace, origin: str, as_json: bool) -> None:
    """Take a secondary zone anew and whole, whatever its serial."""
    _ask(workplace, "dns.retransfer", origin, as_json)


def _ask(
    workplace: Workplace,
    verb: str,
    origin: str,
    as_json: bool,
    is_running_needed: bool = True,
) -> None:
    """Have the running server do it, and say what came of it."""
    from netservices.control.client import ControlProblem, NotRunning, ask

    request: dict[str, Any] = {"verb": verb, "zone": origin}
    try:
        reply = ask(workplace.directory, request, TRANSFER_SECONDS)
    except NotRunning:
        if is_running_needed:
            message = f"no server is running on {workplace.directory}"
            raise click.ClickException(message) from None
        click.echo("The zone is transferred when the server runs.", err=True)
        return
    except ControlProblem as problem:
        more = "" if is_running_needed else "; the server goes on trying"
        raise click.ClickException(f"{origin}: {problem}{more}") from None
    except (OSError, ValueError) as problem:
        raise click.ClickException(f"the server does not answer: {problem}") from None
    reply.pop("ok", None)
    show_one(reply, as_json)
