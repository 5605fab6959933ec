"""CPU time an answer without sockets: ``python -m benchmarks.dns_chain [--names N]``.

The server is composed as an installation has it, with all settings at their defaults,
and its zone is that of ``benchmarks.dns``.  What is measured is the function that the
UDP port calls, from packet to reply.  By default replies to loopback are not rated
(``dns.rate_limit_exempt``); so each kind of question comes from loopback, and from
four thousand other networks.  Figures are the best of several runs.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any, cast

from twisted.internet.interfaces import IReactorCore

from benchmarks.dns_servers import ORIGIN, rrsets
from netservices.core.deferreds import value_of
from netservices.dns.server import make_server
from netservices.dns.settings import DNSSettings
from netservices.dns.wire import edns
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question
from netservices.dns.wire.names import parse_name
from netservices.plugin import DatagramAnswer
from netservices.units import CreateZone, Unit
from tests.dns.house import make_services, make_store

ASKED = 4096
"""Names that each kind of question asks for, at most."""
RUNS = 5

Opt = Callable[[DatagramAnswer, str], Edns | None]


def _cookie(client: bytes, is_whole: bool, is_do: bool) -> Opt:
    def opt(answer: DatagramAnswer, address: str) -> Edns:
        found = Edns(1232, is_do, ((edns.COOKIE, client),))
        if not is_whole:
            return found
        reply = answer(_question("h0", found), (address, 4711), None)
        told = Message.parse(reply or b"").edns
        assert told is not None
        return Edns(1232, is_do, ((edns.COOKIE, told.option(edns.COOKIE) or b""),))

    return opt


KINDS: dict[str, Opt] = {
    "plain": lambda answer, address: None,
    "edns": lambda answer, address: Edns(1232),
    "edns+do (Unbound, Knot)": lambda answer, address: Edns(1232, True),
    "cookie (BIND)": _cookie(b"resolver", True, True),
    "client cookie (dig)": _cookie(b"resolver", False, False),
    "nsid": lambda answer, address: Edns(1232, False, ((edns.NSID, b""),)),
}


def _question(label: str, opt: Edns | None) -> bytes:
    asked = Question(parse_name(f"{label}.{ORIGIN}"), 1, 1)
    return Message(id=random.randrange(65536), questions=(asked,), edns=opt).encode()


def _addresses(is_loopback: bool) -> list[str]:
    if is_loopback:
        return ["127.0.0.1"] * ASKED
    return [f"10.{number >> 8}.{number & 255}.1" for number in range(ASKED)]


def _packets(
    answer: DatagramAnswer, kind: Opt, labels: list[str], is_loopback: bool
) -> list[tuple[bytes, tuple[str, int]]]:
    return [
        (_question(label, kind(answer, address)), (address, 4711))
        for label, address in zip(labels, _addresses(is_loopback), strict=False)
    ]


def _time(answer: DatagramAnswer, packets: list[tuple[bytes, Any]], runs: int) -> float:
    """Microseconds an answer."""

    def once() -> float:
        began = process_time()
        for data, address in packets:
            answer(data, address, None)
        return process_time() - began

    return min(once() for _ in range(runs)) / len(packets) * 1e6


def _rows(answer: DatagramAnswer, names: int) -> Iterator[tuple[str, list[float]]]:
    chance = random.Random(1)
    asked = min(names, ASKED)
    labels = [f"h{number}" for number in chance.sample(range(names), asked)]
    for name, kind in KINDS.items():
        figures = []
        for is_loopback in (True, False):
            packets = _packets(answer, kind, labels, is_loopback)
            # The second time each is remembered.
            _time(answer, packets, 3)
            figures.append(_time(answer, packets, RUNS))
        yield name, figures
    figures = []
    for is_loopback in (True, False):
        labels = [f"x{chance.randrange(1 << 60)}" for _ in range(ASKED)]
        packets = _packets(answer, KINDS["edns"], labels, is_loopback)
        figures.append(_time(answer, packets, 1))
    yield "random names", figures


def _has_started(answer: DatagramAnswer) -> bool:
    reply = answer(_question("h0", None), ("127.0.0.1", 4711), None)
    return Message.parse(reply or b"").rcode == 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1000, help="names in the zone")
    options = parser.parse_args()
    from twisted.internet import reactor as global_reactor

    reactor = cast(IReactorCore, global_reactor)
    store = make_store()
    content = tuple(rrsets(options.names))
    value_of(store.apply(Unit((CreateZone(parse_name(ORIGIN), content),))))
    server = make_server(DNSSettings(), make_services(store, cast(Any, reactor)))
    assert server.datagram is not None
    assert server.start is not None
    server.start()
    while not _has_started(server.datagram):
        cast(Any, reactor).runUntilCurrent()
    print(f"{options.names:,} names, load average {os.getloadavg()[0]:.1f}")
    print(f"{'CPU us an answer':28}{'loopback':>10}{'rated':>10}")
    for name, figures in _rows(server.datagram, options.names):
        print(f"{name:28}" + "".join(f"{figure:>10.2f}" for figure in figures))


if __name__ == "__main__":
    main()
