"""Whether RDATA that a stranger sent could be written into a master file."""

from __future__ import annotations

from netservices.dns.wire.codes import TYPE_NAMES, Type
from netservices.dns.wire.rdata import LAYOUTS

_CHECKED = frozenset((*LAYOUTS, Type.A, Type.AAAA, Type.TXT, Type.NULL)) - {Type.NAPTR}
"""Types of which every reader of messages has seen the shape."""


def check_presentable(type_: int, rdata: bytes) -> None:
    """ValueError where the RDATA of a known type has not its shape."""
    if type_ in _CHECKED or type_ not in TYPE_NAMES:
        return
    # Only here: the rarer types take a library that a plain start does without.
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    try:
        dns.rdata.from_wire(
            dns.rdataclass.IN, dns.rdatatype.RdataType.make(type_), rdata, 0, len(rdata)
        )
    except (dns.exception.DNSException, ValueError, LookupError) as problem:
        raise ValueError(f"malformed {TYPE_NAMES[type_]}: {problem}") from None
