"""The accounts service: logins by password."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from zope.interface.verify import verifyObject

from netservices.accounts import proofs
from netservices.accounts.credentials import (
    app_password_operations,
    credential_operations,
)
from netservices.accounts.passwords import BadPassword, hash_password, verify_password
from netservices.core.deferreds import value_of
from netservices.core.settings import Duration, Size
from netservices.interfaces import IAccounts, LoginRefused, StoreUnavailable
from netservices.units import (
    CreateAccount,
    CreateDomain,
    DeleteAccount,
    PutCredential,
    RemoveCredential,
    UpdateAccount,
)
from netservices.values import Credential, CredentialKind, Origin
from tests.accounts.workbench import (
    AFAR,
    CHEAP,
    HERE,
    PASSWORD,
    AccountsTestCase,
)


class LoginTests(AccountsTestCase):
    """Who gets in."""

    def test_interface(self) -> None:
        """
        The service provides all of ``IAccounts``.
        """
        verifyObject(IAccounts, self.accounts)

    def test_forms_of_a_login(self) -> None:
        """
        ``name`` is in the default domain; case, width and the final dot do not matter.
        """
        self.apply(
            CreateDomain("xn--bcher-kva.example"),
            CreateAccount("jürgen", "xn--bcher-kva.example"),
        )
        for login in ("joe", "JOE", " joe ", "joe@example.org", "Joe@EXAMPLE.ORG."):
            self.assertEqual("joe@example.org", self.login(login).login)
        found = self.wait(self.accounts.find("Jürgen@Bücher.example"))
        self.assertEqual("jürgen@xn--bcher-kva.example", found.login)
        self.assertIsNone(self.wait(self.accounts.find("nobody")))
        self.assertIsNone(self.wait(self.accounts.find("..@@\0")))

    def test_default_domain_changes(self) -> None:
        """
        ``name`` is looked for in the oldest domain, also when it came after the start.
        """
        self.assertEqual("joe@example.org", self.login("joe").login)
        self.apply(CreateDomain("example.com"), CreateAccount("joe", "example.com"))
        self.assertEqual("joe@example.org", self.login("joe").login)

    def test_refused(self) -> None:
        """
        Wrong passwords, unknown logins, nonsense and floods are refused, none as
        temporary.
        """
        for login, password in (
            ("joe", "wrong"),
            ("joe", ""),
            ("joe", "x" * 5000),
            ("nobody", PASSWORD),
            ("joe@example.com", PASSWORD),
            ("joe@", PASSWORD),
            ("", PASSWORD),
            ("\0", PASSWORD),
            ("@" * 5000, PASSWORD),
        ):
            refusal = self.assertRaises(LoginRefused, self.login, login, password)
            self.assertFalse(refusal.is_temporary)
            self.clock.advance(3600)

    def test_not_utf_8(self) -> None:
        """
        A password in another encoding is a wrong one.
        """
        deferred = self.accounts.login("joe", b"\xe4\xf6\xff", HERE)
        self.assertRaises(LoginRefused, self.wait, deferred)

    def test_equal_passwords(self) -> None:
        """
        Composed and decomposed forms of a password are one; RFC 8265 4.2.
        """
        self.wait(self.accounts.set_password(self.account("joe").id, "e\u0301tudes!"))
        self.assertTrue(self.login("joe", "\u00e9tudes!"))

    def test_same_work_for_unknown_logins(self) -> None:
        """
        An unknown login, one without password, a disabled one and nonsense cost the
        same reads and hashes as a wrong password: one.
        """
        self.apply(
            CreateAccount("empty", "example.org"),
            UpdateAccount(self.account("ann").id, is_enabled=False),
        )
        for number in range(5):
            _, operations = app_password_operations(
                self.account("joe").id, f"app{number}", (), CHEAP
            )
            self.apply(*operations)
        work: list[str] = []
        self._count_work(work)
        seen = []
        for login, password in (
            ("joe", "wrong"),
            ("joe", "wron-gwro-ngwr-ongw-rong"),
            ("joe", "x" * 2000),
            ("nobody", "wrong"),
            ("empty", "wrong"),
            ("ann", "wrong"),
            ("ann", PASSWORD),
            ("joe@example.net", "wrong"),
            ("..", "wrong"),
        ):
            work.clear()
            self.assertRaises(LoginRefused, self.login, login, password)
            seen.append(sorted(work))
            self.clock.advance(3600)

        self.assertEqual([["account", "credentials", "hash"]] * len(seen), seen)

    def _count_work(self, work: list[str]) -> None:
        def counted(name: str, function: Any) -> Any:
            def call(*args: Any) -> Any:
                work.append(name)
                return function(*args)

            return call

        self.patch(proofs, "verify_password", counted("hash", verify_password))
        records = self.store.records
        self.patch(records, "account", counted("account", records.account))
        self.patch(records, "credentials", counted("credentials", records.credentials))

    def test_dummy_costs_what_a_real_hash_costs(self) -> None:
        """
        The hash that unknown logins are verified against has today's parameters.
        """
        hashes: list[bytes] = []

        def keep(secret: bytes, password: bytes) -> bool:
            hashes.append(secret)
            return verify_password(secret, password)

        self.patch(proofs, "verify_password", keep)
        self.assertRaises(LoginRefused, self.login, "joe", "wrong")
        self.assertRaises(LoginRefused, self.login, "nobody", "wrong")

        real, dummy = (secret.split(b"$") for secret in hashes)
        self.assertEqual(real[:4], dummy[:4])
        self.assertEqual(list(map(len, real)), list(map(len, dummy)))

    def test_plaintext(self) -> None:
        """
        Without TLS a password travels on this machine only, or never, or always; what
        is refused for that is not counted, and not looked at.
        """
        afar = evolve(AFAR, is_secure=False)
        unix = Origin("ftp", "/run/x.sock", is_secure=False)
        for rule, refused in (
            ("never", [HERE, unix, afar]),
            ("loopback", [afar]),
            ("always", []),
        ):
            self.start(evolve(CHEAP, allow_plaintext=rule))
            for origin in (HERE, unix, afar, AFAR):
                self.assertEqual(
                    origin not in refused, self.accounts.may_use_plaintext(origin)
                )
                if origin in refused:
                    self.assertRaises(LoginRefused, self.login, "joe", PASSWORD, origin)
                else:
                    self.login("joe", PASSWORD, origin)
            self.assertEqual(0, self.limits.statistics()["failure_tallies"])

    def test_disabled_and_deleted(self) -> None:
        """
        What an admin does counts at the next login, also with a cached password.
        """
        joe = self.account("joe")
        self.login("joe")
        self.apply(UpdateAccount(joe.id, is_enabled=False))
        refusal = self.assertRaises(LoginRefused, self.login, "joe")
        self.assertEqual("account disabled", str(refusal))
        self.apply(UpdateAccount(joe.id, is_enabled=True))
        self.login("joe")
        self.apply(DeleteAccount(joe.id))
        self.assertRaises(LoginRefused, self.login, "joe")

    def test_expired(self) -> None:
        """
        A credential counts until it expires.
        """
        secret = hash_password(PASSWORD.encode(), CHEAP)
        kind = CredentialKind.PASSWORD
        joe = self.account("joe").id
        self.apply(PutCredential(joe, kind, secret, expires=100.0))
        self.login("joe")
        self.clock.advance(100)
        refusal = self.assertRaises(LoginRefused, self.login, "joe")
        self.assertEqual("credential expired", str(refusal))

    def test_store_trouble(self) -> None:
        """
        A store that cannot answer is a temporary refusal, and nobody's failure.
        """

        def unavailable(*args: object) -> None:
            raise StoreUnavailable("the disk is on fire")

        self.login("joe")
        self.patch(self.store.records, "account", unavailable)
        refusal = self.assertRaises(LoginRefused, self.login, "joe")
        self.assertTrue(refusal.is_temporary)
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])


class AppPasswordTests(AccountsTestCase):
    """Passwords for single programs."""

    def add(self, *protocols: str, expires: float | None = None) -> str:
        """A new app password of joe."""
        password, operations = app_password_operations(
            self.account("joe").id, "phone", protocols, CHEAP, expires
        )
        self.apply(*operations)
        return password

    def test_protocols(self) -> None:
        """
        It counts in its protocols only; the event names it.
        """
        password = self.add("imap", "smtp")

        self.login("joe", password, AFAR)
        refusal = self.assertRaises(LoginRefused, self.login, "joe", password, HERE)

        self.assertEqual("app password not for ftp", str(refusal))
        self.assertEqual("phone", self.events.named("login")[0]["label"])

    def test_all_protocols(self) -> None:
        """
        Without protocols it counts in all; another account's does not.
        """
        password = self.add()
        self.login("joe", password, HERE)
        self.login("joe", password, AFAR)
        self.assertRaises(LoginRefused, self.login, "ann", password)

    def test_replaced_removed_expired(self) -> None:
        """
        A new one with the same label replaces the old one; removed and expired ones do
        not count, also where they were cached.
        """
        first = self.add()
        self.login("joe", first)
        second = self.add(expires=50.0)
        self.assertRaises(LoginRefused, self.login, "joe", first)
        self.login("joe", second)
        self.clock.advance(50)
        self.assertRaises(LoginRefused, self.login, "joe", second)
        third = self.add()
        self.login("joe", third)
        self.apply(RemoveCredential(self.account("joe").id, self._id_of_app()))
        self.assertRaises(LoginRefused, self.login, "joe", third)

    def _id_of_app(self) -> int:
        found: tuple[Credential, ...] = value_of(
            self.store.records.credentials(self.account("joe").id)
        )
        kind = CredentialKind.APP_PASSWORD
        return next(c.id for c in found if c.kind is kind)

    def test_main_password_stays(self) -> None:
        """
        App passwords come beside the password, also one of their form.
        """
        self.wait(
            self.accounts.set_password(
                self.account("joe").id, "aaaa-bbbb-cccc-dddd-eeee"
            )
        )
        self.add()
        self.login("joe", "aaaa-bbbb-cccc-dddd-eeee")


class PasswordChangeTests(AccountsTestCase):
    """New passwords, and old ones stored anew."""

    def test_change(self) -> None:
        """
        The old password does not count any more, although it was cached.
        """
        self.login("joe")
        self.wait(self.accounts.set_password(self.account("joe").id, "battery staple"))

        self.login("joe", "battery staple")
        self.assertRaises(LoginRefused, self.login, "joe", PASSWORD)

    def test_change_by_another_process(self) -> None:
        """
        Without a notice of change the old password does not count either.
        """
        self.patch(self.accounts._proofs, "changed", lambda notices: None)
        self.login("joe")
        self.apply(
            *credential_operations(self.account("joe").id, "battery staple", CHEAP)
        )
        self.assertRaises(LoginRefused, self.login, "joe", PASSWORD)

    def test_generation(self) -> None:
        """
        Each new password begins a generation; an app password does not.
        """
        joe = self.account("joe").id
        self.assertEqual(0, self.wait(self.accounts.generation(joe)))
        self.wait(self.accounts.set_password(joe, "battery staple"))
        _, operations = app_password_operations(joe, "phone", (), CHEAP)
        self.apply(*operations)

        self.assertEqual(1, self.wait(self.accounts.generation(joe)))

    def test_person(self) -> None:
        """
        Where a person logs in, an app password is refused, and counted as wrong.
        """
        joe = self.account("joe").id
        password, operations = app_password_operations(joe, "phone", (), CHEAP)
        self.apply(*operations)
        asked = self.accounts.login("joe", password.encode(), HERE, is_person=True)

        self.assertRaises(LoginRefused, self.wait, asked)
        asked = self.accounts.login("joe", PASSWORD.encode(), HERE, is_person=True)
        self.assertEqual("joe@example.org", self.wait(asked).login)

    def test_bad_passwords(self) -> None:
        """
        Short, endless and untypable passwords are refused.
        """
        joe = self.account("joe").id
        for bad in ("short", "x" * 2000, "tab\tulator", "\ud800surrogate"):
            self.assertRaises(
                BadPassword, self.wait, self.accounts.set_password(joe, bad)
            )

    def test_parameters_grow(self) -> None:
        """
        A login stores the password with the parameters of today, once.
        """
        self.start(evolve(CHEAP, argon2_time=2, argon2_memory=Size(16384)))
        self.login("joe")
        self.wait(self.accounts.stop())
        found = value_of(self.store.records.credentials(self.account("joe").id))
        [secret] = [c.secret for c in found if c.kind is CredentialKind.PASSWORD]

        self.assertIn(b"m=16,t=2,p=1", secret)
        revision = self.account("joe").revision
        self.start(evolve(CHEAP, argon2_time=2, argon2_memory=Size(16384)))
        self.login("joe")
        self.wait(self.accounts.stop())
        self.assertEqual(revision, self.account("joe").revision)

    def test_scram_keys_are_added(self) -> None:
        """
        An account without SCRAM keys gets them at its next login.
        """
        secret = hash_password(PASSWORD.encode(), CHEAP)
        self.apply(
            CreateAccount(
                "old", "example.org", secrets=((CredentialKind.PASSWORD, secret),)
            )
        )
        self.login("old")
        self.wait(self.accounts.stop())
        found = value_of(self.store.records.credentials(self.account("old").id))
        kinds = {credential.kind for credential in found}
        self.assertIn(CredentialKind.SCRAM_SHA_256, kinds)

    def test_change_wins_over_renewal(self) -> None:
        """
        A password set while the old one is being stored anew stays.
        """
        self.start(evolve(CHEAP, argon2_time=2))
        joe = self.account("joe")
        self.login("joe")
        self.apply(*credential_operations(joe.id, "battery staple", CHEAP))
        self.wait(self.accounts.stop())
        self.start(CHEAP)
        self.login("joe", "battery staple")
        self.assertRaises(LoginRefused, self.login, "joe", PASSWORD)


class CacheTests(AccountsTestCase):
    """Verified passwords need no second hash for a while."""

    def hashes(self) -> list[bytes]:
        """A list that grows by one with each verification."""
        seen: list[bytes] = []

        def keep(secret: bytes, password: bytes) -> bool:
            seen.append(secret)
            return verify_password(secret, password)

        self.patch(proofs, "verify_password", keep)
        return seen

    def test_hit_and_end(self) -> None:
        """
        The second login costs no hash; after ``cache_seconds`` it does.
        """
        seen = self.hashes()
        for _ in range(10):
            self.login("joe")
        self.assertEqual(1, len(seen))
        self.clock.advance(300)
        self.login("joe")
        self.assertEqual(2, len(seen))

    def test_wrong_passwords_are_not_cached(self) -> None:
        """
        A wrong password is verified each time.
        """
        seen = self.hashes()
        for _ in range(3):
            self.assertRaises(LoginRefused, self.login, "joe", "wrong")
            self.clock.advance(3600)
        self.assertEqual(3, len(seen))

    def test_notice_clears(self) -> None:
        """
        A change of the account empties its part of the cache.
        """
        self.login("joe")
        self.login("ann")
        self.assertEqual(2, len(self.accounts._proofs.cache))
        self.apply(UpdateAccount(self.account("joe").id, is_admin=True))
        self.assertEqual(1, len(self.accounts._proofs.cache))

    def test_bounded_and_switched_off(self) -> None:
        """
        The cache holds ``cache_entries``, and nothing with ``cache_seconds`` 0.
        """
        self.start(evolve(CHEAP, cache_entries=1))
        self.login("joe")
        self.login("ann")
        self.assertEqual(1, len(self.accounts._proofs.cache))
        self.start(evolve(CHEAP, cache_seconds=Duration(0)))
        self.login("joe")
        self.assertEqual(0, len(self.accounts._proofs.cache))

    def test_no_password_in_memory(self) -> None:
        """
        Neither the cache nor the events hold the password.
        """
        self.login("joe")
        self.assertRaises(LoginRefused, self.login, "joe", "hunter2hunter2")
        text = repr(vars(self.accounts._proofs.cache)) + repr(self.events.seen)
        self.assertNotIn(PASSWORD, text)
        self.assertNotIn("hunter2", text)
