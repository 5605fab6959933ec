"""Tests for ``netservices.core.trace``."""

from __future__ import annotations

from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from netservices.core.trace import Trace, printable, trace_to_log, traced


class TraceTests(TestCase):
    """Lines for people."""

    def test_printable(self) -> None:
        """Text stays text; control characters and broken octets cannot reach a
        terminal."""
        self.assertEqual("MKD \u00e9t\u00e9", printable("MKD \u00e9t\u00e9".encode()))
        self.assertEqual(r"a\x1b[2Jb\x00", printable(b"a\x1b[2Jb\0"))
        self.assertEqual(r"\xff\xfe", printable(b"\xff\xfe"))
        self.assertEqual(r"a\x0ab", printable(b"a\nb"))

    def test_to_log(self) -> None:
        """A line of the log names the session and who spoke; braces in it are only
        braces."""
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        trace_to_log("s1", "C", b"CWD {x}")
        self.assertEqual(["s1 C: CWD {x}"], [formatEvent(e) for e in observer])

    def test_datagrams(self) -> None:
        """A datagram and its answer are a line each, silence too; without a trace
        nothing comes between."""
        seen: list[tuple[str, str, bytes]] = []
        show: Trace = lambda *line: seen.append(line)  # noqa: E731

        def upper(data: bytes, address: object, local: object) -> bytes | None:
            return data.upper() or None

        answer = traced(upper, show)
        self.assertEqual(b"A", answer(b"a", ("127.0.0.1", 5000), None))
        self.assertIsNone(answer(b"", ("127.0.0.1", 5000), None))
        way = "127.0.0.1 udp"
        expected = [
            (way, "C", b"a"),
            (way, "S", b"A"),
            (way, "C", b""),
            (way, "S", b"<silence>"),
        ]
        self.assertEqual(expected, seen)
        self.assertIs(upper, traced(upper, None))
