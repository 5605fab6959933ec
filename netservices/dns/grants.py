"""Grants: who may change which records by dynamic update.

A grant has a holder, a pattern of names, types of records, and perhaps one zone.

The holder is ``key:NAME``, whoever signs with that key, or ``account:LOGIN``, whoever
signs with a key of that account.  The pattern is one of

- ``www.example.org``: that name alone;
- ``*.example.org``: every name below it, at any depth; ``*``: every name;
- ``_acme-challenge.*``: every name that begins with that label, and
  ``_acme-challenge.*.example.org`` those of them at or below ``example.org``;
- ``self``: the name of the key.

Without types, all are meant but those that hold a zone together (``GUARDED``), which
have to be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from netservices.dns.wire.codes import Type, type_name, type_number
from netservices.dns.wire.names import (
    ROOT,
    fold,
    is_below,
    name_text,
    parse_name,
)
from netservices.dns.wire.tsig import Key

SELF = "self"
MAX_PATTERN_TYPES = 64
GUARDED = frozenset(
    (
        Type.SOA,
        Type.NS,
        Type.DS,
        Type.DNSKEY,
        Type.CDS,
        Type.CDNSKEY,
        Type.CSYNC,
        Type.RRSIG,
        Type.NSEC,
        Type.NSEC3,
        Type.NSEC3PARAM,
        Type.ZONEMD,
        Type.DNAME,
        Type.ALIAS,
        Type.HIDE,
    )
)
"""Types with which one could take a zone over, or break it: only by name."""

_STAR = re.compile(r"(?<!\\)\.\*(?:\.|\Z)")


@frozen
class Pattern:
    """Which names are meant; ``first`` and ``last`` labels, and any between them where
    ``is_open``."""

    first: bytes
    """Labels in wire format, without the root."""
    last: bytes
    """A folded name."""
    is_open: bool = True
    is_self: bool = False

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """ValueError says what is wrong."""
        if not text:
            raise ValueError("a pattern of names is wanted; * means all")
        if text.lower() == SELF:
            return cls(b"", ROOT, is_open=False, is_self=True)
        if text == "*":
            return cls(b"", ROOT)
        if text.startswith("*."):
            return cls(b"", cls._part(text[2:]))
        star = _STAR.search(text)
        if star is None:
            return cls(b"", cls._part(text), is_open=False)
        rest = text[star.end() :]
        last = cls._part(rest) if rest else ROOT
        return cls(cls._part(text[: star.start()])[:-1], last)

    @staticmethod
    def _part(text: str) -> bytes:
        if "*" in text.replace("\\*", ""):
            raise ValueError("a pattern has one * at most, and that is a whole label")
        return fold(parse_name(text))

    def __str__(self) -> str:
        if self.is_self:
            return SELF
        first, last = _part_text(self.first + ROOT), _part_text(self.last)
        if not self.is_open:
            return last or "."
        return ".".join(part for part in (first, "*", last) if part)

    def fits(self, owner: bytes, key: Key) -> bool:
        """Whether a folded name is meant, in a request that is signed with ``key``."""
        if self.is_self:
            return owner == key.name
        if not self.is_open:
            return owner == self.last
        if not is_below(owner, self.last):
            return False
        if not self.first:
            return owner != self.last or self.last == ROOT
        # Labels begin with their length, so equal octets are equal labels.
        return owner.startswith(self.first) and len(self.first) + len(self.last) <= len(
            owner
        )


def _part_text(name: bytes) -> str:
    return name_text(name).removesuffix(".").replace("*", "\\*")


@frozen
class Grant:
    """A right to change records."""

    holder: str
    """``key:NAME`` or ``account:LOGIN``."""
    pattern: Pattern
    types: tuple[int, ...] = ()
    """Empty: all but ``GUARDED``."""
    zone: bytes = b""
    """The folded name of the only zone; empty: any."""
    _key: bytes = field(init=False, eq=False, repr=False)
    _login: str = field(init=False, eq=False, repr=False)

    @_key.default
    def _key_of_holder(self) -> bytes:
        kind, _, name = self.holder.partition(":")
        return fold(parse_name(name)) if kind == "key" else b""

    @_login.default
    def _login_of_holder(self) -> str:
        kind, _, login = self.holder.partition(":")
        return login.lower() if kind == "account" else ""

    def is_held_by(self, key: Key) -> bool:
        """Whether whoever signs with ``key`` has this right."""
        if self._login:
            return key.account.lower() == self._login
        return key.name == self._key

    def allows_name(self, key: Key, zone: bytes, owner: bytes) -> bool:
        """Whether anything of that folded name may be changed."""
        return (
            self.is_held_by(key)
            and self.zone in (b"", zone)
            and self.pattern.fits(owner, key)
        )

    def allows_type(self, type_: int) -> bool:
        """Whether the type is meant."""
        return type_ in self.types if self.types else type_ not in GUARDED

    def allows(self, key: Key, zone: bytes, owner: bytes, type_: int) -> bool:
        """Whether records of that folded name and type may be changed."""
        return self.allows_type(type_) and self.allows_name(key, zone, owner)

    @property
    def types_text(self) -> str:
        """The types, as people write them."""
        return ",".join(type_name(type_) for type_ in self.types) or "any"

    def to_json(self) -> Mapping[str, Any]:
        """What the store keeps."""
        return {
            "holder": self.holder,
            "names": str(self.pattern),
            "types": self.types_text,
            "zone": name_text(self.zone) if self.zone else "",
        }

    @property
    def id(self) -> bytes:
        """What tells it from others."""
        fields = self.to_json()
        return "|".join(fields[name] for name in sorted(fields)).encode()


def make_grant(holder: str, names: str, types: str = "any", zone: str = "") -> Grant:
    """A grant as people write it.  ValueError says what is wrong."""
    kind, _, name = holder.partition(":")
    if kind == "key" and name:
        holder = "key:" + name_text(fold(parse_name(name)))
    elif kind != "account" or not name:
        raise ValueError(f"{holder!r} is neither key:NAME nor account:LOGIN")
    pattern = Pattern.parse(names)
    apex = fold(parse_name(zone)) if zone else b""
    if apex and not _may_meet(pattern, apex):
        raise ValueError(f"no name of the zone {zone} is {names}")
    return Grant(holder, pattern, _types(types), apex)


def _may_meet(pattern: Pattern, apex: bytes) -> bool:
    """Whether a name can be in the zone and fit the pattern."""
    if pattern.is_self:
        return True
    if not pattern.is_open:
        return is_below(pattern.last, apex)
    return is_below(pattern.last, apex) or is_below(apex, pattern.last)


def _types(text: str) -> tuple[int, ...]:
    words = [word for word in re.split(r"[,\s]+", text) if word]
    if [word.lower() for word in words] == ["any"]:
        return ()
    if not words or len(words) > MAX_PATTERN_TYPES:
        raise ValueError("types are any, or some such as A,AAAA,TXT")
    numbers = sorted({type_number(word) for word in words})
    for number in numbers:
        if not is_data_type(number):
            raise ValueError(f"{type_name(number)} is no type of records in a zone")
    return tuple(numbers)


def is_data_type(type_: int) -> bool:
    """Whether records of that type can be in a zone; RFC 6895 3.1."""
    return type_ not in (0, Type.OPT) and not 128 <= type_ <= 255


class Rights:
    """What a client may change in a zone: anything, or what it was granted."""

    def __init__(
        self, key: Key | None, zone: bytes, grants: Iterable[Grant] | None = None
    ) -> None:
        """Without ``grants`` it may change anything."""
        self._key = key
        self._zone = zone
        self._grants = None if grants is None else tuple(grants)

    def may_change(self, owner: bytes, type_: int) -> bool:
        """Whether records of that folded name and type may be changed."""
        return self._grants is None or any(
            self._key is not None and grant.allows(self._key, self._zone, owner, type_)
            for grant in self._grants
        )

    def may_clear(self, owner: bytes) -> bool:
        """Whether all records of a folded name may go, as far as it depends on the
        name; ``may_change`` knows of the types that it has."""
        return self._grants is None or any(
            self._key is not None and grant.allows_name(self._key, self._zone, owner)
            for grant in self._grants
        )


class Grants:
    """All grants, ready to be asked."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._grants = tuple(grants)

    def of(self, key: Key, zone: bytes) -> tuple[Grant, ...]:
        """Those with which a signer may change something in a zone, perhaps."""
        return tuple(
            grant
            for grant in self._grants
            if grant.is_held_by(key)
            and (grant.zone == zone if grant.zone else _may_meet(grant.pattern, zone))
        )
