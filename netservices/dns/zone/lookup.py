"""The answer to a question, found in a zone's tree: RFC 1034 4.3.2, as RFC 2308,
RFC 4592 and RFC 6672 amend it.

Each turn of ``resolve`` walks from the apex down towards one name and ends in one of
five ways: at a zone cut (a referral), below a DNAME, at the name, at the wildcard that
stands for it, or nowhere.  A CNAME, found or made from a DNAME, starts another turn
with its target as long as that is in the zone, was not met before, and the limit
allows.

A node marked ``DYNAMIC`` has records that depend on the moment or on who asks: whatever
``ZoneTree.set_dynamic`` put there is asked for them, each time anew, and the answer is
``is_fleeting``, so that nobody keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, frozen

from netservices.core.errors import Trouble
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.names import MAX_NAME_OCTETS, ROOT, is_below
from netservices.dns.wire.rdata import split_rdata
from netservices.dns.zone.leaves import Node
from netservices.dns.zone.tree import CUT, DNAME, DYNAMIC, Dynamic, ZoneTree
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client

# Plain numbers: looking up the member of an Enum class costs more than comparing it.
_OF_ALIAS = frozenset((Type.RRSIG, Type.NSEC))
_A, _NS, _CNAME, _MX = int(Type.A), int(Type.NS), int(Type.CNAME), int(Type.MX)
_AAAA, _SRV, _DNAME = int(Type.AAAA), int(Type.SRV), int(Type.DNAME)
_DS, _ANY = int(Type.DS), int(Type.ANY)
_SVCB, _HTTPS = int(Type.SVCB), int(Type.HTTPS)

Said: TypeAlias = "dict[tuple[Dynamic, int], RRset | None]"


class Found(Enum):
    """How a walk down the tree ends."""

    NAME = auto()
    WILDCARD = auto()
    REFERRAL = auto()
    DNAME = auto()
    NOTHING = auto()


class Answer:
    """RRsets for the three sections, with the owners under which they go out.

    ``glue`` and ``more`` make the additional section: the first must be there
    (RFC 9471), the second may be left out where room is short (RFC 2181 9), as may
    ``authority`` where ``is_authority_optional``.  ``is_fleeting`` says that the same
    question may get another answer in a moment, or when somebody else asks it.

    ``names`` are the names whose records it shows or follows, but for the zone's
    servers; ``is_passing`` says that it depends on which names there are, too.
    """

    __slots__ = (
        "answer",
        "authority",
        "glue",
        "has_trouble",
        "is_authoritative",
        "is_authority_optional",
        "is_fleeting",
        "is_passing",
        "more",
        "names",
        "rcode",
        "said",
    )

    def __init__(self) -> None:
        self.rcode: int = Rcode.NOERROR
        self.is_authoritative = True
        self.is_authority_optional = False
        self.is_fleeting = False
        self.said: Said = {}
        """What each ``Dynamic`` said that was asked; each is asked once."""
        self.has_trouble = False
        """Whether one of them could say nothing."""
        self.is_passing = False
        self.names: set[bytes] = set()
        self.answer: list[RRset] = []
        self.authority: list[RRset] = []
        self.glue: list[RRset] = []
        self.more: list[RRset] = []


_NAME, _NOTHING, _REFERRAL = Found.NAME, Found.NOTHING, Found.REFERRAL
_BELOW_DNAME, _WILDCARD = Found.DNAME, Found.WILDCARD

PickAny = Callable[[bytes, tuple[RRset, ...]], tuple[RRset, ...]]
"""What a question for ANY gets, of an owner and its RRsets."""


@frozen
class Asked:
    """Who asks, and when; for records that depend on it."""

    client: Client | None = None
    now: float = 0.0
    said: Said = Factory(dict)
    """What is not asked again, as it has just been said."""


NOBODY = Asked()


def walk(tree: ZoneTree, name: bytes, qtype: int) -> tuple[Found, bytes, Node]:
    """Where the walk from the apex to ``name`` (folded, in the zone) ends: how, at
    which existing name, at which node.  For NOTHING the closest encloser."""
    names = tree.names
    if tree.is_flat:
        node = names.get(name)
        if node is not None:
            return _NAME, name, node
    offsets = []
    position = 0
    end = len(name) - len(tree.apex)
    while position < end:
        offsets.append(position)
        position += name[position] + 1
    owner, node = tree.apex, names[tree.apex]
    if node.marks & DNAME and offsets:
        return _BELOW_DNAME, owner, node
    for offset in reversed(offsets):
        suffix = name[offset:]
        child = names.get(suffix)
        if child is None:
            star = names.get(b"\1*" + owner)
            if star is None:
                return _NOTHING, owner, node
            return _WILDCARD, owner, star
        owner, node = suffix, child
        if node.marks:
            # RFC 4035 3.1.4.1: DS lives on the parent's side of the cut.
            if node.marks & CUT and (offset or qtype != _DS):
                return _REFERRAL, owner, node
            if node.marks & DNAME and offset:
                return _BELOW_DNAME, owner, node
    return _NAME, owner, node


def resolve(
    tree: ZoneTree,
    name: bytes,
    qtype: int,
    pick_any: PickAny,
    max_chain: int = 18,
    is_minimal: bool = False,
    asked: Asked = NOBODY,
) -> Answer:
    """The answer from ``tree``, which has a SOA, for a folded name in it.  What a
    ``Dynamic`` raises comes through."""
    answer = Answer()
    met = answer.names
    is_whole = False
    while True:
        met.add(name)
        found, owner, node = walk(tree, name, qtype)
        if found is not _NAME:
            answer.is_passing = True
        if found is _REFERRAL:
            _refer(tree, answer, owner, node, asked)
            break
        if found is _NOTHING:
            # RFC 8020 2: so nothing is below that name either.
            # RFC 6604 3: the response code is that of the last name of a chain.
            answer.rcode = Rcode.NXDOMAIN
            _deny(tree, answer)
            break
        if found is _BELOW_DNAME:
            target = _substitute(answer, name, owner, node)
            if target is None or qtype in (_CNAME, _ANY):
                break
            # A DNAME into its own subtree would only make the name grow.
            if len(target) > len(name) and is_below(target, owner):
                break
        else:
            if node.marks & DYNAMIC:
                key = owner if found is _NAME else b"\1*" + owner
                node = _node_now(tree, answer, key, node, qtype, asked)
            target, is_whole = _take(tree, answer, name, node, qtype, pick_any)
            if target is None:
                break
        # In-zone chains only: what another zone says, the client asks there.
        if target in met or len(met) > max_chain or not is_below(target, tree.apex):
            break
        name = target
    if not is_minimal:
        # DS beside a cut goes without, as with other servers.
        if is_whole and qtype not in (_DS, _ANY):
            _add_authority(tree, answer)
        # RFC 8482 4: what ANY gets is small.
        if qtype != _ANY or not is_whole:
            _add_addresses(tree, answer, asked)
    return answer


def _take(
    tree: ZoneTree,
    answer: Answer,
    name: bytes,
    node: Node,
    qtype: int,
    pick_any: PickAny,
) -> tuple[bytes | None, bool]:
    """Step 3a and 3c: the records at a name, or at the wildcard that stands for it
    (RFC 4592 3.3).  The target of a CNAME; whether records were what was asked for."""
    if qtype == _ANY:
        rrsets = pick_any(name, node.rrsets)
        if not rrsets:
            _deny(tree, answer)
            return None, False
        answer.answer += [_owned(rrset, name) for rrset in rrsets]
        return None, True
    rrset = node.get(qtype)
    if rrset is not None:
        answer.answer.append(_owned(rrset, name))
        return None, True
    alias = node.get(_CNAME)
    # RFC 2181 10.1, RFC 4035 2.5: what may stand beside a CNAME is asked of the alias.
    if alias is None or qtype in _OF_ALIAS:
        _deny(tree, answer)
        return None, False
    answer.answer.append(_owned(alias, name))
    return alias.rdatas[0].lower(), False


def _owned(rrset: RRset, name: bytes) -> RRset:
    """The RRset under the name that was asked for."""
    if rrset.owner == name:
        return rrset
    return RRset(name, rrset.type, rrset.ttl, rrset.rdatas)


def _deny(tree: ZoneTree, answer: Answer) -> None:
    """RFC 2308 2: SOA in the authority section, so that the denial can be cached."""
    answer.is_passing = True
    if tree.negative_soa is not None:
        answer.authority.append(tree.negative_soa)


def _node_now(
    tree: ZoneTree, answer: Answer, key: bytes, node: Node, qtype: int, asked: Asked
) -> Node:
    """The node with the records that it has for this client, now."""
    dynamic = tree.dynamic[key]
    rrsets = {rrset.type: rrset for rrset in node.rrsets}
    types = (
        {*rrsets, _A, _AAAA} if qtype == _ANY else {qtype, *rrsets} & {qtype, _CNAME}
    )
    for type_ in types:
        rrset = _ask(answer, dynamic, type_, asked)
        if rrset is not None:
            answer.is_fleeting = True
            rrsets[type_] = rrset
            if not rrset.rdatas:
                del rrsets[type_]
    found = Node()
    found.rrsets = tuple(rrsets.values())
    return found


def _ask(answer: Answer, dynamic: Dynamic, type_: int, asked: Asked) -> RRset | None:
    """What it says, or has said before for the same answer."""
    call = dynamic, type_
    if call not in answer.said:
        if call in asked.said:
            answer.said[call] = asked.said[call]
        else:
            answer.said[call] = dynamic.rrset(type_, asked.client, asked.now)
    return answer.said[call]


def _refer(
    tree: ZoneTree, answer: Answer, owner: bytes, node: Node, asked: Asked
) -> None:
    """Step 3b: the servers of a zone below, and the addresses one needs to reach
    them."""
    servers = node.get(_NS)
    if servers is None:
        return
    # RFC 1034 4.3.1: the answer's authority is that of its first owner name.
    answer.is_authoritative = bool(answer.answer)
    answer.authority.append(_owned(servers, owner))
    for server in servers.rdatas:
        target = server.lower()
        if is_below(target, tree.apex):
            # RFC 9471 3.1: glue inside the delegated domain has to be there; glue
            # below other cuts (sibling glue) and plain addresses are there if they fit.
            is_needed = is_below(target, owner)
            section = answer.glue if is_needed else answer.more
            _add_address(tree, answer, section, target, True, asked)


def _substitute(answer: Answer, name: bytes, owner: bytes, node: Node) -> bytes | None:
    """RFC 6672 2.2: the DNAME, and a CNAME made from it; its target, or None where
    that is longer than a name can be."""
    rrset = node.get(_DNAME)
    if rrset is None:
        return None
    answer.answer.append(_owned(rrset, owner))
    target = name[: -len(owner)] + rrset.rdatas[0]
    if len(target) > MAX_NAME_OCTETS:
        answer.rcode = Rcode.YXDOMAIN
        return None
    # RFC 6672 3.1: the CNAME lives as long as its DNAME.
    answer.answer.append(RRset(name, _CNAME, rrset.ttl, (target,)))
    return target.lower()


def _add_authority(tree: ZoneTree, answer: Answer) -> None:
    """The zone's servers beside a positive answer, unless they are the answer."""
    servers = tree.ns
    if servers is None or any(
        rrset.type == _NS and rrset.owner == tree.apex for rrset in answer.answer
    ):
        return
    answer.is_authority_optional = True
    answer.authority.append(_owned(servers, tree.apex))


def _add_addresses(tree: ZoneTree, answer: Answer, asked: Asked) -> None:
    """Step 6: addresses that the client will need next."""
    done = {(r.owner, r.type) for r in answer.answer + answer.glue + answer.more}
    extra: list[RRset] = []
    for rrset in answer.answer:
        for target in _targets(rrset):
            _add_address(tree, answer, extra, target, rrset.type == _NS, asked)
    if answer.is_authority_optional:
        for target in _targets(answer.authority[0]):
            _add_address(tree, answer, extra, target, True, asked)
    for rrset in extra:
        if (rrset.owner, rrset.type) not in done:
            done.add((rrset.owner, rrset.type))
            answer.more.append(rrset)


def _targets(rrset: RRset) -> list[bytes]:
    """The names whose addresses go with an RRset, folded; RFC 1035 3.3.9 and 3.3.11,
    RFC 2782, RFC 9460 4.1."""
    if rrset.type == _NS:
        return [rdata.lower() for rdata in rrset.rdatas]
    if rrset.type in (_MX, _SRV):
        return [split_rdata(rrset.type, rdata)[1][0].lower() for rdata in rrset.rdatas]
    if rrset.type in (_SVCB, _HTTPS):
        # RFC 9460 2.5.2: the root stands for the owner.
        targets = [split_rdata(rrset.type, rdata)[1][0] for rdata in rrset.rdatas]
        return [rrset.owner if t == ROOT else t.lower() for t in targets]
    return []


def _add_address(
    tree: ZoneTree,
    answer: Answer,
    section: list[RRset],
    target: bytes,
    is_glue: bool,
    asked: Asked,
) -> None:
    """Add the addresses of ``target`` if the zone has them.  Below a cut they are no
    authoritative data (RFC 2181 5.4.1) and serve as glue alone."""
    if not is_below(target, tree.apex):
        return
    node: Node | None = None
    if is_glue:
        node = tree.names.get(target)
    else:
        answer.names.add(target)
    key = target
    if node is None:
        found, owner, node = walk(tree, target, _A)
        # A server that is missing makes every answer pass; see ``ZoneTree.touch``.
        if found is not _NAME and not is_glue:
            answer.is_passing = True
        if found not in (_NAME, _WILDCARD):
            return
        if found is _WILDCARD:
            key = b"\1*" + owner
    if node.marks & DYNAMIC:
        try:
            node = _node_now(tree, answer, key, node, _ANY, asked)
        except Trouble:
            # They are a help, and nothing that the answer should wait for.
            answer.is_fleeting = True
            answer.has_trouble = True
            return
    for rrset in node.rrsets:
        if rrset.type in (_A, _AAAA):
            section.append(_owned(rrset, target))
