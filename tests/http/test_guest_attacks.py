"""Clients and applications that mean harm, or do it."""

from __future__ import annotations

import gzip
import http.client
import socket
from typing import Any

from twisted.internet.threads import deferToThread

from netservices.core.errors import StartupError
from netservices.web.forms import read_form
from netservices.web.request import Request
from netservices.web.response import Response, text
from tests.http.live import LiveCase, Reply

APPS = "tests.http.guests"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


async def take_form(request: Request) -> Response:
    """A handler that reads a form."""
    return text(str(len(await read_form(request))))


class ClientTests(LiveCase):
    """Hostile clients."""

    async def start(self) -> None:
        """A form, and applications."""
        await self.serve(
            "/form handler:tests.http.test_guest_attacks:take_form",
            f"/w wsgi:{APPS}.wsgi:echo",
            f"/deaf asgi:{APPS}.asgi:deaf",
            f"/greedy asgi:{APPS}.asgi:greedy",
            application_body="300K",
        )

    async def test_bombs(self) -> None:
        """Compressed content is refused by forms, and handed on as it is to
        applications: nothing is unfolded."""
        await self.start()
        bomb = gzip.compress(bytes(100_000_000))
        fields = {**URLENCODED, "Content-Encoding": "gzip"}
        reply = await self.ask("/form", "POST", bomb, fields)
        self.assertEqual(
            (415, "identity"), (reply.status, reply.fields["Accept-Encoding"])
        )
        reply = await self.ask("/w", "POST", bomb, fields)
        self.assertIn(b"HTTP_CONTENT_ENCODING=gzip", reply.content)
        self.assertTrue(reply.content.endswith(bomb))

    async def test_many_fields(self) -> None:
        """A million fields are 413; names that are all alike cost no more than
        others."""
        await self.start()
        reply = await self.ask("/form", "POST", b"a&" * 500_000, URLENCODED)
        self.assertEqual(413, reply.status)
        names = b"&".join(b"%00" * 100 + b"%d" % n for n in range(1000))
        reply = await self.ask("/form", "POST", names, URLENCODED)
        self.assertEqual(b"1000", reply.content)

    async def test_content_that_nobody_reads(self) -> None:
        """An application that answers at once is not kept waiting by an upload."""
        await self.start()
        with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
            asking.sendall(
                b"POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
                + b"x"
            )
            said = await deferToThread(asking.recv, 4096)
        self.assertTrue(said.startswith(b"HTTP/1.1 200 "), said)

    async def test_too_much_after_the_response_began(self) -> None:
        """Content beyond the limit ends a response that has begun already."""
        await self.start()
        pieces = (bytes(50_000) for _ in range(100))
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            await self.ask("/greedy", "POST", pieces)
        self.assertEqual(200, (await self.ask("/deaf")).status)
        await self.server.stop()
        self.flushLoggedErrors()

    async def test_upgrades(self) -> None:
        """No application is asked for WebSockets: the request is an ordinary one."""
        await self.start()
        for path in ("/deaf", "/w"):
            reply: Reply = await self.ask(
                path,
                fields={
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                },
            )
            self.assertEqual(200, reply.status)
            self.assertIsNone(reply.fields["Upgrade"])

    async def test_names_of_hosts(self) -> None:
        """A mount of one host is not reached through another name."""
        await self.serve(f"one.example/ wsgi:{APPS}.wsgi:echo")
        for host, status in (
            ("one.example", 200),
            ("ONE.example.", 200),
            ("one.example:8080", 200),
            ("two.example", 404),
            ("one.example.two.example", 404),
        ):
            reply: Any = await self.ask("/x", fields={"Host": host})
            self.assertEqual(status, reply.status, host)


class ApplicationTests(LiveCase):
    """Applications that do not what they should."""

    async def test_never_ready(self) -> None:
        """One that never gets ready stops the start, after a while."""
        with self.assertRaises(StartupError) as caught:
            await self.serve(f"/x asgi:{APPS}.asgi:stuck", application_patience="200ms")
        self.assertIn("did not start in 0.2 seconds", str(caught.exception))
