"""What is known by heart: heads that came before, and answers that still hold.

Theory.  Browsers, proxies and programs repeat themselves: the head of the next request
is, octet by octet, one that has just been read.  So what was made of a head is kept by
its octets, in two steps.

* A *head* that has been parsed is not parsed again.  Equal octets mean the same to the
  parser, always.
* The *answer* to a head is sent again, whole, if its handler has said that it is
  ``lasting``: it holds for every request with these octets, from anybody, on that kind
  of connection, as long as the handler finds it current.  It is asked each time; an
  answer that is current no more is forgotten, and the request goes the long way.

An answer is kept when its head comes for the second time, so that what is asked for
once (by a scanner, say) pushes out nothing.  Heads with credentials are never kept, nor
those that content follows.  What is kept is bounded in octets, and what was used least
lately goes first: an answer knows the second in which it was used, since its ``Date``
is of that second.
"""

from __future__ import annotations

from collections import OrderedDict

from netservices.http.wire.head import Head
from netservices.web.response import Lasting

LONGEST_HEAD = 2048
"""Octets of a head that is kept."""

MOST_HEAD_MEMORY = 8192
"""Octets that a head which is kept takes in memory, at about."""

MOST_HEADS = 1024

LONGEST_ANSWER = 256 * 1024
"""Octets of an answer that is kept."""

_EXTRA_OCTETS = 2048
"""What an answer takes beside its octets."""

_SECOND_CHANCES = 4
_SECRET = ("authorization", "cookie", "proxy-authorization")


class Finished:
    """An answer that can be sent at once."""

    __slots__ = (
        "_at",
        "_date",
        "_whole",
        "content_octets",
        "head",
        "keeps_alive",
        "lasting",
        "server_name",
        "status",
    )

    def __init__(
        self,
        head: Head,
        status: int,
        lasting: Lasting,
        keeps_alive: bool,
        parts: tuple[bytes, bytes, bytes],
        server_name: str | None = None,
    ) -> None:
        start, date, content = parts
        self.head = head
        self.status = status
        self.lasting = lasting
        self.keeps_alive = keeps_alive
        self.server_name = server_name
        """The name of the TLS connections that get it: on one that was made for another
        host, this host's pages may not be shown (RFC 9110 15.5.20)."""
        self.content_octets = len(content)
        self._whole = start + date + content
        self._at = len(start)
        self._date = date

    def __len__(self) -> int:
        return len(self._whole)

    def octets(self, date: bytes) -> bytes:
        """All of it, with that line ``Date``, which is always of the same length."""
        if date is not self._date:
            whole, at = memoryview(self._whole), self._at
            self._whole = b"".join((whole[:at], date, whole[at + len(date) :]))
            self._date = date
        return self._whole

    def is_of(self, date: bytes) -> bool:
        """Whether it was last sent with that line."""
        return date is self._date


class Known:
    """Heads and answers of one kind of connection, in at most ``most_octets``."""

    def __init__(self, most_octets: int) -> None:
        self.answers: OrderedDict[bytes, Finished] = OrderedDict()
        self.octets = 0
        self._most_octets = most_octets
        self._heads: OrderedDict[bytes, Head] = OrderedDict()

    def head(self, raw: bytes) -> Head | None:
        """What these octets are, where they came before."""
        return self._heads.get(raw)

    def learn_head(self, raw: bytes, head: Head) -> None:
        """Keep what the octets are, if they may be kept."""
        if len(raw) > LONGEST_HEAD or head.size_octets > MOST_HEAD_MEMORY:
            return
        if head.has_body or head.expects_continue:
            return
        if any(name in head.fields for name in _SECRET):
            return
        heads = self._heads
        while len(heads) >= MOST_HEADS:
            heads.popitem(last=False)
        heads[raw] = head

    def wants(self, octets: int) -> bool:
        """Whether a lasting answer with so much content shall be kept."""
        return octets <= min(LONGEST_ANSWER, self._most_octets // 4)

    def learn_answer(self, raw: bytes, answer: Finished, date: bytes) -> None:
        """Keep an answer; ``date`` is the line of now."""
        self.forget(raw)
        self.octets += _size(raw, answer)
        self.answers[raw] = answer
        chances = _SECOND_CHANCES
        while self.octets > self._most_octets:
            oldest = next(iter(self.answers))
            found = self.answers[oldest]
            if chances and found.is_of(date):
                chances -= 1
                self.answers.move_to_end(oldest)
            else:
                self.forget(oldest)

    def clear(self) -> None:
        """No answer holds any longer."""
        self.answers.clear()
        self.octets = 0

    def forget(self, raw: bytes) -> None:
        """The answer to that head holds no longer."""
        answer = self.answers.pop(raw, None)
        if answer is not None:
            self.octets -= _size(raw, answer)


def _size(raw: bytes, answer: Finished) -> int:
    return len(raw) + len(answer) + answer.head.size_octets + _EXTRA_OCTETS
