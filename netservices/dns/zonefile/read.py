"""Master files into RRsets: entries, directives, and what a zone must not hold.

``$ORIGIN``, ``$TTL`` and ``$INCLUDE`` are RFC 1035 5.1's and RFC 2308 4's;
``$GENERATE`` is BIND's.  An included file is looked for beside the file that names it;
its origin and last owner do not outlive it.  All that a file can make grow has a limit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import TextIOBase
from typing import TextIO

from attrs import define, field

from netservices.dns.wire.codes import Type, type_number
from netservices.dns.wire.names import (
    fold,
    is_below,
    name_text,
    parse_name,
)
from netservices.dns.wire.rdata import SOA, split_rdata
from netservices.dns.zonefile.changes import Key
from netservices.dns.zonefile.generate import expand, parse_range
from netservices.dns.zonefile.lines import (
    MAX_ENTRY_CHARACTERS,
    Entry,
    ZoneFileError,
    split_entries,
)
from netservices.dns.zonefile.texts import is_ttl, parse_rdata, parse_ttl
from netservices.values import Finding, RRset

MAX_INCLUDE_DEPTH = 8
MAX_INCLUDED_FILES = 1000
MAX_RECORDS = 20_000_000
MAX_GENERATED_IN_ALL = 2_000_000
"""Records that the $GENERATE lines of a file make together."""

_CLASSES = {"IN": True, "CH": False, "HS": False, "CS": False, "CLASS1": True}
_BESIDE_CNAME = frozenset((Type.CNAME, Type.RRSIG, Type.NSEC))
_SINGLE = (Type.SOA, Type.CNAME, Type.DNAME, Type.ALIAS)
_ADDRESSES = frozenset((Type.A, Type.AAAA))
_PROGRESS_LINES = 5000


@define
class _Gathered:
    """The records of one RRset so far."""

    owner: bytes
    type: int
    ttl: int
    rdatas: dict[bytes, bytes] = field(factory=dict)
    """Folded RDATA -> as it was written."""


@define
class _Place:
    """Where the reader is."""

    file: str
    line: int
    origin: bytes
    owner: bytes | None = None
    depth: int = 0

    def error(self, text: str) -> ZoneFileError:
        return ZoneFileError(self.file, self.line, text)


class ZoneReader:
    """Reads entries and gathers RRsets."""

    def __init__(
        self,
        origin: bytes,
        may_include: bool = True,
        progress: Callable[[int, int], None] | None = None,
        include_below: str | None = None,
        places: dict[Key, str] | None = None,
    ) -> None:
        self.apex = fold(origin)
        self.warnings: list[Finding] = []
        self._origin = origin
        self._may_include = may_include
        self._progress = progress
        self._default_ttl: int | None = None
        self._last_ttl: int | None = None
        self._places = places
        self._files = 0
        self._generated = 0
        self._directory = os.path.realpath(include_below) if include_below else ""
        """What files may include lies in here."""
        self._records = 0
        self._gathered: dict[tuple[bytes, int], _Gathered] = {}
        self._kinds: dict[bytes, set[int]] = {}

    # --- input ---

    def read_text(self, text: str, file: str) -> None:
        """Read a whole file's text.  ZoneFileError."""
        place = _Place(file, 0, self._origin)
        self._read_lines(self._counted(text.split("\n"), len(text)), place)

    def read_file(self, path: str, place: _Place | None = None) -> None:
        """Read a file.  ZoneFileError, also where it cannot be opened."""
        if not self._directory:
            self._directory = os.path.dirname(os.path.realpath(path))
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                size = os.fstat(file.fileno()).st_size
                here = _Place(path, 0, self._origin)
                if place is not None:
                    here.origin, here.depth = place.origin, place.depth
                self._read_lines(self._counted(file, size), here)
        except OSError as error:
            reason = error.strerror or str(error)
            if place is None:
                raise ZoneFileError(path, 0, reason) from None
            raise ZoneFileError(place.file, place.line, f"{path}: {reason}") from None

    def _counted(self, lines: Iterable[str] | TextIO, total: int) -> Iterator[str]:
        """The lines, with a report of progress now and then."""
        done = 0
        if isinstance(lines, TextIOBase):
            # A file without any end of line must not be read as one.
            lines = iter(partial(lines.readline, MAX_ENTRY_CHARACTERS + 1), "")
        for number, line in enumerate(lines):
            done += len(line)
            if self._progress is not None and number % _PROGRESS_LINES == 0:
                self._progress(min(done, total), total)
            yield line

    def _read_lines(self, lines: Iterable[str], place: _Place) -> None:
        for entry in split_entries(lines, place.file):
            place.line = entry.line
            try:
                if entry.words[0][0] == "$" and not entry.is_indented:
                    self._obey(entry, place)
                else:
                    self._read_record(entry, place)
            except ValueError as error:
                raise place.error(str(error)) from None

    # --- directives ---

    def _obey(self, entry: Entry, place: _Place) -> None:
        directive, *words = entry.words
        directive = directive.upper()
        if directive == "$ORIGIN" and len(words) == 1:
            place.origin = parse_name(words[0], place.origin)
        elif directive == "$TTL" and len(words) == 1:
            self._default_ttl = parse_ttl(words[0])
        elif directive == "$INCLUDE" and len(words) in (1, 2):
            self._include(words, place)
        elif directive == "$GENERATE" and len(words) >= 4:
            self._generate(words, place)
        elif directive in ("$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"):
            raise ValueError(f"{directive} with the wrong number of words")
        else:
            raise ValueError(f"unknown directive {directive}")

    def _include(self, words: list[str], place: _Place) -> None:
        if not self._may_include:
            raise ValueError("$INCLUDE is not allowed here")
        self._files += 1
        if place.depth >= MAX_INCLUDE_DEPTH or self._files > MAX_INCLUDED_FILES:
            raise ValueError("$INCLUDE goes too deep; does a file include itself?")
        word = words[0].strip('"')
        path = os.path.join(os.path.dirname(place.file), word)
        if not os.path.exists(path):
            # Not RFC 1035: BIND looks in its working directory, so files are written
            # for that.
            below = os.path.join(self._directory, word)
            path = below if os.path.exists(below) else path
        self._check_path(path, words[0])
        origin = parse_name(words[1], place.origin) if words[1:] else place.origin
        inside = _Place(place.file, place.line, origin, depth=place.depth + 1)
        self.read_file(path, inside)

    def _check_path(self, path: str, word: str) -> None:
        """A zone file may come from somebody who may not read all that we may: it
        includes what lies beside or below it alone.  ValueError."""
        real = os.path.realpath(path)
        if os.path.commonpath((real, self._directory)) != self._directory:
            raise ValueError(f"{word} is not below {self._directory}")
        if os.path.exists(real) and not os.path.isfile(real):
            raise ValueError(f"{word} is no regular file")

    def _generate(self, words: list[str], place: _Place) -> None:
        """``$GENERATE range owner [ttl] [class] type rdata``."""
        first, last, step = parse_range(words[0])
        self._generated += (last - first) // step + 1
        if self._generated > MAX_GENERATED_IN_ALL:
            text = f"$GENERATE makes more than {MAX_GENERATED_IN_ALL} records in all"
            raise ValueError(text)
        for number in range(first, last + 1, step):
            owner = parse_name(expand(words[1], number), place.origin)
            rest = [expand(word, number) for word in words[2:]]
            self._read_rest(owner, rest, place)

    # --- records ---

    def _read_record(self, entry: Entry, place: _Place) -> None:
        words = list(entry.words)
        if not entry.is_indented:
            place.owner = parse_name(words.pop(0), place.origin)
        if place.owner is None:
            raise ValueError("the first record of a file needs an owner")
        self._read_rest(place.owner, words, place)

    def _read_rest(self, owner: bytes, words: list[str], place: _Place) -> None:
        """``[ttl] [class] type rdata``, or class before TTL."""
        ttl: int | None = None
        has_class = False
        position = 0
        while position < len(words):
            word = words[position]
            if ttl is None and is_ttl(word):
                ttl = parse_ttl(word)
            elif not has_class and word.upper() in _CLASSES:
                if not _CLASSES[word.upper()]:
                    raise ValueError(f"class {word}: only IN is served from files")
                has_class = True
            else:
                break
            position += 1
        if position == len(words):
            raise ValueError("a record without a type")
        type_ = type_number(words[position])
        if type_ in (0, Type.OPT) or 128 <= type_ <= 255:
            raise ValueError(f"{words[position]} is no type that a zone can hold")
        rdata = parse_rdata(type_, words[position + 1 :], place.origin)
        self._add(owner, type_, self._ttl_of(ttl, type_, rdata), rdata, place)

    def _ttl_of(self, ttl: int | None, type_: int, rdata: bytes) -> int:
        """RFC 2308 4: $TTL counts where a record says nothing; without it, the TTL of
        the record before (RFC 1035 5.1)."""
        if ttl is not None:
            self._last_ttl = ttl
            return ttl
        if type_ == Type.HIDE:
            return 0
        if self._default_ttl is not None:
            return self._default_ttl
        if self._last_ttl is not None:
            return self._last_ttl
        if type_ == Type.SOA:
            # Not RFC 2308: old files give the zone's TTL in the SOA alone, as BIND
            # still reads them.
            self._last_ttl = SOA.parse(rdata).minimum
            return self._last_ttl
        raise ValueError("no time to live: put one in the record, or $TTL before it")

    def _add(
        self, owner: bytes, type_: int, ttl: int, rdata: bytes, place: _Place
    ) -> None:
        folded = fold(owner)
        if not is_below(folded, self.apex):
            self._warn("out-of-zone", owner, place, "is not in the zone; left out")
            return
        self._records += 1
        if self._records > MAX_RECORDS:
            raise ValueError(f"more than {MAX_RECORDS} records")
        key = (folded, type_)
        rrset = self._gathered.get(key)
        if rrset is None:
            self._check_kinds(folded, type_)
            rrset = self._gathered[key] = _Gathered(owner, type_, ttl)
            if self._places is not None:
                self._places[key] = f"{place.file}:{place.line}"
        elif rrset.ttl != ttl:
            # RFC 2181 5.2: all records of a set have one TTL; the first one counts.
            text = f"has a TTL of {ttl} where the record before has {rrset.ttl}"
            self._warn("ttl-mismatch", owner, place, text)
        before, names, after = split_rdata(type_, rdata)
        canonical = before + b"".join(name.lower() for name in names) + after
        rrset.rdatas.setdefault(canonical, rdata)
        if len(rrset.rdatas) > 1 and type_ in _SINGLE:
            raise ValueError(f"a second {Type(type_).name} at {name_text(owner)}")

    def _check_kinds(self, folded: bytes, type_: int) -> None:
        """A new RRset must get on with those that its name has."""
        if type_ == Type.SOA and folded != self.apex:
            raise ValueError("SOA that is not at the zone's own name")
        if type_ == Type.HIDE:
            return
        kinds = self._kinds.setdefault(folded, set())
        kinds.add(type_)
        # RFC 1034 3.6.2, RFC 2181 10.1: where there is a CNAME, there is nothing else.
        if Type.CNAME in kinds and not kinds <= _BESIDE_CNAME:
            raise ValueError(f"{name_text(folded)} has a CNAME and other records")
        if Type.ALIAS in kinds and kinds & _ADDRESSES:
            text = "has an ALIAS, and addresses of its own"
            raise ValueError(f"{name_text(folded)} {text}")

    def _warn(self, code: str, owner: bytes, place: _Place, text: str) -> None:
        where = f"{place.file}:{place.line}"
        self.warnings.append(
            Finding(code, name_text(owner), f"{where}: {name_text(owner)} {text}")
        )

    # --- result ---

    def rrsets(self) -> tuple[RRset, ...]:
        """What was read."""
        return tuple(
            RRset(found.owner, found.type, found.ttl, tuple(found.rdatas.values()))
            for found in self._gathered.values()
        )


def read_zone(
    source: str | os.PathLike[str],
    origin: str | bytes,
    *,
    file: str = "zone",
    may_include: bool | None = None,
    include_below: str | None = None,
    needs_soa: bool = True,
    progress: Callable[[int, int], None] | None = None,
    warnings: list[Finding] | None = None,
    places: dict[Key, str] | None = None,
) -> tuple[RRset, ...]:
    """The RRsets of a master file: ``source`` is its text, or a path object.

    ``file`` names a text in errors.  ``$INCLUDE`` is obeyed in files and refused in
    texts, unless ``may_include`` says otherwise; what is included lies below the
    directory ``include_below``, or else that of the file.  An overlay needs no SOA.
    ``progress`` is told octets read and octets in all; ``warnings`` gets what was read
    but looks wrong; ``places`` gets ``FILE:LINE`` of each RRset, by folded owner and
    type.  ZoneFileError.
    """
    apex = parse_name(origin) if isinstance(origin, str) else origin
    if isinstance(source, str):
        reader = ZoneReader(apex, bool(may_include), progress, places=places)
        reader.read_text(source, file)
    else:
        file = os.fspath(source)
        reader = ZoneReader(
            apex, may_include is not False, progress, include_below, places
        )
        reader.read_file(file)
    if needs_soa and (reader.apex, int(Type.SOA)) not in reader._gathered:
        raise ZoneFileError(file, 0, f"no SOA record for {name_text(apex)}")
    if warnings is not None:
        warnings += reader.warnings
    return reader.rrsets()


def parse_record(origin: str | bytes, text: str, default_ttl: int = 3600) -> RRset:
    """The record that ``text`` writes as a line of a master file, ``www 300 A
    192.0.2.1``, as an RRset of one.  ValueError."""
    apex = parse_name(origin) if isinstance(origin, str) else origin
    reader = ZoneReader(apex, may_include=False)
    reader._default_ttl = default_ttl
    if text.lstrip()[:1] == "$":
        raise ValueError("a record is wanted, no directive")
    try:
        reader.read_text(text.strip(), "record")
    except ZoneFileError as error:
        raise ValueError(error.text) from None
    if reader.warnings:
        raise ValueError(f"the record is not in the zone {name_text(apex)}")
    rrsets = reader.rrsets()
    if len(rrsets) != 1 or len(rrsets[0].rdatas) != 1:
        raise ValueError("one record is wanted")
    return rrsets[0]
