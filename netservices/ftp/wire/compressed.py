"""MODE C: strings, repeated octets and filler, each behind an octet that says which
(RFC 959 3.4.3).

An escape, 0 and a descriptor, says something of the one string, repetition or filler
behind it.  An end with no data before it is spelt with a filler of count 0: only the
count of strings must be positive.  No octet of input becomes more than 63 of output.

The writer finds runs by comparing all octets with their neighbours at once, as two big
numbers; so it has work only where there are runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import define, field

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.descriptors import (
    DESCRIBED_UNITS,
    EOR_CODE,
    UnitReader,
    UnitWriter,
)
from netservices.ftp.wire.parts import Part

_ESCAPE = 0
_LONGEST_STRING = 127
_LONGEST_RUN = 63
_REPEATED = 0x80
_FILLER = 0xC0


_SHORTEST_RUN = 4
_SHORTEST_FILLER = 3
"""A string that a run interrupts costs an octet more behind it: so a filler pays from
three octets on, a repetition from four."""
_SAME = re.compile(b"\\0\\0+")
"""Where octets are like the ones behind them."""
_ENDS_RECORD = bytes((_ESCAPE, EOR_CODE))


class _Units:
    """Units are strings, repetitions and fillers."""

    def __init__(self, filler: bytes) -> None:
        self._filler = filler

    def units(self, data: bytes) -> list[bytes]:
        """Runs as such, what is between them as strings; in linear time."""
        units: list[bytes] = []
        at = 0
        for start, end in self._runs(data):
            if start > at:
                _add_strings(units, data[at:start])
            self._add_run(units, data[start : start + 1], end - start)
            at = end
        if at < len(data):
            _add_strings(units, data[at:])
        return units

    def _runs(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where the runs that pay begin and end."""
        if len(data) < _SHORTEST_FILLER:
            return
        here, behind = int.from_bytes(data[:-1], "big"), int.from_bytes(data[1:], "big")
        differences = (here ^ behind).to_bytes(len(data) - 1, "big")
        for same in _SAME.finditer(differences):
            start, end = same.start(), same.end() + 1
            if end - start >= _SHORTEST_RUN or data[start] == self._filler[0]:
                yield start, end

    def _add_run(self, units: list[bytes], octet: bytes, count: int) -> None:
        kind, tail = (_FILLER, b"") if octet == self._filler else (_REPEATED, octet)
        while count > _LONGEST_RUN:
            units.append(bytes((kind | _LONGEST_RUN,)) + tail)
            count -= _LONGEST_RUN
        units.append(bytes((kind | count,)) + tail)

    def described(self, unit: bytes, flags: int) -> bytes:
        """An escape where there is something to say."""
        return bytes((_ESCAPE, flags)) + unit if flags else unit

    def records(self, lines: list[bytes]) -> list[bytes]:
        """The last unit of each says that it is the last."""
        spelt: list[bytes] = []
        for line in lines:
            if len(line) < _SHORTEST_FILLER:
                spelt.append(_ENDS_RECORD + self.single(line))
            else:
                *spelt_whole, last = self.units(line)
                spelt += spelt_whole
                spelt.append(_ENDS_RECORD + last)
        return spelt

    def single(self, data: bytes) -> bytes:
        """A string, or a filler of no octets."""
        return bytes((len(data),)) + data if data else bytes((_FILLER,))


def _add_strings(units: list[bytes], data: bytes) -> None:
    for at in range(0, len(data), _LONGEST_STRING):
        string = data[at : at + _LONGEST_STRING]
        units.append(bytes((len(string),)) + string)


def compressing_writer(filler: bytes, record_end: bytes = b"") -> UnitWriter:
    """From parts to what is sent; ``filler`` is that of the representation type,
    ``record_end`` as in ``parts``."""
    return UnitWriter(_Units(filler), record_end)


@define
class CompressedReader(UnitReader):
    """From the wire to parts; ``filler`` is that of the representation type."""

    filler: bytes = field(kw_only=True)
    _count: int = 0
    """How often the octet that comes next is repeated."""
    _is_escaped: bool = False
    """Whether a descriptor comes next."""

    @property
    def _is_between_units(self) -> bool:
        return not (self._count or self._is_escaped or self._flags)

    def _pass_whole(self, data: bytes, at: int, limit: int, parts: list[Part]) -> int:
        octets: list[bytes] = []
        end, units, first, filler = len(data), self.units, at, self.filler
        while at < end and units < limit:
            ends_record = data.startswith(_ENDS_RECORD, at)
            begin = at + 3 if ends_record else at + 1
            octet = data[begin - 1] if begin <= end else _ESCAPE
            count = octet & _LONGEST_RUN
            if octet >= _FILLER:
                stop, found = begin, filler * count
            elif octet > _REPEATED:
                stop = begin + 1
                found = data[begin:stop] * count
            else:
                stop = begin + octet
                found = data[begin:stop]
            if octet in (_ESCAPE, _REPEATED) or stop > end:
                break
            octets.append(found + self._record_end if ends_record else found)
            at, units = stop, units + 1
        self.units = units
        if at > first:
            parts.append(b"".join(octets))
        return at

    def _pass_head(self, data: bytes, at: int, parts: list[Part]) -> int:
        octet = data[at]
        if self._count:
            self._take(bytes((octet,)) * self._count, parts)
            self._count = 0
            self._end_unit(parts)
        elif self._is_escaped:
            self._is_escaped = False
            self._describe(octet, parts)
        else:
            self._begin(octet, parts)
        return at + 1

    def _begin(self, octet: int, parts: list[Part]) -> None:
        count = octet & _LONGEST_RUN
        if octet == _ESCAPE:
            self._is_escaped = True
            self.units += DESCRIBED_UNITS
        elif octet < _REPEATED:
            self._left = octet
        elif octet >= _FILLER:
            if count:
                self._take(self.filler * count, parts)
            self._end_unit(parts)
        elif count:
            self._count = count
        else:
            raise SyntaxProblem("an octet that is repeated no times")
