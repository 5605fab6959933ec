"""Ranges of octets: RFC 9110 14."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.fields import Fields
from netservices.web.problems import Problem
from netservices.web.ranges import GAP_OCTETS, MOST_RANGES, Range, parse_ranges
from netservices.web.representation import Representation, respond
from netservices.web.request import Request
from netservices.web.response import Response

NOW = 1_795_000_000.0
SIZE = 10_000

WHOLE = None
NONE: tuple[tuple[int, int], ...] = ()

TABLE: tuple[tuple[str, Any], ...] = (
    # RFC 9110 14.1.2: the examples, and the limits.
    ("bytes=0-499", ((0, 500),)),
    ("bytes=500-999", ((500, 1000),)),
    ("bytes=-500", ((9500, 10000),)),
    ("bytes=9500-", ((9500, 10000),)),
    ("bytes=0-0,-1", ((0, 1), (9999, 10000))),
    ("bytes= 0-999, 4500-5499, -1000", ((0, 1000), (4500, 5500), (9000, 10000))),
    ("bytes=500-600,601-999", ((500, 1000),)),
    ("bytes=500-700,601-999", ((500, 1000),)),
    ("Bytes=0-0", ((0, 1),)),
    ("bytes=0-", ((0, 10000),)),
    ("bytes=0-99999", ((0, 10000),)),
    ("bytes=-99999", ((0, 10000),)),
    ("bytes=9999-9999", ((9999, 10000),)),
    ("bytes=0-0,,  ,\t5000-5000", ((0, 1), (5000, 5001))),
    ("bytes=5000-5000,0-0", ((5000, 5001), (0, 1))),
    (f"bytes=0-{'9' * 400}", ((0, 10000),)),
    (f"bytes={'0' * 400}-0", ((0, 1),)),
    # Some of them are there.
    ("bytes=20000-20001,0-0", ((0, 1),)),
    # None is there.
    ("bytes=10000-", NONE),
    ("bytes=10000-10001", NONE),
    ("bytes=-0", NONE),
    (f"bytes={'9' * 400}-", NONE),
    # Malformed: the field is ignored.
    ("bytes=", WHOLE),
    ("bytes=,", WHOLE),
    ("bytes", WHOLE),
    ("bytes=-", WHOLE),
    ("bytes=a-b", WHOLE),
    ("bytes=1-0", WHOLE),
    ("bytes=0-0,5-4", WHOLE),
    ("bytes=0-0-0", WHOLE),
    ("bytes=+1-2", WHOLE),
    ("bytes=1 - 2", WHOLE),
    ("bytes=0x1-2", WHOLE),
    ("bytes=--1", WHOLE),
    ("bytes =0-1", WHOLE),
    ("bytes=١-٢", WHOLE),
    ("lines=0-1", WHOLE),
    ("none", WHOLE),
    # Together as much as there is.
    ("bytes=0-,0-,0-", WHOLE),
    ("bytes=0-5000,5001-", WHOLE),
)


class ParseTests(SynchronousTestCase):
    """What a field Range asks for."""

    def test_table(self) -> None:
        """Each form, right and wrong."""
        for written, expected in TABLE:
            found = parse_ranges(written, SIZE)
            plain = None if found is None else tuple((r.start, r.end) for r in found)
            self.assertEqual(expected, plain, written)

    def test_nothing_to_give(self) -> None:
        """Of an empty file no octet can be given, but its last ones are there."""
        self.assertEqual((), parse_ranges("bytes=0-", 0))
        self.assertEqual((), parse_ranges("bytes=0-0", 0))
        self.assertEqual((), parse_ranges("bytes=-0", 0))
        self.assertIsNone(parse_ranges("bytes=-5", 0))

    def test_many(self) -> None:
        """Who asks for many ranges gets the whole."""
        many = ",".join(f"{200 * n}-{200 * n}" for n in range(MOST_RANGES))
        found = parse_ranges(f"bytes={many}", SIZE)
        assert found is not None
        self.assertEqual(MOST_RANGES, len(found))
        self.assertIsNone(parse_ranges(f"bytes={many},9999-", SIZE))
        self.assertIsNone(parse_ranges("bytes=" + "0-0," * 100_000, SIZE))

    def test_gaps(self) -> None:
        """What is shorter than the head of a part is sent with the rest."""
        near, far = 100 + GAP_OCTETS, 101 + GAP_OCTETS
        self.assertEqual(
            (Range(0, near + 1),), parse_ranges(f"bytes=0-99,{near}-{near}", SIZE)
        )
        self.assertEqual(
            (Range(0, 100), Range(far, far + 1)),
            parse_ranges(f"bytes=0-99,{far}-{far}", SIZE),
        )

    @given(
        st.integers(0, 300),
        st.lists(
            st.tuples(st.none() | st.integers(0, 320), st.none() | st.integers(0, 320)),
            min_size=1,
            max_size=20,
        ),
    )
    def test_ranges_are_what_was_asked_for(
        self, size: int, specs: list[tuple[int | None, int | None]]
    ) -> None:
        """All octets that were asked for are there, in ranges that do not overlap and
        lie within the representation."""
        written = ",".join(
            f"{'' if a is None else a}-{'' if b is None else b}" for a, b in specs
        )
        found = parse_ranges(f"bytes={written}", size)
        if found is None:
            return
        covered: set[int] = set()
        for one in found:
            self.assertTrue(0 <= one.start < one.end <= size)
            self.assertTrue(covered.isdisjoint(range(one.start, one.end)))
            covered.update(range(one.start, one.end))
        wanted: set[int] = set()
        for first, last in specs:
            if first is None:
                wanted.update(range(max(0, size - (last or 0)), size))
            else:
                end = size if last is None else min(last + 1, size)
                wanted.update(range(first, end))
        self.assertLessEqual(wanted, covered)
        self.assertEqual(bool(wanted), bool(found))

    @given(st.text(alphabet="bytes=0123456789-, \t", max_size=40), st.integers(0, 50))
    def test_anything(self, written: str, size: int) -> None:
        """No text does harm."""
        for one in parse_ranges(written, size) or ():
            self.assertTrue(0 <= one.start < one.end <= size)


class RespondTests(SynchronousTestCase):
    """What is sent."""

    content = bytes(range(256)) * 4

    def respond(self, method: str = "GET", **fields: str) -> Response:
        """The answer for some text."""
        pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
        it = Representation(self.content, 1024, "text/plain", '"tag"', 1_794_000_000)
        return respond(Request(method, "/", fields=Fields(pairs)), it, NOW)

    def test_single(self) -> None:
        """One range is the content itself.  RFC 9110 15.3.7.1."""
        response = self.respond(range="bytes=1-3")

        self.assertEqual((206, b"\1\2\3"), (response.status, response.body))
        self.assertEqual("bytes 1-3/1024", response.get("Content-Range"))
        self.assertEqual("text/plain", response.get("Content-Type"))
        self.assertEqual('"tag"', response.get("ETag"))

    def test_multipart(self) -> None:
        """Several ranges are parts, each with its place.  RFC 9110 15.3.7.2."""
        response = self.respond(range="bytes=0-1,500-501,-1")

        assert isinstance(response.body, tuple)
        head = f"Content-Type: {response.get('Content-Type')}\r\n\r\n".encode()
        body = b"".join(piece for piece in response.body if isinstance(piece, bytes))
        parts: Any = message_from_bytes(head + body).get_payload()
        self.assertEqual("", response.get("Content-Range"))
        self.assertEqual(
            ["bytes 0-1/1024", "bytes 500-501/1024", "bytes 1023-1023/1024"],
            [part["Content-Range"] for part in parts],
        )
        self.assertEqual(["text/plain"] * 3, [p.get_content_type() for p in parts])
        self.assertEqual(
            [b"\0\1", b"\xf4\xf5", b"\xff"],
            [part.get_payload(decode=True) for part in parts],
        )

    def test_not_satisfiable(self) -> None:
        """416 says how much there is.  RFC 9110 15.5.17."""
        problem = self.assertRaises(Problem, self.respond, range="bytes=1024-")

        self.assertEqual(416, problem.status)
        self.assertEqual((("Content-Range", "bytes */1024"),), problem.fields)

    def test_only_get(self) -> None:
        """HEAD knows no ranges.  RFC 9110 14.2."""
        response = self.respond("HEAD", range="bytes=0-0")

        self.assertEqual((200, 1024), (response.status, response.length))

    def test_if_range(self) -> None:
        """A range of another version is the whole."""
        for written, status in (('"tag"', 206), ('"old"', 200), ('W/"tag"', 200)):
            response = self.respond(range="bytes=0-0", if_range=written)
            self.assertEqual(status, response.status, written)

    def test_conditions_first(self) -> None:
        """Who has it gets 304, whatever range he wants.  RFC 9110 13.2.2."""
        response = self.respond(range="bytes=9999-", if_none_match='"tag"')

        self.assertEqual(304, response.status)
        self.assertEqual([("ETag", '"tag"')], response.fields)

    def test_precondition(self) -> None:
        """412 where another version is wanted."""
        problem = self.assertRaises(Problem, self.respond, if_match='"old"')
        self.assertEqual(412, problem.status)

    def test_future(self) -> None:
        """A file of tomorrow was modified now.  RFC 9110 8.8.2.1."""
        it = Representation(b"", 0, modified=int(NOW) + 86_400)
        response = respond(Request("GET", "/"), it, NOW)

        self.assertEqual("Wed, 18 Nov 2026 11:06:40 GMT", response.get("Last-Modified"))
