"""The layer of access rules, between those who visit and what they want."""

from __future__ import annotations

from typing import Any

from netservices.http.layers.access import AccessRules
from netservices.http.rules import Rules
from netservices.units import UpdateAccount
from netservices.values import Origin
from netservices.web.handler import answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response, text
from tests.accounts.workbench import PASSWORD
from tests.web.visits import VisitsTestCase, basic

JOE, ANN = basic("joe", PASSWORD), basic("ann", PASSWORD)
LAB = Origin("http", "10.0.0.1", is_secure=True)


class Always:
    """A response that holds for ever."""

    def is_current(self, now: float) -> bool:
        """It does."""
        return True


class AccessTests(VisitsTestCase):
    """Rules, and what peers hear of them."""

    def rules(self, *lines: str) -> None:
        """The lines from now on."""
        layer = AccessRules(Rules(lines), "/-/")
        layer.default_domain = "example.org"
        self.served: list[str] = []

        def serve(request: Request) -> Answer:
            self.served.append(request.path)
            if request.path.endswith("missing"):
                raise Problem(404)
            return Response(body=b"here", lasting=Always())

        self.handler = lambda request: answer_of(lambda one: layer(one, serve), request)

    def get(self, path: str, *fields: tuple[str, str], **changes: Any) -> int:
        """The status of a request."""
        return self.ask(*fields, path=path, **changes).status

    def test_existence_is_not_told(self) -> None:
        """What is there and what is not look alike to who may see neither; nothing is
        looked for."""
        self.rules("* /in/ login", "* /shut/ deny")

        for path, status in (("/in/", 401), ("/shut/", 403)):
            there, missing = self.ask(path=f"{path}a"), self.ask(path=f"{path}missing")
            self.assertEqual(status, there.status)
            self.assertEqual(there.status, missing.status)
            self.assertEqual(there.fields, missing.fields)
            self.assertEqual(there.body, missing.body)
        self.assertEqual([], self.served)

    def test_accounts_and_groups(self) -> None:
        """Logins, with and without their domain, and groups as they are now."""
        self.rules("* /in/ deny", "joe /in/ allow", "@staff /in/ allow")
        self.assertEqual(401, self.get("/in/a"))
        self.assertEqual(200, self.get("/in/a", JOE))
        self.assertEqual(403, self.get("/in/a", ANN))
        self.apply(UpdateAccount(self.account("ann").id, groups=("staff",)))
        self.assertEqual(200, self.get("/in/a", ANN))

    def test_what_lasts(self) -> None:
        """A response that a rule lets pass by path alone lasts; by login or network it
        does not, and no shared cache may keep it."""
        self.rules("* /a/ allow GET", "* /b/ login", "10.0.0.0/8 /c/ allow")

        response = self.ask(path="/a/x")
        self.assertIsNotNone(response.lasting)
        self.assertEqual("", response.get("Cache-Control"))
        for path, fields in (("/b/x", (JOE,)), ("/c/x", ())):
            response = self.ask(*fields, path=path, origin=LAB)
            self.assertIsNone(response.lasting)
            self.assertEqual("private, no-cache", response.get("Cache-Control"))

    def test_network(self) -> None:
        """Who comes from elsewhere is refused, with or without a login."""
        self.rules("* /c/ deny", "10.0.0.0/8 /c/ allow")

        self.assertEqual(403, self.get("/c/x", JOE))
        self.assertEqual(200, self.get("/c/x", origin=LAB))

    def test_encoded_slashes(self) -> None:
        """What an application may take for a slash is one for the rules, too."""
        self.rules("* /app/admin/ deny")
        for path, status in (
            ("/app/admin%2Fx", 403),
            ("/app%2Fadmin%2fx", 403),
            ("/app/x%2F..%2Fadmin", 403),
            ("/app/x/..%2f..%2fapp%2fadmin", 403),
            ("/app/..%2F..%2F..%2Fadmin", 400),
            ("/app/x%2Fadmin", 200),
        ):
            self.assertEqual(status, self.get(path), path)

    def test_where_people_log_in(self) -> None:
        """Who has to log in can; who may not come at all cannot."""
        self.rules("* / deny", "@staff / allow")
        self.assertEqual(401, self.get("/x"))
        self.assertEqual(200, self.get("/-/login"))
        self.assertEqual(403, self.get("/x", JOE))
        self.assertEqual(200, self.get("/-/logout", JOE))
        self.rules("* / deny", "10.0.0.0/8 / login")
        self.assertEqual(403, self.get("/-/login"))
        self.assertEqual(200, self.get("/-/login", origin=LAB))

    def test_copies_and_moves(self) -> None:
        """What leads into a place, or takes it along, needs its rights."""
        self.rules("* /dav/ login", "* /dav/shut/ read-only", "* /dav/x/secret/ deny")
        for method, path, target, status in (
            ("COPY", "/dav/shut/a", "/dav/a", 200),
            ("MOVE", "/dav/shut/a", "/dav/a", 403),
            ("COPY", "/dav/a", "https://h/dav/shut/a", 403),
            ("MOVE", "/dav/a", "/dav/%73hut/a", 403),
            ("MOVE", "/dav/a", "/dav/y/../shut/a", 403),
            ("COPY", "/dav/x", "/dav/y", 403),
            ("MOVE", "/dav/a", "/dav/b", 200),
            ("MOVE", "/dav/a", "http://[", 200),
            ("DELETE", "/dav/", "", 403),
            ("DELETE", "/dav/y", "", 200),
            ("PROPFIND", "/dav/", "", 403),
        ):
            fields = (JOE, ("destination", target))
            found = self.get(path, *fields, method=method)
            self.assertEqual(status, found, (method, path, target))

    def test_whole_server(self) -> None:
        """OPTIONS of the server itself is about no path."""
        self.rules("* / deny")

        self.assertEqual(200, self.get("*", method="OPTIONS"))

    def test_any_origin(self) -> None:
        """Where all sites may send something, a request from one passes."""
        layer = AccessRules(Rules(["* /hook any-origin"]), "")
        request = self.request(path="/hook/x")

        self.assertTrue(layer.takes_any_origin(request))
        self.assertFalse(layer.takes_any_origin(self.request(path="/x")))
        self.assertEqual(b"ok", layer(request, lambda one: text("ok")).body)  # type: ignore[union-attr]
