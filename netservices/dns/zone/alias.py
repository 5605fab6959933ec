"""ALIAS: a name has the addresses of its target, wherever that is.

A target in one of our own zones is looked up there, by the rules by which a client's
question for it is answered, from name to name where a chain goes through several zones.
For any other, ``abroad`` knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from netservices.core.errors import Trouble
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import name_text
from netservices.dns.zone.lookup import Answer, Asked, resolve
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client

_CNAME, _NS, _SOA = int(Type.CNAME), int(Type.NS), int(Type.SOA)


@frozen
class Known:
    """The addresses of a name, none where it has none, and for how many seconds that is
    so."""

    rdatas: tuple[bytes, ...]
    ttl: int


class Endless(Trouble):
    """A chain of ALIAS records has no end, or too many links."""


Abroad: TypeAlias = Callable[[bytes, int], Known]
"""``(name, type)``: the addresses of a name that is not ours.  ``Trouble``,
``NotYet``."""
ZonesOf: TypeAlias = "Callable[[Client | None], Zones]"
"""The zones that this client sees."""


class Aliases:
    """The addresses of targets."""

    def __init__(self, zones_of: ZonesOf, abroad: Abroad, max_chain: int = 18) -> None:
        self._zones_of = zones_of
        self._abroad = abroad
        self._max_chain = max_chain
        self._met: list[bytes] = []
        """The names of the chain that is being followed."""

    def addresses(
        self, alias: RRset, qtype: int, client: Client | None, now: float
    ) -> RRset:
        """The addresses of the target of ``alias``, under its owner.  Trouble,
        NotYet."""
        known = self._find(alias.rdatas[0].lower(), qtype, Asked(client, now))
        return RRset(alias.owner, qtype, min(alias.ttl, known.ttl), known.rdatas)

    def _find(self, name: bytes, qtype: int, asked: Asked) -> Known:
        if name in self._met or len(self._met) > self._max_chain:
            raise Endless(f"a chain of ALIAS records has no end at {name_text(name)}")
        tree = self._zones_of(asked.client).find(name, qtype)
        if tree is None:
            return self._abroad(name, qtype)
        if tree.soa is None:
            raise Trouble(f"the zone of {name_text(name)} has no SOA")
        self._met.append(name)
        try:
            return self._find_here(tree, name, qtype, asked)
        finally:
            self._met.pop()

    def _find_here(
        self, tree: ZoneTree, name: bytes, qtype: int, asked: Asked
    ) -> Known:
        # A type that is no ANY: so nobody is asked to pick.
        answer = resolve(
            tree, name, qtype, lambda _, rrsets: rrsets, self._max_chain, True, asked
        )
        ttl = min((rrset.ttl for rrset in answer.answer), default=0x7FFFFFFF)
        last = answer.answer[-1] if answer.answer else None
        if last is not None and last.type == qtype:
            return Known(last.rdatas, ttl)
        for rrset in answer.authority:
            if rrset.type == _SOA:
                return Known((), min(ttl, rrset.ttl))
        return self._find_further(answer, last, name, qtype, asked, ttl)

    def _find_further(
        self,
        answer: Answer,
        last: RRset | None,
        name: bytes,
        qtype: int,
        asked: Asked,
        ttl: int,
    ) -> Known:
        """What comes after a chain that leaves the zone, or below a zone cut."""
        if last is not None and last.type == _CNAME:
            name = last.rdatas[0].lower()
        if any(rrset.type == _NS for rrset in answer.authority):
            further = self._abroad(name, qtype)
        elif last is None:
            raise Trouble(f"nothing is known of {name_text(name)}")
        else:
            further = self._find(name, qtype, asked)
        return Known(further.rdatas, min(ttl, further.ttl))
