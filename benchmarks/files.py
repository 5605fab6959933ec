"""Uploads and listings of file trees: ``python -m benchmarks.files [--state DIR]``.

Prints one line a measurement: small durable uploads a second with 1 and 32 outstanding,
CPU seconds a GiB of a large upload and download, and CPU of a listing of 5,000 entries.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.values import Account

SMALL = b"x" * 1024
CHUNK = b"y" * 262_144
SMALL_UPLOADS = 1000
ENTRIES = 5000
GIB = 1 << 30


async def put_small(tree: Any, name: str) -> None:
    """One small file."""
    upload = await tree.begin_write((name,))
    upload.write(SMALL)
    await upload.commit()


async def put_many(tree: Any, first: int, count: int) -> None:
    """One small file after the other."""
    for number in range(first, first + count):
        await put_small(tree, f"f{number}")


async def small_uploads(tree: Any, outstanding: int) -> float:
    """Uploads a second."""
    share = SMALL_UPLOADS // outstanding
    started = time.perf_counter()
    await gatherResults(
        [
            Deferred.fromCoroutine(put_many(tree, lane * share, share))
            for lane in range(outstanding)
        ]
    )
    return share * outstanding / (time.perf_counter() - started)


async def big_upload(tree: Any) -> tuple[float, float]:
    """CPU and elapsed seconds of one GiB, as it arrives from a socket."""
    cpu, started = time.process_time(), time.perf_counter()
    upload = await tree.begin_write(("big",))
    for _ in range(GIB // len(CHUNK)):
        paused = upload.write(CHUNK)
        if paused is not None:
            await paused
    await upload.commit()
    return time.process_time() - cpu, time.perf_counter() - started


async def big_download(tree: Any) -> float:
    """CPU seconds of reading one GiB from the page cache."""
    cpu = time.process_time()
    opened = await tree.open(("big",))
    offset = 0
    while data := await opened.read(offset, len(CHUNK)):
        offset += len(data)
    opened.close()
    return time.process_time() - cpu


async def listing(tree: Any) -> float:
    """CPU milliseconds of all pages."""
    cpu = time.process_time()
    after, count = None, 0
    while page := await tree.list((), after):
        after = page[-1].name
        count += len(page)
    assert count >= ENTRIES
    return (time.process_time() - cpu) * 1000


async def measure(reactor: Any, state: str, durability: str) -> None:
    """All measurements with one durability."""
    store = SQLiteStore(os.path.join(state, "store"), StoreSettings(), reactor)
    await store.open()
    settings = attrs.evolve(FilesSettings(), durability=durability)
    files = Files(state, store, settings, reactor)
    await files.start()
    tree = files.home(Account(1, "bench", "example.org"))
    for outstanding in (1, 32):
        rate = await small_uploads(tree, outstanding)
        print(f"{durability}: 1 KB uploads, {outstanding} outstanding: {rate:.0f}/s")
    cpu, elapsed = await big_upload(tree)
    print(f"{durability}: upload: {cpu:.2f} s CPU a GiB ({1024 / elapsed:.0f} MB/s)")
    print(f"{durability}: download: {await big_download(tree):.2f} s CPU a GiB")
    await tree.remove(("big",))
    await put_many(tree, SMALL_UPLOADS, ENTRIES - SMALL_UPLOADS)
    print(f"{durability}: listing {ENTRIES} entries: {await listing(tree):.1f} ms CPU")
    await files.stop()
    await store.close()


async def main(reactor: Any, where: str | None, levels: list[str]) -> None:
    """Every durability in a state directory of its own."""
    for durability in levels:
        state = tempfile.mkdtemp(dir=where)
        os.mkdir(os.path.join(state, "store"))
        try:
            await measure(reactor, state, durability)
        finally:
            shutil.rmtree(state)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", help="make state directories in this directory")
    parser.add_argument("levels", nargs="*", default=["full", "none"])
    options = parser.parse_args()
    react(lambda r: Deferred.fromCoroutine(main(r, options.state, options.levels)))
