"""The names of one zone, held for answering.

One dict from folded name to ``Node`` holds every name that exists: those that own
records, and the empty non-terminals above them (RFC 4592 2.2.2), which own none but are
there all the same.  A name that is not in the dict does not exist, so the deepest
ancestor that is in it is the closest encloser of RFC 4592 3.3.1, and its child ``*``,
if that is in the dict, the source of synthesis.

Names below a zone cut stay in the dict: they are glue, not authoritative data, and the
walk from the apex down in ``lookup`` meets the cut before it meets them.

A tree changes in place, within one turn of the reactor: readers see the zone before
the change or after it, never in between.  Whoever changes it calls ``touch`` when the
change is whole, which forgets every answer prepared from what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import is_below
from netservices.dns.wire.rdata import SOA, check_rdata
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client
    from netservices.dns.zone.prepare import Prepared

# What a node is marked with, so that the walk down need not search its types.
CUT = 1
DNAME = 2
DYNAMIC = 4
ALIAS = 8

_HIDES = CUT | DNAME

_SOA = int(Type.SOA)
_NS = int(Type.NS)
_DS = int(Type.DS)
_MARKS: dict[int, int] = {Type.NS: CUT, Type.DNAME: DNAME, Type.ALIAS: ALIAS}


class Dynamic(Protocol):
    """What knows the records of a name that depend on the moment or the client, such
    as one of several addresses by weight, or those that are in health."""

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """The RRset of that type for this client, now, with the name that it is
        registered for as its owner; one without records: there is none; None: what the
        zone says, whoever asks and whenever.  ``Trouble``: nobody knows at the moment
        (SERVFAIL).

        ``client`` is None where nobody asks, as in a check of the zone.
        """


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


class ZoneTree:
    """A zone, ready to answer from; empty when made."""

    __slots__ = (
        "_marked",
        "aliases",
        "apex",
        "apex_labels",
        "dynamic",
        "names",
        "negative_soa",
        "ns",
        "passing",
        "prepared",
        "record_count",
        "revision",
        "serial",
        "soa",
    )

    def __init__(self, apex: bytes, revision: int = 0) -> None:
        self.apex = apex.lower()
        self.apex_labels = _count_labels(self.apex)
        self.revision = revision
        self.serial = 0
        self.record_count = 0
        self.names: dict[bytes, Node] = {self.apex: Node()}
        self.soa: RRset | None = None
        self.ns: RRset | None = None
        self.negative_soa: RRset | None = None
        self.prepared: dict[bytes, Prepared] = {}
        """Finished answers of records, by folded question."""
        self.passing: dict[bytes, Prepared] = {}
        """The same for denials, referrals and wildcards, of which there is no end."""
        self.dynamic: dict[bytes, Dynamic] = {}
        """What is asked for the records of a name, by folded owner (``*`` for those
        that a wildcard stands for); filled by ``set_dynamic``."""
        self.aliases: set[bytes] = set()
        """The names with an ALIAS record, folded."""
        self._marked = 0

    @property
    def is_flat(self) -> bool:
        """Whether no cut and no DNAME can stand above an existing name."""
        return not self._marked

    def put(self, rrset: RRset) -> None:
        """Put an RRset in place of the one of its owner and type.  SyntaxProblem where
        it is malformed or not of this zone; then nothing has changed."""
        owner = rrset.owner.lower()
        if not rrset.rdatas or not is_below(owner, self.apex):
            raise SyntaxProblem("an RRset without records, or of another zone")
        for rdata in rrset.rdatas:
            check_rdata(rrset.type, rdata)
        node = self.names.get(owner) or self._make_node(owner)
        others = tuple(old for old in node.rrsets if old.type != rrset.type)
        self._count(owner, node, (*others, rrset))

    def remove(self, owner: bytes, type_: int) -> None:
        """Take an RRset away; nothing where there is none."""
        owner = owner.lower()
        node = self.names.get(owner)
        if node is None:
            return
        self._count(owner, node, tuple(r for r in node.rrsets if r.type != type_))
        self._drop_empty(owner, node)

    def set_dynamic(self, owner: bytes, dynamic: Dynamic | None) -> None:
        """Let ``dynamic`` say what the records of a name (folded) are, or the zone
        again.  The name needs records of its own to exist."""
        if dynamic is None:
            self.dynamic.pop(owner, None)
        else:
            self.dynamic[owner] = dynamic
        node = self.names.get(owner)
        if node is not None:
            self._count(owner, node, node.rrsets)

    def touch(self) -> None:
        """A change is complete: note the new SOA and forget prepared answers."""
        node = self.names[self.apex]
        self.soa = node.get(_SOA)
        self.ns = node.get(_NS)
        self.negative_soa = None
        if self.soa is not None:
            fields = SOA.parse(self.soa.rdatas[0])
            self.serial = fields.serial
            # RFC 2308 3: a negative answer lives as long as the lesser of the two.
            ttl = min(self.soa.ttl, fields.minimum)
            self.negative_soa = RRset(self.apex, _SOA, ttl, self.soa.rdatas[:1])
        self.prepared.clear()
        self.passing.clear()

    def rrsets(self) -> Iterable[RRset]:
        """Every RRset, in no order."""
        for node in self.names.values():
            yield from node.rrsets

    def _count(self, owner: bytes, node: Node, rrsets: tuple[RRset, ...]) -> None:
        """Give ``node`` its RRsets and keep marks and counts right."""
        self.record_count += sum(len(r.rdatas) for r in rrsets)
        self.record_count -= sum(len(r.rdatas) for r in node.rrsets)
        marks = 0
        for rrset in rrsets:
            marks |= _MARKS.get(rrset.type, 0)
        if owner == self.apex:
            # NS at the apex is the zone's own, no cut.
            marks &= ~CUT
        self._marked += bool(marks & _HIDES) - bool(node.marks & _HIDES)
        if owner in self.dynamic:
            marks |= DYNAMIC
        if (marks ^ node.marks) & ALIAS:
            (self.aliases.add if marks & ALIAS else self.aliases.discard)(owner)
        node.marks = marks
        node.rrsets = rrsets

    def _make_node(self, owner: bytes) -> Node:
        """The node of a new name, and of the names between it and one that exists."""
        node = made = Node()
        self.names[owner] = node
        while True:
            owner = owner[owner[0] + 1 :]
            above = self.names.get(owner)
            if above is not None:
                above.children += 1
                return made
            node = Node()
            node.children = 1
            self.names[owner] = node

    def _drop_empty(self, owner: bytes, node: Node) -> None:
        """Forget a name that owns nothing and has nothing below it, and so on up."""
        while not node.rrsets and not node.children and owner != self.apex:
            del self.names[owner]
            owner = owner[owner[0] + 1 :]
            node = self.names[owner]
            node.children -= 1


def _count_labels(name: bytes) -> int:
    count = position = 0
    while name[position]:
        position += name[position] + 1
        count += 1
    return count


class Zones:
    """The zones that this server answers for, found by the longest match."""

    def __init__(self) -> None:
        self._trees: dict[bytes, ZoneTree] = {}
        self._depths: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._trees)

    def get(self, apex: bytes) -> ZoneTree | None:
        """The zone of exactly that name, folded."""
        return self._trees.get(apex)

    def put(self, tree: ZoneTree) -> None:
        """Add a zone, or replace the one of its name."""
        self._trees[tree.apex] = tree
        self._sort()

    def remove(self, apex: bytes) -> None:
        """Forget a zone; nothing where there is none."""
        if self._trees.pop(apex, None) is not None:
            self._sort()

    def trees(self) -> tuple[ZoneTree, ...]:
        """All zones."""
        return tuple(self._trees.values())

    def find(self, folded: bytes, qtype: int) -> ZoneTree | None:
        """The zone that answers for a name: RFC 1034 4.3.2 step 2.

        RFC 4035 3.1.4.1: DS at an apex is the parent's, where that is here too.
        """
        offsets = [0]
        position = 0
        while length := folded[position]:
            position += length + 1
            offsets.append(position)
        count = len(offsets) - 1
        found = None
        for depth in self._depths:
            if depth > count:
                continue
            tree = self._trees.get(folded[offsets[count - depth] :])
            if tree is not None:
                if qtype != _DS or depth < count or not depth:
                    return tree
                found = tree
        return found

    def _sort(self) -> None:
        depths = {tree.apex_labels for tree in self._trees.values()}
        self._depths = tuple(sorted(depths, reverse=True))
