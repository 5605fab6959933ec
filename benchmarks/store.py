"""The store's speed, beside one-row transactions on the same disk, in one run.

``python -m benchmarks.store [--quick] [--json] [--directory DIR]``

Prints commits a second of plain one-row transactions (``sqlite3``, WAL,
``synchronous=FULL``) and of the store with 1 to 128 writers, as it is and with every
sync slowed by 2 and 8 ms; then the time of a lookup in the reactor thread, and of
opening a store in memory.  Both put the same rows: *appended* ones have growing keys,
as messages, queue entries and journals do; *scattered* ones lie in 64 places of the
table, each on a page of its own, so that the log grows by a page a unit and the disk's
throughput counts as well.  The exit status is 1 where 64 writers do not reach five
times the one-row transactions of appended rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateAccount, CreateDomain, PutValue, Unit
from tests.store.shim import shim_environment

VALUE = os.urandom(400)
WRITERS = (1, 8, 32, 64, 128)
SLOW = (0, 2, 8)
WANTED_RATIO = 5.0
SETTINGS = StoreSettings(free_space_floor=0, spare=0)


Keys: TypeAlias = Callable[[int], bytes]


def appended(number: int) -> bytes:
    """Keys that grow."""
    return b"%012d" % number


def scattered(number: int) -> bytes:
    """Keys that grow in 64 places of the table."""
    return b"%02d.%010d" % (number % 64, number)


def single_rows(directory: str, seconds: float, key_of: Keys) -> dict[str, float]:
    """Plain one-row transactions, as fast as one connection can."""
    path = os.path.join(directory, f"{key_of.__name__}.db")
    connection = sqlite3.connect(path)
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE t(key BLOB PRIMARY KEY, value BLOB) STRICT, WITHOUT ROWID"
    )
    times = []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        row = (key_of(len(times)), VALUE)
        connection.execute("INSERT INTO t VALUES(?, ?)", row)
        times.append(time.perf_counter() - begin)
    connection.close()
    return summary(times, seconds)


def summary(times: list[float], seconds: float) -> dict[str, float]:
    """Rate, median and 99th percentile."""
    ordered = sorted(times)
    return {
        "per_second": round(len(times) / seconds),
        "p50_ms": round(statistics.median(ordered) * 1000, 3),
        "p99_ms": round(ordered[len(ordered) * 99 // 100] * 1000, 3),
    }


async def writers(
    store: SQLiteStore, count: int, seconds: float, key_of: Keys
) -> dict[str, float]:
    """So many writers, each with one unit under way at a time."""
    times: list[float] = []
    numbers = itertools.count()
    namespace = f"{key_of.__name__} {count}"
    end = time.perf_counter() + seconds

    async def write() -> None:
        while (begin := time.perf_counter()) < end:
            operation = PutValue(namespace, key_of(next(numbers)), VALUE)
            await store.apply(Unit((operation,)))
            times.append(time.perf_counter() - begin)

    await gatherResults([Deferred.fromCoroutine(write()) for _ in range(count)])
    return summary(times, seconds)


async def lookups(store: SQLiteStore, count: int) -> dict[str, float]:
    """Accounts by name, in the reactor thread."""
    names = [f"user{number}" for number in range(1000)]
    await store.apply(
        Unit(
            (
                CreateDomain("example.com"),
                *(CreateAccount(name, "example.com") for name in names),
            )
        )
    )
    times = []
    for number in range(count):
        begin = time.perf_counter()
        value_of(store.records.account(names[number % 1000], "example.com"))
        times.append(time.perf_counter() - begin)
    return summary(times, sum(times))


def openings(count: int) -> dict[str, float]:
    """Stores in memory, opened and closed."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        store = SQLiteStore(None, SETTINGS, None)
        value_of(store.open())
        times.append(time.perf_counter() - begin)
        value_of(store.close())
    return summary(times, sum(times))


async def measure(reactor: Any, directory: str, seconds: float) -> None:
    """One disk, one table; prints JSON for the parent."""
    found: dict[str, Any] = {}
    store = SQLiteStore(os.path.join(directory, "state"), SETTINGS, reactor)
    await store.open()
    for key_of, counts in ((appended, WRITERS), (scattered, (64,))):
        how = key_of.__name__
        found[f"one row, {how}"] = single_rows(directory, seconds, key_of)
        for count in counts:
            name = f"{count} writers, {how}"
            found[name] = await writers(store, count, seconds, key_of)
    if not os.environ.get("FAULT_SYNC_MS", "0").strip("0"):
        found["account by name"] = await lookups(store, 20_000)
        found["store in memory, open"] = openings(50)
    await store.close()
    print(json.dumps(found))


def child(directory: str, seconds: float, slow: int) -> dict[str, Any]:
    """What ``measure`` finds with syncs slowed by so many milliseconds."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.store", "--child", place, str(seconds)],
            env=shim_environment("faults", FAULT_SYNC_MS=str(slow)),
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results for people; ratios to the one-row transactions of the same disk."""
    lines = []
    for disk, rows in results.items():
        lines.append(
            f"{disk:<28}{'a second':>10}{'ratio':>8}{'p50 ms':>10}{'p99 ms':>10}"
        )
        for name, row in rows.items():
            base = rows.get(f"one row, {name.rpartition(' ')[2]}")
            ratio = f"{row['per_second'] / base['per_second']:.1f}" if base else ""
            lines.append(
                f"  {name:<26}{row['per_second']:>10}{ratio:>8}"
                f"{row['p50_ms']:>10}{row['p99_ms']:>10}"
            )
    return "\n".join(lines)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="half a second each")
    parser.add_argument(
        "--directory", default="/var/tmp", help="on the disk to measure"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        place, seconds = options.child
        react(
            lambda reactor: Deferred.fromCoroutine(
                measure(reactor, place, float(seconds))
            )
        )
    seconds = 0.5 if options.quick else 3.0
    results = {
        f"sync + {slow} ms": child(options.directory, seconds, slow) for slow in SLOW
    }
    print(json.dumps(results, indent=1) if options.json else table(results))
    rows = results["sync + 0 ms"]
    single = rows["one row, appended"]["per_second"]
    grouped = rows["64 writers, appended"]["per_second"]
    return 0 if grouped >= WANTED_RATIO * single else 1


if __name__ == "__main__":
    sys.exit(main())
