"""What is wrong with a store, and what can be done about each thing.

Never all or nothing: what cannot be read is a finding, and the search goes on.  Each
search is a generator of ``Problem``; a problem that can be repaired carries the
operation that does it, which looks again inside the transaction of its unit, since the
store is in use meanwhile.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from sqlite3 import Connection

from attrs import define, frozen

from netservices.interfaces import StoreError
from netservices.store.blobfiles import BlobFiles
from netservices.store.blobs import is_intact
from netservices.store.repair import (
    ForgetBlob,
    MendCondemned,
    MendSerial,
    RemoveDangling,
    RemoveOrphan,
)
from netservices.store.rrsets import SOA, name_text, soa_serial, unpack_rdatas
from netservices.units import Operation
from netservices.values import BlobRef, Finding

LEVELS = ("quick", "full", "deep")

_PAGE = 1000
_SHOWN_DAMAGE = 100


@frozen
class Problem:
    """A finding, and the operation that repairs it."""

    finding: Finding
    repair: Operation | None = None


@define
class Examination:
    """One look at a store: what is looked at, how closely, and how far it is."""

    connection: Connection
    files: BlobFiles | None
    level: str
    orphans_before: float
    """Files without a row are on their way in when they are younger than this."""
    progress: Callable[[int, int], None] | None = None
    examined: int = 0
    total: int = 0

    def problems(self) -> Iterator[Problem]:
        """All problems of the level."""
        searches = [self._engine]
        if self.level != "quick":
            searches += [self._dangling, self._blobs, self._orphans, self._condemned]
            searches += [self._zones, self._texts]
            self._estimate()
        for search in searches:
            try:
                yield from search()
            except (sqlite3.Error, OSError) as error:
                name = search.__name__.lstrip("_")
                yield Problem(Finding("unreadable", name, str(error)))

    def _estimate(self) -> None:
        for table in ("blob", "zone", "alias", "credential"):
            (count,) = self.connection.execute(
                f"SELECT count(*) FROM {table}"
            ).fetchone()
            self.total += count

    def _step(self) -> None:
        self.examined += 1
        if self.progress is not None:
            self.progress(self.examined, max(self.examined, self.total))

    def _engine(self) -> Iterator[Problem]:
        pragma = "quick_check" if self.level == "quick" else "integrity_check"
        self._step()
        try:
            rows = self.connection.execute(f"PRAGMA {pragma}({_SHOWN_DAMAGE})")
            texts = [row[0] for row in rows]
        except sqlite3.DatabaseError as error:
            texts = [str(error)]
        for text in texts:
            if text != "ok":
                yield Problem(Finding("database-damaged", "netservices.db", text))

    def _dangling(self) -> Iterator[Problem]:
        rows = self.connection.execute("PRAGMA foreign_key_check").fetchall()
        for table in sorted({row[0] for row in rows}):
            parents = sorted({row[2] for row in rows if row[0] == table})
            text = f"rows refer to nothing in {', '.join(parents)}"
            if table == "blob_ref":
                # What the reference stood for is lost; its owner has to be told.
                yield Problem(Finding("content-missing", table, text))
            else:
                yield _repairable(
                    "dangling-rows", table, text, "remove them", RemoveDangling(table)
                )

    def _blobs(self) -> Iterator[Problem]:
        after = b""
        while rows := self.connection.execute(
            "SELECT hash, size, is_inline, EXISTS(SELECT 1 FROM blob_ref r WHERE "
            "r.hash=b.hash), (SELECT length(data) FROM blob_data d WHERE d.hash=b.hash)"
            " FROM blob b WHERE hash>? ORDER BY hash LIMIT ?",
            (after, _PAGE),
        ).fetchall():
            for content_hash, size, is_inline, is_used, in_row in rows:
                self._step()
                held = in_row if is_inline else self._octets_in_file(content_hash)
                yield from self._blob(BlobRef(content_hash, size), held, bool(is_used))
            after = rows[-1][0]

    def _octets_in_file(self, content_hash: bytes) -> int | None:
        return None if self.files is None else self.files.size_of(content_hash)

    def _blob(self, ref: BlobRef, held: int | None, is_used: bool) -> Iterator[Problem]:
        name = ref.hash.hex()
        if held is None:
            code, text = "content-missing", "its octets are gone"
        elif held != ref.size:
            code, text = "content-damaged", f"it has {held} of {ref.size} octets"
        elif self.level == "deep" and not self._is_intact(ref):
            code, text = "content-damaged", "its octets do not have its hash"
        else:
            return
        if is_used:
            yield Problem(Finding(code, name, text + ", and something refers to it"))
        else:
            yield _repairable(code, name, text, "forget it", ForgetBlob(ref.hash))

    def _is_intact(self, ref: BlobRef) -> bool:
        try:
            return is_intact(self.connection, self.files, ref)
        except (StoreError, OSError):
            return False

    def _orphans(self) -> Iterator[Problem]:
        if self.files is None:
            return
        for content_hash in self.files.hashes():
            if self.connection.execute(
                "SELECT 1 FROM blob WHERE hash=? AND is_inline=0", (content_hash,)
            ).fetchone():
                continue
            path = self.files.path(content_hash)
            try:
                is_old = os.stat(path).st_mtime < self.orphans_before
            except FileNotFoundError:
                continue
            if is_old:
                yield _repairable(
                    "orphan-file",
                    content_hash.hex(),
                    "no row names this file",
                    "remove it",
                    RemoveOrphan(content_hash, self.orphans_before),
                )

    def _condemned(self) -> Iterator[Problem]:
        for (content_hash,) in self.connection.execute(
            "SELECT hash FROM blob b WHERE (condemned IS NULL)<>"
            "EXISTS(SELECT 1 FROM blob_ref r WHERE r.hash=b.hash)"
        ).fetchall():
            yield _repairable(
                "condemned-wrongly",
                content_hash.hex(),
                "its mark for the collector does not fit its references",
                "mend the mark",
                MendCondemned(content_hash),
            )

    def _zones(self) -> Iterator[Problem]:
        for zone, key, serial in self.connection.execute(
            "SELECT id, key, serial FROM zone ORDER BY key"
        ).fetchall():
            self._step()
            row = self.connection.execute(
                "SELECT rdatas FROM rrset WHERE zone=? AND key=? AND type=?",
                (zone, key, SOA),
            ).fetchone()
            rdatas = unpack_rdatas(row[0]) if row is not None else ()
            found = soa_serial(rdatas[0]) if rdatas else 0
            if found != serial:
                yield _repairable(
                    "zone-serial",
                    name_text(key),
                    f"its row says serial {serial}, its SOA {found}",
                    "take the SOA's",
                    MendSerial(key),
                )

    def _texts(self) -> Iterator[Problem]:
        for table, name, column in (
            ("alias", "address", "targets"),
            ("credential", "id", "protocols"),
        ):
            for key, text in self.connection.execute(
                f"SELECT {name}, {column} FROM {table}"
            ).fetchall():
                self._step()
                try:
                    is_good = isinstance(json.loads(text), list)
                except ValueError:
                    is_good = False
                if not is_good:
                    yield Problem(
                        Finding("unreadable", f"{table} {key}", f"bad {column}")
                    )


def _repairable(
    code: str, name: str, text: str, what: str, operation: Operation
) -> Problem:
    return Problem(Finding(code, name, text, what), operation)
