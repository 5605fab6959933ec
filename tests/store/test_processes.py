"""Several processes on one state directory."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from netservices.interfaces import StoreUnavailable
from netservices.store import changes
from netservices.store.changes import read_notices
from netservices.store.sqlite import SQLiteStore
from netservices.units import AddToValue, Unit
from netservices.values import Notice, Topic
from tests.contract.provision import SMALL


async def write_elsewhere(directory: str, count: int) -> None:
    """Let another process add to the counter, so often."""
    out, err, status = await getProcessOutputAndValue(
        sys.executable,
        ["-m", "tests.store.writing", directory, str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert status == 0, err


def _broken(*_: object) -> tuple[Notice, ...]:
    raise sqlite3.OperationalError("disk I/O error")


class TwoProcessTests(TestCase):
    """A store with threads, and another process that writes."""

    async def make_store(self) -> SQLiteStore:
        """An open store; ``self.heard`` has the notices of its subscriber."""
        store = SQLiteStore(os.path.abspath(self.mktemp()), SMALL, reactor)
        await store.open()
        self.addCleanup(store.close)
        self.heard: list[Notice] = []
        store.changes.subscribe(self.hear)
        return store

    def hear(self, notices: Iterable[Notice]) -> None:
        """Remember."""
        self.heard.extend(notices)

    async def test_poll(self) -> None:
        """What another process committed is heard of at the next poll, once."""
        store = await self.make_store()
        await write_elsewhere(str(store.directory), 3)
        await store.changes.poll()
        self.assertEqual(
            [(n, Topic.KEY_VALUE, "other") for n in (1, 2, 3)],
            [(notice.seq, notice.topic, notice.object) for notice in self.heard],
        )
        self.assertEqual(0, await store.changes.poll())
        self.assertEqual(b"3", await store.values.get("other", b"c"))

    async def test_poll_after_a_failure(self) -> None:
        """What could not be read when it was news is handed on by the next poll."""
        store = await self.make_store()
        self.patch(changes, "read_notices", _broken)
        await write_elsewhere(str(store.directory), 2)
        await self.assertFailure(store.changes.poll(), StoreUnavailable)
        self.assertEqual([], self.heard)
        self.patch(changes, "read_notices", read_notices)
        await store.changes.poll()
        self.assertEqual([1, 2], [notice.seq for notice in self.heard])

    async def test_own_after_others(self) -> None:
        """Notices of others come before a later one of our own, without a poll."""
        store = await self.make_store()
        await write_elsewhere(str(store.directory), 2)
        await store.values.put("own", b"k", b"v")
        self.assertEqual(
            ["other", "other", "own"], [notice.object for notice in self.heard]
        )

    async def test_together(self) -> None:
        """Three processes write at once: nothing is lost, nothing is done twice, and
        every notice is heard of once, in order."""
        store = await self.make_store()
        directory = str(store.directory)
        others = [
            Deferred.fromCoroutine(write_elsewhere(directory, 200)) for _ in range(2)
        ]
        waiting = gatherResults(others)
        own = 0
        while not waiting.called:
            await gatherResults(
                [store.apply(Unit((AddToValue("other", b"c", 1),))) for _ in range(10)]
            )
            own += 10
        await waiting
        await store.changes.poll()
        total = await store.values.get("other", b"c")
        self.assertEqual(400 + own, int(total))
        numbers = [notice.seq for notice in self.heard]
        self.assertEqual(list(range(1, len(numbers) + 1)), numbers)
        self.assertEqual(await store.changes.cursor(), numbers[-1])
