"""Hashes of passwords, and passwords made up here."""

from __future__ import annotations

import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.passwords import (
    BadPassword,
    check_new_password,
    dummy_secret,
    hash_password,
    needs_rehash,
    random_password,
    verify_password,
)
from netservices.accounts.settings import AccountsSettings
from netservices.core.settings import Size
from tests.accounts.workbench import CHEAP


class HashTests(SynchronousTestCase):
    """argon2id in PHC form."""

    def test_default_parameters(self) -> None:
        """
        The defaults are OWASP's: 19 MiB, two passes, one lane.
        """
        secret = hash_password(b"correct horse", AccountsSettings())

        self.assertTrue(secret.startswith(b"$argon2id$v=19$m=19456,t=2,p=1$"))
        self.assertTrue(verify_password(secret, b"correct horse"))

    def test_verify(self) -> None:
        """
        The right password only, in any composition; two hashes of one differ.
        """
        secret = hash_password("\u00e9tudes".encode(), CHEAP)

        self.assertTrue(verify_password(secret, "e\u0301tudes".encode()))
        for wrong in (b"", b"etudes", b"\xff", b"x" * 2000, "Études".encode()):
            self.assertFalse(verify_password(secret, wrong))
        self.assertNotEqual(secret, hash_password("\u00e9tudes".encode(), CHEAP))

    def test_damaged_secrets(self) -> None:
        """
        A damaged hash verifies nothing, raises nothing, and is made anew.
        """
        for damaged in (b"", b"$argon2id$", b"\xff", b"plain", b"$argon2id$v=19$m=8"):
            self.assertFalse(verify_password(damaged, b"correct horse"))
            self.assertTrue(needs_rehash(damaged, CHEAP))

    def test_needs_rehash(self) -> None:
        """
        A hash made with other parameters than today's is one to be renewed.
        """
        secret = hash_password(b"correct horse", CHEAP)

        self.assertFalse(needs_rehash(secret, CHEAP))
        for change in (
            {"argon2_time": 2},
            {"argon2_memory": Size(16384)},
            {"argon2_parallelism": 2, "argon2_memory": Size(16384)},
        ):
            self.assertTrue(needs_rehash(secret, evolve(CHEAP, **change)))

    def test_dummy(self) -> None:
        """
        The dummy has the form and parameters of a real hash, and no password.
        """
        dummy = dummy_secret(CHEAP)

        self.assertFalse(needs_rehash(dummy, CHEAP))
        self.assertFalse(verify_password(dummy, b""))
        self.assertEqual(len(hash_password(b"correct horse", CHEAP)), len(dummy))
        self.assertNotEqual(dummy, dummy_secret(CHEAP))

    def test_new_passwords(self) -> None:
        """
        At least ``shortest_password`` characters, at most 1024 octets, typable.
        """
        for good in ("12345678", "пароль и т", "x" * 1024):
            check_new_password(good, CHEAP)
        for bad in (
            "",
            "1234567",
            "x" * 1025,
            "\u20ac" * 342,
            "a\nbcdefgh",
            "\ud800" * 9,
        ):
            self.assertRaises(BadPassword, check_new_password, bad, CHEAP)

    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=40))
    def test_any_octets(self, password: bytes) -> None:
        """
        What can be hashed verifies; what cannot never does.
        """
        try:
            secret = hash_password(password, CHEAP)
        except BadPassword:
            self.assertFalse(verify_password(dummy_secret(CHEAP), password))
        else:
            self.assertTrue(verify_password(secret, password))


class RandomPasswordTests(SynchronousTestCase):
    """Readable, long enough, and never the same."""

    def test_form(self) -> None:
        """
        Groups of four characters that cannot be mistaken for others.
        """
        made = {random_password() for _ in range(500)}

        self.assertEqual(500, len(made))
        for password in made:
            self.assertTrue(
                re.fullmatch(
                    r"[a-hj-km-np-z2-9]{4}(-[a-hj-km-np-z2-9]{4}){3}", password
                )
            )
            check_new_password(password, CHEAP)
