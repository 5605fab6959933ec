"""TLS between a transport and a protocol: on a listener from the first octet, or put
in between them while they talk (STARTTLS).

Theory.  The layer is a protocol to the transport below and a transport to the protocol
above.

* *One segment, one flush.*  While input is handled, writes from above only join the
  queue of plaintext; at its end they are encrypted together and leave in one write,
  with whatever the handshake has to say.
* *Ciphertext is made when it can leave.*  The transport below is asked to say when it
  is full; until it is empty again plaintext waits here, and the producer above is
  paused.  So a peer that never reads costs one piece (256 KiB) of ciphertext.
  A pull producer above is served by registering as a pull producer below: each turn in
  which the transport ran empty asks it for its next piece.
* *The end is part of the message.*  The peer's close_notify ends the connection with
  ``ConnectionDone``; an end without it is ``TLSTruncated``, a ``ConnectionLost``: what
  came before it may be incomplete (RFC 8446 6.1).  ``loseConnection`` waits for queue
  and producer, sends close_notify, closes its direction, and gives the peer
  ``close_seconds`` to answer.
* *Nothing from before counts.*  A layer starts with empty buffers, so what a peer sent
  in the clear behind its STARTTLS is never read as if it had been protected, provided
  that the caller has thrown away what it held itself (RFC 3207 4.2, RFC 4217 15.1).

With ``start_tls`` the protocol keeps its identity; its ``transport`` becomes the layer,
and ``when_open`` (and ``handshakeCompleted``, where the protocol is an
``IHandshakeListener``) tells it that the handshake is complete.  With ``TLSFactory``
the inner protocol is built only then: a peer that does not get through the handshake
costs no session.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.tls.engine import Engine
from netservices.tls.facts import Facts
from netservices.tls.flow import Flow

HANDSHAKE_SECONDS = 30.0
CLOSE_SECONDS = 5.0

FLUSH_SECONDS = 120.0
"""After ``loseConnection``, how long not one octet may leave."""

_TRUNCATED = "the peer ended the connection without close_notify"


class TLSTruncated(ConnectionLost):
    """The connection ended without close_notify: what was received may be
    incomplete."""


class TLSFailed(ConnectionLost):
    """The peer broke the protocol, or the handshake failed."""


@implementer(ISSLTransport, IConsumer, IPushProducer, IProtocol, IHalfCloseableProtocol)
class TLSLayer(Flow, Facts):
    """One TLS connection; see the module's theory.

    ``build`` makes the inner protocol once the handshake is complete, unless there is
    a ``protocol`` already.  An ``engine`` may have been fed with what has arrived.
    ``plain_answer`` is what a peer is told that speaks HTTP without TLS.
    """

    _log = Logger()
    TLS = True
    protocol: Any = None
    disconnected = False
    _timer: Any = None
    _failure: Failure | None = None
    _has_ended = False
    _unsent_before = -1
    _is_open = False
    _is_finished = False
    _all_has_left = False
    _peer_was_first = False
    _has_parted = False
    _when_left: Callable[[], None] | None = None

    goodbye_octets = 0
    """How long our last words were, after ``leave``."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = True,
        protocol: Any = None,
        build: Callable[[], Any] | None = None,
        when_open: Callable[[TLSLayer], None] | None = None,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
        engine: Engine | None = None,
        clock: Any = None,
        handshake_seconds: float = HANDSHAKE_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
        plain_answer: bytes = b"",
    ) -> None:
        super().__init__(
            engine or Engine(context, server_side, server_hostname, session)
        )
        self.context = context
        self.server_side = server_side
        self.protocol = protocol
        self._build = build
        self._when_open = when_open
        self._clock = clock
        self._handshake_seconds = handshake_seconds
        self._close_seconds = close_seconds
        self._plain_answer = plain_answer
        self._unread: list[bytes] = []

    # --- a protocol to the transport below ------------------------------------------

    def connectionMade(self) -> None:
        """Part of ``IProtocol``; ``makeConnection`` does the work."""

    def makeConnection(self, transport: Any) -> None:
        """Begin: a client speaks at once, a server waits for its peer."""
        self.lower = transport
        if self._clock is None:
            self._clock = getattr(transport, "reactor", None)
        self._attach()
        self._start_timer(self._handshake_seconds)
        if not self.server_side:
            self._engine.shake()
            self._flush()

    def dataReceived(self, data: bytes) -> None:
        """Ciphertext from the peer."""
        if self._failure is not None or self.disconnected:
            return
        self._is_corked = True
        try:
            try:
                found = self._engine.feed(data)
            except ssl.SSLError as error:
                self._broken(error)
                return
            if self._engine.is_open and not self._is_open:
                self._open()
            if found and not self.disconnecting:
                self._unread += found
            self._deliver()
        finally:
            self._is_corked = False
        self._flush()

    def readConnectionLost(self) -> None:
        """The peer's end of stream: the end, for TLS knows no other half-close than
        close_notify."""
        if self._end_waits:
            return  # what was held back comes first; the end follows it
        if self._failure is None and not self._engine.peer_closed:
            if not self._engine.has_closed:
                self._failure = Failure(TLSTruncated(_TRUNCATED))
            elif not self._all_has_left and getattr(self.lower, "unsent_octets", True):
                # With nothing unsent, it had our close_notify before it left.
                self._failure = Failure(ConnectionLost("the peer left too early"))
        self._stop_producer()
        self._drop_queue()
        self._finish(b"")

    def writeConnectionLost(self) -> None:
        """Everything up to our close_notify has gone to the kernel."""
        self._all_has_left = True
        if self._timer is not None:
            self._start_timer(self._close_seconds)

    def connectionLost(self, reason: Failure) -> None:
        """The transport below is gone."""
        self.disconnected = True
        self._stop_timer()
        self._stop_producer()
        self._drop_queue()
        protocol, self.protocol = self.protocol, None
        self._build = self._when_open = None
        if protocol is not None:
            protocol.connectionLost(self._reason(reason))

    def _reason(self, reason: Failure) -> Failure:
        """What the end of the transport below means up here."""
        if self._failure is not None:
            return self._failure
        if self._peer_was_first or self._has_parted:
            return Failure(ConnectionDone())
        if self._is_finished or self._engine.has_closed:
            return reason
        if not reason.check(ConnectionDone):
            return reason
        return Failure(TLSTruncated(_TRUNCATED))

    def logPrefix(self) -> str:
        """For Twisted's log."""
        return f"{type(self.protocol).__name__} over TLS"

    # --- what arrives ---------------------------------------------------------------

    def _open(self) -> None:
        """The handshake is complete."""
        self._is_open = True
        self._stop_timer()
        if self._build is not None:
            build, self._build = self._build, None
            self.protocol = build()
            if self.protocol is None:
                self.loseConnection()
            else:
                self.protocol.makeConnection(self)
        when_open, self._when_open = self._when_open, None
        if when_open is not None:
            when_open(self)
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()
        self._serve_producer()

    def _deliver(self) -> None:
        """Hand plaintext, then the peer's end, to the protocol above unless it has
        paused."""
        if self._is_paused and not self.disconnecting:
            return
        if self._unread:
            unread, self._unread = self._unread, []
            if self.protocol is not None and not self.disconnecting:
                self.protocol.dataReceived(
                    unread[0] if len(unread) == 1 else b"".join(unread)
                )
        if self._end_waits and (self.disconnecting or not self._is_paused):
            self._has_ended = True
            self._peer_ended()

    @property
    def _end_waits(self) -> bool:
        """Whether the peer's close_notify has come and nobody was told."""
        return self._engine.peer_closed and not self._has_ended and not self._when_left

    def _peer_ended(self) -> None:
        """close_notify has come."""
        # Whatever TCP has to say after both, nothing is missing.
        self._has_parted = self._engine.has_closed and (
            self._all_has_left or not getattr(self.lower, "unsent_octets", 1)
        )
        self._peer_was_first = not self.disconnecting
        if not self.disconnecting and self.protocol is not None:
            half_closeable = IHalfCloseableProtocol(self.protocol, None)
            if half_closeable is not None:
                # RFC 8446 6.1: the other direction stays open in TLS 1.3.
                half_closeable.readConnectionLost()
                return
        # As with TCP: what still waits goes to nobody.
        self._stop_producer()
        self._drop_queue()
        self._finish(self._engine.close())

    def _broken(self, error: ssl.SSLError) -> None:
        """The peer does not speak TLS, or not as it should."""
        reason = getattr(error, "verify_message", None) or error.reason or str(error)
        reason = reason.lower().replace("_", " ")
        stage = "TLS" if self._is_open else "TLS handshake"
        self._log.info(
            "{stage} with {peer} failed: {reason}",
            stage=stage,
            peer=_peer_name(self.lower),
            reason=reason,
        )
        self._failure = Failure(TLSFailed(f"{stage} failed: {reason}"))
        last_words = self._engine.take()
        if error.reason in ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"):
            last_words = self._plain_answer or last_words
        self._engine.has_closed = True
        self._stop_producer()
        self._drop_queue()
        self._finish(last_words)

    # --- the end --------------------------------------------------------------------

    def loseConnection(self) -> None:
        """Close once everything written has left and no producer is registered."""
        if self.disconnecting or self.disconnected or self.lower is None:
            return
        self.disconnecting = True
        if not self._engine.is_open and not self._plain:
            self._finish(self._engine.take())
        elif self._engine.has_closed:
            self._part(b"")
        elif not self._is_corked:
            self._close_when_drained()

    def drain(self) -> Any:
        """The server stops: tell the protocol above; end what is not open yet."""
        drain = getattr(self.protocol, "drain", None)
        if drain is not None:
            return drain()
        if not self._is_open:
            self.abortConnection()
        return None

    def loseWriteConnection(self) -> None:  # noqa: N802
        """Close our direction only: close_notify, then go on reading."""
        self._is_half_closing = True
        if not self._is_corked:
            self._close_when_drained()

    def abortConnection(self) -> None:
        """Drop the connection and whatever waits."""
        if not self.disconnected and self.lower is not None:
            self.disconnecting = True
            self.lower.abortConnection()

    @property
    def engine(self) -> Engine:
        """What encrypts and decrypts."""
        return self._engine

    def leave(self, when_left: Callable[[], None]) -> None:
        """Send what waits and close_notify, then let go of the transport below."""
        self._when_left = when_left
        self._is_paused = False
        self._unread.clear()
        self.loseWriteConnection()

    def _say_goodbye(self) -> None:
        """Everything has been written: send close_notify and wait for the peer's."""
        goodbye = self._engine.close()
        if self._when_left is not None:
            self._detach()
            self.goodbye_octets = len(goodbye)
            self.lower.write(goodbye)
            self._when_left()
        elif self.disconnecting:
            self._part(goodbye)
        else:
            self.lower.write(goodbye)

    def _part(self, goodbye: bytes) -> None:
        """Send ``goodbye`` and the end of stream; wait for the peer's."""
        if self._engine.peer_closed or self._clock is None or not self._close_seconds:
            self._finish(goodbye)
            return
        self._detach()
        if goodbye:
            self.lower.write(goodbye)
        self._start_timer(FLUSH_SECONDS)
        close_direction = getattr(self.lower, "loseWriteConnection", None)
        if close_direction is not None:
            close_direction()
        if self._is_paused or self._is_held:
            self.lower.resumeProducing()

    def _drop_queue(self) -> None:
        self._plain.clear()
        self._plain_octets = 0

    def _finish(self, last_words: bytes) -> None:
        """Close the transport below after ``last_words``."""
        self.disconnecting = self._is_finished = True
        self._detach()
        if last_words:
            self.lower.write(last_words)
        if self.lower is not None:
            self._start_timer(FLUSH_SECONDS)
            self.lower.loseConnection()

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        if self._clock is not None and seconds and not self.disconnected:
            self._timer = self._clock.callLater(seconds, self._expired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()

    def _expired(self) -> None:
        """The peer took too long for its handshake or its goodbye."""
        self._timer = None
        if self._all_has_left:
            self.lower.loseConnection()
            return
        unsent = getattr(self.lower, "unsent_octets", self._unsent_before)
        if self.disconnecting and unsent != self._unsent_before:
            # Slow, but alive.
            self._unsent_before = unsent
            self._start_timer(FLUSH_SECONDS)
            return
        if self._failure is None:
            stage = "end" if self._is_open else "handshake"
            self._failure = Failure(TLSFailed(f"TLS {stage} took too long"))
        self.lower.abortConnection()

    # --- reading, as the protocol above asks for it ---------------------------------

    def pauseProducing(self) -> None:
        """Deliver nothing until ``resumeProducing``."""
        self._is_paused = True
        self.lower.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver again."""
        self._is_paused = False
        if not self._unread and not self._end_waits:
            self._read_on()
        elif self._clock is not None:
            self._clock.callLater(0, self._deliver_held_back)
        else:
            self._deliver_held_back()

    def stopProducing(self) -> None:
        """The consumer of what arrives is gone."""
        self.loseConnection()

    def _deliver_held_back(self) -> None:
        """What was decrypted before the protocol above paused."""
        if self.disconnected or self._is_paused:
            return
        self._is_corked = True
        try:
            self._deliver()
        finally:
            self._is_corked = False
        self._flush()
        if not self._is_paused and not self.disconnected:
            self._read_on()

    def _read_on(self) -> None:
        if not self._is_held:
            self.lower.resumeProducing()


def _peer_name(transport: Any) -> str:
    """The peer's address for the log."""
    peer = transport.getPeer()
    return str(getattr(peer, "host", None) or getattr(peer, "name", peer))


def start_tls(protocol: Any, context: ssl.SSLContext, **options: Any) -> TLSLayer:
    """Put TLS between ``protocol`` and its transport; ``protocol.transport`` is the
    layer from now on.

    The caller throws away what it has received and not yet handled, and writes its
    go-ahead (``234``, ``220``, ``OK``) before.  ``options`` are those of ``TLSLayer``;
    ``when_open(layer)`` is called when the handshake is complete.  A producer that is
    registered on the transport moves to the layer.
    """
    lower = protocol.transport
    producer = getattr(lower, "producer", None)
    streaming = getattr(lower, "streamingProducer", getattr(lower, "streaming", True))
    if producer is not None:
        lower.unregisterProducer()
    layer = TLSLayer(context, protocol=protocol, **options)
    let_receive(lower, layer)
    protocol.transport = layer
    layer.makeConnection(lower)
    if producer is not None:
        layer.registerProducer(producer, bool(streaming))
    return layer


def let_receive(lower: Any, protocol: Any) -> None:
    """Deliver what ``lower`` receives to ``protocol``."""
    # Twisted's wrapping transports deliver to wrappedProtocol, all others to protocol.
    if hasattr(lower, "wrappedProtocol"):
        lower.wrappedProtocol = protocol
    else:
        lower.protocol = protocol


class TLSFactory:
    """Wraps a factory so that its protocols speak TLS from the first octet.

    ``context`` is a context, or a function that returns the one for the next
    connection (``certificates.server_context``: then ticket keys rotate).
    ``options`` are those of ``TLSLayer``.
    """

    noisy = False

    def __init__(
        self,
        factory: Any,
        context: ssl.SSLContext | Callable[[], ssl.SSLContext],
        **options: Any,
    ) -> None:
        self.factory = factory
        self._context = context
        self._options = options

    def buildProtocol(self, address: Any) -> TLSLayer:
        """The layer for one connection; its protocol is built after the handshake."""
        context = self._context
        if not isinstance(context, ssl.SSLContext):
            context = context()
        return TLSLayer(
            context, build=lambda: self.factory.buildProtocol(address), **self._options
        )

    def doStart(self) -> None:  # noqa: N802
        """A port begins to use the factory."""
        self.factory.doStart()

    def doStop(self) -> None:  # noqa: N802
        """A port has stopped using it."""
        self.factory.doStop()

    def __getattr__(self, name: str) -> Any:
        # Client factories are also told of connectors (startedConnecting, ...).
        return getattr(self.factory, name)
