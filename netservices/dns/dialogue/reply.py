"""The octets of replies: an answer fitted to what the client takes, or none.

A reply repeats the ID, opcode, RD and CD, and the question as it was sent; Z is clear;
AD and RA are never set here; OPT is there if the question had one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import randrange
from typing import TypeAlias

from netservices.dns.dialogue.opt import OptReplies, padded, wants_padding
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS
from netservices.dns.wire.query import HEADER_OCTETS, Query
from netservices.dns.zone.prepare import Keep, Prepared, turn

COPIED_BITS = codes.RD | codes.CD
HEADER = struct.Struct(">HHHHH")
"""All of it but the ID."""

_UDP = Transport.UDP
_OPT_OCTETS = 11
_REPEATABLE = frozenset((Rcode.REFUSED, Rcode.NOTIMP))

Composed: TypeAlias = tuple[bytes, int, int, Keep | None, bytes]
"""The reply, the type and response code to count, for how long the same packet from
anybody gets the same reply (None: not even the next one), and its account.

The account is what replies are rated by: the name that was asked for where that exists
(a folded name, so its first octet is below 64); where there is no end of such names, a
letter and the apex of the zone: ``N`` a denial, ``R`` a referral, ``W`` what a
wildcard gave; alone ``E`` an error, ``C`` what the server says of itself; nothing for
what is never rated: replies to those who signed, or brought a cookie of ours."""

DENIAL = b"N"
REFERRAL = b"R"
WILDCARD = b"W"
ERROR = b"E"
CHAOS = b"C"

_LARGEST_TURN = 55440
"""A multiple of all small numbers: each record comes first as often as the others."""

KEEP = Keep(ERROR, b"", account=ERROR)
"""What no zone has a say in holds until everything is forgotten."""

_TURNINGS: dict[str, Callable[[int], int]] = {
    "none": lambda count: 0,
    "cyclic": lambda count: count,
    "random": lambda count: randrange(_LARGEST_TURN),
}


class Replies:
    """Puts replies together."""

    def __init__(self, policy: Policy) -> None:
        self.opt = OptReplies(policy)
        self.truncated = 0
        """Replies with TC so far."""
        rotation = policy.settings.rotation
        self.turning: Callable[[int], int] = _TURNINGS[rotation]
        """How far to turn the records of an answer that goes out for the n-th time."""
        self.is_turning = rotation != "none"
        self._max_udp_size = policy.max_udp_size

    def fit(
        self, data: bytes, query: Query, client: Client, prepared: Prepared
    ) -> Composed:
        """The whole reply, or what fits of it, or TC."""
        opt = b""
        if query.udp_size:
            opt = self.opt.reply(query, client, prepared.rcode)
        if client.transport is _UDP:
            limit = min(query.udp_size or 512, self._max_udp_size)
        else:
            limit = MAX_MESSAGE_OCTETS
        room = limit - query.end - len(opt) - client.reserved_octets
        flags = prepared.flags | query.bits & COPIED_BITS
        body, counts = prepared.body, prepared.counts
        if prepared.keep is not None and prepared.keep.turns:
            body = self._turn(prepared)
        if len(body) > room:
            fitted = prepared.fit(room, body)
            if fitted is None:
                self.truncated += 1
                flags |= codes.TC
                fitted = b"", (0, 0, 0)
            body, counts = fitted
        reply = self.assemble(data, query, client, flags, counts, body, opt)
        keep = kept(data, query, prepared.keep)
        account = prepared.account
        if client.key is not None or is_known(query):
            account = b""
        return reply, query.qtype, prepared.rcode, keep, account

    def _turn(self, prepared: Prepared) -> bytes:
        """The records of an answer, beginning with another one each time."""
        assert prepared.keep is not None
        counted = prepared.keep.tail or prepared
        count = self.turning(counted.turned)
        counted.turned += 1
        return turn(prepared.body, prepared.keep.turns, count)

    def assemble(
        self,
        data: bytes,
        query: Query,
        client: Client,
        flags: int,
        counts: tuple[int, int, int],
        body: bytes,
        opt: bytes,
    ) -> bytes:
        """The octets of a reply."""
        if client.transport is not _UDP and wants_padding(query, client):
            octets = query.end + len(body) + len(opt) + client.reserved_octets
            opt = padded(opt, octets)
        answers, authorities, additional = counts
        return b"".join(
            (
                data[:2],
                HEADER.pack(flags, 1, answers, authorities, additional + bool(opt)),
                data[HEADER_OCTETS : query.end],
                body,
                opt,
            )
        )

    def refuse(
        self, data: bytes, query: Query, client: Client, rcode: int, error: int = 0
    ) -> Composed:
        """Question and OPT, and no records; ``error`` is an extended one, or 0."""
        opt = self.opt.reply(query, client, rcode, error) if query.udp_size else b""
        flags = codes.QR | rcode & 15 | query.bits & COPIED_BITS
        reply = self.assemble(data, query, client, flags, (0, 0, 0), b"", opt)
        keep = kept(data, query, KEEP) if rcode in _REPEATABLE else None
        account = b"" if is_known(query) else ERROR
        return reply, query.qtype, rcode, keep, account


def bare(data: bytes, rcode: int) -> bytes:
    """A header alone: ID, opcode and RD of the question."""
    return data[:2] + bytes((0x80 | data[2] & 0x79, rcode)) + bytes(8)


def kept(data: bytes, query: Query, keep: Keep | None) -> Keep | None:
    """For how long a reply holds, where the packet is a question with nothing behind it
    but OPT, and with no option in that but a cookie."""
    if keep is None:
        return None
    octets = _OPT_OCTETS if query.udp_size else 0
    options = query.options
    if not options:
        return keep if len(data) == query.end + octets else None
    cookie = len(options[0][1]) + 4
    if len(options) > 1 or not query.cookie or len(data) != query.end + octets + cookie:
        return None
    return keep.beside(cookie)


def is_known(query: Query) -> bool:
    """Whether the client brought a cookie of ours: its address is not forged."""
    return bool(query.options) and query.is_known


def once(composed: Composed) -> Composed:
    """The same, not to be given to others."""
    reply, qtype, rcode, _, account = composed
    return reply, qtype, rcode, None, account
