"""Updates in a few words, for the tests of this package.

Changes are ``add NAME TTL TYPE DATA``, ``del NAME``, ``del NAME TYPE`` and
``del NAME TYPE DATA``; prerequisites ``yx NAME``, ``yx NAME TYPE``,
``yx NAME TYPE DATA``, ``nx NAME`` and ``nx NAME TYPE``.
"""

from __future__ import annotations

from typing import Any

from netservices.dns.dialogue.update import (
    UpdateLimits,
    UpdateRefused,
    perform,
    read_update,
)
from netservices.dns.grants import Rights
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Opcode, Rcode, Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.zone.draft import Draft
from netservices.dns.zone.tree import ZoneTree
from netservices.dns.zonefile import parse_record
from netservices.dns.zonefile.texts import rdata_text

ZONE = parse_name("example.com.")
TODAY = 20261121


def record(line: str, origin: bytes = ZONE) -> Record:
    """The record that a change or prerequisite sends."""
    verb, name, *rest = line.split(maxsplit=2)
    owner = parse_name(name, origin)
    words = rest[0].split(maxsplit=1) if rest else []
    if verb == "add":
        return _with_data(f"{name} {rest[0]}", origin, Class.IN, None)
    type_ = codes.type_number(words[0]) if words else Type.ANY
    if len(words) < 2:
        class_ = Class.NONE if verb == "nx" else Class.ANY
        return Record(owner, type_, class_, 0, b"")
    class_ = Class.NONE if verb == "del" else Class.IN
    return _with_data(f"{name} 0 {rest[0]}", origin, class_, 0)


def _with_data(text: str, origin: bytes, class_: int, ttl: int | None) -> Record:
    rrset = parse_record(origin, text)
    (rdata,) = rrset.rdatas
    return Record(
        rrset.owner, rrset.type, class_, rrset.ttl if ttl is None else ttl, rdata
    )


def message(*lines: str | Record, zone: bytes = ZONE, **fields: Any) -> bytes:
    """An UPDATE with those prerequisites and changes."""
    needs: list[Record] = []
    changes: list[Record] = []
    for line in lines:
        if isinstance(line, Record):
            changes.append(line)
        else:
            is_change = line.startswith(("add", "del"))
            (changes if is_change else needs).append(record(line, zone))
    return Message(
        id=0x4242,
        opcode=Opcode.UPDATE,
        questions=(Question(zone, Type.SOA),),
        answer=tuple(needs),
        authority=tuple(changes),
        **fields,
    ).encode()


def carry_out(tree: ZoneTree, data: bytes, **limits: int) -> int:
    """Perform an update on a tree, whoever asks; the response code."""
    draft = Draft(tree)
    try:
        update = read_update(data, 1000)
        perform(update, draft, Rights(None, ZONE), UpdateLimits(**limits), TODAY)
    except UpdateRefused as refused:
        return refused.rcode
    for old, new in tuple(draft.differences()):
        if new is not None:
            tree.put(new)
        elif old is not None:
            tree.remove(old.owner, old.type)
    tree.touch()
    return Rcode.NOERROR


def content(tree: ZoneTree) -> set[str]:
    """All records of a tree as text, with owners relative to the apex."""
    suffix = "." + name_text(tree.apex)
    return {
        f"{(name_text(r.owner).removesuffix(suffix))} {r.ttl} "
        f"{codes.type_name(r.type)} {rdata_text(r.type, rdata)}"
        for node in tree.names.values()
        for r in node.rrsets
        for rdata in r.rdatas
    }
