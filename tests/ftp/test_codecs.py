"""Types, structures and modes on the wire: tables, round trips, cuts, nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.ftp import wire
from netservices.ftp.wire import Mark, Marker, Part, Structure, Type
from netservices.ftp.wire.blocks import BlockReader, block_writer
from netservices.ftp.wire.compressed import CompressedReader, compressing_writer
from netservices.ftp.wire.contents import record_end
from netservices.ftp.wire.parts import MOST_UNITS
from netservices.ftp.wire.records import RecordReader, RecordWriter

EOR, EOF, SUSPECT = Mark.EOR, Mark.EOF, Mark.SUSPECT

WRITERS: dict[str, Callable[[], Any]] = {
    "stream": lambda: RecordWriter(b"\n"),
    "block": lambda: block_writer(b"\n"),
    "compressed": lambda: compressing_writer(b" ", b"\n"),
}
READERS: dict[str, Callable[[], Any]] = {
    "stream": lambda: RecordReader(b"\n"),
    "block": lambda: BlockReader(b"\n"),
    "compressed": lambda: CompressedReader(b"\n", filler=b" "),
}

runs = st.builds(
    lambda octet, count: bytes((octet,)) * count,
    st.sampled_from(b"\0 \xffa\n"),
    st.integers(1, 200),
)
octets = st.lists(st.one_of(runs, st.binary(max_size=40)), max_size=5).map(b"".join)
markers = st.from_regex(rb"[!-~]{1,64}", fullmatch=True).map(Marker)


def joined(parts: list[Part], end: bytes = b"\n") -> list[Part]:
    """Parts with neighbouring data put together; ``end`` is the end of a record."""
    found: list[Part] = []
    for part in [end if end and part is EOR else part for part in parts]:
        if isinstance(part, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += part
        elif part != b"":
            found.append(part)
    return found


def read(mode: str, sent: bytes, cut: int = 0) -> list[Part]:
    """What a reader makes of ``sent``, in pieces of ``cut`` octets."""
    reader = READERS[mode]()
    parts: list[Part] = []
    step = cut or max(1, len(sent))
    for at in range(0, len(sent), step):
        parts += feed(reader, sent[at : at + step])
    return joined(parts)


def feed(reader: Any, data: bytes) -> list[Part]:
    """What a reader makes of some octets, up to the end of the file."""
    parts: list[Part] = []
    while data and not reader.is_done:
        parts += reader.feed(data)
        data = reader.rest
    return parts


class TableTests(SynchronousTestCase):
    """What the RFC says, octet by octet."""

    CASES: tuple[tuple[str, list[Part], bytes], ...] = (
        # RFC 959 3.4.1
        ("stream", [b"ab", EOR, EOF], b"ab\xff\x03"),
        ("stream", [b"ab", EOR, b"c", EOR, EOF], b"ab\xff\x01c\xff\x03"),
        ("stream", [b"\xff", EOR, EOR, EOF], b"\xff\xff\xff\x01\xff\x03"),
        ("stream", [b"ab", EOF], b"ab\xff\x02"),
        ("stream", [EOF], b"\xff\x02"),
        # RFC 959 3.4.2
        ("block", [b"ab", EOF], b"\x40\0\x02ab"),
        ("block", [b"ab", EOR, EOF], b"\xc0\0\x02ab"),
        ("block", [b"ab", EOR, EOR, EOF], b"\x80\0\x02ab\xc0\0\0"),
        ("block", [b"ab", b"c", EOF], b"\0\0\x02ab\x40\0\x01c"),
        ("block", [Marker(b"6Chars"), EOF], b"\x10\0\x066Chars\x40\0\0"),
        ("block", [b"a", Marker(b"1"), EOF], b"\0\0\x01a\x10\0\x011\x40\0\0"),
        ("block", [b"a", EOR, Marker(b"1"), EOF], b"\x80\0\x01a\x10\0\x011\x40\0\0"),
        ("block", [EOF], b"\x40\0\0"),
        # RFC 959 3.4.3
        ("compressed", [b"ab", EOF], b"\0\x40\x02ab"),
        ("compressed", [b"a" * 5, EOR, EOF], b"\0\xc0\x85a"),
        ("compressed", [b" " * 64, EOF], b"\xff\0\x40\xc1"),
        ("compressed", [b"xy" + b"a" * 9 + b"z", EOF], b"\x02xy\x89a\0\x40\x01z"),
        ("compressed", [Marker(b"1111111"), EOF], b"\0\x10\x071111111\0\x40\xc0"),
        ("compressed", [EOR, EOF], b"\0\xc0\xc0"),
        ("compressed", [EOF], b"\0\x40\xc0"),
    )

    def test_writing(self) -> None:
        """Marks ride on the last unit before them, or on an empty one."""
        for mode, parts, sent in self.CASES:
            with self.subTest(mode=mode, parts=parts):
                self.assertEqual(sent, WRITERS[mode]().feed(parts))

    def test_reading(self) -> None:
        """The same table backwards, whole and in pieces of any size."""
        for mode, parts, sent in self.CASES:
            for cut in range(len(sent) + 1):
                with self.subTest(mode=mode, parts=parts, cut=cut):
                    self.assertEqual(joined(parts), read(mode, sent, cut))

    def test_long_block(self) -> None:
        """A count has 16 bits.  RFC 959 3.4.2"""
        sent = block_writer().feed([b"x" * 65536, EOF])
        self.assertEqual(b"\0\xff\xff" + b"x" * 65535 + b"\x40\0\x01x", sent)

    def test_other_spellings(self) -> None:
        """What our writers never say is understood: several marks in a row of escapes,
        suspect data, marks on a marker, repeated octets in a marker."""
        for mode, sent, parts in (
            ("block", b"\x20\0\x01a\x40\0\0", [SUSPECT, b"a", EOF]),
            ("block", b"\x50\0\x011", [Marker(b"1"), EOF]),
            ("block", b"\0\0\0\x40\0\0", [EOF]),
            ("compressed", b"\0\x80\0\x40\x01a", [b"a\n", EOF]),
            ("compressed", b"\0\x10\x831\0\x40\xc0", [Marker(b"111"), EOF]),
            ("compressed", b"\xc0\xc0\0\x60\x82a", [SUSPECT, b"aa", EOF]),
        ):
            with self.subTest(mode=mode, sent=sent):
                self.assertEqual(parts, read(mode, sent))
                self.assertEqual(parts, read(mode, sent, 1))

    def test_what_follows(self) -> None:
        """Octets behind the end of the file belong to the next one."""
        for mode, parts, sent in self.CASES:
            with self.subTest(mode=mode, parts=parts):
                reader = READERS[mode]()
                reader.feed(sent + b"next")
                self.assertTrue(reader.is_done)
                self.assertEqual(b"next", reader.rest)

    def test_incomplete(self) -> None:
        """No beginning of a file is a file."""
        for mode, parts, sent in self.CASES:
            for cut in range(len(sent)):
                with self.subTest(mode=mode, parts=parts, cut=cut):
                    reader = READERS[mode]()
                    reader.feed(sent[:cut])
                    self.assertFalse(reader.is_done)

    def test_many_units(self) -> None:
        """A reader stops after many short units, and goes on with what it left."""
        for mode, unit in (("block", b"\0\0\0"), ("compressed", b"\xc1")):
            with self.subTest(mode=mode):
                reader = READERS[mode]()
                reader.feed(unit * 5000)
                self.assertEqual(unit * (5000 - MOST_UNITS), reader.rest)
                self.assertEqual(MOST_UNITS, reader.units)

    def test_nonsense(self) -> None:
        """Unknown codes, markers that are none, counts that must not be."""
        for mode, sent in (
            ("stream", b"a\xff\0"),
            ("stream", b"a\xff\x04"),
            ("stream", b"\xff\xfe"),
            ("block", b"\x01\0\x01a"),
            ("block", b"\x48\0\0"),
            ("block", b"\x10\0\0"),
            ("block", b"\x10\0\x02a "),
            ("block", b"\x10\0\x04a\r\nb"),
            ("block", b"\x10\0\x41" + b"1" * 65),
            ("compressed", b"\0\x01\x01a"),
            ("compressed", b"\0\0\0\x04"),
            ("compressed", b"\x80a"),
            ("compressed", b"\0\x10\xc3"),
            ("compressed", b"\0\x10\xc0"),
            ("compressed", b"\0\x10\x7f" + b"1" * 127),
        ):
            with self.subTest(mode=mode, sent=sent):
                self.assertRaises(SyntaxProblem, read, mode, sent)
                self.assertRaises(SyntaxProblem, read, mode, sent, 1)

    def test_no_markers_in_streams(self) -> None:
        """RFC 959 3.5: restart is for the other modes."""
        self.assertRaises(ValueError, RecordWriter().feed, [Marker(b"1")])


class ModeTests(SynchronousTestCase):
    """Properties of the modes."""

    @given(
        st.sampled_from(["block", "compressed"]),
        st.lists(st.one_of(octets, markers, st.just(EOR))),
        st.integers(0, 300),
    )
    def test_round_trip(self, mode: str, parts: list[Part], cut: int) -> None:
        """What is written is read, however it is cut."""
        writer = WRITERS[mode]()
        sent = b"".join(writer.feed([part]) for part in [*parts, EOF])
        self.assertEqual(joined([*parts, EOF]), read(mode, sent, cut))

    @given(st.lists(st.one_of(octets, st.just(EOR))), st.integers(0, 9))
    def test_stream_round_trip(self, parts: list[Part], cut: int) -> None:
        """The same for records in a stream, which has no markers."""
        sent = WRITERS["stream"]().feed([*parts, EOF])
        self.assertEqual(joined([*parts, EOF]), read("stream", sent, cut))

    @given(
        st.sampled_from(["stream", "block", "compressed"]),
        st.lists(octets, max_size=9),
        st.integers(0, 300),
    )
    def test_records_in_data(self, mode: str, lines: list[bytes], cut: int) -> None:
        """An octet of data that ends records is read as it was written, and is what a
        mark would be; also where records are longer than a block."""
        data = b"\n".join(lines)
        sent = WRITERS[mode]().feed([data, EOF])
        self.assertEqual(joined([data, EOF]), read(mode, sent, cut))
        marked: list[Part] = [EOR] * (2 * data.count(b"\n") + 1)
        marked[::2] = data.split(b"\n")
        self.assertEqual(sent, WRITERS[mode]().feed([*marked, EOF]))

    def test_long_records(self) -> None:
        """Only the last block of a record ends it."""
        long = b"x" * 65536 + b"\n"
        sent = WRITERS["block"]().feed([long * 3, EOF])
        full, last = b"\0\xff\xff" + b"x" * 65535, b"\0\x01x"
        records = (full + b"\x80" + last) * 2 + full + b"\xc0" + last
        self.assertEqual(records, sent)
        self.assertEqual([long * 3, EOF], read("block", sent))

    @given(st.sampled_from(["stream", "block", "compressed"]), st.binary())
    def test_anything(self, mode: str, sent: bytes) -> None:
        """Any octets are parts or nonsense, the same ones however they are cut."""
        try:
            whole = read(mode, sent)
        except SyntaxProblem:
            self.assertRaises(SyntaxProblem, read, mode, sent, 1)
        else:
            self.assertEqual(whole, read(mode, sent, 1))
            data = sum(len(part) for part in whole if isinstance(part, bytes))
            self.assertLessEqual(data, 63 * len(sent))

    @given(octets)
    def test_compression(self, data: bytes) -> None:
        """It never costs more than an octet in 127, and the marks."""
        sent = compressing_writer(b" ").feed([data, EOF])
        self.assertLessEqual(len(sent), len(data) + len(data) // 127 + 4)

    def test_compressed_well(self) -> None:
        """63 octets of filler become one, of another octet two."""
        for run, octets_sent in ((b" ", 1000), (b"a", 2000)):
            sent = WRITERS["compressed"]().feed([run * 63_000, EOF])
            self.assertEqual(octets_sent + len(b"\0\x40"), len(sent))


TEXT = b"one\n\ntwo\r\n\xc3\xa9\x85\x15\xff\nlast"


class ContentTests(SynchronousTestCase):
    """Types and structures."""

    CASES: tuple[tuple[Type, Structure, bytes, list[Part]], ...] = (
        (Type.ASCII, Structure.FILE, b"a\nb", [b"a\r\nb", EOF]),
        (Type.EBCDIC, Structure.FILE, b"a\nb", [b"\x81\x15\x82", EOF]),
        (Type.IMAGE, Structure.FILE, b"a\nb", [b"a\nb", EOF]),
        (Type.ASCII, Structure.RECORD, b"a\n\nb\n", [b"a", EOR, EOR, b"b", EOR, EOF]),
        (Type.EBCDIC, Structure.RECORD, b"a\n", [b"\x81", EOR, EOF]),
        (Type.IMAGE, Structure.RECORD, b"a\n", [b"a\n", EOR, EOF]),
        (Type.ASCII, Structure.RECORD, b"", [EOF]),
        (Type.IMAGE, Structure.RECORD, b"", [EOF]),
    )

    def sent(self, kind: Type, structure: Structure, *chunks: bytes) -> list[Part]:
        """The parts of a file."""
        sender = wire.ContentSender(kind, structure)
        parts = [part for chunk in chunks for part in sender.feed(chunk)]
        return joined(parts + sender.finish(), record_end(kind, structure))

    def stored(self, kind: Type, structure: Structure, parts: list[Part]) -> bytes:
        """The file of the parts."""
        receiver = wire.ContentReceiver(kind, structure)
        parts = joined(parts, record_end(kind, structure))
        return b"".join(receiver.feed([part]) for part in parts) + receiver.finish()

    def test_table(self) -> None:
        """Lines, records, and neither.  RFC 959 3.1"""
        for kind, structure, content, parts in self.CASES:
            with self.subTest(type=kind, structure=structure):
                ends = joined(parts, record_end(kind, structure))
                self.assertEqual(ends, self.sent(kind, structure, content))
                self.assertEqual(content, self.stored(kind, structure, parts))

    def test_final_record(self) -> None:
        """The end of the last record is explicit even where the last line has none.
        RFC 959 3.4"""
        parts = self.sent(Type.ASCII, Structure.RECORD, b"a\nb")
        self.assertEqual([b"a\nb\n", EOF], parts)
        sender = wire.ContentSender(Type.ASCII, Structure.RECORD)
        sender.feed(b"a\nb")
        self.assertEqual([EOR, EOF], sender.finish())

    def test_image_records(self) -> None:
        """Records of an image are stored as contiguous octets.  RFC 959 3.1.1.3"""
        parts: list[Part] = [b"a", EOR, b"b", EOR, EOF]
        stored = self.stored(Type.IMAGE, Structure.RECORD, parts)
        self.assertEqual(b"ab", stored)

    def test_ends_of_records_without_records(self) -> None:
        """In file structure an EOR is no data."""
        stored = self.stored(Type.ASCII, Structure.FILE, [b"a", EOR, EOF])
        self.assertEqual(b"a", stored)

    def test_every_cut(self) -> None:
        """Chunks of the file make no difference; nor does going on in the middle."""
        for kind in Type:
            for structure in Structure:
                whole = self.sent(kind, structure, TEXT)
                for cut in range(1, len(TEXT)):
                    with self.subTest(type=kind, structure=structure, cut=cut):
                        first, second = TEXT[:cut], TEXT[cut:]
                        self.assertEqual(
                            whole, self.sent(kind, structure, first, second)
                        )
                        begun = wire.ContentSender(kind, structure).feed(first)
                        sender = wire.ContentSender(kind, structure)
                        sender.resume(first[-1:])
                        going_on = sender.feed(second) + sender.finish()
                        end = record_end(kind, structure)
                        self.assertEqual(whole, joined(begun + going_on, end))

    @given(st.sampled_from(Type), st.binary())
    def test_round_trip(self, kind: Type, content: bytes) -> None:
        """A file of records comes back as it was, to the end of its last line."""
        parts = self.sent(kind, Structure.RECORD, content)
        stored = self.stored(kind, Structure.RECORD, parts)
        if kind is not Type.IMAGE and content[-1:] not in (b"", b"\n"):
            content += b"\n"
        self.assertEqual(content, stored)

    @given(st.binary())
    def test_ebcdic_round_trip(self, content: bytes) -> None:
        """EBCDIC is one to one for all octets; sizes stay."""
        parts = self.sent(Type.EBCDIC, Structure.FILE, content)
        self.assertEqual(content, self.stored(Type.EBCDIC, Structure.FILE, parts))
        size = sum(len(part) for part in parts if isinstance(part, bytes))
        self.assertEqual(len(content), size)

    def test_ebcdic_table(self) -> None:
        """Code page 037; LF is NL.  RFC 959 3.1.1.2"""
        parts = self.sent(Type.EBCDIC, Structure.FILE, b"Az09 \n\r\x85")
        self.assertEqual([b"\xc1\xa9\xf0\xf9\x40\x15\x0d\x25", EOF], parts)

    def test_held_cr(self) -> None:
        """A CR that may begin a line end is known, and can be restored.  RFC 1123
        4.1.3.4"""
        receiver = wire.ContentReceiver(Type.ASCII, Structure.FILE)
        self.assertEqual(b"a", receiver.feed([b"a\r"]))
        self.assertTrue(receiver.holds_cr)
        other = wire.ContentReceiver(Type.ASCII, Structure.FILE)
        other.resume(receiver.holds_cr)
        self.assertEqual(b"\nb", other.feed([b"\nb"]))
