"""For how long caches that know nothing of DNS may keep a reply."""

from __future__ import annotations

import struct

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.names import skip_name
from netservices.dns.wire.query import HEADER_OCTETS

_COUNTS = struct.Struct(">HHH")
_FIXED = struct.Struct(">HHIH")
_MINIMUM = struct.Struct(">I")
_LASTING = frozenset((Rcode.NOERROR, Rcode.NXDOMAIN))


def fresh_seconds(reply: bytes) -> int:
    """Seconds for which a reply of ours holds; 0 where nothing says so.

    RFC 8484 5.1: the smallest TTL of the answer, or what RFC 2308 5 allows for one
    without records.
    """
    if reply[3] & 15 not in _LASTING or reply[2] & 2:
        return 0
    questions, answers, authorities = _COUNTS.unpack_from(reply, 4)
    try:
        position = HEADER_OCTETS
        for _ in range(questions):
            position = skip_name(reply, position) + 4
        ttls: list[int] = []
        for index in range(answers + authorities):
            start = skip_name(reply, position)
            type_, _, ttl, length = _FIXED.unpack_from(reply, start)
            position = start + _FIXED.size + length
            if index < answers:
                ttls.append(ttl)
            elif not answers and type_ == Type.SOA:
                ttls += (ttl, _MINIMUM.unpack_from(reply, position - 4)[0])
    except (SyntaxProblem, struct.error):
        return 0
    return min(ttls, default=0)
