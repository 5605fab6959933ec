"""A process that makes children who write as fast as they can, until they are killed.

``python -m tests.store.crashing DIRECTORY`` reads lines from its standard input: for
each, a number, it forks a child. All words go to standard output: ``born PID``, ``ack
KIND NAME`` for each acknowledged write of the child, ``dead`` after its end. Everything
is imported before the first fork, so that a child costs milliseconds.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import AddBlobReference, PutValue, Unit

SMALL = StoreSettings(
    free_space_floor=0, spare=0, checkpoint_at=1 << 18, checkpoint_pause_at=1 << 19
)


def say(text: str) -> None:
    """One line, in one write."""
    os.write(1, (text + "\n").encode("ascii"))


async def write_pairs(store: SQLiteStore, name: str) -> None:
    """Units of two values, that are there together or not at all."""
    number = 0
    while True:
        number += 1
        key = f"{name}.{number}".encode("ascii")
        await store.apply(
            Unit((PutValue("one", key, key * 20), PutValue("two", key, key * 20)))
        )
        say(f"ack pair {key.decode()}")


async def write_content(store: SQLiteStore, name: str, size: int) -> None:
    """Content, and then a reference to it."""
    number = 0
    while True:
        number += 1
        text = f"{name}.{number}/".encode("ascii")
        sink = store.blobs.create()
        paused = sink.write(text * (size // len(text)))
        if paused is not None:
            await paused
        ref = await sink.finish()
        await store.apply(Unit((AddBlobReference(ref, 1, 1, number),)))
        say(f"ack content {ref.hash.hex()}/{ref.size}")


async def write(reactor: Any, directory: str, name: str) -> None:
    """Eight writers of rows and two of content."""
    store = SQLiteStore(directory, SMALL, reactor)
    await store.open()
    for number in range(8):
        Deferred.fromCoroutine(write_pairs(store, f"{name}.{number}"))
    Deferred.fromCoroutine(write_content(store, f"{name}.s", 5000))
    Deferred.fromCoroutine(write_content(store, f"{name}.l", 100_000))
    await Deferred()


def live(directory: str, name: str) -> None:
    """Be a child, and never return."""
    react(lambda reactor: Deferred.fromCoroutine(write(reactor, directory, name)))


def main(directory: str) -> None:
    """Fork a child for each line."""
    for line in sys.stdin:
        name = line.strip()
        child = os.fork()
        if child == 0:
            say(f"born {os.getpid()}")
            live(directory, name)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main(sys.argv[1])
