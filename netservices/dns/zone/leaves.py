"""Names that own one simple RRset, held as the octets in which it is sent.

Most names of a large zone are leaves: nothing is below them, and they have one RRset
without names to look up.  A leaf is one ``bytes`` object: its records, each with a
pointer to the question's name as its owner, as they stand in every answer that asks for
them.  So a million names take little memory, the garbage collector has nothing to walk
through, and an answer is a matter of putting octets side by side.
"""

from __future__ import annotations

import struct

from netservices.dns.wire.codes import Class, Type
from netservices.dns.wire.rdata import LAYOUTS
from netservices.values import RRset

_HEAD = struct.Struct(">HHHIH")
_OWNER = 0xC00C
_IN = int(Class.IN)
_HEAD_OCTETS = _HEAD.size
_MAX_OCTETS = 480
"""A leaf fits into every answer over UDP that has nothing else in it."""

RECORD_OCTETS: dict[int, int] = {
    Type.A: _HEAD_OCTETS + 4,
    Type.AAAA: _HEAD_OCTETS + 16,
}
"""Types of which a leaf can have several records: all have the same length."""

_PTR = int(Type.PTR)
_NEVER = frozenset((*LAYOUTS, Type.DS, Type.OPT, Type.HIDE)) - {_PTR}
"""Types that are looked into, or at, before they are sent."""


class Node:
    """A name that exists: its RRsets (few, so a tuple), and how many names exist
    directly below it."""

    __slots__ = ("children", "marks", "rrsets")

    def __init__(self) -> None:
        self.rrsets: tuple[RRset, ...] = ()
        self.children = 0
        self.marks = 0

    def get(self, type_: int) -> RRset | None:
        """The RRset of that type."""
        for rrset in self.rrsets:
            if rrset.type == type_:
                return rrset
        return None


def pack(owner: bytes, rrset: RRset) -> bytes | None:
    """The leaf of a name that owns just ``rrset``; None where it cannot be one."""
    type_, rdatas = rrset.type, rrset.rdatas
    # A spelling of its own goes with the node, for the sake of transfers.
    if type_ in _NEVER or rrset.owner != owner:
        return None
    if len(rdatas) == 1:
        rdata = rdatas[0]
        if len(rdata) > _MAX_OCTETS - _HEAD_OCTETS:
            return None
        return _HEAD.pack(_OWNER, type_, _IN, rrset.ttl, len(rdata)) + rdata
    size = RECORD_OCTETS.get(type_)
    if size is None or size * len(rdatas) > _MAX_OCTETS:
        return None
    head = _HEAD.pack(_OWNER, type_, _IN, rrset.ttl, size - _HEAD_OCTETS)
    return head + head.join(rdatas)


def leaf_type(leaf: bytes) -> int:
    """The type of a leaf's records."""
    return leaf[2] << 8 | leaf[3]


def count_records(leaf: bytes) -> int:
    """How many records a leaf has."""
    size = RECORD_OCTETS.get(leaf_type(leaf))
    return len(leaf) // size if size else 1


def unpack(owner: bytes, leaf: bytes) -> RRset:
    """The RRset of a leaf."""
    _, type_, _, ttl, length = _HEAD.unpack_from(leaf)
    step = length + _HEAD_OCTETS
    if step == len(leaf):
        return RRset(owner, type_, ttl, (leaf[_HEAD_OCTETS:],))
    ends = range(step, len(leaf) + 1, step)
    return RRset(owner, type_, ttl, tuple(leaf[end - length : end] for end in ends))


def node_of(owner: bytes, leaf: bytes) -> Node:
    """The node that a leaf stands for."""
    node = Node()
    node.rrsets = (unpack(owner, leaf),)
    return node
