"""Killed at any moment, a store has all that it acknowledged, and nothing by halves."""

from __future__ import annotations

import hashlib
import os
import random
import select
import signal
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.store.blobfiles import BlobFiles
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import DeleteValue, DropBlobReference, Unit
from netservices.values import BlobRef

SMALL = StoreSettings(free_space_floor=0, spare=0)

LONGEST_LIFE_SECONDS = 0.08


def rounds() -> int:
    """How often the child is killed."""
    given = os.environ.get("NETSERVICES_CRASH_ROUNDS")
    return int(given) if given else 200 if os.environ.get("CI") else 20


class Crashing:
    """The process that makes children, and what it said."""

    def __init__(self, directory: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.crashing", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            bufsize=0,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.unread = b""

    def words(self, deadline: float) -> list[list[str]]:
        """Lines said until then, each as words; an end of the process is an error."""
        wait = max(0.0, deadline - time.monotonic())
        if not select.select([self.stdout], [], [], wait)[0]:
            return []
        data = os.read(self.stdout.fileno(), 1 << 16)
        if not data:
            raise AssertionError("the crashing process has ended")
        *lines, self.unread = (self.unread + data).split(b"\n")
        return [line.decode("ascii").split() for line in lines]

    def live_and_die(
        self, name: str, seconds: float, from_birth: bool = False
    ) -> list[list[str]]:
        """What a child acknowledged until it was killed, so many seconds after its
        first acknowledgement, or its birth."""
        self.stdin.write(name.encode("ascii") + b"\n")
        said: list[list[str]] = []
        deadline, pid = float("inf"), 0
        patience = time.monotonic() + 60
        while ["dead"] not in said:
            if time.monotonic() > patience:
                raise AssertionError("the child did not die")
            said += self.words(min(deadline, patience))
            if said and not pid:
                pid = int(said[0][1])
            if deadline == float("inf") and len(said) > (not from_birth):
                deadline = time.monotonic() + seconds
            if time.monotonic() >= deadline and ["dead"] not in said:
                os.kill(pid, signal.SIGKILL)
                deadline = patience
        return [words[1:] for words in said if words[0] == "ack"]

    def end(self) -> None:
        """Let it go."""
        self.stdin.close()
        self.process.wait()
        self.stdout.close()


class CrashTests(SynchronousTestCase):
    """SIGKILL at random moments, again and again, on the same directory."""

    def test_kill(self) -> None:
        """After each death: every acknowledged write is there, every unit is there as a
        whole or not at all, every content file has its hash, and ``check`` is clean."""
        directory = os.path.realpath(self.mktemp())
        crashing = Crashing(directory)
        self.addCleanup(crashing.end)
        chance = random.Random(time.time_ns())
        total = 0
        for number in range(rounds()):
            seconds = chance.uniform(0, LONGEST_LIFE_SECONDS)
            # Now and then, already while the store is opened.
            from_birth = chance.random() < 0.1
            acknowledged = crashing.live_and_die(f"r{number}", seconds, from_birth)
            total += len(acknowledged)
            self.examine(directory, acknowledged)
        self.assertGreater(total, rounds() // 2)

    def examine(self, directory: str, acknowledged: list[list[str]]) -> None:
        """Look at what the child left, then clear it away for the next one."""
        now = time.time()
        store = SQLiteStore(directory, SMALL, None, lambda: now)
        value_of(store.open())
        try:
            self.see_pairs(store, {w[1] for w in acknowledged if w[0] == "pair"})
            self.see_content(store, {w[1] for w in acknowledged if w[0] == "content"})
            self.see_files(directory)
            self.assertEqual((), value_of(store.admin.check("full")).findings)
            now += 7200
            self.clear(store)
        finally:
            value_of(store.close())

    def see_pairs(self, store: SQLiteStore, keys: set[str]) -> None:
        """Both values of each acknowledged unit, and no single ones."""
        one = dict(value_of(store.values.scan("one", limit=1_000_000)))
        two = dict(value_of(store.values.scan("two", limit=1_000_000)))
        self.assertEqual(one, two)
        self.assertEqual(set(), {key.encode() for key in keys} - set(one))
        self.assertTrue(all(value == key * 20 for key, value in one.items()))

    def see_content(self, store: SQLiteStore, names: set[str]) -> None:
        """Acknowledged content, with its hash."""
        for name in names:
            content_hash, size = name.split("/")
            ref = BlobRef(bytes.fromhex(content_hash), int(size))
            self.assertTrue(value_of(store.blobs.verify(ref)), name)

    def see_files(self, directory: str) -> None:
        """Whatever file has a name has the content of that name."""
        files = BlobFiles(directory)
        for content_hash in files.hashes():
            with open(files.path(content_hash), "rb") as file:
                self.assertEqual(content_hash, hashlib.sha256(file.read()).digest())

    def clear(self, store: SQLiteStore) -> None:
        """An empty store again; orphans are found, now that they are old."""
        keys = [key for key, _ in value_of(store.values.scan("one", limit=1_000_000))]
        operations = [DeleteValue(ns, key) for key in keys for ns in ("one", "two")]
        rows = store._engine.connection.execute(
            "SELECT r.hash, b.size, r.kind, r.account, r.owner "
            "FROM blob_ref r JOIN blob b ON b.hash=r.hash"
        ).fetchall()
        dropped = [DropBlobReference(BlobRef(*row[:2]), *row[2:]) for row in rows]
        value_of(store.apply(Unit((*operations, *dropped))))
        value_of(store.blobs.collect(float("inf")))
        value_of(store.keep_house())
        codes = {f.code for f in value_of(store.admin.check("full", True)).findings}
        self.assertLessEqual(codes, {"orphan-file"})
        self.assertEqual((), value_of(store.admin.check("full")).findings)
