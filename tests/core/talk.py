"""A dialogue with one verb for everything that a session can be asked to do."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.dialogue import Answer, Then
from netservices.core.errors import ProtocolError, Refused
from netservices.core.session import LineSession
from netservices.core.wheel import Wheel
from netservices.testing import DialogueMixin, Peer


@frozen
class Say:
    """A reply."""

    text: str
    then: Then | None = None
    literal_octets: int = 0

    def encode(self) -> bytes:
        """One line."""
        return self.text.encode() + b"\r\n"


class Talk:
    """WAIT waits until ``fire``; ABOR and NOOP overtake it."""

    def __init__(self) -> None:
        self.session: LineSession
        self.waiting: list[Deferred[str]] = []
        self.handled: list[bytes] = []
        self.was_secured = 0
        self.has_ended = 0
        self.events: list[str] = []
        self.farewell: Answer = Say("421 going down", Then.CLOSE)

    def fire(self, text: str = "226 done") -> None:
        """The oldest WAIT is over."""
        self.waiting.pop(0).callback(text)

    def greet(self) -> Answer:
        """220."""
        return Say("220 hello")

    def handle(self, line: bytes) -> Answer:
        """Dispatch on the first word."""
        self.handled.append(line)
        verb, _, rest = line.decode("latin-1").partition(" ")
        do: Any = getattr(self, f"do_{verb}", None)
        return Say(f"500 no {verb}") if do is None else do(rest)

    def do_ECHO(self, rest: str) -> Answer:
        """Say it again."""
        return Say(f"200 {rest}")

    def do_BIG(self, rest: str) -> Answer:
        """Many octets."""
        return Say("2" * int(rest))

    def do_NOOP(self, _rest: str) -> Answer:
        """Nothing."""
        return Say("200 ok")

    def do_SILENT(self, _rest: str) -> Answer:
        """No reply at all."""
        return None

    async def do_AWAIT(self, rest: str) -> Say:
        """A coroutine that need not wait."""
        return Say(f"200 {rest}")

    async def do_WAIT(self, _rest: str) -> Say:
        """A coroutine that waits; a word in between."""
        self.session.say(Say("150 wait"))
        deferred: Deferred[str] = Deferred()
        self.waiting.append(deferred)
        try:
            return Say(await deferred)
        finally:
            self.events.append("wait over")

    async def do_ABOR(self, _rest: str) -> Say:
        """End the WAIT first."""
        if self.waiting:
            self.fire("426 aborted")
        return Say("226 closed")

    async def do_SLOWABOR(self, _rest: str) -> Say:
        """An overtaking line that waits itself."""
        deferred: Deferred[str] = Deferred()
        self.waiting.append(deferred)
        return Say(await deferred)

    def do_QUIT(self, _rest: str) -> Answer:
        """Close."""
        return Say("221 bye", Then.CLOSE)

    def do_TLS(self, _rest: str) -> Answer:
        """Switch."""
        return Say("234 go", Then.START_TLS)

    def do_LIT(self, rest: str) -> Answer:
        """Octets that are no lines."""
        return Say("+ go on", Then.TAKE_LITERAL, int(rest))

    def take_literal(self, octets: bytes) -> Answer:
        """The octets."""
        return Say(f"200 literal {octets!r}")

    def do_REFUSE(self, _rest: str) -> Answer:
        """One of the three families."""
        raise Refused("because")

    def do_BUG(self, _rest: str) -> Answer:
        """A mistake."""
        raise ValueError("a mistake")

    async def do_LATEBUG(self, _rest: str) -> Say:
        """A mistake after a wait."""
        deferred: Deferred[str] = Deferred()
        self.waiting.append(deferred)
        await deferred
        raise ValueError("a late mistake")

    def overtakes(self, line: bytes) -> bool:
        """ABOR and NOOP."""
        return line in (b"ABOR", b"NOOP", b"SLOWABOR")

    def masked(self, line: bytes) -> bytes:
        """ECHO is secret."""
        return b"ECHO ****" if line.startswith(b"ECHO") else line

    def secured(self) -> None:
        """TLS is up."""
        self.was_secured += 1

    def overlong(self) -> Answer:
        """500."""
        return Say("500 too long")

    def idle(self) -> Answer:
        """421."""
        return Say("421 idle", Then.CLOSE)

    def draining(self) -> Answer:
        """421."""
        return self.farewell

    def failed(self, error: BaseException) -> Answer:
        """451, or the text of a refusal."""
        if isinstance(error, ProtocolError):
            return Say(f"550 {type(error).__name__}")
        return Say("451 local error")

    def ended(self) -> None:
        """Count."""
        self.has_ended += 1
        self.events.append("ended")


def make_talk(wheel: Wheel, **options: Any) -> LineSession:
    """A session with a ``Talk``."""
    talk = Talk()
    options.setdefault("max_line_octets", 64)
    options.setdefault("tls_context", object())
    session = LineSession(talk, wheel=wheel, **options)
    talk.session = session
    return session


class TalkTests(DialogueMixin, SynchronousTestCase):
    """A session with a ``Talk``, and its peer in memory."""

    def make_session(self, wheel: Wheel) -> LineSession:
        """A new session, for transcripts."""
        return make_talk(wheel)

    def connect(self, **options: Any) -> Peer:
        """A peer that has read the greeting."""
        peer = Peer(lambda wheel: make_talk(wheel, **options))
        self.assertEqual(["220 hello"], peer.receive_lines())
        self.peer = peer
        talk = peer.session.dialogue
        assert isinstance(talk, Talk)
        self.talk = talk
        return peer
