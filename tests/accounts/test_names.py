"""Logins, addresses and domains."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.names import (
    RESERVED_NAMES,
    BadName,
    check_alias,
    new_account_name,
    normalised_address,
    normalised_domain,
    split_login,
)


class DomainTests(SynchronousTestCase):
    """Domains are kept as lower-case A-labels."""

    def test_good(self) -> None:
        """
        Letter case, a final dot and U-labels are folded; RFC 5890.
        """
        for given_, wanted in (
            ("example.org", "example.org"),
            ("EXAMPLE.Org.", "example.org"),
            ("localhost", "localhost"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("3com.com", "3com.com"),
            ("a" * 63 + ".example", "a" * 63 + ".example"),
        ):
            self.assertEqual(wanted, normalised_domain(given_))

    def test_bad(self) -> None:
        """
        What no host can be called is refused; RFC 1123 2.1.
        """
        for bad in (
            "",
            ".",
            "..",
            "a..b",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b.example",
            "a" * 64 + ".example",
            "a." * 127 + "example",
            "192.0.2.1",
            "[192.0.2.1]",
            "xn--a.example",
            "a\0.example",
            "example.org/x",
            "☃\ud800.example",
        ):
            self.assertRaises(BadName, normalised_domain, bad)


class AccountNameTests(SynchronousTestCase):
    """Names of accounts are also names of directories."""

    def test_good(self) -> None:
        """
        Letters, digits, '.', '_' and '-', in any script.
        """
        for given_, wanted in (
            ("joe", "joe"),
            ("Joe.Doe_2-x", "joe.doe_2-x"),
            ("jürgen", "jürgen"),
            ("_system_", "_system_"),
        ):
            self.assertEqual(wanted, new_account_name(given_))

    def test_bad(self) -> None:
        """
        Nothing that a path, a shell or an address would read otherwise.
        """
        for bad in (
            *RESERVED_NAMES,
            "Anonymous",
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "a/b",
            "a\\b",
            "a..b",
            "a.",
            "a b",
            "a+b",
            "a@b",
            "a＠b",
            "a／b",
            "a\0",
            "a\n",
            "~joe",
            "x" * 65,
            "ü" * 33,
        ):
            self.assertRaises(BadName, new_account_name, bad)

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=12))
    def test_any_text(self, text: str) -> None:
        """
        A name that is accepted is folded, and one harmless path segment.
        """
        try:
            name = new_account_name(text)
        except BadName:
            return
        self.assertEqual(name, new_account_name(name))
        self.assertFalse({"/", "\\", "\0", "@", " ", "|"} & set(name))
        self.assertNotIn(name[0], ".-")


class LoginTests(SynchronousTestCase):
    """What people type."""

    def test_split(self) -> None:
        """
        The last @ parts name and domain.
        """
        for login, wanted in (
            ("Joe", ("joe", "default.example")),
            ("joe@Example.ORG", ("joe", "example.org")),
            ("a@b@example.org", ("a@b", "example.org")),
        ):
            self.assertEqual(wanted, split_login(login, "default.example"))

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """
        Any text is split or is a BadName.
        """
        try:
            name, domain = split_login(text, "default.example")
        except BadName:
            return
        self.assertTrue(name and domain)


class AddressTests(SynchronousTestCase):
    """Addresses of aliases; RFC 5321 4.1.2, RFC 6531 3.3."""

    def test_good(self) -> None:
        """
        Any Dot-string, folded.
        """
        for given_, wanted in (
            ("Joe+tag@Example.org", "joe+tag@example.org"),
            ("postmaster@example.org", "postmaster@example.org"),
            ("o'neil/x@example.org", "o'neil/x@example.org"),
            ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ):
            self.assertEqual(wanted, normalised_address(given_))

    def test_bad(self) -> None:
        """
        Programs, files, quotes, lists and addresses without a domain are refused.
        """
        for bad in (
            "",
            "joe",
            "@example.org",
            "joe@",
            "|/bin/sh@example.org",
            "/etc/passwd@example.org",
            '"a b"@example.org',
            "a b@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a,b@example.org",
            "a@b@example.org",
            "a\r\n@example.org",
            "x" * 65 + "@example.org",
        ):
            self.assertRaises(BadName, normalised_address, bad)


class AliasTests(SynchronousTestCase):
    """Aliases lead somewhere."""

    def check(self, aliases: dict[str, tuple[str, ...]], *targets: str) -> None:
        """Check the alias ``a`` beside others."""
        check_alias("a", targets, lambda address: aliases.get(address, ()))

    def test_good(self) -> None:
        """
        Chains, diamonds and an address that keeps a copy are fine.
        """
        self.check({}, "joe", "ann")
        self.check({"b": ("c",), "c": ("joe",)}, "b", "c")
        self.check({}, "a", "joe")
        self.check({"b": ("b", "joe")}, "b")

    def test_loops(self) -> None:
        """
        A way back is refused, and shown.
        """
        error = self.assertRaises(
            BadName, self.check, {"b": ("joe", "c"), "c": ("a",)}, "ann", "b"
        )
        self.assertIn("a -> b -> c -> a", str(error))

    def test_bounds(self) -> None:
        """
        No target, too many and too long a chain are refused.
        """
        self.assertRaises(BadName, self.check, {})
        self.assertRaises(BadName, self.check, {}, *(f"t{n}" for n in range(1001)))
        chain = {f"t{n}": (f"t{n + 1}",) for n in range(50)}
        self.assertRaises(BadName, self.check, chain, "t0")

    def test_wide_graphs(self) -> None:
        """
        Each address is looked up once, however many ways lead to it.
        """
        asked: list[str] = []

        def targets_of(address: str) -> tuple[str, ...]:
            asked.append(address)
            level = int(address[1])
            return tuple(f"t{level + 1}{n}" for n in range(20)) if level < 8 else ()

        check_alias("a", tuple(f"t0{n}" for n in range(20)), targets_of)
        self.assertEqual(len(asked), len(set(asked)))
