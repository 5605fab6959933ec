"""DNS zones: the truth, and the journal of what changed.

The journal holds whole RRsets: those that a change took away or altered as they were
(``removed``), and those that it brought or altered as they became (``added``).  So a
change can be undone by swapping the two, and the single records of an incremental
transfer (RFC 1995) are their differences.
"""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection
from typing import TypeAlias

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import Conflict, Exists, IZones, NotFound
from netservices.store.operations import Handlers, Transaction
from netservices.store.readers import Readers
from netservices.store.rrsets import (
    SOA,
    name_text,
    pack_rdatas,
    pack_rrsets,
    soa_serial,
    unpack_rdatas,
    unpack_rrsets,
)
from netservices.units import CreateZone, DeleteZone, ReplaceZone, UpdateZone
from netservices.values import RRset, Topic, Zone, ZoneInfo

Key: TypeAlias = tuple[bytes, int]
"""Owner in lower case, and type."""

Difference: TypeAlias = tuple[int, int, tuple[RRset, ...], tuple[RRset, ...]]
"""From serial, to serial, removed, added."""


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
        "INSERT INTO zone(key, name, serial, revision) VALUES(?, ?, 0, ?) "
        "ON CONFLICT DO NOTHING RETURNING id",
        (key, operation.name, revision),
    ).fetchone()
    if row is None:
        raise Exists(f"the zone {name_text(key)} exists")
    _insert(connection, row[0], _by_key(operation.rrsets).items())
    connection.execute(
        "UPDATE zone SET serial=? WHERE id=?",
        (_serial(connection, row[0], key), row[0]),
    )
    transaction.notify(Topic.ZONE, name_text(key))
    return int(revision)


def replace_zone(transaction: Transaction, operation: ReplaceZone) -> int:
    """The whole content; only what differs is written."""
    zone = _zone(transaction.connection, operation.name, operation.if_revision)
    old = _content(transaction.connection, zone.id)
    new = _by_key(operation.rrsets)
    return _change(
        transaction,
        zone,
        {key: rrset for key, rrset in old.items() if new.get(key) != rrset},
        {key: rrset for key, rrset in new.items() if old.get(key) != rrset},
    )


def update_zone(transaction: Transaction, operation: UpdateZone) -> int:
    """Some RRsets go, then some are put."""
    zone = _zone(transaction.connection, operation.name, operation.if_revision)
    new = _by_key(operation.added)
    touched = {(owner.lower(), type_) for owner, type_ in operation.removed} | set(new)
    old = {}
    for key in sorted(touched):
        rrset = _rrset(transaction.connection, zone.id, key)
        if rrset is not None and rrset != new.get(key):
            old[key] = rrset
        elif rrset is not None:
            del new[key]
    return _change(transaction, zone, old, new)


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


def _change(
    transaction: Transaction,
    zone: _Row,
    removed: dict[Key, RRset],
    added: dict[Key, RRset],
) -> int:
    """Take ``removed`` away, put ``added``, and write both to the journal."""
    connection = transaction.connection
    connection.executemany(
        "DELETE FROM rrset WHERE zone=? AND key=? AND type=?",
        [(zone.id, *key) for key in removed],
    )
    _insert(connection, zone.id, added.items())
    serial = _serial(connection, zone.id, zone.name.lower())
    revision = zone.revision + 1
    connection.execute(
        "UPDATE zone SET serial=?, revision=? WHERE id=?", (serial, revision, zone.id)
    )
    connection.execute(
        "INSERT INTO zone_diff(zone, revision, from_serial, to_serial, removed, added) "
        "VALUES(?, ?, ?, ?, ?, ?)",
        (
            zone.id,
            revision,
            zone.serial,
            serial,
            pack_rrsets(removed.values()),
            pack_rrsets(added.values()),
        ),
    )
    connection.execute(
        "DELETE FROM zone_diff WHERE zone=? AND revision<=?",
        (zone.id, revision - transaction.settings.zone_journal),
    )
    transaction.notify(Topic.ZONE, name_text(zone.name))
    return revision


def _by_key(rrsets: Iterable[RRset]) -> dict[Key, RRset]:
    """RRsets by owner and type; of two with the same, the last counts."""
    return {(rrset.owner.lower(), rrset.type): rrset for rrset in rrsets}


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
    return {
        (key, type_): RRset(owner, type_, ttl, unpack_rdatas(rdatas))
        for key, type_, owner, ttl, rdatas in connection.execute(
            "SELECT key, type, owner, ttl, rdatas FROM rrset WHERE zone=? "
            "ORDER BY key, type",
            (zone,),
        )
    }


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
        self, name: bytes, revision: int
    ) -> Deferred[tuple[Difference, ...] | None]:
        """``(from serial, to serial, removed, added)`` since that revision; None: too
        old."""

        def read(connection: Connection) -> tuple[Difference, ...] | None:
            # One statement, and so one snapshot.
            rows = connection.execute(
                "SELECT z.revision, d.from_serial, d.to_serial, d.removed, d.added "
                "FROM zone z LEFT JOIN zone_diff d ON d.zone=z.id AND d.revision>? "
                "WHERE z.key=? ORDER BY d.revision",
                (revision, name.lower()),
            ).fetchall()
            if not rows or revision > rows[0][0]:
                return None
            if revision == rows[0][0]:
                return ()
            if rows[0][1] is None or len(rows) != rows[0][0] - revision:
                return None
            return tuple(
                (old, new, unpack_rrsets(removed), unpack_rrsets(added))
                for _, old, new, removed, added in rows
            )

        return self._readers.far(read)
