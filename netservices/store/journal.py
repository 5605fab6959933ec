"""The journal of a zone: what each change took and brought, when, and who made it.

The journal holds whole RRsets: those that a change took away or altered as they were
(``removed``), and those that it brought or altered as they became (``added``).  So a
change can be undone by swapping the two, and the single records of an incremental
transfer (RFC 1995) are their differences.

It is cut by number and by octets.  Each row has the octets of the journal up to and
with itself, so the first row to keep is found without adding up; the newest row stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any, TypeAlias

from attrs import define, evolve, field

from netservices.store.operations import Transaction
from netservices.store.rrsets import pack_rrsets, unpack_rrsets
from netservices.values import RRset, ZoneChange

Key: TypeAlias = tuple[bytes, int]
"""Owner in lower case, and type."""

Difference: TypeAlias = tuple[int, int, tuple[RRset, ...], tuple[RRset, ...]]
"""From serial, to serial, removed, added."""


def by_key(rrsets: Iterable[RRset]) -> dict[Key, RRset]:
    """RRsets by owner and type; of two with the same, the last counts."""
    return {(rrset.owner.lower(), rrset.type): rrset for rrset in rrsets}


def count_records(
    removed: Mapping[Key, RRset], added: Mapping[Key, RRset]
) -> tuple[int, int]:
    """How many records went, and how many came; one with another TTL did both."""
    gone = {key: _records(rrset) for key, rrset in removed.items()}
    came = {key: _records(rrset) for key, rrset in added.items()}
    nothing: frozenset[tuple[int, bytes]] = frozenset()
    return (
        sum(len(records - came.get(key, nothing)) for key, records in gone.items()),
        sum(len(records - gone.get(key, nothing)) for key, records in came.items()),
    )


def _records(rrset: RRset) -> frozenset[tuple[int, bytes]]:
    return frozenset((rrset.ttl, rdata) for rdata in rrset.rdatas)


@define
class Written:
    """What a change has taken away and brought so far, as the journal holds it."""

    removed: bytearray = field(factory=bytearray)
    added: bytearray = field(factory=bytearray)
    removed_records: int = 0
    added_records: int = 0

    def note(self, removed: Mapping[Key, RRset], added: Mapping[Key, RRset]) -> None:
        """More of it; whatever has been altered is in both."""
        self.removed += pack_rrsets(removed.values())
        self.added += pack_rrsets(added.values())
        gone, came = count_records(removed, added)
        self.removed_records += gone
        self.added_records += came


def write_change(
    transaction: Transaction,
    zone: int,
    revision: int,
    author: str,
    serials: tuple[int, int],
    written: Written,
) -> None:
    """One more row, and the oldest rows above the limits go."""
    connection, settings = transaction.connection, transaction.settings
    removed, added = written.removed, written.added
    before = connection.execute(
        "SELECT octets_so_far FROM zone_diff WHERE zone=? "
        "ORDER BY revision DESC LIMIT 1",
        (zone,),
    ).fetchone()
    octets = (before[0] if before else 0) + len(removed) + len(added)
    connection.execute(
        "INSERT INTO zone_diff(zone, revision, at, author, from_serial, to_serial, "
        "removed_records, added_records, removed, added, octets_so_far) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            zone,
            revision,
            transaction.now,
            author,
            *serials,
            written.removed_records,
            written.added_records,
            removed,
            added,
            octets,
        ),
    )
    kept = connection.execute(
        "SELECT revision FROM zone_diff WHERE zone=? AND octets_so_far>? "
        "ORDER BY revision LIMIT 1",
        (zone, octets - settings.zone_journal_octets),
    ).fetchone()
    last_gone = revision - settings.zone_journal
    if settings.zone_journal:
        # The newest alone may be larger than the limit.
        last_gone = max(last_gone, (kept[0] if kept else revision) - 1)
    connection.execute(
        "DELETE FROM zone_diff WHERE zone=? AND revision<=?", (zone, last_gone)
    )


def read_differences(
    connection: Connection, name: bytes, revision: int, max_octets: int | None
) -> tuple[Difference, ...] | None:
    """``(from serial, to serial, removed, added)`` since that revision; None: too old,
    or more than ``max_octets`` in the journal."""
    # Large ones are not even read: their octets would be copied, in one go.
    if max_octets is not None and _octets(connection, name, revision) > max_octets:
        return None
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
    octets = sum(len(row[3]) + len(row[4]) for row in rows)
    if max_octets is not None and octets > max_octets:
        return None
    return tuple(
        (old, new, unpack_rrsets(removed), unpack_rrsets(added))
        for _, old, new, removed, added in rows
    )


def _octets(connection: Connection, name: bytes, revision: int) -> int:
    """Of all changes since that revision."""
    (octets,) = connection.execute(
        "SELECT total(length(d.removed)+length(d.added)) FROM zone z "
        "JOIN zone_diff d ON d.zone=z.id AND d.revision>? WHERE z.key=?",
        (revision, name.lower()),
    ).fetchone()
    return int(octets)


def read_history(
    connection: Connection, name: bytes, since: int | None
) -> tuple[ZoneChange, ...]:
    """The changes of a zone, newest first; with ``since`` those from that revision on,
    with their RRsets."""
    found = [
        _change(row, since is not None)
        for row in connection.execute(
            "SELECT d.revision, d.at, d.author, d.from_serial, d.to_serial, "
            "d.removed_records, d.added_records, "
            # The octets of changes are not read where nobody asks for them.
            "CASE WHEN :all OR d.added_records IS NULL THEN d.removed END, "
            "CASE WHEN :all OR d.added_records IS NULL THEN d.added END "
            "FROM zone z JOIN zone_diff d ON d.zone=z.id "
            "WHERE z.key=:key AND d.revision>=:since ORDER BY d.revision DESC",
            {
                "all": since is not None,
                "key": name.lower(),
                "since": since or 0,
            },
        )
    ]
    if since is None:
        found += _making(connection, name)
    return tuple(found)


def _change(row: tuple[Any, ...], with_rrsets: bool) -> ZoneChange:
    """A change as its row says; one of an old release has its records counted."""
    *fields, removed, added = row
    change = ZoneChange(*fields)
    if removed is None or added is None:
        return change
    old, new = unpack_rrsets(removed), unpack_rrsets(added)
    if change.added_records is None:
        gone, came = count_records(by_key(old), by_key(new))
        change = evolve(change, removed_records=gone, added_records=came)
    return evolve(change, removed=old, added=new) if with_rrsets else change


def _making(connection: Connection, name: bytes) -> tuple[ZoneChange, ...]:
    """How the zone was made, where the release that made it noted that."""
    row = connection.execute(
        "SELECT made_revision, made_at, made_by, 0, made_serial, 0, made_records "
        "FROM zone WHERE key=? AND made_at IS NOT NULL",
        (name.lower(),),
    ).fetchone()
    return () if row is None else (ZoneChange(*row),)
