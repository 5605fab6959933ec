"""Serial numbers, of zones and of seconds: the circle of RFC 1982."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_HALF = 0x80000000
_FIRST_DATE, _LAST_DATE = 19700101, 42000101


def is_newer_serial(serial: int, than: int) -> bool:
    """Whether ``serial`` comes after ``than``; RFC 1982 3.2."""
    return serial != than and (serial - than & _MASK) < _HALF


def serial_distance(serial: int, start: int) -> int:
    """How far ``serial`` is beyond ``start``, below 0 where it comes before."""
    return (serial - start + _HALF & _MASK) - _HALF


def next_serial(serial: int, today: int | None = None) -> int:
    """A serial that is newer: of the form YYYYMMDDnn where the old one is and
    ``today`` (20261121) is given, else one more (RFC 1982 3.1), never 0."""
    following = (serial + 1 & _MASK) or 1
    if today is not None and _FIRST_DATE <= serial // 100 < _LAST_DATE:
        dated = today * 100
        if is_newer_serial(dated, serial):
            return dated
    return following
