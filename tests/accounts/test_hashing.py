"""The pool in which passwords are hashed."""

from __future__ import annotations

import threading

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.hashing import Hashing
from netservices.core.errors import Trouble
from netservices.interfaces import LoginRefused
from tests.accounts.workbench import (
    CHEAP,
    HERE,
    PASSWORD,
    AccountsTestCase,
    ThreadedClock,
)


class HashingTests(SynchronousTestCase):
    """The pool is bounded."""

    def test_concurrency_and_queue(self) -> None:
        """
        At most ``hash_threads`` hashes run at once, at most ``hash_queue`` wait, and
        further ones fail at once with ``Trouble``.
        """
        clock = ThreadedClock()
        settings = evolve(CHEAP, hash_threads=2, hash_queue=3)
        hashing = Hashing(settings, clock)
        hashing.start()
        gate, lock = threading.Event(), threading.Lock()
        running, peak = 0, 0

        def slow() -> int:
            nonlocal running, peak
            with lock:
                running += 1
                peak = max(peak, running)
            gate.wait(30)
            with lock:
                running -= 1
            return 1

        calls = [hashing.call(f"net{number}", slow) for number in range(5)]
        self.failureResultOf(hashing.call("another", slow), Trouble)
        gate.set()
        self.assertEqual([1] * 5, [clock.wait_for(call) for call in calls])
        self.assertLessEqual(peak, 2)
        clock.wait_for(hashing.stop())
        self.failureResultOf(hashing.call("late", slow), Trouble)

    def test_one_network_leaves_room(self) -> None:
        """
        One network fills its part of the queue; another one is still served.
        """
        clock = ThreadedClock()
        hashing = Hashing(evolve(CHEAP, hash_queue_per_network=2), clock)
        hashing.start()
        gate = threading.Event()
        calls = [hashing.call("evil", gate.wait, 30) for _ in range(2)]
        self.failureResultOf(hashing.call("evil", gate.wait, 30), Trouble)
        calls.append(hashing.call("good", gate.wait, 30))
        gate.set()
        for call in calls:
            clock.wait_for(call)
        clock.wait_for(hashing.call("evil", gate.wait, 30))
        self.assertEqual({}, hashing._by_network)
        clock.wait_for(hashing.stop())


class FullQueueTests(AccountsTestCase):
    """A full queue is our fault, not the peer's."""

    def test_temporary(self) -> None:
        """
        A login that finds the queue full is refused as temporary and not counted.
        """
        self.start(evolve(CHEAP, hash_queue_per_network=1))
        first = self.accounts.login("joe", PASSWORD.encode(), HERE)
        second = self.accounts.login("ann", PASSWORD.encode(), HERE)
        refusal = self.failureResultOf(second, LoginRefused).value
        self.assertTrue(refusal.is_temporary)
        self.assertEqual("joe", self.wait(first).name)
        self.assertEqual(0, self.limits.statistics()["failure_tallies"])
