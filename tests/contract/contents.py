"""What every ``IFileRecords``, ``IZones`` and ``IBlobs`` promises."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from attrs import evolve

from netservices.interfaces import (
    Conflict,
    Exists,
    NotFound,
    QuotaExceeded,
    StoreUnavailable,
)
from netservices.store.blobs import CollectBlobs
from netservices.units import (
    AddBlobReference,
    AddUsage,
    AssertValue,
    CreateZone,
    DeleteZone,
    DropBlobReference,
    PutFileDigest,
    PutFileRecord,
    PutPartial,
    RekeyFileRecord,
    RemoveFileRecords,
    RemovePartial,
    RenameFileRecords,
    ReplaceZone,
    SetUsage,
    Unit,
    UpdateZone,
)
from netservices.values import BlobRef, Digests, Path, RRset, ZoneChange, ZoneInfo
from tests.contract.store import UnitContract

ODD = ("d\udcff", "ünïcode", "a.b")


def record(tree: str, *path: str, sha256: bytes = b"\1" * 32) -> PutFileRecord:
    """What is known of a file."""
    return PutFileRecord(tree, path, "1:2:3:4", sha256, 7, 1, 100)


class FileRecordsContract(UnitContract):
    """Digests, usage sums and partial uploads."""

    async def known(self, store: Any, tree: str, *paths: Path) -> list[bool]:
        """For each path, whether anything is known of it."""
        return [
            await store.file_records.digests(tree, path, "1:2:3:4") is not None
            for path in paths
        ]

    async def test_digests(self) -> None:
        """A record is known of one version of one file only."""
        store = await self.make_store()
        await store.apply(Unit((record("home", *ODD),)))
        found = await store.file_records.digests("home", ODD, "1:2:3:4")
        self.assertEqual(Digests(b"\1" * 32, 7), found)
        self.assertIsNone(await store.file_records.digests("home", ODD, "1:2:3:5"))
        self.assertIsNone(await store.file_records.digests("pub", ODD, "1:2:3:4"))

    async def test_remove_records(self) -> None:
        """A path goes with all below it, and nothing that only begins alike."""
        store = await self.make_store()
        paths: tuple[Path, ...] = (
            ("a",),
            ("a", "b"),
            ("a", "b", "c"),
            ("a-",),
            ("a0",),
            ("ab",),
        )
        await store.apply(Unit(tuple(record("home", *path) for path in paths)))
        results = await store.apply(Unit((RemoveFileRecords("home", ("a",)),)))
        self.assertEqual((3,), results)
        self.assertEqual(
            [False, False, False, True, True, True],
            await self.known(store, "home", *paths),
        )

    async def test_remove_root(self) -> None:
        """The root stands for all records of its tree, whatever their octets."""
        store = await self.make_store()
        await store.apply(
            Unit((record("home", *ODD), record("home", "\udcff"), record("pub", "x")))
        )
        results = await store.apply(Unit((RemoveFileRecords("home", ()),)))
        self.assertEqual((2,), results)
        self.assertEqual(("pub",), await store.file_records.trees())

    async def test_rename_records(self) -> None:
        """Records move with all below them, over those that were there."""
        store = await self.make_store()
        await store.apply(
            Unit(
                (
                    record("home", "old"),
                    record("home", "old", "x"),
                    record("home", "older"),
                    record("home", "new", "y"),
                )
            )
        )
        rename = RenameFileRecords("home", ("old",), ("new",))
        self.assertEqual((2,), await store.apply(Unit((rename,))))
        self.assertEqual(
            [True, True, True, False, False],
            await self.known(
                store,
                "home",
                ("new",),
                ("new", "x"),
                ("older",),
                ("new", "y"),
                ("old",),
            ),
        )
        self.assertEqual((0,), await store.apply(Unit((rename,))))

    async def test_rename_into_itself(self) -> None:
        """Renaming a path to itself, or up into its own parent, loses nothing."""
        store = await self.make_store()
        await store.apply(Unit((record("home", "a", "b", "c"),)))
        same = RenameFileRecords("home", ("a",), ("a",))
        await store.apply(Unit((same,)))
        self.assertEqual([True], await self.known(store, "home", ("a", "b", "c")))
        up = RenameFileRecords("home", ("a", "b"), ("a",))
        self.assertEqual((1,), await store.apply(Unit((up,))))
        self.assertEqual([True], await self.known(store, "home", ("a", "c")))

    async def test_other_digests(self) -> None:
        """Other digests follow their file: to another name or key, and away."""
        store = await self.make_store()
        find = store.file_records.digest

        def put(*path: str) -> PutFileDigest:
            return PutFileDigest("home", path, "1:2:3:4", "MD5", b"\2" * 16)

        await store.apply(Unit((record("home", "a", "b"), put("a", "b"), put("c"))))
        self.assertEqual(b"\2" * 16, await find("home", ("c",), "1:2:3:4", "MD5"))
        self.assertIsNone(await find("home", ("c",), "1:2:3:5", "MD5"))
        self.assertIsNone(await find("home", ("c",), "1:2:3:4", "SHA-1"))
        await store.apply(Unit((RenameFileRecords("home", ("a",), ("d",)),)))
        self.assertIsNone(await find("home", ("a", "b"), "1:2:3:4", "MD5"))
        rekey = RekeyFileRecord("home", ("d", "b"), "1:2:3:4", "1:2:3:9")
        await store.apply(Unit((rekey,)))
        moved = await find("home", ("d", "b"), "1:2:3:9", "MD5")
        self.assertEqual(b"\2" * 16, moved)
        digests = await store.file_records.digests("home", ("d", "b"), "1:2:3:9")
        self.assertEqual(Digests(b"\1" * 32, 7), digests)
        await store.apply(Unit((RemoveFileRecords("home", ("d",)),)))
        self.assertIsNone(await find("home", ("d", "b"), "1:2:3:9", "MD5"))

    async def test_usage(self) -> None:
        """Sums grow within the quota, and never fall below zero."""
        store = await self.make_store()
        self.assertEqual((0, 0), await store.file_records.usage("home"))
        self.assertEqual(
            ((60, 1),), await store.apply(Unit((AddUsage("home", 60, 1, 100),)))
        )
        await self.refused(
            QuotaExceeded, store.apply(Unit((AddUsage("home", 41, 1, 100),)))
        )
        await store.apply(Unit((AddUsage("home", 40, 1, 100),)))
        self.assertEqual((100, 2), await store.file_records.usage("home"))
        await store.apply(Unit((AddUsage("home", -10, 0, 50),)))
        self.assertEqual((90, 2), await store.file_records.usage("home"))
        await store.apply(Unit((AddUsage("home", -1000, -9),)))
        self.assertEqual((0, 0), await store.file_records.usage("home"))
        await store.apply(Unit((SetUsage("home", 7, 3),)))
        self.assertEqual((7, 3), await store.file_records.usage("home"))

    async def test_partials(self) -> None:
        """A partial upload belongs to one account, and is listed when it expires."""
        store = await self.make_store()
        await store.apply(
            Unit(
                (
                    PutPartial("home", ODD, 1, "up1", 10, 100.0),
                    PutPartial("home", ODD, 2, "up2", 20, 50.0),
                    PutPartial("home", ODD, 1, "up3", 30, 60.0),
                )
            )
        )
        self.assertEqual(("up3", 30), await store.file_records.partial("home", ODD, 1))
        self.assertIsNone(await store.file_records.partial("home", ODD, 3))
        self.assertEqual(
            (("home", ODD, 2, "up2"), ("home", ODD, 1, "up3")),
            await store.file_records.expired_partials(60.0),
        )
        self.assertEqual((), await store.file_records.expired_partials(49.0))
        remove = Unit((RemovePartial("home", ODD, 1),))
        await store.apply(remove)
        await store.apply(remove)
        self.assertIsNone(await store.file_records.partial("home", ODD, 1))


APEX = b"\7Example\3com\0"
WWW = b"\3www" + APEX


def soa(serial: int) -> RRset:
    """A zone's SOA (RFC 1035 3.3.13)."""
    rest = struct.pack("!IIIII", serial, 1, 2, 3, 4)
    return RRset(APEX, 6, 60, (b"\2ns" + APEX + b"\4root" + APEX + rest,))


def address(owner: bytes, *addresses: bytes, ttl: int = 60) -> RRset:
    """A records."""
    return RRset(owner, 1, ttl, addresses)


class ZonesContract(UnitContract):
    """DNS zones and their journal."""

    async def test_create_and_load(self) -> None:
        """A zone is loaded as it was put, letter case included, by a name in any."""
        store = await self.make_store()
        rrsets = (soa(7), address(b"\3WwW" + APEX, b"1234", b"5678"))
        self.assertEqual((1,), await store.apply(Unit((CreateZone(APEX, rrsets),))))
        zone = await store.zones.load(APEX.upper())
        self.assertEqual(ZoneInfo(APEX, 7, 1), zone.info)
        self.assertEqual(set(rrsets), set(zone.rrsets))
        self.assertEqual((zone.info,), await store.zones.zones())
        self.assertIsNone(await store.zones.load(WWW))
        await self.refused(
            Exists, store.apply(Unit((CreateZone(APEX.lower(), rrsets),)))
        )

    async def test_replace(self) -> None:
        """A replaced zone has the new content, and the difference is journalled."""
        store = await self.make_store()
        old, new = address(WWW, b"1111"), address(WWW, b"2222")
        kept = address(b"\1k" + APEX, b"3333")
        await store.apply(Unit((CreateZone(APEX, (soa(1), old, kept)),)))
        replace = ReplaceZone(APEX, (soa(2), new, kept), if_revision=1)
        self.assertEqual((2,), await store.apply(Unit((replace,))))
        zone = await store.zones.load(APEX)
        self.assertEqual({soa(2), new, kept}, set(zone.rrsets))
        ((before, after, removed, added),) = await store.zones.differences(APEX, 1)
        self.assertEqual((1, 2), (before, after))
        self.assertEqual({soa(1), old}, set(removed))
        self.assertEqual({soa(2), new}, set(added))
        await self.refused(Conflict, store.apply(Unit((replace,))))

    async def test_update(self) -> None:
        """RRsets go and are put; what stays the same is not journalled."""
        store = await self.make_store()
        old, kept = address(WWW, b"1111"), address(b"\1k" + APEX, b"3333")
        await store.apply(Unit((CreateZone(APEX, (soa(1), old, kept)),)))
        update = UpdateZone(
            APEX.upper(),
            ((WWW.upper(), 1), (WWW, 16), (kept.owner, 1)),
            (soa(2), kept),
            if_revision=1,
        )
        self.assertEqual((2,), await store.apply(Unit((update,))))
        zone = await store.zones.load(APEX)
        self.assertEqual({soa(2), kept}, set(zone.rrsets))
        (change,) = await store.zones.differences(APEX, 1)
        self.assertEqual(
            (1, 2, {soa(1), old}, {soa(2)}), (*change[:2], *map(set, change[2:]))
        )
        await self.refused(Conflict, store.apply(Unit((update,))))
        await self.refused(NotFound, store.apply(Unit((UpdateZone(WWW, (), ()),))))

    async def test_journal(self) -> None:
        """The journal gives every change since a revision, or None where it does not
        reach back so far."""
        store = await self.make_store()
        await store.apply(Unit((CreateZone(APEX, (soa(1),)),)))
        for serial in range(2, 50):
            await store.apply(Unit((UpdateZone(APEX, (), (soa(serial),)),)))
        changes = await store.zones.differences(APEX, 40)
        self.assertEqual(
            [(n, n + 1) for n in range(40, 49)], [change[:2] for change in changes]
        )
        self.assertEqual((), await store.zones.differences(APEX, 49))
        self.assertIsNone(await store.zones.differences(APEX, 50))
        self.assertEqual(20, len(await store.zones.differences(APEX, 29)))
        self.assertIsNone(await store.zones.differences(APEX, 28))
        self.assertIsNone(await store.zones.differences(WWW, 1))

    async def test_journal_octets(self) -> None:
        """A journal above its octets loses its oldest changes; the newest stays, also
        where it alone is above."""
        store = await self.make_store()
        large = address(WWW, *(n.to_bytes(4, "big") for n in range(200)))
        await store.apply(Unit((CreateZone(APEX, (soa(1),)),)))
        for serial in range(2, 12):
            await store.apply(
                Unit((UpdateZone(APEX, ((WWW, 1),), (soa(serial), large)),))
            )
            large = evolve(large, ttl=serial)
        self.assertEqual(1, len(await store.zones.differences(APEX, 10)))
        self.assertIsNone(await store.zones.differences(APEX, 2))
        huge = address(WWW, *(n.to_bytes(4, "big") for n in range(9000)))
        await store.apply(Unit((UpdateZone(APEX, (), (soa(20), huge)),)))
        self.assertEqual(1, len(await store.zones.differences(APEX, 11)))
        self.assertIsNone(await store.zones.differences(APEX, 10))

    async def test_history(self) -> None:
        """The history tells when and by whom a zone was made and changed, and how many
        records came and went."""
        store = await self.make_store()
        start = self.time.now
        create = CreateZone(APEX, (soa(1), address(WWW, b"1111", b"2222")), "import")
        await store.apply(Unit((create,)))
        self.time.now += 10
        update = UpdateZone(APEX, (), (soa(2), address(WWW, b"1111", b"3333")), None)
        await store.apply(Unit((evolve(update, author="key k."),)))
        await store.apply(Unit((ReplaceZone(APEX, (soa(3),), author="joe"),)))
        history = await store.zones.history(APEX.upper())
        self.assertEqual(
            [
                ZoneChange(3, start + 10, "joe", 2, 3, 3, 1),
                ZoneChange(2, start + 10, "key k.", 1, 2, 2, 2),
                ZoneChange(1, start, "import", 0, 1, 0, 3),
            ],
            list(history),
        )
        self.assertEqual((), await store.zones.history(WWW))

    async def test_history_with_records(self) -> None:
        """From a revision on, the history has the RRsets of each change."""
        store = await self.make_store()
        old, new = address(WWW, b"1111"), address(WWW, b"2222")
        await store.apply(Unit((CreateZone(APEX, (soa(1), old)),)))
        await store.apply(Unit((UpdateZone(APEX, (), (soa(2), new)),)))
        await store.apply(Unit((UpdateZone(APEX, ((WWW, 1),), (soa(3),)),)))
        last, first = await store.zones.history(APEX, 2)
        self.assertEqual((3, {soa(2), new}), (last.revision, set(last.removed)))
        self.assertEqual({soa(2), new}, set(first.added))
        self.assertEqual({soa(1), old}, set(first.removed))
        (alone,) = await store.zones.history(APEX, 3)
        self.assertEqual(last, alone)

    async def test_delete(self) -> None:
        """A deleted zone is gone; one made anew under its name goes on counting
        revisions, so that nobody takes it for the old one."""
        store = await self.make_store()
        await store.apply(Unit((CreateZone(APEX, (soa(1),)),)))
        await store.apply(Unit((UpdateZone(APEX, (), (soa(2),)),)))
        delete = Unit((DeleteZone(APEX),))
        await store.apply(delete)
        await self.refused(NotFound, store.apply(delete))
        self.assertEqual((), await store.zones.zones())
        results = await store.apply(Unit((CreateZone(APEX, (soa(1),)),)))
        self.assertEqual((3,), results)
        self.assertIsNone(await store.zones.differences(APEX, 2))

    async def test_pages(self) -> None:
        """A zone is read page by page, each with what changed since an earlier one."""
        store = await self.make_store()
        others = [address(bytes((1, 97 + n)) + APEX, b"1111") for n in range(5)]
        await store.apply(Unit((CreateZone(APEX, (soa(1), *others)),)))
        first = await store.zones.page(APEX.upper(), None, 3, None)
        self.assertEqual((ZoneInfo(APEX, 1, 1), soa(1)), (first.info, first.soa))
        self.assertEqual((3, False), (len(first.rrsets), first.is_last))
        self.assertEqual((), first.changes)
        changed = address(others[4].owner, b"2222")
        await store.apply(Unit((UpdateZone(APEX, (), (soa(2), changed)),)))
        after = first.rrsets[-1].owner.lower(), first.rrsets[-1].type
        last = await store.zones.page(APEX, after, 4, 1)
        self.assertEqual((True, 2), (last.is_last, last.info.serial))
        self.assertEqual(
            {soa(1), soa(2), changed, *others} - {others[4], soa(1)},
            {soa(2), *first.rrsets, *last.rrsets} - {soa(1)},
        )
        ((removed, added),) = last.changes
        self.assertEqual({soa(1), others[4]}, set(removed))
        self.assertEqual({soa(2), changed}, set(added))
        self.assertIsNone((await store.zones.page(APEX, None, 1, 0)).changes)
        self.assertIsNone(await store.zones.page(WWW, None, 1, None))

    async def test_without_soa(self) -> None:
        """A zone without an SOA, or with a broken one, has serial 0."""
        store = await self.make_store()
        await store.apply(Unit((CreateZone(APEX, (address(WWW, b"1111"),)),)))
        broken = RRset(APEX, 6, 60, (b"\2ns",))
        await store.apply(Unit((UpdateZone(APEX, (), (broken,)),)))
        self.assertEqual((ZoneInfo(APEX, 0, 2),), await store.zones.zones())


class BlobsContract(UnitContract):
    """Immutable content, below the inline limit and above."""

    async def stored(self, store: Any, content: bytes, part: int = 50_000) -> BlobRef:
        """Content that has gone through a sink."""
        sink = store.blobs.create()
        for at in range(0, len(content), part):
            paused = sink.write(content[at : at + part])
            if paused is not None:
                await paused
        ref: BlobRef = await sink.finish()
        return ref

    async def test_round_trip(self) -> None:
        """Content of any size is read as it was written, in parts."""
        store = await self.make_store()
        for size in (0, 1, 65_536, 65_537, 3_000_000):
            content = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
            content = content[:size]
            ref = await self.stored(store, content)
            self.assertEqual(BlobRef(hashlib.sha256(content).digest(), size), ref)
            found = b""
            while part := await store.blobs.read(ref, len(found)):
                self.assertTrue(len(part) <= 1 << 20)
                found += part
            self.assertEqual(content, found)
            self.assertEqual(content[5:15], await store.blobs.read(ref, 5, 10))
            self.assertTrue(await store.blobs.verify(ref))

    async def test_not_found(self) -> None:
        """Content that was never finished is not there, to read or to refer to."""
        store = await self.make_store()
        ref = BlobRef(b"\0" * 32, 10)
        await self.refused(NotFound, store.blobs.read(ref))
        await self.refused(
            NotFound, store.apply(Unit((AddBlobReference(ref, 1, 1, 1),)))
        )

    async def test_failed_collection(self) -> None:
        """A unit that collects and then fails has removed nothing, files included."""
        store = await self.make_store()
        content = b"x" * 100_000
        ref = await self.stored(store, content)
        collect = CollectBlobs(self.time.now + 10**6)
        failing = AssertValue("n", b"k", b"not so")
        await self.refused(Conflict, store.apply(Unit((collect, failing))))
        self.assertTrue(await store.blobs.verify(ref))
        self.assertEqual(1, await store.blobs.collect(self.time.now + 10**6))

    async def test_abort(self) -> None:
        """Aborted content leaves nothing; a sink ends once."""
        store = await self.make_store()
        for size in (10, 100_000):
            sink = store.blobs.create(size)
            sink.write(b"x" * size)
            await sink.abort()
            await sink.abort()
            await self.refused(StoreUnavailable, sink.finish())
            ref = BlobRef(hashlib.sha256(b"x" * size).digest(), size)
            await self.refused(NotFound, store.blobs.read(ref))

    async def test_stored_once(self) -> None:
        """The same content from several sinks at once is stored once."""
        store = await self.make_store()
        for size in (100, 100_000):
            sinks = [store.blobs.create() for _ in range(5)]
            for sink in sinks:
                sink.write(b"y" * size)
            waiting = [sink.finish() for sink in sinks]
            self.assertEqual(1, len({await each for each in waiting}))
        self.assertEqual(2, (await store.admin.statistics())["blob"])

    async def test_collect_row(self) -> None:
        """Small content goes when nothing has referred to it for the grace time, and
        can be stored anew."""
        await self.collected(b"z" * 100)

    async def test_collect_file(self) -> None:
        """So does large content, with its file."""
        await self.collected(b"z" * 100_000)

    async def collected(self, content: bytes) -> None:
        """Store, refer, drop, collect, store again."""
        store = await self.make_store()
        ref = await self.stored(store, content)
        one, two = (AddBlobReference(ref, 1, 1, owner) for owner in (1, 2))
        await store.apply(Unit((one, two)))
        self.time.now += 7200
        self.assertEqual(0, await store.blobs.collect(self.time.now))
        await store.apply(Unit((DropBlobReference(ref, 1, 1, 1),)))
        self.assertEqual(0, await store.blobs.collect(self.time.now + 1))
        await store.apply(Unit((DropBlobReference(ref, 1, 1, 2),)))
        self.assertEqual(0, await store.blobs.collect(self.time.now))
        self.assertEqual(1, await store.blobs.collect(self.time.now + 1))
        await self.refused(NotFound, store.blobs.read(ref))
        self.time.now += 7200
        self.assertEqual((), (await store.admin.check("full")).findings)
        self.assertEqual(ref, await self.stored(store, content))
        self.assertTrue(await store.blobs.verify(ref))

    async def test_stored_again(self) -> None:
        """Storing content anew begins its grace time anew."""
        store = await self.make_store()
        ref = await self.stored(store, b"w" * 100_000)
        self.time.now += 7200
        await self.stored(store, b"w" * 100_000)
        self.assertEqual(0, await store.blobs.collect(self.time.now - 3600))
        await store.apply(Unit((AddBlobReference(ref, 1, 1, 1),)))

    async def test_not_during_backup(self) -> None:
        """While a backup runs, nothing is collected."""
        store = await self.make_store()
        await self.stored(store, b"v" * 100_000)
        lease = await store.leases.acquire("store.backup.1", "backup", 60)
        self.assertEqual(0, await store.blobs.collect(self.time.now + 1))
        await store.leases.release(lease)
        self.assertEqual(1, await store.blobs.collect(self.time.now + 1))
