"""SASL exchanges over the accounts service: our clients against our server."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from netservices.accounts.credentials import app_password_operations
from netservices.accounts.exchange import Success
from netservices.accounts.sasl import Challenge
from netservices.accounts.sasl_client import (
    ClientMechanism,
    ExternalClient,
    LoginClient,
    PlainClient,
    ScramClient,
)
from netservices.core.deferreds import value_of
from netservices.core.errors import Refused, SyntaxProblem
from netservices.interfaces import LoginRefused
from netservices.units import CreateAccount, PutCredential, UpdateAccount
from netservices.values import Account, CredentialKind
from tests.accounts.workbench import AFAR, CHEAP, PASSWORD, AccountsTestCase

BINDING = {"tls-server-end-point": b"digest"}


class ExchangeTestCase(AccountsTestCase):
    """Plays exchanges to their end."""

    def play(
        self,
        client: ClientMechanism,
        has_initial_response: bool = True,
        has_success_data: bool = False,
        **options: Any,
    ) -> Account:
        """The account that the server arrives at."""
        exchange = self.accounts.exchange(
            client.name, AFAR, has_success_data=has_success_data, **options
        )
        first = client.start()
        if has_initial_response or first is None:
            outcome = self.wait(exchange.start(first))
        else:
            self.assertEqual(Challenge(b""), self.wait(exchange.start(None)))
            outcome = self.wait(exchange.step(first))
        while isinstance(outcome, Challenge):
            outcome = self.wait(exchange.step(client.step(outcome.data)))
        assert isinstance(outcome, Success)
        client.finish(outcome.data)
        self.assertRaises(SyntaxProblem, self.wait, exchange.step(b"more"))
        return outcome.account


class MechanismTests(ExchangeTestCase):
    """Every mechanism, from both sides."""

    def test_all(self) -> None:
        """
        Every mechanism logs joe in, with and without an initial response, with and
        without room for data in the success.
        """
        binding = next(iter(BINDING.items()))
        for login in ("joe", "Joe@example.org"):
            for make, arguments, options in (
                (PlainClient, (login, PASSWORD), {}),
                (LoginClient, (login, PASSWORD), {}),
                (ScramClient, (login, PASSWORD), {}),
                (ScramClient, (login, PASSWORD, binding), {"bindings": BINDING}),
                (ExternalClient, (), {"identity": login}),
            ):
                for initial, data in ((True, False), (False, True)):
                    client = make(*arguments)
                    account = self.play(client, initial, data, **options)
                    self.assertEqual("joe@example.org", account.login)

    def test_wrong_password(self) -> None:
        """
        A wrong password is refused by every mechanism, and counted.
        """
        for client in (PlainClient, LoginClient, ScramClient):
            for login in ("joe", "nobody", "..", "joe@nowhere.example"):
                error = self.assertRaises(LoginRefused, self.play, client(login, "no"))
                self.assertFalse(error.is_temporary)
            self.clock.advance(3600)
        self.assertEqual(12, len(self.events.named("login_refused")))

    def test_scram_salts_tell_nothing(self) -> None:
        """
        Logins that do not exist have a salt like others, the same one each time, also
        after a restart, in whatever form the login is written.
        """

        def ask(login: str) -> list[bytes]:
            exchange = self.accounts.exchange("SCRAM-SHA-256", AFAR)
            message = b"n,,n=%s,r=abc" % login.encode()
            outcome = self.wait(exchange.start(message))
            fields: list[bytes] = outcome.data.split(b",")
            return fields[1:]

        joe, nobody = ask("joe"), ask("nobody")
        self.assertEqual(list(map(len, joe)), list(map(len, nobody)))
        self.assertEqual(joe[1], nobody[1])
        self.assertNotEqual(joe, nobody)
        self.assertEqual(nobody, ask("NOBODY@example.org"))
        self.wait(self.accounts.stop())
        self.start(CHEAP)
        self.assertEqual([joe, nobody], [ask("joe"), ask("nobody")])

    def test_scram_and_disabled_accounts(self) -> None:
        """
        A right proof does not open a disabled account or an expired password.
        """
        joe = self.account("joe")
        self.apply(UpdateAccount(joe.id, is_enabled=False))
        self.assertRaises(LoginRefused, self.play, ScramClient("joe", PASSWORD))
        self.apply(UpdateAccount(joe.id, is_enabled=True))
        self.play(ScramClient("joe", PASSWORD))
        [keys] = [
            found.secret
            for found in value_of(self.store.records.credentials(joe.id))
            if found.kind is CredentialKind.SCRAM_SHA_256
        ]
        kind = CredentialKind.SCRAM_SHA_256
        self.apply(PutCredential(joe.id, kind, keys, expires=0.0))
        self.assertRaises(LoginRefused, self.play, ScramClient("joe", PASSWORD))

    def test_scram_is_locked_out_too(self) -> None:
        """
        Wrong proofs lock out like wrong passwords; a right one is then refused.
        """
        for _ in range(10):
            exchange = self.accounts.exchange("SCRAM-SHA-256", AFAR)
            client = ScramClient("joe", "wrong")
            challenge = self.wait(exchange.start(client.start()))
            deferred = exchange.step(client.step(challenge.data))
            self.clock.advance(16)
            self.assertRaises(LoginRefused, self.wait, deferred)
        error = self.assertRaises(LoginRefused, self.play, ScramClient("joe", PASSWORD))
        self.assertEqual(900, error.retry_after)

    def test_one_exchange_is_one_attempt(self) -> None:
        """
        After a wrong proof the exchange is over: one challenge serves one guess.
        """
        exchange = self.accounts.exchange("SCRAM-SHA-256", AFAR)
        client = ScramClient("joe", "wrong")
        final = client.step(self.wait(exchange.start(client.start())).data)

        self.assertRaises(LoginRefused, self.wait, exchange.step(final))
        self.assertRaises(SyntaxProblem, self.wait, exchange.step(final))

    def test_unfinished_scram_counts_nothing(self) -> None:
        """
        Asking for a salt and leaving is no failure, and takes no memory.
        """
        for number in range(1000):
            exchange = self.accounts.exchange("SCRAM-SHA-256", AFAR)
            value_of(exchange.start(b"n,,n=u%d,r=abc" % number))
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])

    def test_nonsense(self) -> None:
        """
        Nonsense is a syntax error, and counts nothing.
        """
        exchange = self.accounts.exchange("SCRAM-SHA-256", AFAR)
        self.wait(exchange.start(b"n,,n=joe,r=abc"))
        self.assertRaises(SyntaxProblem, self.wait, exchange.step(b"c=,"))
        plain = self.accounts.exchange("PLAIN", AFAR)
        self.assertRaises(SyntaxProblem, self.wait, plain.start(b"nonsense"))
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])

    def test_non_ascii_password(self) -> None:
        """
        A password that SASLprep changes, and one that it does not know, both work.
        """
        for password in ("Ⅸ roman numerals", "\U0001f600 grinning face"):
            self.wait(self.accounts.set_password(self.account("joe").id, password))
            self.play(PlainClient("joe", password))
            self.play(ScramClient("joe", password))

    def test_app_password(self) -> None:
        """
        PLAIN takes an app password of its protocol.
        """
        password, operations = app_password_operations(
            self.account("joe").id, "phone", ("imap",), CHEAP
        )
        self.apply(*operations)
        self.play(PlainClient("joe", password))


class AuthorizationTests(ExchangeTestCase):
    """Nobody acts as somebody else; RFC 4422 3.4.1."""

    def test_oneself(self) -> None:
        """
        Every form of one's own login is fine.
        """
        for wished in ("joe", "JOE", "joe@example.org"):
            for client in (
                PlainClient("joe", PASSWORD, wished),
                ScramClient("joe", PASSWORD, authorization=wished),
            ):
                self.assertEqual("joe", self.play(client).name)
            account = self.play(ExternalClient(wished), identity="joe@example.org")
            self.assertEqual("joe", account.name)

    def test_others(self) -> None:
        """
        Others are refused, also to admins.
        """
        for wished in ("joe", "joe@example.org", "nobody", "..", "ann@example.com"):
            for client, options in (
                (PlainClient("ann", PASSWORD, wished), {}),
                (ScramClient("ann", PASSWORD, authorization=wished), {}),
                (ExternalClient(wished), {"identity": "ann"}),
            ):
                self.assertRaises(LoginRefused, self.play, client, **options)
                self.clock.advance(3600)


class OfferTests(ExchangeTestCase):
    """What is offered where."""

    def test_offer(self) -> None:
        """
        Passwords where they may travel, -PLUS with binding data, EXTERNAL with a
        certificate; strongest first.
        """
        plain = evolve(AFAR, is_secure=False)
        for origin, bindings, identity, offered in (
            (plain, None, "", "SCRAM-SHA-256"),
            (AFAR, None, "", "SCRAM-SHA-256 PLAIN LOGIN"),
            (AFAR, BINDING, "", "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
            (AFAR, None, "joe", "SCRAM-SHA-256 EXTERNAL PLAIN LOGIN"),
        ):
            found = self.accounts.mechanisms(origin, bindings, identity)
            self.assertEqual(offered.split(), list(found))

    def test_not_offered(self) -> None:
        """
        What is not offered cannot be had; names are compared without letter case.
        """
        plain = evolve(AFAR, is_secure=False)
        for name in ("PLAIN", "EXTERNAL", "SCRAM-SHA-256-PLUS", "CRAM-MD5", ""):
            self.assertRaises(LookupError, self.accounts.exchange, name, plain)
        self.assertEqual(
            "SCRAM-SHA-256", self.accounts.exchange("scram-sha-256", plain).name
        )

    def test_settings(self) -> None:
        """
        ``accounts.mechanisms`` restricts the offer; without SCRAM no keys are kept.
        """
        self.start(evolve(CHEAP, mechanisms=("PLAIN",)))
        self.assertEqual(("PLAIN",), self.accounts.mechanisms(AFAR))
        self.apply(CreateAccount("new", "example.org"))
        new = self.account("new")
        self.wait(self.accounts.set_password(new.id, PASSWORD))
        found = value_of(self.store.records.credentials(new.id))
        self.assertEqual([CredentialKind.PASSWORD], [c.kind for c in found])

    def test_downgrade(self) -> None:
        """
        A client that says it saw no -PLUS, where it is offered, is refused.
        """
        client = ScramClient("joe", PASSWORD, flag="y")
        self.assertRaises(Refused, self.play, client, bindings=BINDING)
