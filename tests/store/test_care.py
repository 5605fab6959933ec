"""Backup, restore, check and repair."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import StartupError
from netservices.store import restore as restoring
from netservices.store.manifest import load_manifest
from netservices.store.restore import restore
from netservices.store.sqlite import SQLiteStore
from netservices.units import (
    AddBlobReference,
    AddToValue,
    CreateAccount,
    CreateDomain,
    CreateZone,
    DropBlobReference,
    PutValue,
    Unit,
)
from netservices.values import BlobRef, Manifest, Report
from tests.contract.contents import APEX, soa
from tests.contract.provision import SMALL, FakeTime


def open_store(directory: str, time: FakeTime | None = None) -> SQLiteStore:
    """An open inline store."""
    store = SQLiteStore(directory, SMALL, None, *((time,) if time else ()))
    value_of(store.open())
    return store


def keep(store: SQLiteStore, content: bytes, owner: int = 1) -> BlobRef:
    """Content with a reference."""
    sink = store.blobs.create()
    sink.write(content)
    ref: BlobRef = value_of(sink.finish())
    value_of(store.apply(Unit((AddBlobReference(ref, 1, 1, owner),))))
    return ref


def tree_of(directory: str) -> dict[str, bytes]:
    """Every file below a directory, with its content."""
    found = {}
    for above, directories, names in os.walk(directory):
        for name in names:
            path = os.path.join(above, name)
            if os.path.islink(path):
                found[os.path.relpath(path, directory)] = os.fsencode(os.readlink(path))
                continue
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
        found.update(
            (os.path.relpath(os.path.join(above, name), directory) + "/", b"")
            for name in directories
        )
    return found


class CareTests(SynchronousTestCase):
    """A store with something of everything."""

    def setUp(self) -> None:
        """Rows, content in a row and in a file, and a tree of files."""
        self.time = FakeTime()
        self.directory = self.mktemp()
        self.store = open_store(self.directory, self.time)
        self.addCleanup(self.store.close)
        value_of(
            self.store.apply(
                Unit(
                    (
                        CreateDomain("example.com"),
                        CreateAccount("joe", "example.com"),
                        CreateZone(APEX, (soa(7),)),
                        PutValue("n", b"k", b"v"),
                    )
                )
            )
        )
        self.small = keep(self.store, b"small")
        self.large = keep(self.store, b"large" * 50_000)
        os.makedirs(os.path.join(self.directory, "files", "joe", "empty"))
        with open(os.path.join(self.directory, "files", "joe", "odd\udcff"), "wb") as f:
            f.write(b"content of a file")
        os.symlink("odd", os.path.join(self.directory, "files", "joe", "link"))

    def backup(self, target: str) -> Manifest:
        """A backup with the tree of files."""
        return value_of(self.store.admin.backup(target, extra_trees=("files", "pub")))

    def check(self, level: str = "full", repair: bool = False) -> Report:
        """What a check finds."""
        return value_of(self.store.admin.check(level, repair))

    def codes(self, report: Report) -> list[tuple[str, bool]]:
        """Code of each finding, and whether it is repaired."""
        return [(finding.code, finding.is_repaired) for finding in report.findings]

    def damage(self, *statements: str) -> None:
        """Change the database behind the store's back."""
        connection = self.store._engine.connection
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA foreign_keys=ON")


class BackupTests(CareTests):
    """``backup`` and ``restore``."""

    def test_round_trip(self) -> None:
        """A restored store has equal content, and files with their odd names."""
        backup, restored = self.mktemp(), self.mktemp()
        manifest = self.backup(backup)
        self.assertEqual(manifest, load_manifest(backup))
        report = restore(backup, restored)
        self.assertEqual(len(manifest.files), report.examined)
        store = open_store(restored)
        self.addCleanup(store.close)
        self.assertEqual(
            value_of(self.store.records.accounts()), value_of(store.records.accounts())
        )
        self.assertEqual(
            value_of(self.store.zones.load(APEX)), value_of(store.zones.load(APEX))
        )
        self.assertEqual(b"v", value_of(store.values.get("n", b"k")))
        for ref in (self.small, self.large):
            self.assertTrue(value_of(store.blobs.verify(ref)))
        self.assertEqual((), value_of(store.admin.check("deep")).findings)
        files = os.path.join(restored, "files")
        self.assertEqual(tree_of(os.path.join(self.directory, "files")), tree_of(files))
        self.assertEqual("odd", os.readlink(os.path.join(files, "joe", "link")))

    def test_epoch(self) -> None:
        """A restored store has a new epoch, and nobody holds its leases."""
        value_of(self.store.leases.acquire("runner", "a", 10**9))
        backup, restored = self.mktemp(), self.mktemp()
        self.backup(backup)
        restore(backup, restored)
        store = open_store(restored, self.time)
        self.addCleanup(store.close)
        (epoch,) = store._engine.connection.execute(
            "SELECT value FROM meta WHERE key='restore_epoch'"
        ).fetchone()
        self.assertEqual("1", epoch)
        lease = value_of(store.leases.acquire("runner", "b", 60))
        self.assertEqual(2, lease.fence)

    def test_again(self) -> None:
        """A second backup in the same place links what has not changed, and replaces
        the first."""
        backup = self.mktemp()
        first = self.backup(backup)
        value_of(self.store.values.put("n", b"k", b"changed"))
        second = self.backup(backup)
        self.assertEqual(first.store_id, second.store_id)
        self.assertLess(first.cursor, second.cursor)
        names = [name for name, _, _ in second.files if "/blobs/" in name]
        self.assertEqual(1, len(names))
        # The live file, and one name in the backup: the first backup's is gone.
        self.assertEqual(2, os.stat(os.path.join(backup, names[0])).st_nlink)
        self.assertEqual(2, len(os.listdir(backup)))
        restored = self.mktemp()
        restore(backup, restored)
        store = open_store(restored)
        self.addCleanup(store.close)
        self.assertEqual(b"changed", value_of(store.values.get("n", b"k")))

    def test_target_in_use(self) -> None:
        """A directory with something else in it is refused, and left alone."""
        target = self.mktemp()
        os.mkdir(target)
        with open(os.path.join(target, "precious"), "w"):
            pass
        error = self.assertRaises(StartupError, self.backup, target)
        self.assertIn("choose another directory", str(error))
        self.assertEqual(["precious"], os.listdir(target))

    def test_inside_the_state(self) -> None:
        """A backup into the state directory itself is refused; it would hold itself."""
        for below in ("", "files", "files/joe/backup", "new"):
            target = os.path.join(self.directory, below)
            error = self.failureResultOf(
                self.store.admin.backup(target, extra_trees=("files",)), StartupError
            )
            self.assertIn("inside of the state directory", str(error.value))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "new")))

    def test_two_at_once(self) -> None:
        """A second backup to the same directory is refused, and the first is whole."""
        target = self.mktemp()
        refused = []

        def progress(_done: int, _total: int) -> None:
            other = self.store.admin.backup(target)
            refused.append(self.failureResultOf(other, StartupError))

        value_of(self.store.admin.backup(target, progress))
        self.assertIn("is under way", str(refused[0].value))
        restored = self.mktemp()
        restore(target, restored)

    def test_collecting_meanwhile(self) -> None:
        """Nothing is collected while a backup runs, also when another one ends
        earlier; afterwards it is, and no lease is left."""
        ref = keep(self.store, b"y" * 100_000, owner=9)
        drop = DropBlobReference(ref, 1, 1, 9)
        value_of(self.store.apply(Unit((drop,))))
        collected = []

        def progress(_done: int, _total: int) -> None:
            other = self.store.admin.backup(self.mktemp())
            value_of(other)
            later = self.time.now + 10
            collected.append(value_of(self.store.blobs.collect(later)))

        value_of(self.store.admin.backup(self.mktemp(), progress))
        self.assertEqual({0}, set(collected))
        self.assertEqual(1, value_of(self.store.blobs.collect(self.time.now + 10)))
        value_of(self.store.keep_house())
        self.assertEqual(0, value_of(self.store.admin.statistics())["lease"])

    def test_restore_into_link(self) -> None:
        """Where the state directory is a link (systemd makes one), its end is filled,
        and the link stays."""
        backup, real, link = self.mktemp(), self.mktemp(), self.mktemp()
        self.backup(backup)
        os.mkdir(real, 0o700)
        os.symlink(os.path.abspath(real), link)
        restore(backup, link)
        self.assertTrue(os.path.islink(link))
        self.assertIn("netservices.db", os.listdir(real))

    def test_restore_inside(self) -> None:
        """Where the directory cannot be replaced, as a mount point, it is filled."""
        backup, directory = self.mktemp(), self.mktemp()
        self.backup(backup)
        os.mkdir(directory, 0o700)
        self.patch(restoring, "_can_be_replaced", lambda directory: False)
        before = os.stat(directory).st_ino
        restore(backup, directory)
        self.assertEqual(before, os.stat(directory).st_ino)
        self.assertEqual(
            {"netservices.db", "files", "blobs"}, set(os.listdir(directory))
        )

    def test_manifest_nonsense(self) -> None:
        """Whatever a manifest says, one line says that it is none."""
        backup, target = self.mktemp(), self.mktemp()
        self.backup(backup)
        path = os.path.join(backup, "manifest.json")
        with open(path, encoding="ascii") as file:
            good = json.load(file)
        for nonsense in (
            {},
            [],
            {**good, "files": []},
            {**good, "files": [["a"]]},
            {**good, "files": [["a/netservices.db", "many", ""]]},
            {**good, "schema_version": "x"},
        ):
            with open(path, "w", encoding="ascii") as file:
                json.dump(nonsense, file)
            error = self.assertRaises(StartupError, restore, backup, target)
            self.assertIn("is not the manifest of a backup", str(error))
            self.assertFalse(os.path.exists(target))

    def test_restore_into_something(self) -> None:
        """A directory that is not empty is refused, and left alone."""
        backup = self.mktemp()
        self.backup(backup)
        before = os.listdir(self.directory)
        error = self.assertRaises(StartupError, restore, backup, self.directory)
        self.assertIn("not empty", str(error))
        self.assertEqual(before, os.listdir(self.directory))

    def test_restore_damaged(self) -> None:
        """A damaged backup is refused by name, and nothing is made."""
        backup = self.mktemp()
        name = self.backup(backup).files[1][0]
        with open(os.path.join(backup, name), "r+b") as file:
            file.write(b"X")
        parent = self.mktemp()
        os.mkdir(parent)
        error = self.assertRaises(
            StartupError, restore, backup, os.path.join(parent, "state")
        )
        self.assertIn(name, str(error))
        self.assertEqual([], os.listdir(parent))

    def test_restore_nothing(self) -> None:
        """What is no backup is refused."""
        empty = self.mktemp()
        os.mkdir(empty)
        error = self.assertRaises(StartupError, restore, empty, self.mktemp())
        self.assertIn("not a backup", str(error))

    def test_restore_escape(self) -> None:
        """A manifest that names files outside of the backup restores nothing."""
        backup = self.mktemp()
        manifest = self.backup(backup)
        outside = os.path.join(os.path.dirname(os.path.abspath(backup)), "outside")
        with open(outside, "wb") as file:
            file.write(b"x")
        generation = manifest.files[0][0].partition("/")[0]
        escape = (f"{generation}/../../outside", 1, hashlib.sha256(b"x").hexdigest())
        from netservices.store.manifest import save_manifest

        save_manifest(
            backup,
            Manifest(
                manifest.created,
                manifest.store_id,
                manifest.schema_version,
                manifest.cursor,
                (*manifest.files, escape),
            ),
        )
        target = os.path.join(self.mktemp(), "a", "b")
        self.assertRaises(StartupError, restore, backup, target)
        self.assertFalse(os.path.exists(target))


class CheckTests(CareTests):
    """``check``, with and without ``--repair``, of planted damage."""

    def test_clean(self) -> None:
        """A sound store has no findings, and progress is told."""
        told: list[tuple[int, int]] = []
        report = value_of(
            self.store.admin.check("deep", progress=lambda *x: told.append(x))
        )
        self.assertEqual((), report.findings)
        self.assertEqual(report.examined, told[-1][0])
        self.assertTrue(all(done <= total for done, total in told))

    def test_level(self) -> None:
        """An unknown level is a mistake of the caller."""
        self.assertRaises(ValueError, self.store.admin.check, "thorough")

    def test_orphan_file(self) -> None:
        """A file that no row names is found when it is old, and removed."""
        files = self.store._engine.blob_files
        assert files is not None
        path = files.path(b"\7" * 32)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"orphan")
        os.utime(path, (self.time.now - 10, self.time.now - 10))
        self.assertEqual([], self.codes(self.check()))
        self.time.now += 7200
        self.assertEqual([("orphan-file", False)], self.codes(self.check()))
        self.assertEqual([("orphan-file", True)], self.codes(self.check(repair=True)))
        self.assertEqual([], self.codes(self.check()))
        self.assertFalse(os.path.exists(path))

    def test_missing_file(self) -> None:
        """A file that is gone, and referred to, is told and cannot be repaired."""
        files = self.store._engine.blob_files
        assert files is not None
        os.unlink(files.path(self.large.hash))
        report = self.check(repair=True)
        self.assertEqual([("content-missing", False)], self.codes(report))
        self.assertEqual(self.large.hash.hex(), report.findings[0].object)
        self.assertEqual("", report.findings[0].repair)

    def test_missing_unused_file(self) -> None:
        """A file that is gone, and that nothing refers to, is forgotten."""
        self.damage("DELETE FROM blob_ref", "UPDATE blob SET condemned=1")
        files = self.store._engine.blob_files
        assert files is not None
        os.unlink(files.path(self.large.hash))
        self.assertEqual(
            [("content-missing", True)], self.codes(self.check(repair=True))
        )
        self.assertEqual([], self.codes(self.check()))

    def test_rotten_file(self) -> None:
        """A file whose octets have changed is found by a deep check; a shorter one by
        any full one.  Storing the content anew heals the shorter one."""
        files = self.store._engine.blob_files
        assert files is not None
        path = files.path(self.large.hash)
        os.chmod(path, 0o600)
        with open(path, "r+b") as file:
            file.write(b"X")
        self.assertEqual([], self.codes(self.check()))
        self.assertEqual([("content-damaged", False)], self.codes(self.check("deep")))
        os.truncate(path, 100)
        self.assertEqual([("content-damaged", False)], self.codes(self.check()))
        self.assertEqual(self.large, keep(self.store, b"large" * 50_000))
        self.assertEqual([], self.codes(self.check("deep")))

    def test_condemned(self) -> None:
        """A mark for the collector that does not fit the references is mended."""
        self.damage(
            "UPDATE blob SET condemned=1 WHERE is_inline=1",
            "DELETE FROM blob_ref WHERE hash IN "
            "(SELECT hash FROM blob WHERE is_inline=0)",
        )
        self.assertEqual(
            [("condemned-wrongly", True)] * 2, self.codes(self.check(repair=True))
        )
        self.assertEqual([], self.codes(self.check()))
        self.assertEqual(1, value_of(self.store.blobs.collect(float("inf"))))
        self.assertTrue(value_of(self.store.blobs.verify(self.small)))

    def test_dangling(self) -> None:
        """Rows whose parent is gone are removed."""
        self.damage("DELETE FROM zone", "INSERT INTO account_group VALUES(99, 'x')")
        self.assertEqual(
            [("dangling-rows", True)] * 2, self.codes(self.check(repair=True))
        )
        self.assertEqual([], self.codes(self.check()))

    def test_zone_serial(self) -> None:
        """A zone's serial is taken from its SOA again."""
        self.damage("UPDATE zone SET serial=99")
        self.assertEqual([("zone-serial", True)], self.codes(self.check(repair=True)))
        self.assertEqual(7, value_of(self.store.zones.zones())[0].serial)

    def test_unreadable(self) -> None:
        """A row that cannot be read is told, and the check goes on."""
        self.damage(
            "INSERT INTO alias VALUES('a@example.com', 'not JSON')",
            "UPDATE zone SET serial=99",
        )
        self.assertEqual(
            [("zone-serial", False), ("unreadable", False)], self.codes(self.check())
        )

    def test_damaged_database(self) -> None:
        """Damage of the file itself is told, not raised."""
        value_of(
            self.store.apply(
                Unit(tuple(PutValue("n", b"%d" % i, b"v" * 500) for i in range(500)))
            )
        )
        value_of(self.store.close())
        path = os.path.join(self.directory, "netservices.db")
        with closing(sqlite3.connect(path)) as connection:
            (root,) = connection.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name='kv'"
            ).fetchone()
        with open(path, "r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)
        self.store = open_store(self.directory)
        self.addCleanup(self.store.close)
        found = {finding.code for finding in self.check("full", True).findings}
        self.assertIn("database-damaged", found)


class BackupUnderLoadTests(TestCase):
    """A backup while the store is written to."""

    async def test_writing(self) -> None:
        """The copy is consistent: all that was acknowledged before it began is in it,
        and no unit by halves; the writer goes on."""
        directory, backup, restored = self.mktemp(), self.mktemp(), self.mktemp()
        store = SQLiteStore(directory, SMALL, reactor)
        await store.open()
        self.addCleanup(store.close)
        is_over = False
        counts = [0]

        async def write() -> None:
            while not is_over:
                await store.apply(
                    Unit((AddToValue("a", b"c", 1), AddToValue("b", b"c", 1)))
                )
                counts[0] += 1

        async def write_content() -> None:
            number = 0
            while not is_over:
                number += 1
                sink = store.blobs.create()
                sink.write(b"%06d" % number * 20_000)
                ref = await sink.finish()
                await store.apply(Unit((AddBlobReference(ref, 1, 1, number),)))

        writing: Deferred[Any] = gatherResults(
            [Deferred.fromCoroutine(write()) for _ in range(4)]
            + [Deferred.fromCoroutine(write_content())]
        )
        for _ in range(3):
            before = counts[0]
            await store.admin.backup(backup)
        after = counts[0]
        is_over = True
        await writing
        restore(backup, restored)
        copy = open_store(restored)
        self.addCleanup(copy.close)
        held = int(value_of(copy.values.get("a", b"c")) or 0)
        self.assertEqual(held, int(value_of(copy.values.get("b", b"c")) or 0))
        self.assertTrue(before <= held <= after, (before, held, after))
        self.assertEqual((), value_of(copy.admin.check("deep")).findings)
