"""RRsets as octets: how rows and the journal hold them.

An RRset is packed as its owner (one octet of length), type, TTL, the number of its
RDATAs, and each RDATA after its length in two octets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from netservices.values import RRset

_HEAD = struct.Struct("!HIH")
_LENGTH = struct.Struct("!H")
_SERIAL = struct.Struct("!I")

SOA = 6


def pack_rdatas(rdatas: Iterable[bytes]) -> bytes:
    """RDATAs one after the other, each after its length."""
    return b"".join(_LENGTH.pack(len(rdata)) + rdata for rdata in rdatas)


def unpack_rdatas(packed: bytes) -> tuple[bytes, ...]:
    """The RDATAs that ``pack_rdatas`` packed."""
    # Most RRsets have one record.
    if len(packed) > 2 and len(packed) == 2 + (packed[0] << 8 | packed[1]):
        return (packed[2:],)
    found, at = [], 0
    while at < len(packed):
        (length,) = _LENGTH.unpack_from(packed, at)
        at += 2
        found.append(packed[at : at + length])
        at += length
    return tuple(found)


def pack_rrsets(rrsets: Iterable[RRset]) -> bytes:
    """RRsets one after the other."""
    return b"".join(
        bytes((len(rrset.owner),))
        + rrset.owner
        + _HEAD.pack(rrset.type, rrset.ttl, len(rrset.rdatas))
        + pack_rdatas(rrset.rdatas)
        for rrset in rrsets
    )


def unpack_rrsets(packed: bytes) -> tuple[RRset, ...]:
    """The RRsets that ``pack_rrsets`` packed."""
    return tuple(_unpack_each(packed))


def _unpack_each(packed: bytes) -> Iterator[RRset]:
    at = 0
    while at < len(packed):
        end = at + 1 + packed[at]
        owner = packed[at + 1 : end]
        type_, ttl, count = _HEAD.unpack_from(packed, end)
        at = end + _HEAD.size
        rdatas = []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(packed, at)
            rdatas.append(packed[at + 2 : at + 2 + length])
            at += 2 + length
        yield RRset(owner, type_, ttl, tuple(rdatas))


def soa_serial(rdata: bytes) -> int:
    """The serial of an SOA's RDATA (RFC 1035 3.3.13), or 0 where it is malformed."""
    at = 0
    try:
        for _ in range(2):
            while rdata[at]:
                at += 1 + rdata[at]
            at += 1
        return int(_SERIAL.unpack_from(rdata, at)[0])
    except (IndexError, struct.error):
        return 0


def name_text(name: bytes) -> str:
    """A wire-format name as text in lower case, absolute (RFC 1035 5.1)."""
    labels, at = [], 0
    while at < len(name) and name[at]:
        label = name[at + 1 : at + 1 + name[at]].lower()
        labels.append("".join(_escaped(octet) for octet in label))
        at += 1 + name[at]
    return ".".join(labels) + "."


def _escaped(octet: int) -> str:
    if octet in b'.\\"();@$':
        return "\\" + chr(octet)
    return chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03d}"
