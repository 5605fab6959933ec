"""Tests for ``netservices.core.exchange``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netservices.core.session import LineSession
from netservices.core.wheel import Wheel
from netservices.testing import Peer
from tests.core.talk import Say, TalkTests, make_talk


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


class TraceTests(TalkTests):
    """What a trace shows."""

    def test_trace(self) -> None:
        """Every line of both sides, with the session's id, secrets masked; and when the
        connection began and ended."""
        seen: list[tuple[str, str, bytes]] = []
        peer = self.connect(
            trace=lambda *line: seen.append(line), session_id="s1", max_line_octets=20
        )
        peer.send(b"ECHO secret\r\nWAIT\r\nNOOP\r\n" + b"x" * 30 + b"\r\n")
        self.talk.fire("226-two\r\n226 lines")
        peer.leave()
        expected = [
            ("C", b"<connects from 127.0.0.2:50000 to 127.0.0.1:21>"),
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
            ("C", b"<closes>"),
        ]
        self.assertEqual([("s1", *line) for line in expected], seen)

    def test_session_ids(self) -> None:
        """Each session has an id of its own."""
        wheel = Wheel(self.connect().clock)
        ids = {make_talk(wheel).session_id for _ in range(1000)}
        self.assertEqual(1000, len(ids))
