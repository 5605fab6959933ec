"""Twisted cred, both ways."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from attrs import evolve
from twisted.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from netservices.accounts.cred import (
    AccountsChecker,
    AccountsRealm,
    ForeignChecker,
    foreign_checker,
)
from netservices.core.errors import ConfigurationError
from netservices.interfaces import LoginRefused, StoreUnavailable
from netservices.units import UpdateAccount
from netservices.values import Account
from tests.accounts.workbench import AFAR, CHEAP, HERE, PASSWORD, AccountsTestCase


class IShell(Interface):
    """An avatar of a test."""


class IOther(Interface):
    """An avatar that nobody makes."""


class PortalTests(AccountsTestCase):
    """A Twisted portal over our accounts."""

    def setUp(self) -> None:
        """A portal that makes avatars of ``IShell``."""
        super().setUp()
        self.logouts = 0
        checker = AccountsChecker(self.accounts, HERE)
        realm = AccountsRealm(self.accounts, {IShell: self.make})
        verifyObject(ICredentialsChecker, checker)
        verifyObject(IRealm, realm)
        self.portal = Portal(realm, [checker])

    def make(self, account: Account, mind: object) -> tuple[Any, Any]:
        """The avatar, and what ends its session."""

        def logout() -> None:
            self.logouts += 1

        return ("shell of", account.login, mind), logout

    def portal_login(self, name: bytes, password: bytes, *interfaces: Any) -> Any:
        """Log in through the portal."""
        credentials = UsernamePassword(name, password)
        return self.wait(self.portal.login(credentials, "mind", *interfaces))

    def test_login(self) -> None:
        """
        The avatar is made for the account, by the first interface that we know.
        """
        interface, avatar, logout = self.portal_login(
            b"Joe", PASSWORD.encode(), IOther, IShell
        )
        logout()

        self.assertIs(IShell, interface)
        self.assertEqual(("shell of", "joe@example.org", "mind"), avatar)
        self.assertEqual(1, self.logouts)

    def test_refused(self) -> None:
        """
        Wrong passwords and non-UTF-8 logins are unauthorized; unknown interfaces are
        not implemented.
        """
        for name, password in ((b"joe", b"wrong"), (b"\xff", b"x"), (b"", b"")):
            self.assertRaises(
                UnauthorizedLogin, self.portal_login, name, password, IShell
            )
        self.assertRaises(
            NotImplementedError, self.portal_login, b"joe", PASSWORD.encode(), IOther
        )

    def test_temporary(self) -> None:
        """
        Our own trouble is a failed login, but not an unauthorized one.
        """

        def unavailable(*args: object) -> None:
            raise StoreUnavailable("no disk")

        self.patch(self.store.records, "account", unavailable)
        error = self.assertRaises(
            LoginFailed, self.portal_login, b"joe", PASSWORD.encode(), IShell
        )
        self.assertNotIsInstance(error, UnauthorizedLogin)

    def test_origin(self) -> None:
        """
        Credentials that know where they come from are counted there.
        """
        credentials = UsernamePassword(b"joe", PASSWORD.encode())
        credentials.origin = AFAR
        self.wait(self.portal.login(credentials, None, IShell))

        self.assertEqual("imap", self.events.named("login")[0]["protocol"])

    def test_anonymous(self) -> None:
        """
        Anonymous has no avatar among accounts.
        """
        realm = AccountsRealm(self.accounts, {IShell: self.make})
        deferred = realm.requestAvatar(ANONYMOUS, None, IShell)
        self.failureResultOf(deferred, UnauthorizedLogin)


class ForeignCheckerTests(AccountsTestCase):
    """An existing checker as a further source of truth."""

    def plug(self, create: bool = False) -> None:
        """A service that also asks a checker which knows joe, jim and ftp."""
        self.start(evolve(CHEAP, create_from_checker=create))
        known = InMemoryUsernamePasswordDatabaseDontUse(
            joe=b"other pass", jim=b"other pass", ftp=b"other pass"
        )
        self.accounts._proofs.checker = ForeignChecker(known)

    def test_both_passwords_count(self) -> None:
        """
        Joe gets in with ours and with the other source's password, not with a third.
        """
        self.plug()
        self.login("joe")
        self.login("joe@example.org", "other pass")
        self.assertRaises(LoginRefused, self.login, "joe", "third pass")
        self.assertRaises(LoginRefused, self.login, "ann", "other pass")

    def test_account_must_exist(self) -> None:
        """
        Who has no account here stays out, unless accounts are created from the checker.
        """
        self.plug()
        self.assertRaises(LoginRefused, self.login, "jim", "other pass")
        self.plug(create=True)
        self.assertEqual("jim@example.org", self.login("jim", "other pass").login)
        self.assertEqual("jim@example.org", self.account("jim").login)
        self.assertRaises(LoginRefused, self.login, "ftp", "other pass")

    def test_disabled(self) -> None:
        """
        The other source does not open a disabled account, and its wrong passwords lock
        out like ours.
        """
        self.plug()
        self.apply(UpdateAccount(self.account("joe").id, is_enabled=False))
        self.assertRaises(LoginRefused, self.login, "joe", "other pass")

    def test_broken_checker(self) -> None:
        """
        A checker that breaks is our trouble; nobody is locked out for it.
        """

        @implementer(ICredentialsChecker)
        class Broken:
            credentialInterfaces = (IUsernamePassword,)  # noqa: N815

            def requestAvatarId(self, credentials: Any) -> Any:  # noqa: N802
                raise OSError("LDAP is away")

        self.accounts._proofs.checker = ForeignChecker(Broken())
        error = self.assertRaises(LoginRefused, self.login, "joe", "some pass")
        self.assertTrue(error.is_temporary)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])

    def test_anonymous_vouches_for_nobody(self) -> None:
        """
        A checker that answers ANONYMOUS has vouched for nobody.
        """
        self.accounts._proofs.checker = ForeignChecker(AllowAnonymousAccess())
        self.assertRaises(LoginRefused, self.login, "joe", "some pass")

    def test_setting(self) -> None:
        """
        ``accounts.checker`` takes what ``twistd --auth`` takes, here a file.
        """
        with NamedTemporaryFile("w") as file:
            file.write("joe:from a file\n")
            file.flush()
            self.start(evolve(CHEAP, checker=f"file:{file.name}"))
            self.login("joe", "from a file")

    def test_bad_setting(self) -> None:
        """
        What cannot be a checker is a configuration error that names the setting.
        """
        self.assertIsNone(foreign_checker(""))
        for bad in ("nonsense:x", "nonsense", "file:/nowhere/at/all", "anonymous"):
            error = self.assertRaises(ConfigurationError, foreign_checker, bad)
            self.assertIn("accounts.checker", str(error))
