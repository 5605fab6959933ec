"""The addresses of a name at this moment, for this client: those of the target of its
ALIAS, and of them or of its own the ones that a rule picks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from netservices.core.errors import Trouble
from netservices.dns.wire.codes import Type
from netservices.dns.zone.distribution import Distribution
from netservices.dns.zone.leaves import Node
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client

_ALIAS = int(Type.ALIAS)
_ADDRESSES = (int(Type.A), int(Type.AAAA))

Addresses: TypeAlias = "Callable[[RRset, int, Client | None, float], RRset]"
"""``(ALIAS, type, client, now)``: the addresses of its target under its owner, none of
them where there are none.  ``Trouble``, ``NotYet``."""


class NotYet(Trouble):
    """Nobody knows, and somebody is asking; ``known`` ends when that has an end."""

    def __init__(self, known: Callable[[], Awaitable[None]]) -> None:
        super().__init__("not known yet")
        self.known = known


class Moment:
    """What a tree asks for the records of one name."""

    def __init__(
        self,
        names: Mapping[bytes, Node],
        owner: bytes,
        addresses: Addresses,
        distribution: Distribution | None,
    ) -> None:
        """``names`` are the tree's; a reference to the tree itself would keep it from
        being forgotten when another takes its place."""
        self._names = names
        self._owner = owner
        self._addresses = addresses
        self._distribution = distribution

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """See ``Dynamic``."""
        node = self._names.get(self._owner)
        if qtype not in _ADDRESSES or node is None:
            return None
        rrset = node.get(qtype)
        alias = node.get(_ALIAS)
        if rrset is None and alias is None:
            return None
        distribution = self._distribution
        picks = distribution is not None and distribution.covers(qtype)
        if rrset is None and alias is not None:
            rrset = self._addresses(alias, qtype, client, now)
        elif not picks:
            return None
        if rrset is None or not rrset.rdatas or distribution is None or not picks:
            return rrset
        return rrset if client is None else distribution.pick(rrset, client.address)
