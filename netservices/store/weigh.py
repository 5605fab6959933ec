"""How many octets a unit holds, roughly: what the limits of queue and group count."""

from __future__ import annotations

from typing import Any

from netservices.units import Unit

_EACH = 64
_SAMPLE = 100


def octets_of(unit: Unit) -> int:
    """The size of a unit in memory; of a long tuple, its beginning is weighed."""
    return _EACH + sum(_weigh(operation) for operation in unit.operations)


def _weigh(value: Any) -> int:
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, tuple):
        weight = sum(_weigh(item) for item in value[:_SAMPLE])
        return weight * len(value) // min(len(value), _SAMPLE) if value else 0
    names = getattr(type(value), "__match_args__", None)
    if not names:
        return 8
    return _EACH + sum(_weigh(getattr(value, name)) for name in names)
