"""Group commit: who shares a commit, who is refused, and what happens at the end."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, DeferredList, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import value_of
from netservices.interfaces import (
    OutcomeUnknown,
    StoreBusy,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.store.jobs import Group, Job
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.store.weigh import octets_of
from netservices.units import (
    AddToValue,
    AddUsage,
    CreateZone,
    DeleteValue,
    PutValue,
    SetUsage,
    Unit,
)
from netservices.values import RRset
from tests.contract.provision import SMALL


def put(number: int, size: int = 10) -> Unit:
    """A unit of one value."""
    return Unit((PutValue("n", b"%d" % number, b"v" * size),))


class GroupTests(TestCase):
    """A store with a writer thread."""

    async def make_store(self, **limits: Any) -> SQLiteStore:
        """An open store; ``self.groups`` has the size of each of its groups."""
        store = SQLiteStore(self.mktemp(), evolve(SMALL, **limits), reactor)
        self.groups: list[int] = []
        commit = store._engine.commit

        def counted(*arguments: Any) -> Group:
            group = commit(*arguments)
            self.groups.append(len(group.jobs))
            return group

        store._engine.commit = counted  # type: ignore[method-assign]
        await store.open()
        self.addCleanup(store.close)
        return store

    @staticmethod
    def gathered(store: SQLiteStore) -> list[Job]:
        """What has not been handed to the thread yet."""
        assert store._writer is not None
        return store._writer._gathered

    async def test_shared(self) -> None:
        """Units that wait share commits, none of more than the limit."""
        store = await self.make_store(group_units=50, group_time=10.0)
        await gatherResults([store.apply(put(number)) for number in range(500)])
        self.assertEqual(500, sum(self.groups))
        self.assertEqual(50, max(self.groups))
        self.assertLess(len(self.groups), 100)

    async def test_gathered(self) -> None:
        """Units that nobody awaits share a commit with those that come soon."""
        store = await self.make_store(group_time=10.0)
        applied = []
        for number in range(5):
            applied.append(store.apply(put(number), is_awaited=False))
            await deferLater(reactor, 0)
        await gatherResults(applied)
        self.assertEqual([5], self.groups)

    async def test_gathered_first(self) -> None:
        """A unit that is awaited goes at once, behind those that were gathered."""
        store = await self.make_store(group_time=10.0)
        order: list[int] = []
        for number in range(3):
            applied = store.apply(put(number), is_awaited=False)
            applied.addCallback(lambda _, number=number: order.append(number))
        await store.apply(put(3))
        self.assertEqual([0, 1, 2], order)
        self.assertEqual([], self.gathered(store))

    async def test_many_gathered(self) -> None:
        """As many as a group may have wait for nothing more."""
        store = await self.make_store(group_units=5, group_time=10.0)
        for number in range(5):
            store.apply(put(number), is_awaited=False)
        self.assertEqual([], self.gathered(store))

    async def test_gathered_at_the_end(self) -> None:
        """What was gathered when the store closes is committed."""
        store = await self.make_store(group_time=10.0)
        applied = store.apply(put(1), is_awaited=False)
        await store.close()
        self.successResultOf(applied)

    async def test_octets(self) -> None:
        """A group takes no further unit above its limit of octets."""
        store = await self.make_store(group_octets=100_000, group_time=10.0)
        await gatherResults([store.apply(put(n, 40_000)) for n in range(30)])
        self.assertLessEqual(max(self.groups), 3)

    async def test_engine_that_raises(self) -> None:
        """Whatever goes wrong in a group, each of its units is told, and the next group
        is committed."""
        store = await self.make_store(group_time=10.0)
        commit = store._engine.commit

        def raising(first: Job, more: Callable[[], Job | None]) -> Group:
            store._engine.commit = commit  # type: ignore[method-assign]
            while more() is not None:
                pass
            raise RuntimeError("out of memory")

        store._engine.commit = raising  # type: ignore[method-assign]
        waiting = [store.apply(put(number)) for number in range(10)]
        # The thread may have begun before the last ones came; those are committed.
        told = await DeferredList(waiting, consumeErrors=True)
        self.assertFalse(told[0][0])
        for is_done, failure in told:
            if not is_done:
                failure.trap(OutcomeUnknown)
        await store.apply(put(1))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_full_while_copying(self) -> None:
        """Where the log cannot be copied for want of space, the store is readonly and
        takes deletions; it has not failed."""
        store = await self.make_store()
        await store.apply(put(1))
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        store._engine.doubt(error)
        self.assertEqual("readonly", store.state)
        await store.apply(Unit((DeleteValue("n", b"1"),)))
        await self.assertFailure(store.apply(put(2)), StoreReadOnly)

    async def test_space_again(self) -> None:
        """A readonly store is ready again soon after there is space, also where nobody
        writes: uploads ask for its state first."""
        store = await self.make_store()
        store._engine._give_up_spare()
        self.assertEqual("readonly", store.state)
        # The disk is looked at once a second, and that is over.
        store._engine._space._looked = 0.0
        await store.look_around()
        self.assertEqual("ready", store.state)

    async def test_busy(self) -> None:
        """More units waiting than the limit are refused at once; then it goes on."""
        store = await self.make_store(queue_units=20)
        waiting = [store.apply(put(number)) for number in range(25)]
        for refused in waiting[20:]:
            self.failureResultOf(refused, StoreBusy)
        await gatherResults(waiting[:20])
        await store.apply(put(1))

    async def test_busy_octets(self) -> None:
        """So are more octets; but a single unit is always taken."""
        store = await self.make_store(queue_octets=1000)
        first = store.apply(put(1, 5000))
        self.failureResultOf(store.apply(put(2, 10)), StoreBusy)
        await first
        await store.apply(put(2, 10))

    async def test_cancelled(self) -> None:
        """Cancelling drops interest, not the write."""
        store = await self.make_store()
        interest = store.apply(put(1))
        interest.cancel()
        self.failureResultOf(interest, CancelledError)
        await store.apply(put(2))
        self.assertEqual(b"v" * 10, await store.values.get("n", b"1"))

    async def test_same_token(self) -> None:
        """Two units with one token in the same group are applied once."""
        store = await self.make_store()
        unit = Unit((AddToValue("n", b"c", 1),), b"t" * 16)
        results = await gatherResults([store.apply(unit) for _ in range(5)])
        self.assertEqual([(1,)] * 5, results)

    async def test_close_finishes(self) -> None:
        """Closing commits what waits, and acknowledges it first."""
        store = await self.make_store()
        waiting = [store.apply(put(number)) for number in range(300)]
        closed = store.close()
        late = store.apply(put(1))
        self.failureResultOf(late, StoreUnavailable)
        await closed
        self.assertEqual([(True,)] * 300, [self.successResultOf(w) for w in waiting])

    async def test_log_is_cut(self) -> None:
        """However much is written without a pause, the log stays short, and is gone
        after the end."""
        store = await self.make_store(
            checkpoint_at=1 << 18, checkpoint_pause_at=1 << 20
        )
        for _ in range(20):
            await gatherResults([store.apply(put(n, 5000)) for n in range(100)])
            self.assertLess(store._engine.wal_octets(), 6 << 20)
        await store.close()
        self.assertEqual(0, store._engine.wal_octets())

    async def test_private(self) -> None:
        """Nobody else may read what the store has made."""
        store = await self.make_store()
        sink = store.blobs.create()
        sink.write(b"x" * 100_000)
        await sink.finish()
        assert store.directory is not None
        for above, directories, names in os.walk(store.directory):
            for name in (*directories, *names):
                mode = os.stat(os.path.join(above, name)).st_mode & 0o777
                self.assertEqual(0o700 if name in directories else 0o600, mode, name)


class FullTests(SynchronousTestCase):
    """A disk with less free space than the floor."""

    def test_readonly(self) -> None:
        """Below the floor, only what frees space is taken; above it, all is again."""
        now = 1_800_000_000.0
        directory = self.mktemp()
        store = SQLiteStore(directory, SMALL, None, lambda: now)
        value_of(store.open())
        self.addCleanup(store.close)
        value_of(store.apply(Unit((*put(1).operations, SetUsage("home", 50, 5)))))
        space = store._engine._space
        space._floor = 1 << 62
        now += 5
        self.failureResultOf(store.apply(put(2)), StoreReadOnly)
        self.assertEqual("readonly", store.state)
        value_of(store.apply(Unit((DeleteValue("n", b"1"), AddUsage("home", -5, -1)))))
        self.failureResultOf(
            store.apply(Unit((AddUsage("home", 5, 1, 1),))),
            StoreReadOnly,
        )
        space._floor = 0
        now += 5
        value_of(store.apply(put(2)))
        self.assertEqual("ready", store.state)

    def test_spare(self) -> None:
        """A spare file is held, and given up when the disk turns out to be full."""
        now = 1_800_000_000.0
        directory = self.mktemp()
        settings = StoreSettings(free_space_floor=0, spare=1 << 16)
        store = SQLiteStore(directory, settings, None, lambda: now)
        value_of(store.open())
        self.addCleanup(store.close)
        spare = os.path.join(directory, "spare")
        self.assertEqual(1 << 16, os.stat(spare).st_size)
        store._engine._space.exhausted(now)
        self.assertFalse(os.path.exists(spare))
        now += 5
        value_of(store.apply(put(1)))
        self.assertTrue(os.path.exists(spare))


class WeightTests(SynchronousTestCase):
    """How much a unit is said to hold."""

    def test_values(self) -> None:
        """A unit weighs at least the octets in it, and not much more."""
        self.assertTrue(10_000 <= octets_of(put(1, 10_000)) <= 10_500)

    def test_zone(self) -> None:
        """A large zone is weighed by a part of it."""
        rrsets = tuple(
            RRset(b"\4%04d\0" % n, 16, 60, (b"t" * 200,)) for n in range(5000)
        )
        self.assertGreater(octets_of(Unit((CreateZone(b"\0", rrsets),))), 1_000_000)
