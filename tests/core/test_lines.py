"""Tests for ``netservices.core.lines``."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.lines import OVERLONG, LineBuffer, Overlong

LIMIT = 8

octets = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b"a", b"bcdefg", b"h" * 9]),
    max_size=30,
).map(b"".join)


def lines_of(buffer: LineBuffer) -> list[bytes | Overlong]:
    """Every line that is ready."""
    found = []
    while (line := buffer.next_line()) is not None:
        found.append(line)
    return found


def plainly(data: bytes, bare_lf: bool) -> list[bytes | Overlong]:
    """The complete lines of ``data``, found in the simplest way."""
    *lines, _rest = data.split(b"\n" if bare_lf else b"\r\n")
    if bare_lf:
        lines = [line.removesuffix(b"\r") for line in lines]
    return [line if len(line) <= LIMIT else OVERLONG for line in lines]


class LineBufferTests(SynchronousTestCase):
    """Lines of at most eight octets."""

    @given(data=octets, bare_lf=st.booleans(), cuts=st.lists(st.integers(0, 200)))
    def test_every_split(self, data: bytes, bare_lf: bool, cuts: list[int]) -> None:
        """However octets are cut into segments, the lines are those of the whole."""
        buffer = LineBuffer(LIMIT, bare_lf)
        found: list[bytes | Overlong] = []
        places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
        for begin, end in zip(places, places[1:], strict=False):
            buffer.feed(data[begin:end])
            found += lines_of(buffer)
        expected = plainly(data, bare_lf)
        if len(found) > len(expected):
            # The last line has no end yet, and is known to be too long.
            expected.append(OVERLONG)
        self.assertEqual(expected, found)

    @given(data=octets, bare_lf=st.booleans())
    def test_octet_by_octet(self, data: bytes, bare_lf: bool) -> None:
        """One octet at a time gives the same lines as everything at once."""
        whole, single = LineBuffer(LIMIT, bare_lf), LineBuffer(LIMIT, bare_lf)
        whole.feed(data)
        found: list[bytes | Overlong] = []
        for octet in data:
            single.feed(bytes((octet,)))
            found += lines_of(single)
        self.assertEqual(lines_of(whole), found)
        self.assertLessEqual(single.octets, LIMIT + 1)

    def test_line_ends(self) -> None:
        """CRLF always ends a line; LF alone does so only where it is allowed."""
        data = b"a\r\nb\nc\rd\r\n\r\n"
        buffer = LineBuffer(LIMIT)
        buffer.feed(data)
        self.assertEqual([b"a", b"b", b"c\rd", b""], lines_of(buffer))
        strict = LineBuffer(LIMIT, bare_lf=False)
        strict.feed(data)
        self.assertEqual([b"a", b"b\nc\rd", b""], lines_of(strict))

    def test_limit(self) -> None:
        """A line at the limit is a line; with one octet more it is not, and the next
        one is whole."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"12345678\r\n123456789\r\nnext\r\n")
        self.assertEqual([b"12345678", OVERLONG, b"next"], lines_of(buffer))

    def test_overlong_is_not_kept(self) -> None:
        """Of an overlong line nothing is held, and it is reported once, before its
        end."""
        buffer = LineBuffer(LIMIT)
        found: list[bytes | Overlong] = []
        for _ in range(1000):
            buffer.feed(b"x" * 200)
            found += lines_of(buffer)
            self.assertLessEqual(buffer.octets, 1)
        self.assertEqual([OVERLONG], found)
        buffer.feed(b"\r\nok\r\n")
        self.assertEqual([b"ok"], lines_of(buffer))

    def test_nul(self) -> None:
        """NULs are left for the dialogue to refuse."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"a\0b\r\n")
        self.assertEqual([b"a\0b"], lines_of(buffer))

    def test_take(self) -> None:
        """Literal octets come as they are, whatever they look like; then lines."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"A\r\nx\r\ny\r")
        self.assertEqual(b"A", buffer.next_line())
        self.assertEqual(b"x\r\ny\r", buffer.take(6))
        buffer.feed(b"\nB\r\n")
        self.assertEqual(b"\nB", buffer.take(2))
        self.assertEqual([b""], lines_of(buffer))
        self.assertEqual(b"", buffer.take(5))

    def test_take_ends_in_cr(self) -> None:
        """A CR that belongs to a literal is no part of the line end after it."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"lit\r\nB\r\n")
        self.assertEqual(b"lit\r", buffer.take(4))
        self.assertEqual([b"", b"B"], lines_of(buffer))

    def test_take_refused_while_skipping(self) -> None:
        """Nothing of an overlong line can pass for a literal."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"x" * 20)
        self.assertIs(OVERLONG, buffer.next_line())
        self.assertRaises(RuntimeError, buffer.take, 1)

    def test_clear(self) -> None:
        """``clear`` forgets everything, a line that is being skipped included."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"x" * 20)
        self.assertIs(OVERLONG, buffer.next_line())
        buffer.clear()
        buffer.feed(b"a\r\nb")
        self.assertEqual([b"a"], lines_of(buffer))
        buffer.clear()
        self.assertEqual(0, buffer.octets)
        buffer.feed(b"c\r\n")
        self.assertEqual([b"c"], lines_of(buffer))

    def test_wrong_limit(self) -> None:
        """A limit below one octet is a mistake of the caller."""
        self.assertRaises(ValueError, LineBuffer, 0)


class LookAheadTests(SynchronousTestCase):
    """Lines that are looked at before it is their turn."""

    def test_remove(self) -> None:
        """A line that was looked at can be taken out; the others stay in order."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"one\r\ntwo\nthree\r\nfo")
        self.assertEqual(b"one", buffer.look_ahead())
        self.assertEqual(b"two", buffer.look_ahead())
        buffer.remove_looked_at(b"two")
        self.assertEqual(b"three", buffer.look_ahead())
        self.assertIsNone(buffer.look_ahead())
        buffer.feed(b"ur\r\n")
        self.assertEqual(b"four", buffer.look_ahead())
        buffer.remove_looked_at(b"four")
        self.assertEqual([b"one", b"three"], lines_of(buffer))
        self.assertEqual(0, buffer.octets)

    @given(
        lines=st.lists(st.sampled_from([b"", b"a", b"bb", b"c\r"]), max_size=12),
        removed=st.sets(st.integers(0, 11)),
        first=st.integers(0, 4),
        end=st.sampled_from([b"\r\n", b"\n"]),
    )
    def test_any_lines(
        self, lines: list[bytes], removed: set[int], first: int, end: bytes
    ) -> None:
        """Whatever is taken out, what stays is the rest in its order."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"".join(line + end for line in lines))
        sent = [line.removesuffix(b"\r") if end == b"\n" else line for line in lines]
        taken = [buffer.next_line() for _ in range(min(first, len(sent)))]
        self.assertEqual(sent[: len(taken)], taken)
        buffer.look_from_start()
        kept = []
        for number, line in enumerate(sent[len(taken) :]):
            self.assertEqual(line, buffer.look_ahead())
            if number in removed:
                buffer.remove_looked_at(line)
            else:
                kept.append(line)
        self.assertEqual(kept, lines_of(buffer))

    def test_remove_what_began_earlier(self) -> None:
        """A line whose first octets were searched before leaves no trace when it is
        taken out."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"AB")
        self.assertIsNone(buffer.next_line())
        buffer.feed(b"OR\n\nfoo\n")
        self.assertEqual(b"ABOR", buffer.look_ahead())
        buffer.remove_looked_at(b"ABOR")
        self.assertEqual([b"", b"foo"], lines_of(buffer))

    def test_remove_behind_a_literal(self) -> None:
        """The CR at the end of a literal is not taken out with the line behind it."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"lit\r\nlonger\r\n")
        self.assertEqual(b"lit\r", buffer.take(4))
        self.assertEqual(b"", buffer.look_ahead())
        buffer.remove_looked_at(b"")
        self.assertEqual([b"longer"], lines_of(buffer))

    def test_from_start(self) -> None:
        """Each wait may look at the held lines anew."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"a\r\nb\r\n")
        buffer.look_ahead()
        buffer.look_ahead()
        self.assertIsNone(buffer.look_ahead())
        buffer.look_from_start()
        self.assertEqual(b"a", buffer.look_ahead())

    def test_overlong_ends_it(self) -> None:
        """Behind an overlong line nothing is looked at."""
        buffer = LineBuffer(LIMIT)
        buffer.feed(b"a\r\n" + b"x" * 20 + b"\r\nABOR\r\n")
        self.assertEqual(b"a", buffer.look_ahead())
        self.assertIsNone(buffer.look_ahead())
        self.assertEqual([b"a", OVERLONG, b"ABOR"], lines_of(buffer))


class CountingArray(bytearray):
    """Counts the octets that are searched, copied and moved."""

    work = 0

    def find(self, *args: Any) -> int:
        """Search, and count up to the place found."""
        found = super().find(*args)
        CountingArray.work += (found if found >= 0 else len(self)) - args[1] + 1
        return found

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, bytearray):
            CountingArray.work += len(found)
        return found

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        CountingArray.work += len(self)


class LinearTimeTests(SynchronousTestCase):
    """The work grows with the octets, not with their square."""

    def work(self, segment: bytes, times: int, bare_lf: bool, held: bool) -> int:
        """Octets touched for so many segments; ``held`` lines are only looked at."""
        self.patch(CountingArray, "work", 0)
        buffer = LineBuffer(4096, bare_lf)
        for _ in range(times):
            buffer.feed(segment)
            if type(buffer._data) is not CountingArray:
                buffer._data = CountingArray(buffer._data)
                CountingArray.work += len(buffer._data)
            if held:
                while buffer.look_ahead() is not None:
                    pass
            else:
                lines_of(buffer)
        return CountingArray.work

    def test_linear(self) -> None:
        """Four times the input costs about four times the work: 64 KiB of bare line
        ends, single octets, lines without end, CR upon CR, lines that are held."""
        for segment, times in (
            (b"\r\n" * 32768, 1),
            (b"\n" * 65536, 1),
            (b"x", 8000),
            (b"\r", 8000),
            (b"a\r\nb", 3000),
            (b"x" * 1000, 100),
        ):
            for bare_lf in (True, False):
                for held in (True, False):
                    work = self.work(segment, times, bare_lf, held)
                    size = len(segment) * times
                    self.assertLess(work, 9 * size + 1000, (segment[:8], held))

    def test_backlog(self) -> None:
        """A backlog that is worked off a line at a time is not moved each time."""
        self.patch(CountingArray, "work", 0)
        buffer = LineBuffer(64)
        buffer._data = CountingArray(b"12345678\r\n" * 6000)
        for _ in range(6000):
            self.assertEqual(b"12345678", buffer.next_line())
            buffer.feed(b"12345678\r\n")
        self.assertLess(CountingArray.work, 8 * 120_000)
