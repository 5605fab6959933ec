"""From a packet to its reply.

The order of the checks is the contract, one test each:

1. shorter than a header, or a response (QR): silence, so that two servers never talk to
   each other for ever;
2. an opcode other than QUERY: its handler, or NOTIMP, header alone (its sections may
   mean anything);
3. no single readable question: FORMERR, header alone; none at all but a cookie: a
   cookie;
4. octets after it that are no records, two OPTs, too much of anything: FORMERR with
   question, and OPT if there was one;
5. a signature (TSIG): NOTAUTH, or on with the message without it; EDNS version above 0:
   BADVERS; without a cookie of ours, where one is required: BADCOOKIE, or TC;
6. the class: IN and ANY go to the zones, CH to the policy, others are refused;
7. the type: transfers go to their handler, MAILA and MAILB are not implemented;
8. the zone of the longest match: REFUSED where there is none, or it is not for this
   client;
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
from contextlib import suppress
from random import randrange
from typing import TypeAlias

from netservices.core.errors import SyntaxProblem, Trouble
from netservices.dns.dialogue.cookies import Cookies, Standing
from netservices.dns.dialogue.later import Handler, Later
from netservices.dns.dialogue.opt import OptReplies, padded
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.wire import codes, edns
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.cookies import VALID_LENGTHS
from netservices.dns.wire.edns import ExtendedError
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
_REPEATABLE = frozenset((Rcode.REFUSED, Rcode.NOTIMP))
_TRANSFERS = frozenset((Type.AXFR, Type.IXFR))
# QDCOUNT 0, and nothing but one additional record.
_COOKIE_ONLY = b"\0\0\0\0\0\0\0\1"

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
        self.relays: dict[int, Handler] = {}
        """What may pass a signed request on as it is; None: it does not."""
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
        self.cookies: Cookies | None = None
        """Makes and checks cookies; None: they are ignored."""
        self.requires_cookies = False
        """Whether over UDP only those get an answer who have a cookie of ours."""
        self.opt = OptReplies(policy)
        settings = policy.settings
        self._max_records = settings.max_query_records
        self._max_options = settings.max_edns_options
        self._max_prepared = settings.prepared_cache_entries
        self._max_passing = settings.passing_cache_entries
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
            return self._answer_without_question(data, client)
        if len(data) != query.end or data[8:12] != b"\0\0\0\0":
            refusal = self._read_extensions(data, query, client)
            if refusal is not None:
                return self._refuse(data, query, client, refusal)
            if query.tsig_start:
                return self._compose_signed(data, query, client)
        if self.requires_cookies and not _is_trusted(query, client):
            return self._demand_cookie(data, query, client)
        if query.qclass == _IN:
            if self.transfer is not None and query.qtype in _TRANSFERS:
                return _composed(self.transfer(data, client), client)
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
            return _composed(handler(data, client), client)
        relay = self.relays.get(data[2] >> 3 & 15)
        relayed = relay(data, client) if relay is not None else None
        if relayed is not None:
            return _composed(relayed, client)
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

    def _read_extensions(self, data: bytes, query: Query, client: Client) -> int | None:
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

    def _demand_cookie(self, data: bytes, query: Query, client: Client) -> Composed:
        """What somebody gets whose address may be forged, where that is not served:
        a cookie to come again with, or the way to TCP."""
        if query.options and query.cookie:
            # RFC 7873 5.2.3
            return self._refuse(data, query, client, Rcode.BADCOOKIE)
        opt = self.opt.reply(query, client, 0) if query.udp_size else b""
        flags = codes.QR | codes.TC | query.bits & _COPIED_BITS
        reply = self._assemble(data, query, client, flags, (0, 0, 0), b"", opt)
        keep = None if query.options else _KEEP
        return reply, query.qtype, Rcode.NOERROR, keep, ERROR

    def _answer_class(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """The classes beside IN."""
        if query.qclass == Class.CH:
            return self._answer_chaos(data, query, client)
        if query.qclass == Class.ANY:
            return self._answer_internet(data, query, client)
        # RFC 2136 1.1: NONE and 0 are no classes that anything could have.
        if query.qclass in (0, Class.NONE):
            return self._refuse(data, query, client, Rcode.FORMERR)
        error = ExtendedError.NOT_AUTHORITATIVE
        return self._refuse(data, query, client, Rcode.REFUSED, error)

    def _answer_internet(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """A question of class IN, or ANY."""
        qtype = query.qtype
        zones = self.views[client.view] if client.view else self.zones
        tree = zones.find(query.folded, qtype)
        if tree is None:
            error = ExtendedError.NOT_AUTHORITATIVE
            return self._refuse(data, query, client, Rcode.REFUSED, error)
        policy = self.policy
        access = policy.access_to(tree) if policy.has_access_lists else None
        if access is not None and not access.allows(client):
            error = ExtendedError.PROHIBITED
            refusal = self._refuse(data, query, client, Rcode.REFUSED, error)
            return _once(refusal)
        self.zone_counts[tree.apex] += 1
        rest = data[query.end - 4 : query.end]
        prepared = tree.answers.find(query.folded, rest)
        if prepared is None:
            problem = self._check_type(query, tree)
            if problem is not None:
                return self._refuse(data, query, client, *problem)
            try:
                prepared = self._prepare(query, rest, tree, client)
            except NotYet as pending:
                return self._answer_when_known(data, client, pending)
            except Trouble:
                return self._refuse(data, query, client, Rcode.SERVFAIL)
        composed = self._fit(data, query, client, prepared)
        return composed if access is None else _once(composed)

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

    def _check_type(self, query: Query, tree: ZoneTree) -> tuple[int, int] | None:
        """The response code where a type cannot be asked for, or not now, and the
        extended error beside it."""
        qtype = query.qtype
        # RFC 8914 4.15, 4.25: not there yet, or there and not to be used.
        if tree.soa is None and not tree.record_count:
            return Rcode.SERVFAIL, ExtendedError.NOT_READY
        # RFC 1034 4.3.5: of a secondary zone that has expired nothing is told.
        if tree.soa is None or tree.apex in self.policy.withheld:
            return Rcode.SERVFAIL, ExtendedError.INVALID_DATA
        if qtype in (Type.MAILA, Type.MAILB, Type.TKEY):
            return Rcode.NOTIMP, ExtendedError.NOT_SUPPORTED
        if qtype in (Type.OPT, Type.TSIG):
            return Rcode.FORMERR, 0
        # RFC 5936 5, RFC 1995 2: a zone goes to those alone who may have it.
        if qtype in (Type.AXFR, Type.IXFR):
            return Rcode.REFUSED, ExtendedError.PROHIBITED
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
        asked = NOBODY
        if tree.dynamic:
            now = self.now()
            known, said = tree.fleeting.find(name + rest, client, now)
            if known is not None:
                return known
            asked = Asked(client, now, said)
        found = self._resolve(query, tree, asked)
        prepared = prepare(tree, name, found, self._is_turning)
        prepared.account = _account(name, tree, found)
        if prepared.keep is None:
            if not found.has_trouble:
                tree.fleeting.keep(name + rest, found.said, prepared)
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

    def _resolve(self, query: Query, tree: ZoneTree, asked: Asked) -> Answer:
        policy = self.policy
        found = resolve(
            tree,
            query.folded,
            query.qtype,
            policy.pick_any,
            policy.max_chain,
            policy.is_minimal,
            asked,
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
            opt = self.opt.reply(query, client, prepared.rcode)
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
        account = prepared.account
        if client.key is not None or (query.options and query.is_known):
            account = b""
        return reply, query.qtype, prepared.rcode, keep, account

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
            octets = query.end + len(body) + len(opt) + client.reserved_octets
            opt = padded(opt, octets)
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
            error = ExtendedError.PROHIBITED
            return self._refuse(data, query, client, Rcode.REFUSED, error)
        rdata = txt_rdata(text)
        body = _RECORD.pack(_QUESTION_POINTER, Type.TXT, Class.CH, 0, len(rdata))
        body += rdata
        prepared = Prepared(
            codes.QR | codes.AA, Rcode.NOERROR, body, ((len(body), (1, 0, 0)),)
        )
        prepared.account = CHAOS
        return self._fit(data, query, client, prepared)

    # --- replies without an answer --------------------------------------------------

    @staticmethod
    def _bare(data: bytes, rcode: int) -> bytes:
        """A header alone: ID, opcode and RD of the question."""
        return data[:2] + bytes((0x80 | data[2] & 0x79, rcode)) + bytes(8)

    def _answer_without_question(self, data: bytes, client: Client) -> Composed:
        """FORMERR; or a cookie, where nothing but that is asked for (RFC 7873 5.4)."""
        standing = None
        if data[4:12] == _COOKIE_ONLY:
            with suppress(SyntaxProblem):
                query = Query.without_question(data, self._max_options)
                if query.options and not query.version:
                    standing = self._examine_cookie(query, client)
        if standing in (None, Standing.NONE):
            return self._bare(data, Rcode.FORMERR), 0, Rcode.FORMERR, None, ERROR
        is_wrong = standing is Standing.INVALID
        rcode = Rcode.BADCOOKIE if is_wrong else Rcode.NOERROR
        opt = self.opt.reply(query, client, rcode)
        if client.transport is _TLS and query.option(edns.PADDING) is not None:
            opt = padded(opt, HEADER_OCTETS + len(opt))
        flags = codes.QR | rcode & 15 | query.bits & _COPIED_BITS
        reply = data[:2] + _HEADER.pack(flags, 0, 0, 0, 1) + opt
        return reply, 0, rcode, None, ERROR

    def _refuse(
        self, data: bytes, query: Query, client: Client, rcode: int, error: int = 0
    ) -> Composed:
        """Question and OPT, and no records; ``error`` is an extended one, or 0."""
        opt = self.opt.reply(query, client, rcode, error) if query.udp_size else b""
        flags = codes.QR | rcode & 15 | query.bits & _COPIED_BITS
        reply = self._assemble(data, query, client, flags, (0, 0, 0), b"", opt)
        keep = _KEEP if rcode in _REPEATABLE and not query.options else None
        account = b"" if _is_known(query) else ERROR
        return reply, query.qtype, rcode, keep, account


def _account(name: bytes, tree: ZoneTree, found: Answer) -> bytes:
    """What replies with that answer are rated by."""
    if not found.answer and not found.is_authoritative:
        return REFERRAL + tree.apex
    if name in tree.names:
        return name
    return (WILDCARD if found.answer else DENIAL) + tree.apex


def _composed(reply: bytes | Later | None, client: Client) -> Composed | Later | None:
    """What a handler replied, with the response code in its header; an error to
    somebody unknown is rated."""
    if reply is None or isinstance(reply, Later):
        return reply
    rcode = reply[3] & 15
    return reply, 0, rcode, None, ERROR if rcode and client.key is None else b""


def _is_known(query: Query) -> bool:
    """Whether the client brought a cookie of ours: its address is not forged."""
    return bool(query.options) and query.is_known


def _is_trusted(query: Query, client: Client) -> bool:
    """Whether the client surely is at the address that it asks from."""
    is_udp = client.transport is _UDP
    return not is_udp or client.key is not None or _is_known(query)


def _once(composed: Composed) -> Composed:
    """The same, not to be given to others."""
    reply, qtype, rcode, _, account = composed
    return reply, qtype, rcode, None, account
