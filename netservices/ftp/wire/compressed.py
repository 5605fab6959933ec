"""MODE C: strings, repeated octets and filler, each behind an octet that says which
(RFC 959 3.4.3).

An escape, 0 and a descriptor, says something of the one string, repetition or filler
behind it.  An end with no data before it is spelt with a filler of count 0: only the
count of strings must be positive.  No octet of input becomes more than 63 of output.
"""

from __future__ import annotations

import re
from typing import ClassVar

from attrs import define, field

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.descriptors import UnitReader, UnitWriter
from netservices.ftp.wire.parts import MOST_UNITS, Part

_LONGEST_STRING = 127
_LONGEST_RUN = 63
_REPEATED = 0x80
_FILLER = 0xC0


class _Units:
    """Units are strings, repetitions and fillers."""

    def __init__(self, filler: bytes) -> None:
        self._filler = filler
        # A string that a run interrupts costs an octet more behind it: so a filler pays
        # from three octets on, a repetition from four.
        self._runs = re.compile(b"%b{3,}|(.)\\1{3,}" % re.escape(filler), re.DOTALL)

    def units(self, data: bytes) -> list[bytes]:
        """Runs as such, what is between them as strings; in linear time."""
        units: list[bytes] = []
        at = 0
        for run in self._runs.finditer(data):
            start, end = run.span()
            if start > at:
                _add_strings(units, data[at:start])
            self._add_run(units, data[start : start + 1], end - start)
            at = end
        if at < len(data):
            _add_strings(units, data[at:])
        return units

    def _add_run(self, units: list[bytes], octet: bytes, count: int) -> None:
        kind, tail = (_FILLER, b"") if octet == self._filler else (_REPEATED, octet)
        whole, left = divmod(count, _LONGEST_RUN)
        units += [bytes((kind | _LONGEST_RUN,)) + tail] * whole
        if left:
            units.append(bytes((kind | left,)) + tail)

    def described(self, unit: bytes, flags: int) -> bytes:
        """An escape where there is something to say."""
        return bytes((0, flags)) + unit if flags else unit

    def single(self, data: bytes) -> bytes:
        """A string, or a filler of no octets."""
        return bytes((len(data),)) + data if data else bytes((_FILLER,))


def _add_strings(units: list[bytes], data: bytes) -> None:
    for at in range(0, len(data), _LONGEST_STRING):
        string = data[at : at + _LONGEST_STRING]
        units.append(bytes((len(string),)) + string)


def compressing_writer(filler: bytes) -> UnitWriter:
    """From parts to what is sent; ``filler`` is that of the representation type."""
    return UnitWriter(_Units(filler))


@define
class CompressedReader(UnitReader):
    """From the wire to parts; ``filler`` is that of the representation type."""

    filler: bytes = field(kw_only=True)
    _left: int = 0
    """Octets of the string that have not come."""
    _count: int = 0
    """How often the octet that comes next is repeated."""
    _is_escaped: bool = False
    """Whether a descriptor comes next."""
    _ESCAPE: ClassVar[int] = 0

    def feed(self, data: bytes) -> list[Part]:
        """What has come, in order; see ``rest``.  SyntaxProblem."""
        parts: list[Part] = []
        at, end, limit = 0, len(data), self.units + MOST_UNITS
        while at < end and self.units < limit and not self.is_done:
            octet = data[at]
            if self._left:
                octets = data[at : at + self._left]
                self._left -= len(octets)
                at += len(octets)
                self._take(octets, parts)
                if not self._left:
                    self._end_unit(parts)
                continue
            at += 1
            if self._count:
                self._take(bytes((octet,)) * self._count, parts)
                self._count = 0
                self._end_unit(parts)
            elif self._is_escaped:
                self._is_escaped = False
                self._describe(octet, parts)
            else:
                self._begin(octet, parts)
        self.rest = data[at:]
        return parts

    def _begin(self, octet: int, parts: list[Part]) -> None:
        count = octet & _LONGEST_RUN
        if octet == self._ESCAPE:
            self._is_escaped = True
            self.units += 1
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
