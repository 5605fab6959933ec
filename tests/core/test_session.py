"""Tests for ``netservices.core.session``."""

from __future__ import annotations

import ssl
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.dialogue import Then
from netservices.core.session import CLOSE_SECONDS, LineFactory, LineSession
from netservices.core.wheel import Wheel
from netservices.testing import DialogueMixin, Peer
from netservices.tls.identity import load_pem
from tests.core.talk import Say, Talk, make_talk
from tests.tls.authority import Authority


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


class OrderTests(TalkTests):
    """Lines in, replies out."""

    def test_conversation(self) -> None:
        """Replies come in the order of the lines, however these are cut."""
        self.assert_dialogue("""
            S: 220 hello
            C: ECHO one
            S: 200 one
            C: AWAIT two
            S: 200 two
            C: SILENT
            C: NONSENSE
            S: 500 no NONSENSE
            C: REFUSE
            S: 550 Refused
            C: QUIT
            S: 221 bye
            S: <closes>
        """)

    def test_literal(self) -> None:
        """A literal is octets, whatever it looks like; lines follow it at once."""
        self.assert_dialogue("""
            S: 220 hello
            C: LIT 6
            S: + go on
            C: QUIT
            S: 200 literal b'QUIT...'
            C: LIT 0
            S: + go on
            S: 200 literal b''
            C: ECHO x
            S: 200 x
        """)

    def test_overlong(self) -> None:
        """An overlong line is answered once; the next line is whole."""
        self.assert_dialogue(f"""
            S: 220 hello
            C: ECHO {"x" * 59}
            S: 200 {"x" * 59}
            C: ECHO {"x" * 60}
            S: 500 too long
            C: {"y" * 5000}
            S: 500 too long
            C: ECHO z
            S: 200 z
        """)

    def test_one_write_a_segment(self) -> None:
        """All replies to one segment leave in one write."""
        peer = self.connect()
        peer.transport.arrive(b"ECHO a\r\nAWAIT b\r\nREFUSE\r\nNOOP\r\n")
        replies = b"200 a\r\n200 b\r\n550 Refused\r\n200 ok\r\n"
        self.assertEqual([replies], peer.transport.writes)

    def test_no_delay(self) -> None:
        """Small replies are not held back by the kernel."""
        self.assertTrue(self.connect().transport.no_delay)

    def test_nothing_after_close(self) -> None:
        """Lines behind QUIT are not handled."""
        peer = self.connect()
        peer.send(b"QUIT\r\nECHO x\r\n")
        peer.send(b"ECHO y\r\n")
        self.assertEqual(["221 bye"], peer.receive_lines())
        self.assertEqual([b"QUIT"], self.talk.handled)
        self.assertTrue(peer.is_closed)

    @given(
        st.lists(
            st.sampled_from(
                [b"ECHO x", b"AWAIT y", b"SILENT", b"REFUSE", b"LIT 5", b"z" * 99, b""]
            ),
            max_size=8,
        ),
        st.lists(st.integers(0, 300), max_size=8),
    )
    def test_any_cut(self, lines: list[bytes], cuts: list[int]) -> None:
        """Whole, octet by octet or cut anywhere: the replies are the same."""
        data = b"\r\n".join([*lines, b"", b"QUIT\r\n" * 2])
        places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
        pieces = [data[a:b] for a, b in zip(places, places[1:], strict=False)]
        said = []
        for segments in ([data], [data[n : n + 1] for n in range(len(data))], pieces):
            peer = Peer(make_talk)
            for segment in segments:
                peer.send(segment)
            said.append(peer.receive())
        self.assertEqual(said[0], said[1])
        self.assertEqual(said[0], said[2])

    def test_rests(self) -> None:
        """After some hundreds of lines others are served; then it goes on."""
        peer = self.connect()
        peer.transport.arrive(b"ECHO x\r\n" * 2000)
        self.assertTrue(0 < len(self.talk.handled) < 2000)
        peer.turn()
        self.assertEqual(2000, len(self.talk.handled))
        self.assertEqual(["200 x"] * 2000, peer.receive_lines())


class WaitingTests(TalkTests):
    """Answers that take time."""

    def test_wait(self) -> None:
        """The next line is handled only when the answer to this one is known."""
        peer = self.connect()
        peer.send(b"WAIT\r\nECHO next\r\n")
        self.assertEqual(["150 wait"], peer.receive_lines())
        self.assertEqual([b"WAIT"], self.talk.handled)
        self.talk.fire()
        self.assertEqual(["226 done", "200 next"], peer.receive_lines())

    def test_no_deferred_where_none_waits(self) -> None:
        """A coroutine that does not wait is answered without a Deferred."""
        peer = self.connect()
        self.patch(LineSession, "_wait_for", None)
        peer.send(b"AWAIT x\r\n")
        self.assertEqual(["200 x"], peer.receive_lines())

    def test_overtakes(self) -> None:
        """NOOP is answered while WAIT waits; a line in between keeps its place.
        RFC 959 4.1.3."""
        peer = self.connect()
        peer.send(b"WAIT\r\n")
        peer.send(b"ECHO later\r\nNO")
        peer.send(b"OP\r\n")
        self.assertEqual(["150 wait", "200 ok"], peer.receive_lines())
        self.talk.fire()
        self.assertEqual(["226 done", "200 later"], peer.receive_lines())

    def test_overtakes_within_a_segment(self) -> None:
        """A line that came in the segment of the line that waits overtakes too."""
        peer = self.connect()
        peer.send(b"WAIT\r\nECHO later\r\nNOOP\r\nECHO last\r\n")
        self.assertEqual(["150 wait", "200 ok"], peer.receive_lines())
        self.talk.fire()
        expected = ["226 done", "200 later", "200 last"]
        self.assertEqual(expected, peer.receive_lines())

    def test_abort(self) -> None:
        """ABOR ends what runs: first its reply, then that to ABOR, then the rest.
        RFC 959 4.1.3."""
        peer = self.connect()
        peer.send(b"WAIT\r\nECHO x\r\nABOR\r\n")
        expected = ["150 wait", "426 aborted", "226 closed", "200 x"]
        self.assertEqual(expected, peer.receive_lines())

    def test_overtaking_line_waits(self) -> None:
        """Lines go on when the line that waits and the one that overtook it are both
        answered."""
        peer = self.connect()
        peer.send(b"WAIT\r\nSLOWABOR\r\nECHO x\r\n")
        self.talk.fire("226 first")
        self.assertEqual(["150 wait", "226 first"], peer.receive_lines())
        self.talk.fire("225 second")
        self.assertEqual(["225 second", "200 x"], peer.receive_lines())

    def test_overtaking_lines_are_bounded(self) -> None:
        """A flood of lines that overtake and wait stays where it is."""
        peer = self.connect()
        peer.send(b"WAIT\r\n" + b"SLOWABOR\r\n" * 100)
        for _ in range(50):
            peer.send(b"SLOWABOR\r\n")
        self.assertLess(len(self.talk.waiting), 20)

    def test_connection_lost(self) -> None:
        """What waits is cancelled, then the dialogue is told, once."""
        peer = self.connect()
        peer.send(b"WAIT\r\nSLOWABOR\r\n")
        peer.leave()
        self.assertEqual(["wait over", "ended"], self.talk.events)
        peer.session.connectionLost()
        self.assertEqual(1, self.talk.has_ended)
        self.assertEqual([], peer.clock.getDelayedCalls())

    def test_late_reply(self) -> None:
        """A word that comes when the connection is gone goes nowhere."""
        peer = self.connect()
        peer.leave()
        peer.session.say(Say("200 too late"))
        peer.session.close()
        peer.session.drain()
        self.assertEqual([], peer.transport.writes)
        self.assertEqual([], peer.clock.getDelayedCalls())


class ErrorTests(TalkTests):
    """Errors of a dialogue."""

    def test_families(self) -> None:
        """A refusal is answered and not logged as a failure; the session goes on."""
        peer = self.connect()
        peer.send(b"REFUSE\r\nECHO x\r\n")
        self.assertEqual(["550 Refused", "200 x"], peer.receive_lines())
        self.assertEqual([], self.flushLoggedErrors())

    def test_bug(self) -> None:
        """Anything else is logged once and answered; the session goes on."""
        peer = self.connect()
        peer.send(b"BUG\r\nECHO x\r\n")
        self.assertEqual(["451 local error", "200 x"], peer.receive_lines())
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_late_bug(self) -> None:
        """So is one that comes after a wait."""
        peer = self.connect()
        peer.send(b"LATEBUG\r\nECHO x\r\n")
        self.talk.fire()
        self.assertEqual(["451 local error", "200 x"], peer.receive_lines())
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_bug_in_the_answer_to_a_bug(self) -> None:
        """A dialogue that cannot even say so loses its connection."""
        peer = self.connect()
        self.patch(self.talk, "failed", lambda error: 1 / 0)
        peer.send(b"BUG\r\nECHO x\r\n")
        self.assertEqual([], peer.receive_lines())
        self.assertTrue(peer.is_closed)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_reply_that_cannot_be_encoded(self) -> None:
        """A reply that raises is a bug like any other."""
        peer = self.connect()
        peer.send(b"ECHO \xff\r\n")
        self.assertEqual(["200 \xff"], peer.receive_lines())
        self.patch(self.talk, "do_ECHO", lambda rest: Say("\udcff"))
        peer.send(b"ECHO x\r\nNOOP\r\n")
        self.assertEqual(["451 local error", "200 ok"], peer.receive_lines())
        self.assertEqual(1, len(self.flushLoggedErrors(UnicodeEncodeError)))
        self.patch(self.talk, "failed", lambda error: Say("\udcff"))
        peer.send(b"ECHO x\r\nNOOP\r\n")
        self.assertEqual([], peer.receive_lines())
        self.assertTrue(peer.is_closed)
        self.assertEqual(2, len(self.flushLoggedErrors(UnicodeEncodeError)))

    def test_bug_at_the_end(self) -> None:
        """A dialogue that fails to end is logged."""
        peer = self.connect()
        self.patch(self.talk, "ended", lambda: 1 / 0)
        peer.leave()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class TLSTests(TalkTests):
    """The switch to TLS, simulated; the real one is tested with real sockets."""

    def test_injection(self) -> None:
        """What came in the clear behind the command is discarded, a part of a line
        included.  RFC 3207 4.2, RFC 4217 15.1."""
        peer = self.connect()
        peer.send(b"TLS\r\nECHO injected\r\nECHO pre")
        self.assertEqual(["234 go"], peer.receive_lines())
        self.assertFalse(peer.session.is_secure)
        peer.shake_hands()
        self.assertTrue(peer.session.is_secure)
        peer.send(b"ECHO fixed\r\n")
        self.assertEqual(["200 fixed"], peer.receive_lines())
        self.assertEqual([b"TLS", b"ECHO fixed"], self.talk.handled)
        self.assertEqual(1, self.talk.was_secured)

    def test_transcript(self) -> None:
        """The session goes on in TLS."""
        self.assert_dialogue("""
            S: 220 hello
            C: TLS
            S: 234 go
            C & S: <TLS>
            C: ECHO x
            S: 200 x
        """)

    def test_silence(self) -> None:
        """A peer that never completes the handshake is dropped."""
        peer = self.connect(idle_seconds=60)
        peer.send(b"TLS\r\n")
        peer.receive()
        peer.wait(62)
        self.assertTrue(peer.is_closed)
        self.assertEqual(0, self.talk.was_secured)

    def test_no_context(self) -> None:
        """A dialogue that offers TLS without a certificate ends, and the log says
        so."""
        peer = self.connect(tls_context=None)
        peer.send(b"TLS\r\nECHO x\r\n")
        peer.receive()
        self.assertTrue(peer.is_closed)
        self.assertEqual([b"TLS"], self.talk.handled)


class TimeTests(TalkTests):
    """Silence, and the end of the server."""

    def test_idle(self) -> None:
        """A silent peer is told and left; nothing stays behind."""
        self.assert_dialogue("""
            S: 220 hello
            C: ECHO x
            S: 200 x
            C: <waits 299 seconds>
            C: ECHO y
            S: 200 y
            C: <waits 302 seconds>
            S: 421 idle
            S: <closes>
        """)

    def test_nothing_stays_behind(self) -> None:
        """When the last session has ended no timer is left."""
        peer = self.connect(idle_seconds=5)
        peer.wait(7)
        self.assertEqual(["421 idle"], peer.receive_lines())
        self.assertEqual([], peer.clock.getDelayedCalls())
        self.assertEqual(0, len(peer.wheel))

    def test_trickle(self) -> None:
        """Octets that never make a line do not keep a session alive."""
        peer = self.connect(idle_seconds=10)
        for _ in range(12):
            peer.send(b"x")
            peer.wait(1)
        self.assertEqual(["421 idle"], peer.receive_lines())

    def test_waiting_is_not_idle(self) -> None:
        """A session that waits for its own server is not idle; its time begins with
        the answer."""
        peer = self.connect(idle_seconds=10)
        peer.send(b"WAIT\r\n")
        peer.wait(100)
        self.talk.fire()
        peer.wait(9)
        self.assertEqual(["150 wait", "226 done"], peer.receive_lines())
        peer.wait(3)
        self.assertEqual(["421 idle"], peer.receive_lines())

    def test_busy_is_not_idle(self) -> None:
        """Neither is one that is busy with something else."""
        peer = self.connect(idle_seconds=10)
        peer.session.is_busy = True
        peer.wait(100)
        self.assertFalse(peer.is_closed)
        peer.session.is_busy = False
        peer.wait(12)
        self.assertEqual(["421 idle"], peer.receive_lines())

    def test_shorter_patience(self) -> None:
        """The idle time can be changed, to a shorter one as well."""
        peer = self.connect(idle_seconds=1000)
        peer.session.idle_seconds = 5
        peer.wait(7)
        self.assertEqual(["421 idle"], peer.receive_lines())

    def test_drain_idle(self) -> None:
        """An idle session says goodbye at once."""
        peer = self.connect()
        peer.session.drain()
        self.assertEqual(["421 going down"], peer.receive_lines())
        self.assertTrue(peer.is_closed)

    def test_drain_waiting(self) -> None:
        """One that waits finishes first; lines behind are not handled."""
        peer = self.connect()
        peer.send(b"WAIT\r\nECHO x\r\n")
        peer.session.drain()
        peer.session.drain()
        self.assertEqual(["150 wait"], peer.receive_lines())
        self.talk.fire()
        self.assertEqual(["226 done", "421 going down"], peer.receive_lines())
        self.assertTrue(peer.is_closed)

    def test_drain_busy(self) -> None:
        """One that is busy with something else finishes that first."""
        peer = self.connect()
        peer.session.is_busy = True
        peer.session.drain()
        self.assertEqual([], peer.receive_lines())
        peer.session.is_busy = False
        self.assertEqual(["421 going down"], peer.receive_lines())

    def test_drain_without_words(self) -> None:
        """A dialogue with nothing to say is closed all the same."""
        peer = self.connect()
        self.talk.farewell = None
        peer.session.drain()
        peer.receive()
        self.assertTrue(peer.is_closed)

    def test_drain_with_late_words(self) -> None:
        """Last words may take their time."""
        peer = self.connect()
        self.talk.farewell = self.talk.do_WAIT("")
        peer.session.drain()
        peer.send(b"ECHO x\r\n")
        self.assertFalse(peer.is_closed)
        self.talk.fire("421 at last")
        self.assertEqual(["150 wait", "421 at last"], peer.receive_lines())
        self.assertTrue(peer.is_closed)

    def test_drain_in_handshake(self) -> None:
        """In the middle of a handshake there are no words."""
        peer = self.connect()
        peer.send(b"TLS\r\n")
        peer.session.drain()
        self.assertEqual(["234 go"], peer.receive_lines())
        self.assertTrue(peer.is_closed)


class PressureTests(TalkTests):
    """Peers that send more than is handled, or do not read."""

    def test_input_is_bounded(self) -> None:
        """While a line waits no more is read than may be kept."""
        peer = self.connect(max_buffered_octets=1000)
        peer.send(b"WAIT\r\n")
        for _ in range(1000):
            peer.send(b"ECHO 123456\r\n")
        self.assertFalse(peer.transport.is_reading)
        self.assertLess(peer.session._buffer.octets, 1100)
        self.talk.fire()
        peer.turn()
        self.assertEqual(1002, len(peer.receive_lines()))
        self.assertTrue(peer.transport.is_reading)

    def test_peer_never_reads(self) -> None:
        """A peer that does not read its replies is not served any more, costs a bounded
        buffer, and is dropped when its time is over."""
        peer = self.connect(idle_seconds=60)
        peer.transport.arrive(b"BIG 10000\r\n" * 500)
        peer.turn()
        self.assertLess(sum(map(len, peer.transport.writes)), 256 * 1024)
        self.assertFalse(peer.transport.is_reading)
        self.assertLess(len(self.talk.handled), 30)
        peer.wait(62)
        self.assertTrue(peer.is_closed)
        self.assertEqual(1, self.talk.has_ended)
        self.assertEqual([], peer.clock.getDelayedCalls())

    def test_peer_reads_again(self) -> None:
        """When it reads again everything is answered, in order."""
        peer = self.connect()
        for number in range(100):
            peer.send(b"BIG 10000\r\nECHO %d\r\n" % number)
        lines = peer.receive_lines()
        numbers = [line for line in lines if line.startswith("200")]
        self.assertEqual([f"200 {number}" for number in range(100)], numbers)
        self.assertEqual(200, len(lines))

    def test_last_words_unread(self) -> None:
        """A peer that does not read the last words is cut off in the end."""
        peer = self.connect()
        peer.send(b"BIG 100000\r\nECHO x\r\n")
        peer.session.close()
        peer.wait(CLOSE_SECONDS - 1)
        self.assertFalse(peer.is_closed)
        peer.wait(3)
        self.assertTrue(peer.is_closed)
        self.assertEqual([], peer.clock.getDelayedCalls())

    def test_close_under_pressure(self) -> None:
        """A session that closes while its peer does not read still ends when the peer
        has read everything."""
        peer = self.connect()
        peer.send(b"BIG 100000\r\n")
        peer.session.drain()
        self.assertEqual(100000 + 2 + 16, len(peer.receive()))
        self.assertTrue(peer.is_closed)


class TraceTests(TalkTests):
    """What a trace shows."""

    def test_trace(self) -> None:
        """Every line of both sides, with the session's id, secrets masked."""
        seen: list[tuple[str, str, bytes]] = []
        peer = self.connect(
            trace=lambda *line: seen.append(line), session_id="s1", max_line_octets=20
        )
        peer.send(b"ECHO secret\r\nWAIT\r\nNOOP\r\n" + b"x" * 30 + b"\r\n")
        self.talk.fire("226-two\r\n226 lines")
        expected = [
            ("S", b"220 hello"),
            ("C", b"ECHO ****"),
            ("S", b"200 secret"),
            ("C", b"WAIT"),
            ("S", b"150 wait"),
            ("C", b"NOOP"),
            ("S", b"200 ok"),
            ("S", b"226-two"),
            ("S", b"226 lines"),
            ("C", b"(an overlong line)"),
            ("S", b"500 too long"),
        ]
        self.assertEqual([("s1", *line) for line in expected], seen)

    def test_session_ids(self) -> None:
        """Each session has an id of its own."""
        wheel = Wheel(self.connect().clock)
        ids = {make_talk(wheel).session_id for _ in range(1000)}
        self.assertEqual(1000, len(ids))


class FactoryTests(SynchronousTestCase):
    """``LineFactory``."""

    def test_live_sessions(self) -> None:
        """A factory knows the sessions that live."""
        made: list[LineSession] = []
        factory = LineFactory(lambda _address: made.pop())

        def make(wheel: Wheel) -> LineSession:
            made.append(make_talk(wheel))
            session = factory.buildProtocol(None)
            assert session is not None
            return session

        first, second = Peer(make), Peer(make)
        self.assertEqual({first.session, second.session}, factory.sessions)
        first.leave()
        self.assertEqual({second.session}, factory.sessions)
        second.transport.end(ConnectionDone())
        self.assertEqual(set(), factory.sessions)

    def test_refused(self) -> None:
        """No session, no connection."""
        self.assertIsNone(LineFactory(lambda _address: None).buildProtocol(None))


class IdleMemoryTests(SynchronousTestCase):
    """What an idle session holds."""

    def test_no_dictionary(self) -> None:
        """Sessions have slots only: no attribute comes back as a dictionary entry."""
        peer = Peer(make_talk)
        peer.send(b"ECHO x\r\nLIT 3\r\nabcTLS\r\n")
        self.assertEqual({}, vars(peer.session))

    def test_then_is_complete(self) -> None:
        """Every ``Then`` is tested here."""
        self.assertEqual({"CLOSE", "START_TLS", "TAKE_LITERAL"}, set(Then.__members__))


class Client:
    """A TLS client made of the standard library alone, at the end of a transport."""

    def __init__(self, transport: Any, context: ssl.SSLContext) -> None:
        self.transport = transport
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.coming, self.going, server_hostname="localhost"
        )
        transport.clear()

    def turn(self) -> None:
        """Carry what waits from one side to the other, and back."""
        if data := self.going.read():
            self.transport.protocol.dataReceived(data)
        self.coming.write(self.transport.value())
        self.transport.clear()

    def shake_hands(self) -> None:
        """The client's part of the handshake."""
        for _ in range(4):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.turn()
        self.turn()

    def ask(self, data: bytes) -> bytes:
        """What the server says to ``data``."""
        self.tls.write(data)
        self.turn()
        return self.tls.read(65536)


class RealTLSTests(SynchronousTestCase):
    """The switch to TLS with a real handshake, in memory."""

    def test_injection(self) -> None:
        """Octets sent in the clear behind the command are never answered, and the
        session goes on inside TLS.  RFC 3207 4.2, RFC 4217 15.1."""
        authority = Authority()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_pem(context, b"".join(authority.issue("localhost")))
        clock = Clock()
        session = make_talk(Wheel(clock), tls_context=lambda: context)
        plain = StringTransport()
        plain.protocol = session  # type: ignore[attr-defined]
        session.makeConnection(plain)
        session.dataReceived(b"TLS\r\nECHO injected\r\nECHO pre")
        self.assertEqual(b"220 hello\r\n234 go\r\n", plain.value())
        client = Client(plain, authority.client_context())
        client.shake_hands()
        self.assertTrue(session.is_secure)
        self.assertEqual(b"200 fixed\r\n", client.ask(b"ECHO fixed\r\n"))
        self.assertEqual(b"221 bye\r\n", client.ask(b"ECHO\r\nQUIT\r\n")[-9:])
        session.transport.connectionLost(Failure(ConnectionDone()))
        talk = session.dialogue
        assert isinstance(talk, Talk)
        self.assertNotIn(b"ECHO injected", talk.handled)
        self.assertEqual(1, talk.has_ended)
