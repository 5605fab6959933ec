"""A Twisted protocol that drives any ``core.dialogue.Dialogue``.

Theory.  ``core.exchange`` handles lines; here are transport, time and limits.

Three bounds.  Input: while lines are held, reading stops at ``max_buffered_octets``.
Output: at ``_FLUSH_OCTETS`` replies are written in the middle of ``_work``; a transport
that is full asks for a pause, and until the peer has read nothing more is handled or
received.  Time: after ``_LINES_A_TURN`` lines the reactor serves others first.

A session that waits for an answer of its own is not idle.  The idle deadline moves when
a line is complete, not when an octet arrives, so that a line sent one octet a minute
does not keep a session alive.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from os import urandom
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.dialogue import Answer, Dialogue, Reply
from netservices.core.exchange import (
    ASIDE,
    BLOCKED,
    CLOSED,
    ENDING,
    LOOK_AHEAD_LINES,
    RESTING,
    SECURING,
    WAITING,
    Exchange,
)
from netservices.core.lines import LineBuffer
from netservices.core.trace import Trace, place
from netservices.core.wheel import Wheel
from netservices.tls.layer import HANDSHAKE_SECONDS, start_tls
from netservices.tls.plain import stop_tls

CLOSE_SECONDS = 30.0
"""How long a peer may take to read the last reply."""


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def make_session_id() -> str:
    """Eight random letters and digits that name a session in events and logs."""
    number = int.from_bytes(urandom(5), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in (30, 20, 10, 0)])


@implementer(IPushProducer)
class LineSession(Exchange, Protocol):
    """One connection of a line protocol.

    ``tls_context`` is what ``Then.START_TLS`` uses: a context, or a function that
    returns the one for the next handshake, which may take ``handshake_seconds``.
    ``trace`` sees every line, masked, and in angle brackets when the connection begins,
    is secured and ends.
    """

    __slots__ = (
        "_handshake_seconds",
        "_idle_seconds",
        "_is_busy",
        "_is_draining",
        "_is_paused",
        "_max_buffered_octets",
        "_tls_context",
        "_wheel",
        "connected",
        "deadline",
        "factory",
        "transport",
    )

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        wheel: Wheel,
        max_line_octets: int = 8192,
        bare_lf: bool = True,
        idle_seconds: float = 300.0,
        max_buffered_octets: int = 64 * 1024,
        tls_context: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
        handshake_seconds: float = HANDSHAKE_SECONDS,
        trace: Trace | None = None,
        session_id: str | None = None,
    ) -> None:
        buffer = LineBuffer(max_line_octets, bare_lf)
        super().__init__(dialogue, buffer, trace, session_id or make_session_id())
        self.transport: Any = None
        self.factory: Any = None
        self.connected = 0
        self.deadline = 0.0
        self._wheel = wheel
        self._idle_seconds = idle_seconds
        self._max_buffered_octets = max_buffered_octets
        self._tls_context = tls_context
        self._handshake_seconds = handshake_seconds
        self._is_paused = False
        self._is_busy = False
        self._is_draining = False

    # --- what servers and dialogues use ---------------------------------------------

    @property
    def is_secure(self) -> bool:
        """Whether what is sent now travels in TLS."""
        is_tls: bool = ISSLTransport.providedBy(self.transport)
        return is_tls and not self._holds & SECURING

    @property
    def idle_seconds(self) -> float:
        """How long the peer may be silent; setting it begins the time anew."""
        return self._idle_seconds

    @idle_seconds.setter
    def idle_seconds(self, seconds: float) -> None:
        self._idle_seconds = seconds
        if self.connected and not self._holds & CLOSED:
            self._touch()
            self._wheel.watch(self)

    @property
    def is_busy(self) -> bool:
        """Set while something runs that is not the answer to a line (a transfer): the
        session is not idle then, and does not drain."""
        return self._is_busy

    @is_busy.setter
    def is_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        if not is_busy:
            self._touch()
            self._drain_if_due()

    def say(self, reply: Reply) -> None:
        """Send a reply that is not the answer to a line; nothing once closed.

        It may mean that something runs now which a held line can overtake (FTP's 150,
        and ABOR): those are looked at once more.
        """
        self._reply(reply)
        self._looks_left = LOOK_AHEAD_LINES
        self._buffer.look_from_start()
        if not self._is_working and not self._holds & CLOSED:
            self._work()

    def drain(self) -> None:
        """Say goodbye and close: now, or when what runs has been answered."""
        self._is_draining = True
        self._drain_if_due()

    def close(self) -> None:
        """Handle nothing more; close once what was written has left."""
        if self._holds & CLOSED:
            return
        self._flush()
        self._holds |= CLOSED
        self._buffer.clear()
        if self.transport is not None:
            # A paused producer would keep Twisted's transports from closing.
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        if not self._has_ended:
            self.deadline = self._wheel.seconds() + CLOSE_SECONDS
            self._wheel.watch(self)

    def abort(self) -> None:
        """Drop the connection and whatever waits to be written."""
        self._holds |= CLOSED
        if self.transport is not None:
            self.transport.abortConnection()

    # --- what the transport calls ---------------------------------------------------

    def connectionMade(self) -> None:
        """The peer is there: greet it."""
        if self.factory is not None:
            self.factory.sessions.add(self)
        # UNIX sockets and pipes have no such delay.
        with suppress(AttributeError):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        if self._trace is not None:
            self._show("C", _connects(self.transport, self.is_secure))
        self._touch()
        self._wheel.watch(self)
        self._is_working = True
        self._ask(self.dialogue.greet)
        self._work()

    def dataReceived(self, data: bytes) -> None:
        """Octets of any number of lines, or of a part of one."""
        if self._holds & CLOSED:
            return
        self._buffer.feed(data)
        self._looks_left = LOOK_AHEAD_LINES
        if not self._is_working:
            self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: cancel what runs, and tell the dialogue, once."""
        if self._has_ended:
            return
        self._has_ended = True
        if self._trace is not None:
            is_clean = reason.check(ConnectionDone) is not None
            self._show(
                "S" if self._holds & CLOSED else "C",
                b"<closes>" if is_clean else b"<breaks off>",
            )
        self._holds |= CLOSED
        self._wheel.unwatch(self)
        self._buffer.clear()
        self._out.clear()
        self._literal = None
        for deferred in (self._main, *self._aside):
            if deferred is not None:
                deferred.cancel()
        try:
            self.dialogue.ended()
        except Exception:
            self._log.failure("{session} did not end well", session=self.session_id)
        if self.factory is not None:
            self.factory.sessions.discard(self)

    def pauseProducing(self) -> None:
        """The peer does not read: handle and receive nothing more."""
        self._holds |= BLOCKED
        self._regulate_input()

    def resumeProducing(self) -> None:
        """The peer has read what was written."""
        self._let_go(BLOCKED)

    def stopProducing(self) -> None:
        """The transport is going away; ``connectionLost`` follows."""

    def expired(self) -> None:
        """Called by the wheel: the deadline has passed."""
        if self._holds & (CLOSED | BLOCKED | SECURING):
            self.abort()
        elif self._is_busy or self._holds & (WAITING | ASIDE | RESTING):
            self._touch()
        else:
            self._say_last(self.dialogue.idle)

    def _flush(self) -> None:
        """Write every reply that waits."""
        if self._out:
            octets = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._out_octets = 0
            self.transport.write(octets)

    def _start_tls(self) -> None:
        """Discard what came in the clear, then shake hands."""
        self._flush()
        # RFC 3207 4.2, RFC 4217 15.1: nothing sent before the handshake counts.
        self._buffer.clear()
        context = self._tls_context
        if context is None:
            self._log.error("{session} has no TLS", session=self.session_id)
            self.close()
            return
        # Back-pressure is the new transport's from here on.
        self._holds = self._holds & ~BLOCKED | SECURING
        # A transport in memory switches by itself.
        switch = getattr(self.transport, "start_tls", start_tls)
        switch(
            self,
            context() if callable(context) else context,
            when_open=self._secured,
            handshake_seconds=self._handshake_seconds,
        )

    def _stop_tls(self) -> None:
        """End TLS, and discard what came before its end."""
        self._flush()
        self._buffer.clear()
        if not self.is_secure:
            self._log.error("{session} has no TLS to end", session=self.session_id)
            self.close()
            return
        self._holds = self._holds & ~BLOCKED | SECURING
        self._is_paused = False
        self.transport.unregisterProducer()
        switch = getattr(self.transport, "stop_tls", stop_tls)
        switch(self, when_plain=self._in_the_clear)

    def _in_the_clear(self) -> None:
        """TLS has ended on both sides."""
        self._holds &= ~SECURING
        self.transport.registerProducer(self, True)
        self._show("C & S", b"<no TLS>")
        self._let_go(0)

    def _secured(self, _layer: object) -> None:
        """The handshake is complete."""
        self._holds &= ~SECURING
        self._show("C & S", b"<TLS>")
        try:
            self.dialogue.secured()
        except Exception as error:
            self._fail(error)
        self._let_go(0)

    # --- time, and back-pressure ----------------------------------------------------

    def _touch(self) -> None:
        """The session is not idle."""
        if not self._holds & CLOSED:
            self.deadline = self._wheel.seconds() + self._idle_seconds

    def _drain_if_due(self) -> None:
        if not self._is_draining or self._holds & (CLOSED | ENDING):
            return
        if self._holds & SECURING:
            self.close()
        elif self._main is None and not self._aside and not self._is_busy:
            self._say_last(self.dialogue.draining)

    def _say_last(self, function: Callable[[], Answer]) -> None:
        """Ask for the last words, and close when they are said."""
        self._holds |= ENDING
        self._ask(function)
        if self._main is None:
            self.close()

    def _rest(self) -> None:
        """Let the reactor serve others, then go on."""
        self._holds |= RESTING
        self._wheel.soon(lambda: self._let_go(RESTING))

    def _regulate_input(self) -> None:
        """Read only what can be handled or kept."""
        holds = self._holds
        if not holds and not self._is_paused:
            return
        is_full = holds and self._buffer.octets >= self._max_buffered_octets
        should_pause = bool(is_full or holds & BLOCKED) and not holds & CLOSED
        if should_pause != self._is_paused:
            self._is_paused = should_pause
            if should_pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()


def _connects(transport: Any, is_secure: bool) -> bytes:
    """What a trace shows of a new connection."""
    words = [
        f"{word} {place(address)}"
        for word, address in (
            ("from", transport.getPeer()),
            ("to", transport.getHost()),
        )
        if hasattr(address, "port")
    ]
    words += ["with TLS"] if is_secure else []
    return " ".join(["<connects", *words]).encode() + b">"


class LineFactory(Factory):
    """Makes sessions with ``make_session(address)`` and knows those that live."""

    noisy = False

    def __init__(
        self, make_session: Callable[[IAddress | None], LineSession | None]
    ) -> None:
        self._make_session = make_session
        self.sessions: set[LineSession] = set()
        self.tls_context: Callable[[], ssl.SSLContext] | None = None
        """What a ``tls`` listener asks for the context of the next connection, in place
        of the context that all share."""

    def buildProtocol(self, addr: IAddress | None) -> LineSession | None:
        """A session for the peer at ``addr``; None refuses it."""
        session = self._make_session(addr)
        if session is not None:
            session.factory = self
        return session
