"""What is said on an HTTP/1 connection."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.talk import Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 2\r\n\r\n/a"
)


def path(request: Request) -> Answer:
    """Answers with the path."""
    return text(request.path)


async def echo(request: Request) -> Response:
    """Answers with the content."""
    return Response(body=await request.body.whole(1_000_000))


class ConnectionTests(SynchronousTestCase):
    """Requests and responses in their order."""

    def test_get(self) -> None:
        """A request is answered, and the connection stays open."""
        talk = Talk(path)

        self.assertEqual(OK, talk.send(GET))
        self.assertEqual(OK, talk.send(GET))
        self.assertFalse(talk.is_closed)

    def test_pipeline(self) -> None:
        """Requests that come together are answered in their order.  RFC 9112 9.3.2."""
        talk = Talk(path)

        self.assertEqual(
            OK + OK.replace(b"/a", b"/b") + OK,
            talk.send(GET + GET.replace(b"/a", b"/b") + GET),
        )

    def test_every_split(self) -> None:
        """Octets may come in any pieces."""
        request = (
            b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n" + GET
        )
        whole = Talk(echo).send(request)
        for split in range(1, len(request)):
            talk = Talk(echo)
            first = talk.send(request[:split])

            self.assertEqual(whole, first + talk.send(request[split:]))

    def test_waiting(self) -> None:
        """A response that comes later keeps its place."""
        waiting: list[Deferred[Response]] = []

        def handler(request: Request) -> Answer:
            if request.path == "/a":
                waiting.append(Deferred())
                return waiting[0]
            return path(request)

        talk = Talk(handler)

        self.assertEqual(b"", talk.send(GET + GET.replace(b"/a", b"/b")))
        waiting[0].callback(text("/a"))
        self.assertEqual(OK + OK.replace(b"/a", b"/b"), talk.said())

    def test_continue(self) -> None:
        """Who reads the body says 100; who refuses it does not, and closes."""
        head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
        expecting = head + b"Expect: 100-continue\r\n\r\n"
        talk = Talk(echo)
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", talk.send(expecting))
        self.assertTrue(talk.send(b"ab").endswith(b"\r\n\r\nab"))

        def refuse(request: Request) -> Answer:
            raise Problem(413)

        talk = Talk(refuse)
        self.assertIn(b"413 Content Too Large\r\n", talk.send(expecting))
        self.assertTrue(talk.is_closed)

    def test_close(self) -> None:
        """``Connection: close`` ends the connection; so does HTTP/1.0 by itself."""
        talk = Talk(path)
        asked = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        self.assertIn(b"Connection: close\r\n", talk.send(asked))
        self.assertTrue(talk.is_closed)

        talk = Talk(path)
        talk.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(talk.is_closed)

    def test_smuggling(self) -> None:
        """Content-Length beside Transfer-Encoding is refused, and all that follows."""
        talk = Talk(path)
        said = talk.send(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
        )

        self.assertTrue(said.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertEqual(1, said.count(b"HTTP/1.1"))
        self.assertTrue(talk.is_closed)

    def test_head_deadline(self) -> None:
        """A head that takes too long gets 408."""
        talk = Talk(path, head_deadline=30)
        talk.send(GET[:-4])
        talk.clock.pump([1] * 32)

        self.assertIn(b"408 Request Timeout", talk.said())

    def test_head_that_is_refused(self) -> None:
        """The answer to HEAD has no content, whatever is wrong with the request."""
        for raw in (
            b"HEAD / HTTP/1.1\r\n\r\n",
            b"HEAD / HTTP/2.0\r\nHost: h\r\n\r\n",
            b"HEAD /" + b"a" * 9000,
            b"HEAD / HTTP/1.1\r\nHost: h\r\na\n",
            b"HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        ):
            said = Talk(path).send(raw)
            self.assertRegex(said[:12], b"HTTP/1.1 [45]", raw)
            self.assertTrue(said.endswith(b"\r\n\r\n"), said)

        said = Talk(path).send(
            b"GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        self.assertFalse(said.endswith(b"\r\n\r\n"))
