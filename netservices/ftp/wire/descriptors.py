"""What block and compressed mode share: units of data that a descriptor says something
about (RFC 959 3.4.2, 3.4.3).

A descriptor says what the *end* of its unit is (of a record, of the file), so a writer
holds each unit back until it knows what comes after it, and an end with no data before
it goes with an empty unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import define, field

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.parts import (
    LONGEST_MARKER,
    MOST_UNITS,
    Mark,
    Part,
    parse_marker,
)

EOR_CODE = Mark.EOR.value
DESCRIBED_UNITS = 8
"""A unit that a descriptor says something about is so many times the work of one that
is only data."""
_EOF = Mark.EOF.value
_SUSPECT = Mark.SUSPECT.value
_RESTART = 16
_UNKNOWN = 255 & ~(EOR_CODE | _EOF | _SUSPECT | _RESTART)


class UnitFormat(Protocol):
    """How one of the two modes spells its units."""

    def units(self, data: bytes) -> list[bytes]:
        """``data``, at least one octet, as units that still want a descriptor."""

    def records(self, lines: list[bytes]) -> list[bytes]:
        """Whole records, as they are sent."""

    def described(self, unit: bytes, flags: int) -> bytes:
        """A unit with its descriptor, as it is sent."""

    def single(self, data: bytes) -> bytes:
        """One unit, of few octets or none."""


@define
class UnitWriter:
    """From parts to the wire; ``record_end`` is as in ``parts``."""

    _format: UnitFormat
    _record_end: bytes = b""
    _held: bytes | None = None
    _flags: int = 0

    def feed(self, parts: Iterable[Part]) -> bytes:
        """The octets to send; the last unit may wait for what follows it."""
        sent: list[bytes] = []
        described = self._format.described
        for part in parts:
            if isinstance(part, Mark):
                self._end(part, sent)
                continue
            if not isinstance(part, bytes):
                self._let_go(sent)
                sent.append(described(self._format.single(part.text), _RESTART))
            elif self._record_end and self._record_end in part:
                self._add_records(part.split(self._record_end), sent)
            else:
                self._add(part, sent)
        return b"".join(sent)

    def _add(self, data: bytes, sent: list[bytes]) -> None:
        if data:
            self._let_go(sent)
            *ready, self._held = self._format.units(data)
            described = self._format.described
            sent += [described(unit, 0) for unit in ready]

    def _add_records(self, lines: list[bytes], sent: list[bytes]) -> None:
        """The end of a record, whole ones, and the beginning of one."""
        self._add(lines[0], sent)
        self._end(Mark.EOR, sent)
        if len(lines) > 2:
            self._let_go(sent)
            sent += self._format.records(lines[1:-2])
            self._add(lines[-2], sent)
            self._end(Mark.EOR, sent)
        self._add(lines[-1], sent)

    def _end(self, mark: Mark, sent: list[bytes]) -> None:
        if self._flags & mark.value:
            # The record before has ended already: the one that ends now is empty.
            self._let_go(sent)
        self._flags |= mark.value
        if mark is Mark.EOF:
            self._let_go(sent)

    def _let_go(self, sent: list[bytes]) -> None:
        if self._held is not None or self._flags:
            unit = self._format.single(b"") if self._held is None else self._held
            sent.append(self._format.described(unit, self._flags))
        self._held, self._flags = None, 0


@define
class UnitReader:
    """From the wire to parts: what the readers of both modes have in common.

    ``record_end`` is as in ``parts``.  ``is_done`` once the end of the file has come.
    ``rest`` is what was not looked at: behind that end, or after ``MOST_UNITS``, for
    units may be short and the work long.
    """

    _record_end: bytes = b""
    units: int = 0
    """How many units have come; those with a descriptor count as
    ``DESCRIBED_UNITS``."""
    is_done: bool = False
    rest: bytes = b""
    _flags: int = 0
    _marker: bytearray = field(factory=bytearray)
    _left: int = 0
    """Octets of the unit's data that have not come."""

    def feed(self, data: bytes) -> list[Part]:
        """What has come, in order; see ``rest``.  SyntaxProblem."""
        parts: list[Part] = []
        at, end, limit = 0, len(data), self.units + MOST_UNITS
        while at < end and self.units < limit and not self.is_done:
            if self._left:
                octets = data[at : at + self._left]
                self._left -= len(octets)
                at += len(octets)
                self._take(octets, parts)
                if not self._left:
                    self._end_unit(parts)
                continue
            if self._is_between_units:
                at = self._pass_whole(data, at, limit, parts)
                if at == end or self.units >= limit:
                    break
            at = self._pass_head(data, at, parts)
        self.rest = data[at:]
        return parts

    @property
    def _is_between_units(self) -> bool:
        """Whether nothing of the next unit has come, nor its descriptor."""
        raise NotImplementedError

    def _pass_whole(self, data: bytes, at: int, limit: int, parts: list[Part]) -> int:
        """Units of which nothing is missing and that end a record at most, up to
        ``limit`` of them; where the next one begins."""
        raise NotImplementedError

    def _pass_head(self, data: bytes, at: int, parts: list[Part]) -> int:
        """Some of what stands before the data of any other unit; where that ends.
        SyntaxProblem."""
        raise NotImplementedError

    def _describe(self, flags: int, parts: list[Part]) -> None:
        """A descriptor has come.  SyntaxProblem."""
        if flags & _UNKNOWN:
            raise SyntaxProblem(f"a descriptor code that is not known: {flags}")
        self._flags |= flags
        if flags & _SUSPECT:
            parts.append(Mark.SUSPECT)

    def _take(self, octets: bytes, parts: list[Part]) -> None:
        """Some of the unit's octets have come.  SyntaxProblem."""
        if not self._flags & _RESTART:
            parts.append(octets)
            return
        self._marker += octets
        if len(self._marker) > LONGEST_MARKER:
            raise SyntaxProblem("a restart marker that is too long")

    def _end_unit(self, parts: list[Part]) -> None:
        """The unit is complete.  SyntaxProblem."""
        flags, self._flags = self._flags, 0
        if not flags:
            self.units += 1
            return
        self.units += DESCRIBED_UNITS
        if flags & _RESTART:
            parts.append(parse_marker(bytes(self._marker)))
            self._marker.clear()
        if flags & EOR_CODE:
            parts.append(self._record_end)
        if flags & _EOF:
            parts.append(Mark.EOF)
            self.is_done = True
