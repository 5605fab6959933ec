"""The pages on which people log in and out."""

from __future__ import annotations

from urllib.parse import urlencode

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from netservices.accounts.credentials import app_password_operations
from netservices.http.handlers.login import LoginPages, local_target
from netservices.units import UpdateAccount
from netservices.values import Origin
from netservices.web.authentication import Authentication
from netservices.web.request import Request
from netservices.web.response import Response
from tests.accounts.workbench import CHEAP, PASSWORD
from tests.web.visits import SECURE, VisitsTestCase, basic, whoami

BROWSER = ("accept", "text/html,*/*;q=0.8")


class LoginTestCase(VisitsTestCase):
    """A site with a page that wants a login, and the pages to log in."""

    def setUp(self) -> None:
        """Nobody has logged in."""
        super().setUp()
        self.pages = LoginPages("/-/", self.accounts, self.events, self.clock.seconds)
        self.authentication = Authentication(
            self.accounts, self.logins, "house", self.pages.leads_here
        )

        def route(request: Request) -> object:
            if request.path.startswith("/-/"):
                return self.pages(request.below(1))
            return whoami(request)

        self.handler = route  # type: ignore[assignment]

    def log_in(
        self,
        login: str = "joe",
        password: str = PASSWORD,
        target: str = "/x",
        **more: str,
    ) -> Response:
        """Send the form."""
        form = urlencode({"login": login, "password": password, "next": target})
        fields = [(name, value) for name, value in more.items()]
        return self.post(form, *fields, path="/-/login")

    def cookie_of(self, response: Response) -> tuple[str, str]:
        """What the browser sends from now on."""
        return "cookie", response.get("Set-Cookie").partition(";")[0]


class LoginTests(LoginTestCase):
    """In and out again."""

    def test_round(self) -> None:
        """A page sends people to the form, the form back to the page, and the logout
        ends it."""
        first = self.ask(BROWSER, path="/x", query="y=1&z")
        self.assertEqual(303, first.status)
        self.assertEqual("/-/login?next=/x%3Fy%3D1%26z", first.get("Location"))
        form = self.ask(BROWSER, path="/-/login", query="next=/x%3Fy%3D1%26z")
        self.assertEqual(200, form.status)
        self.assertIn(b'name="next" value="/x?y=1&amp;z"', form.body)
        self.assertEqual("no-store", form.get("Cache-Control"))

        response = self.log_in()
        self.assertEqual((303, "/x"), (response.status, response.get("Location")))
        cookie = self.cookie_of(response)
        self.assertEqual(b"joe@example.org", self.ask(cookie, path="/x").body)
        self.assertIn(b"joe@example.org", self.ask(cookie, path="/-/login").body)

        self.clock.advance(60)
        left = self.post("", cookie, ("origin", "https://h"), path="/-/logout")
        self.assertEqual((303, "/-/login"), (left.status, left.get("Location")))
        self.assertEqual(401, self.ask(cookie, path="/x").status)
        self.assertEqual(
            ["password"], [e["method"] for e in self.events.named("login")]
        )
        [event] = self.events.named("logout")
        self.assertEqual(
            ("joe@example.org", 60.0, "s1"),
            (event["account"], event["seconds"], event["session"]),
        )

    def test_programs(self) -> None:
        """Who is no browser that looks at a page is asked for a password instead."""
        for fields in (
            (),
            (("accept", "*/*"),),
            (BROWSER, basic("joe", "wrong")),
            (BROWSER, ("sec-fetch-mode", "cors")),
        ):
            self.assertEqual(401, self.ask(*fields, path="/x").status, fields)
        self.assertEqual(401, self.ask(BROWSER, path="/x", method="PUT").status)

    def test_wrong(self) -> None:
        """A wrong password, an unknown login, an app password and a disabled account
        get one and the same answer, and no session."""
        number = self.account("joe").id
        app, operations = app_password_operations(number, "dav", ["http"], CHEAP)
        self.apply(*operations)
        self.apply(UpdateAccount(self.account("ann").id, is_enabled=False))
        for login, password in (
            ("joe", "wrong"),
            ("nobody", "wrong"),
            ("", ""),
            ("joe", app),
            ("ann", PASSWORD),
        ):
            response = self.log_in(login, password)

            self.assertEqual(403, response.status)
            self.assertIn(b"not the right name or password", response.body)
            self.assertEqual("", response.get("Set-Cookie"))
            self.assertNotIn(b"wrong", bytes(response.body).lower())  # type: ignore[arg-type]

    def test_markup(self) -> None:
        """What somebody types is shown, not obeyed."""
        response = self.log_in('"><script>', "x", '/"><script>')

        self.assertNotIn(b"<script", response.body)
        self.assertIn(b"&#34;&gt;&lt;script&gt;", response.body)

    def test_locked_out(self) -> None:
        """Who has guessed too often is told how long to wait."""
        for number in range(self.limits.settings.login_failures):
            self.limits.may_try("joe@example.org", SECURE.address)
            self.limits.failed("joe@example.org", SECURE.address, number)
        response = self.log_in()

        self.assertEqual(429, response.status)
        self.assertTrue(response.get("Retry-After").isdigit())
        self.assertIn(b"try again in 15 minutes", response.body)

    def test_forged(self) -> None:
        """Another site logs nobody in or out."""
        evil = {"origin": "https://evil.example"}
        self.assertEqual(403, self.log_in(**evil).status)
        cookie = self.cookie_of(self.log_in())
        self.post("", cookie, *evil.items(), path="/-/logout")
        self.ask(cookie, path="/-/logout")

        self.assertEqual(b"joe@example.org", self.ask(cookie, path="/x").body)

    def test_old_browser(self) -> None:
        """The page's own form logs out where a browser tells nothing of itself."""
        cookie = self.cookie_of(self.log_in())
        self.assertEqual(403, self.post("", cookie, path="/-/logout").status)
        form = bytes(self.ask(cookie, path="/-/logout").body).decode()  # type: ignore[arg-type]
        token = form.partition('name="form_token" value="')[2].partition('"')[0]
        content = urlencode({"form_token": token})

        self.assertEqual(303, self.post(content, cookie, path="/-/logout").status)
        self.assertEqual(401, self.ask(cookie, path="/x").status)

    def test_without_tls(self) -> None:
        """Far away and without TLS nobody is asked for a password."""
        afar = Origin("http", "192.0.2.1", is_secure=False)
        for fields in ((BROWSER,), ()):
            response = self.ask(*fields, path="/x", scheme="http", origin=afar)
            self.assertEqual(403, response.status)
        for method in ("GET", "POST"):
            request = evolve(self.request(method=method, path="/-/login"), origin=afar)
            self.handler = lambda _, request=request: self.pages(request.below(1))
            self.assertEqual(403, self.ask().status)

    def test_methods(self) -> None:
        """Only forms are taken, and nothing else is here."""
        self.assertEqual(405, self.ask(path="/-/login", method="PUT").status)
        self.assertEqual(405, self.ask(path="/-/logout", method="DELETE").status)
        self.assertEqual(404, self.ask(path="/-/other").status)
        self.assertEqual(415, self.ask(path="/-/login", method="POST").status)
        self.assertEqual(413, self.post("x" * 20_000, path="/-/login").status)
        self.assertEqual(400, self.post("a&" * 2000, path="/-/login").status)

    def test_fixation(self) -> None:
        """The session that a browser had is not the one that has logged in."""

        def begin(request: Request) -> Response:
            request.session.set("cart", ["tea"])
            return Response()

        route, self.handler = self.handler, begin
        before = self.cookie_of(self.ask())
        self.handler = route
        after = self.cookie_of(self.log_in(cookie=before[1], origin="https://h"))

        self.assertNotEqual(before, after)
        self.assertEqual(401, self.ask(before, path="/x").status)
        self.handler = lambda request: Response(
            body=str(request.session["cart"]).encode()
        )
        self.assertEqual(b"['tea']", self.ask(after).body)

    def test_replaced_meanwhile(self) -> None:
        """A password that is replaced while it is verified opens no session."""
        number = self.account("joe").id
        login = self.accounts.log_in_by_password

        async def slow(*words: object, **more: object) -> object:
            account = await login(*words, **more)  # type: ignore[arg-type]
            await self.accounts.set_password(number, "battery staple")
            return account

        self.patch(self.accounts, "log_in_by_password", slow)
        cookie = self.cookie_of(self.log_in())

        self.assertEqual(401, self.ask(cookie, path="/x").status)


class TargetTests(LoginTestCase):
    """Where a login leads."""

    def test_own_paths(self) -> None:
        """Paths of this host are kept."""
        for path in ("/", "/x", "/x/y?z=1&a=/b#c", "/%2F/x", "/a:b@c"):
            self.assertEqual(path, local_target(path))

    def test_elsewhere(self) -> None:
        """Everything else leads home."""
        for text in (
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " /x",
            "/x\r\nSet-Cookie: a=b",
            "/\t/evil.example",
            "/\x00",
            "/é",
            "///evil.example",
            "/x\\y",
            "/" * 5000,
        ):
            self.assertEqual("/", local_target(text), text)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.text("/\\.:@?#%ax\t\n ", max_size=12))
    def test_no_other_host(self, text: str) -> None:
        """Whatever is asked for, a browser stays on this host."""
        target = local_target(text)

        self.assertTrue(target.startswith("/"))
        self.assertNotIn(target[1:2], ("/", "\\"))
