"""The first step of the answer path: the same packet gets the same octets again.

The key is the packet after its ID: flags, question in its letter case, OPT.  A packet
is remembered when it comes for the second time, so that a flood of random names leaves
no trace but a bounded set of hashes.  With each reply its source is noted
(``zone.answers``): when a zone changes, ``forget`` is told the sources of what is wrong
now; ``clear`` forgets all.  The second step is ``quick``, the third ``answer``.

Never kept are replies that depend on the client or were built for one: those to packets
with EDNS options, TSIG, errors of format, and everything over TCP.  A cookie alone does
not count: it stands at the end of packet and reply, so the packet up to it is the key,
and each client's own is put at the end of what is kept.  No other packet could have
such a key: it ends in the length of an option that is not there.

Two things may stand in the way of a reply over UDP, and cost nothing while they do not;
both are set before ``answerer`` is called:

* ``choose_view``: ``(client's address, asked address) -> name of a view``, empty for
  the zones as they are.  Each view has a cache of its own.
* ``limit``: ``(client's address, account, reply) -> reply``, asked of every reply, also
  of those that are remembered: the same octets lets it pass, other octets go in its
  place (a truncated reply, so that who is real comes back over TCP), None is silence.
  The account is that of ``dialogue.reply.Composed``; replies without one are not
  asked for.  Whoever must never be limited (a client with a good cookie) needs a reply
  without an account.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from netservices.core.garbage import keep_for_long
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.cookies import Standing
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.quick import Quick, Tally
from netservices.dns.policy import Client
from netservices.dns.zone.answers import PASSING
from netservices.dns.zone.leftovers import Leftovers
from netservices.dns.zone.prepare import Keep, Turns, turn

_MAX_PACKET_OCTETS = 12 + 255 + 4 + 11 + 32
_MAX_REPLY_OCTETS = 1232
_TAKEN_AWAY = 4
"""Entries given up earlier that each packet frees which takes the long way."""
_SMALLEST_SHARE = 64
_KEPT_FOR_LONG = 4096
"""Replies after which the garbage collector is told that they will stay."""
_OPT_OCTETS = 11
_COOKIE_OCTETS = 24
"""Of each cookie that is given."""
_FULL = b"\0\x0a\0\x18"
_HALF = b"\0\x0a\0\x08"
"""Code and length of the cookie options that clients send: with one of ours, or their
own part alone."""
_FULL_OCTETS = 28
_HALF_OCTETS = 12
_VALID = Standing.VALID

SendLater: TypeAlias = Callable[[Later, Any, Any], None]
"""``(later, (address, port, ...), local)``: send its messages there, from there."""

ChooseView: TypeAlias = Callable[[str, str], str]
Limit: TypeAlias = Callable[[str, bytes, bytes], bytes | None]
Datagram: TypeAlias = Callable[[bytes, Any, Any], bytes | None]
Recall: TypeAlias = Callable[[bytes], tuple[bytes, bytes] | None]
"""``packet -> (reply, account)``."""


class ExactAnswers:
    """Finished replies by exact packet, in front of a dialogue."""

    def __init__(self, dialogue: Dialogue, max_entries: int, later: SendLater) -> None:
        """``later`` sees to a reply that takes its time."""
        self._dialogue = dialogue
        self._later = later
        self._max_entries = max_entries
        self.choose_view: ChooseView | None = None
        self.limit: Limit | None = None
        self._leftovers = dialogue.zones.leftovers
        self._views: dict[str, _View] = {}
        self._add_view("")

    def __len__(self) -> int:
        return sum(len(view) for view in self._views.values())

    def _add_view(self, name: str) -> _View:
        dialogue = self._dialogue
        zones = dialogue.views[name] if name else dialogue.zones
        view = self._views[name] = _View(name, Quick(zones, dialogue.replies.turning))
        return view

    def answerer(self) -> Datagram:
        """``(packet, (address, port, ...), local) -> reply``: the whole path over
        UDP."""
        if self.choose_view is None:
            return self._answerer(self._views[""])
        choose = self.choose_view
        answerers: dict[str, Datagram] = {}

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            name = choose(address[0], local.address if local is not None else "")
            found = answerers.get(name)
            if found is None:
                view = self._views.get(name) or self._add_view(name)
                found = answerers[name] = self._answerer(view)
            return found(data, address, local)

        return answer

    def _answerer(self, view: _View) -> Datagram:
        """What answers the clients of one view."""
        limit = self.limit
        if limit is not None:
            return self._limited_answerer(view, limit)
        miss = self._missed(view)

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            find = view.find
            hit = find(data[2:])
            # RFC 768: port 0 says that no reply is wanted; nobody asks from there.
            if hit is not None and address[1]:
                hit[1][0] += 1
                return data[:2] + hit[0]
            return miss(data, address, local)

        return answer

    def _limited_answerer(self, view: _View, limit: Limit) -> Datagram:
        """The same, where something may stand in the way of a reply."""
        miss = self._missed(view)

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            find = view.find
            hit = find(data[2:])
            if hit is not None and address[1]:
                hit[1][0] += 1
                return limit(address[0], hit[1][3], data[:2] + hit[0])
            return miss(data, address, local)

        return answer

    def _missed(self, view: _View) -> Datagram:
        """What replies to packets that are not remembered as they are."""
        recall = self._recaller(view)
        with_cookie = self._with_cookie(view, recall)
        limit = self.limit
        compose = self._compose

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            if not address[1]:
                return None
            if data[-_FULL_OCTETS:-24] == _FULL:
                return with_cookie(data, _FULL_OCTETS, address, local)
            if data[-_HALF_OCTETS:-8] == _HALF:
                return with_cookie(data, _HALF_OCTETS, address, local)
            found = recall(data)
            if found is None:
                return compose(view, data, address, local)
            reply, account = found
            return reply if limit is None else limit(address[0], account, reply)

        return answer

    def _with_cookie(
        self, view: _View, recall: Recall
    ) -> Callable[[bytes, int, Any, Any], bytes | None]:
        """``(packet, octets of the option at its end, address, local) -> reply``."""
        extensions = self._dialogue.extensions
        limit = self.limit
        compose = self._compose

        def answer(data: bytes, octets: int, address: Any, local: Any) -> bytes | None:
            cookies = extensions.cookies
            if cookies is None:
                return compose(view, data, address, local)
            standing, cookie = cookies.examine(data[4 - octets :], address[0])
            if standing is not _VALID and extensions.requires_cookies:
                return compose(view, data, address, local)
            hit = view.find(data[2:-octets])
            if hit is not None:
                hit[1][0] += 1
                reply, account = data[:2] + hit[0], hit[1][3]
            else:
                found = recall(data[:-octets])
                if found is None:
                    return compose(view, data, address, local)
                reply, account = found
            if limit is None or standing is _VALID:
                return reply + cookie
            return limit(address[0], account, reply + cookie)

        return answer

    def _recaller(self, view: _View) -> Recall:
        """What replies to packets whose records are turned, or that ask for leaves."""
        quick = view.quick.answerer()
        turning = self._dialogue.replies.turning
        most = self._max_entries

        def recall(data: bytes) -> tuple[bytes, bytes] | None:
            key = data[2:]
            hit = view.turning.get(key)
            if hit is not None:
                reply, tally, turns = hit
                tally[0] += 1
                return data[:2] + turn(reply, turns, turning(tally[0])), tally[3]
            found = quick(data)
            if found is None:
                return None
            reply, account, tree, shape = found
            # More names than can be remembered are quicker made than kept.
            if tree.record_count <= most:
                keep = Keep(account, tree.apex, shape[3], account=account)
                self._remember(view, key, reply, shape[2], keep)
            return reply, account

        return recall

    def _compose(
        self, view: _View, data: bytes, address: Any, local: Any
    ) -> bytes | None:
        """The reply to a packet that took the long way; remember it at its second
        coming."""
        dialogue = self._dialogue
        server = local.address if local is not None else ""
        client = Client(address[0], server=server, view=view.name)
        composed = dialogue.compose(data, client)
        if self._leftovers:
            self._leftovers.take_away(_TAKEN_AWAY)
        if composed is None:
            return None
        if isinstance(composed, Later):
            self._later(composed, address, local)
            return None
        reply, qtype, rcode, keep, account = composed
        dialogue.count(qtype, rcode, 1)
        if keep is not None and len(data) <= _MAX_PACKET_OCTETS:
            self._keep(view, data, reply, qtype, rcode, keep)
        if self.limit is not None and account:
            return self.limit(address[0], account, reply)
        return reply

    def _keep(
        self,
        view: _View,
        data: bytes,
        reply: bytes,
        qtype: int,
        rcode: int,
        keep: Keep,
    ) -> None:
        """Keep what is worth it of a reply, all but the cookie."""
        opt_octets = _OPT_OCTETS if data[11] else 0
        if keep.option_octets:
            data, reply = data[: -keep.option_octets], reply[:-_COOKIE_OCTETS]
            opt_octets += 4
        if keep.tail is not None:
            view.quick.learn(data, reply, qtype, keep, opt_octets)
        self._remember(view, data[2:], reply, [0, qtype, rcode], keep)

    def _remember(
        self, view: _View, key: bytes, reply: bytes, tally: Tally, keep: Keep
    ) -> None:
        """Note that a packet came; at its second coming, its reply."""
        mark = hash(key)
        most = self._max_entries
        if mark not in view.seen:
            if len(view.seen) >= most:
                view.seen = set()
            view.seen.add(mark)
            return
        if len(reply) > _MAX_REPLY_OCTETS or not most:
            return
        if len(view) >= most:
            self._count(view.tallies())
            view.forget_all(self._leftovers)
        turns = _shifted(keep.turns, len(key) - (_OPT_OCTETS if key[9] else 0))
        share = most // 4 + _SMALLEST_SHARE
        tally = [0, tally[1], tally[2], keep.account, keep.apex]
        view.put(key, reply[2:], tally, keep, turns, share)
        if not len(view) % _KEPT_FOR_LONG:
            keep_for_long()

    def settle(self) -> None:
        """Add the hits of what is remembered to the dialogue's counts."""
        for view in self._views.values():
            self._count(view.tallies())

    def clear(self) -> None:
        """Forget every reply: the policy has changed, or zones came or went."""
        for view in self._views.values():
            self._count(view.tallies())
            view.forget_all(self._leftovers)
            view.quick.forget()

    def forget(self, sources: Collection[bytes] | None) -> None:
        """Forget the replies that came from those sources; None: every reply."""
        if sources is None:
            self.clear()
            return
        for view in self._views.values():
            for source in sources:
                self._count(view.forget(source))

    def _count(self, tallies: Iterable[Tally]) -> None:
        dialogue = self._dialogue
        for tally in tallies:
            if tally[0]:
                dialogue.count(tally[1], tally[2], tally[0])
                if tally[4]:
                    dialogue.zone_counts[tally[4]] += tally[0]
                tally[0] = 0


def _shifted(turns: Turns, octets: int) -> Turns:
    """The same, counted from the end of the ID."""
    return tuple((start + octets, stop + octets, step) for start, stop, step in turns)


class _View:
    """What is remembered for the clients of one view."""

    __slots__ = ("find", "name", "quick", "replies", "seen", "sources", "turning")

    def __init__(self, name: str, quick: Quick) -> None:
        self.name = name
        self.quick = quick
        self.seen: set[int] = set()
        """Hashes of packets that came once."""
        self.replies: dict[bytes, tuple[bytes, Tally]] = {}
        """Packet without ID -> reply without ID, and its tally."""
        self.turning: dict[bytes, tuple[bytes, Tally, Turns]] = {}
        """The same for replies whose records are turned each time."""
        self.sources: dict[bytes, list[bytes]] = {}
        """Source -> packets."""
        self.find = self.replies.get

    def __len__(self) -> int:
        return len(self.replies) + len(self.turning)

    def put(
        self,
        key: bytes,
        reply: bytes,
        tally: Tally,
        keep: Keep,
        turns: Turns,
        share: int,
    ) -> None:
        """Remember a reply; what passes with the next change of a zone has a share
        only, since that change takes its time for each of them."""
        packets = self.sources.setdefault(keep.source, [])
        if len(packets) >= share and keep.source.startswith(PASSING):
            return
        packets.append(key)
        if turns:
            self.turning[key] = reply, tally, turns
        else:
            self.replies[key] = reply, tally

    def forget(self, source: bytes) -> list[Tally]:
        """Forget what came from there; the tallies of that."""
        tallies = []
        for key in self.sources.pop(source, ()):
            found = self.replies.pop(key, None) or self.turning.pop(key, None)
            if found is not None:
                tallies.append(found[1])
        return tallies

    def forget_all(self, leftovers: Leftovers) -> None:
        """Forget everything, but not what came once already."""
        for table in (self.replies, self.turning, self.sources):
            leftovers.drop(table)
        self.replies, self.turning, self.sources = {}, {}, {}
        self.find = self.replies.get

    def tallies(self) -> list[Tally]:
        """How often each of them was sent."""
        return [
            *(found[1] for found in self.replies.values()),
            *(found[1] for found in self.turning.values()),
            *self.quick.tallies(),
        ]
