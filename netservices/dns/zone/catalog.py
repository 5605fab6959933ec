"""Catalog zones, version 2 (RFC 9432): zones that list zones.

A member is one PTR record below ``zones``; its label is its identity, and what the
catalog says of it stands below that label.  A catalog that breaks a rule is broken as a
whole and means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, is_below, name_text
from netservices.values import RRset

VERSION = b"\x012"
ZONES_LABEL = b"\x05zones"
VERSION_LABEL = b"\x07version"
GROUP_LABEL = b"\x05group"
COO_LABEL = b"\x03coo"


class BrokenCatalog(ValueError):
    """The zone is no catalog; ``str()`` says why."""


@frozen
class Member:
    """One zone that a catalog lists."""

    zone: bytes
    """Folded."""
    label: bytes
    """What tags it, folded, without its length."""
    groups: tuple[str, ...] = ()
    """RFC 9432 4.3.2."""
    new_catalog: bytes = b""
    """The catalog that it moves to, folded; RFC 9432 4.3.1."""

    @property
    def label_text(self) -> str:
        """The label as it is kept and shown."""
        return name_text(bytes((len(self.label),)) + self.label + b"\0").removesuffix(
            "."
        )


def read_catalog(
    apex: bytes, rrsets: Iterable[RRset], max_members: int
) -> Mapping[bytes, Member]:
    """The members by zone.  BrokenCatalog."""
    apex = fold(apex)
    base = ZONES_LABEL + apex
    at_apex: dict[int, RRset] = {}
    version: RRset | None = None
    pointers: dict[bytes, RRset] = {}
    groups: dict[bytes, RRset] = {}
    moves: dict[bytes, RRset] = {}
    for rrset in rrsets:
        owner = fold(rrset.owner)
        if owner == apex:
            at_apex[rrset.type] = rrset
        elif owner == VERSION_LABEL + apex and rrset.type == Type.TXT:
            version = rrset
        elif owner != base and is_below(owner, base):
            _sort_in(owner[: -len(base)], rrset, pointers, groups, moves)
    _check_head(at_apex, version)
    if len(pointers) > max_members:
        raise BrokenCatalog(f"more than {max_members} members")
    found: dict[bytes, Member] = {}
    for label, rrset in pointers.items():
        zone = _target(rrset)
        if zone in found:
            raise BrokenCatalog(f"two members are {name_text(zone)}")
        move = moves.get(label)
        found[zone] = Member(
            zone,
            label,
            _texts(groups.get(label)),
            b"" if move is None else _target(move),
        )
    return found


def _sort_in(
    prefix: bytes,
    rrset: RRset,
    pointers: dict[bytes, RRset],
    groups: dict[bytes, RRset],
    moves: dict[bytes, RRset],
) -> None:
    """Note what an RRset below ``zones`` says of a member; ``prefix`` is its owner up
    to there.  Properties that we do not know mean nothing (RFC 9432 4.2)."""
    first = prefix[: prefix[0] + 1]
    rest = prefix[len(first) :]
    if not rest:
        if rrset.type == Type.PTR:
            pointers[first[1:]] = rrset
    elif rest[0] + 1 == len(rest):
        label = rest[1:]
        if first == GROUP_LABEL and rrset.type == Type.TXT:
            groups[label] = rrset
        elif first == COO_LABEL and rrset.type == Type.PTR:
            moves[label] = rrset


def _check_head(at_apex: Mapping[int, RRset], version: RRset | None) -> None:
    """RFC 9432 4, 4.2.1."""
    if Type.SOA not in at_apex or Type.NS not in at_apex:
        raise BrokenCatalog("it has no SOA, or no NS")
    if version is None:
        raise BrokenCatalog("it does not say its version")
    if version.rdatas != (VERSION,):
        raise BrokenCatalog("it is not of version 2")


def _target(rrset: RRset) -> bytes:
    """RFC 9432 4.1, 4.3.1: the PTR record stands alone."""
    if len(rrset.rdatas) != 1:
        raise BrokenCatalog(f"{name_text(rrset.owner)} has several PTR records")
    return fold(rrset.rdatas[0])


def _texts(rrset: RRset | None) -> tuple[str, ...]:
    """Each TXT record as one text, its strings put together with spaces."""
    if rrset is None:
        return ()
    return tuple(sorted(" ".join(_strings(rdata)) for rdata in rrset.rdatas))


def _strings(rdata: bytes) -> Iterable[str]:
    position = 0
    while position < len(rdata):
        end = position + 1 + rdata[position]
        yield rdata[position + 1 : end].decode("ascii", "backslashreplace")
        position = end


# --- making one ---------------------------------------------------------------------


def new_catalog(apex: bytes, soa: bytes) -> tuple[RRset, ...]:
    """The RRsets of a catalog without members; ``soa`` is the RDATA of its SOA."""
    return (
        RRset(apex, Type.SOA, 3600, (soa,)),
        # RFC 9432 4: nobody asks for a catalog by way of its name servers.
        RRset(apex, Type.NS, 3600, (b"\x07invalid\0",)),
        RRset(VERSION_LABEL + apex, Type.TXT, 0, (VERSION,)),
    )


def member_rrsets(
    apex: bytes, label: bytes, zone: bytes, groups: tuple[bytes, ...] = ()
) -> tuple[RRset, ...]:
    """The RRsets that list a zone under ``label``."""
    owner = bytes((len(label),)) + label + ZONES_LABEL + apex
    pointer = RRset(owner, Type.PTR, 0, (zone,))
    if not groups:
        return (pointer,)
    rdatas = tuple(bytes((len(text),)) + text for text in groups)
    return pointer, RRset(GROUP_LABEL + owner, Type.TXT, 0, rdatas)


def member_owners(
    apex: bytes, label: bytes, rrsets: Iterable[RRset]
) -> tuple[tuple[bytes, int], ...]:
    """All that a catalog says of a member, to be removed."""
    owner = fold(bytes((len(label),)) + label + ZONES_LABEL + apex)
    return tuple(
        (rrset.owner, rrset.type)
        for rrset in rrsets
        if is_below(fold(rrset.owner), owner)
    )
