"""A zone from another server, transferred once."""

from __future__ import annotations

import click

from netservices.cli.reactor import in_reactor
from netservices.cli.zones import wire_name
from netservices.dns.client.problems import NoAnswer
from netservices.dns.client.transfer import Primary, fetch_zone
from netservices.dns.dialogue.inbound import BadTransfer, Inbound, TransferRefused
from netservices.dns.options import Peer
from netservices.dns.wire.names import fold
from netservices.values import RRset


def fetched(origin: str, text: str) -> tuple[RRset, ...]:
    """The RRsets of the zone as the server ``text`` has it (RFC 5936)."""
    from twisted.internet.defer import succeed

    try:
        peer = Peer.parse(text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if peer.key:
        raise click.ClickException(
            f"a transfer with a key is that of a secondary: netservices zone secondary "
            f"{origin}"
        )
    name = fold(wire_name(origin))
    try:
        found = in_reactor(
            lambda reactor: fetch_zone(
                reactor, Primary(peer), name, None, lambda: succeed(None)
            )
        )
    except (NoAnswer, BadTransfer, TransferRefused) as problem:
        raise click.ClickException(f"{text}: {problem}") from None
    assert isinstance(found, Inbound)
    return found.full.rrsets()
