"""Where contract tests get their stores from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore

SMALL = StoreSettings(
    free_space_floor=0, spare=0, zone_journal=20, zone_journal_octets=20_000
)
"""Settings that do not mind how full the machine's disk is, and a short journal."""


class FakeTime:
    """Seconds since 1970 as the test says."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class InMemory:
    """Stores in memory."""

    addCleanup: Callable[..., Any]  # noqa: N815
    mktemp: Callable[[], str]

    def new_store(self, seconds: FakeTime) -> SQLiteStore:
        """A store that is not open yet."""
        return SQLiteStore(None, SMALL, None, seconds)

    async def make_store(self) -> SQLiteStore:
        """An open store; ``self.time`` is its time."""
        self.time = FakeTime()
        store = self.new_store(self.time)
        await store.open()
        self.addCleanup(store.close)
        return store


class Inline(InMemory):
    """Stores on disk, without threads."""

    def new_store(self, seconds: FakeTime) -> SQLiteStore:
        """A store that is not open yet."""
        return SQLiteStore(self.mktemp(), SMALL, None, seconds)


class Threaded(InMemory):
    """Stores on disk, with a writer thread and the real reactor."""

    def new_store(self, seconds: FakeTime) -> SQLiteStore:
        """A store that is not open yet."""
        from twisted.internet import reactor

        return SQLiteStore(self.mktemp(), SMALL, reactor, seconds)
