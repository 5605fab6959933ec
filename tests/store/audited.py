"""Run below the auditor: at every acknowledgement, all must be on stable storage.

``python -m tests.store.audited rows|group|files DIRECTORY [DURABILITY]`` prints, in
JSON, the number of acknowledgements, and of those at which something was not synced.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from netservices.store.engine import Engine
from netservices.store.jobs import Group
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from tests.store.shim import Audit

SMALL = StoreSettings(
    free_space_floor=0,
    spare=0,
    # So that the log is copied, cut and begun afresh meanwhile.
    checkpoint_at=1 << 18,
    checkpoint_pause_at=1 << 19,
)


class EngineAudit(Audit):
    """One that looks after each commit by itself."""

    def watch(self, engine: Engine) -> None:
        """Look after each commit, before its group is told of it: the next group may be
        on its way to the disk while Deferreds of this one fire."""
        commit: Callable[..., Group] = engine.commit

        def watched(*arguments: Any) -> Group:
            group = commit(*arguments)
            for _ in group.jobs:
                self.note()
            return group

        engine.commit = watched  # type: ignore[method-assign]


async def rows(store: SQLiteStore, audit: Audit) -> None:
    """One row after the other."""
    for number in range(1000):
        await store.values.put("n", b"%d" % number, b"v" * 400).addCallback(audit.note)


async def group(store: SQLiteStore, audit: EngineAudit) -> None:
    """Many rows at once."""
    audit.watch(store._engine)

    async def some(name: str) -> None:
        for number in range(100):
            await store.values.put(name, b"%d" % number, b"v" * 400)

    await gatherResults([Deferred.fromCoroutine(some(f"n{i}")) for i in range(32)])


async def files(store: SQLiteStore, audit: Audit) -> None:
    """Content in rows and in files."""
    for size in (100, 60_000, 70_000, 300_000, 3_000_000):
        for number in range(10):
            sink = store.blobs.create()
            content = b"%06d" % number * (size // 6)
            for at in range(0, len(content), 65_536):
                paused = sink.write(content[at : at + 65_536])
                if paused is not None:
                    await paused
            await sink.finish().addCallback(audit.note)


async def main(reactor: Any, scenario: str, directory: str, durability: str) -> None:
    """Run a scenario, and print what the auditor saw."""
    store = SQLiteStore(directory, evolve(SMALL, durability=durability), reactor)
    await store.open()
    audit = EngineAudit()
    await {"rows": rows, "group": group, "files": files}[scenario](store, audit)
    await store.close()
    print(json.dumps([audit.acknowledged, audit.unsynced, audit.where]))


if __name__ == "__main__":
    words = (*sys.argv[1:], "full")[:3]
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *words)))
