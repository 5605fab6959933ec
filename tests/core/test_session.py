"""Tests for ``netservices.core.session``."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.dialogue import Then
from netservices.core.session import CLOSE_SECONDS, LineFactory, LineSession
from netservices.core.wheel import Wheel
from netservices.testing import Peer
from netservices.tls.identity import load_pem
from tests.core.talk import Talk, TalkTests, make_talk
from tests.tls.authority import Authority


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

    def test_full_transport(self) -> None:
        """A transport that asks for a pause with the reply is replaced by TLS, which
        has pauses of its own: the session does not wait for the old one."""
        peer = self.connect()
        session = peer.session
        write = session.transport.write

        def full(data: bytes) -> None:
            write(data)
            session.pauseProducing()

        session.transport.write = full
        peer.send(b"TLS\r\n")
        session.transport.write = write
        peer.receive()
        peer.shake_hands()
        peer.send(b"ECHO x\r\n")
        self.assertEqual(["200 x"], peer.receive_lines())

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
        self.assertEqual(
            {"CLOSE", "START_TLS", "STOP_TLS", "TAKE_LITERAL"}, set(Then.__members__)
        )


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
