"""ASGI applications behind a real server, Starlette among them."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from twisted.internet.threads import deferToThread

from netservices.core.errors import StartupError
from tests.http.guests import asgi as guests
from tests.http.live import LiveCase

APPS = "tests.http.guests.asgi"


class StarletteTests(LiveCase):
    """A whole application."""

    async def start(self) -> None:
        """Serve it below a path."""
        await self.serve(f"/api asgi:{APPS}:site")

    async def test_hello(self) -> None:
        """A page, its parameter decoded; and none."""
        await self.start()
        reply = await self.ask("/api/hello/J%C3%BCrgen")
        self.assertEqual("Hello, Jürgen (None)", reply.content.decode())
        self.assertEqual(str(len(reply.content)), reply.fields["Content-Length"])
        self.assertEqual(404, (await self.ask("/api/nothing")).status)
        self.assertEqual(405, (await self.ask("/api/hello/x", "PUT")).status)

    async def test_scope(self) -> None:
        """The application knows where it is, and what was asked."""
        await self.start()
        fields = {"Host": "www.example.org", "X-One": "1"}
        reply = await self.ask("/api/echo/a%20b/?c=%20d", fields=fields)
        self.assertEqual(
            {
                "octets": 0,
                "url": "http://www.example.org/api/echo/a b/?c=%20d",
                "root": "/api",
                "path": "/api/echo/a b/",
                "raw_path": "/api/echo/a%20b/",
                "query": "c=%20d",
                "client": "127.0.0.1",
                "state": 42,
                "x": ["1"],
            },
            json.loads(reply.content),
        )

    async def test_content(self) -> None:
        """Content arrives, with a length or without, and is streamed."""
        await self.start()
        for content in (b"x" * 10, b"x" * 3_000_000, iter([b"xx"] * 1000)):
            reply = await self.ask("/api/echo/", "POST", content)
            self.assertIn(json.loads(reply.content)["octets"], (10, 3_000_000, 2000))

    async def test_stream(self) -> None:
        """Content in pieces; none of it for HEAD."""
        await self.start()
        expected = b"".join(b"%02d" % number * 1000 for number in range(100))
        self.assertEqual(expected, (await self.ask("/api/stream")).content)
        reply = await self.ask("/api/stream", "HEAD")
        self.assertEqual((200, b""), (reply.status, reply.content))

    async def test_fail(self) -> None:
        """What fails gets 500, and stands in the log."""
        await self.start()
        self.assertEqual(500, (await self.ask("/api/fail")).status)
        await self.server.stop()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_lifespan(self) -> None:
        """Told of the start before the first request, and of the end."""
        guests.noted.clear()
        await self.start()
        self.assertEqual(["started"], guests.noted)
        await self.server.stop()
        self.assertEqual(["started", "stopped"], guests.noted)


class ApplicationTests(LiveCase):
    """Single applications."""

    async def answers(self, *names: str, **settings: object) -> None:
        """Serve some of the applications at their names."""
        await self.serve(*(f"/{n} asgi:{APPS}:{n}" for n in names), **settings)

    def raw(self, target: str) -> bytes:
        """All that comes for a request, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
            asking.sendall(
                f"GET {target} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n"
                "Connection: close, TE\r\n\r\n".encode()
            )
            pieces = []
            try:
                while piece := asking.recv(65536):
                    pieces.append(piece)
            except ConnectionError:
                pass  # it was cut off
        return b"".join(pieces)

    async def test_hints_and_trailers(self) -> None:
        """Early hints come before, trailers after the content."""
        await self.answers("early")
        said = await deferToThread(self.raw, "/early")
        self.assertTrue(said.startswith(b"HTTP/1.1 103 "), said)
        self.assertIn(b"\r\nLink: </style.css>; rel=preload; as=style\r\n", said)
        self.assertIn(b"7\r\ncontent\r\n0\r\nx-sum: 7\r\n\r\n", said)

    async def test_bad_applications(self) -> None:
        """What breaks the rules before its head is 500."""
        bad = ("silent", "injecting", "disordered")
        await self.answers(*bad)
        for name in bad:
            reply = await self.ask(f"/{name}")
            self.assertEqual(500, reply.status, name)
            self.assertNotIn("x-evil", reply.fields)
        await self.server.stop()
        self.assertEqual(3, len(self.flushLoggedErrors()))

    async def test_broken_off(self) -> None:
        """What breaks the rules later ends the connection, and never says more than
        it announced."""
        await self.answers("broken", "longer")
        for name in ("broken", "longer"):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                await self.ask(f"/{name}")
        said = await deferToThread(self.raw, "/longer")
        self.assertEqual(1, said.count(b"HTTP/1.1 "))
        await self.server.stop()
        self.flushLoggedErrors()

    async def test_client_goes(self) -> None:
        """An application learns that its client has gone: from send, and receive."""
        # A client that only says that it sends no more may still be reading.
        await self.answers("endless", "patient", stall_timeout="1s")
        for name in ("endless", "patient"):
            guests.noted.clear()
            guests.heard.clear()
            with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
                asking.sendall(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await deferToThread(asking.recv, 1000)
            self.assertTrue(await deferToThread(guests.heard.wait, 30), name)
        self.assertEqual([{"type": "http.disconnect"}], guests.noted)

    async def test_back_pressure(self) -> None:
        """No more is made than the client takes, and a little ahead."""
        await self.answers("endless")
        guests.noted.clear()
        guests.heard.clear()
        with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
            asking.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await deferToThread(asking.recv, 1000)
            # Other requests go through many turns of both loops meanwhile.
            for _ in range(50):
                await self.ask("/nothing")
        await deferToThread(guests.heard.wait, 30)
        [(_, octets)] = guests.noted
        self.assertLess(octets, 20_000_000)

    async def test_never(self) -> None:
        """An application that does not answer gets 504."""
        await self.answers("never", application_patience="200ms")
        self.assertEqual(504, (await self.ask("/never")).status)

    async def test_too_long(self) -> None:
        """Content that is too long gets 413, said before or not."""
        await self.serve(f"/api asgi:{APPS}:site", application_body="100K")
        for content in (bytes(200_000), (bytes(10_000) for _ in range(20))):
            try:
                reply: Any = await self.ask("/api/echo/", "POST", content)
            except ConnectionError:
                continue  # it was closed while the client was still sending
            self.assertEqual(413, reply.status)

    async def test_cannot_start(self) -> None:
        """An application that says that it cannot start stops the start."""
        with self.assertRaises(StartupError) as caught:
            await self.answers("unready")
        self.assertIn("no database", str(caught.exception))
