"""What is particular to one zone: where it comes from, and who may have it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

_PRIMARY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%a-z]+)\]|(?P<host>[^\s@\[\]]+?))(?:@(?P<port>\d{1,5}))?"
)


@frozen
class Peer:
    """Another name server, as it is written: ``192.0.2.1``, ``192.0.2.1@5353``,
    ``192.0.2.1 key=NAME tls=ns1.example.net``."""

    address: str
    port: int = 0
    """0: 53, or 853 with TLS."""
    key: str = ""
    """The name of the TSIG key for what is sent there; empty: unsigned."""
    tls: str = ""
    """The name in its certificate; ``*``: any certificate; empty: no TLS."""

    @classmethod
    def parse(cls, text: str) -> Peer:
        """ValueError says what is wrong."""
        where, *more = text.split()
        match = _PRIMARY.fullmatch(where)
        if match is None:
            raise ValueError(f"{where!r} is no address such as 192.0.2.1@53")
        fields: dict[str, Any] = {}
        for word in more:
            name, equals, value = word.partition("=")
            if name not in ("key", "tls") or not equals or not value:
                raise ValueError(f"{word!r} is neither key=NAME nor tls=NAME")
            fields[name] = value
        port = int(match["port"] or 0)
        if port > 0xFFFF:
            raise ValueError(f"{port} is no port")
        return cls(match["v6"] or match["host"], port, **fields)

    def __str__(self) -> str:
        words = [f"[{self.address}]" if ":" in self.address else self.address]
        if self.port:
            words[0] += f"@{self.port}"
        words += [f"key={self.key}"] if self.key else []
        words += [f"tls={self.tls}"] if self.tls else []
        return " ".join(words)


@frozen
class ZoneOptions:
    """The options of one zone; those that are empty fall back to the server's."""

    primaries: tuple[str, ...] = ()
    """Peers from which the zone is transferred, best first: it is a secondary here."""
    notify: tuple[str, ...] = ()
    """Peers that are told about changes beside the zone's own name servers."""
    allow_query: tuple[str, ...] = ()
    """Access list: who gets answers."""
    allow_transfer: tuple[str, ...] = ()
    """Access list: who may have the whole zone."""
    allow_notify: tuple[str, ...] = ()
    """Access list: who beside the primaries may say that the zone has changed."""
    allow_update: tuple[str, ...] = ()
    """Access list: who may change anything in the zone; narrower rights are grants."""
    catalog: str = ""
    """The catalog zone that lists this zone (producer), or whose member it is."""
    is_catalog: bool = False
    """Whether this zone is itself a catalog (RFC 9432)."""
    member: str = ""
    """The label that the catalog has for it; another one means: begin anew."""
    groups: tuple[str, ...] = ()
    """What the catalog says of how to treat it."""

    def to_json(self) -> Mapping[str, Any]:
        """What differs from the defaults."""
        return {
            name: value
            for name, value in attrs.asdict(self).items()
            if value not in ((), "", False)
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ZoneOptions:
        """TypeError for a field that there is not."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(**values)


NO_OPTIONS = ZoneOptions()
