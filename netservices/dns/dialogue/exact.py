"""The first step of the answer path: the same packet gets the same octets again.

The key is the packet after its ID: flags, question in its letter case, OPT.  A packet
is remembered when it comes for the second time, so that a flood of random names leaves
no trace but a bounded set of hashes.  Everything is forgotten at once when a zone or
the policy changes (``clear``), and when the cache is full.

Never kept are replies that depend on the client or were built for one: those to packets
with EDNS options, TSIG, errors of format, and everything over TCP.

Two things may stand in the way of a reply over UDP, and cost nothing while they do not;
both are set before ``answerer`` is called:

* ``choose_view``: ``(client's address, asked address) -> name of a view``, empty for
  the zones as they are.  Each view has a cache of its own.
* ``limit``: ``(client's address, account, reply) -> reply``, asked of every reply, also
  of those that are remembered: the same octets lets it pass, other octets go in its
  place (a truncated reply, so that who is real comes back over TCP), None is silence.
  The account is that of ``dialogue.answer.Composed``; replies without one are not
  asked for.  Whoever must never be limited (a client with a good cookie) needs a reply
  without an account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from netservices.dns.dialogue.answer import Composed, Dialogue
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Rcode

_MAX_PACKET_OCTETS = 12 + 255 + 4 + 11 + 32
_MAX_REPLY_OCTETS = 1232

SendLater: TypeAlias = Callable[[Later, Any, Any], None]
"""``(later, (address, port, ...), local)``: send its messages there, from there."""

ChooseView: TypeAlias = Callable[[str, str], str]
Limit: TypeAlias = Callable[[str, bytes, bytes], bytes | None]
Datagram: TypeAlias = Callable[[bytes, Any, Any], bytes | None]


class ExactAnswers:
    """Finished replies by exact packet, in front of a dialogue."""

    def __init__(self, dialogue: Dialogue, max_entries: int, later: SendLater) -> None:
        """``later`` sees to a reply that takes its time."""
        self._dialogue = dialogue
        self._later = later
        self._max_entries = max_entries
        self.choose_view: ChooseView | None = None
        self.limit: Limit | None = None
        self._views: dict[str, _View] = {"": _View("")}

    def __len__(self) -> int:
        return sum(len(view.replies) for view in self._views.values())

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
                view = self._views.setdefault(name, _View(name))
                found = answerers[name] = self._answerer(view)
            return found(data, address, local)

        return answer

    def _answerer(self, view: _View) -> Datagram:
        """What answers the clients of one view."""
        find = view.replies.get
        compose = self._compose
        if self.limit is not None:
            return self._limited_answerer(view, self.limit)

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            hit = find(data[2:])
            if hit is not None and address[1]:
                hit[1][0] += 1
                return data[:2] + hit[0]
            return compose(view, data, address, local)

        return answer

    def _limited_answerer(self, view: _View, limit: Limit) -> Datagram:
        """The same, where something may stand in the way of a reply."""
        find = view.replies.get
        compose = self._compose

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            hit = find(data[2:])
            if hit is not None and address[1]:
                hit[1][0] += 1
                return limit(address[0], hit[1][3], data[:2] + hit[0])
            return compose(view, data, address, local)

        return answer

    def _compose(
        self, view: _View, data: bytes, address: Any, local: Any
    ) -> bytes | None:
        """The reply to a packet that is not remembered; remember it at its second
        coming."""
        # RFC 768: port 0 says that no reply is wanted; nobody asks from there.
        if not address[1]:
            return None
        dialogue = self._dialogue
        server = local.address if local is not None else ""
        client = Client(address[0], server=server, view=view.name)
        composed = dialogue.compose(data, client)
        if composed is None:
            return None
        if isinstance(composed, Later):
            self._later(composed, address, local)
            return None
        reply, qtype, rcode, is_repeatable, account = composed
        dialogue.count(qtype, rcode, 1)
        if is_repeatable and len(data) <= _MAX_PACKET_OCTETS:
            self._remember(view, data[2:], composed)
        if self.limit is not None and account:
            return self.limit(address[0], account, reply)
        return reply

    def _remember(self, view: _View, key: bytes, composed: Composed) -> None:
        mark = hash(key)
        if mark not in view.seen:
            if len(view.seen) >= self._max_entries:
                view.seen.clear()
            view.seen.add(mark)
            return
        if len(view.replies) >= self._max_entries:
            self._clear((view,))
        reply, qtype, rcode, _, account = composed
        if self._max_entries and len(reply) <= _MAX_REPLY_OCTETS:
            is_refused = rcode == Rcode.REFUSED
            apex = (
                b"" if is_refused else self._dialogue.apex_of(b"\0\0" + key, view.name)
            )
            view.replies[key] = reply[2:], [0, qtype, rcode, account, apex]

    def settle(self) -> None:
        """Add the hits of what is remembered to the dialogue's counts."""
        self._settle(self._views.values())

    def clear(self) -> None:
        """Forget every reply: a zone or the policy has changed."""
        self._clear(self._views.values())

    def _settle(self, views: Iterable[_View]) -> None:
        count = self._dialogue.count
        zone_counts = self._dialogue.zone_counts
        for view in views:
            for _, tally in view.replies.values():
                if tally[0]:
                    count(tally[1], tally[2], tally[0])
                    if tally[4]:
                        zone_counts[tally[4]] += tally[0]
                    tally[0] = 0

    def _clear(self, views: Iterable[_View]) -> None:
        self._settle(views)
        for view in views:
            view.replies.clear()
            view.seen.clear()


class _View:
    """What is remembered for the clients of one view."""

    __slots__ = ("name", "replies", "seen")

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: set[int] = set()
        self.replies: dict[bytes, tuple[bytes, list[Any]]] = {}
        """Packet without ID -> (reply without ID, [hits, type, response code,
        account, apex of the zone or nothing])."""
