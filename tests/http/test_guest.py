"""What guests have in common: fields, paths, room for what waits."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun, value_of
from netservices.core.threads import Workers
from netservices.http.handlers.flow import Flow
from netservices.http.handlers.guest import (
    IN_MEMORY_OCTETS,
    Bounds,
    GuestFault,
    Room,
    response_from,
    waiting,
)
from netservices.web.body import Body
from netservices.web.problems import BodyLost, Problem

WORKERS = Workers(None, "files", 1, 1)


class FieldTests(SynchronousTestCase):
    """``response_from``."""

    def test_fields(self) -> None:
        """Fields pass, but for those of the connection."""
        response = response_from(
            299,
            [
                ("X-One", " 1 "),
                ("connection", "close"),
                ("Transfer-Encoding", "chunked"),
                ("Upgrade", "h2c"),
                ("Keep-Alive", "x"),
                ("Content-Length", "5"),
                ("Set-Cookie", "a=\xe9"),
            ],
        )
        self.assertEqual([("X-One", "1"), ("Set-Cookie", "a=\xe9")], response.fields)
        self.assertEqual((299, 5), (response.status, response.length))
        self.assertTrue(response.must_close)

    def test_refused(self) -> None:
        """Nothing that could be taken for another line, status or length."""
        for status, pairs in (
            (99, []),
            (101, []),
            (1000, []),
            (200, [("X", "a\r\nY: b")]),
            (200, [("X", "a\nY: b")]),
            (200, [("X", "a\rb")]),
            (200, [("X", "a\0b")]),
            (200, [("X", "\u20ac")]),
            (200, [("X:", "a")]),
            (200, [("X Y", "a")]),
            (200, [("", "a")]),
            (200, [("X\r\nY", "a")]),
            (200, [("Content-Length", "1"), ("Content-Length", "2")]),
            (200, [("Content-Length", "-1")]),
            (200, [("Content-Length", "1, 1")]),
            (200, [("Content-Length", "\xb2")]),
        ):
            self.assertRaises(GuestFault, response_from, status, pairs)


class WaitingTests(SynchronousTestCase):
    """``waiting``: content in memory and in files."""

    def setUp(self) -> None:
        self.room = Room(2_000_000)
        self.bounds = Bounds(1_500_000, 1.0, self.room)

    def wait(self, *pieces: bytes, length: int | None = None) -> Any:
        """The file with content that has come."""
        body = Body(length)
        for piece in pieces:
            body.feed(piece)
        body.finish()
        return value_of(begun(waiting(body, self.bounds, WORKERS)))

    def test_short(self) -> None:
        """Short content takes no room on the disk."""
        file = self.wait(b"one ", b"two")
        self.assertEqual(b"one two", file.read())
        self.assertEqual(0, self.room.taken_octets)

    def test_long(self) -> None:
        """Long content does, until the file is gone."""
        pieces = [bytes([number]) * 100_000 for number in range(10)]
        file = self.wait(*pieces)
        self.assertEqual(b"".join(pieces), file.read())
        self.assertEqual(1_000_000, self.room.taken_octets)
        file.close()
        self.assertEqual(0, self.room.taken_octets)

    def test_no_room(self) -> None:
        """Without room there is 503, and nothing stays taken."""
        first = self.wait(bytes(1_400_000))
        problem = self.assertRaises(Problem, self.wait, *([bytes(100_000)] * 10))
        self.assertEqual(503, problem.status)
        first.close()
        self.assertEqual(0, self.room.taken_octets)
        self.wait(bytes(1_400_000)).close()

    def test_too_long(self) -> None:
        """413, said before or found out."""
        for pieces, length in (([], 1_500_001), ([bytes(1_000_000)] * 2, None)):
            problem = self.assertRaises(Problem, self.wait, *pieces, length=length)
            self.assertEqual(413, problem.status)
        self.assertEqual(0, self.room.taken_octets)

    def test_lost(self) -> None:
        """Content that breaks off takes no room."""
        body = Body(1_000_000)
        body.feed(bytes(IN_MEMORY_OCTETS + 1))
        found: Deferred[Any] = begun(waiting(body, self.bounds, WORKERS))
        self.assertNoResult(found)
        body.fail()
        self.failureResultOf(found, BodyLost)
        self.assertEqual(0, self.room.taken_octets)


class FlowTests(SynchronousTestCase):
    """``Flow``."""

    def setUp(self) -> None:
        self.noted: list[Any] = []
        self.flow = Flow(self.noted.append, lambda: self.noted.append("gone"))

    def next(self) -> Deferred[bytes]:
        """What comes next."""
        return begun(self.flow.__anext__())

    def test_order(self) -> None:
        """Octets come in their order, together where they waited."""
        waiting = self.next()
        self.flow.push(b"a")
        self.assertEqual(b"a", self.successResultOf(waiting))
        self.flow.push(b"b")
        self.flow.push(b"c")
        self.flow.finish()
        self.assertEqual(b"bc", self.successResultOf(self.next()))
        self.failureResultOf(self.next(), StopAsyncIteration)
        self.flow.close()
        self.assertEqual([1, 2], self.noted)

    def test_failure(self) -> None:
        """What was pushed before a failure comes, then the failure."""
        self.flow.push(b"a")
        self.flow.fail(GuestFault("x"))
        self.assertEqual(b"a", self.successResultOf(self.next()))
        self.failureResultOf(self.next(), GuestFault)

    def test_closed(self) -> None:
        """Whoever pushes is told once that nobody takes any more."""
        self.flow.push(b"a")
        self.flow.close()
        self.flow.close()
        self.flow.push(b"b")
        self.assertEqual(["gone"], self.noted)
        self.failureResultOf(self.next(), StopAsyncIteration)
