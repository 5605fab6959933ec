"""A delegation in the parent's zone, as a registrar puts it there: by dynamic update
(RFC 2136), all of it or nothing.

A delegation is the NS and DS records of a name and the glue: addresses of those of its
servers that are inside it, which nobody else could tell.  What the update does depends
on what was there when it was made, and its prerequisites say so: if somebody was
quicker, nothing happens.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from attrs import frozen

from netservices.dns.wire.codes import Class, Opcode, Rcode, Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import fold, is_below, name_text, parse_name
from netservices.dns.wire.rdata import address_rdata

DEFAULT_TTL = 86400
_GLUE = (int(Type.A), int(Type.AAAA))

Key = tuple[bytes, int]
"""Folded owner, and type."""


@frozen
class Delegation:
    """What a parent's zone says of a child's: RDATA by owner and type."""

    child: bytes
    """Folded."""
    rdatas: Mapping[Key, frozenset[bytes]]

    @property
    def servers(self) -> frozenset[bytes]:
        """The names of its servers; none: it is not delegated."""
        return self.rdatas.get((self.child, int(Type.NS)), frozenset())

    def __bool__(self) -> bool:
        return bool(self.servers)


def wanted_delegation(
    child: bytes, servers: Iterable[str], ds: Iterable[bytes] = ()
) -> Delegation:
    """The delegation that ``NAME`` and ``NAME=ADDRESS`` write; a name may be there more
    than once.  ValueError says what is wrong."""
    child = fold(child)
    rdatas: dict[Key, set[bytes]] = {}
    for text in servers:
        name, equals, address = text.partition("=")
        server = fold(parse_name(name))
        rdatas.setdefault((child, int(Type.NS)), set()).add(server)
        if equals:
            if not is_below(server, child):
                raise ValueError(
                    f"{name_text(server)} is not inside {name_text(child)}: its "
                    "address is in a zone of its own"
                )
            try:
                type_, rdata = address_rdata(address)
            except ValueError:
                raise ValueError(f"{address!r} is no IP address") from None
            rdatas.setdefault((server, type_), set()).add(rdata)
    for server in rdatas.get((child, int(Type.NS)), ()):
        if is_below(server, child) and not any((server, t) in rdatas for t in _GLUE):
            # RFC 1034 4.2.1: without glue nobody could ask it for its own address.
            name = name_text(server)
            raise ValueError(
                f"{name} is inside {name_text(child)}: give its address, as "
                f"{name.removesuffix('.')}=192.0.2.1"
            )
    digests = frozenset(ds)
    if digests:
        rdatas[child, int(Type.DS)] = set(digests)
    return Delegation(child, {key: frozenset(found) for key, found in rdatas.items()})


def read_delegation(child: bytes, *replies: Message) -> Delegation:
    """What the answers to questions for NS and DS of ``child``, and for addresses of
    its servers, say of it."""
    child = fold(child)
    rdatas: dict[Key, set[bytes]] = {}
    for reply in replies:
        for record in (*reply.answer, *reply.authority, *reply.additional):
            owner = fold(record.name)
            is_ours = owner == child and record.type in (Type.NS, Type.DS)
            is_glue = is_below(owner, child) and record.type in _GLUE
            if is_ours or is_glue:
                rdata = record.rdata
                if record.type == Type.NS:
                    rdata = fold(rdata)
                rdatas.setdefault((owner, record.type), set()).add(rdata)
    servers = rdatas.get((child, int(Type.NS)), set())
    return Delegation(
        child,
        {
            (owner, type_): frozenset(found)
            for (owner, type_), found in rdatas.items()
            if owner == child and type_ not in _GLUE or owner in servers
        },
    )


def registration(
    parent: bytes, old: Delegation, new: Delegation, ttl: int = DEFAULT_TTL
) -> Message:
    """The update that puts ``new`` in the place of ``old``; either may be empty.

    RFC 2136 3.4.2 applies it in order and as a whole.  ValueError where it would be
    longer than a message.
    """
    message = Message(
        id=secrets.randbelow(0x10000),
        opcode=Opcode.UPDATE,
        questions=(Question(parent, Type.SOA, Class.IN),),
        answer=tuple(_prerequisites(old, new)),
        authority=tuple(_changes(old, new, ttl)),
    )
    message.encode()
    return message


def _prerequisites(old: Delegation, new: Delegation) -> Iterable[Record]:
    """That all is as it was when ``old`` was read."""
    for (owner, type_), rdatas in sorted(old.rdatas.items()):
        # RFC 2136 2.4.2: the RRset exists, with exactly these records.
        for rdata in sorted(rdatas):
            yield Record(owner, type_, Class.IN, 0, rdata)
    there = {owner for owner, _ in old.rdatas}
    names = {old.child, *(owner for owner, _ in new.rdatas)}
    for owner in sorted(names - there):
        # RFC 2136 2.4.5: the name is not in use.
        yield Record(owner, Type.ANY, Class.NONE, 0, b"")
    for owner in sorted(there):
        kinds = (Type.NS, Type.DS) if owner == old.child else _GLUE
        for type_ in kinds:
            if (owner, int(type_)) not in old.rdatas:
                # RFC 2136 2.4.3: the RRset does not exist.
                yield Record(owner, int(type_), Class.NONE, 0, b"")


def _changes(old: Delegation, new: Delegation, ttl: int) -> Iterable[Record]:
    for owner, type_ in sorted(old.rdatas):
        if old.rdatas[owner, type_] != new.rdatas.get((owner, type_)):
            # RFC 2136 2.5.2: delete an RRset.
            yield Record(owner, type_, Class.ANY, 0, b"")
    for (owner, type_), rdatas in sorted(new.rdatas.items()):
        if rdatas != old.rdatas.get((owner, type_)):
            # RFC 2136 2.5.1: add to an RRset.
            for rdata in sorted(rdatas):
                yield Record(owner, type_, Class.IN, ttl, rdata)


_REFUSALS: dict[int, str] = {
    Rcode.YXDOMAIN: "{child} is in use there already, or one of its servers' names is",
    Rcode.NXDOMAIN: "somebody changed the delegation meanwhile; ask again",
    Rcode.YXRRSET: "somebody changed the delegation meanwhile; ask again",
    Rcode.NXRRSET: "somebody changed the delegation meanwhile; ask again",
    Rcode.REFUSED: "it may not be changed with this key, or without one",
    Rcode.NOTAUTH: "the server is not the primary of {parent}, or does not know the "
    "key",
    Rcode.NOTZONE: "{child} is not in {parent}",
    Rcode.NOTIMP: "the server takes no updates",
    Rcode.SERVFAIL: "the server could not do it",
    Rcode.FORMERR: "the server does not understand the update",
}


def refusal_text(rcode: int, parent: bytes, child: bytes) -> str:
    """Why a registration was refused, for people."""
    text = _REFUSALS.get(rcode, f"the server refuses with response code {rcode}")
    return text.format(parent=name_text(parent), child=name_text(child))
