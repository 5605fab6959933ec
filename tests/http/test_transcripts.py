"""The exchanges of textbooks, word by word."""

from __future__ import annotations

from collections.abc import AsyncIterator

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.handlers.whole import whole_server
from netservices.http.layers.errors import ShowErrors
from netservices.http.layers.moves import Moves
from netservices.web.cookies import SetCookie, add_cookie, parse_cookies
from netservices.web.handler import layered
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.http.conversations import assert_conversation
from tests.http.dav_kit import DAVHouse, basic
from tests.http.sites import SitesCase

PAGE = b"<html>\r\n<p>hello</p>\r\n</html>\r\n"
MODIFIED = 1_431_000_000.0


class SiteTests(SitesCase):
    """A browser, or somebody with telnet, and a site."""

    def setUp(self) -> None:
        super().setUp()
        self.put("sites/default/cs453/index.html", PAGE, MODIFIED)

    def play(self, transcript: str) -> None:
        """Play it against the sites, with moves and error pages."""
        moves = Moves(("/old/* /cs453/",))
        assert_conversation(transcript, layered([ShowErrors(), moves], self.site))

    def site(self, request: Request) -> Answer:
        """The sites, and the server as a whole."""
        return (whole_server if request.path == "*" else self.handler)(request)

    def test_telnet(self) -> None:
        """A request typed by hand."""
        self.play("""
            C: GET /cs453/index.html HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 200 OK
            S: Content-Type: text/html; charset=utf-8
            S: Last-Modified: Thu, 07 May 2015 12:00:00 GMT
            S: Accept-Ranges: bytes
            S: ETag: "..."
            S: ...
            S: Content-Length: 31
            S: Date: Wed, 18 Nov 2026 11:06:40 GMT
            S:
            S: <html>
            S: <p>hello</p>
            S: </html>
        """)

    def test_old_client(self) -> None:
        """HTTP/1.0: the connection ends behind the response."""
        self.play("""
            C: GET /cs453/index.html HTTP/1.0
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: Content-Length: 31
            S: Connection: close
            S: Date: ...
            S:
            S: <html>
            S: <p>hello</p>
            S: </html>
            S: <closes>
        """)

    def test_persistent(self) -> None:
        """Two requests on one connection, the second of which ends it."""
        self.play("""
            C: HEAD /cs453/ HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: Content-Length: 31
            S: Date: ...
            S:
            C: GET /cs453/ HTTP/1.1
            C: Host: gaia.example
            C: Connection: close
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: Connection: close
            S: ...
            S: </html>
            S: <closes>
        """)

    def test_conditional_get(self) -> None:
        """What has not changed is not sent again."""
        self.play("""
            C: GET /cs453/ HTTP/1.1
            C: Host: gaia.example
            C: If-Modified-Since: Thu, 07 May 2015 12:00:00 GMT
            C:
            S: HTTP/1.1 304 Not Modified
            S: ETag: "..."
            S: ...
            S: Date: Wed, 18 Nov 2026 11:06:40 GMT
            S:
            C: GET /cs453/ HTTP/1.1
            C: Host: gaia.example
            C: If-Modified-Since: Wednesday, 06-May-15 12:00:00 GMT
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: </html>
        """)

    def test_range(self) -> None:
        """A part of a file."""
        self.play("""
            C: GET /cs453/ HTTP/1.1
            C: Host: gaia.example
            C: Range: bytes=-9
            C:
            S: HTTP/1.1 206 Partial Content
            S: ...
            S: Content-Range: bytes 22-30/31
            S: Content-Length: 9
            S: ...
            S: </html>
        """)

    def test_moved(self) -> None:
        """301: it is elsewhere."""
        self.play("""
            C: GET /old/page.html HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 301 Moved Permanently
            S: Location: /cs453/
            S: ...
            C: GET /cs453 HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 301 Moved Permanently
            S: Location: /cs453/
            S: ...
        """)

    def test_bad_request(self) -> None:
        """400: the server does not understand."""
        self.play("""
            C: GETT ME THE PAGE
            C:
            S: HTTP/1.1 400 Bad Request
            S: Content-Type: text/plain; charset=utf-8
            S: Content-Length: 69
            S: Connection: close
            S: Date: ...
            S:
            S: 400 Bad Request
            S: The first line is no request such as GET / HTTP/1.1.
            S: <closes>
        """)

    def test_not_found(self) -> None:
        """404: there is no such thing here; the connection stays."""
        self.play("""
            C: GET /nothing HTTP/1.1
            C: Host: gaia.example
            C: Accept: text/plain
            C:
            S: HTTP/1.1 404 Not Found
            S: Content-Type: text/plain; charset=utf-8
            S: Vary: Accept
            S: ...
            S: Date: ...
            S:
            S: 404 Not Found
            S: There is nothing at this address.
            C: OPTIONS * HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 204 No Content
            S: Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS
            S: Date: ...
            S:
        """)

    def test_version(self) -> None:
        """505: a version that is not spoken here."""
        self.play("""
            C: GET / HTTP/2.0
            C: Host: gaia.example
            C:
            S: HTTP/1.1 505 HTTP Version Not Supported
            S: ...
            S: Connection: close
            S: ...
            S: 505 HTTP Version Not Supported
            S: HTTP/2.0 is not spoken here, only HTTP/1.0 and HTTP/1.1.
            S: <closes>
        """)

    def test_not_allowed(self) -> None:
        """405 tells what is; 501: nobody knows the method."""
        self.play("""
            C: DELETE /cs453/index.html HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 405 Method Not Allowed
            S: ...
            S: Allow: GET, HEAD, OPTIONS
            S: ...
            C: BREW /coffee HTTP/1.1
            C: Host: gaia.example
            C:
            S: HTTP/1.1 501 Not Implemented
            S: ...
        """)


class UploadTests(DAVHouse, SynchronousTestCase):
    """PUT, GET and DELETE of a file of one's own."""

    content = {"a": b"abc"}

    def test_put(self) -> None:
        """201 where something is made, 204 where it is changed or gone."""
        self.make_house()
        login = basic().strip()
        assert_conversation(
            f"""
            C: PUT /dav/new.txt HTTP/1.1
            C: Host: h
            C: Expect: 100-continue
            C: Content-Length: 7
            C: {login}
            C:
            S: HTTP/1.1 100 Continue
            S:
            C: hello
            S: HTTP/1.1 201 Created
            S: ...
            S:
            C: GET /dav/new.txt HTTP/1.1
            C: Host: h
            C: {login}
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: hello
            C: DELETE /dav/new.txt HTTP/1.1
            C: Host: h
            C: {login}
            C:
            S: HTTP/1.1 204 No Content
            S: ...
            S:
            C: GET /dav/new.txt HTTP/1.1
            C: Host: h
            C: {login}
            C:
            S: HTTP/1.1 404 Not Found
            S: ...
            """,
            lambda request: self.handle(request),
        )


class CookieTests(SynchronousTestCase):
    """A shop recognizes who comes again."""

    def test_cookie(self) -> None:
        """The first visit makes an identification number and an entry behind it; later
        visits are recognized."""
        entries: dict[str, int] = {}

        def shop(request: Request) -> Answer:
            number = parse_cookies(request.fields.get("cookie")).get("id", "")
            if number in entries:
                entries[number] += 1
                return text(f"visit {entries[number]}\r\n")
            entries.clear()
            entries["1678"] = 1
            response = Response(200, [], b"welcome\r\n")
            add_cookie(response, SetCookie("id", "1678", secure=False))
            return response

        assert_conversation(
            """
            C: GET /shop HTTP/1.1
            C: Host: amazon.example
            C:
            S: HTTP/1.1 200 OK
            S: Set-Cookie: id=1678; ...
            S: ...
            S: welcome
            C: GET /shop HTTP/1.1
            C: Host: amazon.example
            C: Cookie: id=1678
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: visit 2
            """,
            shop,
        )


class LongTests(SynchronousTestCase):
    """Content of unknown length."""

    def test_chunks(self) -> None:
        """A response in chunks, and a request in chunks."""

        async def doubled(request: Request) -> Response:
            content = await request.body.whole(100)

            async def twice() -> AsyncIterator[bytes]:
                yield content + content

            return Response(body=twice())

        assert_conversation(
            """
            C: POST /double HTTP/1.1
            C: Host: h
            C: Transfer-Encoding: chunked
            C:
            C: 2;kind=greeting
            C: hi
            C: 0
            C:
            S: HTTP/1.1 200 OK
            S: ...
            S: Transfer-Encoding: chunked
            S: ...
            S: 4
            S: hihi
            S: 0
            S:
            """,
            doubled,
        )
