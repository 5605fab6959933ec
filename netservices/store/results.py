"""The results of a unit as text, so that a retry by token can answer with them."""

from __future__ import annotations

import json
from typing import Any

from attrs import astuple

from netservices.values import Lease


def pack_results(results: tuple[Any, ...]) -> str:
    """Results as JSON; tuples, octets and leases are one-member objects."""
    return json.dumps(_packed(results))


def unpack_results(text: str) -> tuple[Any, ...]:
    """The results that ``pack_results`` packed."""
    return tuple(_unpacked(json.loads(text)))


def _packed(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [_packed(item) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, Lease):
        return {"lease": astuple(value)}
    raise TypeError(f"a result cannot be a {type(value).__name__}")


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(_unpacked(item) for item in content)
    return bytes.fromhex(content) if kind == "bytes" else Lease(*content)
