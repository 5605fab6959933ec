"""Pages of accounts, apart from what else is on a host."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from netservices.http.layers.apart import SANDBOX, AccountPages
from netservices.http.options import check_host
from netservices.http.settings import HTTPSettings
from netservices.web.pages import page
from netservices.web.request import Request
from netservices.web.response import Response, text


class AccountPagesTests(SynchronousTestCase):
    """The layer."""

    def answer(
        self, path: str, response: Response | None = None, **settings: Any
    ) -> Response:
        """What becomes of ``response``, or of an HTML page, at ``path``."""
        layer = AccountPages(attrs.evolve(HTTPSettings(), **settings))
        request = Request("GET", path, host="example.org", port=8080)
        found = response or text("<b>", media_type="text/html")
        answer = layer(request, lambda request: found)
        assert isinstance(answer, Response)
        return answer

    def policy(self, *args: Any, **settings: Any) -> str:
        """The Content-Security-Policy of it."""
        return self.answer(*args, **settings).get("Content-Security-Policy")

    def test_sandbox(self) -> None:
        """What accounts show runs as a stranger, however its path is spelt."""
        for path in ("/~joe/", "/%7Ejoe/x.svg", "//~joe/", "/a/../~joe/x.html"):
            answer = self.answer(path)

            self.assertEqual(SANDBOX, answer.get("Content-Security-Policy"), path)
            self.assertEqual("nosniff", answer.get("X-Content-Type-Options"))

    def test_not_same_origin(self) -> None:
        """The sandbox has no hole: with ``allow-same-origin`` it would be none."""
        self.assertNotIn("same-origin", SANDBOX)

    def test_sites(self) -> None:
        """Sites are what their owner says; so is a path with a tilde elsewhere."""
        for path in ("/", "/x~y.html", "/a/~joe/", "/%2e%2e/%00"):
            self.assertEqual("", self.policy(path), path)

    def test_own_policy(self) -> None:
        """A page of ours has a policy that is stricter, and keeps it."""
        ours = page("error", 404, reason="Not Found", detail="", home=True)

        self.assertNotIn("sandbox", self.policy("/~joe/", ours))

    def test_pdf(self) -> None:
        """Browsers show PDF in a viewer that does not start in a sandbox."""
        document = Response(200, [("Content-Type", "application/pdf")])

        self.assertEqual("", self.policy("/~joe/x.pdf", document))

    def test_switched_off(self) -> None:
        """Who trusts all accounts may do without."""
        self.assertEqual("", self.policy("/~joe/", account_sandbox=False))

    def test_host(self) -> None:
        """With a host of their own, pages of accounts are shown there only."""
        answer = self.answer("/~joe/x?a=b", account_host="pages.example.org")

        self.assertEqual(307, answer.status)
        self.assertEqual(
            "http://pages.example.org:8080/~joe/x?a=b", answer.get("Location")
        )
        self.assertEqual(200, self.answer("/", account_host="p.example.org").status)

    def test_on_their_host(self) -> None:
        """There they are in no sandbox."""
        answer = self.answer("/~joe/", account_host="example.org")

        self.assertEqual(200, answer.status)
        self.assertEqual("", answer.get("Content-Security-Policy"))

    def test_names_of_hosts(self) -> None:
        """A setting that is no name of a host is refused."""
        for text_ in ("", "pages.example.org", "localhost"):
            check_host(text_)
        for text_ in ("Pages.example.org", "a b", "https://a", "a:80", "-a"):
            self.assertRaises(ValueError, check_host, text_)
