"""The first step of the answer path: the same packet gets the same octets again.

The key is the packet after its ID: flags, question in its letter case, OPT.  A packet
is remembered when it comes for the second time, so that a flood of random names leaves
no trace but a bounded set of hashes.  Everything is forgotten at once when a zone or
the policy changes (``clear``), and when the cache is full.

Never kept are replies that depend on the client or were built for one: those to packets
with EDNS options, TSIG, errors of format, and everything over TCP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from netservices.dns.dialogue.answer import Composed, Dialogue
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client

_MAX_PACKET_OCTETS = 12 + 255 + 4 + 11 + 32
_MAX_REPLY_OCTETS = 1232

SendLater: TypeAlias = Callable[[Later, Any, Any], None]
"""``(later, (address, port, ...), local)``: send its messages there, from there."""


class ExactAnswers:
    """Finished replies by exact packet, in front of a dialogue."""

    def __init__(self, dialogue: Dialogue, max_entries: int, later: SendLater) -> None:
        """``later`` sees to a reply that takes its time."""
        self._dialogue = dialogue
        self._later = later
        self._max_entries = max_entries
        self._seen: set[int] = set()
        self.replies: dict[bytes, tuple[bytes, list[int]]] = {}
        """Packet without ID -> (reply without ID, [hits, type, response code])."""

    def __len__(self) -> int:
        return len(self.replies)

    def answerer(self) -> Callable[[bytes, Any, Any], bytes | None]:
        """``(packet, (address, port, ...), local) -> reply``: the whole path over
        UDP."""
        find = self.replies.get
        compose = self._compose

        def answer(data: bytes, address: Any, local: Any) -> bytes | None:
            hit = find(data[2:])
            if hit is not None and address[1]:
                hit[1][0] += 1
                return data[:2] + hit[0]
            return compose(data, address, local)

        return answer

    def _compose(self, data: bytes, address: Any, local: Any) -> bytes | None:
        """The reply to a packet that is not remembered; remember it at its second
        coming."""
        # RFC 768: port 0 says that no reply is wanted; nobody asks from there.
        if not address[1]:
            return None
        dialogue = self._dialogue
        server = local.address if local is not None else ""
        composed = dialogue.compose(data, Client(address[0], server=server))
        if composed is None:
            return None
        if isinstance(composed, Later):
            self._later(composed, address, local)
            return None
        reply, qtype, rcode, is_repeatable = composed
        dialogue.count(qtype, rcode, 1)
        if is_repeatable and len(data) <= _MAX_PACKET_OCTETS:
            self._remember(data[2:], composed)
        return reply

    def _remember(self, key: bytes, composed: Composed) -> None:
        mark = hash(key)
        if mark not in self._seen:
            if len(self._seen) >= self._max_entries:
                self._seen.clear()
            self._seen.add(mark)
            return
        if len(self.replies) >= self._max_entries:
            self.clear()
        reply, qtype, rcode, _ = composed
        if self._max_entries and len(reply) <= _MAX_REPLY_OCTETS:
            self.replies[key] = reply[2:], [0, qtype, rcode]

    def settle(self) -> None:
        """Add the hits of what is remembered to the dialogue's counts."""
        count = self._dialogue.count
        for _, tally in self.replies.values():
            if tally[0]:
                count(tally[1], tally[2], tally[0])
                tally[0] = 0

    def clear(self) -> None:
        """Forget every reply: a zone or the policy has changed."""
        self.settle()
        self.replies.clear()
        self._seen.clear()
