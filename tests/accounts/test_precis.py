"""Names and passwords as they are compared; RFC 8265, RFC 4013."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.precis import (
    BadString,
    opaque_string,
    saslprep,
    username_case_mapped,
)


class OpaqueStringTests(SynchronousTestCase):
    """Passwords; RFC 8265 4."""

    def test_examples(self) -> None:
        """
        The table of RFC 8265 4.3.
        """
        for given_, wanted in (
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("πßå", "πßå"),
            ("Jack of ♦s", "Jack of ♦s"),
            ("foo\u1680bar", "foo bar"),
            ("e\u0301", "\u00e9"),
            ("\U0001f600 Ⅸ", "\U0001f600 Ⅸ"),
        ):
            self.assertEqual(wanted, opaque_string(given_))

    def test_not_allowed(self) -> None:
        """
        Empty strings, controls, unassigned and invisible code points are refused.
        """
        for bad in (
            "",
            "my cat is a \x09by",
            "a\x7f",
            "a\u200bb",
            "\U000e0001",
            "\ud800",
        ):
            self.assertRaises(BadString, opaque_string, bad)


class UsernameTests(SynchronousTestCase):
    """Names; RFC 8265 3.3."""

    def test_examples(self) -> None:
        """
        Case and width are folded, composition too; RFC 8265 3.5.
        """
        for given_, wanted in (
            ("Juliet@Example.com", "juliet@example.com"),
            ("fussball", "fussball"),
            ("Fußball", "fußball"),
            ("Σ", "σ"),
            ("ＪＯＥ", "joe"),
            ("JU\u0308RGEN", "j\u00fcrgen"),
            ("l·l", "l·l"),
            ("שלום", "שלום"),
        ):
            self.assertEqual(wanted, username_case_mapped(given_))

    def test_not_allowed(self) -> None:
        """
        Spaces, symbols, compatibility characters and mixed directions are refused;
        RFC 8265 3.5.
        """
        for bad in ("", "foo bar", "♚", "henryⅣ", "a·b", "a\u05d0b", "a\u200d", "ﬁ"):
            self.assertRaises(BadString, username_case_mapped, bad)


class SaslprepTests(SynchronousTestCase):
    """SCRAM's form of passwords; RFC 4013."""

    def test_examples(self) -> None:
        """
        The table of RFC 4013 3.
        """
        for given_, wanted in (
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
            ("a\u00a0b", "a b"),
        ):
            self.assertEqual(wanted, saslprep(given_))

    def test_not_allowed(self) -> None:
        """
        Controls, mixed directions, and in stored strings what Unicode 3.2 did not know.
        """
        for bad in ("\u0007", "\u0627\u0031", "", "\u00ad", "\U0001f600"):
            self.assertRaises(BadString, saslprep, bad)
        self.assertEqual("\U0001f600", saslprep("\U0001f600", is_stored=False))


class AnyStringTests(SynchronousTestCase):
    """Whatever people type."""

    @settings(max_examples=500, deadline=None)
    @given(st.text(max_size=20))
    def test_prepared_once_is_prepared(self, text: str) -> None:
        """
        Every profile refuses a string or gives one that it leaves as it is.
        """
        for profile in (opaque_string, username_case_mapped, saslprep):
            try:
                prepared = profile(text)
            except BadString:
                continue
            try:
                again = profile(prepared)
            except BadString:
                # RFC 8264 7: NFKC or lower case may make what is then not allowed.
                continue
            self.assertEqual(prepared, again)
