"""Input that was made to do harm: too long, too slow, in too many pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.talk import Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def path(request: Request) -> Answer:
    """Answers with the path."""
    return text(request.path)


async def count(request: Request) -> Response:
    """Answers with the number of octets."""
    octets = 0
    async for piece in request.body:
        octets += len(piece)
    return text(str(octets))


class SizeTests(SynchronousTestCase):
    """Everything has a bound, and the status that says so."""

    def refused(self, status: bytes, data: bytes, piece: int = 65536) -> Talk:
        """``data``, in pieces, gets this status, early."""
        talk = Talk(path)
        said = b""
        kept = 0
        for at in range(0, len(data), piece):
            said += talk.send(data[at : at + piece])
            kept = max(kept, len(talk.connection._buffer))
        self.assertTrue(said.startswith(b"HTTP/1.1 " + status), said[:80])
        self.assertEqual(1, said.count(b"HTTP/1.1"))
        self.assertTrue(talk.is_closed)
        self.assertLess(kept, 200_000)
        return talk

    def test_long_request_line(self) -> None:
        """414 for 10 MB of target, also where no line end comes."""
        self.refused(b"414", b"GET /" + b"a" * 10_000_000)
        self.refused(b"414", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")

    def test_long_method(self) -> None:
        """Nor is there a longest method."""
        self.refused(b"414", b"A" * 10_000_000)

    def test_long_head(self) -> None:
        """431 for 10 MB of head, in one field or in many."""
        begin = b"GET / HTTP/1.1\r\nHost: h\r\n"
        self.refused(b"431", begin + b"X: " + b"a" * 10_000_000)
        self.refused(b"431", begin + b"X: aaaaaaaaaaaaaaaa\r\n" * 500_000)

    def test_many_fields(self) -> None:
        """431 for 100,000 fields, and for a few more than there may be."""
        begin = b"GET / HTTP/1.1\r\nHost: h\r\n"
        self.refused(b"431", begin + b"a:\r\n" * 100_000 + b"\r\n")
        self.refused(b"431", begin + b"a:\r\n" * 128 + b"\r\n")

    def test_octet_by_octet(self) -> None:
        """A long head costs no more than it is long, however it comes."""
        begin = b"GET / HTTP/1.1\r\nHost: h\r\n"
        self.refused(b"431", begin + b"X: " + b"a" * 40_000, piece=1)

    def test_empty_lines(self) -> None:
        """Any number of empty lines before a request costs nothing."""
        talk = Talk(path)
        for _ in range(1000):
            self.assertEqual(b"", talk.send(b"\r\n" * 100))
        self.assertEqual(b"", talk.connection._buffer)

        self.assertIn(b"200 OK", talk.send(b"\r\n\r\n" + GET))

    def test_other_protocols(self) -> None:
        """Octets of other protocols are 400 at once, not after a deadline."""
        for junk in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
            b"EHLO mail.example\r\n",
            b"SSH-2.0-OpenSSH_9.2\n",
            b"\0" * 100,
            b"*1\r\n$4\r\nPING\r\n\r\n",
        ):
            talk = Talk(path)
            said = talk.send(junk)
            if junk.startswith(b"EHLO"):
                said += talk.send(b"\r\n")

            self.assertTrue(said.startswith(b"HTTP/1.1 400 "), (junk, said))

    def test_endless_extensions(self) -> None:
        """Chunks that carry little but extensions end with 400."""
        talk = Talk(count)
        talk.send(CHUNKED)
        said = b""
        for _ in range(100):
            said += talk.send((b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 4)

        self.assertTrue(said.startswith(b"HTTP/1.1 400 "), said)

    def test_long_chunk_line(self) -> None:
        """So does a size line without end."""
        talk = Talk(count)
        talk.send(CHUNKED)

        self.assertIn(b"400 Bad Request", talk.send(b"0" * 5000))

    def test_long_trailers(self) -> None:
        """And so do trailers without end."""
        talk = Talk(count)
        talk.send(CHUNKED)

        self.assertIn(b"400 Bad Request", talk.send(b"0\r\n" + b"A: b\r\n" * 10_000))

    def test_tiny_chunks(self) -> None:
        """Content in chunks of one octet that nobody reads is kept as octets, not as
        pieces."""
        talk = Talk(lambda request: Deferred())
        talk.send(CHUNKED)
        for _ in range(100):
            if talk.wire.producerState != "paused":
                talk.send(b"1\r\nx\r\n" * 1000)
        body = talk.connection._body
        assert body is not None

        self.assertLess(len(body._pieces), 100)


class SplitTests(SynchronousTestCase):
    """Pieces of any size."""

    def test_octet_by_octet(self) -> None:
        """Requests of all kinds may come octet by octet, and in pairs of pieces."""
        data = (
            GET
            + b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            + CHUNKED
            + b"1;x=y\r\nz\r\n0\r\nA: b\r\n\r\n"
            + b"\r\nHEAD /c HTTP/1.1\r\nHost: h\r\n\r\n"
            + b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        whole = Talk(count).send(data)
        self.assertEqual(5, whole.count(b"200 OK"))
        talk = Talk(count)
        said = b"".join(talk.send(bytes([octet])) for octet in data)

        self.assertEqual(whole, said)

    def test_pipeline(self) -> None:
        """Ten thousand requests at once, and in odd pieces, get ten thousand answers
        in their order."""
        data = b"".join(
            b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(10_000)
        )
        talk = Talk(path)
        said: list[bytes] = []
        for at in range(0, len(data), 1447):
            said.append(talk.send(data[at : at + 1447]))
            talk.wire.clear()
            talk.clock.advance(0)
            said.append(talk.said())
        answers = b"".join(said).split(b"HTTP/1.1 ")[1:]

        self.assertEqual(10_000, len(answers))
        for number, answer in enumerate(answers):
            self.assertTrue(answer.endswith(b"/%d" % number))

    def test_pipeline_behind_a_body(self) -> None:
        """Requests behind one whose content nobody reads wait, in bounded memory."""
        talk = Talk(lambda request: Deferred())
        talk.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde")
        while talk.wire.producerState != "paused":
            talk.send(GET * 100)

        self.assertLess(len(talk.connection._buffer), 100_000)


class DisconnectTests(SynchronousTestCase):
    """The peer goes, in whatever state."""

    def lost(self, handler: Any, *pieces: bytes) -> Talk:
        """A connection that breaks after these pieces."""
        talk = Talk(handler)
        for piece in pieces:
            talk.send(piece)
        talk.connection.connectionLost(Failure(ConnectionLost()))
        talk.wire.clear()
        talk.clock.pump([10] * 30)
        self.assertEqual(b"", talk.said())
        self.assertEqual({}, talk.shared.connections)
        self.assertEqual(0, len(talk.shared.wheel))
        self.assertEqual([], self.flushLoggedErrors())
        return talk

    def test_every_state(self) -> None:
        """Nothing remains, and nothing is logged, wherever a connection breaks."""
        request = CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"
        for at in range(len(request) + 1):
            for handler in (count, path, lambda request: Deferred()):
                self.lost(handler, request[:at])

    def test_while_sending(self) -> None:
        """Content that is being made is told of the end."""
        ended: list[str] = []

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x"
                    await Deferred()
            finally:
                ended.append("ended")

        self.lost(lambda request: Response(body=endless()), GET)

        self.assertEqual(["ended"], ended)

    def test_while_the_peer_does_not_read(self) -> None:
        """So is content that waits for room."""
        ended: list[str] = []

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    talk.connection.pauseProducing()
                    yield b"x"
            finally:
                ended.append("ended")

        talk = Talk(lambda request: Response(body=endless()))
        talk.send(GET)
        talk.connection.connectionLost(Failure(ConnectionLost()))

        self.assertEqual(["ended"], ended)
        self.assertEqual([], self.flushLoggedErrors())

    def test_content_that_was_never_begun(self) -> None:
        """Content that is not sent is closed."""
        closed: list[str] = []

        class Content:
            """Iterated content with a file, say."""

            def __aiter__(self) -> AsyncIterator[bytes]:
                raise AssertionError

            async def aclose(self) -> None:
                """Part of what iterated content may have."""
                closed.append("closed")

        content: Any = Content()
        talk = Talk(lambda request: Response(body=content))
        talk.send(GET.replace(b"GET", b"HEAD"))

        self.assertEqual(["closed"], closed)
