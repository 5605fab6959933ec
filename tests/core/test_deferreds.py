"""Tests for ``netservices.core.deferreds``."""

from __future__ import annotations

import gc
import sys
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import as_deferred, drive, value_of


class DriveTests(SynchronousTestCase):
    """Coroutines driven by hand."""

    def setUp(self) -> None:
        self.waiting: Deferred[int] = Deferred()
        self.log: list[str] = []

    async def add(self, *terms: Any) -> int:
        """Wait for each term."""
        total = 0
        try:
            for term in terms:
                total += term if isinstance(term, int) else await term
        except ValueError:
            self.log.append("caught")
            total += 100
        finally:
            self.log.append("left")
        return total

    def waits(self, *terms: Any) -> Deferred[int]:
        """What ``drive`` returns for a coroutine that must wait."""
        deferred = drive(self.add(*terms))
        assert isinstance(deferred, Deferred)
        return deferred

    def test_at_once(self) -> None:
        """A coroutine that never waits gives its result."""
        self.assertEqual(3, drive(self.add(1, 2)))

    def test_raises_at_once(self) -> None:
        """What it raises before it waits is raised."""
        with self.assertRaises(TypeError):
            drive(self.add("x"))

    def test_waits(self) -> None:
        """One that waits gives a Deferred, for all its later waits too."""
        second: Deferred[int] = Deferred()
        deferred = self.waits(1, self.waiting, succeed(5), second)
        self.assertNoResult(deferred)
        self.waiting.callback(10)
        self.assertNoResult(deferred)
        second.callback(100)
        self.assertEqual(116, self.successResultOf(deferred))

    def test_failure_goes_in(self) -> None:
        """A failure it waits for is raised inside, where it may be caught."""
        deferred = self.waits(1, self.waiting)
        self.waiting.errback(ValueError())
        self.assertEqual(101, self.successResultOf(deferred))
        self.assertEqual(["caught", "left"], self.log)

    def test_failure_comes_out(self) -> None:
        """One that is not caught is the Deferred's."""
        deferred = self.waits(self.waiting, fail(KeyError()))
        self.waiting.callback(1)
        self.failureResultOf(deferred, KeyError)

    def test_cancel(self) -> None:
        """Cancelling reaches what it waits for, and the coroutine."""
        deferred = self.waits(self.waiting)
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        self.assertEqual(["left"], self.log)

    def test_forgotten(self) -> None:
        """One that nobody can resume any more ends without a word on stderr."""
        unraisable: list[Any] = []
        self.patch(sys, "unraisablehook", unraisable.append)
        deferred: Any = self.waits(self.waiting)
        del deferred
        del self.waiting
        gc.collect()
        self.assertEqual(["left"], self.log)
        self.assertEqual([], unraisable)


class AsDeferredTests(SynchronousTestCase):
    """Coroutine functions that return Deferreds."""

    def test_decorated(self) -> None:
        """The function keeps its name and returns a Deferred."""

        @as_deferred
        async def double(number: int) -> int:
            return 2 * number

        self.assertEqual("double", double.__name__)
        self.assertEqual(4, self.successResultOf(double(2)))


class ValueOfTests(SynchronousTestCase):
    """Results that are there already."""

    def test_value_of(self) -> None:
        """The result, the failure, or a complaint."""
        self.assertEqual(1, value_of(succeed(1)))
        with self.assertRaises(KeyError):
            value_of(fail(KeyError()))
        with self.assertRaises(RuntimeError):
            value_of(Deferred())
