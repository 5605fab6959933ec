"""Rules for load distribution, as they are written::

    www.example.org weight=192.0.2.1:3,192.0.2.2,[2001:db8::1]:0
        mode=sticky answers=1 ttl=30
        check=https:443/health status=200 text="all is well" interval=10s

A word with spaces stands in quotes.
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from attrs import evolve, fields, frozen

from netservices.core.settings import Duration
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, name_text, parse_name

MAX_WEIGHT = 1_000_000
MAX_WEIGHTS = 1000
MAX_ANSWERS = 100
MAX_TTL = 86400
MIN_INTERVAL_SECONDS = 1.0
ADDRESSES = (int(Type.A), int(Type.AAAA))

Weights: TypeAlias = tuple[tuple[bytes, int], ...]

_HTTP_FIELDS = frozenset(("host", "status", "text", "verify"))
_CHECK = re.compile(r"(tcp|https?)(?::(\d{1,5}))?(/\S*)?")
_PORTS = {"http": 80, "https": 443}
_WEIGHT = re.compile(
    r"(?:\[(?P<v6>[^]]*)\]|(?P<v4>[^\[\]:]*))(?::(?P<weight>\d{1,7}))?"
)
_PLAIN = re.compile(r"[A-Za-z0-9=.,:/\[\]_-]+")
_STATUS = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")


class Mode(Enum):
    """How records are picked."""

    WEIGHTED = "weighted"
    """By chance, in proportion to the weights."""
    CYCLIC = "cyclic"
    """In turn, each as often as its weight says."""
    STICKY = "sticky"
    """The same ones for the same network of clients."""
    FAILOVER = "failover"
    """The first in the written order that are in service."""


@frozen(cache_hash=True)
class Check:
    """What an address must do to be in service."""

    kind: str
    """``tcp``: take a connection; ``http``, ``https``: answer a GET."""
    port: int
    path: str = "/"
    host: str = ""
    """For Host and the certificate; empty: the name of the rule."""
    status: tuple[int, int] = (200, 399)
    """The lowest and the highest status that is good."""
    text: str = ""
    """What the answer must contain."""
    verify: bool = True
    """Whether the certificate must be good for ``host``."""
    interval: Duration = Duration(10)
    timeout: Duration = Duration(3)
    rise: int = 2
    """Good results in a row after which an address is in service again."""
    fall: int = 3
    """Bad results in a row after which it is not any more."""

    def __str__(self) -> str:
        words = [f"check={self.kind}:{self.port}{self.path if self.is_http else ''}"]
        words += _written(self, _CHECK_OPTIONS)
        return " ".join(map(_quoted, words))

    @property
    def is_http(self) -> bool:
        """Whether a request is sent."""
        return self.kind != "tcp"


@frozen
class BalanceRule:
    """How the records of one name are given out."""

    name: bytes
    """The owner, folded."""
    types: tuple[int, ...] = ADDRESSES
    mode: Mode = Mode.WEIGHTED
    weights: Weights = ()
    """RDATA and weight, 0 for a backup; records that are not here have weight 1."""
    answers: int = 1
    """How many records an answer holds; 0: all that are in service."""
    ttl: int = 30
    """The TTL of answers, at most, in seconds."""
    check: Check | None = None

    @classmethod
    def parse(cls, text: str) -> BalanceRule:
        """ValueError says what is wrong."""
        words = shlex.split(text)
        if not words or "=" in words[0]:
            raise ValueError("a rule begins with a name such as www.example.org")
        written: dict[str, str] = {}
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if not equals or name in written or not value:
                raise ValueError(f"{word!r} is no option=value, or there twice")
            written[name] = value
        owner = fold(parse_name(words[0]))
        check = _parse_check(written)
        options = _parse_options(written, _RULE_OPTIONS)
        for name in written:
            reason = (
                "goes with check= alone" if name in _CHECK_OPTIONS else "is unknown"
            )
            raise ValueError(f"{name}= {reason}")
        return cls(owner, check=check, **options)

    def __str__(self) -> str:
        words = [name_text(self.name).removesuffix(".") or "."]
        words += _written(self, _RULE_OPTIONS)
        text = " ".join(map(_quoted, words))
        return text if self.check is None else f"{text} {self.check}"


@frozen
class Option:
    """How a field is read and written."""

    field: str
    read: Callable[[str], Any]
    """ValueError says what is wanted."""
    write: Callable[[Any], str] = str


def _written(thing: BalanceRule | Check, options: Mapping[str, Option]) -> list[str]:
    """The options of which the values are not the default."""
    defaults = {field.name: field.default for field in fields(type(thing))}
    values = {name: getattr(thing, option.field) for name, option in options.items()}
    return [
        f"{name}={options[name].write(value)}"
        for name, value in values.items()
        if value != defaults[options[name].field]
    ]


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def _parse_options(
    written: dict[str, str], options: Mapping[str, Option]
) -> dict[str, Any]:
    """The fields for which there are options, which are taken out of ``written``."""
    found = {}
    for name, option in options.items():
        text = written.pop(name, None)
        if text is not None:
            try:
                found[option.field] = option.read(text)
            except ValueError as problem:
                raise ValueError(f"{name}={text}: {problem}") from None
    return found


def _parse_check(written: dict[str, str]) -> Check | None:
    text = written.pop("check", None)
    if text is None:
        return None
    match = _CHECK.fullmatch(text)
    if match is None:
        raise ValueError(f"check={text}: tcp:80 or https:443/path is wanted")
    kind, path = match[1], match[3]
    port = int(match[2] or _PORTS.get(kind, 0))
    if not 0 < port < 65536:
        raise ValueError(f"check={text}: a port is wanted, as in tcp:80")
    if path is not None and (kind == "tcp" or not path.isascii()):
        raise ValueError(f"check={text}: this cannot have such a path")
    options = _parse_options(written, _CHECK_OPTIONS)
    check = evolve(Check(kind, port, path or "/"), **options)
    if "timeout" not in options:
        check = evolve(check, timeout=min(check.timeout, check.interval))
    needless = [name for name in options if name in _HTTP_FIELDS]
    if needless and not check.is_http:
        raise ValueError(f"{needless[0]}= goes with a check of http or https")
    if check.interval < MIN_INTERVAL_SECONDS or not 0 < check.timeout <= check.interval:
        raise ValueError("interval= is a second at least, timeout= not longer than it")
    return check


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"a number from {lowest} to {highest} is wanted")
        return int(text)

    return read


def _read_answers(text: str) -> int:
    return 0 if text == "all" else _number(1, MAX_ANSWERS)(text)


def _read_mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        modes = ", ".join(mode.value for mode in Mode)
        raise ValueError(f"one of {modes} is wanted") from None


def _read_types(text: str) -> tuple[int, ...]:
    types = {"A": ADDRESSES[:1], "AAAA": ADDRESSES[1:], "A,AAAA": ADDRESSES}
    found = types.get(text.upper())
    if found is None:
        raise ValueError("A, AAAA or A,AAAA is wanted")
    return found


def _write_types(types: tuple[int, ...]) -> str:
    return ",".join(Type(number).name for number in types)


def _read_weights(text: str) -> Weights:
    weights: dict[bytes, int] = {}
    for word in text.split(","):
        match = _WEIGHT.fullmatch(word)
        rdata = _address(match["v6"] or match["v4"] or "") if match else None
        if match is None or rdata is None:
            raise ValueError(f"{word!r} is not as 192.0.2.1:3 or [2001:db8::1]:3")
        if rdata in weights:
            raise ValueError(f"{word!r} is there twice")
        weights[rdata] = int(match["weight"] or 1)
        if weights[rdata] > MAX_WEIGHT:
            raise ValueError(f"{word!r}: a weight is at most {MAX_WEIGHT}")
    if len(weights) > MAX_WEIGHTS:
        raise ValueError(f"more than {MAX_WEIGHTS} addresses")
    return tuple(weights.items())


def _address(text: str) -> bytes | None:
    try:
        return socket.inet_pton(
            socket.AF_INET6 if ":" in text else socket.AF_INET, text
        )
    except (OSError, ValueError):
        return None


def address_text(rdata: bytes) -> str:
    """The address in RDATA of A or AAAA."""
    family = socket.AF_INET if len(rdata) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, rdata)


def _write_weights(weights: Weights) -> str:
    words = []
    for rdata, weight in weights:
        address = address_text(rdata)
        words.append(f"[{address}]" if ":" in address else address)
        words[-1] += "" if weight == 1 else f":{weight}"
    return ",".join(words)


def _read_status(text: str) -> tuple[int, int]:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError("200 or 200-399 is wanted")
    return int(match[1]), int(match[2] or match[1])


def _write_status(status: tuple[int, int]) -> str:
    lowest, highest = status
    return f"{lowest}-{highest}" if lowest != highest else f"{lowest}"


def _read_host(text: str) -> str:
    return name_text(parse_name(text)).removesuffix(".")


def _read_yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("yes or no is wanted")
    return text == "yes"


_RULE_OPTIONS = {
    "type": Option("types", _read_types, _write_types),
    "mode": Option("mode", _read_mode, lambda mode: str(mode.value)),
    "weight": Option("weights", _read_weights, _write_weights),
    "answers": Option("answers", _read_answers, lambda number: str(number or "all")),
    "ttl": Option("ttl", _number(0, MAX_TTL)),
}
_CHECK_OPTIONS = {
    "host": Option("host", _read_host),
    "status": Option("status", _read_status, _write_status),
    "text": Option("text", str),
    "verify": Option("verify", _read_yes, lambda value: "yes" if value else "no"),
    "interval": Option("interval", Duration.parse),
    "timeout": Option("timeout", Duration.parse),
    "rise": Option("rise", _number(1, 100)),
    "fall": Option("fall", _number(1, 100)),
}
