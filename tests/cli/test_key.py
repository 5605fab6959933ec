"""``netservices key``."""

from __future__ import annotations

import base64

from tests.cli.bench import CommandTestCase

SECRET = base64.b64encode(b"thirty-two octets of a secret...").decode()


class KeyTests(CommandTestCase):
    """Keys come and go, and show their secrets only when asked."""

    def test_made(self) -> None:
        """A new key has a secret as long as its hash, and prints as BIND and nsupdate
        want it."""
        shown = self.command("key", "add", "Anna.Laptop", "--algorithm", "HMAC-SHA512")
        lines = shown.splitlines()
        self.assertEqual('key "anna.laptop" {', lines[0])
        self.assertEqual("\talgorithm hmac-sha512;", lines[1])
        secret = lines[2].split('"')[1]
        self.assertEqual(64, len(base64.b64decode(secret)))
        self.assertEqual(f"# nsupdate -y hmac-sha512:anna.laptop:{secret}", lines[4])
        self.assertEqual(shown, self.command("key", "show", "anna.laptop."))
        self.assertNotIn(secret, self.command("key", "list"))

    def test_given(self) -> None:
        """A secret comes through a pipe, and reads back."""
        self.command("key", "add", "k", "--secret-stdin", given=f"{SECRET}\n")
        row = self.rows("key", "show", "k")
        self.assertEqual(
            {
                "name": "k",
                "algorithm": "hmac-sha256",
                "secret": SECRET,
                "account": "",
            },
            row,
        )

    def test_account(self) -> None:
        """A key may belong to an account, which has to be there."""
        self.command("account", "add", "anna")
        self.command("key", "add", "k", "--account", "anna")
        self.assertEqual(
            [{"key": "k", "algorithm": "hmac-sha256", "account": "anna@example.org"}],
            self.rows("key", "list"),
        )
        self.assertIn(
            "there is no account", self.refusal("key", "add", "j", "--account", "bob")
        )

    def test_nonsense(self) -> None:
        """What is wrong is said in words."""
        self.command("key", "add", "k")
        self.command("domain", "add", "example.net", "--address", "127.0.0.1")
        for words, given, reason in (
            (("add", "k"), None, "there is a key k already"),
            (("add", "a..b"), None, "empty label"),
            (("add", "."), None, "needs a name"),
            (("add", "j", "--algorithm", "rot13"), None, "rot13"),
            (("add", "j", "--secret-stdin"), "", "no secret on standard input"),
            (("add", "j", "--secret-stdin"), "c2Vj,cmV0", "no base64"),
            (("show", "j"), None, "there is no key j"),
            (("remove", "j", "--yes"), None, "there is no key j"),
            (("grant", "key:j", "*"), None, "there is no key j"),
            (("grant", "account:bob", "*"), None, "there is no account"),
            (("grant", "anna", "*"), None, "neither key:NAME nor account:LOGIN"),
            (("grant", "key:k", "a.*.b.*"), None, "one * at most"),
            (("grant", "key:k", "*", "A,BOGUS"), None, "BOGUS"),
            (("grant", "key:k", "*", "AXFR"), None, "no type of records"),
            (("grant", "key:k", "*", "--zone", "example.com"), None, "no zone"),
            (("grant", "key:k", "x.test", "--zone", "example.net"), None, "no name"),
            (("revoke", "key:k", "*"), None, "no such grant"),
        ):
            with self.subTest(words):
                self.assertIn(reason, self.refusal("key", *words, given=given))

    def test_short(self) -> None:
        """A short secret is taken with a warning."""
        result = self.run_command("key", "add", "k", "--secret-stdin", given="c2VjcmV0")
        self.assertEqual(0, result.exit_code)
        self.assertIn("short", result.stderr)

    def test_grants(self) -> None:
        """Grants are given, listed and taken back; a removed key takes its own away."""
        self.command("account", "add", "anna")
        self.command("domain", "add", "example.net", "--address", "127.0.0.1")
        for name in ("acme", "other"):
            self.command("key", "add", name)
        self.command("key", "grant", "key:acme", "_acme-challenge.*", "txt")
        self.command("key", "grant", "key:Other.", "*", "ns,a", "--zone", "example.net")
        self.command("key", "grant", "account:anna", "*.home.example.org")
        acme = {
            "holder": "key:acme",
            "names": "_acme-challenge.*",
            "types": "TXT",
            "zone": "any",
        }
        anna = {
            "holder": "account:anna@example.org",
            "names": "*.home.example.org",
            "types": "any",
            "zone": "any",
        }
        other = {
            "holder": "key:other",
            "names": "*",
            "types": "A,NS",
            "zone": "example.net",
        }
        self.assertEqual([anna, acme, other], self.rows("key", "grants"))
        self.assertEqual([acme], self.rows("key", "grants", "key:acme"))
        self.command("key", "revoke", "account:anna", "*.home.example.org")
        self.assertIn("1 grants", self.command("key", "remove", "other", "--yes"))
        self.assertEqual([acme], self.rows("key", "grants"))
