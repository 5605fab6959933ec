"""Which content coding a client gets (RFC 9110 12.5.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from attrs import frozen

from netservices.web.accept import weights
from netservices.web.fields import Fields

IDENTITY = "identity"
_LONGEST_KEPT = 256
_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}


@frozen
class Codings:
    """What a client takes."""

    named: Mapping[str, float]
    others: float
    identity: float

    def weight(self, coding: str) -> float:
        """0 where it is not acceptable."""
        return self.named.get(coding, self.others)

    def best(self, offered: Iterable[str]) -> str | None:
        """The coding of ``offered`` to send, the first one of equals; empty: as it is;
        None: nothing of that is acceptable."""
        found, most = None, 0.0
        for coding in offered:
            weight = self.weight(coding)
            if weight > most:
                found, most = coding, weight
        if found is not None and most >= self.identity:
            return found
        return "" if self.identity else found


@lru_cache(maxsize=512)
def _codings(written: str) -> Codings:
    # RFC 9110 8.4.1: the names with "x-" are other names of the same.
    named = {_ALIASES.get(name, name): weight for name, weight in weights(written)}
    others = named.pop("*", 0.0)
    # RFC 9110 12.5.3: as it is, it is acceptable unless that is excluded; nobody who
    # names codings and not this one prefers it.
    is_excluded = IDENTITY not in named and "*" in written and not others
    identity = named.pop(IDENTITY, 0.0 if is_excluded else 0.0005)
    return Codings(MappingProxyType(named), others, identity)


ANYTHING = Codings(MappingProxyType({}), 0.0, 1.0)
"""Of a client that does not say: as it is, since most programs that do not say cannot
decode."""


def codings_of(fields: Fields) -> Codings:
    """What the client says that it takes."""
    if "accept-encoding" not in fields:
        return ANYTHING
    written = fields.get("accept-encoding")
    # What no browser sends is not worth the memory.
    is_usual = len(written) <= _LONGEST_KEPT
    return _codings(written) if is_usual else _codings.__wrapped__(written)
