"""The names of one zone, held for answering.

One ``Table`` from folded name to ``Node``, or to the octets of a leaf (``leaves``),
holds every name that exists: those that own records, and the empty non-terminals above
them (RFC 4592 2.2.2), which own none but are there all the same.  A name that is not in
the table does not exist, so the deepest ancestor that is in it is the closest encloser
of RFC 4592 3.3.1, and its child ``*``, if that is there, the source of synthesis.

Names below a zone cut stay in the table: they are glue, not authoritative data, and the
walk from the apex down in ``lookup`` meets the cut before it meets them.

A tree changes in place, within one turn of the reactor: readers see the zone before
the change or after it, never in between.  Whoever changes it calls ``touch`` when the
change is whole, which forgets the answers prepared from what was there before
(``answers`` says which).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import is_below
from netservices.dns.wire.rdata import SOA, check_rdata
from netservices.dns.zone.answers import Answers
from netservices.dns.zone.fleeting import Fleeting
from netservices.dns.zone.leaves import (
    Node,
    count_records,
    leaf_type,
    node_of,
    pack,
    unpack,
)
from netservices.dns.zone.leftovers import Leftovers
from netservices.dns.zone.table import Names, Table
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client

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


class ZoneTree:
    """A zone, ready to answer from; empty when made."""

    __slots__ = (
        "_changed",
        "_is_shaken",
        "_lacks_server",
        "_marked",
        "aliases",
        "answers",
        "apex",
        "apex_labels",
        "dynamic",
        "fleeting",
        "names",
        "negative_soa",
        "ns",
        "packed",
        "record_count",
        "revision",
        "serial",
        "servers",
        "soa",
    )

    def __init__(self, apex: bytes, revision: int = 0) -> None:
        self.apex = apex.lower()
        self.apex_labels = _count_labels(self.apex)
        self.revision = revision
        self.serial = 0
        self.record_count = 0
        self.packed = Table()
        """Every name that exists: its node, or its octets where it is a leaf."""
        self.packed[self.apex] = Node()
        self.names: Mapping[bytes, Node] = Names(self.packed)
        """The same for readers: a leaf is a node here too."""
        self.soa: RRset | None = None
        self.ns: RRset | None = None
        self.negative_soa: RRset | None = None
        self.servers: frozenset[bytes] = frozenset()
        """The zone's name servers whose names are in it; their addresses stand beside
        every answer."""
        self.answers = Answers()
        """What was prepared from the content as it is."""
        self.dynamic: dict[bytes, Dynamic] = {}
        """What is asked for the records of a name, by folded owner (``*`` for those
        that a wildcard stands for); filled by ``set_dynamic``."""
        self.fleeting = Fleeting()
        """Answers in which ``dynamic`` had a say."""
        self.aliases: set[bytes] = set()
        """The names with an ALIAS record, folded."""
        self._marked = 0
        self._changed: set[bytes] | None = None
        """Names whose records changed since the last ``touch``; None: all of them."""
        self._is_shaken = False
        """Whether a cut or DNAME has come or gone since."""
        self._lacks_server = False

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
        if self._changed is not None:
            self._changed.add(owner)
        found = self.packed.get(owner)
        if not isinstance(found, Node) and self._put_leaf(owner, rrset, found):
            return
        node = self._make_node(owner) if found is None else self._grown(owner, found)
        others = tuple(old for old in node.rrsets if old.type != rrset.type)
        self._count(owner, node, (*others, rrset))

    def _put_leaf(self, owner: bytes, rrset: RRset, found: bytes | None) -> bool:
        """Put it as a leaf, or in place of one of its type; whether that can be."""
        if found is not None and leaf_type(found) != rrset.type:
            return False
        leaf = pack(owner, rrset)
        if leaf is None or owner in self.servers or owner in self.dynamic:
            return False
        if found is None:
            self._make_above(owner)
        else:
            self.record_count -= count_records(found)
        self.record_count += len(rrset.rdatas)
        self.packed[owner] = leaf
        return True

    def remove(self, owner: bytes, type_: int) -> None:
        """Take an RRset away; nothing where there is none."""
        owner = owner.lower()
        found = self.packed.get(owner)
        if found is None:
            return
        if self._changed is not None:
            self._changed.add(owner)
        if isinstance(found, Node):
            rrsets = tuple(r for r in found.rrsets if r.type != type_)
            self._count(owner, found, rrsets)
            self._drop_empty(owner, found)
        elif leaf_type(found) == type_:
            self.record_count -= count_records(found)
            self._drop(owner)

    def set_dynamic(self, owner: bytes, dynamic: Dynamic | None) -> None:
        """Let ``dynamic`` say what the records of a name (folded) are, or the zone
        again; then ``touch``.  The name needs records of its own to exist."""
        if dynamic is None:
            self.dynamic.pop(owner, None)
        else:
            self.dynamic[owner] = dynamic
        self.fleeting.clear()
        if self._changed is not None:
            self._changed.add(owner)
        found = self.packed.get(owner)
        if found is not None:
            node = self._grown(owner, found)
            self._count(owner, node, node.rrsets)

    def leaf(self, name: bytes, qtype: int) -> bytes | None:
        """The records of that type at a name, where it is a leaf in authoritative
        data."""
        found = self.packed.get(name)
        if found is None or isinstance(found, Node) or leaf_type(found) != qtype:
            return None
        return found if self.is_flat or self.is_open(name) else None

    def is_open(self, name: bytes) -> bool:
        """Whether there is no cut and no DNAME above a name (folded, in the zone)."""
        while name != self.apex:
            name = name[name[0] + 1 :]
            above = self.packed.get(name)
            if isinstance(above, Node) and above.marks & _HIDES:
                return False
        return True

    def touch(self) -> list[bytes] | None:
        """A change is complete: note the new SOA and servers, and forget the prepared
        answers that may differ now.  Which those are, as ``Answers.forget`` says; None:
        all of the zone."""
        self.fleeting.clear()
        changed, self._changed = self._changed, set()
        node = self.names[self.apex]
        soa, ns = node.get(_SOA), node.get(_NS)
        is_everything = (
            changed is None
            or self._is_shaken
            or self._lacks_server
            or ns != self.ns
            # Without a SOA it is no zone, and nothing is answered from it.
            or (soa is None) != (self.soa is None)
            or not changed.isdisjoint(self.servers)
        )
        self._is_shaken = False
        self._note_soa(soa)
        if is_everything:
            self._note_servers(ns)
        if changed is None or is_everything:
            self.answers.forget_all()
            return None
        return self.answers.forget(self.apex, changed)

    def rrsets(self) -> Iterable[RRset]:
        """Every RRset, in no order."""
        for owner, found in self.packed.items():
            if isinstance(found, Node):
                yield from found.rrsets
            else:
                yield unpack(owner, found)

    def _note_soa(self, soa: RRset | None) -> None:
        self.soa = soa
        self.negative_soa = None
        if soa is not None:
            fields = SOA.parse(soa.rdatas[0])
            self.serial = fields.serial
            # RFC 2308 3: a negative answer lives as long as the lesser of the two.
            ttl = min(soa.ttl, fields.minimum)
            self.negative_soa = RRset(self.apex, _SOA, ttl, soa.rdatas[:1])

    def _note_servers(self, ns: RRset | None) -> None:
        """A server is a node, never a leaf: it does not need its own addresses beside
        the answer."""
        self.ns = ns
        self.servers = self._servers_of(ns)
        self._lacks_server = False
        for server in self.servers:
            found = self.packed.get(server)
            if found is None:
                self._lacks_server = True
            else:
                self._grown(server, found)

    def _servers_of(self, ns: RRset | None) -> frozenset[bytes]:
        """The servers whose names are in the zone."""
        targets = () if ns is None else tuple(rdata.lower() for rdata in ns.rdatas)
        return frozenset(name for name in targets if is_below(name, self.apex))

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
        if (marks ^ node.marks) & _HIDES:
            self._is_shaken = True
        if (marks ^ node.marks) & ALIAS:
            (self.aliases.add if marks & ALIAS else self.aliases.discard)(owner)
        if owner in self.dynamic:
            marks |= DYNAMIC
        if (marks ^ node.marks) & ALIAS:
            (self.aliases.add if marks & ALIAS else self.aliases.discard)(owner)
        node.marks = marks
        node.rrsets = rrsets

    def _grown(self, owner: bytes, found: Node | bytes) -> Node:
        """The node of a name; of a leaf, one that takes its place."""
        if isinstance(found, Node):
            return found
        node = self.packed[owner] = node_of(owner, found)
        return node

    def _make_node(self, owner: bytes) -> Node:
        """The node of a new name, and of the names between it and one that exists."""
        self._make_above(owner)
        node = self.packed[owner] = Node()
        return node

    def _make_above(self, owner: bytes) -> None:
        """A name comes: its parent has one more below it, and may be new itself."""
        while True:
            owner = owner[owner[0] + 1 :]
            above = self.packed.get(owner)
            if above is not None:
                self._grown(owner, above).children += 1
                return
            node = self.packed[owner] = Node()
            node.children = 1

    def _drop_empty(self, owner: bytes, node: Node) -> None:
        """Forget a name that owns nothing and has nothing below it, and so on up."""
        if not node.rrsets and not node.children and owner != self.apex:
            self._drop(owner)

    def _drop(self, owner: bytes) -> None:
        del self.packed[owner]
        owner = owner[owner[0] + 1 :]
        above = self.packed[owner]
        assert isinstance(above, Node)
        above.children -= 1
        self._drop_empty(owner, above)


def _count_labels(name: bytes) -> int:
    count = position = 0
    while name[position]:
        position += name[position] + 1
        count += 1
    return count


class Zones:
    """The zones that this server answers for, found by the longest match."""

    def __init__(self) -> None:
        self.leftovers = Leftovers()
        """What is left of zones and answers that are there no longer."""
        self._parents: frozenset[bytes] = frozenset()
        self._trees: dict[bytes, ZoneTree] = {}
        self._depths: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._trees)

    def get(self, apex: bytes) -> ZoneTree | None:
        """The zone of exactly that name, folded."""
        return self._trees.get(apex)

    def put(self, tree: ZoneTree) -> None:
        """Add a zone, or replace the one of its name."""
        old = self._trees.get(tree.apex)
        if old is not None and old is not tree:
            old.answers.forget_all()
        tree.answers.leftovers = self.leftovers
        self._trees[tree.apex] = tree
        self._sort()

    def remove(self, apex: bytes) -> None:
        """Forget a zone; nothing where there is none."""
        tree = self._trees.pop(apex, None)
        if tree is not None:
            tree.answers.forget_all()
            self._sort()

    def has_apex_below(self, name: bytes) -> bool:
        """Whether there is a zone whose apex is one label below a name, folded."""
        return name in self._parents

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
        self._parents = frozenset(
            apex[apex[0] + 1 :] for apex in self._trees if len(apex) > 1
        )
