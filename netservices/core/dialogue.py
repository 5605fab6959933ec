"""The seam between a dialogue, which knows what may be said, and the session that moves
octets.

A dialogue does no I/O: it takes parsed input and returns replies.  ``core.session``
drives any dialogue of this shape over a Twisted transport; ``netservices.testing``
drives it over plain bytes; a lab or a fault injector may drive it over anything else.

The order of events that a session guarantees:

* ``greet()`` once, first; then ``handle(line)`` for each line, in order, the next one
  only after the reply to the previous one is known; except that a line for which
  ``overtakes(line)`` is true is handled at once, although an earlier one still waits
  (FTP's ABOR during a transfer, RFC 959 4.1.3);
* all replies that are ready when the input of one segment is used up leave in one
  write;
* ``reply.then`` is obeyed after the reply is written: ``Then.START_TLS`` discards every
  octet received before the handshake (RFC 4217, RFC 3207), ``Then.STOP_TLS`` every
  octet before its end, ``Then.CLOSE`` ends the session;
* ``ended()`` exactly once, last, whatever ended the connection.
"""

from __future__ import annotations

from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any, Protocol, TypeAlias


class Then(Enum):
    """What the session does after it has written a reply."""

    CLOSE = auto()
    """Close the connection once everything written has left."""

    START_TLS = auto()
    """Discard buffered input, then take the server's part of a TLS handshake."""

    STOP_TLS = auto()
    """Discard buffered input, end TLS, and go on in the clear."""

    TAKE_LITERAL = auto()
    """Collect ``reply.literal_octets`` octets, then call ``dialogue.take_literal``."""


class Reply(Protocol):
    """A reply of any line protocol."""

    @property
    def then(self) -> Then | None:
        """What follows once the reply is written."""

    def encode(self) -> bytes:
        """The octets on the wire, final CRLF included."""


class LiteralReply(Reply, Protocol):
    """A reply whose ``then`` is ``Then.TAKE_LITERAL``."""

    @property
    def literal_octets(self) -> int:
        """How many octets follow that are not lines; the dialogue has limited them."""


Answer: TypeAlias = "Reply | None | Coroutine[Any, Any, Reply | None]"
"""A reply, nothing (it comes later, through ``say``), or a coroutine that finds it."""


class Dialogue(Protocol):
    """One side of a conversation in lines; see the module's text for the order of
    events."""

    def greet(self) -> Answer:
        """The first words, or ``None`` where the peer speaks first."""

    def handle(self, line: bytes) -> Answer:
        """Answer one line, given without its line end."""

    def overtakes(self, line: bytes) -> bool:
        """Whether ``line`` is answered at once, although an earlier one still waits."""

    def masked(self, line: bytes) -> bytes:
        """``line`` as a trace or log may show it: without passwords."""

    def secured(self) -> None:
        """The TLS handshake that ``Then.START_TLS`` asked for is complete."""

    def overlong(self) -> Answer:
        """A line passed the limit; the rest of it has been thrown away."""

    def idle(self) -> Answer:
        """The peer was silent for too long; the session closes after this reply."""

    def draining(self) -> Answer:
        """The server stops; the session closes after this reply."""

    def failed(self, error: BaseException) -> Answer:
        """``handle`` raised: an error of the three families, or a bug (already
        logged)."""

    def ended(self) -> None:
        """The connection is gone: give back what the session holds."""


class LiteralDialogue(Dialogue, Protocol):
    """A dialogue that replies with ``Then.TAKE_LITERAL``."""

    def take_literal(self, octets: bytes) -> Answer:
        """The octets that the last reply asked for; lines follow again."""
