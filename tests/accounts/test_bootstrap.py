"""The first start."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.bootstrap import FirstAccount, first_start
from netservices.accounts.passwords import verify_password
from netservices.core.deferreds import value_of
from netservices.interfaces import OutcomeUnknown
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateDomain, Unit
from tests.accounts.workbench import CHEAP


class FirstStartTests(SynchronousTestCase):
    """An empty store gets a domain and an administrator, once."""

    def setUp(self) -> None:
        """An empty store."""
        self.store = SQLiteStore(None, StoreSettings(), None)
        value_of(self.store.open())

    def first_start(self, hostname: str) -> FirstAccount | None:
        """What the first start made."""
        return value_of(first_start(self.store, hostname, CHEAP))

    def test_empty_store(self) -> None:
        """
        The domain is the host name, the account an admin, its password the one shown.
        """
        first = self.first_start("Host.Example.ORG.")

        assert first is not None
        self.assertEqual("admin@host.example.org", first.login)
        account = value_of(self.store.records.account("admin", "host.example.org"))
        assert account is not None
        self.assertTrue(account.is_admin)
        secrets = value_of(self.store.records.credentials(account.id))
        self.assertEqual(2, len(secrets))
        self.assertTrue(verify_password(secrets[0].secret, first.password.encode()))
        self.assertNotIn(first.password, repr(first))

    def test_once(self) -> None:
        """
        A store with a domain is left as it is.
        """
        value_of(self.store.apply(Unit((CreateDomain("example.com"),))))

        self.assertIsNone(self.first_start("host.example.org"))
        self.assertEqual((), value_of(self.store.records.accounts()))

    def test_twice(self) -> None:
        """
        The second start makes nothing.
        """
        self.first_start("host.example.org")
        self.assertIsNone(self.first_start("host.example.org"))

    def test_hostnames_that_are_no_domain(self) -> None:
        """
        A host name that is no domain name gives ``localhost``.
        """
        first = self.first_start("my_host!")
        assert first is not None
        self.assertEqual("admin@localhost", first.login)

    def test_race(self) -> None:
        """
        Of two processes that start at once, one creates.
        """
        real = self.store.records.domains
        self.patch(
            self.store.records, "domains", lambda: real().addCallback(lambda _: ())
        )
        self.assertIsNotNone(self.first_start("host.example.org"))
        self.assertIsNone(self.first_start("host.example.org"))

    def test_outcome_unknown(self) -> None:
        """
        A commit whose outcome is unknown is retried with its token: the password that
        is shown is the one that is stored.
        """
        apply = self.store.apply
        answers: list[Deferred[object]] = [fail(OutcomeUnknown("the disk hiccuped"))]

        def hiccup(unit: Unit) -> Deferred[object]:
            done = apply(unit)
            return answers.pop() if answers else done

        self.patch(self.store, "apply", hiccup)
        first = value_of(first_start(self.store, "a.example", evolve(CHEAP)))
        assert first is not None
        account = value_of(self.store.records.account("admin", "a.example"))
        assert account is not None
        secrets = value_of(self.store.records.credentials(account.id))
        self.assertTrue(verify_password(secrets[0].secret, first.password.encode()))
