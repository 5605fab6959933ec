"""WSGI applications (PEP 3333) behind a real server; ``wsgiref.validate`` is the
judge."""

from __future__ import annotations

import http.client
import socket

from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread

from tests.http.guests import wsgi as guests
from tests.http.live import LiveCase, Reply

APPS = "tests.http.guests.wsgi"


def said(reply: Reply) -> dict[str, str]:
    """The environment that ``echo`` tells."""
    head = reply.content.decode("latin-1").partition("\n\n")[0]
    return dict(line.partition("=")[::2] for line in head.split("\n"))


class EnvironTests(LiveCase):
    """What the application is told."""

    async def test_places(self) -> None:
        """SCRIPT_NAME and PATH_INFO split the decoded path at the mount."""
        await self.serve(f"/blog wsgi:{APPS}:echo", f"/a/b wsgi:{APPS}:echo")
        for target, script, info, query in (
            ("/blog", "/blog", "", ""),
            ("/blog/", "/blog", "/", ""),
            ("/blog/x%20y/%C3%A9/", "/blog", "/x y/\xc3\xa9/", ""),
            ("/blog//http://x", "/blog", "//http://x", ""),
            ("/b%6cog/x?a=%20&b", "/blog", "/x", "a=%20&b"),
            ("/x/../blog/./y", "/blog", "/y", ""),
            ("/a/b/c", "/a/b", "/c", ""),
            ("/blog/%ff", "/blog", "/\xff", ""),
        ):
            reply = await self.ask(target)
            self.assertEqual(200, reply.status, (target, reply.content))
            told = said(reply)
            self.assertEqual(
                (script, info, query),
                (told["SCRIPT_NAME"], told["PATH_INFO"], told["QUERY_STRING"]),
                target,
            )

    async def test_fields(self) -> None:
        """Fields become variables; those that could be taken for others do not."""
        await self.serve(f"/blog wsgi:{APPS}:echo")
        reply = await self.ask(
            "/blog",
            fields={
                "X-One": "1",
                "X_Two": "2",
                "Proxy": "http://evil.example",
                "Cookie": "a=1",
                "Host": "www.example.org:8080",
            },
        )
        told = said(reply)

        self.assertEqual("1", told["HTTP_X_ONE"])
        self.assertEqual("a=1", told["HTTP_COOKIE"])
        self.assertNotIn("HTTP_X_TWO", told)
        self.assertNotIn("HTTP_PROXY", told)
        self.assertEqual("www.example.org", told["SERVER_NAME"])
        self.assertEqual("8080", told["SERVER_PORT"])
        self.assertEqual("127.0.0.1", told["REMOTE_ADDR"])
        self.assertEqual("HTTP/1.1", told["SERVER_PROTOCOL"])
        self.assertNotIn("CONTENT_LENGTH", told)

    async def test_content(self) -> None:
        """Content comes whole, with its length, chunked or not."""
        await self.serve(f"/blog wsgi:{APPS}:echo")
        for content in (b"some content", iter([b"some ", b"content"])):
            reply = await self.ask("/blog", "POST", content)
            self.assertTrue(reply.content.endswith(b"\n\nsome content"))
            self.assertEqual("12", said(reply)["CONTENT_LENGTH"])

    async def test_long_content(self) -> None:
        """Long content waits in a file; what is too long gets 413."""
        await self.serve(f"/count wsgi:{APPS}:counting", application_body="3M")
        content = b"x" * 1_000_000 + b"\n" * 1_000_000
        reply = await self.ask("/count", "POST", content)
        self.assertEqual(b"2000000", reply.content)
        pieces = (bytes(65536) for _ in range(40))
        reply = await self.ask("/count", "POST", pieces)
        self.assertEqual(b"2621440", reply.content)

        raw = await deferToThread(
            self.exchange,
            b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n"
            b"Expect: 100-continue\r\n\r\n",
        )
        self.assertTrue(raw.startswith(b"HTTP/1.1 413 "), raw)
        chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        head = b"POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = await deferToThread(self.exchange, head + chunk * 4)
        self.assertTrue(raw.startswith(b"HTTP/1.1 413 "), raw[:100])

    def exchange(self, data: bytes) -> bytes:
        """The first octets of what the server says to ``data``."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
            asking.sendall(data)
            return asking.recv(4096)


class ResponseTests(LiveCase):
    """What becomes of the application's answer."""

    async def answers(self, *names: str, **settings: object) -> None:
        """Serve some of the applications at their names."""
        await self.serve(*(f"/{n} wsgi:{APPS}:{n}" for n in names), **settings)

    async def test_length(self) -> None:
        """Content that is there at once has a length; a file has what was said."""
        await self.answers("plain", "streamed", "filed")
        reply = await self.ask("/plain")
        self.assertEqual(str(len(reply.content)), reply.fields["Content-Length"])
        reply = await self.ask("/streamed")
        self.assertEqual("chunked", reply.fields["Transfer-Encoding"])
        expected = b"".join(b"%02d" % number * 1000 for number in range(100))
        self.assertEqual(expected, reply.content)
        self.assertEqual(b"x" * 100000, (await self.ask("/filed")).content)

    async def test_head(self) -> None:
        """HEAD brings the fields and no content; the next request goes well."""
        await self.answers("echo", "streamed", "endless")
        for target in ("/echo", "/streamed", "/endless"):
            reply = await self.ask(target, "HEAD")
            self.assertEqual((200, b""), (reply.status, reply.content))
        await deferToThread(guests.opened[-1].is_closed.wait, 30)

    async def test_write(self) -> None:
        """The function write works, before and beside the content."""
        await self.answers("written")
        self.assertEqual(b"first second last", (await self.ask("/written")).content)

    async def test_failures(self) -> None:
        """An application that fails, or breaks the rules, gets 500; the log knows
        more than the client."""
        bad = ("raising", "silent", "twice", "injecting")
        await self.answers(*bad)
        for name in bad:
            reply = await self.ask(f"/{name}?x=%0d%0a")
            self.assertEqual(500, reply.status, name)
            self.assertNotIn(b"purpose", reply.content)
            self.assertNotIn("X-Evil", reply.fields)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.flushLoggedErrors()

    async def test_mended(self) -> None:
        """start_response with exc_info replaces the head."""
        await self.answers("mended")
        reply = await self.ask("/mended")
        self.assertEqual((500, b"mended"), (reply.status, reply.content))

    async def test_broken_off(self) -> None:
        """A failure in the middle ends the connection: the client sees that."""
        await self.answers("breaking", "shorter")
        for name in ("breaking", "shorter"):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                await self.ask(f"/{name}")
        self.flushLoggedErrors()

    async def test_no_more_than_said(self) -> None:
        """What exceeds Content-Length is not sent."""
        await self.answers("longer")
        self.assertEqual(b"1234", (await self.ask("/longer")).content)

    async def test_framing_is_ours(self) -> None:
        """Fields of the connection are left out."""
        await self.answers("hop")
        reply = await self.ask("/hop")
        self.assertIsNone(reply.fields["Transfer-Encoding"])
        self.assertEqual("1", reply.fields["X-Mine"])
        self.assertEqual(1, len(reply.fields.get_all("Date") or ()))
        self.assertEqual(b"5\r\nhello\r\n0\r\n\r\n", reply.content)

    async def test_flask(self) -> None:
        """Flask answers, and takes a form."""
        await self.serve(f"/site wsgi:{APPS}:flask")
        reply = await self.ask("/site/hello/J%C3%BCrgen")
        self.assertEqual("Hello, Jürgen!", reply.content.decode())
        content = (
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
            b'--b\r\nContent-Disposition: form-data; name=file; filename="x.txt"\r\n'
            b"\r\n" + b"x" * 600_000 + b"\r\n--b--\r\n"
        )
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = await self.ask("/site/upload", "POST", content, kind)
        self.assertEqual(b'{"a":"1","name":"x.txt","octets":600000}\n', reply.content)
        self.assertEqual(404, (await self.ask("/site/nothing")).status)


class PatienceTests(LiveCase):
    """Clients that go, applications that stay."""

    async def test_client_goes(self) -> None:
        """When the client goes, the content is closed, and the thread is free."""
        await self.serve(
            f"/endless wsgi:{APPS}:endless", wsgi_threads=1, stall_timeout="1s"
        )
        for _ in range(3):
            before = len(guests.opened)
            with socket.create_connection(("127.0.0.1", self.port), 30) as asking:
                asking.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                await deferToThread(asking.recv, 1000)
            self.assertEqual(before + 1, len(guests.opened))
            await deferToThread(guests.opened[-1].is_closed.wait, 30)
            self.assertTrue(guests.opened[-1].is_closed.is_set())

    async def test_busy(self) -> None:
        """With all threads taken and enough that wait, the next one gets 503."""
        await self.serve(f"/gated wsgi:{APPS}:gated", wsgi_threads=2, wsgi_waiting=1)
        guests.gate.clear()
        self.addCleanup(guests.gate.set)
        asked = [self.ask("/gated") for _ in range(3)]
        for _ in range(2):
            await deferToThread(guests.inside.acquire)
        while self.server.house.status()["protocols"]["http"]["wsgi_requests"] < 3:
            await deferToThread(lambda: None)
        reply = await self.ask("/gated")
        self.assertEqual((503, "5"), (reply.status, reply.fields["Retry-After"]))
        guests.gate.set()
        for _, late in await DeferredList(asked):
            self.assertEqual(b"at last", late.content)

    async def test_never(self) -> None:
        """An application that never answers gets 504, and no other is held up."""
        await self.serve(
            f"/gated wsgi:{APPS}:gated",
            f"/echo wsgi:{APPS}:echo",
            application_patience="200ms",
        )
        guests.gate.clear()
        self.addCleanup(guests.gate.set)
        self.assertEqual(504, (await self.ask("/gated")).status)
        self.assertEqual(200, (await self.ask("/echo")).status)
        guests.gate.set()

    async def test_slow_clients_take_no_thread(self) -> None:
        """Uploads that never end leave the threads to others."""
        await self.serve(f"/echo wsgi:{APPS}:echo", wsgi_threads=1, wsgi_waiting=0)
        slow = [
            socket.create_connection(("127.0.0.1", self.port), 30) for _ in range(5)
        ]
        for one in slow:
            self.addCleanup(one.close)
            one.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        self.assertEqual(200, (await self.ask("/echo")).status)

    async def test_errors_are_logged(self) -> None:
        """What the application writes to wsgi.errors is in the log."""
        await self.serve(f"/x wsgi:{APPS}:complaining")
        self.assertEqual(204, (await self.ask("/x")).status)
