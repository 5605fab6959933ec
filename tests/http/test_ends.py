"""How bodies, responses and connections end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.problems import BodyLost, Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.talk import Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def path(request: Request) -> Answer:
    """Answers with the path, and reads nothing."""
    return text(request.path)


async def echo(request: Request) -> Response:
    """Answers with the content."""
    return Response(body=await request.body.whole(1_000_000))


def refuse(request: Request) -> Answer:
    """Wants no content."""
    raise Problem(413)


async def pieces(*found: bytes) -> AsyncIterator[bytes]:
    """Content in pieces."""
    for piece in found:
        yield piece


class LingeringTests(SynchronousTestCase):
    """An answer is not lost because its receiver still sends.  RFC 9112 9.6."""

    def test_early_answer(self) -> None:
        """Who still uploads hears the answer: our direction closes first, and what
        comes is thrown away until the peer closes or is silent."""
        talk = Talk(refuse)
        said = talk.send(PUT % 10_000_000 + b"x" * 1000)

        self.assertIn(b"413 Content Too Large", said)
        self.assertIn(b"Connection: close", said)
        self.assertTrue(talk.wire.half_closed)
        self.assertFalse(talk.wire.disconnecting)
        self.assertEqual(b"", talk.send(b"x" * 1000))
        talk.clock.pump([1] * 7)
        self.assertTrue(talk.wire.disconnecting)

    def test_endless_upload(self) -> None:
        """Nobody is heard for ever."""
        talk = Talk(refuse)
        talk.send(PUT % 10_000_000)
        for _ in range(45):
            talk.send(b"x")
            talk.clock.advance(1)

        self.assertTrue(talk.wire.disconnecting)

    def test_nothing_more_comes(self) -> None:
        """Where nothing more can come the connection is closed at once."""
        talk = Talk(path)
        talk.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        self.assertTrue(talk.wire.disconnecting)
        self.assertFalse(talk.wire.half_closed)

    def test_short_rest(self) -> None:
        """The short rest of a body that nobody wants is read over, and the connection
        goes on."""
        talk = Talk(path)
        talk.send(PUT % 1000 + b"x" * 10)

        self.assertIn(b"/a", talk.send(b"x" * 990 + GET))
        self.assertFalse(talk.is_closed)

    def test_chunked_that_has_come(self) -> None:
        """A chunked body that came with its head is known to be complete."""
        talk = Talk(path)

        self.assertEqual(
            2, talk.send(CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + GET).count(b"200 OK")
        )
        self.assertFalse(talk.is_closed)


class BrokenBodyTests(SynchronousTestCase):
    """Bodies that never become complete."""

    def test_bad_chunk(self) -> None:
        """A handler that reads learns that there is no whole body; the answer is
        400."""
        seen: list[Any] = []

        async def handler(request: Request) -> Response:
            try:
                return Response(body=await request.body.whole(100))
            except BodyLost as error:
                seen.append(error)
                raise

        talk = Talk(handler)
        talk.send(CHUNKED + b"1\r\nx\r\n")

        self.assertIn(b"400 Bad Request", talk.send(b"no\r\n" + GET))
        self.assertTrue(seen)
        self.assertTrue(talk.is_closed)

    def test_bad_chunk_while_answering(self) -> None:
        """Where the response has begun it is completed, and the connection ends."""
        waiting: Deferred[bytes] = Deferred()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"a"
            yield await waiting

        talk = Talk(lambda request: Response(body=slowly()))
        talk.send(PUT.replace(b"Content-Length: %d", b"Content-Length: 5"))
        talk.send(b"x" * 5)
        self.assertFalse(talk.is_closed)
        talk = Talk(lambda request: Response(body=slowly()))
        talk.send(CHUNKED)
        talk.send(b"no\r\n" + GET)
        waiting.callback(b"b")

        self.assertTrue(talk.is_closed)
        self.assertNotIn(b"/a", talk.said())

    def test_peer_goes(self) -> None:
        """The handler's coroutine is cancelled when the peer goes."""
        seen: list[str] = []

        async def handler(request: Request) -> Response:
            try:
                await request.body.read()
            except BodyLost:
                seen.append("lost")
                raise
            return Response()

        talk = Talk(handler)
        talk.send(PUT % 5)
        talk.connection.connectionLost(Failure(ConnectionLost()))

        self.assertEqual(["lost"], seen)

    def test_peer_goes_while_waiting(self) -> None:
        """So is a Deferred."""
        cancelled: list[object] = []
        talk = Talk(lambda request: Deferred(cancelled.append))
        talk.send(GET)
        talk.connection.connectionLost(Failure(ConnectionLost()))

        self.assertEqual(1, len(cancelled))

    def test_peer_ends_its_direction(self) -> None:
        """A peer that ends its direction in the middle of a body is told so."""
        talk = Talk(echo)
        talk.send(PUT % 5)
        talk.connection.readConnectionLost()

        self.assertIn(b"400 Bad Request", talk.said())
        self.assertTrue(talk.is_closed)

    def test_half_closed(self) -> None:
        """One that ends its direction behind a request gets its response."""
        waiting: Deferred[Response] = Deferred()
        talk = Talk(lambda request: waiting)
        talk.send(GET)
        talk.connection.readConnectionLost()
        self.assertFalse(talk.is_closed)
        waiting.callback(text("here"))

        self.assertIn(b"here", talk.said())
        self.assertTrue(talk.is_closed)

    def test_half_closed_for_long(self) -> None:
        """It may as well have gone, so that it is not waited for long."""
        cancelled: list[object] = []
        talk = Talk(lambda request: Deferred(cancelled.append))
        talk.send(GET)
        talk.connection.readConnectionLost()
        talk.clock.pump([1] * 15)

        self.assertTrue(talk.wire.aborted)

    def test_half_closed_and_silence(self) -> None:
        """Nor is a response of which nothing more comes; one that comes steadily is
        sent to its end."""
        more: list[Deferred[bytes]] = []

        async def slowly() -> AsyncIterator[bytes]:
            yield b"a"
            while True:
                more.append(Deferred())
                yield await more[-1]

        talk = Talk(lambda request: Response(body=slowly()))
        talk.send(GET)
        talk.connection.readConnectionLost()
        for _ in range(60):
            talk.clock.advance(1)
            more[-1].callback(b"x")
        self.assertFalse(talk.wire.aborted)
        talk.clock.pump([1] * 25)

        self.assertTrue(talk.wire.aborted)


class ResponseTests(SynchronousTestCase):
    """Responses of all kinds, and such as cannot be sent."""

    def test_iterated(self) -> None:
        """Content of unknown length is chunked."""
        talk = Talk(lambda request: Response(body=pieces(b"ab", b"", b"c")))

        self.assertEqual(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            talk.send(GET),
        )
        self.assertFalse(talk.is_closed)

    def test_iterated_for_old_clients(self) -> None:
        """In HTTP/1.0 the end of the connection is the end of the content.  RFC 9112
        6.3."""
        talk = Talk(lambda request: Response(body=pieces(b"ab", b"c")))

        self.assertEqual(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc",
            talk.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        )
        self.assertTrue(talk.is_closed)

    def test_trailers(self) -> None:
        """Trailers go to those who take them.  RFC 9110 6.5.1."""

        def handler(request: Request) -> Answer:
            return Response(body=pieces(b"a"), trailers=lambda: [("Digest", "x")])

        asking = GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\n\r\n")
        self.assertTrue(Talk(handler).send(asking).endswith(b"0\r\nDigest: x\r\n\r\n"))
        self.assertTrue(Talk(handler).send(GET).endswith(b"a\r\n0\r\n\r\n"))

    def test_wrong_length(self) -> None:
        """Content that is longer or shorter than was said never spoils the next
        response: the connection breaks."""
        for found in ((b"ab", b"cdef"), (b"a",)):
            talk = Talk(lambda r, found=found: Response(body=pieces(*found), length=4))
            said = talk.send(GET + GET)

            self.assertTrue(talk.wire.aborted)
            self.assertEqual(1, said.count(b"HTTP/1.1"))
            self.assertNotIn(b"cdef", said)
            self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_length_of_octets(self) -> None:
        """Octets have the length that they have, whatever is said of it."""
        talk = Talk(lambda request: Response(body=b"abc", length=1))

        self.assertIn(b"Content-Length: 3\r\n", talk.send(GET))

    def test_head(self) -> None:
        """HEAD brings the fields of GET and no content.  RFC 9110 9.3.2."""
        asking = GET.replace(b"GET", b"HEAD")
        talk = Talk(lambda request: Response(body=b"abc"))
        self.assertTrue(talk.send(asking).endswith(b"Content-Length: 3\r\n\r\n"))
        talk = Talk(lambda request: Response(length=77))
        self.assertTrue(talk.send(asking).endswith(b"Content-Length: 77\r\n\r\n"))

    def test_no_content(self) -> None:
        """204 and 304 have no content, and 204 no length.  RFC 9110 8.6, RFC 9112
        6.1."""
        for status in (204, 304):
            for body in (b"abc", pieces(b"abc")):
                talk = Talk(lambda r, s=status, b=body: Response(s, body=b))
                said = talk.send(GET)

                self.assertTrue(said.startswith(b"HTTP/1.1 %d " % status))
                self.assertTrue(said.endswith(b"\r\n\r\n"))
                self.assertNotIn(b"Content-Length", said)
                self.assertNotIn(b"Transfer-Encoding", said)
                self.assertFalse(talk.is_closed)

    def test_reset_content(self) -> None:
        """205 says that there is no content.  RFC 9110 15.3.6."""
        talk = Talk(lambda request: Response(205, body=b"abc"))

        self.assertTrue(talk.send(GET).endswith(b"Content-Length: 0\r\n\r\n"))

    def test_fields_of_the_connection(self) -> None:
        """What handlers say of framing and connection is not sent."""
        fields = [
            ("Content-Length", "7"),
            ("transfer-encoding", "chunked"),
            ("Connection", "x"),
            ("Date", "now"),
        ]
        talk = Talk(lambda request: Response(200, fields, b"abc"))

        self.assertEqual(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", talk.send(GET)
        )

    def test_injection(self) -> None:
        """Line ends in fields never leave; nor does what is no response."""
        for fields in (
            [("Location", "/a\r\nSet-Cookie: x=y")],
            [("Location", "/a\n")],
            [("Lo cation", "/a")],
            [("Location", "/\u20ac")],
        ):
            talk = Talk(lambda request, f=fields: Response(303, f))
            said = talk.send(GET)

            self.assertTrue(said.startswith(b"HTTP/1.1 500 "), said)
            self.assertNotIn(b"Set-Cookie", said)
            self.assertTrue(self.flushLoggedErrors(ValueError))
        for answer in (None, Response(101)):
            talk = Talk(lambda request, a=answer: _later(a))  # type: ignore[arg-type]
            self.assertTrue(talk.send(GET).startswith(b"HTTP/1.1 500 "))
            self.assertTrue(self.flushLoggedErrors(ValueError))

    def test_failing_handler(self) -> None:
        """A handler that fails is answered for with 500; the reason stays here."""

        def handler(request: Request) -> Answer:
            raise ZeroDivisionError("secret")

        said = Talk(handler).send(GET)

        self.assertTrue(said.startswith(b"HTTP/1.1 500 "))
        self.assertNotIn(b"secret", said)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_failing_content(self) -> None:
        """Content that fails before there is any is answered for with 500; later, the
        connection breaks."""

        async def fails(*before: bytes) -> AsyncIterator[bytes]:
            for piece in before:
                yield piece
            raise ZeroDivisionError

        talk = Talk(lambda request: Response(body=fails()))
        self.assertTrue(talk.send(GET).startswith(b"HTTP/1.1 500 "))
        self.assertFalse(talk.wire.aborted)
        talk = Talk(lambda request: Response(body=fails(b"a")))
        self.assertTrue(talk.send(GET).endswith(b"\r\n\r\n1\r\na\r\n"))
        self.assertTrue(talk.wire.aborted)
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_streaming_echo(self) -> None:
        """A response may be made of the request as it comes in."""
        talk = Talk(lambda request: Response(body=request.body.__aiter__()))
        self.assertIn(b"Transfer-Encoding: chunked", talk.send(PUT % 3))

        self.assertEqual(b"1\r\na\r\n", talk.send(b"a"))
        self.assertEqual(b"2\r\nbc\r\n0\r\n\r\n", talk.send(b"bc"))
        self.assertFalse(talk.is_closed)


async def _later(answer: Any) -> Any:
    return answer
