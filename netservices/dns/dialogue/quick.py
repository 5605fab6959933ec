"""Replies that leaves give, put together from octets without reading the packet.

A large zone cannot have all its answers in a cache, so this has to be nearly as quick
as one.  It never parses: what is cut out of a packet as its question's name, at the
place where the name ends if there is nothing but an OPT record without options behind
the question, either equals a name of the zone, octet by octet, and then it is one; or
it does not, and the packet goes the long way.

Two things are learned from replies that went the long way, and tell what surrounds a
leaf: ``near`` says in which zone the names directly below a name are, where no cut, no
DNAME and no other zone comes between; a *shape* is all of a reply but ID, question and
leaf, for packets that differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from netservices.dns.zone.prepare import Keep, Turns
from netservices.dns.zone.table import MASK, SHIFT
from netservices.dns.zone.tree import Zones, ZoneTree

_OPT_OCTETS = 11
_MOST_NEAR = 4096

Tally: TypeAlias = list[Any]
"""[replies, type, response code, account, apex of the zone or nothing]."""

Shape: TypeAlias = tuple[bytes, bytes, Tally, Turns]
"""Header after the ID, octets after the leaf, tally, what of the leaf is turned."""

Found: TypeAlias = tuple[bytes, bytes, ZoneTree, Shape]
"""The reply, the folded name, its zone, the shape."""


class Quick:
    """What is learned about the zones that some clients see."""

    def __init__(self, zones: Zones, turning: Callable[[int], int]) -> None:
        """``turning`` says how far to turn records for the n-th time."""
        self._zones = zones
        self._turning = turning
        self._near: dict[bytes, ZoneTree] = {}
        self._tallies: dict[tuple[bytes, int], Tally] = {}

    def answerer(self) -> Callable[[bytes], Found | None]:
        """``packet -> reply``, and what it was made of; None: take the long way."""
        find_near = self._near.get
        turning = self._turning

        def answer(data: bytes) -> Found | None:
            size = len(data)
            try:
                # ARCOUNT: with one record more, the name ends so much earlier.
                end = size - 15 if data[11] else size - 4
                name = data[12:end].lower()
                tree = find_near(name[name[0] + 1 :])
            except IndexError:
                return None
            if tree is None:
                return None
            leaf = tree.packed.parts[hash(name) >> SHIFT & MASK].get(name)
            if leaf.__class__ is not bytes:
                return None
            shape = tree.answers.shapes.get(
                (data[2:12], data[end:], size, leaf[2:4], len(leaf))
            )
            if shape is None:
                return None
            head, rest, tally, turns = shape
            tally[0] += 1
            if turns:
                first = turning(tally[0]) * turns[0][2] % len(leaf)
                leaf = leaf[first:] + leaf[:first]
            reply = data[:2] + head + data[12 : end + 4] + leaf + rest
            return reply, name, tree, shape

        return answer

    def learn(
        self, data: bytes, reply: bytes, qtype: int, keep: Keep, opt_octets: int
    ) -> None:
        """Learn from a whole reply that everybody may get, made from a leaf, with so
        many octets of OPT at its end; of a packet with a cookie and its reply, all but
        that."""
        tail = keep.tail
        name = keep.source
        end = 12 + len(name)
        if tail is None or len(data) != end + 4 + (_OPT_OCTETS if data[11] else 0):
            return
        octets, _ = tail.cuts[-1]
        if len(reply) != end + 4 + octets + opt_octets:
            return
        parent = name[name[0] + 1 :]
        if len(name) < 2 or self._zones.has_apex_below(parent):
            return
        if len(self._near) >= _MOST_NEAR:
            self._near.clear()
        self._near[parent] = tail.tree
        self._learn_shape(data, reply, qtype, keep, end)

    def _learn_shape(
        self, data: bytes, reply: bytes, qtype: int, keep: Keep, end: int
    ) -> None:
        tail = keep.tail
        assert tail is not None
        start = end + 4
        leaf_octets = tail.cuts[-1][0] - len(tail.octets)
        tally = self._tallies.setdefault(
            (keep.apex, qtype), [0, qtype, 0, b"", keep.apex]
        )
        key = data[2:12], data[end:], len(data), data[end : end + 2], leaf_octets
        shape = reply[2:12], reply[start + leaf_octets :], tally, tail.turns
        tail.tree.answers.keep_shape(key, shape)

    def forget(self) -> None:
        """Anything may be different now."""
        self._near.clear()

    def tallies(self) -> list[Tally]:
        """What was sent, to be counted and set to zero."""
        return list(self._tallies.values())
