"""Messages as values, judged by dnspython and dnslib."""

from __future__ import annotations

import contextlib

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dnslib
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire import codes
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import LAYOUTS, check_rdata, split_rdata

EXAMPLE = Message(
    id=0xBEEF,
    flags=codes.QR | codes.AA | codes.RD,
    questions=(Question(parse_name("WWW.example.com."), 1),),
    answer=(
        Record(parse_name("www.example.com."), 5, 1, 60, parse_name("a.example.com.")),
        Record(parse_name("a.example.com."), 1, 1, 60, b"\1\2\3\4"),
    ),
    authority=(Record(parse_name("example.com."), 2, 1, 9, parse_name("ns.example.")),),
    additional=(
        Record(
            parse_name("_s.example.com."), 33, 1, 9, bytes(6) + parse_name("a.example.")
        ),
    ),
    edns=Edns(1232, True, ((3, b"id"),)),
)

labels = st.one_of(
    st.text("abCD-_*09", min_size=1, max_size=12).map(str.encode),
    st.binary(min_size=1, max_size=12),
)
names = st.lists(labels, max_size=5).map(
    lambda parts: b"".join(bytes((len(p),)) + p for p in parts) + b"\0"
)
plain_types = st.sampled_from((1, 16, 28, 65280, 99, 13))
named_types = st.sampled_from(sorted(int(t) for t in LAYOUTS))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of any type, with names where its type has them."""
    if draw(st.booleans()):
        type_ = draw(named_types)
        layout = LAYOUTS[type_]
        parts = [draw(st.binary(min_size=layout.prefix, max_size=layout.prefix))]
        for _ in range(layout.strings):
            text = draw(st.binary(max_size=9))
            parts.append(bytes((len(text),)) + text)
        parts += [draw(names) for _ in range(layout.names)]
        rest = layout.rest if layout.rest >= 0 else draw(st.integers(0, 9))
        parts.append(draw(st.binary(min_size=rest, max_size=rest)))
        rdata = b"".join(parts)
    else:
        type_ = draw(plain_types)
        size = {1: 4, 28: 16}.get(type_)
        rdata = draw(st.binary(min_size=size or 0, max_size=size or 40))
        if type_ in (16, 99, 13):
            rdata = bytes((len(rdata),)) + rdata
        if type_ == 13:
            rdata += b"\0"
    ttl = draw(st.integers(0, 0x7FFFFFFF))
    return Record(draw(names), type_, 1, ttl, rdata)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A response with any records."""
    sections = [tuple(draw(st.lists(records(), max_size=4))) for _ in range(3)]
    edns = None
    if draw(st.booleans()):
        options = st.lists(st.tuples(st.integers(100, 999), st.binary(max_size=9)))
        edns = Edns(draw(st.integers(512, 4096)), draw(st.booleans()))
        edns = Edns(edns.udp_size, edns.is_do, tuple(draw(options)[:5]))
    return Message(
        id=draw(st.integers(0, 0xFFFF)),
        flags=draw(st.sampled_from((codes.QR, codes.QR | codes.AA, codes.RD))),
        rcode=draw(st.sampled_from((0, 3, 5))),
        questions=(Question(draw(names), draw(plain_types)),),
        answer=sections[0],
        authority=sections[1],
        additional=sections[2],
        edns=edns,
    )


class MessageTests(SynchronousTestCase):
    """Print and parse."""

    def test_round_trip(self) -> None:
        """A message with everything in it reads back as it was; owners keep their
        letter case except where they point to an earlier name."""
        parsed = Message.parse(EXAMPLE.encode())
        self.assertEqual(EXAMPLE.additional, parsed.additional)
        self.assertEqual(EXAMPLE.edns, parsed.edns)
        self.assertEqual(b"\3WWW\7example\3com\0", parsed.answer[0].name)

    def test_compression(self) -> None:
        """Names in CNAME and NS point back; the target of SRV does not.
        RFC 3597 4."""
        data = EXAMPLE.encode()
        self.assertEqual(3, data.count(b"\7example"))
        self.assertEqual(1, data.count(b"\1a\7example\0"))

    def test_far_names_are_not_pointed_at(self) -> None:
        """A pointer reaches 16,383 octets; beyond, names are written again."""
        filler = tuple(Record(b"\0", 65280, 1, 0, bytes(600)) for _ in range(28))
        tail = (Record(parse_name("late."), 1, 1, 0, bytes(4)),) * 2
        data = Message(answer=filler + tail).encode()
        self.assertEqual(2, data.count(b"\4late\0"))
        self.assertEqual(tail, Message.parse(data).answer[-2:])

    def test_short_chains_of_pointers(self) -> None:
        """However names build on each other, no decoder has to follow many pointers
        in a row."""
        records_ = tuple(
            Record(
                parse_name("a." * n + "x."), 5, 1, 0, parse_name("a." * (n + 1) + "x.")
            )
            for n in range(100)
        )
        data = Message(answer=records_).encode()
        self.assertEqual(records_, Message.parse(data).answer)
        self.assertEqual(100, len(dns.message.from_wire(data).answer))
        self.assertLess(len(data), 6000)

    def test_extended_rcode(self) -> None:
        """A code above 15 is split between header and OPT.  RFC 6891 6.1.3."""
        data = Message(rcode=23, edns=Edns(512)).encode()
        self.assertEqual(23 & 15, data[3] & 15)
        self.assertEqual(23, Message.parse(data).rcode)
        self.assertEqual(23, dns.message.from_wire(data).rcode())

    def test_too_long(self) -> None:
        """More than 65,535 octets are no message."""
        record = Record(b"\0", 65280, 1, 0, bytes(65000))
        with self.assertRaises(ValueError):
            Message(answer=(record, record)).encode()

    def test_two_opts(self) -> None:
        """Two OPT records, or one in the wrong section, are a syntax problem.
        RFC 6891 6.1.1."""
        data = bytearray(EXAMPLE.encode())
        opt = Edns().encode()
        data[10:12] = (3).to_bytes(2, "big")
        with self.assertRaises(SyntaxProblem):
            Message.parse(bytes(data) + opt)
        with self.assertRaises(SyntaxProblem):
            Message.parse(bytes(7) + b"\1" + bytes(4) + opt)

    def test_negative_ttl(self) -> None:
        """A TTL with the top bit set counts as zero.  RFC 2181 8."""
        record = Record(b"\0", 1, 1, 0x80000001, bytes(4))
        parsed = Message.parse(Message(answer=(record,)).encode())
        self.assertEqual(0, parsed.answer[0].ttl)

    def test_compressed_srv_is_read(self) -> None:
        """What others compress against the rules is understood.  RFC 3597 4."""
        data = bytearray(Message(questions=(Question(b"\1a\0", 33),)).encode())
        data[7] = 1
        data += b"\xc0\x0c\0\x21\0\1\0\0\0\0\0\x08" + bytes(6) + b"\xc0\x0c"
        self.assertEqual(
            bytes(6) + b"\1a\0", Message.parse(bytes(data)).answer[0].rdata
        )

    def test_every_truncation(self) -> None:
        """Every prefix of a message is a syntax problem."""
        data = EXAMPLE.encode()
        for end in range(len(data)):
            with self.assertRaises(SyntaxProblem):
                Message.parse(data[:end])

    def test_every_bit_flip(self) -> None:
        """A message with any one bit turned parses or is a syntax problem; what parses
        can be printed, and reads back the same."""
        data = EXAMPLE.encode()
        for bit in range(len(data) * 8):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                message = Message.parse(bytes(changed))
            except SyntaxProblem:
                continue
            again = Message.parse(message.encode())
            self.assertEqual(len(message.answer), len(again.answer))
            self.assertEqual(message.edns, again.edns)

    @given(st.binary(max_size=400))
    def test_random_octets(self, data: bytes) -> None:
        """Any octets parse or are a syntax problem, nothing else."""
        with contextlib.suppress(SyntaxProblem):
            Message.parse(data)

    @settings(deadline=None)
    @given(messages())
    def test_two_other_decoders(self, message: Message) -> None:
        """dnspython and dnslib read from our octets what we wrote."""
        data = message.encode()
        parsed = Message.parse(data)
        self.assertEqual(message.id, parsed.id)
        self.assertEqual(message.edns, parsed.edns)
        for section in ("answer", "authority", "additional"):
            self.assertEqual(
                [(r.name.lower(), r.type, r.ttl, r.rdata.lower())
                 for r in getattr(message, section)],
                [(r.name.lower(), r.type, r.ttl, r.rdata.lower())
                 for r in getattr(parsed, section)],
            )  # fmt: skip
        self._compare_dnslib(message, data)
        self._compare_dnspython(message, data)

    def _compare_dnspython(self, message: Message, data: bytes) -> None:
        # Records that dnspython finds wrong inside (an NXT, say) stay unread.
        seen = dns.message.from_wire(
            data, continue_on_error=True, one_rr_per_rrset=True
        )
        self.assertEqual(message.id, seen.id)
        if message.edns is not None and not seen.errors:
            self.assertEqual(message.edns.udp_size, seen.payload)
        for records_, section in (
            (message.answer, seen.answer),
            (message.authority, seen.authority),
            (message.additional, seen.additional),
        ):
            if seen.errors:
                continue
            self.assertEqual(
                [(r.name.lower(), r.type) for r in records_],
                [(s.name.to_wire().lower(), int(s.rdtype)) for s in section],
            )
            for record, rrset in zip(records_, section, strict=True):
                self.assertEqual(
                    record.rdata.lower(), (rrset[0].to_wire() or b"").lower()
                )

    def _compare_dnslib(self, message: Message, data: bytes) -> None:
        kinds = {r.type for r in message.answer + message.authority}
        kinds |= {r.type for r in message.additional}
        # dnslib decodes these as text or not at all.
        if not kinds <= {1, 28, 2, 5, 12, 15, 6, 65280}:
            return
        try:
            seen = dnslib.DNSRecord.parse(data)
        except dnslib.DNSError as error:
            # It takes only UTF-8 for labels and no empty RDATA: dnspython judges.
            self.assertRegex(str(error), "Invalid label|Empty RR")
            return
        self.assertEqual(message.id, seen.header.id)
        self.assertEqual(len(message.answer), len(seen.rr))
        for record, found in zip(message.answer, seen.rr, strict=True):
            self.assertEqual(
                [label.lower() for label in split_name(record.name)],
                [label.lower() for label in found.rname.label],
            )
            self.assertEqual(record.ttl, found.ttl)


def split_name(name: bytes) -> list[bytes]:
    """The labels of a name."""
    found = []
    position = 0
    while name[position]:
        found.append(name[position + 1 : position + 1 + name[position]])
        position += 1 + name[position]
    return found


class RdataTests(SynchronousTestCase):
    """The shape of RDATA."""

    def test_wrong_shapes(self) -> None:
        """RDATA that breaks the shape of its type is a syntax problem."""
        for type_, rdata in (
            (1, b"\1\2\3"),
            (28, bytes(15)),
            (2, b""),
            (2, b"\1a\0x"),
            (2, b"\xc0\x00"),
            (5, b"\1a"),
            (6, b"\0\0" + bytes(19)),
            (15, b"\0\1"),
            (16, b""),
            (16, b"\2a"),
            (33, bytes(5) + b"\0"),
            (35, bytes(4) + b"\0\0"),
            (65, b"\0"),
        ):
            with self.assertRaises(SyntaxProblem, msg=f"{type_} {rdata!r}"):
                check_rdata(type_, rdata)

    @given(records())
    def test_split_and_join(self, record: Record) -> None:
        """The parts of RDATA are the whole of it."""
        before, inside, after = split_rdata(record.type, record.rdata)
        self.assertEqual(record.rdata, before + b"".join(inside) + after)
        check_rdata(record.type, record.rdata)

    @given(st.sampled_from(sorted(LAYOUTS)), st.binary(max_size=80))
    def test_random_rdata(self, type_: int, rdata: bytes) -> None:
        """Any octets have the shape of a type or are a syntax problem; those that have
        can be split."""
        try:
            check_rdata(type_, rdata)
        except SyntaxProblem:
            return
        before, inside, after = split_rdata(type_, rdata)
        self.assertEqual(rdata, before + b"".join(inside) + after)
