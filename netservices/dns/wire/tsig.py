"""TSIG (RFC 8945): keys, and the records that sign messages with them."""

from __future__ import annotations

import struct

from attrs import field, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.names import fold, read_name

_FIXED = struct.Struct(">HHIH")
_TIME_AND_SIZE = struct.Struct(">HIHH")
_TAIL = struct.Struct(">HHH")


@frozen
class Key:
    """A secret that two servers share, or a server and somebody who updates it."""

    name: bytes
    """Folded."""
    algorithm: bytes
    """Folded name of the algorithm, as ``hmac-sha256.``; RFC 8945 6."""
    secret: bytes = field(repr=False)
    account: str = ""
    """The account that uses it and whose rights it has too; empty: nobody's."""


def unknown_key(data: bytes, start: int) -> bytes:
    """The record that answers the TSIG at ``start``, the last one of ``data``:
    unsigned, with BADKEY (RFC 8945 5.2.1, 5.3.2).  SyntaxProblem."""
    key, position = read_name(data, start)
    _, class_, ttl, length = _FIXED.unpack_from(data, position)
    position += _FIXED.size
    end = position + length
    algorithm, position = read_name(data, position)
    # RFC 8945 4.2
    if class_ != Class.ANY or ttl or end != len(data) or position + 10 > end:
        raise SyntaxProblem("a malformed TSIG")
    high, low, fudge, mac_octets = _TIME_AND_SIZE.unpack_from(data, position)
    position += _TIME_AND_SIZE.size + mac_octets
    if position + _TAIL.size > end:
        raise SyntaxProblem("a malformed TSIG")
    id_, _, other_octets = _TAIL.unpack_from(data, position)
    if position + _TAIL.size + other_octets != end:
        raise SyntaxProblem("a malformed TSIG")
    rdata = fold(algorithm) + _TIME_AND_SIZE.pack(high, low, fudge, 0)
    rdata += _TAIL.pack(id_, Rcode.BADKEY, 0)
    return key + _FIXED.pack(Type.TSIG, Class.ANY, 0, len(rdata)) + rdata
