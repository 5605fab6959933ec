"""``$GENERATE`` (BIND's): one template, many records."""

from __future__ import annotations

import re

MAX_GENERATED = 65536
_MAX_WIDTH = 127
_RANGE = re.compile(r"(\d{1,10})-(\d{1,10})(?:/(\d{1,10}))?")
_PLACE = re.compile(
    r"\\.|\$\$|\$\{([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?\}|\$(?!\{)"
)


def parse_range(word: str) -> tuple[int, int, int]:
    """First, last and step of ``1-254`` or ``0-100/10``.  ValueError."""
    match = _RANGE.fullmatch(word)
    if match is None:
        raise ValueError(f"{word!r} is no range such as 1-254 or 0-100/10")
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first or not step:
        raise ValueError(f"the range {word} is empty")
    if (last - first) // step >= MAX_GENERATED:
        raise ValueError(f"$GENERATE makes more than {MAX_GENERATED} records")
    return first, last, step


def expand(template: str, number: int) -> str:
    """``$`` and ``${offset,width,base}`` replaced by the number; ``$$`` is a dollar.
    ValueError."""

    def replace(match: re.Match[str]) -> str:
        found = match[0]
        if found[0] == "\\":
            return "$" if found == "\\$" else found
        if found == "$$":
            return "$"
        return _number_text(
            number + int(match[1] or 0), int(match[2] or 0), match[3] or "d"
        )

    if "${" in _PLACE.sub("", template):
        raise ValueError(f"{template!r} has a bad ${{offset,width,base}}")
    return _PLACE.sub(replace, template)


def _number_text(value: int, width: int, base: str) -> str:
    if width > _MAX_WIDTH:
        raise ValueError(f"a width of more than {_MAX_WIDTH}")
    if base not in "nN":
        return format(value, base).zfill(width)
    if value < 0:
        raise ValueError("a negative number has no nibbles")
    digits = format(value, "x" if base == "n" else "X")[::-1]
    # BIND counts the dots into the width.
    return ".".join(digits.ljust((width + 1) // 2, "0"))
