"""``netservices lock``."""

from __future__ import annotations

import time

from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import PutLock, Unit
from netservices.values import FileLock
from tests.cli.bench import CommandTestCase


class LockTests(CommandTestCase):
    """Locks that clients of WebDAV hold."""

    def setUp(self) -> None:
        """Alice holds a lock, and so does somebody who is not there any more."""
        super().setUp()
        self.command("account", "add", "alice")
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        account = value_of(store.records.account("alice", "example.org"))
        later = time.time() + 600
        for token, number in (("urn:uuid:1", account.id), ("urn:uuid:2", 99)):
            lock = FileLock(token, ("d", token), number, expires=later)
            value_of(store.apply(Unit((PutLock("home:alice", lock, 9),))))
        value_of(store.close())

    def test_list(self) -> None:
        """Locks are listed, all or those of an account."""
        first, second = self.rows("lock", "list")
        (alices,) = self.rows("lock", "list", "--account", "alice")

        self.assertEqual(alices, first)
        self.assertEqual(
            ("1", "alice@example.org", "/d/urn:uuid:1", "exclusive"),
            tuple(first[key] for key in ("lock", "account", "path", "kind")),
        )
        self.assertEqual("-", second["account"])
        self.refusal("lock", "list", "--account", "nobody")

    def test_break(self) -> None:
        """Locks end all together, or not at all."""
        self.assertIn("no lock 3", self.refusal("lock", "break", "1", "3"))
        self.assertEqual(2, len(self.rows("lock", "list")))
        self.command("lock", "break", "urn:uuid:1", "2")
        self.assertEqual([], self.rows("lock", "list"))
