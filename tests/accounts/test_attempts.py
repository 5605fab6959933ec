"""Attempts to log in: delays, lock-outs, events."""

from __future__ import annotations

from netservices.interfaces import LoginRefused
from netservices.units import CreateDomain
from netservices.values import Origin
from tests.accounts.workbench import AFAR, CHEAP, HERE, PASSWORD, AccountsTestCase


class LimitedLoginTests(AccountsTestCase):
    """Failures slow down and lock out, whatever the protocol."""

    def test_delay_across_protocols(self) -> None:
        """
        After failures over FTP and IMAP the next login over either waits for the clock.
        """
        imap = Origin("imap", "127.0.0.9", is_secure=False)
        self.assertRaises(LoginRefused, self.login, "joe", "wrong1", HERE)
        self.assertRaises(LoginRefused, self.login, "joe", "wrong2", imap)

        deferred = self.accounts.login("joe", PASSWORD.encode(), HERE)

        self.clock.advance(0.99)
        self.assertNoResult(deferred)
        self.clock.advance(0.01)
        self.assertEqual("joe", self.wait(deferred).name)

    def wrong(self, origin: Origin, guesses: int) -> None:
        """Try that many different wrong passwords as joe."""
        for number in range(guesses):
            deferred = self.accounts.login("joe", b"wrong%d" % number, origin)
            self.clock.advance(16)
            self.assertRaises(LoginRefused, self.wait, deferred)

    def test_lockout_and_unlock(self) -> None:
        """
        A locked out network learns for how long; events tell; an admin lifts it by any
        form of the login or by address.
        """
        for name in ("joe", "JOE@example.org", "198.51.100.9"):
            self.start(CHEAP)
            self.wrong(AFAR, 10)
            refusal = self.assertRaises(LoginRefused, self.login, "joe", PASSWORD, AFAR)
            self.assertEqual(900, refusal.retry_after)
            [event] = self.events.named("locked_out")
            self.assertEqual("198.51.100.0/24", event["network"])
            self.assertEqual("joe@example.org", event["login"])

            self.assertTrue(self.accounts.unlock(name))
            self.assertFalse(self.accounts.unlock(name))
            self.login("joe", PASSWORD, AFAR)
            self.assertEqual(1, len(self.events.named("unlocked")))

    def test_unlock_after_a_change_of_domains(self) -> None:
        """
        A short login is understood right after a domain came or went, before anybody
        has logged in again.
        """
        self.wrong(AFAR, 10)
        self.apply(CreateDomain("example.net"))
        self.assertTrue(self.accounts.unlock("joe"))
        self.login("joe", PASSWORD, AFAR)

    def test_lockout_elsewhere(self) -> None:
        """
        Whoever is locked out afar, the user at home gets in at once.
        """
        self.wrong(AFAR, 12)
        self.login("joe", PASSWORD, HERE)

    def test_cancelled_while_waiting(self) -> None:
        """
        A peer that leaves during its wait counts as nothing.
        """
        self.wrong(AFAR, 5)
        before = self.limits._pairs.find(("joe@example.org", "198.51.100.0/24"))
        assert before is not None
        deferred = self.accounts.login("joe", b"wrong", AFAR)
        self.assertEqual(1, before.pending)
        deferred.cancel()
        self.failureResultOf(deferred)
        self.assertEqual(0, before.pending)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_cancelled_while_hashing(self) -> None:
        """
        A peer that leaves while its password is hashed counts as nothing.
        """
        deferred = self.accounts.login("joe", b"wrong", AFAR)
        deferred.cancel()
        self.failureResultOf(deferred)
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])

    def test_events(self) -> None:
        """
        Each attempt gives one event with all its fields.
        """
        self.login("joe", PASSWORD, AFAR)
        self.assertRaises(LoginRefused, self.login, "Joe", "wrong")
        where = {"protocol": "ftp", "session": "s1", "address": "127.0.0.1"}

        self.assertEqual(["login", "login_refused"], [n for n, _ in self.events.seen])
        self.assertEqual(
            {
                **where,
                "is_secure": False,
                "login": "joe@example.org",
                "method": "password",
                "reason": "wrong password",
                "retry_after": None,
            },
            self.events.seen[1][1],
        )
