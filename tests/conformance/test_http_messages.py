"""Messages as RFC 9110 and RFC 9112 want them, on a server with sites and uploads."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any

import h11
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.http.layers.errors import ShowErrors
from netservices.web.handler import layered
from netservices.web.problems import Problem
from netservices.web.representation import Representation, respond
from netservices.web.request import Request
from netservices.web.response import Answer, Response
from tests.http.dav_kit import DAVHouse, Said, basic
from tests.http.sites import SitesCase
from tests.http.talk import NOW, Talk

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n"
_IMF_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"
)
_OF_REQUESTS = {"host", "expect", "te", "user-agent", "referer", "authorization"}
_MAY_REPEAT = {"set-cookie", "vary", "link", "www-authenticate"}


def seen_by(method: str, said: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and fields of a response as a strict client reads it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(said)
    event: Any = client.next_event()
    fields = [(n.decode(), v.decode("latin-1")) for n, v in event.headers]
    while not isinstance(client.next_event(), h11.EndOfMessage):
        pass
    assert client.trailing_data[0] == b"", said
    return event.status_code, fields


class MessageTests(SitesCase):
    """One requirement each."""

    def setUp(self) -> None:
        super().setUp()
        self.put("sites/default/a", b"0123456789")
        self.put("sites/default/d/index.html", b"<p>index")
        self.seen: list[Any] = []

    def raw(self, data: bytes) -> bytes:
        """What the sites answer, dates included."""
        talk = Talk(layered([ShowErrors()], self.handler))
        talk.connection.dataReceived(data)
        return bytes(talk.wire.value())

    def note(self, request: Request) -> Answer:
        """A handler that remembers."""
        self.seen.append(request)
        return Response(200)

    # --- responses ------------------------------------------------------------------

    def all_kinds(self) -> list[tuple[str, bytes]]:
        """Methods, and responses to them of every class."""
        tag = self.ask("/a")[1]["etag"].encode()
        found = []
        for method, target, fields in (
            (b"GET", b"/a", b""),
            (b"HEAD", b"/a", b""),
            (b"GET", b"/a", b"Range: bytes=1-2\r\n"),
            (b"GET", b"/a", b"Range: bytes=1-2,5-6\r\n"),
            (b"GET", b"/a", b"Range: bytes=100-\r\n"),
            (b"GET", b"/a", b"If-None-Match: " + tag + b"\r\n"),
            (b"GET", b"/a", b'If-Match: "x"\r\n'),
            (b"GET", b"/d", b""),
            (b"GET", b"/none", b""),
            (b"GET", b"/none", b"Accept: application/json\r\n"),
            (b"OPTIONS", b"/a", b""),
            (b"DELETE", b"/a", b""),
            (b"BREW", b"/a", b""),
            (b"GET", b"/%00", b""),
        ):
            head = method + b" " + target + b" HTTP/1.1\r\nHost: h\r\n" + fields
            found.append((method.decode(), self.raw(head + b"\r\n")))
        found.append(("GET", self.raw(b"GET / HTTP/1.1\r\n\r\n")))
        return found

    def test_grammar_of_responses(self) -> None:
        """A strict client reads all responses; no field comes twice that is no list,
        no list has empty elements, and nothing is said that only clients say."""
        statuses = set()
        for method, said in self.all_kinds():
            status, fields = seen_by(method, said)
            statuses.add(status)
            names = [name for name, _ in fields if name not in _MAY_REPEAT]
            self.assertEqual(len(set(names)), len(names), said)
            self.assertEqual(set(), _OF_REQUESTS.intersection(names), said)
            for name, value in fields:
                if name in ("allow", "vary", "connection", "accept-ranges"):
                    self.assertTrue(all(part.strip() for part in value.split(",")))
                self.assertEqual(value.strip(), value)
        expected = {200, 204, 206, 301, 304, 400, 404, 405, 412, 416, 501}
        self.assertEqual(expected, statuses)

    def test_date(self) -> None:
        """All of them have one Date, in the form of today."""
        for _, said in self.all_kinds():
            head = said.partition(b"\r\n\r\n")[0].decode()
            [date] = re.findall(r"(?m)^Date: (.*)\r?$", head)

            self.assertTrue(_IMF_DATE.fullmatch(date.strip()), date)
            self.assertEqual(NOW, parsedate_to_datetime(date).timestamp())
            for name in ("Last-Modified", "Expires"):
                for text in re.findall(rf"(?m)^{name}: (.*)\r$", head):
                    self.assertTrue(_IMF_DATE.fullmatch(text), text)

    def test_version(self) -> None:
        """The server speaks HTTP/1.1, to HTTP/1.0 and to later minor versions."""
        for version in (b"1.0", b"1.1", b"1.9"):
            ask = GET.replace(b"1.1", version) + b"\r\n"
            self.assertTrue(self.raw(ask).startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_space_behind_the_status(self) -> None:
        """A space follows every status, also one that nobody knows."""
        for status in (200, 299, 404, 599):
            said = Talk(lambda request, s=status: Response(s)).send(GET + b"\r\n")

            self.assertTrue(said.startswith(b"HTTP/1.1 %d " % status), said)

    def test_fields_of_partial_content(self) -> None:
        """206 has what 200 would have had."""
        said = [("Cache-Control", "no-cache"), ("Expires", "0")]
        said.append(("Content-Location", "/a.en"))

        def handler(request: Request) -> Answer:
            it = Representation(b"0123456789", 10, "text/plain", '"t"', int(NOW) - 9)
            it.vary, it.fields = "Accept-Encoding", said
            return respond(request, it, NOW)

        self.handler = handler  # type: ignore[assignment]
        _, whole, _ = self.ask("/a")
        status, part, _ = self.ask("/a", Range="bytes=0-1")
        self.assertEqual(206, status)
        for name in ("content-length", "content-range"):
            whole.pop(name, None), part.pop(name, None)

        self.assertEqual(whole, part)

    def test_fields_of_not_modified(self) -> None:
        """304 has those fields of 200 that a cache needs."""

        def handler(request: Request) -> Answer:
            it = Representation(b"0123456789", 10, "text/plain", '"t"', int(NOW) - 9)
            it.vary = "Accept-Encoding"
            it.fields = [("Cache-Control", "no-cache"), ("Content-Location", "/a.en")]
            return respond(request, it, NOW)

        self.handler = handler  # type: ignore[assignment]
        _, whole, _ = self.ask("/a")
        status, fields, content = self.ask("/a", If_None_Match='"t"')
        self.assertEqual((304, b""), (status, content))
        for name in ("cache-control", "content-location", "etag", "vary"):
            self.assertEqual(whole[name], fields[name])

    def test_unsupported_media(self) -> None:
        """415 for a type says nothing of codings."""

        def handler(request: Request) -> Answer:
            raise Problem(415)

        said = Talk(layered([ShowErrors()], handler)).send(GET + b"\r\n")

        self.assertTrue(said.startswith(b"HTTP/1.1 415 "))
        self.assertNotIn(b"accept-encoding", said.lower())

    # --- requests -------------------------------------------------------------------

    def test_octets_above_ascii(self) -> None:
        """Octets above ASCII are letters of values and of content, and end nothing."""

        async def handler(request: Request) -> Response:
            self.seen.append(request.fields.get("x"))
            return Response(body=await request.body.whole(200))

        data = bytes(range(128, 256))
        said = Talk(handler).send(
            GET + b"X: \x85" + data + b"\r\nContent-Length: 128\r\n\r\n" + data
        )

        self.assertTrue(said.endswith(data))
        self.assertEqual(["\x85" + data.decode("latin-1")], self.seen)

    def test_space_before_the_first_field(self) -> None:
        """A line with whitespace in front, behind the request line, is refused."""
        for space in (b" ", b"\t", b" \t"):
            ask = b"GET /a HTTP/1.1\r\n" + space + b"X: y\r\nHost: h\r\n\r\n"
            self.assertTrue(self.raw(ask).startswith(b"HTTP/1.1 400 "))

    def test_space_around_values(self) -> None:
        """Whitespace around a value does not belong to it, inside it does."""
        Talk(self.note).send(GET + b"X: \t a \t b \t \r\nY:c\r\nZ:\r\n\r\n")
        fields = self.seen[0].fields

        self.assertEqual(["a \t b", "c", ""], [fields.get(n) for n in "xyz"])
        self.assertIn("z", fields)

    def test_empty_elements(self) -> None:
        """Empty elements of lists are read over."""
        talk = Talk(self.note)
        talk.send(GET + b"Connection: ,, keep-alive ,, close,\r\n\r\n")

        self.assertTrue(talk.is_closed)

    def test_bad_whitespace(self) -> None:
        """Whitespace where it was allowed once is read over: in chunk extensions."""
        talk = Talk(self.note)
        talk.send(
            GET + b"Transfer-Encoding: chunked\r\n\r\n"
            b'1 \t; \ta \t= \tb ; c = "d e"\r\nx\r\n0\r\n\r\n'
        )

        self.assertFalse(talk.is_closed)
        self.assertEqual(1, len(self.seen))

    def test_quoted_pairs(self) -> None:
        """A quoted pair ends no quoted string."""
        talk = Talk(self.note)
        talk.send(
            GET + b'Transfer-Encoding: chunked\r\n\r\n1;a="\\";\\\\"\r\nx\r\n0\r\n\r\n'
        )

        self.assertFalse(talk.is_closed)

    def test_large_numbers(self) -> None:
        """Lengths and sizes of many digits are the numbers that they are."""

        def handler(request: Request) -> Answer:
            self.seen.append(request.body.length)
            return Deferred()

        talk = Talk(handler)
        talk.send(GET + b"Content-Length: 999999999999999999\r\n\r\nx")
        self.assertEqual([10**18 - 1], self.seen)
        self.assertEqual(10**18 - 2, talk.connection.body_octets_left)
        for size in (b"fffffffffffffff", b"0000000000000001"):
            talk = Talk(handler)
            ask = GET + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\nx\r\n"
            self.assertEqual(b"", talk.send(ask[:-2]))

    def test_own_lengths(self) -> None:
        """What this server has sent it takes back: the longest target it takes, as the
        place to which it redirects."""
        name = "n" * 200
        self.put(f"sites/default/{'/'.join([name] * 15)}/index.html")
        _, fields, _ = self.ask("/" + "/".join([name] * 15))

        self.assertEqual(200, self.status(fields["location"]))

    def test_whole_head_first(self) -> None:
        """Nothing happens before the last octet of the head."""
        talk = Talk(self.note)
        for octet in GET + b"X: y\r\n\r":
            talk.send(bytes([octet]))
        self.assertEqual([], self.seen)
        talk.send(b"\n")

        self.assertEqual(1, len(self.seen))

    def test_nothing_behind_close(self) -> None:
        """What follows a request that says close is never looked at."""
        talk = Talk(self.note)
        talk.send(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
        talk.send(GET + b"\r\n")

        self.assertEqual(1, len(self.seen))

    def test_empty_host_of_https(self) -> None:
        """An https URI without a host is none."""
        for target in (b"https:///a", b"https://:443/a"):
            ask = b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"
            self.assertTrue(self.raw(ask).startswith(b"HTTP/1.1 400 "))

    # --- fields that mean nothing here ----------------------------------------------

    def test_content_range_of_get(self) -> None:
        """Content-Range means nothing with GET."""
        self.assertEqual(200, self.status("/a", Content_Range="bytes 0-1/2"))

    def test_if_range_alone(self) -> None:
        """If-Range means nothing without Range, and where there are no ranges."""
        self.assertEqual(200, self.status("/a", If_Range='"x"'))
        self.assertEqual(404, self.status("/none", If_Range='"x"', Range="bytes=0-"))
        self.assertEqual(301, self.status("/d", If_Range='"x"', Range="bytes=0-"))

    def test_conditions_of_what_fails(self) -> None:
        """Where the answer is no success anyway conditions change nothing."""
        self.assertEqual(404, self.status("/none", If_None_Match="*"))
        self.assertEqual(404, self.status("/none", If_Match='"x"'))
        self.assertEqual(301, self.status("/d", If_Match='"x"'))
        self.assertEqual(405, self.status("/a", "DELETE", If_Match='"x"'))


class UploadTests(DAVHouse, SynchronousTestCase):
    """Requirements on what accounts may do with their files."""

    content = {"a": b"abc"}

    def test_connections_log_nobody_in(self) -> None:
        """A login counts for its request, not for those that follow it on the same
        connection."""
        talk = self.talk_http()
        ask = b"GET /dav/a HTTP/1.1\r\nHost: h\r\n"
        said = talk.send(ask + basic().encode() + b"\r\n")
        self.assertEqual(200, Said.parsed(said).status)

        self.assertEqual(401, Said.parsed(talk.send(ask + b"\r\n")).status)

    def upload(self, **fields: str) -> Said:
        """PUT of a file."""
        lines = "".join(f"{n.replace('_', '-')}: {v}\r\n" for n, v in fields.items())
        head = f"PUT /dav/new HTTP/1.1\r\nHost: h\r\n{basic()}{lines}"
        return Said.parsed(
            self.talk_http().send(f"{head}Content-Length: 1\r\n\r\nx".encode())
        )

    def test_content_location(self) -> None:
        """Content-Location of an upload moves nothing, and is not kept."""
        self.assertEqual(201, self.upload(Content_Location="/dav/a").status)
        self.assertEqual(b"abc", self.content_of("a"))
        ask = f"GET /dav/new HTTP/1.1\r\nHost: h\r\n{basic()}\r\n"
        said = Said.parsed(self.talk_http().send(ask.encode()))

        self.assertEqual(b"x", said.body)
        self.assertNotIn("content-location", said.fields)

    def test_conditions_of_strangers(self) -> None:
        """Who is not known yet is asked for that, whatever the conditions."""
        ask = b'GET /dav/a HTTP/1.1\r\nHost: h\r\nIf-Match: "x"\r\n\r\n'

        self.assertEqual(401, Said.parsed(self.talk_http().send(ask)).status)


class KindTests(SynchronousTestCase):
    """What the tests above lean on."""

    def test_strict_client(self) -> None:
        """The client that reads the responses refuses what is none."""
        with self.assertRaises(h11.RemoteProtocolError):
            seen_by("GET", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n")
