"""Ranges of octets (RFC 9110 14): what is asked for, and how it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from secrets import token_hex

from attrs import frozen

from netservices.web.response import Piece

MOST_RANGES = 16
"""RFC 9110 14.2: who asks for more gets the whole."""

GAP_OCTETS = 80
"""What lies between two ranges is sent where it is shorter than the head of a part
(RFC 9110 15.3.7.2)."""

_LONGEST = 4096
_MOST_DIGITS = 18
_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)


@frozen
class Range:
    """Octets ``start`` up to ``end``, which is not included."""

    start: int
    end: int

    def field(self, size: int) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_ranges(written: str, size: int) -> tuple[Range, ...] | None:
    """The ranges that a field Range asks for, of a representation of ``size`` octets.

    None: send the whole, for the field is malformed, in another unit, or asks for so
    much that the whole is shorter.  An empty tuple: none of them is there (416).
    """
    unit, equals, listed = written.partition("=")
    # RFC 9110 14.1: names of units are case-insensitive.
    if unit.lower() != "bytes" or not equals or len(listed) > _LONGEST:
        return None
    specs = [spec for one in listed.split(",") if (spec := one.strip(" \t"))]
    if not 0 < len(specs) <= MOST_RANGES:
        return None
    found = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        wanted = None if match is None else _range_of(match[1], match[2], size)
        if wanted is None:
            return None
        if wanted.start < wanted.end:
            found.append(wanted)
        elif not size and wanted.end < 0:
            # RFC 9110 14.1.2: a suffix of nothing is nothing, and satisfiable.
            return None
    joined = _joined(found)
    octets = sum(one.end - one.start for one in joined)
    return None if len(specs) > 1 and octets >= size > 0 else joined


def _range_of(first: str, last: str, size: int) -> Range | None:
    """One int-range or suffix-range (RFC 9110 14.1.1), cut to what is there; empty
    where nothing of it is; None where it is invalid."""
    if not first:
        if not last:
            return None
        length = min(_number(last), size)
        if not size and _number(last):
            return Range(0, -1)
        return Range(size - length, size)
    start = _number(first)
    end = _number(last) + 1 if last else max(size, start + 1)
    # RFC 9110 14.1.2: a last position before the first one is invalid.
    return None if end <= start else Range(min(start, size), min(end, size))


def _number(digits: str) -> int:
    """The number; one that no size reaches for what has too many digits."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _joined(ranges: list[Range]) -> tuple[Range, ...]:
    """Those that overlap or nearly touch made one, the rest in the order in which they
    were asked for."""
    joined: list[tuple[int, Range]] = []
    for place, one in sorted(enumerate(ranges), key=lambda pair: pair[1].start):
        if joined and one.start <= joined[-1][1].end + GAP_OCTETS:
            first, last = joined[-1]
            joined[-1] = (
                min(first, place),
                Range(last.start, max(last.end, one.end)),
            )
        else:
            joined.append((place, one))
    return tuple(one for _, one in sorted(joined, key=lambda pair: pair[0]))


def multipart(
    ranges: tuple[Range, ...],
    size: int,
    media_type: str,
    piece_of: Callable[[Range], Piece],
) -> tuple[str, tuple[Piece, ...]]:
    """Media type and content of a response with several ranges (RFC 9110 14.6)."""
    boundary = token_hex(16)
    pieces: list[Piece] = []
    for one in ranges:
        lines = [f"\r\n--{boundary}" if pieces else f"--{boundary}"]
        # RFC 9110 15.3.7.2: each part says of which type the whole is.
        lines += [f"Content-Type: {media_type}"] if media_type else []
        lines += [f"Content-Range: {one.field(size)}", "", ""]
        pieces += ["\r\n".join(lines).encode("latin-1"), piece_of(one)]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/byteranges; boundary={boundary}", tuple(pieces)
