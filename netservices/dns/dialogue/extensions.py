"""What stands in a question beside its name and type: EDNS options and cookies."""

from __future__ import annotations

from contextlib import suppress

from netservices.core.errors import SyntaxProblem
from netservices.dns.dialogue.cookies import Cookies, Standing
from netservices.dns.dialogue.opt import padded, wants_padding
from netservices.dns.dialogue.reply import (
    COPIED_BITS,
    ERROR,
    HEADER,
    KEEP,
    Composed,
    Replies,
    bare,
    is_known,
)
from netservices.dns.policy import Client, Transport
from netservices.dns.settings import DNSSettings
from netservices.dns.wire import codes, edns
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.cookies import VALID_LENGTHS
from netservices.dns.wire.query import HEADER_OCTETS, Query

_UDP = Transport.UDP
# QDCOUNT 0, and nothing but one additional record.
_COOKIE_ONLY = b"\0\0\0\0\0\0\0\1"


class Extensions:
    """Reads what follows a question, and replies where it forbids an answer."""

    def __init__(self, settings: DNSSettings, replies: Replies) -> None:
        self.cookies: Cookies | None = None
        """Makes and checks cookies; None: they are ignored."""
        self.requires_cookies = False
        """Whether over UDP only those get an answer who have a cookie of ours."""
        self._replies = replies
        self._max_records = settings.max_query_records
        self._max_options = settings.max_edns_options

    def read(self, data: bytes, query: Query, client: Client) -> int | None:
        """Read what follows the question; the response code where it forbids an
        answer."""
        try:
            query.read_records(data, self._max_records, self._max_options)
        except SyntaxProblem:
            query.tsig_start = 0
            return Rcode.FORMERR
        # RFC 8945 5.2: the signature comes first; what it covers is looked at after.
        if query.tsig_start:
            return None
        if query.version:
            return Rcode.BADVERS
        if query.options and self._examine_cookie(query, client) is None:
            return Rcode.FORMERR
        return None

    def _examine_cookie(self, query: Query, client: Client) -> Standing | None:
        """What the cookie says about its sender, as is noted for the reply; None where
        it is malformed."""
        cookie = query.option(edns.COOKIE)
        if cookie is None:
            return Standing.NONE
        # RFC 7873 5.2.2: 8 octets from the client, or with 8 to 32 of the server's.
        if len(cookie) not in VALID_LENGTHS:
            return None
        if self.cookies is None:
            return Standing.NONE
        standing, query.cookie = self.cookies.examine(cookie, client.address)
        query.is_known = standing is Standing.VALID
        return standing

    def demand_cookie(self, data: bytes, query: Query, client: Client) -> Composed:
        """What somebody gets whose address may be forged, where that is not served:
        a cookie to come again with, or the way to TCP."""
        if query.options and query.cookie:
            # RFC 7873 5.2.3
            return self._replies.refuse(data, query, client, Rcode.BADCOOKIE)
        opt = self._replies.opt.reply(query, client, 0) if query.udp_size else b""
        flags = codes.QR | codes.TC | query.bits & COPIED_BITS
        reply = self._replies.assemble(data, query, client, flags, (0, 0, 0), b"", opt)
        keep = None if query.options else KEEP
        return reply, query.qtype, Rcode.NOERROR, keep, ERROR

    def answer_without_question(self, data: bytes, client: Client) -> Composed:
        """FORMERR; or a cookie, where nothing but that is asked for (RFC 7873 5.4)."""
        standing = None
        if data[4:12] == _COOKIE_ONLY:
            with suppress(SyntaxProblem):
                query = Query.without_question(data, self._max_options)
                if query.options and not query.version:
                    standing = self._examine_cookie(query, client)
        if standing in (None, Standing.NONE):
            return bare(data, Rcode.FORMERR), 0, Rcode.FORMERR, None, ERROR
        is_wrong = standing is Standing.INVALID
        rcode = Rcode.BADCOOKIE if is_wrong else Rcode.NOERROR
        opt = self._replies.opt.reply(query, client, rcode)
        if wants_padding(query, client):
            opt = padded(opt, HEADER_OCTETS + len(opt))
        flags = codes.QR | rcode & 15 | query.bits & COPIED_BITS
        reply = data[:2] + HEADER.pack(flags, 0, 0, 0, 1) + opt
        return reply, 0, rcode, None, ERROR


def is_trusted(query: Query, client: Client) -> bool:
    """Whether the client surely is at the address that it asks from."""
    is_udp = client.transport is _UDP
    return not is_udp or client.key is not None or is_known(query)
