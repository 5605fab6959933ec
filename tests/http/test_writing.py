"""PUT and DELETE on sites and on the pages of accounts."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.http.backend import Sites
from netservices.http.handlers.files import FilesHandler
from netservices.http.handlers.writing import SiteWriting
from netservices.http.layers.access import AccessRules
from netservices.http.rules import Rules
from netservices.http.settings import HTTPSettings
from netservices.http.visitors import authentication_of
from netservices.units import CreateAccount, Unit
from netservices.web.handler import layered
from tests.ftp.memory import NOW, known_secrets
from tests.http.dav_kit import DAVHouse
from tests.http.talk import Talk


class WritingTests(DAVHouse, SynchronousTestCase):
    """A site, and the pages of alice."""

    content = {"www/index.html": b"old", "private": b"secret"}
    access = ("alice /in/ write PUT DELETE", "bob /in/shut/ write PUT")

    def setUp(self) -> None:
        """Bob is there, too."""
        super().setUp()
        bob = CreateAccount("bob", "example.org", secrets=known_secrets())
        value_of(self.store.apply(Unit((bob,))))
        self.site = os.path.join(self.state, "sites", "default")
        os.makedirs(os.path.join(self.site, "in", "shut"))
        self.serve()

    def serve(self, **changes: Any) -> None:
        """With these settings."""
        settings = HTTPSettings(**changes)
        services: Any = self.services()
        sites = Sites(settings, self.files, self.accounts, services.clock.seconds)
        rules = AccessRules(Rules(self.access), "")
        rules.default_domain = "example.org"
        writing = SiteWriting(
            settings,
            services,
            sites,
            rules,
            FilesHandler(sites, services.clock.seconds),
            lambda: NOW,
        )
        self.handle = layered([authentication_of(services), rules], writing)

    def talk_http(self) -> Talk:
        """A connection."""
        return Talk(self.handle)

    def assert_status(self, status: int, method: str, path: str, **more: Any) -> None:
        """A request has that status."""
        said = self.ask(method, path, b"new" if method == "PUT" else None, **more)
        self.assertEqual(status, said.status, f"{method} {path}: {said.body!r}")

    def test_own_pages(self) -> None:
        """Who has pages changes them, and they are seen at once."""
        self.assertEqual(b"old", self.ask("GET", "/~alice/").body)
        self.assert_status(204, "PUT", "/~alice/index.html")
        self.assertEqual(b"new", self.ask("GET", "/~alice/").body)
        said = self.ask("PUT", "/~alice/more.html", b"")
        self.assertEqual("/~alice/more.html", said.fields["location"])
        self.assert_status(204, "DELETE", "/~alice/more.html")
        self.assert_status(404, "GET", "/~alice/more.html")

    def test_conditions(self) -> None:
        """The entity tag of GET counts for PUT."""
        etag = self.ask("GET", "/~alice/index.html").fields["etag"]
        self.assert_status(412, "PUT", "/~alice/index.html", If_Match='"x"')
        self.assert_status(204, "PUT", "/~alice/index.html", If_Match=etag)

    def test_nothing_else(self) -> None:
        """Nothing leads to the rest of the home, and the root stays."""
        for path in ("/~alice/../private", "/~alice/%2e%2e/private", "/~alice/.x"):
            self.assertIn(self.ask("PUT", path, b"").status, (401, 403, 404, 405), path)
        self.assert_status(405, "DELETE", "/~alice/")
        self.assertEqual(b"secret", self.content_of("private"))

    def test_others_pages(self) -> None:
        """Others do not: 401 who has not logged in, 403 who has."""
        self.assert_status(403, "PUT", "/~alice/index.html", login="bob")
        self.assert_status(401, "PUT", "/~alice/index.html", login="nobody")
        self.serve(account_uploads=False)
        self.assert_status(405, "PUT", "/~alice/index.html")

    def test_allowed(self) -> None:
        """OPTIONS tells where it is possible at all."""
        for path, expected in (
            ("/~alice/index.html", True),
            ("/in/x", True),
            ("/out", False),
        ):
            allow = self.ask("OPTIONS", path).fields["allow"].split(", ")
            self.assertEqual(expected, "PUT" in allow, path)
            self.assertIn("GET", allow)

    def test_site(self) -> None:
        """On a site a rule must name the method, and the person."""
        self.assert_status(405, "PUT", "/out")
        self.assert_status(201, "PUT", "/in/new")
        self.assertEqual(b"new", self.ask("GET", "/in/new").body)
        self.assert_status(403, "PUT", "/in/new", login="bob")
        self.assert_status(401, "PUT", "/in/new", login="nobody")
        self.assert_status(201, "PUT", "/in/shut/new", login="bob")
        self.assert_status(204, "DELETE", "/in/new")
        self.assertEqual(["shut"], os.listdir(os.path.join(self.site, "in")))
