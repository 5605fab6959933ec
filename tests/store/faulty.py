"""Run below the fault shim: what the store says and does when its disk fails.

``python -m tests.store.faulty SCENARIO DIRECTORY inline|threaded`` ends with status 0
where all is as designed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from netservices.core.deferreds import value_of
from netservices.interfaces import (
    OutcomeUnknown,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import DeleteValue, PutValue, Unit
from tests.store.shim import arm_fault, faults_hit

SMALL = StoreSettings(free_space_floor=0, spare=1 << 20)


class Bench:
    """A store on a bad disk, and what it has acknowledged."""

    def __init__(self, directory: str, reactor: Any) -> None:
        self.directory = directory
        self.reactor = reactor
        self.now = 1_800_000_000.0
        self.held: dict[bytes, bytes] = {}
        self.unknown: set[bytes] = set()
        self.number = 0

    async def open(self) -> None:
        """A store that looks at the free space at every commit."""
        self.store = SQLiteStore(self.directory, SMALL, self.reactor, self.seconds)
        await self.store.open()

    def seconds(self) -> float:
        """Time passes at each look."""
        self.now += 2
        return self.now

    async def put(self, token: bytes | None = None) -> type[StoreError] | None:
        """Put a value; None where it was acknowledged, or the error's class."""
        self.number += 1
        key = b"%d" % self.number
        unit = Unit((PutValue("n", key, key * 500),), token)
        try:
            await self.store.apply(unit)
        except StoreError as error:
            if type(error) is OutcomeUnknown:
                self.unknown.add(key)
            return type(error)
        self.held[key] = key * 500
        return None

    async def see(self) -> None:
        """All that was acknowledged is there, and nothing that was refused; also after
        the store has been opened anew."""
        for _ in range(2):
            found = dict(await self.store.values.scan("n", limit=100_000))
            for key in self.unknown & set(found):
                self.held[key] = found[key]
            assert found == self.held, (sorted(found), sorted(self.held))
            assert (await self.store.admin.check("full")).findings == ()
            await self.store.close()
            await self.open()


async def full(bench: Bench) -> None:
    """The disk is full at the k-th write of the log."""
    for skip in range(12):
        arm_fault("w", skip, 1, errno.ENOSPC)
        outcomes = [await bench.put() for _ in range(8)]
        assert set(outcomes) <= {None, StoreReadOnly}, outcomes
        assert (StoreReadOnly in outcomes) == bool(faults_hit()), (outcomes, skip)
        assert await bench.put() is None
        assert bench.store.state == "ready", bench.store.state
    assert bench.number > len(bench.held)


async def full_for_long(bench: Bench) -> None:
    """While the disk is full, only deletions are taken, which the spare file pays."""
    assert await bench.put() is None
    arm_fault("w", 0, 1, errno.ENOSPC)
    # No time passes: the store believes the disk to be full until it looks again.
    now = bench.now
    bench.store._engine.seconds = lambda: now  # type: ignore[method-assign]
    assert await bench.put() is StoreReadOnly
    assert bench.store.state == "readonly"
    assert await bench.put() is StoreReadOnly
    (gone,) = await bench.store.apply(Unit((DeleteValue("n", b"1"),)))
    assert gone is True
    del bench.held[b"1"]
    assert bench.store.state == "readonly"
    now += 5
    assert await bench.put() is None
    assert bench.store.state == "ready"


async def broken(bench: Bench) -> None:
    """A sync of the log fails: nothing is said to be stored that is not."""
    for skip in range(6):
        arm_fault("s", skip, 1, errno.EIO)
        outcomes = [await bench.put() for _ in range(4)]
        assert set(outcomes) <= {None, OutcomeUnknown}, outcomes
        assert (OutcomeUnknown in outcomes) == bool(faults_hit()), outcomes
        arm_fault("s", 0, 0, 0)
        assert bench.store.state == "ready"
        assert await bench.put() is None


async def broken_with_token(bench: Bench) -> None:
    """With a token, the store can tell; the retry is then taken once."""
    for skip in range(6):
        token = b"%016d" % skip
        arm_fault("s", skip % 2, 1, errno.EIO)
        await bench.put()
        outcome = await bench.put(token)
        assert outcome in (None, StoreUnavailable), outcome
        arm_fault("s", 0, 0, 0)
        bench.number -= 1
        assert await bench.put(token) is None


async def broken_for_long(bench: Bench) -> None:
    """While the disk stays broken, the store is ``failed``; then it recovers."""
    assert await bench.put() is None
    arm_fault("s", 0, -1, errno.EIO)
    assert await bench.put() is OutcomeUnknown
    assert bench.store.state == "failed", bench.store.state
    for _ in range(3):
        assert await bench.put() is StoreUnavailable
    arm_fault("s", 0, 0, 0)
    assert await bench.put() is None
    assert bench.store.state == "ready"


async def broken_write(bench: Bench) -> None:
    """A write of the log fails: nothing of the unit was applied, or nobody knows."""
    for skip in range(12):
        arm_fault("w", skip, 1, errno.EIO)
        outcomes = [await bench.put() for _ in range(8)]
        assert set(outcomes) <= {None, OutcomeUnknown, StoreUnavailable}, outcomes
        arm_fault("w", 0, 0, 0)
        assert await bench.put() is None
        assert bench.store.state == "ready"


async def content(bench: Bench) -> None:
    """Content that cannot be written or synced is refused, and nothing of it stays."""
    for kind, error, expected in (
        ("w", errno.ENOSPC, StoreReadOnly),
        ("w", errno.EIO, StoreUnavailable),
        ("s", errno.EIO, StoreUnavailable),
    ):
        for skip in range(3):
            arm_fault(kind, skip, 1, error)
            sink = bench.store.blobs.create()
            outcome: type[StoreError] | None = None
            try:
                for _ in range(4):
                    paused = sink.write(b"x" * 100_000)
                    if paused is not None:
                        await paused
                await sink.finish()
            except StoreError as problem:
                outcome = type(problem)
                await sink.abort()
            assert outcome is (expected if faults_hit() else None), outcome
            arm_fault(kind, 0, 0, 0)
            assert await bench.put() is None
    assert os.listdir(os.path.join(bench.directory, "spool")) == []


SCENARIOS: dict[str, Callable[[Bench], Any]] = {
    function.__name__: function
    for function in (
        full,
        full_for_long,
        broken,
        broken_with_token,
        broken_for_long,
        broken_write,
        content,
    )
}


async def main(scenario: str, directory: str, reactor: Any) -> None:
    """Open, suffer, look, close."""
    bench = Bench(directory, reactor)
    await bench.open()
    await SCENARIOS[scenario](bench)
    arm_fault("w", 0, 0, 0)
    await bench.see()
    await bench.store.close()


if __name__ == "__main__":
    if sys.argv[3] == "inline":
        value_of(Deferred.fromCoroutine(main(*sys.argv[1:3], None)))
    else:
        react(lambda reactor: Deferred.fromCoroutine(main(*sys.argv[1:3], reactor)))
