"""Why a zone gives the answer that it gives: the steps of ``lookup``, one by one.

It goes the way of ``lookup.resolve`` a second time, with the same ``walk``, and says at
each turn which rule applied and which records it used.  A question that nobody wants
explained costs nothing by that.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import MAX_NAME_OCTETS, is_below, name_text
from netservices.dns.zone.leaves import Node
from netservices.dns.zone.lookup import Found, PickAny, walk
from netservices.dns.zone.tree import DYNAMIC, ZoneTree
from netservices.values import RRset

_ALGORITHM = "RFC 1034 4.3.2"


@frozen
class Step:
    """One step towards an answer."""

    rule: str
    """The standard and its section."""
    text: str
    records: tuple[RRset, ...] = ()
    """What this step puts into the answer section, under the name it goes out with."""
    ending: str = ""
    """How the search ends, if it does: ``answer``, ``no data``, ``no name``,
    ``referral``, ``chain``, ``too long``."""


def explain_lookup(
    tree: ZoneTree, name: bytes, qtype: int, pick_any: PickAny, max_chain: int = 18
) -> Iterator[Step]:
    """The steps for a folded name in ``tree``, which has a SOA."""
    met = set()
    while True:
        met.add(name)
        found, owner, node = walk(tree, name, qtype)
        if found is Found.REFERRAL:
            yield _referral(name, owner, node)
            return
        if found is Found.NOTHING:
            yield _nothing(name, owner)
            return
        if found is Found.DNAME:
            step, target = _below_dname(name, owner, node, qtype)
        else:
            if found is Found.WILDCARD:
                yield _wildcard(name, owner)
            step, target = _at_name(found, name, node, qtype, pick_any)
        yield step
        if target is None:
            return
        ending = _end_of_chain(tree, target, met, max_chain)
        if ending is not None:
            yield ending
            return
        name = target


def _referral(name: bytes, owner: bytes, node: Node) -> Step:
    """Step 3b."""
    servers = node.get(Type.NS)
    names = [] if servers is None else [name_text(rdata) for rdata in servers.rdatas]
    which = "is" if name == owner else f"lies below {name_text(owner)}, which is"
    return Step(
        f"{_ALGORITHM} step 3b",
        f"{name_text(name)} {which} delegated to {', '.join(names)}: a referral, with "
        "the addresses of those servers that this zone has (RFC 9471)",
        ending="referral",
    )


def _nothing(name: bytes, owner: bytes) -> Step:
    """Step 3c, without a wildcard."""
    return Step(
        f"{_ALGORITHM} step 3c, RFC 4592 3.3.1",
        f"{name_text(name)} does not exist: the closest name that does is "
        f"{name_text(owner)}, and there is no *.{_below(owner)}; NXDOMAIN with the SOA "
        "for how long (RFC 2308 2.1)",
        ending="no name",
    )


def _wildcard(name: bytes, owner: bytes) -> Step:
    return Step(
        f"{_ALGORITHM} step 3c, RFC 4592 3.3.3",
        f"{name_text(name)} does not exist: the closest name that does is "
        f"{name_text(owner)}, and *.{_below(owner)} stands for it",
    )


def _below(owner: bytes) -> str:
    text = name_text(owner)
    return "" if text == "." else text


def _below_dname(
    name: bytes, owner: bytes, node: Node, qtype: int
) -> tuple[Step, bytes | None]:
    """RFC 6672 3.2 step 3c: the DNAME and the CNAME made from it; where to go on."""
    rrset = node.get(Type.DNAME)
    assert rrset is not None
    rule = "RFC 6672 3.2 step 3c"
    text = f"{name_text(name)} is below the DNAME of {name_text(owner)}"
    there = RRset(owner, rrset.type, rrset.ttl, rrset.rdatas)
    target = name[: -len(owner)] + rrset.rdatas[0]
    if len(target) > MAX_NAME_OCTETS:
        text += "; what that makes of it is longer than a name can be: YXDOMAIN"
        return Step(rule, text, (there,), "too long"), None
    made = RRset(name, int(Type.CNAME), rrset.ttl, (target,))
    text += f", which makes {name_text(target)} of it"
    if qtype in (Type.CNAME, Type.ANY):
        text += "; the CNAME made so is what was asked for"
        return Step(rule, text, (there, made), "answer"), None
    folded = target.lower()
    if len(folded) > len(name) and is_below(folded, owner):
        text += "; that is below the same DNAME again, so it is not followed"
        return Step(rule, text, (there, made), "chain"), None
    return Step(rule, text, (there, made)), folded


def _at_name(
    found: Found, name: bytes, node: Node, qtype: int, pick_any: PickAny
) -> tuple[Step, bytes | None]:
    """Step 3a: what is at a name, or at the wildcard for it; where to go on."""
    letter = "a" if found is Found.NAME else "c"
    rule = f"{_ALGORITHM} step 3{letter}"
    text = name_text(name)
    if node.marks & DYNAMIC:
        text += " (whose records depend on the moment and the client)"
    if qtype == Type.ANY:
        return _any(rule, text, name, node, pick_any), None
    rrset = node.get(qtype)
    if rrset is not None:
        records = (RRset(name, rrset.type, rrset.ttl, rrset.rdatas),)
        return Step(rule, f"{text} has {type_name(qtype)}", records, "answer"), None
    alias = node.get(Type.CNAME)
    if alias is None:
        return _no_data(rule, text, node, qtype), None
    target = alias.rdatas[0].lower()
    text += f" has a CNAME: its other name is {name_text(target)}"
    return Step(rule, text, (RRset(name, *_rest(alias)),)), target


def _rest(rrset: RRset) -> tuple[int, int, tuple[bytes, ...]]:
    return rrset.type, rrset.ttl, rrset.rdatas


def _any(rule: str, text: str, name: bytes, node: Node, pick_any: PickAny) -> Step:
    picked = pick_any(name, node.rrsets)
    if not picked:
        return _no_data(rule, text, node, Type.ANY)
    kinds = ", ".join(type_name(rrset.type) for rrset in picked)
    return Step(
        f"{rule}, RFC 8482 4",
        f"{text}: ANY gets {kinds}, as dns.any_policy says",
        tuple(RRset(name, *_rest(rrset)) for rrset in picked),
        "answer",
    )


def _no_data(rule: str, text: str, node: Node, qtype: int) -> Step:
    kinds = ", ".join(type_name(rrset.type) for rrset in node.rrsets)
    if node.get(Type.ALIAS) is not None and qtype in (Type.A, Type.AAAA):
        text += " has an ALIAS: the server asks for the addresses of its target"
        return Step(f"{rule}, ALIAS", text, ending="alias")
    if not kinds:
        # RFC 4592 2.2.2: there are only names below it.
        text += " exists, as there are names below it, but has no records"
    else:
        text += f" has {kinds}, and no {type_name(qtype)}"
    return Step(
        f"{rule}, RFC 2308 2.2",
        f"{text}; NOERROR without an answer, with the SOA for how long",
        ending="no data",
    )


def _end_of_chain(
    tree: ZoneTree, target: bytes, met: set[bytes], max_chain: int
) -> Step | None:
    """Why a chain is not followed to ``target``, if it is not."""
    text = name_text(target)
    if not is_below(target, tree.apex):
        why = f"{text} is not in this zone: who asked goes on there himself"
    elif target in met:
        why = f"{text} was there before: the chain is a loop, and ends here"
    elif len(met) > max_chain:
        why = f"more than {max_chain} links are not followed (dns.max_cname_chain)"
    else:
        return None
    return Step(f"{_ALGORITHM} step 3a", why, ending="chain")
