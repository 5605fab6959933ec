"""The answer that a zone has to a question: found among those that are prepared, or
made and kept."""

from __future__ import annotations

from collections.abc import Callable

from netservices.dns.dialogue.reply import DENIAL, REFERRAL, WILDCARD
from netservices.dns.policy import Client, Policy
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import ExtendedError
from netservices.dns.wire.query import Query
from netservices.dns.zone.answers import PASSING
from netservices.dns.zone.lookup import NOBODY, Answer, Asked, resolve
from netservices.dns.zone.prepare import (
    Prepared,
    Tail,
    make_tail,
    prepare,
    prepare_leaf,
)
from netservices.dns.zone.tree import ZoneTree

# Plain numbers: looking up the member of an Enum class costs more than comparing it.
_IN = int(Class.IN)


class Content:
    """Makes answers of what zones hold."""

    def __init__(
        self, policy: Policy, now: Callable[[], float], is_turning: bool
    ) -> None:
        """``is_turning``: whether the records of answers are turned."""
        self.policy = policy
        self._now = now
        self._is_turning = is_turning
        self._max_prepared = policy.settings.prepared_cache_entries
        self._max_passing = policy.settings.passing_cache_entries

    def check_type(self, query: Query, tree: ZoneTree) -> tuple[int, int] | None:
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

    def prepare(
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
            now = self._now()
            known, said = tree.fleeting.find(name + rest, client, now)
            if known is not None:
                return known
            asked = Asked(client, now, said)
        found = self._resolve(query, tree, asked)
        prepared = prepare(tree, name, found, self._is_turning)
        prepared.account = _account(name, tree, found)
        if prepared.keep is not None:
            prepared.keep.account = prepared.account
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


def _account(name: bytes, tree: ZoneTree, found: Answer) -> bytes:
    """What replies with that answer are rated by."""
    if not found.answer and not found.is_authoritative:
        return REFERRAL + tree.apex
    if name in tree.names:
        return name
    return (WILDCARD if found.answer else DENIAL) + tree.apex
