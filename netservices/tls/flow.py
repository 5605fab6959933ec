"""The sending half of a TLS layer: queue of plaintext, producers, back-pressure.

``TLSLayer`` tells the theory.  Two states matter here: ``_lower_is_full`` (the
transport below has asked for a pause) and ``_is_pulling`` (we are registered below as a
pull producer, because there is one above).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from netservices.tls.engine import Engine

PIECE_OCTETS = 256 * 1024
"""Plaintext is encrypted in pieces of at most this much."""

_MOST_KEPT = 4096

BUFFER_OCTETS = 64 * 1024
"""A streaming producer above is paused while more plaintext than this waits."""


@implementer(IPushProducer)
class _Tap:
    """What the transport below tells when it is full, and empty again."""

    __slots__ = ("flow",)

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def pauseProducing(self) -> None:
        self.flow._lower_is_full = True

    def resumeProducing(self) -> None:
        self.flow._lower_drained()

    def stopProducing(self) -> None:
        """The layer's ``connectionLost`` follows."""


@implementer(IPullProducer)
class _Pump:
    """What the transport below asks for its next piece."""

    __slots__ = ("flow",)

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def resumeProducing(self) -> None:
        self.flow._pull()

    def stopProducing(self) -> None:
        """The layer's ``connectionLost`` follows."""


class Flow:
    """What a TLS layer sends."""

    lower: Any = None
    producer: Any = None
    streamingProducer = False  # noqa: N815
    disconnecting = False
    disconnected = False
    _producer_is_paused = False
    _lower_is_full = False
    _is_attached = False
    _is_pulling = False
    _is_corked = False
    _is_half_closing = False
    _is_held = False
    _is_paused = False

    keeps_tickets = False
    """Whether tickets for resuming leave with our close_notify only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._plain: deque[bytes | memoryview] = deque()
        self._plain_octets = 0

    # --- writing --------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send ``data``, at once where that is possible."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError("only octets can be written to a transport")
        if not data or self.disconnected or self._engine.has_closed:
            return
        self._plain.append(bytes(data))
        self._plain_octets += len(data)
        if not self._is_corked:
            self._flush()
        self._press()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """The same for several pieces, which share records."""
        self.write(b"".join(iovec))

    def give_tickets(self) -> None:
        """What ``keeps_tickets`` has held back leaves now."""
        if self.keeps_tickets:
            self.keeps_tickets = False
            self._flush()

    def _flush(self) -> None:
        """Send what can be sent now: handshake octets, plaintext, our goodbye."""
        if self.disconnected or self.lower is None:
            return
        if self._plain and self._engine.is_open and not self._engine.has_closed:
            while self._plain and not self._lower_is_full:
                self._send_piece()
                if self._is_pulling:
                    break
        words = b"" if self._keeps_words else self._engine.take()
        if words:
            self.lower.write(words)
            if self._lower_is_full:
                self._hold_reading()
        self._relieve()
        self._close_when_drained()

    @property
    def _keeps_words(self) -> bool:
        """Whether what TLS itself has to say can wait until the end."""
        return (
            self.keeps_tickets
            and self._engine.is_open
            and self._engine.waiting_octets <= _MOST_KEPT
        )

    def _send_piece(self) -> None:
        """Encrypt at most ``PIECE_OCTETS`` of the queue and write them below."""
        records = self._engine.encrypt(self._next_piece())
        if len(records) == 1:
            self.lower.write(records[0])
        else:
            self.lower.writeSequence(records)

    def _next_piece(self) -> bytes | memoryview:
        plain = self._plain
        if self._plain_octets <= PIECE_OCTETS:
            self._plain_octets = 0
            piece = plain[0] if len(plain) == 1 else b"".join(plain)
            plain.clear()
            return piece
        taken: list[bytes | memoryview] = []
        room = PIECE_OCTETS
        while room:
            head = plain.popleft()
            if len(head) > room:
                view = memoryview(head)
                plain.appendleft(view[room:])
                head = view[:room]
            taken.append(head)
            room -= len(head)
        self._plain_octets -= PIECE_OCTETS
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _close_when_drained(self) -> None:
        """Say goodbye if that was asked for and nothing is left to send."""
        if (
            (self.disconnecting or self._is_half_closing)
            and not self._plain
            and self.producer is None
            and self._engine.is_open
            and not self._engine.has_closed
        ):
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        raise NotImplementedError

    # --- the transport below --------------------------------------------------------

    def _attach(self) -> None:
        """Ask the transport below to say when it is full."""
        self._is_attached = True
        self._is_pulling = False
        self.lower.registerProducer(_Tap(self), True)

    def _detach(self) -> None:
        """Take no more part in what the transport below does with its queue."""
        if self._is_attached and not self.disconnected:
            self.lower.unregisterProducer()
        self._is_attached = self._is_pulling = self._lower_is_full = False

    def _hold_reading(self) -> None:
        """Read no more until what was sent in answer has left: a peer that only asks
        (for new keys, RFC 8446 4.6.3) and never reads would fill the memory."""
        if not self._is_held:
            self._is_held = True
            self.lower.pauseProducing()

    def _lower_drained(self) -> None:
        """The transport below has sent everything."""
        self._lower_is_full = False
        if self._is_held:
            self._is_held = False
            if not self._is_paused:
                self.lower.resumeProducing()
        self._flush()

    def _pull(self) -> None:
        """The transport below has sent everything and a pull producer waits above."""
        if self._plain:
            self._flush()
        elif self.producer is not None:
            self.producer.resumeProducing()

    # --- the producer above ---------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take data from ``producer`` until it is unregistered.  RuntimeError where
        there is one already."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self._producer_is_paused = False
        if self._engine.is_open:
            self._serve_producer()
        else:
            self._press()

    def unregisterProducer(self) -> None:
        """The producer has written all it had."""
        self.producer = None
        if self._is_pulling:
            self._detach()
            if not self.disconnected:
                self._attach()
        if not self._is_corked:
            self._flush()

    def _serve_producer(self) -> None:
        """Let the producer, if there is one, work: the handshake is complete."""
        if self.producer is None or self._engine.has_closed:
            return
        if self.streamingProducer:
            self._press()
        elif not self._is_pulling:
            self._detach()
            self._is_attached = self._is_pulling = True
            self.lower.registerProducer(_Pump(self), False)

    def _press(self) -> None:
        """Pause a streaming producer while its data cannot leave."""
        if (
            self.producer is not None
            and self.streamingProducer
            and not self._producer_is_paused
            and (self._lower_is_full or self._plain_octets > BUFFER_OCTETS)
        ):
            self._producer_is_paused = True
            self.producer.pauseProducing()

    def _relieve(self) -> None:
        """Let a streaming producer go on once its data has left."""
        if (
            self._producer_is_paused
            and self.producer is not None
            and not self._lower_is_full
            and self._plain_octets <= BUFFER_OCTETS
        ):
            self._producer_is_paused = False
            self.producer.resumeProducing()

    def _stop_producer(self) -> None:
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
