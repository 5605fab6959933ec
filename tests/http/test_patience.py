"""Deadlines of connections, and room on them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.talk import Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


def path(request: Request) -> Answer:
    """Answers with the path."""
    return text(request.path)


async def echo(request: Request) -> Response:
    """Answers with the content."""
    return Response(body=await request.body.whole(1_000_000))


async def count(request: Request) -> Response:
    """Answers with the number of octets."""
    octets = 0
    async for piece in request.body:
        octets += len(piece)
    return text(str(octets))


class DeadlineTests(SynchronousTestCase):
    """How long peers may take."""

    def test_silent_peer(self) -> None:
        """A peer that never says anything is disconnected without a word."""
        talk = Talk(path, head_deadline=30)
        talk.clock.pump([1] * 32)

        self.assertEqual(b"", talk.said())
        self.assertTrue(talk.wire.disconnecting)

    def test_idle_peer(self) -> None:
        """So is one that has nothing more to ask for."""
        talk = Talk(path, keep_alive=75)
        talk.send(GET)
        talk.clock.pump([1] * 74)
        self.assertFalse(talk.is_closed)
        talk.clock.pump([1] * 3)

        self.assertTrue(talk.wire.disconnecting)

    def test_octet_by_octet(self) -> None:
        """The deadline of a head is for the whole of it: octets do not move it."""
        talk = Talk(path, head_deadline=30, keep_alive=75)
        talk.send(GET)
        said = b""
        for octet in b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
            said += talk.send(bytes([octet]))
            talk.clock.advance(1)
            said += talk.said()

        self.assertIn(b"408 Request Timeout", said)
        self.assertTrue(talk.is_closed)

    def test_slow_body(self) -> None:
        """A body must come at the minimum rate, averaged over a window."""
        talk = Talk(echo, stall_timeout=60, minimum_rate=64)
        talk.send(PUT % 900_000)
        for _ in range(125):
            if not talk.is_closed:
                talk.send(b"x" * 10)
            talk.clock.advance(1)

        self.assertIn(b"408 Request Timeout", talk.said())
        self.assertTrue(talk.is_closed)

    def test_steady_body(self) -> None:
        """One that comes steadily may take long."""
        talk = Talk(count, stall_timeout=60, minimum_rate=64)
        talk.send(PUT % 100_000)
        for _ in range(1000):
            talk.clock.advance(1)
            talk.send(b"x" * 100)

        self.assertTrue(talk.said().endswith(b"100000"))

    def test_longest_body(self) -> None:
        """But not for ever."""
        talk = Talk(count, stall_timeout=60, body_deadline=600)
        talk.send(PUT % 100_000_000)
        for _ in range(700):
            talk.clock.advance(1)
            if not talk.is_closed:
                talk.send(b"x" * 1000)

        self.assertIn(b"408 Request Timeout", talk.said())

    def test_busy_handler(self) -> None:
        """Time in which the peer waits for us is not charged."""
        waiting: Deferred[Response] = Deferred()
        talk = Talk(lambda request: waiting, stall_timeout=60)
        talk.send(GET)
        talk.clock.pump([10] * 100)
        self.assertFalse(talk.is_closed)
        waiting.callback(text("late"))

        self.assertIn(b"late", talk.said())

    def test_handler_that_does_not_read(self) -> None:
        """Nor is the time in which a handler makes the peer's body wait."""
        waiting: Deferred[Response] = Deferred()
        talk = Talk(lambda request: waiting, stall_timeout=60)
        talk.send(PUT % 900_000)
        for _ in range(10):
            talk.send(b"x" * 65536)
        self.assertEqual("paused", talk.wire.producerState)
        talk.clock.pump([10] * 100)

        self.assertFalse(talk.is_closed)

    def test_peer_that_does_not_read(self) -> None:
        """A peer that takes nothing of what is written is cut off."""
        talk = Talk(path, stall_timeout=60)
        talk.send(GET)
        talk.connection.pauseProducing()
        talk.clock.pump([10] * 20)

        self.assertTrue(talk.wire.aborted)

    def test_peer_that_reads_slowly(self) -> None:
        """One that takes some now and then is not."""
        talk = Talk(path, stall_timeout=60)
        talk.send(GET)
        for _ in range(20):
            talk.connection.pauseProducing()
            talk.clock.pump([10] * 5)
            talk.connection.resumeProducing()

        self.assertFalse(talk.is_closed)

    def test_peer_that_does_not_close(self) -> None:
        """A peer that does not let go after the last response is cut off."""
        talk = Talk(path)
        talk.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(talk.wire.disconnecting)
        talk.clock.pump([1] * 7)

        self.assertTrue(talk.wire.aborted)


class RoomTests(SynchronousTestCase):
    """Nothing is read for which there is no room."""

    def test_unread_requests(self) -> None:
        """While the peer does not take its responses, no request is begun, and little
        is read."""
        talk = Talk(path)
        talk.connection.pauseProducing()
        self.assertEqual("paused", talk.wire.producerState)
        self.assertEqual(b"", talk.send(GET * 3))
        talk.connection.resumeProducing()

        self.assertEqual(3, talk.said().count(b"200 OK"))
        self.assertEqual("producing", talk.wire.producerState)

    def test_requests_ahead(self) -> None:
        """Requests that come while one is answered wait, but not in any number."""
        waiting: list[Deferred[Response]] = []

        def handler(request: Request) -> Answer:
            waiting.append(Deferred())
            return waiting[-1]

        talk = Talk(handler, longest_head=1000)
        talk.send(GET * 30)
        self.assertEqual(("producing", 1), (talk.wire.producerState, len(waiting)))
        talk.send(GET * 10)
        self.assertEqual(("paused", 1), (talk.wire.producerState, len(waiting)))
        for number in range(40):
            waiting[number].callback(text("x"))

        self.assertEqual(40, talk.said().count(b"200 OK"))
        self.assertEqual("producing", talk.wire.producerState)

    def test_content_is_pulled(self) -> None:
        """A body is read as fast as its handler reads it."""
        talk = Talk(lambda request: Deferred())
        talk.send(PUT % 10_000_000)
        sent = 0
        while talk.wire.producerState != "paused":
            talk.send(b"x" * 65536)
            sent += 65536

        self.assertLess(sent, 1_000_000)

    def test_response_waits(self) -> None:
        """A response is made as fast as its peer reads it."""
        made: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            for number in range(10):
                made.append(number)
                yield b"x"

        talk = Talk(lambda request: Response(body=endless()))
        talk.connection.pauseProducing()
        talk.connection._is_full = False
        talk.connection._is_paused = False
        talk.wire.write = _full_after(talk, 2)  # type: ignore[method-assign]
        talk.send(GET)
        self.assertEqual([0, 1], made)
        talk.connection.resumeProducing()

        self.assertEqual(list(range(10)), made)

    def test_long_pipeline(self) -> None:
        """Ten thousand requests at once are answered, others having their turn in
        between."""
        talk = Talk(path, requests_per_connection=20_000)
        talk.send(GET * 10_000)
        said = talk.said().count(b"200 OK")
        self.assertLess(said, 10_000)
        for _ in range(100):
            talk.clock.advance(0)

        self.assertEqual(10_000, talk.said().count(b"200 OK"))

    def test_requests_of_a_connection(self) -> None:
        """After so many requests a connection ends, and says so before."""
        talk = Talk(path, requests_per_connection=2)
        said = talk.send(GET * 3)

        self.assertEqual(2, said.count(b"200 OK"))
        self.assertEqual(1, said.count(b"Connection: close"))
        self.assertTrue(talk.is_closed)

    def test_drain(self) -> None:
        """A server that stops finishes what runs; idle connections end at once."""
        talk = Talk(path)
        talk.connection.drain()
        self.assertTrue(talk.wire.disconnecting)

        waiting: Deferred[Response] = Deferred()
        talk = Talk(lambda request: waiting)
        talk.send(GET + GET)
        talk.connection.drain()
        self.assertFalse(talk.is_closed)
        waiting.callback(text("x"))

        self.assertEqual(1, talk.said().count(b"200 OK"))
        self.assertIn(b"Connection: close", talk.said())
        self.assertTrue(talk.is_closed)


def _full_after(talk: Talk, writes: int) -> object:
    """A ``write`` that is full after so many calls."""
    write = talk.wire.write
    calls: list[bytes] = []

    def counting(data: bytes) -> None:
        write(data)
        calls.append(data)
        if len(calls) == writes:
            talk.connection.pauseProducing()

    return counting
