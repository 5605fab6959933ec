"""Resources of twisted.web, and klein, behind a real server."""

from __future__ import annotations

import json
import socket
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.threads import deferToThread

from tests.http.guests import resources as guests
from tests.http.live import LiveCase

APPS = "tests.http.guests.resources"


class ResourceTests(LiveCase):
    """A tree of resources."""

    async def start(self, **settings: object) -> None:
        """Serve it below a path."""
        guests.noted.clear()
        await self.serve(f"/old resource:{APPS}:tree", **settings)

    async def test_echo(self) -> None:
        """A resource knows where it is, and what was asked."""
        await self.start()
        fields = {"Host": "www.example.org"}
        reply = await self.ask("/old/echo/a%2Fb/?x=1&x=2", fields=fields)
        told = json.loads(reply.content)
        self.assertEqual(["old", "echo"], told["prepath"])
        self.assertEqual(["a/b", ""], told["postpath"])
        self.assertEqual({"x": ["1", "2"]}, told["args"])
        self.assertEqual("127.0.0.1", told["client"])
        self.assertTrue(told["url"].endswith("/old/echo"), told)
        self.assertEqual("1", reply.fields["X-One"])
        self.assertEqual("a=b", reply.fields["Set-Cookie"])
        self.assertEqual(1, len(reply.fields.get_all("Date") or ()))
        self.assertEqual(str(len(reply.content)), reply.fields["Content-Length"])

    async def test_leaf(self) -> None:
        """The mount itself may be a leaf, with a slash or without."""
        await self.serve(f"/leaf resource:{APPS}:leaf")
        for target, postpath in (("/leaf", []), ("/leaf/", [""]), ("/leaf/x", ["x"])):
            told = json.loads((await self.ask(target)).content)
            self.assertEqual((["leaf"], postpath), (told["prepath"], told["postpath"]))

    async def test_content(self) -> None:
        """Content is in the file, and a form in the arguments."""
        await self.start(application_body="1M")
        reply = await self.ask("/old/echo", "POST", b"x" * 600_000)
        self.assertEqual(600_000, json.loads(reply.content)["content"])
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await self.ask("/old/echo", "POST", b"a=1&b=2", kind)
        self.assertEqual({"a": ["1"], "b": ["2"]}, json.loads(reply.content)["args"])
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        bad = b"nothing like it"
        reply = await self.ask("/old/echo", "POST", bad, kind)
        self.assertEqual(400, reply.status)
        pieces = (bytes(65536) for _ in range(16))
        self.assertEqual(200, (await self.ask("/old/echo", "POST", pieces)).status)

    async def test_head_and_methods(self) -> None:
        """HEAD has no content, other methods get what the resource says."""
        await self.start()
        for target in ("/old/echo", "/old/session"):
            reply = await self.ask(target, "HEAD")
            self.assertEqual((200, b""), (reply.status, reply.content))
            self.assertTrue(reply.fields["Content-Length"])
        reply = await self.ask("/old/later", "POST", b"x")
        self.assertEqual(405, reply.status)
        self.assertEqual(404, (await self.ask("/old/nothing")).status)

    async def test_later(self) -> None:
        """NOT_DONE_YET: content in later turns."""
        await self.start()
        self.assertEqual(b"first last", (await self.ask("/old/later")).content)

    async def test_failing(self) -> None:
        """What fails gets 500 without the reason."""
        await self.start()
        reply = await self.ask("/old/failing")
        self.assertEqual(500, reply.status)
        self.assertNotIn(b"purpose", reply.content)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_never(self) -> None:
        """One that never answers gets 504, and learns of it."""
        await self.start(application_patience="200ms")
        self.assertEqual(504, (await self.ask("/old/never")).status)
        self.assertEqual([ConnectionLost], guests.noted)

    async def test_session(self) -> None:
        """Sessions of twisted.web are kept, and end with the server."""
        await self.start()
        reply = await self.ask("/old/session")
        self.assertEqual(b"1", reply.content)
        cookie = reply.fields["Set-Cookie"].partition(";")[0]
        reply = await self.ask("/old/session", fields={"Cookie": cookie})
        self.assertEqual(b"2", reply.content)

    async def test_producers(self) -> None:
        """Producers of both kinds bring all they have."""
        await self.start()
        reply = await self.ask("/old/produced?pull=1")
        self.assertEqual(b"x" * 1_000_000, reply.content)
        reply = await self.ask("/old/produced?push=50")
        self.assertEqual(50 * 65536, len(reply.content))

    async def test_client_goes(self) -> None:
        """A producer is paused when the client does not read, stopped when it goes."""
        await self.start()
        with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
            asking.sendall(b"GET /old/produced?push=10000 HTTP/1.1\r\nHost: x\r\n\r\n")
            await deferToThread(asking.recv, 1000)
            for _ in range(50):
                await self.ask("/nothing")
        while not guests.noted:
            await self.ask("/nothing")
        [left] = guests.noted
        self.assertGreater(left, 9000)


class KleinTests(LiveCase):
    """A klein application."""

    async def test_routes(self) -> None:
        """Its routes are below the mount."""
        await self.serve(f"/k resource:{APPS}:app.resource")
        self.assertEqual(b"root", (await self.ask("/k/")).content)
        reply: Any = await self.ask("/k/hello/J%C3%BCrgen")
        self.assertEqual("Hello, Jürgen!", reply.content.decode())
        told = json.loads((await self.ask("/k/in/x")).content)
        self.assertEqual(["x"], told["postpath"])
        self.assertEqual(404, (await self.ask("/k/nothing")).status)
