"""A zone read piece by piece.

No read transaction lives longer than one page.  Whoever wants one version of the
whole zone takes back, from the later pages, the changes that each of them brings.
"""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection
from typing import TypeAlias, TypeVar

from netservices.store.rrsets import SOA, unpack_rdatas, unpack_rrsets
from netservices.values import RRset, ZoneInfo, ZonePage

Change: TypeAlias = tuple[tuple[RRset, ...], tuple[RRset, ...]]
"""Removed, added."""

T = TypeVar("T")


def _at_once(connection: Connection, read: Callable[[], T]) -> T:
    """What ``read`` returns, all of it from one snapshot."""
    connection.execute("BEGIN")
    try:
        return read()
    finally:
        connection.execute("COMMIT")


def _find(connection: Connection, name: bytes) -> tuple[int, ZoneInfo] | None:
    row = connection.execute(
        "SELECT id, name, serial, revision FROM zone WHERE key=?", (name.lower(),)
    ).fetchone()
    return (row[0], ZoneInfo(*row[1:])) if row is not None else None


def _soa(connection: Connection, zone: int, apex: bytes) -> RRset | None:
    row = connection.execute(
        "SELECT owner, type, ttl, rdatas FROM rrset WHERE zone=? AND key=? AND type=?",
        (zone, apex.lower(), SOA),
    ).fetchone()
    if row is None:
        return None
    owner, type_, ttl, rdatas = row
    return RRset(owner, type_, ttl, unpack_rdatas(rdatas))


def read_page(
    connection: Connection,
    name: bytes,
    after: tuple[bytes, int] | None,
    rrsets: int,
    since: int | None,
) -> ZonePage | None:
    """At most ``rrsets`` RRsets behind ``after``, and the changes since ``since``."""

    def read() -> ZonePage | None:
        found = _find(connection, name)
        if found is None:
            return None
        zone, info = found
        rows = connection.execute(
            "SELECT owner, type, ttl, rdatas FROM rrset "
            "WHERE zone=? AND (key, type) > (?, ?) ORDER BY key, type LIMIT ?",
            (zone, *(after or (b"", -1)), rrsets),
        ).fetchall()
        changes: tuple[Change, ...] | None = ()
        if since is not None:
            changes = _changes(connection, zone, since, info.revision)
        return ZonePage(
            info,
            _soa(connection, zone, name),
            tuple(
                RRset(owner, type_, ttl, unpack_rdatas(rdatas))
                for owner, type_, ttl, rdatas in rows
            ),
            len(rows) < rrsets,
            changes,
        )

    return _at_once(connection, read)


def _changes(
    connection: Connection, zone: int, after: int, until: int
) -> tuple[Change, ...] | None:
    if after == until:
        return ()
    rows = connection.execute(
        "SELECT removed, added FROM zone_diff "
        "WHERE zone=? AND revision>? AND revision<=? ORDER BY revision",
        (zone, after, until),
    ).fetchall()
    if len(rows) != until - after:
        return None
    return tuple(
        (unpack_rrsets(removed), unpack_rrsets(added)) for removed, added in rows
    )
