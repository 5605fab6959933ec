"""What a server's listings say, read on the client's side: entries of MLSD, and lines
of LIST as ``ls -l`` and DOS write them.

A server may send anything, so a name that could lead out of its directory, or end a
line early, is no name: ``SyntaxProblem``, as for a line that is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.facts import parse_facts, parse_time
from netservices.values import NodeKind

SECOND, MINUTE, DAY = 1, 60, 86400
"""How exact a time is, in seconds."""

_NANO = 1_000_000_000
_LONGEST_NUMBER = 18
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun") + (
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_UNIX = re.compile(
    r"([-dlbcpsD])([-rwxsStTlL]{9})[+.@]? *(?:\d+ +)?"  # kind, mode, links
    r"(?:[^ ]+ +){0,3}?(\d+) "  # owner and group; size
    r"+([A-Za-z]{3}) +(\d{1,2}) +(\d{4}|\d{1,2}:\d\d) (.+)\Z",
    re.DOTALL,
)
_DOS = re.compile(
    r"(\d\d-\d\d-(?:\d\d){1,2}|\d{4}-\d\d-\d\d) +(\d\d:\d\d) ?([AP]M)? +"
    r"(<[A-Z]{1,12}>|\d+) +(.+)\Z",
    re.DOTALL,
)
_TOTAL = re.compile(r"total +\d+\Z", re.IGNORECASE)
_MLSD_KINDS = {"file": NodeKind.FILE, "dir": NodeKind.DIRECTORY}
_UNIX_KINDS = {
    "-": NodeKind.FILE,
    "d": NodeKind.DIRECTORY,
    "l": NodeKind.SYMLINK,
}


@frozen
class Entry:
    """One name in a directory of a server, and what the server says of it."""

    name: str
    kind: NodeKind
    size: int | None = None
    """Octets, of files only."""
    mtime_ns: int | None = None
    exact_seconds: int = SECOND
    """How exact ``mtime_ns`` is; LIST gives minutes or days, in a zone of its own."""
    mode: int | None = None
    link_target: str | None = None
    facts: Mapping[str, str] = field(factory=dict, repr=False, eq=False)


def check_name(name: str) -> str:
    """``name``, if it can be the name of something in a directory.  SyntaxProblem."""
    if not name or name in (".", "..") or any(c in name for c in "/\0\r\n"):
        raise SyntaxProblem(f"{name[:80]!r} is no name of a file")
    return name


def parse_mlsd_line(line: str) -> Entry | None:
    """The entry of a line of MLSD; None for the directory itself and its parent.
    SyntaxProblem."""
    name, facts = parse_facts(line)
    # RFC 3659 7.5.1: cdir and pdir are the listed directory and the one above it.
    if facts.get("type", "").lower() in ("cdir", "pdir") or name in (".", ".."):
        return None
    return entry_of_facts(check_name(name), facts)


def entry_of_facts(name: str, facts: Mapping[str, str]) -> Entry:
    """What facts say; a fact that is not understood counts as not given."""
    kind_text = facts.get("type", "").lower()
    kind = _MLSD_KINDS.get(kind_text, NodeKind.OTHER)
    if kind_text.startswith(("os.unix=slink", "os.unix=symlink")):
        kind = NodeKind.SYMLINK
    mode = facts.get("unix.mode", "")
    return Entry(
        name,
        kind,
        _number(facts.get("size", "")) if kind is NodeKind.FILE else None,
        _time_or_none(facts.get("modify", "")),
        SECOND,
        int(mode, 8) & 0o7777 if re.fullmatch("[0-7]{3,7}", mode) else None,
        None,
        facts,
    )


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None


def _time_or_none(text: str) -> int | None:
    try:
        return parse_time(text)
    except SyntaxProblem:
        return None


def parse_list_line(line: str, now: float) -> Entry | None:
    """The entry of a line of LIST; None for lines that stand for no entry.
    SyntaxProblem.

    ``now`` (seconds since 1970) gives the year where the line has none.  Times count
    as UTC: a server with another zone does not say so.
    """
    if not line.strip() or _TOTAL.match(line):
        return None
    entry = _unix_entry(line, now) or _dos_entry(line)
    if entry is None:
        raise SyntaxProblem(f"not a line of LIST: {line[:80]!r}")
    if entry.name in (".", ".."):
        return None
    check_name(entry.name)
    return entry


def _unix_entry(line: str, now: float) -> Entry | None:
    match = _UNIX.match(line)
    if match is None:
        return None
    letter, rights, size, month, day, year_or_time, name = match.groups()
    kind = _UNIX_KINDS.get(letter, NodeKind.OTHER)
    target = None
    if kind is NodeKind.SYMLINK:
        name, _, target = name.partition(" -> ")
    mtime_ns = _unix_time(month, int(day), year_or_time, now)
    return Entry(
        name,
        kind,
        _number(size) if kind is NodeKind.FILE else None,
        mtime_ns,
        MINUTE if ":" in year_or_time else DAY,
        _mode(rights),
        target,
    )


def _mode(rights: str) -> int:
    mode = 0
    for at, letter in enumerate(rights):
        if letter not in "-STlL":
            mode |= 0o400 >> at
        if letter in "sStT":
            mode |= 0o4000 >> (at // 3)
    return mode


def _unix_time(month: str, day: int, year_or_time: str, now: float) -> int | None:
    """The time of a line of ``ls -l``: the last such day before tomorrow where it says
    no year."""
    if month.lower() not in _MONTHS:
        return None
    number = _MONTHS.index(month.lower()) + 1
    try:
        if ":" not in year_or_time:
            return _nanoseconds(datetime(int(year_or_time), number, day, tzinfo=UTC))
        hour, minute = map(int, year_or_time.split(":"))
        latest = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
        # 29 February is found in the last leap year.
        for year in range(latest.year, latest.year - 9, -1):
            if (number, day) == (2, 29) and not _is_leap(year):
                continue
            when = datetime(year, number, day, hour, minute, tzinfo=UTC)
            if when <= latest:
                return _nanoseconds(when)
    except (ValueError, OverflowError):
        pass
    return None


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _dos_entry(line: str) -> Entry | None:
    match = _DOS.match(line)
    if match is None:
        return None
    date, clock, half, size, name = match.groups()
    if size == "<DIR>":
        kind = NodeKind.DIRECTORY
    elif size.startswith("<"):
        # <JUNCTION>, <SYMLINKD>: they lead elsewhere.
        kind = NodeKind.SYMLINK
    else:
        kind = NodeKind.FILE
    octets = _number(size) if kind is NodeKind.FILE else None
    return Entry(name, kind, octets, _dos_time(date, clock, half), MINUTE)


def _dos_time(date: str, clock: str, half: str | None) -> int | None:
    hour, minute = map(int, clock.split(":"))
    if half is not None:
        hour = hour % 12 + (12 if half == "PM" else 0)
    parts = [int(part) for part in date.split("-")]
    year, month, day = parts if parts[0] > 31 else (parts[2], parts[0], parts[1])
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return _nanoseconds(datetime(year, month, day, hour, minute, tzinfo=UTC))
    except ValueError:
        return None


def _nanoseconds(when: datetime) -> int:
    return int(when.timestamp()) * _NANO
