"""DNS zones: the truth.  ``journal`` has what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from sqlite3 import Connection
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.core.garbage import without_full_collections
from netservices.interfaces import Conflict, Exists, IZones, NotFound
from netservices.store.journal import (
    Difference,
    Key,
    Written,
    by_key,
    read_differences,
    read_history,
    write_change,
)
from netservices.store.operations import Handlers, Transaction
from netservices.store.pages import read_page
from netservices.store.readers import Readers
from netservices.store.rrsets import (
    SOA,
    name_text,
    pack_rdatas,
    soa_serial,
    unpack_rdatas,
)
from netservices.units import CreateZone, DeleteZone, ReplaceZone, UpdateZone
from netservices.values import (
    RRset,
    Topic,
    Zone,
    ZoneChange,
    ZoneInfo,
    ZonePage,
)

_CONTENT = (
    "SELECT key, type, owner, ttl, rdatas FROM rrset WHERE zone=? ORDER BY key, type"
)
_CONTENT_AFTER = (
    "SELECT key, type, owner, ttl, rdatas FROM rrset "
    "WHERE zone=? AND (key, type)>(?, ?) ORDER BY key, type LIMIT ?"
)
_SLICE_RRSETS = 1000


@define
class _Row:
    """A zone as its row says, to be changed."""

    id: int
    name: bytes
    serial: int
    revision: int


# --- writing ------------------------------------------------------------------------


def create_zone(transaction: Transaction, operation: CreateZone) -> int:
    """A new zone; one that was deleted goes on counting its revisions."""
    connection, key = transaction.connection, operation.name.lower()
    revision = (
        1
        + connection.execute(
            "SELECT ifnull((SELECT revision FROM zone_past WHERE key=?), 0)", (key,)
        ).fetchone()[0]
    )
    row = connection.execute(
        "INSERT INTO zone(key, name, serial, revision, made_at, made_by, made_revision)"
        " VALUES(?, ?, 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (
            key,
            operation.name,
            revision,
            transaction.now,
            operation.author,
            revision,
        ),
    ).fetchone()
    if row is None:
        raise Exists(f"the zone {name_text(key)} exists")
    rrsets = by_key(operation.rrsets)
    _insert(connection, row[0], rrsets.items())
    serial = _serial(connection, row[0], key)
    connection.execute(
        "UPDATE zone SET serial=?, made_serial=?, made_records=? WHERE id=?",
        (serial, serial, sum(len(r.rdatas) for r in rrsets.values()), row[0]),
    )
    _empty(rrsets)
    transaction.notify(Topic.ZONE, name_text(key))
    return int(revision)


def replace_zone(transaction: Transaction, operation: ReplaceZone) -> int:
    """The whole content; only what differs is written, a slice at a time."""
    connection = transaction.connection
    zone = _zone(connection, operation.name, operation.if_revision)
    written = Written()
    # Names are answered meanwhile, in another thread of this process.
    with without_full_collections():
        added = by_key(operation.rrsets)
        for rows in _slices(connection, zone.id):
            old, new = {}, {}
            for row in rows:
                key = row[:2]
                rrset = added.pop(key, None)
                is_same = rrset is not None and row[2:] == _fields(rrset)
                if not is_same:
                    old[key] = _rrset_of(row)
                    if rrset is not None:
                        new[key] = rrset
            _write(connection, zone.id, old, new, written)
        rest = iter(added.items())
        while new := dict(islice(rest, _SLICE_RRSETS)):
            _write(connection, zone.id, {}, new, written)
        _empty(added)
        return _finish(transaction, zone, written, operation.author)


def update_zone(transaction: Transaction, operation: UpdateZone) -> int:
    """Some RRsets go, then some are put."""
    zone = _zone(transaction.connection, operation.name, operation.if_revision)
    new = by_key(operation.added)
    touched = {(owner.lower(), type_) for owner, type_ in operation.removed} | set(new)
    old = {}
    for key in sorted(touched):
        rrset = _rrset(transaction.connection, zone.id, key)
        if rrset is not None and rrset != new.get(key):
            old[key] = rrset
        elif rrset is not None:
            del new[key]
    written = Written()
    _write(transaction.connection, zone.id, old, new, written)
    return _finish(transaction, zone, written, operation.author)


def delete_zone(transaction: Transaction, operation: DeleteZone) -> None:
    """A zone goes, with its RRsets and its journal."""
    zone = _zone(transaction.connection, operation.name, None)
    key = operation.name.lower()
    transaction.connection.execute("DELETE FROM zone WHERE id=?", (zone.id,))
    transaction.connection.execute(
        "INSERT OR REPLACE INTO zone_past(key, revision) VALUES(?, ?)",
        (key, zone.revision),
    )
    transaction.notify(Topic.ZONE, name_text(key))


def _slices(connection: Connection, zone: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a zone.  A list of all of them would be freed at once, and hold up
    those in other threads."""
    after: tuple[bytes, int] = (b"", -1)
    while rows := connection.execute(
        _CONTENT_AFTER, (zone, *after, _SLICE_RRSETS)
    ).fetchall():
        yield rows
        after = rows[-1][:2]


def _empty(rrsets: dict[Key, RRset]) -> None:
    """Free them one by one, which lets other threads have their turn."""
    while rrsets:
        rrsets.popitem()


def _write(
    connection: Connection,
    zone: int,
    removed: dict[Key, RRset],
    added: dict[Key, RRset],
    written: Written,
) -> None:
    """Take ``removed`` away and put ``added``."""
    connection.executemany(
        "DELETE FROM rrset WHERE zone=? AND key=? AND type=?",
        ((zone, *key) for key in removed),
    )
    _insert(connection, zone, added.items())
    written.note(removed, added)


def _finish(transaction: Transaction, zone: _Row, written: Written, author: str) -> int:
    """The zone's row and the journal say what has been written."""
    connection = transaction.connection
    serial = _serial(connection, zone.id, zone.name.lower())
    revision = zone.revision + 1
    connection.execute(
        "UPDATE zone SET serial=?, revision=? WHERE id=?", (serial, revision, zone.id)
    )
    serials = zone.serial, serial
    write_change(transaction, zone.id, revision, author, serials, written)
    transaction.notify(Topic.ZONE, name_text(zone.name))
    return revision


def _insert(
    connection: Connection, zone: int, rrsets: Iterable[tuple[Key, RRset]]
) -> None:
    connection.executemany(
        "INSERT INTO rrset(zone, key, type, owner, ttl, rdatas) "
        "VALUES(?, ?, ?, ?, ?, ?)",
        (
            (zone, key, type_, rrset.owner, rrset.ttl, pack_rdatas(rrset.rdatas))
            for (key, type_), rrset in rrsets
        ),
    )


def _zone(connection: Connection, name: bytes, if_revision: int | None) -> _Row:
    row = connection.execute(
        "SELECT id, name, serial, revision FROM zone WHERE key=?", (name.lower(),)
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no zone {name_text(name)}")
    zone = _Row(*row)
    if if_revision not in (None, zone.revision):
        raise Conflict(f"{name_text(name)} has revision {zone.revision} by now")
    return zone


def _rrset(connection: Connection, zone: int, key: Key) -> RRset | None:
    row = connection.execute(
        "SELECT owner, type, ttl, rdatas FROM rrset WHERE zone=? AND key=? AND type=?",
        (zone, *key),
    ).fetchone()
    if row is None:
        return None
    owner, type_, ttl, rdatas = row
    return RRset(owner, type_, ttl, unpack_rdatas(rdatas))


def _content(connection: Connection, zone: int) -> dict[Key, RRset]:
    return {row[:2]: _rrset_of(row) for row in connection.execute(_CONTENT, (zone,))}


def _fields(rrset: RRset) -> tuple[bytes, int, bytes]:
    """What a row of it has beside its key."""
    return rrset.owner, rrset.ttl, pack_rdatas(rrset.rdatas)


def _rrset_of(row: tuple[bytes, int, bytes, int, bytes]) -> RRset:
    """The RRset of a row of ``_CONTENT``."""
    _, type_, owner, ttl, rdatas = row
    return RRset(owner, type_, ttl, unpack_rdatas(rdatas))


def _serial(connection: Connection, zone: int, apex: bytes) -> int:
    """The serial of the SOA at the apex, or 0 where there is none."""
    soa = _rrset(connection, zone, (apex, SOA))
    return soa_serial(soa.rdatas[0]) if soa is not None and soa.rdatas else 0


HANDLERS: Handlers = {
    CreateZone: create_zone,
    ReplaceZone: replace_zone,
    UpdateZone: update_zone,
    DeleteZone: delete_zone,
}


# --- reading ------------------------------------------------------------------------


@implementer(IZones)
class Zones:
    """DNS zones: the truth and the journal."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def zones(self) -> Deferred[tuple[ZoneInfo, ...]]:
        """All zones, ordered by name."""
        return self._readers.far(
            lambda connection: tuple(
                ZoneInfo(*row)
                for row in connection.execute(
                    "SELECT name, serial, revision FROM zone ORDER BY key"
                )
            )
        )

    def load(self, name: bytes) -> Deferred[Zone | None]:
        """A zone with all its RRsets."""

        def read(connection: Connection) -> Zone | None:
            connection.execute("BEGIN")
            try:
                row = connection.execute(
                    "SELECT id, name, serial, revision FROM zone WHERE key=?",
                    (name.lower(),),
                ).fetchone()
                if row is None:
                    return None
                rrsets = _content(connection, row[0]).values()
                return Zone(ZoneInfo(*row[1:]), tuple(rrsets))
            finally:
                connection.execute("COMMIT")

        return self._readers.far(read)

    def differences(
        self, name: bytes, revision: int, max_octets: int | None = None
    ) -> Deferred[tuple[Difference, ...] | None]:
        """``(from serial, to serial, removed, added)`` since that revision; None: too
        old, or too much."""

        return self._readers.far(
            lambda connection: read_differences(connection, name, revision, max_octets)
        )

    def history(
        self, name: bytes, since: int | None = None
    ) -> Deferred[tuple[ZoneChange, ...]]:
        """What the journal tells of a zone, the newest change first."""
        return self._readers.far(
            lambda connection: read_history(connection, name, since)
        )

    def page(
        self,
        name: bytes,
        after: tuple[bytes, int] | None,
        rrsets: int,
        since: int | None,
    ) -> Deferred[ZonePage | None]:
        """Some RRsets, and what changed since the revision ``since``."""
        return self._readers.far(
            lambda connection: read_page(connection, name, after, rrsets, since)
        )
