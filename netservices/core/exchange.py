"""Lines in, replies out: the part of a session that needs no transport and no time.

Theory.  Whether the next line may be handled depends on one number, ``_holds``: the set
of reasons why it may not.  A line is taken from the buffer only while it is zero, so
that what is not handled stays *octets*: a literal may still claim them, a TLS switch
may still discard them, and a limit bounds them.

``_work`` is the only place where lines are handled.  It is never entered twice: what
happens inside it (a Deferred that fires while ABOR is handled, the transport asking for
a pause) changes ``_holds`` and ``_out``, and the loop that runs already sees it.
Replies gather in ``_out`` and leave in one write when ``_work`` is done.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

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

_LINES_A_TURN = 512
_FLUSH_OCTETS = 64 * 1024
LOOK_AHEAD_LINES = 32
"""How many held lines are looked at, after each segment, for one that overtakes."""
_MOST_ASIDE = 8
"""How many lines that overtook may wait for their answers at once."""

# Reasons why the next line is not handled now; ``_holds`` is a sum of them.
WAITING = 1  # the answer to a line is not known yet
ASIDE = 2  # nor is that to a line which overtook it
BLOCKED = 4  # the peer does not read what was written
SECURING = 8  # the TLS handshake, or its end, is under way
RESTING = 16  # others come first
ENDING = 32  # the last words are being found
CLOSED = 64  # the last words are written, or the connection is gone


class Exchange:
    """Drives a dialogue: takes lines from the buffer, gathers replies in ``_out``."""

    __slots__ = (
        "_aside",
        "_buffer",
        "_has_ended",
        "_holds",
        "_is_working",
        "_literal",
        "_literal_missing",
        "_looks_left",
        "_main",
        "_out",
        "_out_octets",
        "_trace",
        "dialogue",
        "session_id",
    )

    _log = Logger()

    def __init__(
        self,
        dialogue: Dialogue,
        buffer: LineBuffer,
        trace: Trace | None,
        session_id: str,
    ) -> None:
        self.dialogue = dialogue
        self.session_id = session_id
        self._buffer = buffer
        self._trace = trace
        self._out: list[bytes] = []
        self._out_octets = 0
        self._holds = 0
        self._main: Deferred[Reply | None] | None = None
        self._aside: list[Deferred[Reply | None]] = []
        self._literal: bytearray | None = None
        self._literal_missing = 0
        self._looks_left = 0
        self._is_working = False
        self._has_ended = False

    # --- what a session adds --------------------------------------------------------

    def close(self) -> None:
        """Handle nothing more; close once what was written has left."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Write every reply that waits."""
        raise NotImplementedError

    def _start_tls(self) -> None:
        """Discard what came in the clear, then shake hands."""
        raise NotImplementedError

    def _stop_tls(self) -> None:
        """Discard what came before the end of TLS, and end it."""
        raise NotImplementedError

    def _rest(self) -> None:
        """Let the reactor serve others, then go on."""
        raise NotImplementedError

    def _regulate_input(self) -> None:
        """Read only what can be handled or kept."""
        raise NotImplementedError

    def _touch(self) -> None:
        """The session is not idle."""
        raise NotImplementedError

    def _drain_if_due(self) -> None:
        """Say goodbye if that was asked for, and nothing runs."""
        raise NotImplementedError

    # --- lines in, replies out ------------------------------------------------------

    def _work(self) -> None:
        """Handle what may be handled; then write all replies at once."""
        self._is_working = True
        lines_left = _LINES_A_TURN
        while lines_left and (self._overtake() if self._holds else self._next()):
            lines_left -= 1
        self._is_working = False
        if lines_left < _LINES_A_TURN:
            if not lines_left and not self._holds & CLOSED:
                self._rest()
            self._touch()
        if self._out:
            self._flush()
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
        may_look = not self._holds & ~(WAITING | ASIDE) and self._main is not None
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
            self._holds |= WAITING
            self._looks_left = LOOK_AHEAD_LINES
            self._buffer.look_from_start()
        else:
            self._aside.append(deferred)
            self._holds |= ASIDE
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
            self._holds &= ~WAITING
        else:
            self._aside = [other for other in self._aside if other is not deferred]
            if not self._aside:
                self._holds &= ~ASIDE

    def _go_on(self) -> None:
        """Something that was waited for is there."""
        if self._holds & CLOSED:
            return
        self._touch()
        if self._holds & ENDING and self._main is None:
            self.close()
            return
        self._drain_if_due()
        if not self._is_working and not self._holds & CLOSED:
            self._work()

    def _let_go(self, hold: int) -> None:
        """A reason to hold lines is gone."""
        self._holds &= ~hold
        if not self._is_working and not self._holds & CLOSED:
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
        if self._holds & CLOSED:
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
        elif reply.then is Then.STOP_TLS:
            self._stop_tls()
        elif reply.then is Then.TAKE_LITERAL:
            self._literal = bytearray()
            self._literal_missing = cast(LiteralReply, reply).literal_octets
