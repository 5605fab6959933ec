"""MODE B: blocks of at most 65535 octets behind headers of three (RFC 959 3.4.2)."""

from __future__ import annotations

from attrs import define

from netservices.ftp.wire.descriptors import UnitReader, UnitWriter
from netservices.ftp.wire.parts import MOST_UNITS, Part

_LONGEST_BLOCK = (1 << 16) - 1
_HEADER_OCTETS = 3


class _Blocks:
    """Units are the data of blocks."""

    def units(self, data: bytes) -> list[bytes]:
        """Blocks, all but the last of them full."""
        if len(data) <= _LONGEST_BLOCK:
            return [data]
        return [
            data[at : at + _LONGEST_BLOCK] for at in range(0, len(data), _LONGEST_BLOCK)
        ]

    def described(self, unit: bytes, flags: int) -> bytes:
        """Header and data."""
        return bytes((flags, len(unit) >> 8, len(unit) & 255)) + unit

    def single(self, data: bytes) -> bytes:
        """A block's data."""
        return data


def block_writer() -> UnitWriter:
    """From parts to blocks."""
    return UnitWriter(_Blocks())


@define
class BlockReader(UnitReader):
    """From blocks to parts."""

    _header: bytes = b""
    _left: int = 0
    """Octets of the block that have not come."""

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
            else:
                missing = _HEADER_OCTETS - len(self._header)
                self._header += data[at : at + missing]
                at += missing
                if len(self._header) < _HEADER_OCTETS:
                    break
                self._describe(self._header[0], parts)
                self._left = self._header[1] << 8 | self._header[2]
                self._header = b""
            if not self._left:
                self._end_unit(parts)
        self.rest = data[at:]
        return parts
