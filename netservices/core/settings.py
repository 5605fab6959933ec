"""Settings as frozen attrs classes: one ``setting()`` a line is option, default and
manual.

A settings class is the single source of an option's name, type, default, limits and
help text; the TOML reader, ``--set``, ``etc/netservices.toml`` and the manual are made
from it::

    @settings
    class ShoutSettings:
        \"\"\"Options of the shout server.\"\"\"

        longest_line: Size = setting("64K", "A longer line is refused.")
        patience: Duration = setting("30s", "How long a silent client may stay.")

Written forms: durations ``30s 5m 2h 7d`` (or seconds), sizes ``64K 10M 5G`` (powers of
1024, or octets), port ranges ``50000-50099``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, TypeVar, cast, get_type_hints

import attrs
from attrs import frozen

from netservices.core.fieldwise import Fieldwise

C = TypeVar("C")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d+)([KMGT]?)(?:i?B)?", re.IGNORECASE)
_POWERS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Duration(float):
    """Seconds; written ``250ms``, ``30s``, ``5m``, ``1h30m``, ``2d``, ``1w``."""

    @classmethod
    def parse(cls, written: str | int | float) -> Duration:
        """The duration that ``written`` says; raises ``ValueError``."""
        if isinstance(written, bool):
            raise ValueError("a duration such as 30s, 5m or 2d is wanted")
        if isinstance(written, int | float):
            return cls._finite(written)
        text = written.strip()
        pairs = _DURATION.findall(text)
        if not pairs or "".join(n + unit for n, unit in pairs) != text:
            raise ValueError("a duration such as 30s, 5m or 2d is wanted")
        return cls._finite(sum(float(n) * _SECONDS[unit] for n, unit in pairs))

    @classmethod
    def _finite(cls, seconds: float) -> Duration:
        if not isfinite(seconds):
            raise ValueError("a duration has an end")
        return cls(seconds)

    def __str__(self) -> str:
        seconds = float(self)
        for unit, length in (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60)):
            if seconds and seconds % length == 0:
                return f"{int(seconds // length)}{unit}"
        if seconds == int(seconds):
            return f"{int(seconds)}s"
        return f"{round(seconds * 1000)}ms"


class Size(int):
    """Octets; written ``512``, ``64K``, ``10M``, ``5G`` (powers of 1024)."""

    @classmethod
    def parse(cls, written: str | int) -> Size:
        """The size that ``written`` says; raises ``ValueError``."""
        if isinstance(written, int) and not isinstance(written, bool):
            return cls(written)
        match = _SIZE.fullmatch(str(written).strip())
        if match is None or isinstance(written, bool):
            raise ValueError("a size such as 512, 64K, 10M or 5G is wanted")
        return cls(int(match[1]) * _POWERS[match[2].upper()])

    def __str__(self) -> str:
        for unit in "TGMK":
            if self and self % _POWERS[unit] == 0:
                return f"{self // _POWERS[unit]}{unit}"
        return str(int(self))


@frozen
class PortRange:
    """Ports ``first`` to ``last``, both included; written ``50000-50099`` or
    ``50000``."""

    first: int
    last: int

    @classmethod
    def parse(cls, written: str | int) -> PortRange:
        """The range that ``written`` says; raises ``ValueError``."""
        first, _, last = str(written).partition("-")
        try:
            found = cls(int(first), int(last or first))
        except ValueError:
            raise ValueError("a port range such as 50000-50099 is wanted") from None
        if not 0 <= found.first <= found.last <= 65535:
            raise ValueError("ports lie between 0 and 65535, the lower one first")
        return found

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last}"


@frozen
class Setting:
    """One option as the manual shows it: key, type, written default and help text."""

    key: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    check: Callable[[Any], object] | None = None
    is_live: bool = False
    """Whether a reload lets it change while the server runs."""


def setting(
    default: Any,
    help: str,  # noqa: A002
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    check: Callable[[Any], object] | None = None,
    is_live: bool = False,
) -> Any:
    """A field of a settings class; ``default`` is given as a person would write it.

    ``check`` is called with each value that somebody wrote (with each element of a
    list); its ``ValueError`` says what is wanted.  ``is_live``: ``Server.reconfigure``
    is told of a new value.  A ``secret`` does not print.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "secret": secret,
        "check": check,
        "is_live": is_live,
        "written": default,
    }
    if isinstance(default, list):
        return attrs.field(
            factory=lambda: tuple(default), repr=not secret, metadata=metadata
        )
    return attrs.field(default=default, repr=not secret, metadata=metadata)


def _parse_defaults(cls: type, fields: list[Any]) -> list[Any]:
    """Turn annotations into types, and written defaults into values: ``"5m"`` of a
    ``Duration`` becomes 300.0."""
    hints = get_type_hints(cls)
    changed = []
    for field in fields:
        kind = hints[field.name]
        default = field.default
        parse: Callable[[Any], Any] | None = getattr(kind, "parse", None)
        if parse is not None and isinstance(default, str | int | float):
            default = parse(default)
        changed.append(field.evolve(default=default, type=kind))
    return changed


def settings(cls: type[C]) -> type[C]:
    """Class decorator: a frozen attrs class whose fields are ``setting()`` lines.

    Every field has a default, so ``ShoutSettings()`` is complete;
    ``with_values(ShoutSettings, patience=Duration(5))`` changes some.
    """
    made: Any = attrs.frozen(
        cls, field_transformer=_parse_defaults, repr=False, eq=False
    )
    made.__repr__ = Fieldwise.__repr__
    made.__eq__ = Fieldwise.__eq__
    made.__hash__ = Fieldwise.__hash__
    return cast(type[C], made)


def with_values(cls: type[C], **values: Any) -> C:
    """An instance of a settings class with some values other than the defaults."""
    make: Callable[..., C] = cls
    return make(**values)


def settings_of(cls: type) -> tuple[Setting, ...]:
    """Every option of a settings class, in the order in which it was written."""
    return tuple(
        Setting(
            key=field.name,
            type=field.type,
            default=field.metadata["written"],
            help=field.metadata["help"],
            minimum=field.metadata["minimum"],
            maximum=field.metadata["maximum"],
            choices=field.metadata["choices"],
            secret=field.metadata["secret"],
            check=field.metadata["check"],
            is_live=field.metadata["is_live"],
        )
        for field in attrs.fields(cls)
    )
