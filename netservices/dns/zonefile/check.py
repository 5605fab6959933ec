"""Mistakes in a zone that a reader of its lines cannot see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import fold, is_below, name_text, parse_name
from netservices.dns.wire.rdata import check_rdata, split_rdata
from netservices.dns.zone.lookup import Found, walk
from netservices.dns.zone.tree import CUT, DNAME, ZoneTree
from netservices.values import Finding, RRset

FATAL_CODES = frozenset(
    (
        "no-soa",
        "no-ns",
        "bad-rdata",
        "out-of-zone",
        "cname-and-other",
        "alias-and-address",
        "alias-loop",
        "many-records",
        "hide-place",
    )
)
"""Findings with which a zone should not be served."""

_SINGLE = (Type.SOA, Type.CNAME, Type.DNAME, Type.ALIAS)
_BESIDE_CNAME = frozenset((Type.CNAME, Type.RRSIG, Type.NSEC))
_GLUE = frozenset((Type.A, Type.AAAA))
_AT_CUT = frozenset((Type.NS, Type.DS, Type.A, Type.AAAA, Type.RRSIG, Type.NSEC))


def check_zone(origin: str | bytes, rrsets: Iterable[RRset]) -> list[Finding]:
    """What is wrong with the zone of that name: errors and doubtful things."""
    return check_tree(*tree_of(origin, rrsets))


def tree_of(
    origin: str | bytes, rrsets: Iterable[RRset]
) -> tuple[ZoneTree, list[Finding]]:
    """The zone's tree, and what cannot be in it."""
    apex = parse_name(origin) if isinstance(origin, str) else origin
    tree = ZoneTree(apex)
    findings: list[Finding] = []
    for rrset in rrsets:
        try:
            for rdata in rrset.rdatas:
                check_rdata(rrset.type, rdata)
        except SyntaxProblem as problem:
            findings.append(_finding("bad-rdata", rrset, str(problem)))
            continue
        if is_below(fold(rrset.owner), tree.apex):
            tree.put(rrset)
        else:
            findings.append(_finding("out-of-zone", rrset, "is not in the zone"))
    tree.touch()
    return tree, findings


def check_tree(tree: ZoneTree, findings: list[Finding]) -> list[Finding]:
    """``findings`` and what else is wrong with that tree."""
    for check in _CHECKS:
        findings += check(tree)
    return findings


def _finding(code: str, rrset: RRset, text: str) -> Finding:
    name = name_text(rrset.owner)
    return Finding(code, name, f"{name} {type_name(rrset.type)} {text}")


def _check_apex(tree: ZoneTree) -> Iterator[Finding]:
    apex = name_text(tree.apex)
    if tree.soa is None:
        yield Finding("no-soa", apex, f"{apex} has no SOA record")
    if tree.ns is None:
        yield Finding("no-ns", apex, f"{apex} has no NS record")


def _check_kinds(tree: ZoneTree) -> Iterator[Finding]:
    """RRsets that cannot be, or cannot be together."""
    for owner, node in tree.names.items():
        kinds = {rrset.type for rrset in node.rrsets}
        # RFC 1034 3.6.2
        if Type.CNAME in kinds and not kinds <= _BESIDE_CNAME:
            name = name_text(owner)
            yield Finding("cname-and-other", name, f"{name} has CNAME and other data")
        if Type.ALIAS in kinds and kinds & _GLUE:
            name = name_text(owner)
            text = f"{name} has ALIAS and addresses of its own"
            yield Finding("alias-and-address", name, text)
        for rrset in node.rrsets:
            if rrset.type in _SINGLE and len(rrset.rdatas) > 1:
                yield _finding("many-records", rrset, "has more than one record")
            if rrset.type == Type.HIDE:
                yield _finding("hide-place", rrset, "is for overlays alone")
            if rrset.type == Type.SOA and owner != tree.apex:
                yield _finding("soa-place", rrset, "is not at the zone's own name")


def _check_targets(tree: ZoneTree) -> Iterator[Finding]:
    """Names in this zone that records point to, and that are not there."""
    for owner, node in tree.names.items():
        for rrset in node.rrsets:
            is_delegation = rrset.type == Type.NS and owner != tree.apex
            for rdata in rrset.rdatas:
                for target in _targets(rrset.type, rdata):
                    if is_below(target, tree.apex):
                        yield from _check_target(
                            tree, rrset, owner, target, is_delegation
                        )


def _targets(type_: int, rdata: bytes) -> tuple[bytes, ...]:
    if type_ not in (Type.NS, Type.CNAME, Type.MX, Type.SRV, Type.ALIAS):
        return ()
    # RFC 2782, RFC 7505: the root as a target says that there is no such service.
    return tuple(fold(name) for name in split_rdata(type_, rdata)[1] if len(name) > 1)


def _check_target(
    tree: ZoneTree, rrset: RRset, owner: bytes, target: bytes, is_delegation: bool
) -> Iterator[Finding]:
    if is_delegation and is_below(target, owner):
        glue = tree.names.get(target)
        if glue is None or not any(r.type in _GLUE for r in glue.rrsets):
            # RFC 1034 4.2.1
            yield _finding("no-glue", rrset, f"{name_text(target)} has no address here")
        return
    found, _, node = walk(tree, target, Type.A)
    if found is Found.NOTHING:
        yield _finding("dangling", rrset, f"{name_text(target)} does not exist")
    elif found in (Found.NAME, Found.WILDCARD) and rrset.type != Type.CNAME:
        kinds = {other.type for other in node.rrsets}
        if Type.CNAME in kinds:
            # RFC 2181 10.3
            if rrset.type != Type.ALIAS:
                yield _finding("alias", rrset, f"{name_text(target)} is a CNAME")
        elif rrset.type != Type.NS and Type.ALIAS in kinds:
            return
        elif not kinds & _GLUE:
            yield _finding("no-address", rrset, f"{name_text(target)} has no address")


def _check_loops(tree: ZoneTree) -> Iterator[Finding]:
    """ALIAS records that lead back to themselves and never to an address."""
    for owner, node in tree.names.items():
        alias = node.get(Type.ALIAS)
        if alias is not None and _leads_back(tree, owner, alias):
            text = f"leads back to {name_text(owner)}"
            yield _finding("alias-loop", alias, text)


def _leads_back(tree: ZoneTree, owner: bytes, alias: RRset) -> bool:
    """Whether the targets, each of the one before, come to ``owner`` again."""
    met: set[bytes] = set()
    rrset: RRset | None = alias
    while rrset is not None:
        target = fold(rrset.rdatas[0])
        if target == owner:
            return True
        if target in met or not is_below(target, tree.apex):
            return False
        met.add(target)
        found, _, node = walk(tree, target, Type.A)
        is_there = found in (Found.NAME, Found.WILDCARD)
        rrset = node.get(Type.ALIAS) or node.get(Type.CNAME) if is_there else None
    return False


def _check_occluded(tree: ZoneTree) -> Iterator[Finding]:
    """Data below a cut or a DNAME, which is never given as an answer."""
    if tree.is_flat:
        return
    for owner, node in tree.names.items():
        found, above, marked = walk(tree, owner, Type.DS)
        if found is Found.REFERRAL and above != owner or marked.marks & CUT:
            allowed = _AT_CUT if above == owner else _GLUE
        elif found is Found.DNAME and marked.marks & DNAME:
            allowed = frozenset()
        else:
            continue
        for rrset in node.rrsets:
            if rrset.type not in allowed:
                text = f"is hidden by {name_text(above)}"
                yield _finding("occluded", rrset, text)


_CHECKS = (_check_apex, _check_kinds, _check_targets, _check_loops, _check_occluded)
