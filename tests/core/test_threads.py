"""Tests for ``netservices.core.threads``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.threads import NotRunning, TooManyWaiting, Workers


class Turns:
    """The reactor's side of ``callFromThread``, turned by hand."""

    def __init__(self) -> None:
        self.calls: Queue[Callable[[], Any]] = Queue()
        self.turned = 0

    def callFromThread(
        self, function: Callable[..., Any], *args: Any, **keywords: Any
    ) -> None:
        """Called in worker threads."""
        self.calls.put(lambda: function(*args, **keywords))

    def turn_until(self, deferred: Deferred[Any]) -> None:
        """Run calls until ``deferred`` has fired; fails after a minute."""
        fired: list[None] = []

        def note(result: Any) -> Any:
            fired.append(None)
            return result

        deferred.addBoth(note)
        while not fired:
            try:
                call = self.calls.get(timeout=60)
            except Empty:
                raise AssertionError("no thread has come back") from None
            self.turned += 1
            call()


class WorkersTests(SynchronousTestCase):
    """A pool of two threads, at most three calls waiting."""

    def setUp(self) -> None:
        self.turns = Turns()
        self.workers = Workers(self.turns, "test", 2, 3)
        self.workers.start()
        self.gate = threading.Event()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Let every thread end."""
        self.gate.set()
        self.turns.turn_until(self.workers.stop())

    def test_result(self) -> None:
        """A call's Deferred fires with the result, from a named thread."""
        called = self.workers.call(
            lambda a, b: (a + b, threading.current_thread()), 1, 2
        )
        self.turns.turn_until(called)
        total, thread = self.successResultOf(called)
        self.assertEqual(3, total)
        self.assertEqual("test-1", thread.name)

    def test_failure(self) -> None:
        """What the function raises is the Deferred's failure."""
        called = self.workers.call(int, "x")
        self.turns.turn_until(called)
        self.failureResultOf(called, ValueError)

    def test_no_thread(self) -> None:
        """Where the system gives no thread, a call is refused, and a later one and the
        stop go on."""
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        self.patch(threading.Thread, "start", refuse)
        self.failureResultOf(self.workers.call(int, "1"), TooManyWaiting)
        self.assertEqual(0, self.workers.unfinished)
        self.patch(threading.Thread, "start", start)
        called = self.workers.call(int, "1")
        self.turns.turn_until(called)
        self.assertEqual(1, self.successResultOf(called))

    def test_no_further_thread(self) -> None:
        """With one thread and no second one to be had, calls wait for the first."""
        first = self.workers.call(self.gate.wait)

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        self.patch(threading.Thread, "start", refuse)
        second = self.workers.call(int, "2")
        self.gate.set()
        self.turns.turn_until(second)
        self.assertEqual(2, self.successResultOf(second))
        self.turns.turn_until(first)

    def test_full(self) -> None:
        """Past the threads and the queue a call is refused and not run later."""
        ran: list[int] = []
        waiting = [self.workers.call(self.gate.wait) for _ in range(5)]
        refused = self.workers.call(ran.append, 1)
        self.failureResultOf(refused, TooManyWaiting)
        self.assertEqual(5, self.workers.unfinished)
        self.gate.set()
        for call in waiting:
            self.turns.turn_until(call)
            self.assertTrue(self.successResultOf(call))
        self.assertEqual(0, self.workers.unfinished)
        again = self.workers.call(ran.append, 2)
        self.turns.turn_until(again)
        self.successResultOf(again)
        self.assertEqual([2], ran)

    def test_at_most_size_threads(self) -> None:
        """Five calls never run in more than two threads."""
        names: set[str] = set()

        def note() -> None:
            self.gate.wait()
            names.add(threading.current_thread().name)

        waiting = [self.workers.call(note) for _ in range(5)]
        self.gate.set()
        for call in waiting:
            self.turns.turn_until(call)
        self.assertLessEqual(names, {"test-1", "test-2"})

    def test_batched_return(self) -> None:
        """Results that are ready together come back in one turn of the reactor."""
        ended = threading.Semaphore(0)

        def count(job: Any, result: Any) -> None:
            give_back(job, result)
            ended.release()

        give_back = self.workers._give_back
        self.patch(self.workers, "_give_back", count)
        first = self.workers.call(self.gate.wait)
        second = self.workers.call(self.gate.wait)
        self.gate.set()
        self.assertTrue(ended.acquire(timeout=60) and ended.acquire(timeout=60))
        self.turns.turn_until(first)
        self.turns.turn_until(second)
        self.assertTrue(self.successResultOf(first) and self.successResultOf(second))
        self.assertEqual(1, self.turns.turned)

    def test_cancel_waiting(self) -> None:
        """A call cancelled while it waits never runs, and the others do."""
        ran: list[str] = []
        busy = [self.workers.call(self.gate.wait) for _ in range(2)]
        cancelled = self.workers.call(ran.append, "cancelled")
        kept = self.workers.call(ran.append, "kept")
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.gate.set()
        self.turns.turn_until(kept)
        self.successResultOf(kept)
        for call in busy:
            self.turns.turn_until(call)
            self.successResultOf(call)
        self.assertEqual(["kept"], ran)

    def test_cancel_running(self) -> None:
        """The result of a call that was cancelled too late is closed and dropped."""
        has_begun = threading.Event()
        closed: list[None] = []

        class Resource:
            def close(self) -> None:
                closed.append(None)

        def make() -> Resource:
            has_begun.set()
            self.gate.wait()
            return Resource()

        call = self.workers.call(make)
        self.assertTrue(has_begun.wait(60))
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.gate.set()
        self.turns.turn_until(self.workers.stop())
        self.assertEqual([None], closed)
        self.assertEqual(0, self.workers.unfinished)

    def test_close_that_fails(self) -> None:
        """A dropped result that cannot be closed is logged, and the pool lives on."""
        has_begun = threading.Event()

        class Broken:
            def close(self) -> None:
                raise OSError("cannot close")

        def make() -> Broken:
            has_begun.set()
            self.gate.wait()
            return Broken()

        call = self.workers.call(make)
        self.assertTrue(has_begun.wait(60))
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.gate.set()
        self.turns.turn_until(self.workers.stop())
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    def test_stop_finishes(self) -> None:
        """``stop`` finishes what waits, refuses what comes, and joins the threads."""
        ran: list[int] = []
        busy = [self.workers.call(self.gate.wait) for _ in range(2)]
        waiting = self.workers.call(ran.append, 1)
        stopped = self.workers.stop()
        also_stopped = self.workers.stop()
        self.failureResultOf(self.workers.call(ran.append, 2), NotRunning)
        self.assertRaises(RuntimeError, self.workers.start)
        self.assertNoResult(stopped)
        self.gate.set()
        self.turns.turn_until(stopped)
        self.successResultOf(stopped)
        self.successResultOf(also_stopped)
        self.successResultOf(waiting)
        self.assertEqual([1], ran)
        for call in busy:
            self.successResultOf(call)
        alive = [t.name for t in threading.enumerate() if t.name.startswith("test-")]
        self.assertEqual([], alive)

    def test_start_again(self) -> None:
        """A stopped pool can be started again."""
        self.turns.turn_until(self.workers.call(int))
        self.turns.turn_until(self.workers.stop())
        self.workers.start()
        again = self.workers.call(int, "7")
        self.turns.turn_until(again)
        self.assertEqual(7, self.successResultOf(again))

    def test_stop_unused(self) -> None:
        """A pool without threads stops at once."""
        self.successResultOf(Workers(self.turns, "test", 1, 1).stop())

    def test_not_started(self) -> None:
        """A pool that was not started says so."""
        called = Workers(self.turns, "test", 1, 1).call(int)
        self.failureResultOf(called, NotRunning)

    def test_many(self) -> None:
        """No result of many short calls is lost, whatever the threads do."""
        workers = Workers(self.turns, "many", 4, 5000)
        workers.start()
        calls = [workers.call(int, number) for number in range(5000)]
        self.turns.turn_until(workers.stop())
        self.assertEqual(list(range(5000)), [self.successResultOf(c) for c in calls])


class InlineTests(SynchronousTestCase):
    """A pool without a reactor."""

    def test_inline(self) -> None:
        """Without a reactor a call runs at once in the caller's thread."""
        workers = Workers(None, "inline", 1, 1)
        thread = self.successResultOf(workers.call(threading.current_thread))
        self.assertIs(threading.current_thread(), thread)
        self.failureResultOf(workers.call(int, "x"), ValueError)
        self.successResultOf(workers.stop())
