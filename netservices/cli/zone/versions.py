"""Versions of a zone on a command's bench: comparing, telling, and undoing."""

from __future__ import annotations

import click

from netservices.cli.bench import Bench, Progress
from netservices.cli.zones import (
    change_zone,
    load_zone,
    read_master_file,
    wire_name,
)
from netservices.dns.zonefile import (
    CannotUndo,
    Comparison,
    compare,
    serial_of,
    undoing,
    version_before,
)
from netservices.values import RRset, Zone, ZoneChange


def compare_file(
    bench: Bench, origin: str, file: str, report: Progress
) -> tuple[str, str, Comparison]:
    """The zone as it is, and what a master file would make of it."""
    zone = load_zone(bench, origin)
    rrsets = read_master_file(origin, file, report)
    before = f"{zone.info.serial} @{zone.info.revision}"
    after = f"{serial_of(rrsets)} {file}"
    return before, after, compare(zone.rrsets, rrsets)


def compare_versions(
    bench: Bench, origin: str, old: str, new: str | None
) -> tuple[str, str, Comparison]:
    """Two versions of the zone; the present one for None."""
    zone = load_zone(bench, origin)
    history = history_of(bench, origin)
    first = _revision(zone, history, old)
    last = zone.info.revision if new is None else _revision(zone, history, new)
    before, after = (_version(bench, zone, number) for number in (first, last))
    return (
        f"{serial_of(before)} @{first}",
        f"{serial_of(after)} @{last}",
        compare(before, after),
    )


def history_of(bench: Bench, origin: str) -> tuple[ZoneChange, ...]:
    """The changes of a zone, the newest first."""
    name = wire_name(origin)
    found = bench.get(bench.store.zones.history(name))
    if not found:
        # A zone of an early release may have no history; no zone has none either.
        load_zone(bench, origin)
    return found


def change_of(
    bench: Bench, origin: str, revision: int
) -> tuple[ZoneChange, Comparison]:
    """One change, and its records."""
    change = _changes_since(bench, origin, revision)[-1]
    return change, compare(change.removed, change.added)


def undo(bench: Bench, origin: str, revision: int) -> None:
    """Take a change back."""
    zone = load_zone(bench, origin)
    *later, change = _changes_since(bench, origin, revision)
    try:
        removed, added = undoing(change, later, zone.rrsets)
    except CannotUndo as problem:
        raise click.ClickException(str(problem)) from None
    change_zone(bench, zone, removed, added, str(revision))


def _changes_since(bench: Bench, origin: str, revision: int) -> tuple[ZoneChange, ...]:
    """The changes from ``revision`` on, which is the last of them."""
    found = bench.get(bench.store.zones.history(wire_name(origin), revision))
    if found and found[-1].revision == revision:
        return found
    for change in history_of(bench, origin):
        if change.revision == revision:
            raise click.ClickException(
                f"revision {revision} made the zone: netservices zone remove {origin}"
                " takes that back"
            )
    raise click.ClickException(f"the journal of {origin} has no revision {revision}")


def _revision(zone: Zone, history: tuple[ZoneChange, ...], text: str) -> int:
    """The revision that ``text`` means: the newest with that serial, or ``@12``."""
    digits = text.removeprefix("@")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 10:
        raise click.ClickException(f"{text!r} is neither a serial nor a @REVISION")
    number = int(digits)
    if text == digits:
        if number == zone.info.serial:
            return zone.info.revision
        for change in history:
            if change.to_serial == number:
                return change.revision
            if change.from_serial == number:
                return change.revision - 1
    if number == zone.info.revision or any(
        number in (change.revision, change.revision - 1)
        for change in history
        if change.revision > 1
    ):
        return number
    raise click.ClickException(f"the journal does not reach back to {text}")


def _version(bench: Bench, zone: Zone, revision: int) -> tuple[RRset, ...]:
    """The records of the zone at a revision."""
    if revision == zone.info.revision:
        return zone.rrsets
    since = revision + 1
    changes = bench.get(bench.store.zones.history(zone.info.name, since))
    if not changes or changes[-1].revision != since:
        raise click.ClickException(f"the journal does not reach back to @{revision}")
    return version_before(zone.rrsets, changes)
