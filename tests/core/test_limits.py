"""Failed logins, sessions and token buckets, shared by all protocols."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.buckets import TokenBuckets
from netservices.core.errors import ConfigurationError
from netservices.core.failures import Tallies
from netservices.core.limits import Delay, Limits, LimitsSettings, LockedOut
from netservices.core.networks import Networks, is_loopback, parse_networks
from netservices.core.sessions import Slot, TooMany

JOE = "joe@example.com"
HOME = "192.0.2.1"
CAFE = "198.51.100.1"


def network(number: int) -> str:
    """An address in the IPv4 /24 of that number below 10.0.0.0/8."""
    return f"10.{number // 256 % 256}.{number % 256}.1"


class LimitsTestCase(SynchronousTestCase):
    """Limits on a clock that the test moves."""

    def make(self, **changes: object) -> Limits:
        """Limits whose settings differ from the defaults by ``changes``."""
        self.clock = Clock()
        settings_ = evolve(LimitsSettings(), **changes)
        return Limits(settings_, self.clock.seconds)

    def fail(self, limits: Limits, account: str, address: str) -> float | LockedOut:
        """Try and fail after the delay that is asked for; the delay, or the lock."""
        verdict = limits.may_try(account, address)
        if isinstance(verdict, LockedOut):
            return verdict
        self.clock.advance(verdict.seconds)
        limits.failed(account, address)
        return verdict.seconds


class FailedLoginTests(LimitsTestCase):
    """Guessing is slowed down, then stopped; users are not."""

    def test_delay_grows(self) -> None:
        """
        The waits are 0, 0, 1, 2, 4 ... seconds, up to ``longest_delay``.
        """
        limits = self.make()

        delays = [self.fail(limits, JOE, CAFE) for _ in range(8)]

        self.assertEqual([0, 0, 1, 2, 4, 8, 16, 16], delays)

    def test_lockout_and_its_end(self) -> None:
        """
        After ``login_failures`` failures the pair is locked for ``lockout``; then
        another attempt may be made.
        """
        limits = self.make(login_failures=4)
        for _ in range(4):
            self.assertNotIsInstance(self.fail(limits, JOE, CAFE), LockedOut)

        self.assertEqual(LockedOut(900.0, "pair"), limits.may_try(JOE, CAFE))
        self.clock.advance(899)
        self.assertEqual(LockedOut(1.0, "pair"), limits.may_try(JOE, CAFE))
        self.clock.advance(1)
        self.assertIsInstance(limits.may_try(JOE, CAFE), Delay)

    def test_lockout_is_of_one_network(self) -> None:
        """
        Locking a network out of an account leaves the account's user alone.
        """
        limits = self.make()
        for _ in range(11):
            self.fail(limits, JOE, CAFE)

        self.assertIsInstance(limits.may_try(JOE, CAFE), LockedOut)
        self.assertEqual(Delay(0.0), limits.may_try(JOE, HOME))

    def test_neighbours_in_a_network_count_together(self) -> None:
        """
        Addresses of one IPv4 /24 or IPv6 /56 are one network.
        """
        for here, there in (
            ("198.51.100.7", "198.51.100.250"),
            ("2001:db8:0:1200::1", "2001:db8:0:12ff::2"),
            ("198.51.100.7", "::ffff:198.51.100.8"),
        ):
            limits = self.make()
            for _ in range(11):
                self.fail(limits, JOE, here)
            self.assertIsInstance(limits.may_try(JOE, there), LockedOut)

    def test_known_network_is_only_slowed_down(self) -> None:
        """
        Where the account lately logged in, no number of failures locks it out.
        """
        limits = self.make()
        limits.may_try(JOE, HOME)
        limits.succeeded(JOE, HOME)

        delays = [self.fail(limits, JOE, HOME) for _ in range(50)]

        self.assertEqual(16.0, max(delays))  # type: ignore[type-var]
        self.assertFalse(limits.failed(JOE, HOME), "nobody was locked out")
        for _ in range(150):
            self.assertNotIsInstance(self.fail(limits, JOE, HOME), LockedOut)

    def test_distributed_attack_does_not_lock_the_user_out(self) -> None:
        """
        Many networks guessing at one account lock unknown networks out of it, and slow
        known ones down by a second.
        """
        limits = self.make()
        limits.may_try(JOE, HOME)
        limits.succeeded(JOE, HOME)
        for number in range(100):
            self.fail(limits, JOE, network(number))

        locked = limits.may_try(JOE, CAFE)

        self.assertIsInstance(locked, LockedOut)
        self.assertEqual("account", locked.what)  # type: ignore[union-attr]
        self.assertEqual(Delay(1.0), limits.may_try(JOE, HOME))

    def test_spraying_locks_the_network_out(self) -> None:
        """
        One network trying many accounts is locked out of all of them, except for users
        known there.
        """
        limits = self.make()
        limits.may_try(JOE, CAFE)
        limits.succeeded(JOE, CAFE)
        for number in range(100):
            self.fail(limits, f"user{number}@example.com", CAFE)

        locked = limits.may_try("fresh@example.com", CAFE)

        self.assertIsInstance(locked, LockedOut)
        self.assertEqual("network", locked.what)  # type: ignore[union-attr]
        self.assertIsInstance(limits.may_try(JOE, CAFE), Delay)

    def test_own_success_buys_no_fresh_tries(self) -> None:
        """
        An attacker who logs in to his own account between guesses is locked out by
        network as fast as one who does not.
        """
        limits = self.make()
        for number in range(100):
            self.fail(limits, f"user{number}@example.com", CAFE)
            limits.may_try("mallory@example.com", CAFE)
            limits.succeeded("mallory@example.com", CAFE)

        self.assertIsInstance(limits.may_try(JOE, CAFE), LockedOut)

    def test_success_clears_the_pair(self) -> None:
        """
        Whoever remembers his password is not slowed down any more.
        """
        limits = self.make()
        for _ in range(5):
            self.fail(limits, JOE, HOME)
        limits.may_try(JOE, HOME)
        limits.succeeded(JOE, HOME)

        self.assertEqual(Delay(0.0), limits.may_try(JOE, HOME))

    def test_failures_are_forgotten(self) -> None:
        """
        After ``forget_failures`` the delays start again.
        """
        limits = self.make()
        for _ in range(6):
            self.fail(limits, JOE, HOME)
        self.clock.advance(3600)

        self.assertEqual(Delay(0.0), limits.may_try(JOE, HOME))

    def test_known_network_is_forgotten(self) -> None:
        """
        A network from which nobody logged in for ``known_network`` is unknown.
        """
        limits = self.make(known_network=100.0)
        limits.may_try(JOE, HOME)
        limits.succeeded(JOE, HOME)
        self.assertTrue(limits.is_known(JOE, HOME))

        self.clock.advance(100)

        self.assertFalse(limits.is_known(JOE, HOME))

    def test_parallel_guesses_queue(self) -> None:
        """
        A hundred connections do not give a hundred free guesses: beyond
        ``parallel_attempts`` they wait one after the other, then are refused.
        """
        limits = self.make()

        verdicts = [limits.may_try(JOE, CAFE) for _ in range(100)]

        self.assertEqual(12, verdicts.count(Delay(0.0)))
        waits = [v.seconds for v in verdicts if isinstance(v, Delay) and v.seconds]
        self.assertEqual([1.0, 3.0, 7.0, 15.0], waits)
        self.assertEqual(84, sum(isinstance(v, LockedOut) for v in verdicts))

    def test_parallel_logins_of_a_user(self) -> None:
        """
        A mail client that opens connections one after another is never delayed.
        """
        limits = self.make()
        for _ in range(1000):
            self.assertEqual(Delay(0.0), limits.may_try(JOE, HOME))
            limits.succeeded(JOE, HOME)

    def test_abandoned_attempts_count_nothing(self) -> None:
        """
        An attempt without outcome leaves no trace, also in memory.
        """
        limits = self.make()
        for _ in range(1000):
            self.assertEqual(Delay(0.0), limits.may_try(JOE, HOME))
            limits.abandoned(JOE, HOME)

        self.assertEqual(0, limits.statistics()["failure_tallies"])

    def test_repeated_wrong_password_never_locks(self) -> None:
        """
        A forgotten phone with yesterday's password is slowed down; it locks nobody out.
        """
        limits = self.make()
        for _ in range(300):
            verdict = limits.may_try(JOE, HOME)
            self.assertIsInstance(verdict, Delay)
            self.clock.advance(verdict.seconds)
            limits.failed(JOE, HOME, evidence=7)

        self.assertGreater(limits.may_try(JOE, HOME).seconds, 1)
        for guess in range(10):
            self.clock.advance(30)
            limits.may_try(JOE, HOME)
            limits.failed(JOE, HOME, evidence=100 + guess)
        self.assertIsInstance(limits.may_try(JOE, HOME), LockedOut)

    def test_unlock(self) -> None:
        """
        An admin lifts a lock-out by login, by address or by network.
        """
        for name in (JOE, CAFE, "198.51.100.0/24"):
            limits = self.make()
            for _ in range(10):
                self.fail(limits, JOE, CAFE)
            self.assertIsInstance(limits.may_try(JOE, CAFE), LockedOut)

            self.assertFalse(limits.unlock("ann@example.com"))
            self.assertFalse(limits.unlock("203.0.113.9"))
            self.assertTrue(limits.unlock(name))
            self.assertFalse(limits.unlock(name))
            self.assertEqual(Delay(0.0), limits.may_try(JOE, CAFE))

    def test_exempt(self) -> None:
        """
        Nothing is counted in an exempt network; loopback is not exempt by itself.
        """
        limits = self.make(exempt=("127.0.0.0/8", "::1"))
        for _ in range(50):
            self.assertEqual(0.0, self.fail(limits, JOE, "127.0.0.9"))
            self.assertEqual(0.0, self.fail(limits, JOE, "::1"))

        self.assertEqual(0, limits.statistics()["failure_tallies"])
        limits = self.make()
        for _ in range(10):
            self.fail(limits, JOE, "127.0.0.9")
        self.assertIsInstance(limits.may_try(JOE, "127.0.0.9"), LockedOut)

    def test_bad_exempt_network(self) -> None:
        """
        A network that is none is an error that names it.
        """
        error = self.assertRaises(
            ConfigurationError, self.make, exempt=("300.0.0.0/8",)
        )
        self.assertEqual(
            "limits.exempt: '300.0.0.0/8' is not a network such as 192.0.2.0/24",
            str(error),
        )

    def test_clock_set_back(self) -> None:
        """
        A clock that is set back adds no failures.
        """
        limits = self.make()
        self.clock.advance(100_000)
        self.fail(limits, JOE, CAFE)
        self.clock.rightNow = 0.0

        self.assertEqual(Delay(0.0), limits.may_try("ann", CAFE))
        self.assertLessEqual(limits._pairs.open((JOE, "198.51.100.0/24")).level, 1)


class MemoryTests(LimitsTestCase):
    """What is remembered is bounded, and lock-outs are not pushed out cheaply."""

    def test_hundred_thousand_networks(self) -> None:
        """
        An attacker with 100,000 networks and as many invented logins fills a fixed
        number of entries, and erases nobody's lock-out.
        """
        limits = self.make(remembered_failures=1000, remembered_lockouts=100)
        for _ in range(10):
            self.fail(limits, JOE, CAFE)
        for number in range(100_000):
            address = f"{20 + number // 65536}.{number // 256 % 256}.{number % 256}.1"
            limits.may_try(f"x{number}@example.com", address)
            limits.failed(f"x{number}@example.com", address)

        self.assertLessEqual(limits.statistics()["failure_tallies"], 3 * 1100)
        self.assertIsInstance(limits.may_try(JOE, CAFE), LockedOut)

    def test_most_locks(self) -> None:
        """
        Only more lock-outs than ``remembered_lockouts`` push the oldest one out.
        """
        clock = Clock()
        tallies = Tallies(2, 3600, 900, 10, 3, clock.seconds)
        for key in "abcd":
            tallies.count(key)
            self.assertTrue(tallies.count(key))
            clock.advance(1)

        locked = [key for key in "abcd" if tallies.locked_for(key)]

        self.assertEqual(["b", "c", "d"], locked)

    def test_known_networks_are_bounded(self) -> None:
        """
        Known networks are forgotten, the least recently used first.
        """
        limits = self.make(remembered_networks=10)
        for number in range(20):
            limits.may_try(JOE, network(number))
            limits.succeeded(JOE, network(number))
            limits.succeeded(JOE, network(0))

        self.assertEqual(10, limits.statistics()["known_networks"])
        self.assertTrue(limits.is_known(JOE, network(0)))
        self.assertFalse(limits.is_known(JOE, network(1)))

    def test_long_account_names(self) -> None:
        """
        A peer cannot fill memory with the length of the login it makes up.
        """
        limits = self.make()
        name = "a" * 1_000_000
        for _ in range(10):
            self.fail(limits, name, CAFE)

        self.assertIsInstance(limits.may_try(name, CAFE), LockedOut)
        keys = list(limits._pairs._tallies)
        self.assertLess(len(repr(keys)), 200)

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["try", "failed", "succeeded", "abandoned", "wait"]),
                st.sampled_from(["a", "b"]),
                st.sampled_from([HOME, CAFE, "not an address", "::1"]),
            ),
            max_size=200,
        )
    )
    def test_any_order_of_calls(self, calls: list[tuple[str, str, str]]) -> None:
        """
        Any order of calls, also unbalanced ones, gives finite waits and no error.
        """
        limits = self.make()
        for name, account, address in calls:
            if name == "try":
                verdict = limits.may_try(account, address)
                self.assertTrue(0 <= verdict.seconds <= 900)
            elif name == "wait":
                self.clock.advance(60)
            else:
                getattr(limits, name)(account, address)


class SessionTests(LimitsTestCase):
    """Sessions are counted by server, account, address and network."""

    def test_by_address_and_network(self) -> None:
        """
        A full address is refused; its neighbours still get in until the network is
        full; somebody who leaves makes room.
        """
        limits = self.make(sessions_per_address=2, sessions_per_network=3)
        slots = [limits.enter("ftp", "", "192.0.2.1") for _ in range(2)]
        self.assertEqual(TooMany("address", 2), limits.enter("ftp", "", "192.0.2.1"))
        self.assertIsInstance(limits.enter("imap", "", "192.0.2.2"), Slot)
        self.assertEqual(TooMany("network", 3), limits.enter("ftp", "", "192.0.2.3"))

        slots[0].leave()  # type: ignore[union-attr]
        slots[0].leave()  # type: ignore[union-attr]

        self.assertIsInstance(limits.enter("ftp", "", "192.0.2.3"), Slot)
        self.assertEqual(TooMany("network", 3), limits.enter("ftp", "", "192.0.2.4"))

    def test_by_account(self) -> None:
        """
        A session counts for its account from the login on, across protocols.
        """
        limits = self.make(sessions_per_account=2)
        slots = [limits.enter("ftp", "", network(n)) for n in range(3)]
        found = [slot.name_account(JOE) for slot in slots]  # type: ignore[union-attr]

        self.assertEqual([None, None, TooMany("account", 2)], found)
        self.assertEqual(TooMany("account", 2), limits.enter("imap", JOE, HOME))
        self.assertIsNone(slots[0].name_account("ann"))  # type: ignore[union-attr]
        self.assertIsInstance(limits.enter("imap", JOE, HOME), Slot)

    def test_server_is_full(self) -> None:
        """
        ``sessions`` bounds all of them, also those of exempt networks.
        """
        limits = self.make(sessions=3, exempt=("127.0.0.0/8",), sessions_per_address=1)
        for _ in range(3):
            self.assertIsInstance(limits.enter("ftp", "", "127.0.0.1"), Slot)

        self.assertEqual(TooMany("server", 3), limits.enter("ftp", "", HOME))

    def test_everything_is_given_back(self) -> None:
        """
        When all sessions have ended no counter is left, and status shows zero.
        """
        limits = self.make()
        slots = [limits.enter("ftp", JOE, network(n)) for n in range(50)]
        self.assertEqual(50, limits.statistics()["sessions_ftp"])
        for slot in slots:
            slot.leave()  # type: ignore[union-attr]
            self.assertIsNone(slot.name_account(JOE))  # type: ignore[union-attr]

        self.assertEqual(0, len(limits._sessions))
        self.assertEqual(0, limits.statistics()["sessions_ftp"])


class TokenBucketTests(SynchronousTestCase):
    """A burst at once, then so many a second."""

    def test_burst_then_rate(self) -> None:
        """
        The burst is there at once; afterwards tokens come at the rate, and a refusal
        says how long to wait.
        """
        clock = Clock()
        buckets = TokenBuckets(2.0, 3, clock.seconds)

        self.assertEqual([0, 0, 0], [buckets.take("a") for _ in range(3)])
        self.assertAlmostEqual(0.5, buckets.take("a"), places=5)
        self.assertEqual(0, buckets.take("b"))
        clock.advance(0.5)
        self.assertEqual(0, buckets.take("a"))
        self.assertGreater(buckets.take("a"), 0)
        clock.advance(100)
        self.assertEqual([0, 0, 0], [buckets.take("a") for _ in range(3)])
        self.assertGreater(buckets.take("a"), 0)

    def test_the_busiest_key_is_not_forgotten(self) -> None:
        """
        Memory is bounded, and what goes is the key that was used least recently.
        """
        buckets = TokenBuckets(1.0, 3, Clock().seconds, most_keys=3)
        for number in range(20):
            buckets.take(f"passer-by {number}")
            buckets.take("busy", 0.1)
        self.assertEqual(3, len(buckets))
        self.assertGreater(buckets.take("busy", 2), 0)

    def test_more_than_the_burst(self) -> None:
        """
        What can never be had is said to be so; the whole burst at once can.
        """
        buckets = TokenBuckets(1.0, 10, Clock().seconds)

        self.assertEqual(float("inf"), buckets.take("a", 11))
        self.assertEqual(0, buckets.take("a", 10))

    def test_bounded(self) -> None:
        """
        The keys used least recently are forgotten.
        """
        buckets = TokenBuckets(1.0, 1, Clock().seconds, most_keys=100)
        for number in range(10_000):
            buckets.take(number)
            buckets.take(0)

        self.assertEqual(100, len(buckets))

    def test_forget(self) -> None:
        """
        A forgotten bucket is full.
        """
        buckets = TokenBuckets(1.0, 1, Clock().seconds)
        buckets.take("a")

        self.assertTrue(buckets.forget("a"))
        self.assertFalse(buckets.forget("a"))
        self.assertEqual(0, buckets.take("a"))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.floats(0, 3), max_size=60))
    def test_never_more_than_rate_and_burst(self, waits: list[float]) -> None:
        """
        In any stretch of time at most ``burst + rate * time`` tokens are taken.
        """
        clock = Clock()
        buckets = TokenBuckets(1.5, 4, clock.seconds)
        taken = 0
        for wait in waits:
            clock.advance(wait)
            taken += buckets.take("a") == 0
            self.assertLessEqual(taken, 4 + 1.5 * clock.seconds() + 0.001)


class NetworkTests(SynchronousTestCase):
    """Which addresses are neighbours."""

    def test_keys(self) -> None:
        """
        IPv4 by /24, IPv6 by /56, mapped IPv4 as IPv4, zones dropped, paths as they are.
        """
        networks = Networks(24, 56)
        for address, key in (
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
            ("fe80::1%eth0", "fe80::/56"),
            ("/run/ns.sock", "/run/ns.sock"),
        ):
            self.assertEqual(key, networks.key_of(address))

    def test_exempt_by_version(self) -> None:
        """
        An IPv6 address is not in an IPv4 network, except for mapped ones.
        """
        networks = Networks(24, 56, parse_networks(["127.0.0.0/8"]))

        self.assertTrue(networks.is_exempt("127.5.5.5"))
        self.assertTrue(networks.is_exempt("::ffff:127.0.0.1"))
        self.assertFalse(networks.is_exempt("::1"))

    def test_loopback(self) -> None:
        """
        Loopback addresses and UNIX sockets are on this machine.
        """
        local = ("127.3.2.1", "::1", "::ffff:127.0.0.1", "/run/x", "")
        self.assertTrue(all(map(is_loopback, local)))
        self.assertFalse(is_loopback("192.0.2.1"))
