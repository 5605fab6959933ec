"""``netservices account``."""

from __future__ import annotations

import os

from netservices.accounts.passwords import verify_password
from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateAccount, PutPartial, Unit
from netservices.values import Credential, CredentialKind
from tests.cli.bench import CommandTestCase


class AccountTests(CommandTestCase):
    """Accounts are added, listed, changed and removed."""

    def credentials(self, name: str) -> dict[CredentialKind, Credential]:
        """What is stored of an account, by kind."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        account = value_of(store.records.account(name, "example.org"))
        assert account is not None
        found = value_of(store.records.credentials(account.id))
        value_of(store.close())
        return {credential.kind: credential for credential in found}

    def test_add(self) -> None:
        """An account gets a random password, printed once, which verifies."""
        row = self.rows("account", "add", "alice", "--quota", "5M")

        self.assertEqual("alice@example.org", row["login"])
        secret = self.credentials("alice")[CredentialKind.PASSWORD].secret
        self.assertTrue(verify_password(secret, row["password"].encode()))
        listed = self.rows("account", "list")
        self.assertIn(
            {
                "login": "alice@example.org",
                "admin": False,
                "enabled": True,
                "quota": "5M",
                "groups": [],
            },
            listed,
        )

    def test_password_from_pipe(self) -> None:
        """A password from standard input is stored and not printed."""
        output = self.command(
            "account", "add", "bob", "--password-stdin", given="correct horse\n"
        )

        self.assertNotIn("correct", output)
        secret = self.credentials("bob")[CredentialKind.PASSWORD].secret
        self.assertTrue(verify_password(secret, b"correct horse"))
        self.assertFalse(verify_password(secret, b"correct horse\n"))

    def test_empty_pipe(self) -> None:
        """No password on standard input is an error, not an empty password."""
        words = ("account", "add", "bob", "--password-stdin")

        self.assertIn("no password", self.refusal(*words, given=""))
        self.assertEqual(1, len(self.rows("account", "list")))

    def test_short_password(self) -> None:
        """A password that is too short is refused in a person's words."""
        words = ("account", "add", "bob", "--password-stdin")

        self.assertIn("at least 8", self.refusal(*words, given="short\n"))

    def test_taken(self) -> None:
        """A second account of the same login is refused, and says which."""
        self.command("account", "add", "alice")

        self.assertIn("alice@example.org", self.refusal("account", "add", "Alice"))

    def test_bad_names(self) -> None:
        """Names that cannot be accounts are refused with the reason."""
        for name in ("../x", "a b", "", "anonymous", ".hidden", "x" * 65):
            self.assertNotEqual("", self.refusal("account", "add", "--", name), name)

    def test_foreign_domain(self) -> None:
        """An account in a domain that is not here is refused, with the way out."""
        message = self.refusal("account", "add", "alice@elsewhere.example")

        self.assertIn("netservices domain add elsewhere.example", message)

    def test_domain_twice(self) -> None:
        """A domain may be said twice, in any spelling, but not in two ways."""
        words = ("account", "add", "alice@example.org", "--domain")

        self.assertIn("is not in", self.refusal(*words, "example.net"))
        self.command(*words, "Example.ORG.")

    def test_passwd(self) -> None:
        """A new password replaces the old one and the SCRAM keys with it."""
        self.command("account", "add", "alice")
        before = self.credentials("alice")
        row = self.rows("account", "passwd", "alice")
        after = self.credentials("alice")

        self.assertEqual(set(before), set(after))
        secret = after[CredentialKind.PASSWORD].secret
        self.assertTrue(verify_password(secret, row["password"].encode()))
        scram = CredentialKind.SCRAM_SHA_256
        self.assertNotEqual(before[scram].secret, after[scram].secret)

    def test_change(self) -> None:
        """Rights, quota and groups change; what is not named stays."""
        self.command("account", "add", "alice", "--quota", "5M")
        self.command("account", "change", "alice", "--admin", "--group", "staff")
        row = self.rows("account", "show", "alice")

        self.assertEqual(
            (True, "5M", ["staff"]), _some(row, "admin", "quota", "groups")
        )

        self.command("account", "change", "alice", "--quota", "none", "--disable")
        row = self.rows("account", "show", "alice")

        self.assertEqual((False, None, True), _some(row, "enabled", "quota", "admin"))

    def test_remove(self) -> None:
        """A removed account is gone, and its files are set aside, not deleted."""
        self.command("account", "add", "alice")
        self.write_file("alice@example.org", "letter")
        output = self.command("account", "remove", "alice", "--yes")
        place = output.rpartition(" ")[2].strip()

        self.assertEqual(["letter"], os.listdir(place))
        self.assertIn("no account", self.refusal("account", "show", "alice"))

    def test_same_name_again(self) -> None:
        """A new account does not find the files of a removed one."""
        self.command("account", "add", "alice")
        self.write_file("alice@example.org", "letter")
        self.command("account", "remove", "alice", "--yes")
        self.command("account", "add", "alice")
        home = os.path.join(self.state, "files", "alice@example.org")

        self.assertFalse(os.path.exists(home))

    def test_uploads_of_a_removed_account(self) -> None:
        """What a removed account left unfinished is forgotten with it, and changes no
        sum of the next account of that name; other accounts keep theirs."""
        for name in ("alice", "bob"):
            self.command("account", "add", name)
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        puts = [
            PutPartial(f"home:{name}@example.org", ("f",), 2, f"p-{name}", 7, 1e12)
            for name in ("alice", "bob")
        ]
        value_of(store.apply(Unit(tuple(puts))))
        value_of(store.close())

        self.command("account", "remove", "alice", "--yes")

        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        self.addCleanup(store.close)
        left = value_of(store.file_records.expired_partials(float("inf")))
        self.assertEqual(["p-bob"], [file for _, _, _, file in left])

    def test_left_files(self) -> None:
        """Files that lie where a new account's go are taken over only when asked."""
        self.write_file("alice@example.org", "letter")

        self.assertIn("--adopt-files", self.refusal("account", "add", "alice"))

        self.command("account", "add", "alice", "--adopt-files")

    def write_file(self, login: str, name: str) -> None:
        """Put a file into the home directory of a login."""
        home = os.path.join(self.state, "files", login)
        os.makedirs(home)
        with open(os.path.join(home, name), "w") as file:
            file.write("text")

    def test_remove_asks(self) -> None:
        """Without --yes nothing is removed unless the person agrees."""
        self.command("account", "add", "alice")
        self.refusal("account", "remove", "alice", given="n\n")

        self.assertEqual(2, len(self.rows("account", "list")))

    def test_many(self) -> None:
        """A listing has every account, also beyond one page of the store."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        names = [f"user{number:03}" for number in range(450)]
        unit = Unit(tuple(CreateAccount(name, "example.org") for name in names))
        value_of(store.apply(unit))
        value_of(store.close())
        listed = [row["login"] for row in self.rows("account", "list")]

        self.assertEqual(
            ["admin@example.org", *(f"{name}@example.org" for name in names)], listed
        )

    def test_unlock_needs_server(self) -> None:
        """A lock-out lives in the running server; without one the command says so."""
        self.assertIn("no server is running", self.refusal("account", "unlock", "joe"))


class AppPasswordTests(CommandTestCase):
    """App passwords are made, listed and removed."""

    def test_life(self) -> None:
        """An app password is shown once, listed without secret, and removed."""
        words = ("account", "app-password")
        self.command("account", "add", "alice")
        made = self.rows(*words, "add", "alice", "phone", "--protocol", "ftp")
        listed = self.command(*words, "list", "alice", "--json")

        self.assertGreater(len(made["password"]), 16)
        self.assertIn("phone", listed)
        self.assertNotIn(made["password"], listed)

        self.command(*words, "remove", "alice", "phone")

        self.assertEqual([], self.rows(*words, "list", "alice"))
        self.assertIn("phone", self.refusal(*words, "remove", "alice", "phone"))

    def test_unknown_protocol(self) -> None:
        """A protocol that nobody serves is refused, and those that are named."""
        self.command("account", "add", "alice")
        message = self.refusal(
            "account", "app-password", "add", "alice", "x", "--protocol", "gopher"
        )

        self.assertIn("gopher", message)
        self.assertIn("ftp", message)


class AliasTests(CommandTestCase):
    """Addresses stand for others."""

    def test_life(self) -> None:
        """An alias is put, listed and removed; logins get the default domain."""
        self.command(
            "account", "alias", "add", "info", "admin", "joe@elsewhere.example"
        )
        expected = {
            "address": "info@example.org",
            "targets": ["admin@example.org", "joe@elsewhere.example"],
        }

        self.assertEqual([expected], self.rows("account", "alias", "list"))

        self.command("account", "alias", "remove", "info")

        self.assertEqual([], self.rows("account", "alias", "list"))
        self.assertNotEqual("", self.refusal("account", "alias", "remove", "info"))

    def test_loop(self) -> None:
        """An alias that would lead back to itself is refused."""
        self.command("account", "alias", "add", "one", "two")

        self.assertIn("loop", self.refusal("account", "alias", "add", "two", "one"))

    def test_foreign(self) -> None:
        """Only addresses of our own domains can be aliases here."""
        words = ("account", "alias", "add", "joe@elsewhere.example", "admin")

        self.assertIn("elsewhere.example", self.refusal(*words))


def _some(row: dict[str, object], *keys: str) -> tuple[object, ...]:
    return tuple(row[key] for key in keys)
