"""Serial numbers of zones: the circle of RFC 1982."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_HALF = 0x80000000


def is_newer_serial(serial: int, than: int) -> bool:
    """Whether ``serial`` comes after ``than``; RFC 1982 3.2."""
    return serial != than and (serial - than & _MASK) < _HALF
