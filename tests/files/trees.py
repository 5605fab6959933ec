"""File services for tests: inline, or with threads whose results are awaited here."""

from __future__ import annotations

import os
from queue import SimpleQueue
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.files.tree import FileTree
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.values import Account

PATIENCE_SECONDS = 60.0
"""After this a test that waits for a thread has failed."""


class WaitingReactor(Clock):
    """A clock, and a ``callFromThread`` whose calls are made by ``wait``."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[Any] = SimpleQueue()

    def callFromThread(self, function: Any, *args: Any, **keywords: Any) -> None:  # noqa: N802
        """Run it when somebody waits."""
        self._calls.put((function, args, keywords))

    def step(self) -> None:
        """Make the next call that a thread asks for."""
        function, args, keywords = self._calls.get(timeout=PATIENCE_SECONDS)
        function(*args, **keywords)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """The result of ``deferred``, calls of threads made meanwhile."""
        done: list[Any] = []
        kept: Deferred[Any] = Deferred()

        def fired(result: Any) -> None:
            done.append(result)
            kept.callback(result)

        deferred.addBoth(fired)
        while not done:
            self.step()
        return value_of(kept)


def make_store() -> SQLiteStore:
    """A store in memory, inline."""
    store = SQLiteStore(None, StoreSettings(), None)
    value_of(store.open())
    return store


class FilesCase(SynchronousTestCase):
    """A state directory with a file service on it."""

    settings = FilesSettings()
    resolver = "auto"

    def setUp(self) -> None:
        self.state = self.mktemp()
        os.makedirs(self.state)
        self.store = make_store()
        self.accounts = 0
        self.files = self.make_files()

    def make_files(self, reactor: Any = None, **changes: Any) -> Files:
        """A started service; ``changes`` are settings."""
        settings = attrs.evolve(self.settings, **{"resolver": self.resolver, **changes})
        files = Files(self.state, self.store, settings, reactor)
        started = files.start()
        if reactor is None:
            value_of(started)
        else:
            reactor.wait(started)
            self.addCleanup(lambda: reactor.wait(files.stop()))
        return files

    def make_tree(self, quota_octets: int | None = None) -> FileTree:
        """The home of one more account."""
        self.accounts += 1
        return self.files.home(self.account(self.accounts, quota_octets))

    def account(self, number: int, quota_octets: int | None = None) -> Account:
        """An account of that id."""
        name = f"user{number}"
        return Account(number, name, "example.org", quota_octets=quota_octets)

    def directory(self, tree: FileTree) -> str:
        """Where the tree is on the disk."""
        tree.volume.disk.root()
        return tree.volume.disk.directory
