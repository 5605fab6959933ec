"""Records of uploads: waited for where they are promised, else on their way."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netservices.core.deferreds import value_of
from netservices.files import volume as volumes
from netservices.interfaces import QuotaExceeded, StoreUnavailable
from netservices.units import Unit
from tests.files.trees import FilesCase


class SlowStore:
    """A store whose units are applied when it is told to."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.state = "ready"
        self.file_records = store.file_records
        self.file_locks = store.file_locks
        self.waiting: list[tuple[Unit, Deferred[Any]]] = []

    def apply(self, unit: Unit, is_awaited: bool = True) -> Deferred[Any]:
        """Later."""
        applied: Deferred[Any] = Deferred()
        self.waiting.append((unit, applied))
        return applied

    def go_on(self) -> None:
        """Apply what waits, in order."""
        waiting, self.waiting = self.waiting, []
        for unit, applied in waiting:
            applied.callback(value_of(self._store.apply(unit)))

    def fail(self) -> None:
        """Lose what waits."""
        waiting, self.waiting = self.waiting, []
        for _, applied in waiting:
            applied.errback(Failure(StoreUnavailable("broken")))


class RecordingTests(FilesCase):
    """Uploads to a tree whose store is slow."""

    def make_slow(self, durability: str, quota_octets: int | None = None) -> Any:
        """A tree on a slow store."""
        self.files = self.make_files(durability=durability)
        tree = self.make_tree(quota_octets)
        self.slow: Any = SlowStore(self.store)
        tree.volume.store = self.slow
        return tree

    def put(self, tree: Any, name: str, size: int) -> Deferred[Any]:
        """The commit of an upload."""
        upload = value_of(tree.begin_write((name,)))
        upload.write(b"x" * size)
        committed: Deferred[Any] = upload.commit()
        return committed

    def test_promised(self) -> None:
        """By default the record is stored before the upload is acknowledged."""
        tree = self.make_slow("full")

        committed = self.put(tree, "f", 10)

        self.assertFalse(committed.called)
        self.slow.go_on()
        self.assertEqual(10, value_of(committed).size)

    def test_not_promised(self) -> None:
        """Where less is promised the upload is acknowledged first, and the record
        comes."""
        for durability in ("data", "none"):
            tree = self.make_slow(durability)

            committed = self.put(tree, "f", 10)

            self.assertEqual(10, value_of(committed).size)
            self.slow.go_on()
            self.assertEqual(10, value_of(tree.usage()).used_octets)
            self.assertEqual(0, tree.volume.ledger.unrecorded)

    def test_quota(self) -> None:
        """What is not recorded yet counts for the quota."""
        tree = self.make_slow("none", quota_octets=25)
        value_of(self.put(tree, "f", 10))
        value_of(self.put(tree, "g", 10))

        upload = value_of(tree.begin_write(("h",)))

        self.failureResultOf(upload.write(b"x" * 10), QuotaExceeded)
        value_of(upload.abort())

    def test_partial_upload(self) -> None:
        """What broke off is given back once, also where two uploads of one name end at
        once."""
        tree = self.make_slow("none")
        broken = value_of(tree.begin_write(("f",)))
        broken.write(b"x" * 100)
        aborted = broken.abort(keep_partial=True)
        self.slow.go_on()
        value_of(aborted)

        uploads = [value_of(tree.begin_write(("f",))) for _ in range(2)]
        for upload in uploads:
            upload.write(b"x" * 10)
        committed = [upload.commit() for upload in uploads]
        while not all(one.called for one in committed):
            self.slow.go_on()
        value_of(self.put(tree, "g", 300))
        self.slow.go_on()

        self.assertEqual(310, value_of(tree.usage()).used_octets)

    def test_too_many(self) -> None:
        """Uploads wait again where too many records are on their way."""
        self.patch(volumes, "_MOST_UNRECORDED", 2)
        tree = self.make_slow("none")

        first, second = self.put(tree, "f", 1), self.put(tree, "g", 1)

        self.assertTrue(first.called)
        self.assertFalse(second.called)
        self.slow.go_on()
        value_of(second)

    def test_lost(self) -> None:
        """A record that is lost is logged, and the sums can be repaired."""
        tree = self.make_slow("none")
        value_of(self.put(tree, "f", 10))

        self.slow.fail()

        self.assertEqual(1, len(self.flushLoggedErrors(StoreUnavailable)))
        self.assertEqual(0, tree.volume.ledger.unrecorded_octets)
        self.assertEqual(1, len(value_of(self.files.check(repair=True)).findings))
        self.assertEqual((), value_of(self.files.check()).findings)

    def test_check_waits(self) -> None:
        """A count does not take records on their way for missing ones."""
        tree = self.make_slow("none")
        volume = tree.volume
        value_of(self.put(tree, "f", 10))
        self.files.store = self.slow
        self.addCleanup(setattr, self.files, "store", self.store)

        checked = self.files.check()

        self.assertFalse(checked.called)
        while not checked.called:
            self.slow.go_on()
        self.assertEqual((), value_of(checked).findings)
        self.assertEqual(0, volume.ledger.unrecorded)
