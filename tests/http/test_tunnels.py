"""Connections that leave HTTP."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.request import Request
from netservices.web.response import Answer, Response
from tests.http.talk import Talk

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket, echo\r\n\r\n"
)


class Echo(Protocol):
    """Says what it hears, in capitals."""

    def __init__(self, transport: Any, rest: bytes) -> None:
        self.transport = transport
        self.lost = False
        if rest:
            self.dataReceived(rest)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost = True


class TunnelTests(SynchronousTestCase):
    """101, 2xx to CONNECT, and what is none of them.  RFC 9110 7.8, 9.3.6."""

    def setUp(self) -> None:
        self.echoes: list[Echo] = []
        self.response = Response(101, [("Upgrade", "echo")], tunnel=self.tunnel)

    def tunnel(self, transport: Any, rest: bytes) -> Echo:
        """Speaks on the connection from now on."""
        self.echoes.append(Echo(transport, rest))
        return self.echoes[-1]

    def handler(self, request: Request) -> Answer:
        """Switches."""
        return self.response

    def test_upgrade(self) -> None:
        """After 101, which names the protocol, all that comes is the tunnel's."""
        talk = Talk(self.handler)

        self.assertEqual(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
            b"Connection: upgrade\r\n\r\nABC",
            talk.send(ASK + b"abc"),
        )
        self.assertEqual(
            b"GET / HTTP/1.1\r\n\r\n", talk.send(b"get / http/1.1\r\n\r\n")
        )
        talk.clock.pump([60] * 100)
        self.assertFalse(talk.is_closed)
        talk.connection.connectionLost(Failure(ConnectionLost()))
        self.assertTrue(self.echoes[0].lost)

    def test_connect(self) -> None:
        """2xx to CONNECT has neither length nor coding."""
        self.response = Response(200, tunnel=self.tunnel)
        talk = Talk(self.handler)

        self.assertEqual(
            b"HTTP/1.1 200 OK\r\n\r\nABC",
            talk.send(b"CONNECT a.example:25 HTTP/1.1\r\nHost: a.example\r\n\r\nabc"),
        )

    def test_continue_first(self) -> None:
        """Who expects both gets 100 before 101."""
        talk = Talk(self.handler)
        said = talk.send(ASK[:-2] + b"Expect: 100-continue\r\n\r\n")

        self.assertLess(said.index(b" 100 "), said.index(b" 101 "))

    def refused(self, ask: bytes) -> None:
        """The connection stays HTTP, and the fault is ours."""
        talk = Talk(self.handler)

        self.assertTrue(talk.send(ask).startswith(b"HTTP/1.1 500 "))
        self.assertEqual([], self.echoes)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_not_asked_for(self) -> None:
        """Nobody is switched to what was not asked for, nor from HTTP/1.0."""
        self.refused(ASK.replace(b", echo", b""))
        self.refused(ASK.replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.refused(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")

    def test_not_named(self) -> None:
        """101 and 426 name the protocol."""
        self.response = Response(101, tunnel=self.tunnel)
        self.refused(ASK)
        self.response = Response(426)
        self.refused(ASK)
        self.response = Response(426, [("Upgrade", "TLS/1.3")])
        said = Talk(self.handler).send(ASK)
        self.assertIn(b"\r\nUpgrade: TLS/1.3\r\n", said)
        self.assertIn(b"\r\nConnection: upgrade\r\n", said)

    def test_in_the_middle_of_a_body(self) -> None:
        """The request comes to its end first."""
        self.refused(ASK[:-2] + b"Content-Length: 9\r\n\r\nabc")

    def test_ignored(self) -> None:
        """A handler that knows no such protocol answers as always."""
        talk = Talk(lambda request: Response(200))

        self.assertTrue(talk.send(ASK).startswith(b"HTTP/1.1 200 OK\r\n"))


class InterimTests(SynchronousTestCase):
    """Responses before the response.  RFC 9110 15.2, RFC 8297."""

    def test_early_hints(self) -> None:
        """103 goes out at once, and never to HTTP/1.0."""

        def handler(request: Request) -> Answer:
            request.early_hints([("Link", "</a.css>; rel=preload; as=style")])
            return Response(200)

        get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertEqual(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Talk(handler).send(get),
        )
        self.assertTrue(
            Talk(handler)
            .send(get.replace(b"1.1", b"1.0"))
            .startswith(b"HTTP/1.1 200 OK\r\n")
        )

    def test_continue_and_old_clients(self) -> None:
        """HTTP/1.0 gets no 100, whatever it expects."""

        async def handler(request: Request) -> Response:
            request.continue_()
            return Response(200, body=await request.body.read())

        ask = b"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        talk = Talk(handler)
        self.assertEqual(b"", talk.send(ask))
        self.assertTrue(talk.send(b"a").endswith(b"\r\n\r\na"))

    def test_continue_once(self) -> None:
        """100 is said once, and not where content has come."""

        async def handler(request: Request) -> Response:
            request.continue_()
            request.continue_()
            return Response(200, body=await request.body.whole(10))

        ask = b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
        ask += b"Content-Length: 2\r\n\r\n"
        talk = Talk(handler)
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", talk.send(ask))
        self.assertNotIn(b" 100 ", Talk(handler).send(ask + b"a"))

    def test_too_late(self) -> None:
        """A handler that has answered says nothing to the next request."""
        seen: list[Request] = []

        def handler(request: Request) -> Answer:
            seen.append(request)
            return Response() if len(seen) == 1 else Deferred()

        talk = Talk(handler)
        talk.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        ask = b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        talk.send(ask + b"Content-Length: 2\r\n\r\n")
        seen[0].early_hints([("Link", "</a>")])
        seen[0].continue_()
        self.assertNotIn(b" 10", talk.said())
        seen[1].continue_()
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", talk.said())

    def test_other_expectations(self) -> None:
        """Other expectations cannot be met."""
        ask = b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n"

        self.assertTrue(
            Talk(lambda request: Response()).send(ask).startswith(b"HTTP/1.1 417 ")
        )
