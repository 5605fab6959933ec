"""Run below the auditor: at every acknowledgement, all must be on stable storage.

``python -m tests.files.audited DIRECTORY [DURABILITY]`` prints, in JSON, the number of
acknowledgements, and of those at which something was not synced.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.values import Account, WriteMode
from tests.store.shim import Audit

STORE = StoreSettings(free_space_floor=0, spare=0)
SIZES = (0, 10, 60_000, 70_000, 300_000, 5_000_000)


async def change(tree: Any, audit: Audit) -> None:
    """Every way to change a tree, one after the other."""
    for size in SIZES:
        for mode in WriteMode:
            name = f"{mode.value}-{size}"
            upload = await tree.begin_write((name,), mode)
            for at in range(0, size, 65_536):
                paused = upload.write(b"x" * min(65_536, size - at))
                if paused is not None:
                    await paused
            await upload.commit().addCallback(audit.note)
            if mode in (WriteMode.APPEND, WriteMode.RESUME):
                upload = await tree.begin_write((name,), mode)
                upload.write(b"more")
                await upload.commit().addCallback(audit.note)
        upload = await tree.begin_write(("partial",), WriteMode.APPEND)
        upload.write(b"x" * size)
        await upload.abort(keep_partial=True).addCallback(audit.note)
        await tree.make_directory(("d",)).addCallback(audit.note)
        await tree.rename((name,), ("d", "f")).addCallback(audit.note)
        await tree.set_attributes(("d", "f"), 10**18).addCallback(audit.note)
        await tree.remove(("d", "f")).addCallback(audit.note)
        await tree.remove(("d",), directory=True).addCallback(audit.note)


async def main(reactor: Any, directory: str, durability: str) -> None:
    """Run, and print what the auditor saw."""
    os.makedirs(os.path.join(directory, "store"), exist_ok=True)
    store = SQLiteStore(os.path.join(directory, "store"), STORE, reactor)
    await store.open()
    settings = evolve(FilesSettings(), durability=durability)
    files = Files(directory, store, settings, reactor)
    await files.start()
    tree = files.home(Account(1, "alice", "example.org"))
    audit = Audit()
    await change(tree, audit)
    await files.stop()
    await store.close()
    print(json.dumps([audit.acknowledged, audit.unsynced, audit.where]))


if __name__ == "__main__":
    words = (*sys.argv[1:], "full")[:2]
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *words)))
