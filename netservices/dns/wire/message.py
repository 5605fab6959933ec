"""Whole messages as values (RFC 1035 4): for clients, tools and tests.

The server's answer path does not build these; it reads questions with ``query`` and
writes prepared octets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from attrs import evolve, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire import codes
from netservices.dns.wire.edns import OPT, Edns
from netservices.dns.wire.names import fold, read_name
from netservices.dns.wire.rdata import LAYOUTS, read_rdata, split_rdata

MAX_MESSAGE_OCTETS = 0xFFFF

_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_QUESTION = struct.Struct(">HH")
_POINTER_BITS = 0xC000
_PLACE_BITS = 14
_PLACE_MASK = (1 << _PLACE_BITS) - 1
_MAX_CHAIN = 8
_CHAIN_END = _MAX_CHAIN << _PLACE_BITS


@frozen
class Question:
    """What is asked; RFC 1035 4.1.2."""

    name: bytes
    type: int
    class_: int = codes.Class.IN


@frozen
class Record:
    """One resource record; RFC 1035 4.1.3."""

    name: bytes
    type: int
    class_: int
    ttl: int
    rdata: bytes
    """Wire format, names in it uncompressed."""


@frozen
class Message:
    """A query or response; ``flags`` are the header's bits without opcode and rcode."""

    id: int = 0
    flags: int = 0
    opcode: int = codes.Opcode.QUERY
    rcode: int = codes.Rcode.NOERROR
    questions: tuple[Question, ...] = ()
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    """Without OPT, which is in ``edns``."""
    edns: Edns | None = None

    @property
    def is_response(self) -> bool:
        """QR."""
        return bool(self.flags & codes.QR)

    @property
    def is_authoritative(self) -> bool:
        """AA."""
        return bool(self.flags & codes.AA)

    @property
    def is_truncated(self) -> bool:
        """TC."""
        return bool(self.flags & codes.TC)

    def encode(self) -> bytes:
        """The octets, names compressed.  ValueError above 65535 of them."""
        edns = self.edns
        if edns is not None:
            edns = evolve(edns, extended_rcode=self.rcode >> 4)
        writer = Writer(bytearray(12))
        for question in self.questions:
            writer.name(question.name)
            writer.octets += _QUESTION.pack(question.type, question.class_)
        for record in self.answer + self.authority + self.additional:
            writer.record(record)
        if edns is not None:
            writer.octets += edns.encode()
        flags = self.flags & 0x87F0 | self.opcode << codes.OPCODE_SHIFT
        counts = (len(self.questions), len(self.answer), len(self.authority))
        additional = len(self.additional) + (edns is not None)
        flags |= self.rcode & 15
        _HEADER.pack_into(writer.octets, 0, self.id, flags, *counts, additional)
        if len(writer.octets) > MAX_MESSAGE_OCTETS:
            raise ValueError("the message is longer than 65535 octets")
        return bytes(writer.octets)

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """The message in ``data``, all of it.  SyntaxProblem."""
        if len(data) < 12:
            raise SyntaxProblem("shorter than a header")
        id_, bits, questions, *counts = _HEADER.unpack_from(data)
        if questions * 5 + sum(counts) * 11 > len(data) - 12:
            raise SyntaxProblem("the header counts more records than can be there")
        position = 12
        asked: list[Question] = []
        for _ in range(questions):
            question, position = read_question(data, position)
            asked.append(question)
        sections: list[tuple[Record, ...]] = []
        for count in counts:
            records, position = _read_records(data, position, count)
            sections.append(records)
        if position != len(data):
            raise SyntaxProblem("octets after the last record")
        edns, additional = _take_edns(sections)
        rcode = bits & 15 | (edns.extended_rcode << 4 if edns else 0)
        return cls(
            id=id_,
            flags=bits & 0x87F0,
            opcode=bits >> codes.OPCODE_SHIFT & 15,
            rcode=rcode,
            questions=tuple(asked),
            answer=sections[0],
            authority=sections[1],
            additional=additional,
            edns=edns,
        )


def read_question(data: bytes, start: int) -> tuple[Question, int]:
    """The question at ``start``, and where the octets after it begin.
    SyntaxProblem."""
    name, position = read_name(data, start)
    if position + 4 > len(data):
        raise SyntaxProblem("the question is cut short")
    return Question(name, *_QUESTION.unpack_from(data, position)), position + 4


def read_record(data: bytes, start: int) -> tuple[Record, int]:
    """The record at ``start``, and where the octets after it begin.  SyntaxProblem."""
    name, position = read_name(data, start)
    if position + 10 > len(data):
        raise SyntaxProblem("a record is cut short")
    type_, class_, ttl, length = _FIXED.unpack_from(data, position)
    position += 10
    # RFC 2136 2.4, 2.5: prerequisites and deletions have no RDATA; what other classes
    # have is not known.
    if length == 0 and class_ != codes.Class.IN:
        rdata = b""
    else:
        rdata = read_rdata(data, position, length, type_)
    # RFC 2181 8: a TTL with the top bit set counts as zero.
    if ttl & 0x80000000 and type_ != OPT:
        ttl = 0
    return Record(name, type_, class_, ttl, rdata), position + length


def _read_records(
    data: bytes, start: int, count: int
) -> tuple[tuple[Record, ...], int]:
    records = []
    position = start
    for _ in range(count):
        record, position = read_record(data, position)
        records.append(record)
    return tuple(records), position


def _take_edns(
    sections: list[tuple[Record, ...]],
) -> tuple[Edns | None, tuple[Record, ...]]:
    """The OPT record and the other additional ones; RFC 6891 6.1.1: one at most, in
    the additional section, owned by the root."""
    found = [record for section in sections for record in section if record.type == OPT]
    if not found:
        return None, sections[2]
    opt = found[0]
    if len(found) > 1 or opt.name != b"\0" or opt not in sections[2]:
        raise SyntaxProblem("more than one OPT, or one that is out of place")
    others = tuple(record for record in sections[2] if record.type != OPT)
    return Edns.parse(opt.class_, opt.ttl, opt.rdata), others


class Writer:
    """Octets of a message on their way out, and where names stand in them.

    Each pointer may lead to a name that ends in a pointer itself; some decoders give up
    after a dozen of them, so chains stay short of ``_MAX_CHAIN``.
    """

    __slots__ = ("_places", "octets")

    def __init__(self, octets: bytearray) -> None:
        self.octets = octets
        self._places: dict[bytes, int] = {}
        """Folded name -> where it stands, and above ``_PLACE_BITS`` how many pointers
        lead from there to its end."""

    def name(self, name: bytes, is_compressed: bool = True) -> None:
        """Write a name, as a pointer from where it equals an earlier one
        (RFC 1035 4.1.4); with ``is_compressed`` false, in full."""
        folded = fold(name)
        places = self._places
        start = len(self.octets)
        fresh: list[tuple[bytes, int]] = []
        position = chain = 0
        while length := folded[position]:
            suffix = folded[position:]
            place = places.get(suffix)
            if place is not None and is_compressed:
                if place >= _CHAIN_END:
                    # In full, so that later names find a place without a chain.
                    is_compressed = False
                    continue
                self.octets += name[:position]
                pointer = _POINTER_BITS | place & _PLACE_MASK
                self.octets += pointer.to_bytes(2, "big")
                chain = (place & ~_PLACE_MASK) + _PLACE_MASK + 1
                break
            fresh.append((suffix, start + position))
            position += length + 1
        else:
            self.octets += name
        for suffix, place in fresh:
            if place <= _PLACE_MASK:
                places[suffix] = chain | place

    def record(self, record: Record) -> None:
        """Write a whole record."""
        self.records(
            record.name, record.type, record.class_, record.ttl, (record.rdata,)
        )

    def records(
        self, owner: bytes, type_: int, class_: int, ttl: int, rdatas: Iterable[bytes]
    ) -> None:
        """Write one record for each RDATA."""
        layout = LAYOUTS.get(type_)
        octets = self.octets
        for rdata in rdatas:
            self.name(owner)
            octets += _FIXED.pack(type_, class_, ttl, len(rdata))
            if layout is None or not rdata:
                octets += rdata
                continue
            start = len(octets)
            before, names, after = split_rdata(type_, rdata)
            octets += before
            for name in names:
                self.name(name, layout.is_compressed)
            octets += after
            octets[start - 2 : start] = (len(octets) - start).to_bytes(2, "big")
