"""Overlays: what a view shows differently in a zone, record by record.

An overlay is a small zone of its own in the store, without a SOA.  Each RRset in it
takes the place of the zone's RRset of the same owner and type; a name that the zone
does not have is added; everything else is the zone's.  A HIDE record in it takes
RRsets of the zone away: ``old HIDE *`` all of a name, ``www HIDE AAAA HTTPS`` those
types; what remains is as if the zone never had them.  Where one of the two has a CNAME
at a name and the other has other data, the overlay's is what remains (RFC 1034 3.6.2).

What a view answers from is a ``MergedTree``.  It shares the nodes of the zone's own
tree and holds nodes of its own for the names alone that differ; it keeps, for each such
name, by how much its existence and the count of its children differ from the zone's.
So a change at a name means work for that name and those above it, however large the
zone is, and two trees of a million names take little more memory than one.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import MAX_LABEL_OCTETS, MAX_NAME_OCTETS, fold
from netservices.dns.zone.leaves import Node
from netservices.dns.zone.tree import CUT, DNAME, DYNAMIC, ZoneTree
from netservices.values import RRset

_HIDE = int(Type.HIDE)
_BESIDE_CNAME = frozenset((Type.CNAME, Type.RRSIG, Type.NSEC))
_ADDRESSES = frozenset((Type.A, Type.AAAA))
_GIVES_ADDRESSES = _ADDRESSES | {Type.CNAME, Type.ALIAS}
_MARKS: dict[int, int] = {Type.NS: CUT, Type.DNAME: DNAME}
_AT_EVERY_APEX = frozenset((Type.SOA, Type.NS))


# --- the name under which an overlay is stored --------------------------------------


def overlay_name(view: str, origin: bytes) -> bytes:
    """The name of the zone that is a view's overlay of ``origin``: below it, with a
    label that no host has.  ValueError where that is too long."""
    label = b"\0" + view.encode("ascii")
    name = bytes((len(label),)) + label + origin
    if len(label) > MAX_LABEL_OCTETS or len(name) > MAX_NAME_OCTETS:
        raise ValueError(f"the name of the overlay of {view} would be too long")
    return name


def split_overlay(name: bytes) -> tuple[str, bytes] | None:
    """View and origin of a zone that is an overlay; None for any other zone."""
    if name[0] < 2 or name[1]:
        return None
    end = 1 + name[0]
    try:
        return name[2:end].decode("ascii"), name[end:]
    except UnicodeDecodeError:
        return None


# --- merging ------------------------------------------------------------------------


def merge_rrsets(
    base: tuple[RRset, ...], over: tuple[RRset, ...], is_apex: bool
) -> tuple[RRset, ...]:
    """The RRsets of one name: the zone's under the overlay's."""
    if not over:
        return base
    own = tuple(rrset for rrset in over if rrset.type != _HIDE)
    hidden: frozenset[int] | None = frozenset()
    for rrset in over:
        if rrset.type == _HIDE:
            hidden = hidden_types(rrset.rdatas)
    if is_apex:
        # A zone without SOA or NS is none; and there is no CNAME beside them.
        own = tuple(rrset for rrset in own if rrset.type != Type.CNAME)
    replaced = {rrset.type for rrset in own}
    kept = tuple(
        rrset
        for rrset in base
        if rrset.type not in replaced
        and (
            (hidden is not None and rrset.type not in hidden)
            or (is_apex and rrset.type in _AT_EVERY_APEX)
        )
    )
    return _without_conflicts(kept, replaced) + own


def _without_conflicts(
    kept: tuple[RRset, ...], replaced: set[int]
) -> tuple[RRset, ...]:
    """What may stay of the zone beside the types of the overlay; RFC 1034 3.6.2."""
    if Type.CNAME in replaced:
        return tuple(rrset for rrset in kept if rrset.type in _BESIDE_CNAME)
    unwanted: set[int] = set()
    if replaced - _BESIDE_CNAME:
        unwanted.add(Type.CNAME)
    # An ALIAS gives the addresses, so that there are no others beside it.
    if Type.ALIAS in replaced:
        unwanted |= _ADDRESSES
    if replaced & _ADDRESSES:
        unwanted.add(Type.ALIAS)
    return tuple(rrset for rrset in kept if rrset.type not in unwanted)


def hidden_types(rdatas: Iterable[bytes]) -> frozenset[int] | None:
    """The types that HIDE records hide; None: all."""
    found: set[int] = set()
    for rdata in rdatas:
        if not rdata:
            return None
        found.update(rdata[i] << 8 | rdata[i + 1] for i in range(0, len(rdata) - 1, 2))
    return frozenset(found)


class Overlay(ZoneTree):
    """The RRsets of an overlay.  ``apex`` is the origin that it lies over."""

    __slots__ = ("name", "view")

    def __init__(self, view: str, origin: bytes, revision: int = 0) -> None:
        super().__init__(origin, revision)
        self.view = view
        self.name = fold(overlay_name(view, origin))


class _Place(Node):
    """A name that differs between the zone and its merged tree."""

    __slots__ = ("delta", "extra", "presence")

    def __init__(self) -> None:
        super().__init__()
        self.delta = 0
        """Children that are here alone, less those that the zone alone has."""
        self.presence = 0
        """1: the name is here alone; -1: in the zone alone; 0: in both or neither."""
        self.extra = 0
        """Records here, less those that the zone has."""


class _Layered:
    """The names of a zone with some put above them: as much of a dict as readers of a
    tree use."""

    __slots__ = ("_base", "_own")

    def __init__(self, base: Any, own: dict[bytes, Node | None]) -> None:
        self._base = base
        self._own = own

    def get(self, name: bytes, default: Any = None) -> Any:
        """The node of that name."""
        own = self._own
        if name in own:
            node = own[name]
            return default if node is None else node
        return self._base.get(name, default)

    def __getitem__(self, name: bytes) -> Node:
        node: Node | None = self.get(name)
        if node is None:
            raise KeyError(name)
        return node

    def __contains__(self, name: object) -> bool:
        own = self._own
        return own[name] is not None if name in own else name in self._base

    def __iter__(self) -> Iterator[bytes]:
        own = self._own
        yield from (name for name in self._base if name not in own)
        yield from (name for name, node in own.items() if node is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def keys(self) -> Iterator[bytes]:
        """All names."""
        return iter(self)

    def items(self) -> Iterator[tuple[bytes, Node]]:
        """Names and nodes."""
        return ((name, self[name]) for name in self)

    def values(self) -> Iterator[Node]:
        """All nodes."""
        return (self[name] for name in self)


class MergedTree(ZoneTree):
    """A zone as a view shows it: ``base`` under ``overlay``."""

    __slots__ = ("_extra", "_own", "_own_marked", "_places", "base", "overlay")

    def __init__(self, base: ZoneTree, overlay: Overlay) -> None:
        super().__init__(base.apex, base.revision)
        self.base = base
        self.overlay = overlay
        self._own: dict[bytes, Node | None] = {}
        self._places: dict[bytes, _Place] = {}
        self._extra = 0
        self._own_marked = 0
        names: Any = _Layered(base.names, self._own)
        self.names = names
        dynamic: Any = ChainMap(overlay.dynamic, base.dynamic)
        self.dynamic = dynamic
        self.follow(tuple(overlay.names))

    def follow(
        self, owners: Collection[bytes], changed: Iterable[bytes] | None = None
    ) -> list[bytes] | None:
        """Take over what has changed at those folded names, in the zone or in the
        overlay; then forget prepared answers: those that ``owners`` and ``changed``
        concern, or, where that is None, all.  See ``ZoneTree.touch``."""
        pending = set()
        for owner in owners:
            # What comes or goes at a name changes whether those above it are there.
            while owner not in pending:
                pending.add(owner)
                if owner == self.apex:
                    break
                owner = owner[owner[0] + 1 :]
        for owner in sorted(pending, key=len, reverse=True):
            self._settle(owner)
        self._changed = None if changed is None else {*owners, *changed}
        return self._renew()

    def touch(self) -> list[bytes] | None:
        """See ``ZoneTree.touch``; everything is forgotten."""
        self._changed = None
        return self._renew()

    def _renew(self) -> list[bytes] | None:
        sources = super().touch()
        self.revision = self.base.revision
        self.record_count = self.base.record_count + self._extra
        self._marked = self.base._marked + self._own_marked
        return sources

    def _note_servers(self, ns: RRset | None) -> None:
        """See ``ZoneTree._note_servers``; here are no leaves."""
        self.ns = ns
        self.servers = self._servers_of(ns)
        self._lacks_server = any(name not in self.names for name in self.servers)

    def put(self, rrset: RRset) -> None:
        """Never: the zone and the overlay are what changes."""
        raise NotImplementedError("a merged tree follows the zone and its overlay")

    def remove(self, owner: bytes, type_: int) -> None:
        """Never; see ``put``."""
        raise NotImplementedError("a merged tree follows the zone and its overlay")

    def _settle(self, name: bytes) -> None:
        """Work out a name anew, and those above it as far as that changes them."""
        while True:
            presence = self._place(name)
            if not presence or name == self.apex:
                return
            name = name[name[0] + 1 :]
            above = self._places.get(name)
            if above is None:
                above = self._places[name] = _Place()
            above.delta += presence

    def _place(self, name: bytes) -> int:
        """Work out one name; by how much the count of its parent's children has
        changed."""
        node = self.base.names.get(name)
        over = self.overlay.names.get(name)
        place = self._places.get(name)
        if place is None:
            if over is None or not over.rrsets:
                return 0
            place = self._places[name] = _Place()
        there = () if node is None else node.rrsets
        here = merge_rrsets(there, over.rrsets if over else (), name == self.apex)
        self._account(name, place, there, here)
        place.children = place.delta + (0 if node is None else node.children)
        is_here = bool(here or place.children) or name == self.apex
        change = is_here - (node is not None) - place.presence
        place.presence += change
        if place.delta or place.presence or here is not there:
            self._own[name] = place if is_here else None
        else:
            self._own_marked -= bool(place.marks & ~DYNAMIC)
            self._own.pop(name, None)
            del self._places[name]
        return change

    def _account(
        self,
        name: bytes,
        place: _Place,
        there: tuple[RRset, ...],
        here: tuple[RRset, ...],
    ) -> None:
        """Give a place its RRsets, and keep marks and counts right."""
        extra = _count(here) - _count(there)
        self._extra += extra - place.extra
        place.extra = extra
        marks = 0
        for rrset in here:
            marks |= _MARKS.get(rrset.type, 0)
        if name == self.apex:
            marks &= ~CUT
        self._own_marked += bool(marks) - bool(place.marks & ~DYNAMIC)
        if (marks ^ place.marks) & ~DYNAMIC:
            self._is_shaken = True
        place.marks = marks | self._dynamic_mark(name, there, here)
        place.rrsets = here

    def _dynamic_mark(
        self, name: bytes, there: tuple[RRset, ...], here: tuple[RRset, ...]
    ) -> int:
        """What gives a name of the zone its addresses gives it none where the overlay
        has to do with them."""
        if name in self.overlay.dynamic:
            return DYNAMIC
        if name not in self.base.dynamic:
            return 0
        same = [rrset for rrset in there if rrset.type in _GIVES_ADDRESSES]
        return DYNAMIC if all(rrset in here for rrset in same) else 0


def _count(rrsets: tuple[RRset, ...]) -> int:
    return sum(len(rrset.rdatas) for rrset in rrsets)
