"""Class CH: what the server says about itself."""

from __future__ import annotations

import struct

from netservices.dns.dialogue.reply import CHAOS, Composed, Replies
from netservices.dns.policy import Client, Policy
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import ExtendedError
from netservices.dns.wire.query import HEADER_OCTETS, Query
from netservices.dns.wire.rdata import txt_rdata
from netservices.dns.zone.prepare import Prepared

_RECORD = struct.Struct(">HHHIH")
_QUESTION_POINTER = 0xC000 | HEADER_OCTETS


def answer_chaos(
    policy: Policy, replies: Replies, data: bytes, query: Query, client: Client
) -> Composed:
    """Class CH: what the server says about itself (RFC 4892 3)."""
    text = policy.chaos_text(query.folded)
    if text is None or query.qtype not in (Type.TXT, Type.ANY):
        error = ExtendedError.PROHIBITED
        return replies.refuse(data, query, client, Rcode.REFUSED, error)
    rdata = txt_rdata(text)
    body = _RECORD.pack(_QUESTION_POINTER, Type.TXT, Class.CH, 0, len(rdata))
    body += rdata
    prepared = Prepared(
        codes.QR | codes.AA, Rcode.NOERROR, body, ((len(body), (1, 0, 0)),)
    )
    prepared.account = CHAOS
    return replies.fit(data, query, client, prepared)
