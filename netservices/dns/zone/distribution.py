"""Load distribution: which records of a name a client is given.

Theory.  The zone has all records, and so does who transfers it.  A rule only says how
many of them an answer holds, and which:

1. records whose address is known to be out of service are left out;
2. of the rest, those of weight 0, the backups, are left out while there are others;
3. the rule's mode picks from what remains.

Where all are out of service, all are given: a client that tries may have more luck than
the check.  So no answer ever holds a record that the zone does not have, and none is
empty where the zone has something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from typing import TypeAlias

from attrs import evolve

from netservices.core.networks import Networks
from netservices.dns.zone.balance import BalanceRule, Mode
from netservices.values import RRset

STICKY_IPV4_BITS = 24
STICKY_IPV6_BITS = 56

IsUp: TypeAlias = Callable[[RRset, bytes], bool]
"""Whether what a record leads to is in service, as far as is known."""
Draw: TypeAlias = Callable[[], float]
"""A random number, at least 0 and less than 1."""
Pool: TypeAlias = Sequence[tuple[bytes, int]]
"""Records that may be given, and their weights, all of them above 0."""

_network_of = Networks(STICKY_IPV4_BITS, STICKY_IPV6_BITS).key_of


class Distribution:
    """Picks from the RRsets of one name as a rule says."""

    def __init__(self, rule: BalanceRule, draw: Draw, is_up: IsUp) -> None:
        self.rule = rule
        self._draw = draw
        self._is_up = is_up
        self._weights = dict(rule.weights)
        self._turns: dict[int, dict[bytes, int]] = {}
        """What each record has saved up for its next turn, by type."""

    def covers(self, qtype: int) -> bool:
        """Whether RRsets of that type are picked from."""
        return qtype in self.rule.types

    def pick(self, rrset: RRset, client: str) -> RRset:
        """What ``client``, an address, is given of ``rrset``."""
        ttl = min(rrset.ttl, self.rule.ttl)
        pool = self.pool(rrset)
        if not pool:
            everything = [(rdata, 1) for rdata in rrset.rdatas]
            shuffled = draw_weighted(everything, len(everything), self._draw)
            return evolve(rrset, ttl=ttl, rdatas=tuple(shuffled))
        count = self.rule.answers or len(pool)
        picked = self._pick(rrset.type, pool, count, client)
        return evolve(rrset, ttl=ttl, rdatas=tuple(picked))

    def pool(self, rrset: RRset) -> Pool:
        """The records that may be given now; none where all are out of service."""
        weights = self._weights
        alive = [
            (rdata, weights.get(rdata, 1))
            for rdata in rrset.rdatas
            if self._is_up(rrset, rdata)
        ]
        primaries = [(rdata, weight) for rdata, weight in alive if weight]
        return primaries or [(rdata, 1) for rdata, _ in alive]

    def _pick(self, type_: int, pool: Pool, count: int, client: str) -> list[bytes]:
        mode = self.rule.mode
        if mode is Mode.CYCLIC:
            return self._take_turns(type_, pool)[:count]
        if mode is Mode.STICKY:
            return rank_for(_network_of(client), pool)[:count]
        if mode is Mode.FAILOVER:
            return self._in_order(pool)[:count]
        return draw_weighted(pool, count, self._draw)

    def _take_turns(self, type_: int, pool: Pool) -> list[bytes]:
        """Everyone saves up its weight, and who has most goes first and pays for all:
        so turns are spread evenly, as ``abac`` and not ``aabc``."""
        saved = self._turns.get(type_, {})
        turns = {rdata: saved.get(rdata, 0) + weight for rdata, weight in pool}
        ordered = sorted(turns, key=turns.__getitem__, reverse=True)
        turns[ordered[0]] -= sum(weight for _, weight in pool)
        self._turns[type_] = turns
        return ordered

    def _in_order(self, pool: Pool) -> list[bytes]:
        """As the rule has written them; those that it does not name come last."""
        places = {rdata: place for place, rdata in enumerate(self._weights)}
        return sorted(
            (rdata for rdata, _ in pool),
            key=lambda rdata: places.get(rdata, len(places)),
        )


def draw_weighted(pool: Pool, count: int, draw: Draw) -> list[bytes]:
    """``count`` different records, or all; each draw is in proportion to the weights
    of those that are left."""
    left = list(pool)
    total = sum(weight for _, weight in left)
    picked: list[bytes] = []
    while left and len(picked) < count:
        point = draw() * total
        place = 0
        while place < len(left) - 1 and point >= left[place][1]:
            point -= left[place][1]
            place += 1
        rdata, weight = left.pop(place)
        total -= weight
        picked.append(rdata)
    return picked


def rank_for(network: str, pool: Pool) -> list[bytes]:
    """The records in this network's order of preference.

    Each record has a score that depends on network, record and weight alone, so a
    record that comes or goes moves only those whose first choice it is, and all servers
    of a zone agree.  The share of each record is its weight's.
    """

    def score(entry: tuple[bytes, int]) -> float:
        rdata, weight = entry
        digest = blake2b(network.encode() + b"\0" + rdata, digest_size=8).digest()
        chance = (int.from_bytes(digest, "big") + 0.5) / (1 << 64)
        # The least of exponential variables whose rates are the weights.
        return -log(chance) / weight

    return [rdata for rdata, _ in sorted(pool, key=score)]
