"""Databases of earlier and later versions, of other programs, and broken ones."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import StartupError
from netservices.store import migrations
from netservices.store.connections import connect, pragma
from netservices.store.directory import check_entries
from netservices.store.schema import migrate
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateDomain, Unit
from tests.contract.provision import SMALL

HERE = os.path.dirname(os.path.abspath(__file__))

LATER = (*migrations.MIGRATIONS, "CREATE TABLE later(a INTEGER) STRICT;")
BROKEN = (
    *migrations.MIGRATIONS,
    "CREATE TABLE later(a INTEGER) STRICT; INSERT INTO nowhere VALUES(1);",
)


def catalogue(path: str) -> list[tuple[str, str]]:
    """Every table and index, with the words that made it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()


class SchemaTests(SynchronousTestCase):
    """Bringing a database to this version, or refusing it."""

    def setUp(self) -> None:
        """An empty state directory."""
        self.directory = self.mktemp()
        os.mkdir(self.directory, 0o700)
        self.path = os.path.join(self.directory, "netservices.db")

    def open(self) -> SQLiteStore:
        """The store of the directory, open."""
        store = SQLiteStore(self.directory, SMALL, None)
        value_of(store.open())
        self.addCleanup(store.close)
        return store

    def as_nobody(self, function: Callable[..., object], *arguments: Any) -> Exception:
        """The StartupError of ``function``, called without rights in the directory."""
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, here)
        os.chdir(self.directory)
        os.seteuid(65534)
        try:
            return self.assertRaises(StartupError, function, *arguments)
        finally:
            os.seteuid(0)
            os.fchdir(here)

    def load(self, version: int) -> None:
        """Make the database as the release with that version made it."""
        with (
            closing(sqlite3.connect(self.path)) as connection,
            open(
                os.path.join(HERE, f"version_{version}.sql"), encoding="ascii"
            ) as text,
        ):
            connection.executescript(text.read())

    def test_new(self) -> None:
        """A new database has our mark, this version, and space that can be given
        back."""
        connection = self.open()._engine.connection
        self.assertEqual(0x4E657453, pragma(connection, "application_id"))
        self.assertEqual(migrations.VERSION, pragma(connection, "user_version"))
        self.assertEqual(2, pragma(connection, "auto_vacuum"))
        self.assertEqual(2, pragma(connection, "synchronous"))
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        self.assertEqual("wal", mode)

    def test_from_version_1(self) -> None:
        """A database as version 1 wrote it is migrated with its data, and then looks
        like a new one."""
        self.check_migration(1)

    def test_from_version_2(self) -> None:
        """So is one of version 2."""
        self.check_migration(2)

    def test_from_version_3(self) -> None:
        """And one of version 3."""
        self.check_migration(3)

    def check_migration(self, version: int) -> None:
        """Migrate what that version wrote, and compare."""
        self.load(version)
        store = self.open()
        (domain,) = value_of(store.records.domains())
        self.assertEqual("example.com", domain.name)
        account = value_of(store.records.account("joe", "example.com"))
        self.assertEqual(("staff",), account.groups)
        self.assertEqual(b"v", value_of(store.values.get("n", b"k")))
        path = ("a", "\udcff")
        known = value_of(store.file_records.digests("home", path, "1:2:3:4"))
        self.assertEqual(7, known.lf_count)
        (change,) = value_of(store.zones.history(b"\7example\3com\0"))
        self.assertEqual((2, None, "", 1, 2, 1, 1), attrs.astuple(change)[:7])
        self.assertEqual((), value_of(store.admin.check("full")).findings)
        value_of(store.close())
        fresh = SQLiteStore(self.mktemp(), SMALL, None)
        value_of(fresh.open())
        value_of(fresh.close())
        self.assertEqual(catalogue(fresh._engine.path), catalogue(self.path))

    def test_backup_before(self) -> None:
        """Before a migration, the database as it was is put aside."""
        self.load(1)
        with closing(connect(self.path, SMALL)) as connection:
            migrate(connection, self.path, LATER)
            self.assertEqual(len(LATER), pragma(connection, "user_version"))
        before = f"{self.path}.before-{len(LATER)}"
        with closing(sqlite3.connect(before)) as connection:
            self.assertEqual(1, pragma(connection, "user_version"))
            (name,) = connection.execute("SELECT name FROM domain").fetchone()
            self.assertEqual("example.com", name)
        self.assertEqual(0o600, os.stat(before).st_mode & 0o777)

    def test_failed_migration(self) -> None:
        """A migration that fails leaves the database as it was."""
        self.load(1)
        old = catalogue(self.path)
        with closing(connect(self.path, SMALL)) as connection:
            self.assertRaises(sqlite3.Error, migrate, connection, self.path, BROKEN)
            self.assertEqual(1, pragma(connection, "user_version"))
        self.assertEqual(old, catalogue(self.path))
        self.open()

    def test_newer(self) -> None:
        """A newer database is refused; the message names both versions and the way
        out, and the file is left as it was."""
        self.load(1)
        with closing(connect(self.path, SMALL)) as connection:
            migrate(connection, self.path, LATER)
        error = self.assertRaises(StartupError, self.open)
        self.assertIn(f"has version {len(LATER)}", str(error))
        self.assertIn(f"up to {migrations.VERSION}", str(error))
        self.assertIn("install the newer netservices", str(error))

    def test_foreign(self) -> None:
        """The database of another program is refused, and not written to."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE theirs(a)")
        with open(self.path, "rb") as file:
            before = file.read()
        error = self.assertRaises(StartupError, self.open)
        self.assertIn("another program", str(error))
        with open(self.path, "rb") as file:
            self.assertEqual(before, file.read())

    def test_not_a_database(self) -> None:
        """A file of something else is refused with one line."""
        with open(self.path, "wb") as file:
            file.write(b"something else entirely\n" * 100)
        error = self.assertRaises(StartupError, self.open)
        self.assertIn("cannot be opened", str(error))
        self.assertNotIn("\n", str(error))

    def test_small_disk(self) -> None:
        """A new database is not begun on a disk that is nearly full."""
        store = SQLiteStore(self.directory, type(SMALL)(free_space_floor=1 << 60), None)
        error = self.assertRaises(StartupError, value_of, store.open())
        self.assertIn("make room", str(error))
        self.assertEqual([], os.listdir(self.directory))

    def test_wrong_kind(self) -> None:
        """A file where a directory belongs, and the reverse, is named."""
        for name, make in (("blobs", os.mknod), ("store.lock", os.mkdir)):
            entry = os.path.join(self.directory, name)
            make(entry)
            error = self.assertRaises(StartupError, self.open)
            self.assertIn(f"{name}: a ", str(error))
            self.assertIn("in the way", str(error))
            os.rmdir(entry) if os.path.isdir(entry) else os.unlink(entry)

    def test_parts_of_somebody_else(self) -> None:
        """A part that root left and the server may not write is named, with the way
        out."""
        if os.geteuid() != 0:
            self.skipTest("only root can give things away")
        os.chmod(self.directory, 0o700)
        os.chown(self.directory, 65534, 65534)
        for name in ("netservices.db", "netservices.db-wal", "store.lock", "spare"):
            entry = os.path.join(self.directory, name)
            os.close(os.open(entry, os.O_CREAT | os.O_WRONLY, 0o600))
            error = self.as_nobody(check_entries, ".", (name,), ())
            self.assertIn(f"{name} belongs to root", str(error))
            self.assertIn("chown", str(error))

    def test_file_in_the_way(self) -> None:
        """A state directory that is a file is refused with the way out."""
        store = SQLiteStore(os.path.join(self.directory, "f", "s"), SMALL, None)
        with open(os.path.join(self.directory, "f"), "w"):
            pass
        error = self.assertRaises(StartupError, value_of, store.open())
        self.assertIn("--state", str(error))

    def test_others_directory(self) -> None:
        """A state directory of somebody else is refused by name."""
        if os.geteuid() != 0:
            self.skipTest("only root can give a directory away")
        os.chown(self.directory, 65534, -1)
        error = self.assertRaises(StartupError, self.open)
        self.assertIn("uid 65534", str(error))

    def test_reopened(self) -> None:
        """What was stored is there when the store is opened again."""
        store = self.open()
        value_of(store.apply(Unit((CreateDomain("a.example"),))))
        value_of(store.close())
        (domain,) = value_of(self.open().records.domains())
        self.assertEqual("a.example", domain.name)
