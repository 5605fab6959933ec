"""A zone from another server, transferred once."""

from __future__ import annotations

from typing import Any

import click

from netservices.cli.zones import wire_name
from netservices.dns.client.ask import NoAnswer
from netservices.dns.client.transfer import Primary, fetch_zone
from netservices.dns.dialogue.inbound import BadTransfer, Inbound, TransferRefused
from netservices.dns.options import Peer
from netservices.dns.wire.names import fold
from netservices.values import RRset


def fetched(origin: str, text: str) -> tuple[RRset, ...]:
    """The RRsets of the zone as the server ``text`` has it (RFC 5936)."""
    try:
        peer = Peer.parse(text)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    if peer.key:
        raise click.ClickException(
            f"a transfer with a key is that of a secondary: netservices zone secondary "
            f"{origin}"
        )
    try:
        found: Inbound = _run(origin, peer)
    except (NoAnswer, BadTransfer, TransferRefused) as problem:
        raise click.ClickException(f"{text}: {problem}") from None
    return found.full.rrsets()


def _run(origin: str, peer: Peer) -> Any:
    """The transfer, in a reactor of its own."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, succeed

    running: Any = reactor
    results: list[Any] = []

    def begin() -> None:
        name = fold(wire_name(origin))
        done = Deferred.fromCoroutine(
            fetch_zone(running, Primary(peer), name, None, lambda: succeed(None))
        )
        done.addBoth(results.append)
        done.addBoth(lambda _none: running.stop())

    running.callWhenRunning(begin)
    running.run()
    if not results:
        raise click.Abort
    problem = getattr(results[0], "value", None)
    if isinstance(problem, BaseException):
        raise problem
    return results[0]
