"""Names: wire form, text form, comparison."""

from __future__ import annotations

import dns.exception
import dns.name
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.names import (
    MAX_JUMPS,
    canonical_key,
    check_name,
    is_below,
    label_offsets,
    name_text,
    parent,
    parse_name,
    read_name,
    skip_name,
    u_labels,
)

some_labels = st.lists(st.binary(min_size=1, max_size=63), max_size=8)
wire_names = some_labels.map(
    lambda parts: b"".join(bytes((len(p),)) + p for p in parts) + b"\0"
).filter(lambda name: len(name) <= 255)


class ReadTests(SynchronousTestCase):
    """Names in messages; RFC 1035 3.1 and 4.1.4."""

    def test_plain(self) -> None:
        """A name ends with its root label; what follows begins right after."""
        self.assertEqual(
            (b"\3www\7example\0", 13), read_name(b"\3www\7example\0rest", 0)
        )

    def test_pointer(self) -> None:
        """A pointer continues a name at an earlier one.  RFC 1035 4.1.4."""
        data = b"\7example\3com\0\3www\xc0\x00\xc0\x0d"
        self.assertEqual((b"\3www\7example\3com\0", 19), read_name(data, 13))
        self.assertEqual((b"\3www\7example\3com\0", 21), read_name(data, 19))

    def test_loops(self) -> None:
        """A pointer to itself, forward, or into a loop is a syntax problem."""
        for data, start in (
            (b"\xc0\x00", 0),
            (b"\xc0\x02\1a\0", 0),
            (b"\1a\xc0\x00", 0),
            (b"\xc0\x02\xc0\x00", 2),
            (b"\1a\xc0\x03\xc0\x00", 4),
        ):
            with self.assertRaises(SyntaxProblem, msg=repr(data)):
                read_name(data, start)

    def test_chain_of_pointers(self) -> None:
        """A long chain of pointers without labels is cut off: it would make a small
        message cost seconds."""
        data = b"\0" + b"".join(
            (0xC000 | max(0, 2 * i - 1)).to_bytes(2, "big") for i in range(1000)
        )
        start = 1 + 2 * (MAX_JUMPS - 1)
        self.assertEqual(b"\0", read_name(data, start)[0])
        with self.assertRaises(SyntaxProblem):
            read_name(data, start + 2)

    def test_too_long(self) -> None:
        """255 octets are a name, 256 are not.  RFC 1035 2.3.4."""
        longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
        self.assertEqual(255, len(longest))
        self.assertEqual((longest, 255), read_name(longest, 0))
        with self.assertRaises(SyntaxProblem):
            read_name(b"\1b" + longest, 0)
        with self.assertRaises(SyntaxProblem):
            read_name(longest + b"\1b\xc0\x00", 255)

    def test_unknown_labels(self) -> None:
        """The label kinds 01 and 10 are refused.  RFC 6891 5."""
        for kind in (b"\x40", b"\x41a\0", b"\x80\0"):
            with self.assertRaises(SyntaxProblem):
                read_name(kind, 0)
            with self.assertRaises(SyntaxProblem):
                skip_name(kind, 0)

    def test_cut_short(self) -> None:
        """Every truncation of a name is a syntax problem."""
        data = b"\7example\3com\0\3www\xc0\x00"
        for start, end in ((0, 13), (13, 19)):
            for stop in range(start, end):
                with self.assertRaises(SyntaxProblem):
                    read_name(data[:stop], start)
                with self.assertRaises(SyntaxProblem):
                    skip_name(data[:stop], start)

    @given(st.binary(max_size=300), st.integers(0, 20))
    @example(b"\xc0", 0)
    @example(b"", 0)
    def test_against_dnspython(self, data: bytes, start: int) -> None:
        """Any octets: either the name that dnspython reads, or a syntax problem."""
        try:
            expected, used = dns.name.from_wire(data, start)
        except (dns.exception.DNSException, IndexError):
            with self.assertRaises(SyntaxProblem):
                read_name(data, start)
            return
        self.assertEqual((expected.to_wire(), start + used), read_name(data, start))
        self.assertEqual(start + used, skip_name(data, start))


class TextTests(SynchronousTestCase):
    """Names as people write them; RFC 1035 5.1."""

    def test_relative_and_absolute(self) -> None:
        """A name without a final dot is below the origin."""
        origin = parse_name("example.com.")
        self.assertEqual("www.example.com.", name_text(parse_name("www", origin)))
        self.assertEqual("www.", name_text(parse_name("www.", origin)))
        self.assertEqual("example.com.", name_text(parse_name("@", origin)))
        self.assertEqual(".", name_text(parse_name(".", origin)))

    def test_escapes(self) -> None:
        """``\\.`` is no end of a label, ``\\DDD`` is any octet."""
        self.assertEqual(b"\3a.b\0", parse_name("a\\.b."))
        self.assertEqual(b"\1.\0", parse_name("\\."))
        self.assertEqual(b"\2\0\xff\0", parse_name("\\000\\255."))
        self.assertEqual("\\000\\255.", name_text(b"\2\0\xff\0"))

    def test_international(self) -> None:
        """Letters beyond ASCII become A-labels, and are shown again; RFC 5890."""
        for text, name in (
            ("bücher.example.", "xn--bcher-kva.example."),
            ("*.BÜCHER.example.", "*.xn--bcher-kva.example."),
            ("例え。テスト.", "xn--r8jz45g.xn--zckzah."),
        ):
            self.assertEqual(name, name_text(parse_name(text)))
        self.assertEqual("bücher.example.", u_labels("xn--bcher-kva.example."))
        self.assertEqual("xn--a.example.", u_labels("xn--a.example."))

    def test_wrong(self) -> None:
        """Empty labels, long labels, bad escapes and letters that no label has."""
        for text in ("a..b", ".a", "a" * 64, "\\256", "\\1", "\\", "a\u2028", "", ".."):
            with self.assertRaises(ValueError, msg=text):
                parse_name(text)

    @given(wire_names)
    def test_round_trip(self, name: bytes) -> None:
        """What is printed reads back, here and by dnspython."""
        text = name_text(name)
        self.assertEqual(name, parse_name(text))
        self.assertEqual(name, dns.name.from_text(text).to_wire())


class CompareTests(SynchronousTestCase):
    """Names beside each other."""

    def test_below(self) -> None:
        """A name is below itself and its ancestors; not where octets agree by chance in
        the middle of a label."""
        apex = parse_name("example.com.")
        self.assertTrue(is_below(apex, apex))
        self.assertTrue(is_below(parse_name("a.b.example.com."), apex))
        self.assertFalse(is_below(parse_name("com."), apex))
        self.assertFalse(is_below(b"\x0ex\7example\3com\0\0", apex))
        self.assertFalse(is_below(b"\x0e1\7example\3com\0", apex))

    def test_parent_and_count(self) -> None:
        """The parent has one label less; the root is its own parent."""
        name = parse_name("a.b.")
        self.assertEqual(2, len(label_offsets(name)) - 1)
        self.assertEqual(b"\1b\0", parent(name))
        self.assertEqual(b"\0", parent(b"\0"))

    @given(wire_names, wire_names)
    def test_canonical_order(self, one: bytes, other: bytes) -> None:
        """Names sort as dnspython sorts them.  RFC 4034 6.1."""
        here = canonical_key(one) < canonical_key(other)
        there = dns.name.from_wire(one, 0)[0] < dns.name.from_wire(other, 0)[0]
        self.assertEqual(there, here)

    def test_check(self) -> None:
        """A stored name is whole and uncompressed."""
        check_name(b"\1a\0")
        for wrong in (b"", b"\1a", b"\1a\0\0", b"\xc0\x00", b"\1a\xc0\x00"):
            with self.assertRaises(SyntaxProblem, msg=repr(wrong)):
                check_name(wrong)
