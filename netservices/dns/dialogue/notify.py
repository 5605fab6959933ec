"""NOTIFY, received (RFC 1996): a primary says that a zone has changed.

The reply goes out at once; whether anything has changed is asked of the primaries
later, so nobody's word is taken for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache

from netservices.core.errors import SyntaxProblem
from netservices.core.networks import parse_address
from netservices.dns.backend.keys import key_name
from netservices.dns.dialogue.cookies import Cookies
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.opt import OtherOpt, read_other_opt
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.rules import AccessList
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Opcode, Rcode, Type
from netservices.dns.wire.edns import OPT, Edns
from netservices.dns.wire.message import Question, Record, read_question, read_record
from netservices.dns.wire.names import fold
from netservices.dns.wire.rdata import SOA

MAX_RECORDS = 8
"""Records in a NOTIFY; it has a SOA, and OPT."""

_HEADER = struct.Struct(">HHHHHH")
_UDP_SIZE = 1232


def comes_from_primary(peers: tuple[Peer, ...], client: Client) -> bool:
    """Whether ``client`` is one of the primaries: by its key where it has one, else by
    its address."""
    signer = b"" if client.key is None else client.key.name
    address = parse_address(client.address)
    for peer in peers:
        if peer.key:
            if signer == key_name(peer.key):
                return True
        elif address is not None and parse_address(peer.address) == address:
            return True
    return False


class Notify:
    """Replies to NOTIFY, and passes on what it says."""

    def __init__(
        self,
        options: Callable[[], Mapping[bytes, ZoneOptions]],
        is_ours: Callable[[bytes], bool],
        heard: Callable[[bytes, int | None, Client], None],
        cookies: Callable[[], Cookies | None] = lambda: None,
    ) -> None:
        """``options`` of zones, by folded name; ``is_ours`` says whether a zone is here
        at all; ``heard(zone, serial, client)`` is told what was said by somebody who
        may."""
        self._options = options
        self._is_ours = is_ours
        self._heard = heard
        self._cookies = cookies
        self.received = 0
        self.refused = 0

    def answer(self, data: bytes, client: Client) -> bytes | Later | None:
        """The reply."""
        try:
            question, serial, edns = _read(data)
        except SyntaxProblem:
            return data[:2] + bytes((0x80 | data[2] & 0x79, Rcode.FORMERR)) + bytes(8)
        opt = read_other_opt(edns, client, self._cookies())
        rcode = opt.rcode or self._judge(question, client)
        if rcode == Rcode.NOERROR:
            self.received += 1
            self._heard(fold(question.name), serial, client)
        else:
            self.refused += 1
        return _reply(data, question, rcode, opt)

    def _judge(self, question: Question, client: Client) -> int:
        """RFC 1996 3.10: who is no primary of the zone is not listened to."""
        # RFC 1996 3.7: there are notices of SOA alone.
        if question.type != Type.SOA:
            return Rcode.FORMERR
        zone = fold(question.name)
        if question.class_ != Class.IN or not self._is_ours(zone):
            return Rcode.NOTAUTH
        options = self._options().get(zone)
        if options is None or not options.primaries:
            return Rcode.REFUSED
        if comes_from_primary(_peers(options.primaries), client):
            return Rcode.NOERROR
        is_allowed = _access(options.allow_notify).allows(client)
        return Rcode.NOERROR if is_allowed else Rcode.REFUSED


@lru_cache(maxsize=1024)
def _peers(primaries: tuple[str, ...]) -> tuple[Peer, ...]:
    return tuple(map(Peer.parse, primaries))


@lru_cache(maxsize=1024)
def _access(words: tuple[str, ...]) -> AccessList:
    return AccessList(words)


def _read(data: bytes) -> tuple[Question, int | None, Edns | None]:
    """The question, the serial of the SOA that came along, and OPT.
    SyntaxProblem."""
    _, _, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    if questions != 1 or answers + authorities + additional > MAX_RECORDS:
        raise SyntaxProblem("not one question, or too many records")
    question, position = read_question(data, _HEADER.size)
    serial = None
    edns = None
    for index in range(answers + authorities + additional):
        record, position = read_record(data, position)
        if index < answers:
            serial = _serial(record, question, serial)
        if record.type == OPT:
            # RFC 6891 6.1.1
            if edns is not None or index < answers + authorities:
                raise SyntaxProblem("two OPT records, or one out of place")
            edns = Edns.parse(record.class_, record.ttl, record.rdata)
    if position != len(data):
        raise SyntaxProblem("octets after the last record")
    return question, serial, edns


def _serial(record: Record, question: Question, known: int | None) -> int | None:
    """RFC 1996 3.7: the answer section may bring the new SOA, as a hint."""
    if record.type != Type.SOA or fold(record.name) != fold(question.name):
        return known
    return SOA.parse(record.rdata).serial


def _reply(data: bytes, question: Question, rcode: int, opt: OtherOpt) -> bytes:
    """RFC 1996 4.7: the header and the question of the request."""
    bits = codes.QR | Opcode.NOTIFY << codes.OPCODE_SHIFT | rcode & 15
    # Nobody is an authority for what it refuses.
    if rcode == Rcode.NOERROR:
        bits |= codes.AA
    head = _HEADER.pack(
        int.from_bytes(data[:2], "big"), bits, 1, 0, 0, int(opt.is_there)
    )
    asked = question.name + question.type.to_bytes(2, "big")
    asked += question.class_.to_bytes(2, "big")
    return head + asked + opt.encode(_UDP_SIZE, rcode)
