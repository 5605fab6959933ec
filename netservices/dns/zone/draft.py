"""What a zone becomes: changes on top of a tree, not yet in force.

A draft may lie on another one, so that many updates that wait for the same commit see
each other's changes, and one that comes to nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from netservices.dns.wire.codes import Type
from netservices.dns.wire.rdata import SOA, split_rdata
from netservices.dns.zone.tree import ZoneTree
from netservices.values import RRset

RRsets: TypeAlias = Mapping[int, RRset]
"""The RRsets of a name, by type."""

_NOTHING: RRsets = {}


class Draft:
    """A zone as it would be; names are folded."""

    def __init__(self, below: ZoneTree | Draft) -> None:
        self._below = below
        self.apex: bytes = below.apex
        self._names: dict[bytes, dict[int, RRset]] = {}
        """Every name that was touched, with all that it owns now."""

    def at(self, owner: bytes) -> RRsets:
        """What a name owns."""
        touched = self._names.get(owner)
        return self._before(owner) if touched is None else touched

    @property
    def serial(self) -> int:
        """That of the SOA; 0 where there is none."""
        soa = self.at(self.apex).get(Type.SOA)
        return SOA.parse(soa.rdatas[0]).serial if soa is not None else 0

    def put(self, rrset: RRset) -> None:
        """Put an RRset in place of the one of its owner and type."""
        self._touch(rrset.owner.lower())[rrset.type] = rrset

    def remove(self, owner: bytes, type_: int) -> None:
        """Take an RRset away, where there is one."""
        if type_ in self.at(owner):
            del self._touch(owner)[type_]

    def differences(self) -> Iterator[tuple[RRset | None, RRset | None]]:
        """Every RRset that differs, as it was and as it is; None: there is none."""
        for owner, rrsets in self._names.items():
            before = self._before(owner)
            for type_ in {**before, **rrsets}:
                old, new = before.get(type_), rrsets.get(type_)
                if not _is_same(old, new):
                    yield old, new

    def absorb(self, above: Draft) -> None:
        """Take over the changes of a draft that lies on this one."""
        self._names.update(above._names)

    def _touch(self, owner: bytes) -> dict[int, RRset]:
        found = self._names.get(owner)
        if found is None:
            found = self._names[owner] = dict(self._before(owner))
        return found

    def _before(self, owner: bytes) -> RRsets:
        if isinstance(self._below, Draft):
            return self._below.at(owner)
        node = self._below.names.get(owner)
        return _NOTHING if node is None else {r.type: r for r in node.rrsets}


def _is_same(old: RRset | None, new: RRset | None) -> bool:
    """RFC 2181 5: the order of records means nothing."""
    if old is None or new is None:
        return old is new
    return old.ttl == new.ttl and set(old.rdatas) == set(new.rdatas)


def canonical_rdata(type_: int, rdata: bytes) -> bytes:
    """RDATA for comparison: letter case in names means nothing; RFC 2136 1.1."""
    before, names, after = split_rdata(type_, rdata)
    return before + b"".join(names).lower() + after
