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

What comes back of ``compose`` says also who may get the same octets again, and what
response rate limiting counts it against.  A zone that is not for everybody, and any
reply that depends on the client, must not be repeatable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable

from netservices.core.errors import SyntaxProblem, Trouble
from netservices.dns.dialogue.chaos import answer_chaos
from netservices.dns.dialogue.content import Content
from netservices.dns.dialogue.extensions import Extensions, is_trusted
from netservices.dns.dialogue.later import Handler, Later
from netservices.dns.dialogue.reply import ERROR, Composed, Replies, bare, once
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import ExtendedError
from netservices.dns.wire.query import HEADER_OCTETS, Query
from netservices.dns.wire.tsig import find_tsig
from netservices.dns.zone.moment import NotYet
from netservices.dns.zone.tree import Zones

# Plain numbers: looking up the member of an Enum class costs more than comparing it.
_IN = int(Class.IN)
_TRANSFERS = frozenset((Type.AXFR, Type.IXFR))


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
        self.counts: Counter[tuple[int, int]] = Counter()
        """Replies by (type, response code); type 0 stands for the unknown ones."""
        self.zone_counts: Counter[bytes] = Counter()
        """Replies from each zone, by its apex."""
        self.stream_counts: Counter[Transport] = Counter()
        """Requests that came over TCP, TLS and HTTPS."""
        self.now = now
        self.replies = Replies(policy)
        self.extensions = Extensions(policy.settings, self.replies)
        self._content = Content(policy, now, self.replies.is_turning)

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
            return self.extensions.answer_without_question(data, client)
        if len(data) != query.end or data[8:12] != b"\0\0\0\0":
            refusal = self.extensions.read(data, query, client)
            if refusal is not None:
                return self.replies.refuse(data, query, client, refusal)
            if query.tsig_start:
                return self._compose_signed(data, query, client)
        if self.extensions.requires_cookies and not is_trusted(query, client):
            return self.extensions.demand_cookie(data, query, client)
        if query.qclass == _IN:
            if self.transfer is not None and query.qtype in _TRANSFERS:
                return _composed(self.transfer(data, client), client)
            return self._answer_internet(data, query, client)
        return self._answer_class(data, query, client)

    def _compose_other(self, data: bytes, client: Client) -> Composed | Later | None:
        """The reply to an opcode that is not QUERY."""
        handler = self.opcodes.get(data[2] >> 3 & 15)
        if handler is None:
            return bare(data, Rcode.NOTIMP), 0, Rcode.NOTIMP, None, ERROR
        try:
            start = find_tsig(data)
        except SyntaxProblem:
            return bare(data, Rcode.FORMERR), 0, Rcode.FORMERR, None, ERROR
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
            lambda rcode: (bare(data, rcode), 0, rcode, None, ERROR),
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
            lambda rcode: self.replies.refuse(data, query, client, rcode),
        )

    def _answer_class(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """The classes beside IN."""
        if query.qclass == Class.CH:
            return answer_chaos(self.policy, self.replies, data, query, client)
        if query.qclass == Class.ANY:
            return self._answer_internet(data, query, client)
        # RFC 2136 1.1: NONE and 0 are no classes that anything could have.
        if query.qclass in (0, Class.NONE):
            return self.replies.refuse(data, query, client, Rcode.FORMERR)
        error = ExtendedError.NOT_AUTHORITATIVE
        return self.replies.refuse(data, query, client, Rcode.REFUSED, error)

    def _answer_internet(
        self, data: bytes, query: Query, client: Client
    ) -> Composed | Later:
        """A question of class IN, or ANY."""
        qtype = query.qtype
        zones = self.views[client.view] if client.view else self.zones
        tree = zones.find(query.folded, qtype)
        if tree is None:
            error = ExtendedError.NOT_AUTHORITATIVE
            return self.replies.refuse(data, query, client, Rcode.REFUSED, error)
        policy = self.policy
        access = policy.access_to(tree) if policy.has_access_lists else None
        if access is not None and not access.allows(client):
            error = ExtendedError.PROHIBITED
            refusal = self.replies.refuse(data, query, client, Rcode.REFUSED, error)
            return once(refusal)
        self.zone_counts[tree.apex] += 1
        rest = data[query.end - 4 : query.end]
        prepared = tree.answers.find(query.folded, rest)
        if prepared is None:
            problem = self._content.check_type(query, tree)
            if problem is not None:
                return self.replies.refuse(data, query, client, *problem)
            try:
                prepared = self._content.prepare(query, rest, tree, client)
            except NotYet as pending:
                return self._answer_when_known(data, client, pending)
            except Trouble:
                return self.replies.refuse(data, query, client, Rcode.SERVFAIL)
        composed = self.replies.fit(data, query, client, prepared)
        return composed if access is None else once(composed)

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


def _composed(reply: bytes | Later | None, client: Client) -> Composed | Later | None:
    """What a handler replied, with the response code in its header; an error to
    somebody unknown is rated."""
    if reply is None or isinstance(reply, Later):
        return reply
    rcode = reply[3] & 15
    return reply, 0, rcode, None, ERROR if rcode and client.key is None else b""
