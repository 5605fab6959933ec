"""Logins that come with each request."""

from __future__ import annotations

from netservices.accounts.credentials import (
    app_password_operations,
    credential_operations,
)
from netservices.units import DeleteAccount, RemoveCredential, UpdateAccount
from netservices.values import CredentialKind, Origin
from netservices.web.basic import parse_basic
from netservices.web.request import Request
from netservices.web.response import Response, text
from tests.accounts.workbench import CHEAP, PASSWORD
from tests.web.visits import SECURE, VisitsTestCase, basic

JOE = basic("joe", PASSWORD)


class ParseTests(VisitsTestCase):
    """What the field may hold.  RFC 7617 2."""

    def test_forms(self) -> None:
        """The first colon ends the login; the scheme may have any case; UTF-8 and
        ISO 8859-1 are understood."""
        self.assertEqual(
            ("Aladdin", b"open sesame"),
            parse_basic("bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        )
        self.assertEqual(
            ("test", "123£".encode()), parse_basic("Basic dGVzdDoxMjPCow==")
        )
        self.assertEqual(("test", "123£".encode()), parse_basic("Basic dGVzdDoxMjOj"))
        self.assertEqual(("a", b"b:c"), parse_basic(basic("a", "b:c")[1]))

    def test_nonsense(self) -> None:
        """Anything else is no login."""
        for value in (
            "",
            "Basic",
            "Basic !",
            "Basic YQ",
            "Basic YQ==",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            basic("a\n", "b")[1],
            basic("a", "b\0")[1],
            "Basic " + "A" * 100_000,
        ):
            self.assertIsNone(parse_basic(value), value[:60])


class BasicTests(VisitsTestCase):
    """Who gets in, and what the others hear."""

    def test_right(self) -> None:
        """The account is known to the handler; a second request costs no login."""
        self.assertEqual(b"joe@example.org", self.ask(JOE).body)
        self.assertEqual(b"joe@example.org", self.ask(JOE).body)
        self.assertEqual(1, len(self.events.named("login")))
        self.assertIsInstance(self.begin(self.request(JOE)), Response)

    def test_challenge(self) -> None:
        """Nobody, somebody unknown and a wrong password hear the same.  RFC 7617 2."""
        for fields in ((), (basic("joe", "wrong"),), (basic("nobody", "wrong"),)):
            response = self.ask(*fields)

            self.assertEqual(401, response.status)
            self.assertEqual(
                'Basic realm="the \\"house\\"", charset="UTF-8"',
                response.get("WWW-Authenticate"),
            )

    def test_public(self) -> None:
        """What wants no login is there with a wrong password, too."""
        self.handler = lambda request: text(str(request.account))

        self.assertEqual(b"None", self.ask(basic("joe", "wrong")).body)
        self.assertEqual(b"None", self.ask().body)

    def test_in_force_at_once(self) -> None:
        """A new password, a removed account, a disabled one: the next request knows."""
        number = self.wait(self.accounts.find("joe")).id
        self.ask(JOE)
        self.apply(*credential_operations(number, "another one", CHEAP))
        self.assertEqual(401, self.ask(JOE).status)

        other = basic("joe", "another one")
        self.assertEqual(200, self.ask(other).status)
        self.apply(UpdateAccount(number, is_enabled=False))
        self.assertEqual(401, self.ask(other).status)
        self.apply(UpdateAccount(number, is_enabled=True))
        self.assertEqual(200, self.ask(other).status)
        self.apply(DeleteAccount(number))
        self.assertEqual(401, self.ask(other).status)

    def test_app_password(self) -> None:
        """An app password for http counts, one for another protocol does not; one that
        was removed no longer does."""
        number = self.wait(self.accounts.find("joe")).id
        one, operations = app_password_operations(number, "dav", ["http"], CHEAP)
        self.apply(*operations)
        other, operations = app_password_operations(number, "mail", ["imap"], CHEAP)
        self.apply(*operations)

        self.assertEqual(200, self.ask(basic("joe", one)).status)
        self.assertEqual(401, self.ask(basic("joe", other)).status)
        for credential in self.wait(self.store.records.credentials(number)):
            if credential.kind is CredentialKind.APP_PASSWORD:
                self.apply(RemoveCredential(number, credential.id))
        self.assertEqual(401, self.ask(basic("joe", one)).status)

    def test_plaintext(self) -> None:
        """Without TLS no password is taken from afar, and none asked for."""
        afar = Origin("http", "192.0.2.1", is_secure=False)
        here = Origin("http", "127.0.0.1", is_secure=False)

        response = self.ask(JOE, origin=afar)
        self.assertEqual((403, ""), (response.status, response.get("WWW-Authenticate")))
        self.assertEqual(200, self.ask(JOE, origin=here).status)

    def test_lock_out(self) -> None:
        """Guesses are counted with those of other protocols; who is locked out is told
        for how long."""
        for number in range(self.limits.settings.login_failures):
            self.limits.may_try("joe@example.org", SECURE.address)
            self.limits.failed("joe@example.org", SECURE.address, number)

        response = self.ask(JOE)
        self.assertEqual(429, response.status)
        self.assertTrue(response.get("Retry-After").isdigit())

    def test_at_once(self) -> None:
        """Requests that come together cost one login, and each gets its answer."""
        requests = [self.begin(self.request(JOE)) for _ in range(5)]

        self.assertEqual(
            [b"joe@example.org"] * 5,
            [
                r.body if isinstance(r, Response) else self.wait(r).body
                for r in requests
            ],
        )
        self.assertEqual(1, len(self.events.named("login")))

    def test_lasting(self) -> None:
        """A response to somebody who has logged in is for him alone."""

        class Always:
            def is_current(self, now: float) -> bool:
                """It is."""
                return True

        def lasting(request: Request) -> Response:
            return Response(lasting=Always())

        self.handler = lasting
        self.assertIsNotNone(self.ask().lasting)
        self.assertIsNone(self.ask(JOE).lasting)
