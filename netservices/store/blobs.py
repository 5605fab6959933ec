"""Immutable content: rows for what is small, files for the rest, references as rows.

Content without a reference is *condemned* at the moment it lost the last one (or was
finished), and collected when that is longer ago than the grace time.  References are
rows, never counters, so they cannot drift.
"""

from __future__ import annotations

import hashlib
from sqlite3 import Connection
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.core.threads import Workers
from netservices.interfaces import IBlobs, IBlobSink, NotFound
from netservices.store.blobfiles import BlobFiles
from netservices.store.operations import Handlers, Transaction
from netservices.store.readers import Readers
from netservices.store.sinks import BlobSink
from netservices.units import (
    AddBlobReference,
    DropBlobReference,
    Operation,
    Unit,
)
from netservices.values import BlobRef

if TYPE_CHECKING:
    from netservices.store.settings import StoreSettings
    from netservices.store.sqlite import SQLiteStore

LONGEST_READ = 1 << 20
BACKUP_LEASE = "store.backup."
"""While somebody holds a lease whose name begins so, nothing is collected: each backup
has one of its own, as several may run."""
BACKUP_LEASES_END = "store.backup/"
"""The first name after all of these."""

_COLLECTED_AT_ONCE = 500


@frozen(repr=False, eq=False)
class StoreBlob(Operation):
    """Result: whether the content is in its place; not where it has to be linked
    again.  ``data`` is None for content in a file.  Only sinks make it."""

    ref: BlobRef
    data: bytes | None


@frozen(repr=False, eq=False)
class CollectBlobs(Operation):
    """Result: how many went.  A bounded number of those condemned before a time."""

    older_than: float


# --- writing ------------------------------------------------------------------------


def store_blob(transaction: Transaction, operation: StoreBlob) -> bool:
    """A row for finished content, condemned until something refers to it."""
    ref, connection = operation.ref, transaction.connection
    is_inline = operation.data is not None
    if not is_inline:
        assert transaction.blob_files is not None
        if transaction.blob_files.size_of(ref.hash) != ref.size:
            return False
    is_new = connection.execute(
        "INSERT INTO blob(hash, size, is_inline, created, condemned) "
        "VALUES(?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING",
        (ref.hash, ref.size, is_inline, transaction.now),
    ).rowcount
    if is_new and is_inline:
        connection.execute(
            "INSERT INTO blob_data(hash, data) VALUES(?, ?)", (ref.hash, operation.data)
        )
    elif not is_new:
        # The grace time starts anew for whoever is about to refer to it.
        connection.execute(
            "UPDATE blob SET condemned=? WHERE hash=? AND condemned IS NOT NULL",
            (transaction.now, ref.hash),
        )
    return True


def add_blob_reference(transaction: Transaction, operation: AddBlobReference) -> None:
    """A reference more; the content is no longer condemned."""
    ref = operation.ref
    if not transaction.connection.execute(
        "UPDATE blob SET condemned=NULL WHERE hash=? AND size=?", (ref.hash, ref.size)
    ).rowcount:
        raise NotFound(f"there is no content {ref.hash.hex()}")
    transaction.connection.execute(
        "INSERT OR IGNORE INTO blob_ref(hash, kind, account, owner) VALUES(?, ?, ?, ?)",
        (ref.hash, operation.kind, operation.account, operation.owner),
    )


def drop_blob_reference(transaction: Transaction, operation: DropBlobReference) -> None:
    """A reference less; the content is condemned with the last one."""
    key = operation.ref.hash
    transaction.connection.execute(
        "DELETE FROM blob_ref WHERE hash=? AND kind=? AND account=? AND owner=?",
        (key, operation.kind, operation.account, operation.owner),
    )
    transaction.connection.execute(
        "UPDATE blob SET condemned=? WHERE hash=? AND condemned IS NULL "
        "AND NOT EXISTS(SELECT 1 FROM blob_ref WHERE hash=?)",
        (transaction.now, key, key),
    )


def collect_blobs(transaction: Transaction, operation: CollectBlobs) -> int:
    """Rows of condemned content go; their files after the commit."""
    connection = transaction.connection
    if connection.execute(
        "SELECT 1 FROM lease WHERE name>? AND name<? AND until>?",
        (BACKUP_LEASE, BACKUP_LEASES_END, transaction.now),
    ).fetchone():
        return 0
    rows = connection.execute(
        "DELETE FROM blob WHERE hash IN (SELECT hash FROM blob WHERE condemned<? "
        "AND NOT EXISTS(SELECT 1 FROM blob_ref r WHERE r.hash=blob.hash) LIMIT ?) "
        "RETURNING hash, is_inline",
        (operation.older_than, _COLLECTED_AT_ONCE),
    ).fetchall()
    files = transaction.blob_files
    doomed = [content_hash for content_hash, is_inline in rows if not is_inline]
    if doomed and files is not None:
        transaction.after_commit.append(lambda: _remove(files, doomed))
    return len(rows)


def _remove(files: BlobFiles, doomed: list[bytes]) -> None:
    for content_hash in doomed:
        files.remove(content_hash)


HANDLERS: Handlers = {
    StoreBlob: store_blob,
    CollectBlobs: collect_blobs,
    AddBlobReference: add_blob_reference,
    DropBlobReference: drop_blob_reference,
}


# --- reading ------------------------------------------------------------------------


@implementer(IBlobs)
class Blobs:
    """Immutable content, stored once for all that refer to it."""

    def __init__(
        self,
        store: SQLiteStore,
        readers: Readers,
        files: BlobFiles | None,
        workers: Workers,
        settings: StoreSettings,
    ) -> None:
        self._store = store
        self._readers = readers
        self._files = files
        self._workers = workers
        self._settings = settings

    def create(self, size_hint: int | None = None) -> IBlobSink:
        """A sink for new content."""
        return BlobSink(
            self._keep, self._files, self._workers, self._settings, size_hint or 0
        )

    def read(
        self, ref: BlobRef, offset: int = 0, length: int | None = None
    ) -> Deferred[bytes]:
        """At most 1 MiB of the content.  NotFound."""
        offset = max(0, offset)
        wanted = ref.size if length is None else max(0, length)
        wanted = min(wanted, LONGEST_READ, max(0, ref.size - offset))
        # Where a file is to be read, the disk may be slow.
        is_small = self._files is None or ref.size <= self._settings.inline_limit
        run = self._readers.near if is_small else self._readers.far
        return run(lambda connection: self._read(connection, ref, offset, wanted))

    def verify(self, ref: BlobRef) -> Deferred[bool]:
        """Whether the octets still have their hash."""
        return self._readers.far(
            lambda connection: is_intact(connection, self._files, ref)
        )

    def collect(self, older_than: float) -> Deferred[int]:
        """Delete content without references since before that time; how many
        went."""
        return Deferred.fromCoroutine(self._collect(older_than))

    async def _collect(self, older_than: float) -> int:
        total = 0
        while True:
            results = await self._store.apply(Unit((CollectBlobs(older_than),)))
            count = int(results[0])
            total += count
            if count < _COLLECTED_AT_ONCE:
                return total

    def _keep(self, ref: BlobRef, data: bytes | None) -> Deferred[bool]:
        unit = Unit((StoreBlob(ref, data),))
        return self._store.apply(unit).addCallback(lambda results: bool(results[0]))

    def _read(
        self, connection: Connection, ref: BlobRef, offset: int, length: int
    ) -> bytes:
        return read_blob(connection, self._files, ref, offset, length)


def read_blob(
    connection: Connection,
    files: BlobFiles | None,
    ref: BlobRef,
    offset: int,
    length: int,
) -> bytes:
    """A part of some content.  NotFound."""
    row = connection.execute(
        "SELECT b.is_inline, d.id, substr(d.data, ?, ?) FROM blob b "
        "LEFT JOIN blob_data d ON d.hash=b.hash WHERE b.hash=?",
        (offset + 1, length, ref.hash),
    ).fetchone()
    if row is None or (row[0] and row[1] is None):
        raise NotFound(f"there is no content {ref.hash.hex()}")
    if row[0] or files is None:
        # Of nothing, substr makes NULL.
        return bytes(row[2] or b"")
    try:
        return files.read(ref.hash, offset, length)
    except FileNotFoundError:
        raise NotFound(f"the file of {ref.hash.hex()} is gone") from None


def is_intact(connection: Connection, files: BlobFiles | None, ref: BlobRef) -> bool:
    """Whether the octets of some content have its hash and size."""
    digest, at = hashlib.sha256(), 0
    while at < ref.size:
        part = read_blob(connection, files, ref, at, LONGEST_READ)
        if not part:
            break
        digest.update(part)
        at += len(part)
    return at == ref.size and digest.digest() == ref.hash
