"""What a client wants to get (RFC 9110 12)."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_ELEMENTS = 50
"""Elements of a field that are looked at."""


def weights(value: str) -> list[tuple[str, float]]:
    """The elements of ``Accept`` or its like with their weights, in their order; in
    lower case, other parameters left out.  What is no weight counts as 0."""
    found = []
    for element in value.lower().split(",")[:_MOST_ELEMENTS]:
        name, *parameters = (part.strip(" \t") for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        if name:
            found.append((name, weight))
    return found


def _weight(text: str) -> float:
    """RFC 9110 12.4.2: 0 to 1 with at most three digits."""
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(text) > 5:
        return 0.0
    return min(float(text), 1.0)


def best_type(accept: str, offered: Sequence[str]) -> str:
    """The media type of ``offered`` that is wanted most; of equals the first one, and
    the very first where none is wanted: an error is told in any case."""
    if not accept:
        return offered[0]
    wanted = weights(accept)
    best, best_weight = offered[0], 0.0
    for kind in offered:
        weight = _weight_of(kind, wanted)
        if weight > best_weight:
            best, best_weight = kind, weight
    return best


def _weight_of(kind: str, wanted: list[tuple[str, float]]) -> float:
    """RFC 9110 12.5.1: the most specific range that matches counts."""
    for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        for found, weight in wanted:
            if found == name:
                return weight
    return 0.0
