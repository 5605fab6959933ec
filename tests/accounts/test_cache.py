"""The memory of verified passwords."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.cache import VerifiedCredentials
from netservices.values import Credential, CredentialKind

CREDENTIAL = Credential(1, 2, CredentialKind.PASSWORD, b"a hash")


class VerifiedCredentialsTests(SynchronousTestCase):
    """Entries match exactly, for a while, and are few."""

    def setUp(self) -> None:
        """Two entries for a minute."""
        self.clock = Clock()
        self.cache = VerifiedCredentials(60, 2, self.clock.seconds)

    def test_marks_differ(self) -> None:
        """
        Another account, credential, secret or password is another mark, also where
        the octets around the border are the same; another process has other marks.
        """
        marks = [
            self.cache.mark_of(credential, password)
            for credential, password in (
                (CREDENTIAL, b"secret"),
                (evolve(CREDENTIAL, id=3), b"secret"),
                (evolve(CREDENTIAL, account=3), b"secret"),
                (evolve(CREDENTIAL, secret=b"b hash"), b"secret"),
                (evolve(CREDENTIAL, secret=b"other"), b"secret"),
                (evolve(CREDENTIAL, secret=b"a hash, "), b"secre"),
                (CREDENTIAL, b"secret "),
            )
        ]
        other = VerifiedCredentials(60, 2, self.clock.seconds)
        marks.append(other.mark_of(CREDENTIAL, b"secret"))

        self.assertEqual(len(marks), len(set(marks)))
        self.assertEqual(marks[0], self.cache.mark_of(CREDENTIAL, b"secret"))

    def test_bound_and_end(self) -> None:
        """
        The oldest entry makes room; what is too old is gone; so is all of a login.
        """
        for mark in (b"1", b"2", b"3"):
            self.cache.add(mark, "joe" if mark == b"3" else "ann")
        found = [self.cache.is_verified(mark) for mark in (b"1", b"2", b"3")]
        self.assertEqual([False, True, True], found)
        self.cache.forget("joe")
        self.assertFalse(self.cache.is_verified(b"3"))
        self.clock.advance(60)
        self.assertFalse(self.cache.is_verified(b"2"))
        self.assertEqual(0, len(self.cache))

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["add", "forget", "ask", "wait"]),
                st.sampled_from([b"1", b"2", b"3", b"4"]),
            ),
            max_size=40,
        )
    )
    def test_index_stays_true(self, steps: list[tuple[str, bytes]]) -> None:
        """
        Whatever happens, the index by login holds what the entries hold.
        """
        clock = Clock()
        cache = VerifiedCredentials(3, 2, clock.seconds)
        for step, mark in steps:
            if step == "add":
                cache.add(mark, "even" if mark in b"24" else "odd")
            elif step == "forget":
                cache.forget("even")
            elif step == "ask":
                cache.is_verified(mark)
            else:
                clock.advance(1)
            indexed = [mark for marks in cache._by_login.values() for mark in marks]
            self.assertEqual(sorted(cache._entries), sorted(indexed))
            self.assertNotIn(set(), cache._by_login.values())
            self.assertLessEqual(len(cache), 2)
