"""Mistakes in an overlay: what it cannot say, and what it makes of the zone."""

from __future__ import annotations

from collections.abc import Iterable

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import fold, is_below, name_text
from netservices.dns.wire.rdata import check_rdata
from netservices.dns.zone.overlay import hidden_types, merge_rrsets
from netservices.dns.zonefile.check import check_zone
from netservices.values import Finding, RRset

_BESIDE_CNAME = frozenset((Type.CNAME, Type.RRSIG, Type.NSEC, Type.HIDE))
_SINGLE = (Type.SOA, Type.CNAME, Type.DNAME, Type.ALIAS)
_AT_EVERY_APEX = frozenset((Type.SOA, Type.NS))


def check_overlay(origin: bytes, rrsets: Iterable[RRset]) -> list[Finding]:
    """What is wrong with an overlay of that zone; none of it can be stored."""
    apex = fold(origin)
    findings: list[Finding] = []
    kinds: dict[bytes, set[int]] = {}
    for rrset in rrsets:
        owner = fold(rrset.owner)
        kinds.setdefault(owner, set()).add(rrset.type)
        findings += [
            Finding(code, name_text(owner), f"{name_text(owner)} {text}")
            for code, text in _mistakes(rrset, owner, apex)
        ]
    for owner, found in kinds.items():
        # RFC 1034 3.6.2
        if Type.CNAME in found and not found <= _BESIDE_CNAME:
            text = f"{name_text(owner)} has CNAME and other data"
            findings.append(Finding("cname-and-other", name_text(owner), text))
    return findings


def _mistakes(rrset: RRset, owner: bytes, apex: bytes) -> Iterable[tuple[str, str]]:
    """Code and text of what is wrong with one RRset."""
    kind = type_name(rrset.type)
    try:
        for rdata in rrset.rdatas:
            check_rdata(rrset.type, rdata)
    except SyntaxProblem as problem:
        yield "bad-rdata", f"{kind} {problem}"
    if not is_below(owner, apex):
        yield "out-of-zone", f"{kind} is not in the zone"
    if rrset.type in _SINGLE and len(rrset.rdatas) > 1:
        yield "many-records", f"{kind} has more than one record"
    if rrset.type == Type.SOA and owner != apex:
        yield "soa-place", "SOA is not at the zone's own name"
    if owner != apex:
        return
    if rrset.type == Type.CNAME:
        yield "cname-and-other", "has SOA and NS, and so no CNAME"
    hidden = hidden_types(rrset.rdatas) if rrset.type == Type.HIDE else frozenset()
    for type_ in sorted(_AT_EVERY_APEX & (hidden or frozenset())):
        yield "hides-apex", f"{type_name(type_)} cannot be hidden: it makes the zone"


def merge_zones(
    origin: bytes, base: Iterable[RRset], overlay: Iterable[RRset]
) -> tuple[RRset, ...]:
    """All that a view shows of a zone."""
    over: dict[bytes, list[RRset]] = {}
    for rrset in overlay:
        over.setdefault(fold(rrset.owner), []).append(rrset)
    there: dict[bytes, list[RRset]] = {owner: [] for owner in over}
    merged: list[RRset] = []
    for rrset in base:
        owner = fold(rrset.owner)
        (there[owner] if owner in over else merged).append(rrset)
    apex = fold(origin)
    for owner, found in over.items():
        merged += merge_rrsets(tuple(there[owner]), tuple(found), owner == apex)
    return tuple(merged)


def check_merged(
    origin: bytes, base: Iterable[RRset], overlay: Iterable[RRset]
) -> list[Finding]:
    """What is wrong with the zone as the view shows it, and right without the
    overlay."""
    base = tuple(base)
    known = {(finding.code, finding.text) for finding in check_zone(origin, base)}
    return [
        finding
        for finding in check_zone(origin, merge_zones(origin, base, overlay))
        if (finding.code, finding.text) not in known
    ]
