"""MODE B: blocks of at most 65535 octets behind headers of three (RFC 959 3.4.2)."""

from __future__ import annotations

from struct import Struct

from attrs import define

from netservices.ftp.wire.descriptors import EOR_CODE, UnitReader, UnitWriter
from netservices.ftp.wire.parts import Part

_LONGEST_BLOCK = (1 << 16) - 1
_HEADER = Struct(">BH")
"""Descriptor codes, and how many octets of data follow."""


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
        return _HEADER.pack(flags, len(unit)) + unit

    def records(self, lines: list[bytes]) -> list[bytes]:
        """A block for each, unless it is longer than a block."""
        pack = _HEADER.pack
        return [
            pack(EOR_CODE, len(line)) + line
            if len(line) <= _LONGEST_BLOCK
            else self._long_record(line)
            for line in lines
        ]

    def _long_record(self, line: bytes) -> bytes:
        *full, last = self.units(line)
        blocks = [self.described(block, 0) for block in full]
        return b"".join(blocks) + self.described(last, EOR_CODE)

    def single(self, data: bytes) -> bytes:
        """A block's data."""
        return data


def block_writer(record_end: bytes = b"") -> UnitWriter:
    """From parts to blocks; ``record_end`` is as in ``parts``."""
    return UnitWriter(_Blocks(), record_end)


@define
class BlockReader(UnitReader):
    """From blocks to parts."""

    _header: bytes = b""

    @property
    def _is_between_units(self) -> bool:
        return not self._header

    def _pass_whole(self, data: bytes, at: int, limit: int, parts: list[Part]) -> int:
        octets: list[bytes] = []
        header_at, add = _HEADER.unpack_from, octets.append
        last, end, units, first = len(data) - _HEADER.size, len(data), self.units, at
        while at <= last and units < limit:
            flags, count = header_at(data, at)
            begin = at + _HEADER.size
            stop = begin + count
            if flags & ~EOR_CODE or stop > end:
                break
            add(data[begin:stop])
            if flags:
                add(self._record_end)
            at, units = stop, units + 1
        self.units = units
        if at > first:
            parts.append(b"".join(octets))
        return at

    def _pass_head(self, data: bytes, at: int, parts: list[Part]) -> int:
        missing = _HEADER.size - len(self._header)
        self._header += data[at : at + missing]
        if len(self._header) == _HEADER.size:
            flags, self._left = _HEADER.unpack(self._header)
            self._header = b""
            self._describe(flags, parts)
            if not self._left:
                self._end_unit(parts)
        return at + missing
