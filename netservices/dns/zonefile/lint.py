"""What a zone may have, and hardly anybody means: for ``netservices zone check``.

Each check is a generator over the zone's tree.  ``LEVELS`` tells how bad a finding is:
an *error* keeps something from working, a *warning* is a mistake as a rule, a *note*
may well be meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import fold, is_below, labels, name_text
from netservices.dns.wire.rdata import SOA, split_rdata
from netservices.dns.wire.serials import is_newer_serial
from netservices.dns.zone.leaves import Node
from netservices.dns.zone.lookup import Found, walk
from netservices.dns.zone.tree import CUT, ZoneTree
from netservices.dns.zonefile.check import FATAL_CODES
from netservices.dns.zonefile.create import REVERSE_TOPS
from netservices.values import Finding, RRset

LEVELS: dict[str, str] = {
    **dict.fromkeys(FATAL_CODES, "error"),
    **dict.fromkeys(("too-large", "spf-twice", "cname-loop", "lame"), "error"),
    **dict.fromkeys(
        (
            *("one-server", "ttl-odd", "cname-chain", "underscore-host", "obsolete"),
            *("wildcard-hidden", "large", "mname", "ptr-twice", "serial-form"),
        ),
        "note",
    ),
}
"""By code; everything else is a warning."""

FindTree: TypeAlias = Callable[[bytes], ZoneTree | None]
"""The zone of ours that a folded name is in."""

_DAY = 86400
_UDP_OCTETS = 1232
_MAX_OCTETS = 65000
_MAX_CHAIN = 8
_TARGETS = (Type.NS, Type.CNAME, Type.MX, Type.SRV, Type.PTR, Type.DNAME)
_HOSTS = (Type.A, Type.AAAA, Type.MX)
_ADDRESSES = frozenset((Type.A, Type.AAAA))
_OBSOLETE = {Type.MD, Type.MF, Type.MB, Type.MG, Type.MR, Type.NULL, Type.SPF}


def level_of(finding: Finding) -> str:
    """``error``, ``warning`` or ``note``."""
    return LEVELS.get(finding.code, "warning")


def lint(
    tree: ZoneTree, today: int, find_tree: FindTree = lambda name: None
) -> list[Finding]:
    """What is odd in a zone.  ``today`` is as 20261121; ``find_tree`` gives other zones
    of ours."""
    found = [*_check_soa(tree, today), *_check_servers(tree)]
    for check in (_check_texts, _check_names, _check_wildcards, _check_sizes):
        for owner, node in tree.names.items():
            found += check(tree, owner, node)
    found += _check_chains(tree)
    found += _check_foreign_targets(tree, find_tree)
    return found


def _about(code: str, owner: bytes, text: str) -> Finding:
    name = name_text(owner)
    return Finding(code, name, f"{name} {text}")


def _check_soa(tree: ZoneTree, today: int) -> Iterator[Finding]:
    """RFC 1912 2.2, RFC 2308 5."""
    if tree.soa is None:
        return
    soa = SOA.parse(tree.soa.rdatas[0])
    apex = tree.apex
    for is_odd, text in (
        (soa.retry >= soa.refresh, f"retry {soa.retry} is not below refresh"),
        (soa.refresh < 300, f"refresh {soa.refresh}: secondaries ask all the time"),
        (soa.refresh > 7 * _DAY, f"refresh {soa.refresh} is more than a week"),
        (
            soa.expire <= soa.refresh + soa.retry,
            f"expire {soa.expire}: secondaries give up before they ask again",
        ),
        (soa.expire < 7 * _DAY, f"expire {soa.expire} is less than a week"),
        (soa.minimum > _DAY, f"minimum {soa.minimum}: denials last more than a day"),
    ):
        if is_odd:
            yield _about("soa-timers", apex, f"SOA {text}")
    servers = [] if tree.ns is None else [fold(name) for name in tree.ns.rdatas]
    if fold(soa.mname) not in servers:
        text = f"SOA names {name_text(soa.mname)}, which is no NS of the zone"
        yield _about("mname", apex, text)
    if b"@" in soa.rname:
        text = f"SOA has the mailbox {name_text(soa.rname)}: write a dot for the @"
        yield _about("rname", apex, text)
    yield from _check_serial(apex, soa.serial, today)


def _check_serial(apex: bytes, serial: int, today: int) -> Iterator[Finding]:
    date = serial // 100
    is_dated = 19900101 <= date <= 29991231
    if is_dated and not (1 <= date // 100 % 100 <= 12 and 1 <= date % 100 <= 31):
        text = f"SOA has the serial {serial}, whose first digits are no date"
        yield _about("serial-form", apex, text)
    elif is_dated and is_newer_serial(serial, (today + 1) * 100 + 99):
        yield _about("serial-future", apex, f"SOA has a serial of the future: {serial}")
    elif not serial:
        yield _about("serial-zero", apex, "SOA has the serial 0")


def _check_servers(tree: ZoneTree) -> Iterator[Finding]:
    """RFC 2182 5: two servers at least, which do not fail together."""
    for owner, node in tree.names.items():
        servers = node.get(Type.NS)
        if servers is not None and len(servers.rdatas) == 1:
            yield _about("one-server", owner, "NS has one server only")
        if node.get(Type.DS) is not None and (servers is None or owner == tree.apex):
            # RFC 4035 2.4
            yield _about("ds-place", owner, "DS is not beside the NS of a delegation")


def _check_texts(tree: ZoneTree, owner: bytes, node: Node) -> Iterator[Finding]:
    """RFC 7208 4.5, RFC 7489 6.6.3: of two policies none counts."""
    texts = node.get(Type.TXT)
    if texts is None:
        return
    starts = [_text_of(rdata).lower() for rdata in texts.rdatas]
    spf = sum(text == b"v=spf1" or text.startswith(b"v=spf1 ") for text in starts)
    if spf > 1:
        yield _about("spf-twice", owner, "TXT has more than one SPF policy")
    dmarc = sum(text.startswith(b"v=dmarc1") for text in starts)
    if dmarc > 1:
        yield _about("dmarc-twice", owner, "TXT has more than one DMARC policy")
    if dmarc and not owner.startswith(b"\6_dmarc"):
        text = (
            f"TXT has a DMARC policy: that is looked for at _dmarc.{name_text(owner)}"
        )
        yield _about("dmarc-place", owner, text)
    is_key = any(text.startswith(b"v=dkim1") for text in starts)
    if is_key and b"\x0a_domainkey" not in owner:
        text = "TXT has a DKIM key: that is looked for below _domainkey"
        yield _about("dkim-place", owner, text)


def _text_of(rdata: bytes) -> bytes:
    """The strings of a TXT record, joined."""
    parts, position = [], 0
    while position < len(rdata):
        end = position + 1 + rdata[position]
        parts.append(rdata[position + 1 : end])
        position = end
    return b"".join(parts)


def _check_names(tree: ZoneTree, owner: bytes, node: Node) -> Iterator[Finding]:
    """Dots and underscores that are missing or too many."""
    if _has_twice(owner, tree.apex):
        yield _about(
            "missing-dot", owner, "has the zone's name twice: is a dot missing?"
        )
    types = {rrset.type for rrset in node.rrsets}
    parts = list(labels(owner))
    if Type.SRV in types and not all(p[:1] in (b"_", b"*") for p in parts[:2]):
        # RFC 2782
        yield _about("srv-name", owner, "SRV: its name is no _service._protocol")
    is_host = bool(types & set(_HOSTS)) and parts and b"_" in parts[0]
    if is_host and parts[0][:1] != b"_" and parts[0] != b"*":
        # RFC 1123 2.1
        yield _about("underscore-host", owner, "is no name of a host: it has a _")
    for rrset in node.rrsets:
        for target in _targets(rrset):
            if _has_twice(target, tree.apex):
                text = f"{type_name(rrset.type)} {name_text(target)} has the zone's "
                text += "name twice: is a dot missing?"
                yield _about("missing-dot", owner, text)
            elif _is_literal(target, tree.apex):
                text = f"{type_name(rrset.type)} {name_text(target)} looks like an "
                text += "address; a name is wanted"
                yield _about("address-literal", owner, text)
        is_reverse = any(is_below(owner, top) for top in REVERSE_TOPS)
        if rrset.type == Type.PTR and len(rrset.rdatas) > 1 and is_reverse:
            yield _about("ptr-twice", owner, "PTR has more than one name")
        if rrset.type in _OBSOLETE:
            text = f"{type_name(rrset.type)} is obsolete"
            yield _about("obsolete", owner, text)


def _targets(rrset: RRset) -> Iterator[bytes]:
    if rrset.type in _TARGETS:
        for rdata in rrset.rdatas:
            yield fold(split_rdata(rrset.type, rdata)[1][-1])


def _has_twice(name: bytes, apex: bytes) -> bool:
    """``www.example.org.example.org.`` in ``example.org.``"""
    return len(apex) > 1 and is_below(name, apex[:-1] + apex)


def _is_literal(name: bytes, apex: bytes) -> bool:
    """An IPv4 address that was taken for a name: RFC 1035 3.3.9 wants a name."""
    parts = list(labels(name))
    if is_below(name, apex):
        parts = parts[: len(parts) - len(list(labels(apex)))]
    is_reverse = any(is_below(name, top) for top in REVERSE_TOPS)
    return len(parts) == 4 and all(p.isdigit() for p in parts) and not is_reverse


def _check_wildcards(tree: ZoneTree, owner: bytes, node: Node) -> Iterator[Finding]:
    """RFC 4592: what a * does not do."""
    parts = list(labels(owner))
    if b"*" in parts[1:]:
        # RFC 4592 2.1.1
        yield _about("wildcard-place", owner, "has a * that is no wildcard: not first")
    if parts[:1] == [b"*"]:
        for type_ in (Type.NS, Type.DNAME):
            if node.get(type_) is not None:
                # RFC 4592 4.2, 4.4
                text = f"{type_name(type_)} at a wildcard has no defined meaning"
                yield _about("wildcard-type", owner, text)
    # Below a * of hosts there are no services, so nobody expects it there.
    if not node.rrsets and owner != tree.apex and parts[0][:1] != b"_":
        star = b"\1*" + owner[owner[0] + 1 :]
        if star in tree.names:
            # RFC 4592 2.2.2
            text = f"exists, as names below it do: {name_text(star)} stands not for it"
            yield _about("wildcard-hidden", owner, text)


def _check_sizes(tree: ZoneTree, owner: bytes, node: Node) -> Iterator[Finding]:
    """RRsets that are large, and times to live that are odd."""
    for rrset in node.rrsets:
        kind = type_name(rrset.type)
        octets = sum(len(rdata) + 12 for rdata in rrset.rdatas)
        if octets > _MAX_OCTETS:
            # RFC 1035 4.2.2
            text = f"{kind} has {octets} octets, more than any answer"
            yield _about("too-large", owner, text)
        elif octets + len(owner) + 40 > _UDP_OCTETS:
            text = f"{kind} has {octets} octets, and so always needs TCP"
            yield _about("large", owner, text)
        if not rrset.ttl or rrset.ttl > 7 * _DAY:
            # RFC 1912 2.2
            yield _about("ttl-odd", owner, f"{kind} has a TTL of {rrset.ttl}")


def _check_chains(tree: ZoneTree) -> Iterator[Finding]:
    """CNAMEs that point to CNAMEs, and those that never end; RFC 1034 3.6.2."""
    for owner, node in tree.names.items():
        if node.get(Type.CNAME) is None:
            continue
        met = [owner]
        while True:
            alias = node.get(Type.CNAME)
            target = None if alias is None else fold(alias.rdatas[0])
            if target is None or not is_below(target, tree.apex):
                break
            if target in met:
                yield _about("cname-loop", owner, "CNAME leads back to itself")
                break
            met.append(target)
            found, _, node = walk(tree, target, Type.A)
            if found not in (Found.NAME, Found.WILDCARD) or len(met) > _MAX_CHAIN:
                break
        if len(met) > 2:
            way = ", ".join(name_text(name) for name in met[1:])
            yield _about("cname-chain", owner, f"CNAME leads on by {way}")


def _check_foreign_targets(tree: ZoneTree, find_tree: FindTree) -> Iterator[Finding]:
    """Names in other zones of ours that records point to, and that are not there."""
    for owner, node in tree.names.items():
        if node.marks & CUT:
            continue
        for rrset in node.rrsets:
            for target in _targets(rrset):
                if len(target) > 1 and not is_below(target, tree.apex):
                    yield from _check_foreign(owner, rrset, target, find_tree)


def _check_foreign(
    owner: bytes, rrset: RRset, target: bytes, find_tree: FindTree
) -> Iterator[Finding]:
    other = find_tree(target)
    if other is None or rrset.type == Type.DNAME:
        return
    found, _, node = walk(other, target, Type.A)
    kind = type_name(rrset.type)
    if found is Found.NOTHING:
        text = f"{kind} {name_text(target)} does not exist"
        yield _about("dangling", owner, text)
    elif found in (Found.NAME, Found.WILDCARD) and rrset.type != Type.CNAME:
        types = {other_set.type for other_set in node.rrsets}
        if Type.CNAME in types and rrset.type != Type.PTR:
            # RFC 2181 10.3
            text = f"{kind} {name_text(target)} is a CNAME"
            yield _about("alias", owner, text)
        elif not types & (_ADDRESSES | {Type.ALIAS, Type.CNAME}):
            text = f"{kind} {name_text(target)} has no address"
            yield _about("no-address", owner, text)
