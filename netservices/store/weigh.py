"""How many octets a unit holds, roughly: what the limits of queue and group count.

Every unit is weighed in the reactor thread, so this is written for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from netservices.units import Unit

_EACH = 64
_SAMPLE = 100

_parts: dict[type, Callable[[Any], Any] | None] = {}
"""For each class of operation or value, what takes its fields out."""


def octets_of(unit: Unit) -> int:
    """The size of a unit in memory; of a long tuple, its beginning is weighed."""
    total = _EACH
    for operation in unit.operations:
        total += _weigh(operation)
    return total


def _weigh(thing: Any) -> int:
    """The octets of an object with fields, or 0 for one without."""
    kind = type(thing)
    try:
        fields = _parts[kind]
    except KeyError:
        # Two names at least, so that the getter makes a tuple.
        names = getattr(kind, "__match_args__", ())
        fields = _parts[kind] = attrgetter(*names, "__class__") if names else None
    return 0 if fields is None else _EACH + _sum(fields(thing))


def _sum(values: tuple[Any, ...]) -> int:
    total = 0
    for value in values:
        kind = type(value)
        if kind is bytes or kind is str:
            total += len(value)
        elif kind is tuple:
            if len(value) > _SAMPLE:
                total += _sum(value[:_SAMPLE]) * len(value) // _SAMPLE
            elif value:
                total += _sum(value)
        elif kind is not int and kind is not bool and value is not None:
            total += _weigh(value)
    return total
