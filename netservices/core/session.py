"""A Twisted protocol that drives any ``core.dialogue.Dialogue``.

Theory.  Whether the next line may be handled depends on one number, ``_holds``: the set
of reasons why it may not.  A line is taken from the buffer only while it is zero, so
that what is not handled stays *octets*: a literal may still claim them, a TLS switch
may still discard them, and a limit bounds them.

``_work`` is the only place where lines are handled.  It is never entered twice: what
happens inside it (a Deferred that fires while ABOR is handled, the transport asking for
a pause) changes ``_holds`` and ``_out``, and the loop that runs already sees it.
Replies gather in ``_out`` and leave in one write when ``_work`` is done.

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
from base64 import b32encode
from collections.abc import Callable
from contextlib import suppress
from enum import IntFlag
from os import urandom
from types import CoroutineType
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.deferreds import drive
from netservices.core.dialogue import (
    Answer,
    Dialogue,
    LiteralDialogue,
    LiteralReply,
    Reply,
    Then,
)
from netservices.core.errors import ProtocolError
from netservices.core.lines import LineBuffer
from netservices.core.trace import Trace
from netservices.core.wheel import Wheel
from netservices.tls.layer import start_tls

_LINES_A_TURN = 512
_FLUSH_OCTETS = 64 * 1024
_LOOK_AHEAD_LINES = 32
"""How many held lines are looked at, after each segment, for one that overtakes."""
_MOST_ASIDE = 8
"""How many lines that overtook may wait for their answers at once."""
CLOSE_SECONDS = 30.0
"""How long a peer may take to read the last reply."""


class _Hold(IntFlag):
    """A reason why the next line is not handled now."""

    WAITING = 1  # the answer to a line is not known yet
    ASIDE = 2  # nor is that to a line which overtook it
    BLOCKED = 4  # the peer does not read what was written
    SECURING = 8  # the TLS handshake is under way
    RESTING = 16  # others come first
    ENDING = 32  # the last words are being found
    CLOSED = 64  # the last words are written, or the connection is gone


_WAITING = int(_Hold.WAITING)
_ASIDE = int(_Hold.ASIDE)
_BLOCKED = int(_Hold.BLOCKED)
_SECURING = int(_Hold.SECURING)
_RESTING = int(_Hold.RESTING)
_ENDING = int(_Hold.ENDING)
_CLOSED = int(_Hold.CLOSED)


def make_session_id() -> str:
    """Eight random letters and digits that name a session in events and logs."""
    return b32encode(urandom(5)).decode("ascii").lower()


@implementer(IPushProducer)
class LineSession(Protocol):
    """One connection of a line protocol.

    ``tls_context`` is what ``Then.START_TLS`` uses: a context, or a function that
    returns the one for the next handshake.  ``trace`` sees every line, masked.
    """

    __slots__ = (
        "_aside",
        "_buffer",
        "_has_ended",
        "_holds",
        "_idle_seconds",
        "_is_busy",
        "_is_draining",
        "_is_paused",
        "_is_working",
        "_literal",
        "_literal_missing",
        "_looks_left",
        "_main",
        "_max_buffered_octets",
        "_out",
        "_out_octets",
        "_tls_context",
        "_trace",
        "_wheel",
        "connected",
        "deadline",
        "dialogue",
        "factory",
        "session_id",
        "transport",
    )

    _log = Logger()

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
        trace: Trace | None = None,
        session_id: str | None = None,
    ) -> None:
        self.dialogue = dialogue
        self.session_id = session_id or make_session_id()
        self.transport: Any = None
        self.factory: Any = None
        self.connected = 0
        self.deadline = 0.0
        self._wheel = wheel
        self._idle_seconds = idle_seconds
        self._max_buffered_octets = max_buffered_octets
        self._tls_context = tls_context
        self._trace = trace
        self._buffer = LineBuffer(max_line_octets, bare_lf)
        self._out: list[bytes] = []
        self._out_octets = 0
        self._holds = 0
        self._main: Deferred[Reply | None] | None = None
        self._aside: list[Deferred[Reply | None]] = []
        self._literal: bytearray | None = None
        self._literal_missing = 0
        self._looks_left = 0
        self._is_working = False
        self._is_paused = False
        self._is_busy = False
        self._is_draining = False
        self._has_ended = False

    # --- what servers and dialogues use ---------------------------------------------

    @property
    def is_secure(self) -> bool:
        """Whether what is sent now travels in TLS."""
        is_tls: bool = ISSLTransport.providedBy(self.transport)
        return is_tls and not self._holds & _SECURING

    @property
    def idle_seconds(self) -> float:
        """How long the peer may be silent; setting it begins the time anew."""
        return self._idle_seconds

    @idle_seconds.setter
    def idle_seconds(self, seconds: float) -> None:
        self._idle_seconds = seconds
        if self.connected and not self._holds & _CLOSED:
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
        """Send a reply that is not the answer to a line; nothing once closed."""
        self._reply(reply)
        if not self._is_working:
            self._flush()

    def drain(self) -> None:
        """Say goodbye and close: now, or when what runs has been answered."""
        self._is_draining = True
        self._drain_if_due()

    def close(self) -> None:
        """Handle nothing more; close once what was written has left."""
        if self._holds & _CLOSED:
            return
        self._flush()
        self._holds |= _CLOSED
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
        self._holds |= _CLOSED
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
        self._touch()
        self._wheel.watch(self)
        self._is_working = True
        self._ask(self.dialogue.greet)
        self._work()

    def dataReceived(self, data: bytes) -> None:
        """Octets of any number of lines, or of a part of one."""
        if self._holds & _CLOSED:
            return
        self._buffer.feed(data)
        self._looks_left = _LOOK_AHEAD_LINES
        if not self._is_working:
            self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: cancel what runs, and tell the dialogue, once."""
        if self._has_ended:
            return
        self._has_ended = True
        self._holds |= _CLOSED
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
        self._holds |= _BLOCKED
        self._regulate_input()

    def resumeProducing(self) -> None:
        """The peer has read what was written."""
        self._let_go(_BLOCKED)

    def stopProducing(self) -> None:
        """The transport is going away; ``connectionLost`` follows."""

    def expired(self) -> None:
        """Called by the wheel: the deadline has passed."""
        if self._holds & (_CLOSED | _BLOCKED | _SECURING):
            self.abort()
        elif self._is_busy or self._holds & (_WAITING | _ASIDE | _RESTING):
            self._touch()
        else:
            self._say_last(self.dialogue.idle)

    # --- lines in, replies out ------------------------------------------------------

    def _work(self) -> None:
        """Handle what may be handled; then write all replies at once."""
        self._is_working = True
        lines_left = _LINES_A_TURN
        while lines_left and (self._overtake() if self._holds else self._next()):
            lines_left -= 1
        self._is_working = False
        if lines_left < _LINES_A_TURN:
            if not lines_left and not self._holds & _CLOSED:
                self._holds |= _RESTING
                self._wheel.soon(lambda: self._let_go(_RESTING))
            self._touch()
        if self._out:
            self._flush()
        if self._holds or self._is_paused:
            self._regulate_input()

    def _next(self) -> bool:
        """Handle the next line or literal; whether there was one."""
        if self._literal is not None:
            return self._next_literal(self._literal)
        line = self._buffer.next_line()
        if line is None:
            return False
        if type(line) is not bytes:
            self._show("C", b"(an overlong line)")
            self._ask(self.dialogue.overlong)
            return True
        if self._trace is not None:
            self._show("C", self.dialogue.masked(line))
        try:
            answer: Any = self.dialogue.handle(line)
            if type(answer) is CoroutineType:
                answer = drive(answer)
        except Exception as error:
            self._fail(error)
            return True
        # Not isinstance: Deferred is an abstract class, for which that is slow.
        if type(answer) is Deferred:
            self._wait_for(answer)
        elif answer is not None:
            self._reply(answer)
        return True

    def _show(self, who: str, line: bytes) -> None:
        if self._trace is not None:
            self._trace(self.session_id, who, line)

    def _next_literal(self, literal: bytearray) -> bool:
        octets = self._buffer.take(self._literal_missing)
        literal += octets
        self._literal_missing -= len(octets)
        if self._literal_missing:
            if octets:
                self._touch()
            return False
        self._literal = None
        dialogue = cast(LiteralDialogue, self.dialogue)
        self._ask(dialogue.take_literal, bytes(literal))
        return True

    def _overtake(self) -> bool:
        """Handle the next line that may overtake; whether to look for another one."""
        may_look = not self._holds & ~(_WAITING | _ASIDE) and self._main is not None
        if not may_look or not self._looks_left or len(self._aside) >= _MOST_ASIDE:
            return False
        line = self._buffer.look_ahead()
        if line is None:
            return False
        self._looks_left -= 1
        try:
            if not self.dialogue.overtakes(line):
                return True
        except Exception as error:
            self._fail(error)
            return True
        self._buffer.remove_looked_at(line)
        if self._trace is not None:
            self._show("C", self.dialogue.masked(line))
        self._ask(self.dialogue.handle, line)
        return True

    def _ask(self, function: Callable[..., Answer], *args: Any) -> None:
        """Call ``function`` and reply, now or when its coroutine is done."""
        try:
            answer: Any = function(*args)
            if type(answer) is CoroutineType:
                answer = drive(answer)
        except Exception as error:
            self._fail(error)
        else:
            self._answer(answer)

    def _answer(self, answer: Any, is_apology: bool = False) -> None:
        """Reply, or wait for the reply."""
        if type(answer) is Deferred:
            self._wait_for(answer)
        elif answer is not None:
            self._reply(answer, is_apology)

    def _wait_for(self, deferred: Deferred[Reply | None]) -> None:
        if self._has_ended:
            deferred.addErrback(lambda _failure: None)
            deferred.cancel()
            return
        if self._main is None:
            self._main = deferred
            self._holds |= _WAITING
            self._looks_left = _LOOK_AHEAD_LINES
            self._buffer.look_from_start()
        else:
            self._aside.append(deferred)
            self._holds |= _ASIDE
        deferred.addCallbacks(
            self._found,
            self._not_found,
            callbackArgs=(deferred,),
            errbackArgs=(deferred,),
        )

    def _found(
        self, reply: Reply | None, deferred: Deferred[Reply | None] | None = None
    ) -> None:
        """A coroutine is done."""
        self._wait_no_longer(deferred)
        if reply is not None:
            self._reply(reply)
        self._go_on()

    def _not_found(
        self, failure: Failure, deferred: Deferred[Reply | None] | None = None
    ) -> None:
        """A coroutine has failed, or was cancelled with the connection."""
        self._wait_no_longer(deferred)
        if not self._has_ended:
            assert failure.value is not None
            self._fail(failure.value)
        self._go_on()

    def _wait_no_longer(self, deferred: Deferred[Reply | None] | None) -> None:
        if deferred is self._main:
            self._main = None
            self._holds &= ~_WAITING
        else:
            self._aside = [other for other in self._aside if other is not deferred]
            if not self._aside:
                self._holds &= ~_ASIDE

    def _go_on(self) -> None:
        """Something that was waited for is there."""
        if self._holds & _CLOSED:
            return
        self._touch()
        if self._holds & _ENDING and self._main is None:
            self.close()
            return
        self._drain_if_due()
        if not self._is_working and not self._holds & _CLOSED:
            self._work()

    def _let_go(self, hold: int) -> None:
        """A reason to hold lines is gone."""
        self._holds &= ~hold
        if not self._is_working and not self._holds & _CLOSED:
            self._work()

    def _fail(self, error: BaseException) -> None:
        """Answer an error; log it if it is none of the three families."""
        if not isinstance(error, ProtocolError):
            self._log.failure(
                "{session} met a bug", Failure(error), session=self.session_id
            )
        try:
            answer: Any = self.dialogue.failed(error)
            if type(answer) is CoroutineType:
                answer = drive(answer)
        except Exception:
            self._give_up()
            return
        self._answer(answer, is_apology=True)

    def _give_up(self) -> None:
        """Not even an error can be answered."""
        self._log.failure("{session} cannot go on", session=self.session_id)
        self.close()

    # --- replies --------------------------------------------------------------------

    def _reply(self, reply: Reply, is_apology: bool = False) -> None:
        """Note what a reply says, and do what it asks for."""
        if self._holds & _CLOSED:
            return
        try:
            octets = reply.encode()
        except Exception as error:
            if is_apology:
                self._give_up()
            else:
                self._fail(error)
            return
        self._out.append(octets)
        self._out_octets += len(octets)
        if self._trace is not None:
            for line in octets.removesuffix(b"\r\n").split(b"\r\n"):
                self._trace(self.session_id, "S", line)
        if reply.then is not None:
            self._obey(reply)
        elif self._out_octets >= _FLUSH_OCTETS:
            self._flush()

    def _obey(self, reply: Reply) -> None:
        if reply.then is Then.CLOSE:
            self.close()
        elif reply.then is Then.START_TLS:
            self._start_tls()
        elif reply.then is Then.TAKE_LITERAL:
            self._literal = bytearray()
            self._literal_missing = cast(LiteralReply, reply).literal_octets

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
        self._holds = self._holds & ~_BLOCKED | _SECURING
        # A transport in memory switches by itself.
        switch = getattr(self.transport, "start_tls", start_tls)
        switch(
            self,
            context() if callable(context) else context,
            when_open=self._secured,
        )

    def _secured(self, _layer: object) -> None:
        """The handshake is complete."""
        self._holds &= ~_SECURING
        try:
            self.dialogue.secured()
        except Exception as error:
            self._fail(error)
        self._let_go(0)

    # --- time, and back-pressure ----------------------------------------------------

    def _touch(self) -> None:
        """The session is not idle."""
        if not self._holds & _CLOSED:
            self.deadline = self._wheel.seconds() + self._idle_seconds

    def _drain_if_due(self) -> None:
        if not self._is_draining or self._holds & (_CLOSED | _ENDING):
            return
        if self._holds & _SECURING:
            self.close()
        elif self._main is None and not self._aside and not self._is_busy:
            self._say_last(self.dialogue.draining)

    def _say_last(self, function: Callable[[], Answer]) -> None:
        """Ask for the last words, and close when they are said."""
        self._holds |= _ENDING
        self._ask(function)
        if self._main is None:
            self.close()

    def _regulate_input(self) -> None:
        """Read only what can be handled or kept."""
        holds = self._holds
        is_full = holds and self._buffer.octets >= self._max_buffered_octets
        should_pause = bool(is_full or holds & _BLOCKED) and not holds & _CLOSED
        if should_pause != self._is_paused:
            self._is_paused = should_pause
            if should_pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()


class LineFactory(Factory):
    """Makes sessions with ``make_session(address)`` and knows those that live."""

    noisy = False

    def __init__(
        self, make_session: Callable[[IAddress | None], LineSession | None]
    ) -> None:
        self._make_session = make_session
        self.sessions: set[LineSession] = set()

    def buildProtocol(self, addr: IAddress | None) -> LineSession | None:
        """A session for the peer at ``addr``; None refuses it."""
        session = self._make_session(addr)
        if session is not None:
            session.factory = self
        return session
