"""From a packet to its reply.

The order of the checks is the contract, one test each:

1. shorter than a header, or a response (QR): silence, so that two servers never talk to
   each other for ever;
2. an opcode other than QUERY: its handler, or NOTIMP, header alone (its sections may
   mean anything);
3. no single readable question: FORMERR, header alone;
4. octets after it that are no records, two OPTs, too much of anything: FORMERR with
   question, and OPT if there was one;
5. a signature (TSIG): NOTAUTH, or on with the message without it; EDNS version above 0:
   BADVERS;
6. the class: IN and ANY go to the zones, CH to the policy, others are refused;
7. the type: transfers go to their handler, MAILA and MAILB are not implemented;
8. the zone of the longest match: REFUSED where there is none;
9. the prepared answer, found or made; cut to what the client takes; TC if it must be.

A reply repeats the ID, opcode, RD and CD, and the question as it was sent; Z is clear;
AD and RA are never set here; OPT is there if the question had one.

What comes back of ``compose`` says also who may get the same octets again, and what
response rate limiting counts it against.  A zone that is not for everybody, and any
reply that depends on the client, must not be repeatable.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from random import randrange
from typing import TypeAlias

from netservices.core.errors import SyntaxProblem, Trouble
from netservices.dns.dialogue.later import Handler, Later
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.wire import codes, edns
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS
from netservices.dns.wire.query import HEADER_OCTETS, Query
from netservices.dns.wire.rdata import txt_rdata
from netservices.dns.wire.tsig import find_tsig
from netservices.dns.zone.answers import PASSING
from netservices.dns.zone.lookup import NOBODY, Answer, Asked, resolve
from netservices.dns.zone.moment import NotYet
from netservices.dns.zone.prepare import (
    Keep,
    Prepared,
    Tail,
    make_tail,
    prepare,
    prepare_leaf,
    turn,
)
from netservices.dns.zone.tree import Zones, ZoneTree

_HEADER = struct.Struct(">HHHHH")
_RECORD = struct.Struct(">HHHIH")
_QUESTION_POINTER = 0xC000 | HEADER_OCTETS
# Plain numbers: looking up the member of an Enum class costs more than comparing it.
_IN = int(Class.IN)
_UDP = Transport.UDP
_TLS = Transport.TLS
_COPIED_BITS = codes.RD | codes.CD
_PADDED_OCTETS = 468
_REPEATABLE = frozenset((Rcode.REFUSED, Rcode.NOTIMP))
_TRANSFERS = frozenset((Type.AXFR, Type.IXFR))
_COOKIE_LENGTHS = frozenset((8, *range(16, 41)))

Composed: TypeAlias = tuple[bytes, int, int, Keep | None, bytes]
"""The reply, the type and response code to count, for how long the same packet from
anybody gets the same reply (None: not even the next one), and its account.

The account is what replies are rated by: the name that was asked for where that has
records (a folded name, so its first octet is below 64); where there is no end of such
names, a letter and the apex of the zone: ``N`` a denial, ``R`` a referral, ``W`` what a
wildcard gave; ``E`` alone an error; nothing for what is never rated."""

DENIAL = b"N"
REFERRAL = b"R"
WILDCARD = b"W"
ERROR = b"E"

_LARGEST_TURN = 55440
"""A multiple of all small numbers: each record comes first as often as the others."""

_KEEP = Keep(ERROR, b"")
"""What no zone has a say in holds until everything is forgotten."""


_TURNINGS: dict[str, Callable[[int], int]] = {
    "none": lambda count: 0,
    "cyclic": lambda count: count,
    "random": lambda count: randrange(_LARGEST_TURN),
}


def _no_time() -> float:
    return 0.0


class Dialogue:
    """Answers questions from the zones as the policy allows."""

    def __init__(
        self, zones: Zones, policy: Policy, now: Callable[[], float] = _no_time
    ) -> None:
        """``now`` for records that depend on it, in seconds."""
        self.zones = zones
        self.policy = policy
        self.views: dict[str, Zones] = {}
        """What clients of a view get in place of ``zones``, by the view's name."""
        self.opcodes: dict[int, Handler] = {}
        """What replies to opcodes beside QUERY."""
        self.transfer: Handler | None = None
        """What replies to AXFR and IXFR."""
        self.signatures = Signatures(dict, lambda: 0.0)
        """What checks signatures; without more, every key is unknown."""
        self.truncated = 0
        """Replies with TC so far."""
        self.counts: Counter[tuple[int, int]] = Counter()
        """Replies by (type, response code); type 0 stands for the unknown ones."""
        self.zone_counts: Counter[bytes] = Counter()
        """Replies from each zone, by its apex."""
        self.stream_counts: Counter[Transport] = Counter()
        """Requests that came over TCP and TLS."""
        settings = policy.settings
        self._max_records = settings.max_query_records
        self._max_options = settings.max_edns_options
        self._max_prepared = settings.prepared_cache_entries
        self._max_passing = settings.passing_cache_entries
        self._keepalive_tenths = min(int(settings.tcp_idle * 10), 0xFFFF)
        self._opt = self._encode_opt(False)
        self._opt_do = self._encode_opt(True)
        self.now = now
        self.turning: Callable[[int], int] = _TURNINGS[settings.rotation]
        """How far to turn the records of an answer that goes out for the n-th time."""
        self._is_turning = settings.rotation != "none"

    def answer(self, data: bytes, client: Client) -> bytes | Later | None:
        """The reply to a packet, or None: silence."""
        self.stream_counts[client.transport] += 1
        composed = self.compose(data, client)
        if composed is None or isinstance(composed, Later):
            return composed
        reply, qtype, rcode, _, _ = composed
        self.count(qtype, rcode, 1)
        return reply

    def count(self, qtype: int, rcode: int, replies: int) -> None:
        """Note that replies went out."""
        if qtype not in codes.TYPE_NAMES:
            qtype = 0
        self.counts[qtype, rcode] += replies

    def compose(self, data: bytes, client: Client) -> Composed | Later | None:
        """The reply with what is counted and remembered of it, or None: silence."""
        if len(data) < HEADER_OCTETS or data[2] & 0x80:
            return None
        if data[2] & 0x78:
            return self._compose_other(data, client)
        try:
            query = Query(data)
        except SyntaxProblem:
            return self._bare(data, Rcode.FORMERR), 0, Rcode.FORMERR, None, ERROR
        if len(data) != query.end or data[8:12] != b"\0\0\0\0":
            refusal = self._read_extensions(data, query)
            if refusal is not None:
                return self._refuse(data, query, client, refusal)
            if query.tsig_start:
                return self._compose_signed(data, query, client)
        if query.qclass == _IN:
            if self.transfer is not None and query.qtype in _TRANSFERS:
                return _composed(self.transfer(data, client))
            return self._answer_internet(data, query, client)
        return self._answer_class(data, query, client)

    def _compose_other(self, data: bytes, client: Client) -> Composed | Later | None:
        """The reply to an opcode that is not QUERY."""
        handler = self.opcodes.get(data[2] >> 3 & 15)
        if handler is None:
            return self._bare(data, Rcode.NOTIMP), 0, Rcode.NOTIMP, None, ERROR
        try:
            start = find_tsig(data)
        except SyntaxProblem:
            return self._bare(data, Rcode.FORMERR), 0, Rcode.FORMERR, None, ERROR
        if not start:
            return _composed(handler(data, client))
        return self.signatures.compose(
            data,
            start,
            client,
            self.compose,
            lambda rcode: (self._bare(data, rcode), 0, rcode, None, ERROR),
        )

    def _compose_signed(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later | None:
        """The reply to a question that is signed."""
        return self.signatures.compose(
            data,
            query.tsig_start,
            client,
            self.compose,
            lambda rcode: self._refuse(data, query, client, rcode),
        )

    def _read_extensions(self, data: bytes, query: Query) -> int | None:
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
        if query.options:
            # RFC 7873 5.2.2: 8 octets from the client, or with 8 to 32 of the server's.
            cookie = query.option(edns.COOKIE)
            if cookie is not None and len(cookie) not in _COOKIE_LENGTHS:
                return Rcode.FORMERR
        return None

    def _answer_class(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """The classes beside IN."""
        if query.qclass == Class.CH:
            return self._answer_chaos(data, query, client)
        if query.qclass == Class.ANY:
            return self._answer_internet(data, query, client)
        # RFC 2136 1.1: NONE and 0 are no classes that anything could have.
        is_nonsense = query.qclass in (0, Class.NONE)
        rcode = Rcode.FORMERR if is_nonsense else Rcode.REFUSED
        return self._refuse(data, query, client, rcode)

    def _answer_internet(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """A question of class IN, or ANY."""
        qtype = query.qtype
        zones = self.views[client.view] if client.view else self.zones
        tree = zones.find(query.folded, qtype)
        if tree is None or not self.policy.may_ask(client, tree):
            return self._refuse(data, query, client, Rcode.REFUSED)
        self.zone_counts[tree.apex] += 1
        rest = data[query.end - 4 : query.end]
        prepared = tree.answers.find(query.folded, rest)
        if prepared is None:
            refusal = self._check_type(query, tree)
            if refusal is not None:
                return self._refuse(data, query, client, refusal)
            try:
                prepared = self._prepare(query, rest, tree, client)
            except NotYet as pending:
                return self._answer_when_known(data, client, pending)
            except Trouble:
                return self._refuse(data, query, client, Rcode.SERVFAIL)
        return self._fit(data, query, client, prepared)

    def _answer_when_known(self, data: bytes, client: Client, pending: NotYet) -> Later:
        """The reply to a question that has to wait for other servers.  Whoever waits
        knows more in the end, or has given up; so this has an end."""

        async def messages() -> AsyncGenerator[bytes, None]:
            await pending.known()
            reply = self.answer(data, client)
            if isinstance(reply, bytes):
                yield reply
            elif reply is not None:
                async for message in reply.messages():
                    yield message

        return Later(messages)

    def _check_type(self, query: Query, tree: ZoneTree) -> int | None:
        """The response code where a type cannot be asked for, or not now."""
        qtype = query.qtype
        # RFC 1034 4.3.5: of a secondary zone that has expired nothing is told.
        if tree.soa is None or tree.apex in self.policy.withheld:
            return Rcode.SERVFAIL
        if qtype in (Type.MAILA, Type.MAILB, Type.TKEY):
            return Rcode.NOTIMP
        if qtype in (Type.OPT, Type.TSIG):
            return Rcode.FORMERR
        # RFC 5936 5, RFC 1995 2: a zone goes to those alone who may have it.
        if qtype in (Type.AXFR, Type.IXFR):
            return Rcode.REFUSED
        return None

    def _prepare(
        self, query: Query, rest: bytes, tree: ZoneTree, client: Client
    ) -> Prepared:
        """Make the answer, and keep it: one that a record gave for long; a denial, a
        referral or what a wildcard gave until too many came.  So a flood of random
        names pushes out nothing but its own like.  What a leaf gives is made anew each
        time, in no time."""
        name = query.folded
        leaf = tree.leaf(name, query.qtype) if query.qclass == _IN else None
        if leaf is not None:
            tail = self._tail(query, tree, leaf)
            if tail is not None:
                return prepare_leaf(name, leaf, tail)
        found = self._resolve(query, tree, client)
        prepared = prepare(tree, name, found, self._is_turning)
        prepared.account = _account(name, tree, found)
        if prepared.keep is None:
            return prepared
        answers = tree.answers
        is_lasting = not found.is_passing and query.qtype in codes.TYPE_NAMES
        if is_lasting and answers.keep_lasting(
            name, rest, prepared, found.names, self._max_prepared
        ):
            prepared.keep.source = name
        else:
            prepared.keep.source = PASSING + tree.apex
            answers.keep_passing(name + rest, prepared, self._max_passing)
        return prepared

    def _resolve(self, query: Query, tree: ZoneTree, client: Client) -> Answer:
        policy = self.policy
        found = resolve(
            tree,
            query.folded,
            query.qtype,
            policy.pick_any,
            policy.max_chain,
            policy.is_minimal,
            Asked(client, self.now()) if tree.dynamic else NOBODY,
        )
        # RFC 1034 4.3.2 and RFC 1035 3.2.5: nobody is an authority for all classes.
        if query.qclass == Class.ANY:
            found.is_authoritative = False
        return found

    def _tail(self, query: Query, tree: ZoneTree, leaf: bytes) -> Tail | None:
        """What stands behind a leaf; None where that depends on the moment."""
        name = query.folded
        key = len(name), len(leaf), leaf[2:4]
        tail = tree.answers.tails.get(key)
        if tail is None:
            policy = self.policy
            found = resolve(
                tree, name, query.qtype, policy.pick_any, 1, policy.is_minimal
            )
            if found.is_fleeting:
                return None
            tail = make_tail(tree, len(name), leaf, found, self._is_turning)
            tree.answers.keep_tail(key, tail)
        return tail

    def _fit(
        self, data: bytes, query: Query, client: Client, prepared: Prepared
    ) -> Composed:
        """The whole reply, or what fits of it, or TC."""
        opt = b""
        if query.udp_size:
            opt = self._reply_opt(query, client, prepared.rcode)
        if client.transport is _UDP:
            limit = min(query.udp_size or 512, self.policy.max_udp_size)
        else:
            limit = MAX_MESSAGE_OCTETS
        room = limit - query.end - len(opt) - client.reserved_octets
        flags = prepared.flags | query.bits & _COPIED_BITS
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
        reply = self._assemble(data, query, client, flags, counts, body, opt)
        keep = None if query.options else prepared.keep
        return reply, query.qtype, prepared.rcode, keep, prepared.account

    def _turn(self, prepared: Prepared) -> bytes:
        """The records of an answer, beginning with another one each time."""
        assert prepared.keep is not None
        counted = prepared.keep.tail or prepared
        count = self.turning(counted.turned)
        counted.turned += 1
        return turn(prepared.body, prepared.keep.turns, count)

    def _assemble(
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
        if client.transport is _TLS and query.option(edns.PADDING) is not None:
            opt = _padded(opt, query.end + len(body) + len(opt))
        answers, authorities, additional = counts
        return b"".join(
            (
                data[:2],
                _HEADER.pack(flags, 1, answers, authorities, additional + bool(opt)),
                data[HEADER_OCTETS : query.end],
                body,
                opt,
            )
        )

    def _answer_chaos(self, data: bytes, query: Query, client: Client) -> Composed:
        """Class CH: what the server says about itself (RFC 4892 3)."""
        text = self.policy.chaos_text(query.folded)
        if text is None or query.qtype not in (Type.TXT, Type.ANY):
            return self._refuse(data, query, client, Rcode.REFUSED)
        rdata = txt_rdata(text)
        body = _RECORD.pack(_QUESTION_POINTER, Type.TXT, Class.CH, 0, len(rdata))
        body += rdata
        prepared = Prepared(
            codes.QR | codes.AA, Rcode.NOERROR, body, ((len(body), (1, 0, 0)),)
        )
        return self._fit(data, query, client, prepared)

    # --- replies without an answer --------------------------------------------------

    @staticmethod
    def _bare(data: bytes, rcode: int) -> bytes:
        """A header alone: ID, opcode and RD of the question."""
        return data[:2] + bytes((0x80 | data[2] & 0x79, rcode)) + bytes(8)

    def _refuse(
        self, data: bytes, query: Query, client: Client, rcode: int
    ) -> Composed:
        """Question and OPT, and no records."""
        opt = self._reply_opt(query, client, rcode) if query.udp_size else b""
        flags = codes.QR | rcode & 15 | query.bits & _COPIED_BITS
        reply = self._assemble(data, query, client, flags, (0, 0, 0), b"", opt)
        keep = _KEEP if rcode in _REPEATABLE and not query.options else None
        return reply, query.qtype, rcode, keep, ERROR

    def _reply_opt(self, query: Query, client: Client, rcode: int) -> bytes:
        """OPT of a reply, where the question had one; RFC 6891 6.1.1."""
        if not query.options and rcode < 16:
            return self._opt_do if query.is_do else self._opt
        options: list[tuple[int, bytes]] = []
        # RFC 5001 2.1: NSID goes to those who ask for it.
        if self.policy.nsid and query.option(edns.NSID) is not None:
            options.append((edns.NSID, self.policy.nsid))
        # RFC 7828 3.2.1: over UDP the option means nothing.
        if (
            client.transport is not _UDP
            and query.option(edns.TCP_KEEPALIVE) is not None
        ):
            tenths = self._keepalive_tenths.to_bytes(2, "big")
            options.append((edns.TCP_KEEPALIVE, tenths))
        return self._encode_opt(query.is_do, rcode, tuple(options))

    def _encode_opt(
        self,
        is_do: bool,
        rcode: int = 0,
        options: tuple[tuple[int, bytes], ...] = (),
    ) -> bytes:
        """RFC 3225 3: DO is copied; RFC 6891 6.1.3: unknown options are not."""
        return edns.Edns(
            udp_size=self.policy.max_udp_size,
            is_do=is_do,
            options=options,
            extended_rcode=rcode >> 4,
        ).encode()


def _account(name: bytes, tree: ZoneTree, found: Answer) -> bytes:
    """What replies with that answer are rated by."""
    if not found.answer:
        return (DENIAL if found.is_authoritative else REFERRAL) + tree.apex
    return name if name in tree.names else WILDCARD + tree.apex


def _composed(reply: bytes | Later | None) -> Composed | Later | None:
    """What a handler replied, with the response code in its header."""
    if reply is None or isinstance(reply, Later):
        return reply
    return reply, 0, reply[3] & 15, None, b""


def _padded(opt: bytes, octets: int) -> bytes:
    """OPT with padding for a reply that has ``octets`` without it; RFC 7830 4,
    RFC 8467 4.1."""
    size = -(octets + 4) % _PADDED_OCTETS
    if octets + 4 + size > MAX_MESSAGE_OCTETS:
        return opt
    length = int.from_bytes(opt[9:11], "big") + 4 + size
    padding = edns.encode_options(((edns.PADDING, bytes(size)),))
    return opt[:9] + length.to_bytes(2, "big") + opt[11:] + padding
