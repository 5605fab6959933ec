"""Updates that chance makes: every form of prerequisites and changes, and some that are
none."""

from __future__ import annotations

import random
import struct

from netservices.dns.wire.codes import Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name

IN, CH, NONE, ANY = 1, 3, 254, 255
NAMES = (
    *("@", "@", "a", "a", "A", "b", "b", "c", "c", "*.w", "w", "x.w", "*", "d"),
    *("sub", "ns.sub", "x.sub", "x.y", "y", "ns1", "e.e.e"),
)
OUTSIDE = ("ns1.out.test.", "ns2.out.test.")
FOREIGN = ("other.test.", "test.", ".", "xz0.test.")
PLAIN = (Type.A, Type.A, Type.TXT, Type.MX, Type.NS, Type.NS, Type.CNAME, Type.CNAME)
RARE = (Type.AAAA, Type.DNAME, Type.SOA, Type.SOA, Type.SRV, 65280, 10)
ODD = (0, 41, 250, 251, 252, 253, 254, 255)


class UpdateChance:
    """Makes updates of one zone."""

    def __init__(self, seed: str, zone: str) -> None:
        self.random = random.Random(seed)
        self.zone = parse_name(zone)

    def name(self) -> bytes:
        """An owner, seldom outside of the zone."""
        if self.random.random() < 0.02:
            return parse_name(self.random.choice(FOREIGN))
        return parse_name(self.random.choice(NAMES), self.zone)

    def type(self) -> int:
        """A type, mostly one of records."""
        chance = self.random.random()
        if chance < 0.01:
            return self.random.choice(ODD)
        return int(self.random.choice(RARE if chance < 0.2 else PLAIN))

    def data(self, type_: int) -> bytes:
        """RDATA of that type, seldom no such."""
        choice = self.random.choice
        chance = self.random.random()
        if chance < 0.005:
            return choice((b"", b"\1", b"\0\0\0\0\0", b"\xff" * 7))
        # In one letter case: the last one that was sent stays (RFC 2136 3.4.2.2).
        names = ("a", "ns1", "ns2", "ns.sub", "b")
        target = parse_name(choice(names), self.zone)
        if type_ == Type.NS:
            return parse_name(choice(OUTSIDE))
        if type_ in (Type.CNAME, Type.DNAME):
            return target
        if type_ == Type.SOA:
            # RFC 2136 7.11: not 0, which the others take.
            serial = choice((1, 7, 9, 50, 0x7FFFFFFF, 0x80000001, 0xFFFFFFFF))
            times = b"".join(x.to_bytes(4, "big") for x in (serial, 1, 2, 3, 4))
            return target + target + times
        made: dict[int, bytes] = {
            Type.A: bytes((192, 0, 2, self.random.randrange(1, 7))),
            Type.AAAA: bytes(15) + bytes((self.random.randrange(4),)),
            Type.TXT: choice((b"\1a", b"\1A", b"\0", b"\1a\1b")),
            Type.MX: b"\0\x0a" + target,
            Type.SRV: b"\0\1\0\2\0\3" + target,
            Type.DS: b"\0\1\x08\1" + bytes(20),
        }
        return made.get(type_, b"\1\2\3")

    def need(self) -> Record:
        """A prerequisite."""
        name, type_, chance = self.name(), self.type(), self.random.random()
        ttl = 60 if self.random.random() < 0.02 else 0
        if chance < 0.03:
            class_ = self.random.choice((0, CH, 77))
            return Record(name, type_, class_, ttl, b"")
        if chance < 0.4:
            return Record(name, type_, IN, ttl, self.data(type_))
        class_ = self.random.choice((ANY, NONE))
        if self.random.random() < 0.3:
            type_ = int(Type.ANY)
        data = b"\1\1\1\1" if self.random.random() < 0.02 else b""
        return Record(name, type_, class_, ttl, data)

    def change(self) -> Record:
        """A change."""
        name, type_, chance = self.name(), self.type(), self.random.random()
        if type_ == Type.SOA:
            name = self.zone  # knotd ends at one below the apex
        if chance < 0.02:
            class_ = self.random.choice((0, CH, 77))
            return Record(name, type_, class_, 0, self.data(type_))
        if chance < 0.55:
            ttl = self.random.choice((*[300] * 30, 0, 60, 0x7FFFFFFF))
            if self.random.random() < 0.02:
                ttl = self.random.choice((0x80000000, 0xFFFFFFFF))
            return Record(name, type_, IN, ttl, self.data(type_))
        ttl = 60 if self.random.random() < 0.02 else 0
        if chance < 0.8:
            return Record(name, type_, NONE, ttl, self.data(type_))
        if self.random.random() < 0.4:
            type_ = int(Type.ANY)
        data = b"\1\1\1\1" if self.random.random() < 0.02 else b""
        return Record(name, type_, ANY, ttl, data)

    def update(self) -> Message:
        """A whole request."""
        needs = self.random.choice((0, 0, 0, 1, 1, 2))
        asked = Question(self.zone, Type.SOA)
        chance = self.random.random()
        if chance < 0.01:
            asked = Question(self.zone, Type.A)
        elif chance < 0.02:
            # RFC 2136 3.1.2: of other classes there is no zone; the others say NOTIMP.
            asked = Question(self.zone, Type.SOA, self.random.choice((0, NONE, ANY)))
        elif chance < 0.03:
            asked = Question(parse_name("a", self.zone), Type.SOA)
        elif chance < 0.04:
            asked = Question(parse_name("not.here."), Type.SOA)
        return Message(
            id=self.random.randrange(65536),
            opcode=5,
            questions=(asked,),
            answer=tuple(self.need() for _ in range(needs)),
            authority=tuple(self.change() for _ in range(self.random.randrange(5))),
        )


def encoded(message: Message) -> bytes:
    """The octets of a request, whose RDATA may be anything."""
    asked = message.questions[0]
    sections = message.answer, message.authority
    octets = message.id.to_bytes(2, "big") + b"\x28\0\0\1"
    octets += b"".join(len(one).to_bytes(2, "big") for one in sections) + b"\0\0"
    octets += asked.name + struct.pack(">HH", asked.type, asked.class_)
    for record in (*message.answer, *message.authority):
        fixed = record.type, record.class_, record.ttl, len(record.rdata)
        octets += record.name + struct.pack(">HHIH", *fixed) + record.rdata
    return octets
