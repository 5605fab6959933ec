"""Pages that a site has for errors."""

from __future__ import annotations

from typing import Any

from netservices.http.layers.errors import ShowErrors
from netservices.web.handler import layered
from tests.http.sites import SitesCase

BROWSER = {"Accept": "text/html,*/*;q=0.8"}


class OwnPageTests(SitesCase):
    """``404.html`` and such in the root of a site."""

    def setUp(self) -> None:
        super().setUp()
        files: Any = self.handler
        errors = ShowErrors(self.sites.error_page)
        self.handler: Any = layered([errors], files)

    def asked(self, path: str, **fields: str) -> tuple[int, bytes]:
        """Status and content of a response."""
        status, _fields, content = self.ask(path, **fields)
        return status, content

    def test_own_page(self) -> None:
        """A browser gets the page of the site, with the status of the error."""
        self.put("sites/default/404.html", b"<p>Lost?")

        self.assertEqual((404, b"<p>Lost?"), self.asked("/x", **BROWSER))
        status, content = self.asked("/x")
        self.assertEqual(404, status)
        self.assertNotIn(b"Lost?", content)

    def test_of_its_own(self) -> None:
        """Each site has its own, and so have the pages of an account."""
        self.people.add("alice")
        self.put("files/alice@example.org/www/404.html", b"alice's")
        self.put("sites/default/404.html", b"default's")

        self.assertEqual((404, b"alice's"), self.asked("/~alice/x", **BROWSER))
        self.assertEqual((404, b"default's"), self.asked("/~bob/x", **BROWSER))

    def test_too_long(self) -> None:
        """A page that is too long is not shown."""
        self.put("sites/default/404.html", bytes(300_000))

        self.assertIn(b"Not Found", self.asked("/x", **BROWSER)[1])
