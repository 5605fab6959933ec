"""What every ``ILockRecords`` and ``IPropertyRecords`` promises."""

from __future__ import annotations

from typing import Any

from netservices.interfaces import Conflict, QuotaExceeded
from netservices.units import (
    CopyProperties,
    PutLock,
    PutProperties,
    RemoveFileRecords,
    RemoveLock,
    RenameFileRecords,
    RenewLock,
    Unit,
)
from netservices.values import FileLock, Path
from tests.contract.store import UnitContract

MOST = 1000


def note(path: Path, name: str, value: str | None) -> PutProperties:
    """One property."""
    return PutProperties("home", path, ((name, value),), MOST)


class PropertyRecordsContract(UnitContract):
    """Properties of files."""

    async def all(self, store: Any, *paths: Path) -> Any:
        """All properties of the paths."""
        return await store.file_properties.of("home", paths)

    async def test_properties(self) -> None:
        """Values are kept by path and name, replaced, and removed."""
        store = await self.make_store()
        a, b = ("d\udcff", "a"), ("b",)
        await store.apply(
            Unit((note(a, "x", "1"), note(a, "y", "ü"), note(b, "x", "3")))
        )
        self.assertEqual({a: {"x": "1", "y": "ü"}}, await self.all(store, a, ("d",)))
        await store.apply(Unit((note(a, "x", "2"), note(a, "y", None))))
        many = tuple((str(number),) for number in range(20))
        self.assertEqual(
            {a: {"x": "2"}, b: {"x": "3"}}, await self.all(store, a, b, *many)
        )
        self.assertEqual({}, await self.all(store))

    async def test_room(self) -> None:
        """A path has so many octets of properties at most; what is too much changes
        nothing."""
        store = await self.make_store()
        long = note(("a",), "x", "1" * MOST)
        await self.refused(QuotaExceeded, store.apply(Unit((long,))))
        self.assertEqual({}, await self.all(store, ("a",)))
        await store.apply(Unit((note(("a",), "x", "1" * (MOST - 1)),)))

    async def test_follow(self) -> None:
        """Properties follow what is renamed, and go with what is removed; what is
        replaced keeps them."""
        store = await self.make_store()
        await store.apply(
            Unit((note(("a", "b"), "x", "1"), note(("c", "b"), "y", "2")))
        )
        await store.apply(Unit((RenameFileRecords("home", ("a",), ("c",)),)))
        self.assertEqual(
            {("c", "b"): {"x": "1"}}, await self.all(store, ("a", "b"), ("c", "b"))
        )
        await store.apply(Unit((RemoveFileRecords("home", ("c", "b"), True),)))
        self.assertEqual({("c", "b"): {"x": "1"}}, await self.all(store, ("c", "b")))
        await store.apply(Unit((RemoveFileRecords("home", ("c",)),)))
        self.assertEqual({}, await self.all(store, ("c", "b")))

    async def test_copy(self) -> None:
        """A copy has the properties of its original, in place of its own."""
        store = await self.make_store()
        await store.apply(Unit((note(("a",), "x", "1"), note(("b",), "y", "2"))))
        copy = CopyProperties("home", ("a",), ("b",))
        self.assertEqual((1,), await store.apply(Unit((copy,))))
        self.assertEqual(
            {("a",): {"x": "1"}, ("b",): {"x": "1"}},
            await self.all(store, ("a",), ("b",)),
        )
        self.assertEqual(
            (0,), await store.apply(Unit((CopyProperties("home", ("a",), ("a",)),)))
        )


class LockRecordsContract(UnitContract):
    """Locks on files."""

    def lock(self, token: str, *path: str, **more: Any) -> PutLock:
        """A lock for an hour."""
        lock = FileLock(token, path, 1, expires=self.time() + 3600, **more)
        return PutLock("home", lock, 5)

    async def tokens(self, store: Any, *path: str, is_below: bool = False) -> list[str]:
        """The locks near a path."""
        found = await store.file_locks.near("home", path, is_below)
        return [lock.token for lock in found]

    async def test_near(self) -> None:
        """Locks are found from what is below them, and from what is above."""
        store = await self.make_store()
        await store.apply(
            Unit((self.lock("1", "a", "b"), self.lock("2", "a", "bc", owner="ü")))
        )
        self.assertEqual(["1"], await self.tokens(store, "a", "b", "c", "d"))
        self.assertEqual([], await self.tokens(store, "a"))
        self.assertEqual(["1", "2"], await self.tokens(store, is_below=True))
        self.assertEqual(["1"], await self.tokens(store, "a", "b", is_below=True))
        self.assertEqual((), await store.file_locks.near("pub", ("a", "b")))
        ((tree, lock),) = await store.file_locks.all("1")
        self.assertEqual(("home", "ü", ("a", "bc")), (tree, lock.owner, lock.path))

    async def test_exclude(self) -> None:
        """An exclusive lock is alone, shared ones are not; deep ones reach what is
        below.  RFC 4918 6.1."""
        store = await self.make_store()
        shared = {"is_exclusive": False}
        await store.apply(Unit((self.lock("1", "a", "b", **shared),)))
        await store.apply(Unit((self.lock("2", "a", "b", **shared),)))
        await store.apply(Unit((self.lock("3", "a"),)))
        for lock in (
            self.lock("4", "a", "b"),
            self.lock("4", is_deep=True),
            self.lock("4", "a", **shared),
        ):
            await self.refused(Conflict, store.apply(Unit((lock,))))
        await store.apply(Unit((self.lock("5", "c", is_deep=True),)))
        below = self.lock("6", "c", "d", "e", **shared)
        await self.refused(Conflict, store.apply(Unit((below,))))
        await store.apply(Unit((self.lock("7", "cd"),)))
        await self.refused(QuotaExceeded, store.apply(Unit((self.lock("8", "f"),))))

    async def test_end(self) -> None:
        """A lock ends with its time, when it is removed, and with what it is on."""
        store = await self.make_store()
        await store.apply(
            Unit((self.lock("1", "a"), self.lock("2", "b"), self.lock("3", "c")))
        )
        renew = RenewLock("home", "1", self.time() + 7200)
        self.assertEqual((True,), await store.apply(Unit((renew,))))
        remove = RemoveLock("home", "2")
        self.assertEqual((True,), await store.apply(Unit((remove,))))
        self.assertEqual((False,), await store.apply(Unit((remove,))))
        self.time.now += 3600
        self.assertEqual(["1"], await self.tokens(store, is_below=True))
        await store.apply(Unit((self.lock("4", "c"),)))
        await store.apply(Unit((RenameFileRecords("home", ("a",), ("c",)),)))
        self.assertEqual(["4"], await self.tokens(store, is_below=True))
        await store.apply(Unit((RemoveFileRecords("home", ("c",)),)))
        self.assertEqual([], await self.tokens(store, is_below=True))
        self.time.now += 7200
        late = RenewLock("home", "1", self.time() + 1)
        self.assertEqual((False,), await store.apply(Unit((late,))))
