"""Requests that other sites make browsers send."""

from __future__ import annotations

from netservices.web.csrf import ForgeryCheck, check_origin, parse_origin
from netservices.web.request import Request
from netservices.web.response import Response, text
from tests.web.visits import VisitsTestCase

EVIL = "https://evil.example"


async def keep(request: Request) -> Response:
    """Reads a form and changes the session."""
    content = await request.body.whole(100_000)
    request.session.set("a", 1)
    return text(content.decode() + request.session.form_token)


class OriginTests(VisitsTestCase):
    """What browsers tell of the page that sent a request."""

    def test_parse(self) -> None:
        """Ports that are the scheme's go without saying."""
        for one, expected in (
            ("https://Example.org", ("https", "example.org", 443)),
            ("http://example.org:8080", ("http", "example.org", 8080)),
            ("http://[::1]:80", ("http", "::1", 80)),
            ("null", None),
            ("https://example.org/", None),
            ("https://a@example.org", None),
            ("https://example.org:99999999", None),
            ("ftp://example.org", None),
            ("", None),
        ):
            self.assertEqual(expected, parse_origin(one), one)
        self.assertRaises(ValueError, check_origin, "example.org")

    def test_table(self) -> None:
        """The first of the fields that is there decides."""
        self.handler = keep
        for fields, status in (
            ({}, 200),
            ({"sec-fetch-site": "same-origin"}, 200),
            ({"sec-fetch-site": "none"}, 200),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"sec-fetch-site": "cross-site", "origin": "https://h"}, 403),
            ({"sec-fetch-site": "cross-site", "origin": "https://friend.example"}, 200),
            ({"sec-fetch-site": "", "origin": EVIL}, 403),
            ({"sec-fetch-site": "nonsense"}, 403),
            ({"origin": "https://h"}, 200),
            ({"origin": "https://h:443"}, 200),
            ({"origin": "https://H"}, 200),
            ({"origin": "http://h"}, 403),
            ({"origin": "https://h:8443"}, 403),
            ({"origin": "https://h.evil.example"}, 403),
            ({"origin": "https://h@evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": EVIL, "referer": "https://h/"}, 403),
            ({"origin": "https://friend.example"}, 200),
            ({"referer": "https://h/page?x"}, 200),
            ({"referer": "https://h"}, 200),
            ({"referer": f"{EVIL}/https://h/"}, 403),
            ({"referer": "about:blank"}, 403),
        ):
            self.assertEqual(status, self.post("", *fields.items()).status, fields)

    def test_safe(self) -> None:
        """What changes nothing may come from everywhere, but no WebSocket."""
        self.handler = lambda request: text("read")
        evil = ("sec-fetch-site", "cross-site"), ("origin", EVIL)
        for method in ("GET", "HEAD", "OPTIONS", "PROPFIND"):
            self.assertEqual(200, self.ask(*evil, method=method).status)
        for method in ("POST", "PUT", "DELETE", "MKCOL", "LOCK", "get"):
            self.assertEqual(403, self.ask(*evil, method=method).status)
        self.assertEqual(403, self.ask(*evil, ("upgrade", "websocket")).status)

    def test_exempt(self) -> None:
        """Where everybody may send something, everybody may."""
        self.handler = keep
        self.check_origin = ForgeryCheck((), lambda request: request.path == "/hook")

        evil = ("origin", EVIL)
        self.assertEqual(200, self.post("", evil, path="/hook").status)
        self.assertEqual(403, self.post("", evil, path="/other").status)


class TokenTests(VisitsTestCase):
    """Browsers that tell nothing."""

    def setUp(self) -> None:
        """One of them has a session."""
        super().setUp()
        self.handler = keep
        response = self.post("")
        self.cookie = "cookie", response.get("Set-Cookie").partition(";")[0]
        self.token = bytes(response.body).decode()  # type: ignore[arg-type]

    def test_token(self) -> None:
        """With a session they show the token of its forms, in the form or beside it,
        and the handler still gets the whole form."""
        self.assertEqual(403, self.post("b=1", self.cookie).status)
        form = f"b=1&form_token={self.token.replace('=', '%3D')}&c=2"
        response = self.post(form, self.cookie)
        self.assertEqual(200, response.status)
        self.assertTrue(bytes(response.body).startswith(form.encode()))  # type: ignore[arg-type]
        beside = "x-csrf-token", self.token
        self.assertEqual(200, self.post("b=1", self.cookie, beside).status)

    def test_other_token(self) -> None:
        """The token of another session, an old one or nonsense is none; each time it
        looks otherwise."""
        other = bytes(self.post("").body).decode()  # type: ignore[arg-type]
        for token in (other, "", "x", "é", self.token[:-4], "A" * 44, "A" * 10_000):
            beside = "x-csrf-token", token
            self.assertEqual(403, self.post("", self.cookie, beside).status, token)
        response = self.post("", self.cookie, ("x-csrf-token", self.token))
        self.assertNotEqual(self.token, bytes(response.body).decode())  # type: ignore[arg-type]

    def test_too_long(self) -> None:
        """A long form is not read for its token."""
        self.assertEqual(413, self.post("a=" + "x" * 70_000, self.cookie).status)
