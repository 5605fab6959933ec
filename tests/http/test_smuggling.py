"""Request smuggling: every known way to write one request that two readers see as
different ones is refused, and nothing behind it is looked at."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.web.request import Request
from netservices.web.response import Response
from tests.http.talk import Talk

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

FRAMING = {
    "both": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    "both, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    "both, with a coding that nobody knows": (
        b"Content-Length: 6\r\nTransfer-Encoding: xchunked\r\n"
    ),
    "both, the length empty": b"Content-Length: \r\nTransfer-Encoding: chunked\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two equal lengths": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a list of lengths": b"Content-Length: 5, 6\r\n",
    "a list of equal lengths": b"Content-Length: 5, 5\r\n",
    "a list with an empty end": b"Content-Length: 5,\r\n",
    "a plus": b"Content-Length: +5\r\n",
    "a minus": b"Content-Length: -5\r\n",
    "a space in the number": b"Content-Length: 5 5\r\n",
    "no number": b"Content-Length: \r\n",
    "hexadecimal": b"Content-Length: 0x5\r\n",
    "digits of another script": b"Content-Length: \xb2\r\n",
    "a fraction": b"Content-Length: 5.0\r\n",
    "an underscore": b"Content-Length: 1_0\r\n",
    "more digits than a number has": b"Content-Length: 18446744073709551621\r\n",
    "a semicolon": b"Content-Length: 5;q=1\r\n",
    "twice chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked in two lines": (
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
    ),
    "chunked, then identity": (
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"
    ),
    "identity": b"Transfer-Encoding: identity\r\n",
    "identity, then chunked": b"Transfer-Encoding: identity, chunked\r\n",
    "something before": b"Transfer-Encoding: xchunked\r\n",
    "something behind": b"Transfer-Encoding: chunkedx\r\n",
    "in quotes": b'Transfer-Encoding: "chunked"\r\n',
    "in apostrophes": b"Transfer-Encoding: 'chunked'\r\n",
    "with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "with a comma": b"Transfer-Encoding: chunked,\r\n",
    "behind a comma": b"Transfer-Encoding: ,chunked\r\n",
    "empty": b"Transfer-Encoding:\r\n",
    "not the last": b"Transfer-Encoding: chunked, gzip\r\n",
    "behind a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "behind a form feed": b"Transfer-Encoding: \x0cchunked\r\n",
    "before NUL": b"Transfer-Encoding: chunked\0\r\n",
    "behind a non-breaking space": b"Transfer-Encoding: \xa0chunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "folded with a tab": b"Transfer-Encoding:\r\n\tchunked\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    "a space before the name": b" Transfer-Encoding: chunked\r\n",
    "a control in the name": b"Transfer\x01-Encoding: chunked\r\n",
    "CR before the colon": b"Transfer-Encoding\r: chunked\r\n",
    "no colon": b"Transfer-Encoding chunked\r\n",
    "no name": b": chunked\r\n",
    "a bare CR": b"X: y\rTransfer-Encoding: chunked\r\n",
    "a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n",
    "two CRs": b"Transfer-Encoding: chunked\r\r\n",
    "NUL in a name": b"Content-Length\0: 5\r\n",
    "a length with a space before its colon": b"Content-Length : 5\r\n",
    "two hosts": b"Host: other\r\n",
    "an underscore for a hyphen": b"Content_Length: 5\r\nTransfer_Encoding: x\r\n",
}
"""What follows ``Host`` in the head of a POST; the last one is no attack here."""

CHUNKS = {
    "no size": b"\r\n",
    "a minus": b"-1\r\n",
    "a plus": b"+1\r\nx\r\n",
    "hexadecimal with its prefix": b"0x1\r\nx\r\n",
    "an underscore": b"1_0\r\n",
    "a space before": b" 1\r\nx\r\n",
    "a space behind": b"1 \r\nx\r\n",
    "a size that wraps around": b"10000000000000001\r\nx\r\n",
    "a bare LF behind the size": b"1\nx\r\n",
    "a bare CR behind the size": b"1\rx\r\n",
    "a bare LF in an extension": b"1;a\nx\r\nb\r\n",
    "a bare CR in an extension": b"1;a\rb\r\nx\r\n",
    "NUL in an extension": b"1;a\0\r\nx\r\n",
    "CR LF in a quoted extension": b'1;a="\r\nx\r\n"\r\n',
    "an extension without a name": b"1;=a\r\nx\r\n",
    "an empty extension": b"1;\r\nx\r\n",
    "no extension at all": b"1,a\r\nx\r\n",
    "a chunk that is longer than its size": b"1\r\nxy\r\n",
    "two other octets behind a chunk": b"1\r\nxAB0\r\n\r\n",
    "a bare LF behind a chunk": b"1\r\nx\n0\r\n\r\n",
    "junk behind the last size": b"0junk\r\n\r\n",
    "a bare LF behind the last size": b"0\n\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a trailer that is no field": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a space before a trailer's colon": b"0\r\nA : b\r\n\r\n",
    "a bare CR in a trailer": b"0\r\nA: b\rc\r\n\r\n",
    "NUL in a trailer": b"0\r\nA: \0\r\n\r\n",
    "a bare LF behind a trailer": b"0\r\nA: b\n\r\n",
}
"""Bodies in no chunks at all."""

LINES = {
    "two spaces": b"GET  / HTTP/1.1",
    "a space before": b" GET / HTTP/1.1",
    "a space behind": b"GET / HTTP/1.1 ",
    "a tab": b"GET\t/ HTTP/1.1",
    "no version": b"GET /",
    "a space in the target": b"GET /a b HTTP/1.1",
    "a method that is no token": b"G(T / HTTP/1.1",
    "no method": b"/ HTTP/1.1",
    "lower-case HTTP": b"GET / http/1.1",
    "a long version": b"GET / HTTP/1.10",
    "a leading zero": b"GET / HTTP/01.1",
    "no minor version": b"GET / HTTP/1",
    "another protocol": b"GET / ICAP/1.0",
    "octets above ASCII": b"GET /\xe4 HTTP/1.1",
    "a fragment": b"GET /a#b HTTP/1.1",
    "a target without a slash": b"GET a HTTP/1.1",
    "an asterisk for another method": b"GET * HTTP/1.1",
    "an authority for another method": b"GET h:80 HTTP/1.1",
    "another scheme": b"GET ftp://h/ HTTP/1.1",
    "no host in the target": b"GET http:///a HTTP/1.1",
    "a port alone in the target": b"GET http://:80/a HTTP/1.1",
    "a login in the target": b"GET http://joe@h/ HTTP/1.1",
    "CONNECT without a port": b"CONNECT h HTTP/1.1",
    "CONNECT with a path": b"CONNECT h:25/a HTTP/1.1",
    "the preface of HTTP/2": b"PRI * HTTP/2.0",
}

HOSTS = {
    "none": b"",
    "two": b"Host: h\r\nHost: h\r\n",
    "a path": b"Host: h/a\r\n",
    "a query": b"Host: h?a\r\n",
    "a fragment": b"Host: h#a\r\n",
    "a login": b"Host: joe@h\r\n",
    "a space": b"Host: h h\r\n",
    "a comma's list": b"Host: h:80, i\r\n",
    "a port that is none": b"Host: h:x\r\n",
    "a port that is too large": b"Host: h:65536\r\n",
    "a port far too large": b"Host: h:00000000100000\r\n",
    "two ports": b"Host: h:80:80\r\n",
    "half an address": b"Host: [::1\r\n",
    "an address without brackets": b"Host: ::1\r\n",
    "octets above ASCII": b"Host: \xe4\r\n",
    "a bad escape": b"Host: a%zz\r\n",
    "a backslash": b"Host: h\\a\r\n",
}


class SmugglingTests(SynchronousTestCase):
    """One answer, and the end."""

    def setUp(self) -> None:
        self.asked: list[str] = []

    async def handler(self, request: Request) -> Response:
        """Notes what is asked, and reads the content."""
        self.asked.append(request.path)
        return Response(body=await request.body.whole(1_000_000))

    def check(self, name: str, data: bytes, *statuses: int) -> None:
        """``data`` gets one answer of those, whole and octet by octet, and the
        connection ends."""
        for size in (len(data), 1):
            talk = Talk(self.handler)
            said = b""
            for at in range(0, len(data), size):
                said += talk.send(data[at : at + size])

            self.assertEqual(1, said.count(b"HTTP/1.1 "), (name, said))
            self.assertIn(int(said[9:12]), statuses, name)
            self.assertTrue(talk.is_closed, name)
            self.assertIn(b"\r\nConnection: close\r\n", said, name)
        self.assertNotIn("/smuggled", self.asked, name)

    def test_framing(self) -> None:
        """Lengths and codings that may be read in two ways.  RFC 9112 6.1, 6.3."""
        for name, lines in list(FRAMING.items())[:-1]:
            head = b"POST / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n"
            status = 501 if name == "identity, then chunked" else 400
            self.check(name, head + b"0\r\n\r\n" + SMUGGLED, status)

    def test_other_names(self) -> None:
        """A name with an underscore is another name, and frames nothing."""
        lines = FRAMING["an underscore for a hyphen"]
        talk = Talk(self.handler)
        talk.send(b"POST / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n" + SMUGGLED)

        self.assertEqual(["/", "/smuggled"], self.asked)

    def test_old_clients(self) -> None:
        """HTTP/1.0 knows no transfer codings.  RFC 9112 6.1."""
        head = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.check("1.0", head + b"0\r\n\r\n" + SMUGGLED, 400)

    def test_chunks(self) -> None:
        """Chunks that may be read in two ways.  RFC 9112 7.1."""
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        for name, body in CHUNKS.items():
            self.check(name, head + body + SMUGGLED, 400)

    def test_request_lines(self) -> None:
        """Request lines that are none.  RFC 9112 3."""
        for name, line in LINES.items():
            data = line + b"\r\nHost: h\r\n\r\n" + SMUGGLED
            self.check(name, data, 505 if b"HTTP/2" in line else 400)

    def test_hosts(self) -> None:
        """No host, two of them, or what is none.  RFC 9112 3.2."""
        for name, lines in HOSTS.items():
            data = b"GET / HTTP/1.1\r\n" + lines + b"\r\n" + SMUGGLED
            self.check(name, data, 400)

    def test_target_before_host(self) -> None:
        """The host of an absolute target counts, whatever ``Host`` says.  RFC 9112
        3.2.2."""
        hosts: list[str] = []

        def handler(request: Request) -> Response:
            hosts.append(request.authority)
            return Response()

        talk = Talk(handler)
        talk.send(b"GET http://a.example:81/x HTTP/1.1\r\nHost: b.example\r\n\r\n")

        self.assertEqual(["a.example:81"], hosts)

    def test_body_of_get(self) -> None:
        """A GET with content is framed as any other request."""
        talk = Talk(self.handler)
        talk.send(
            b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b"
            % (len(SMUGGLED), SMUGGLED)
        )

        self.assertEqual(["/"], self.asked)
        self.assertFalse(talk.is_closed)

    def test_forbidden_trailers(self) -> None:
        """Trailers never become header fields, and such as frame or name a message are
        dropped.  RFC 9110 6.5.1."""
        seen: list[object] = []

        async def handler(request: Request) -> Response:
            await request.body.whole(100)
            seen.append((list(request.body.trailers), "digest" in request.fields))
            return Response()

        Talk(handler).send(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\nContent-Length: 9\r\nHost: x\r\nDigest: d\r\n"
            b"Transfer-Encoding: chunked\r\nAuthorization: b\r\n\r\n"
        )

        self.assertEqual([([("digest", "d")], False)], seen)

    def test_answer_before_the_body(self) -> None:
        """What follows a refused upload is never a request."""

        def refuse(request: Request) -> Response:
            self.asked.append(request.path)
            return Response(403)

        talk = Talk(refuse)
        said = talk.send(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + SMUGGLED
        )
        said += talk.send(SMUGGLED)

        self.assertEqual(["/"], self.asked)
        self.assertEqual(1, said.count(b"HTTP/1.1 "))
