"""What every request and response passes."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from netservices.http.layers.errors import ShowErrors
from netservices.http.layers.headers import SecurityHeaders
from netservices.http.layers.secure import RequireTLS
from netservices.http.settings import HTTPSettings
from netservices.interfaces import NotFound, QuotaExceeded, StoreUnavailable
from netservices.web.fields import Fields
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text


def raising(error: Exception) -> Callable[[Request], Answer]:
    """A handler that fails."""

    def handler(request: Request) -> Answer:
        raise error

    return handler


class ErrorTests(SynchronousTestCase):
    """Errors as their reader wants them."""

    def shown(self, error: Exception, accept: str = "") -> Response:
        """The response that an exception becomes."""
        fields = Fields([("accept", accept)] if accept else [])
        answer = ShowErrors()(Request("GET", "/", fields=fields), raising(error))
        assert isinstance(answer, Response)
        return answer

    def test_page(self) -> None:
        """A browser gets a page, with what was asked for as text."""
        browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        response = self.shown(Problem(403, "<b>no</b>"), browser)
        assert isinstance(response.body, bytes)

        self.assertEqual(403, response.status)
        self.assertEqual("text/html; charset=utf-8", response.get("Content-Type"))
        self.assertIn(b"&lt;b&gt;no&lt;/b&gt;", response.body)

    def test_json(self) -> None:
        """A program that asks for JSON gets a problem.  RFC 9457 3."""
        response = self.shown(Problem(404), "application/json;q=0.5, application/*")
        assert isinstance(response.body, bytes)

        self.assertEqual("application/problem+json", response.get("Content-Type"))
        self.assertEqual(404, json.loads(response.body)["status"])

    def test_text(self) -> None:
        """Others get a line of text, and the fields of the problem."""
        response = self.shown(Problem(405, fields=[("Allow", "GET")]))
        assert isinstance(response.body, bytes)

        self.assertEqual("GET", response.get("Allow"))
        self.assertTrue(response.body.startswith(b"405 Method Not Allowed\n"))
        self.assertEqual("Accept", response.get("Vary"))

    def test_services(self) -> None:
        """What file service and store fail with has its status."""
        for error, status in (
            (NotFound("x"), 404),
            (QuotaExceeded("x"), 507),
            (StoreUnavailable("x"), 503),
        ):
            response = self.shown(error)
            assert isinstance(response.body, bytes)
            self.assertEqual(status, response.status)
            self.assertNotIn(b"x\n", response.body)

    def test_bug(self) -> None:
        """A bug is 500 and tells the peer nothing; the log has it."""
        response = self.shown(ZeroDivisionError("secret"))
        assert isinstance(response.body, bytes)

        self.assertEqual(500, response.status)
        self.assertNotIn(b"secret", response.body)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_later(self) -> None:
        """A handler that fails later is answered, too."""

        def handler(request: Request) -> Answer:
            return fail(Problem(410))

        answer = ShowErrors()(Request("GET", "/"), handler)
        assert isinstance(answer, Deferred)

        self.assertEqual(410, self.successResultOf(answer).status)


class SecurityTests(SynchronousTestCase):
    """Fields and redirections for the safety of browsers."""

    def fields(self, scheme: str, *own: tuple[str, str], **settings: object) -> Fields:
        """The fields of a response that has ``own`` ones."""
        made = HTTPSettings(**settings)  # type: ignore[arg-type]
        request = Request("GET", "/", scheme=scheme)
        answer = SecurityHeaders(made)(request, lambda _: text("x", fields=own))
        assert isinstance(answer, Response)
        return Fields((name.lower(), value) for name, value in answer.fields)

    def test_added(self) -> None:
        """They are added where the handler has not said otherwise."""
        found = self.fields("http", ("X-Frame-Options", "DENY"), hsts=60.0)

        self.assertEqual("nosniff", found.get("x-content-type-options"))
        self.assertEqual("DENY", found.get("x-frame-options"))
        self.assertNotIn("strict-transport-security", found)

    def test_hsts(self) -> None:
        """Strict-Transport-Security comes with TLS only.  RFC 6797 7.2."""
        found = self.fields("https", hsts=60.0, hsts_subdomains=True)

        self.assertEqual(
            "max-age=60; includeSubDomains", found.get("strict-transport-security")
        )

    def redirected(self, method: str, path: str, host: str = "h") -> Response:
        """What plain HTTP gets where TLS is required."""
        layer = RequireTLS(HTTPSettings(require_tls=True), 8443)
        request = Request(method, path, host=host, port=8080, query="a=1")
        answer = layer(request, lambda _: text("x"))
        assert isinstance(answer, Response)
        return answer

    def test_require_tls(self) -> None:
        """Plain HTTP leads to the same place with TLS; 308 keeps the content."""
        got, put = self.redirected("GET", "/x"), self.redirected("PUT", "/x")

        self.assertEqual((301, 308), (got.status, put.status))
        self.assertEqual("https://h:8443/x?a=1", got.get("Location"))

    def test_stays_plain(self) -> None:
        """A check of the host for a certificate stays plain; without a host there is
        nothing to redirect to."""
        path = "/.well-known/acme-challenge/token"
        self.assertEqual(200, self.redirected("GET", path).status)
        with self.assertRaises(Problem) as caught:
            self.redirected("GET", "/", host="")
        self.assertEqual(426, caught.exception.status)
