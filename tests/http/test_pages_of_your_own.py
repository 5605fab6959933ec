"""The pages of ``examples/pages``, and pages that a plugin brings."""

from __future__ import annotations

import base64
import os
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from netservices.interfaces import IWeb
from netservices.testing import running
from netservices.web.request import Request
from netservices.web.response import Response, text
from tests.house.twistd import ROOT
from tests.http.live import LiveCase

PAGES = ROOT / "examples" / "pages"
PASSWORD = "correct horse battery"  # noqa: S105
LOGIN = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
    b"--b--\r\n"
)


class ExampleTests(LiveCase):
    """What the examples say they do."""

    fields = {
        "Authorization": f"Basic {LOGIN}",
        "Content-Type": "multipart/form-data; boundary=b",
    }

    async def start(self) -> None:
        """Serve all of them."""
        self.server = await running(
            http=True,
            accounts=[("alice", PASSWORD)],
            settings={
                "http.python_path": str(PAGES),
                "http.mounts": [
                    "/hello handler:pages:hello",
                    "/animalsearch handler:pages:search",
                    "/upload maker:pages:make_upload",
                ],
            },
        )
        self.addCleanup(sys.modules.pop, "pages", None)
        self.addCleanup(sys.path.remove, str(PAGES))
        self.addCleanup(self.server.stop)

    def files(self) -> list[str]:
        """What alice has, and nothing of which is half there."""
        files = Path(self.server.state_directory) / "files"
        return sorted(
            str(Path(directory, name).relative_to(files)).partition("/")[2]
            for directory, _, names in os.walk(files)
            for name in names
        )

    async def test_hello(self) -> None:
        """A page in two lines."""
        await self.start()
        self.assertEqual(b"Hello, world!\n", (await self.ask("/hello")).content)
        self.assertEqual(b"Hello, you!\n", (await self.ask("/hello?you")).content)

    async def test_search(self) -> None:
        """A query of names alone; nothing of it becomes markup."""
        await self.start()
        reply = await self.ask("/animalsearch?monkeys&banana&%3Cb%3E")
        self.assertEqual(
            "<ul><li>monkeys: climb<li>banana: is none<li>&lt;b&gt;: not known</ul>\n",
            reply.content.decode(),
        )

    async def test_upload_needs_a_login(self) -> None:
        """Without one nothing is taken."""
        await self.start()
        kind = {"Content-Type": self.fields["Content-Type"]}
        reply = await self.ask("/upload", "POST", FORM % (b"x", b"y"), kind)
        self.assertEqual(401, reply.status)
        self.assertEqual([], self.files())

    async def test_upload(self) -> None:
        """A file of a form is in the account, under its name and no other place."""
        await self.start()
        content = os.urandom(3_000_000)
        form = FORM % (b"../../caf\xc3\xa9.bin", content)
        reply = await self.ask("/upload", "POST", form, self.fields)
        self.assertEqual((303, "/upload"), (reply.status, reply.fields["Location"]))
        self.assertEqual(["café.bin"], self.files())
        reply = await self.ask("/upload", fields=self.fields)
        self.assertIn("<li>café.bin (3000000 octets)", reply.content.decode())
        [path] = (Path(self.server.state_directory) / "files").rglob("café.bin")
        self.assertEqual(content, path.read_bytes())

    async def test_from_elsewhere(self) -> None:
        """A form on another site's page changes nothing."""
        await self.start()
        fields = {**self.fields, "Origin": "https://evil.example"}
        reply = await self.ask("/upload", "POST", FORM % (b"x", b"y"), fields)
        self.assertEqual(403, reply.status)
        self.assertEqual([], self.files())

    async def test_broken_uploads(self) -> None:
        """What breaks off, or ends wrong, leaves nothing."""
        await self.start()
        form = FORM % (b"big", b"x" * 1_000_000)
        for cut in (100, 500_000, len(form) - 5):
            reply = await self.ask("/upload", "POST", form[:cut], self.fields)
            self.assertEqual(400, reply.status)
            self.assertEqual([], self.files())
        reply = await self.ask("/upload", "POST", FORM % (b"..", b"x"), self.fields)
        self.assertEqual(400, reply.status)
        await deferToThread(self.break_off, form)
        # What is left goes in a thread of its own; this ends when it has gone.
        while self.files():
            self.assertEqual(200, (await self.ask("/hello")).status)

    def break_off(self, form: bytes) -> None:
        """Send half of a form, and go."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.fields.items())
        with socket.create_connection(("127.0.0.1", self.port), 30) as sending:
            sending.sendall(
                f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(form)}\r\n"
                f"{head}\r\n".encode()
                + form[: len(form) // 2]
            )


class PluginTests(LiveCase):
    """``IWeb``: how other packages bring their pages."""

    async def test_mount(self) -> None:
        """Whoever has the services can mount a handler, for a host or for all."""
        await self.serve()
        web: Any = self.server.house.services.partners.find(IWeb)

        def hello(request: Request) -> Response:
            return text(f"hello from {request.mount}")

        web.mount("/a/b", hello)
        web.mount("/", hello, "one.example")
        self.assertRaises(ValueError, web.mount, "/a/b/", hello)
        reply = await self.ask("/a/b/c")
        self.assertEqual(b"hello from ('a', 'b')", reply.content)
        reply = await self.ask("/x", fields={"Host": "one.example"})
        self.assertEqual(b"hello from ()", reply.content)
