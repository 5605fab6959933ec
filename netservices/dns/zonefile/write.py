"""Zones out to master files: canonical, sorted, absolute; any server reads them."""

from __future__ import annotations

from collections.abc import Iterable

from netservices.dns.wire.codes import Type, type_name
from netservices.dns.wire.names import canonical_key, name_text
from netservices.dns.zone.overlay import split_overlay
from netservices.dns.zonefile.texts import rdata_text
from netservices.values import RRset, Zone


def record_text(rrset: RRset, rdata: bytes) -> str:
    """One record as a line, without its end."""
    owner, type_ = name_text(rrset.owner), type_name(rrset.type)
    return f"{owner} {rrset.ttl} IN {type_} {rdata_text(rrset.type, rdata)}".rstrip()


def write_rrsets(rrsets: Iterable[RRset]) -> str:
    """Lines in canonical order (RFC 4034 6), the SOA first of all."""
    ordered = sorted(
        rrsets,
        key=lambda rrset: (
            rrset.type != Type.SOA,
            canonical_key(rrset.owner),
            rrset.type,
        ),
    )
    lines = [
        record_text(rrset, rdata) for rrset in ordered for rdata in sorted(rrset.rdatas)
    ]
    return "".join(line + "\n" for line in lines)


def write_zone(zone: Zone) -> str:
    """The whole zone as a master file."""
    info = zone.info
    overlay = split_overlay(info.name)
    if overlay is None:
        head = f"; {name_text(info.name)} serial {info.serial}"
    else:
        head = f"; {name_text(overlay[1])} view {overlay[0]}"
    head += f" revision {info.revision}\n"
    return head + write_rrsets(zone.rrsets)
