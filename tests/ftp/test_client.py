"""The client's session, said and answered in memory."""

from __future__ import annotations

import ssl

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.python.failure import Failure

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import (
    Aborted,
    Digest,
    TLSRefused,
    TooLate,
    TooMuch,
    Unexpected,
    has_lost_connection,
    is_temporary,
)
from netservices.ftp.dialogue.channels import DataBroken, NoDataConnection
from netservices.ftp.wire import Reply
from netservices.values import NodeKind
from tests.ftp.client_kit import ClientCase, DataEnd


class CommandTests(ClientCase):
    """Commands without data connections."""

    def test_login(self) -> None:
        """USER, PASS and ACCT are said as far as the server wants them, then TYPE I and
        what FEAT calls for."""
        done = self.start(self.client.login("alice", b"secret", "books"))
        self.exchange(
            ("USER alice", "331 x"),
            ("PASS secret", "332 x"),
            ("ACCT books", "230 x"),
            ("TYPE I", "200 x"),
            ("FEAT", "211-x\n UTF8\n MLST type*;size*;modify;UNIX.mode;x;\n211 x"),
            ("OPTS UTF8 ON", "500 x"),
            ("OPTS MLST type;size;modify;UNIX.mode;", "200 x"),
        )
        self.successResultOf(done)

    def test_login_refused(self) -> None:
        """The reply is in the error, and neither password nor path is."""
        done = self.start(self.client.login("alice", b"secret"))
        self.exchange(("USER alice", "331 x"), ("PASS secret", "530 no"))
        problem = self.failureResultOf(done, Unexpected).value
        self.assertEqual("PASS: 530 no", str(problem))
        self.assertFalse(is_temporary(problem))

    def test_features(self) -> None:
        """FEAT is asked for once; a server without it has none."""
        self.log_in("MDTM, REST STREAM")
        found = self.successResultOf(self.start(self.client.features()))
        self.assertEqual({"MDTM": "", "REST": "STREAM"}, found)
        self.assertEqual("", self.said())
        self.connect()
        done = self.start(self.client.features())
        self.exchange(("FEAT", "502 x"))
        self.assertEqual({}, self.successResultOf(done))

    def test_size(self) -> None:
        """A size is a number of at most 18 digits."""
        done = self.start(self.client.size("/a"))
        self.exchange(("SIZE /a", "213 5000000000"))
        self.assertEqual(5_000_000_000, self.successResultOf(done))
        for text in ("-1", "1e3", "9" * 19, "", "\u0663"):
            done = self.start(self.client.size("/a"))
            self.exchange(("SIZE /a", f"213 {text}"))
            self.failureResultOf(done, SyntaxProblem)

    def test_times(self) -> None:
        """A time is set by MFMT, by MDTM, or by SITE UTIME, as FEAT says."""
        for features, command in (
            ("MFMT, MDTM", "MFMT 19700101000010 /a"),
            ("MDTM", "MDTM 19700101000010 /a"),
            ("", "SITE UTIME 19700101000010 /a"),
        ):
            self.connect()
            self.log_in(features)
            done = self.start(self.client.set_modified("/a", 10 * 10**9))
            self.exchange((command, "213 x" if features else "200 x"))
            self.successResultOf(done)
        done = self.start(self.client.modified("/a"))
        self.exchange(("MDTM /a", "213 19700101000010"))
        self.assertEqual(10 * 10**9, self.successResultOf(done))

    def test_entry(self) -> None:
        """One file is told of by MLST, or by SIZE and MDTM; a directory is what can be
        entered."""
        self.log_in("MLST type*;size*;modify*;UNIX.mode*;")
        done = self.start(self.client.entry("/d/a b"))
        reply = "250-x\n type=file;size=7;modify=19700101000010; /d/a b\n250 x"
        self.exchange(("MLST /d/a b", reply))
        entry = self.successResultOf(done)
        self.assertEqual(
            ("a b", 7, 10 * 10**9), (entry.name, entry.size, entry.mtime_ns)
        )
        self.connect()
        self.log_in("MDTM")
        done = self.start(self.client.entry("/d"))
        self.exchange(
            ("SIZE /d", "550 x"),
            ("PWD", '257 "/"'),
            ("CWD /d", "250 x"),
            ("CWD /", "250 x"),
        )
        self.assertIs(NodeKind.DIRECTORY, self.successResultOf(done).kind)

    def test_digest(self) -> None:
        """The best algorithm on offer is chosen, once; without HASH there is none."""
        self.log_in("HASH MD5*;SHA-1;SHA-256")
        done = self.start(self.client.digest("/a"))
        value = "AB" * 32
        self.exchange(
            ("OPTS HASH SHA-256", "200 x"),
            ("HASH /a", f"213 SHA-256 0-49 {value} /a"),
        )
        self.assertEqual(Digest("SHA-256", value.lower()), self.successResultOf(done))
        done = self.start(self.client.digest("/a"))
        self.exchange(("HASH /a", "213 nonsense"))
        self.failureResultOf(done, SyntaxProblem)
        self.connect()
        self.log_in()
        done = self.start(self.client.digest("/a"))
        self.assertIsNone(self.successResultOf(done))

    def test_no_line_ends_in_commands(self) -> None:
        """A name cannot smuggle in a second command."""
        for name in ("a\nDELE b", "a\0b", "a\r\nb"):
            self.failureResultOf(self.start(self.client.delete(name)), ValueError)
        self.assertEqual("", self.said())

    def test_octets_of_names(self) -> None:
        """Octets that are not UTF-8 go out as they came in; 255 is doubled, and CR is
        followed by NUL (RFC 2640 3.1)."""
        self.start(self.client.delete("\udcff\rx\udce9"))
        self.assertEqual(b"DELE \xff\xff\r\0x\xe9\r\n", self.transport.value())

    def test_trace(self) -> None:
        """A trace has every line, and stars for passwords."""
        lines = []
        self.control.trace = lambda who, text: lines.append(f"{who}: {text}")
        self.log_in()
        self.assertIn("C: PASS ***", lines)
        self.assertIn("S: 230 x", lines)
        self.assertNotIn("secret", "\n".join(lines))


class HostileTests(ClientCase):
    """Servers that send too much, too little, or nonsense."""

    def assert_dropped(self, problem: type[Exception], *data: bytes) -> None:
        """A command fails so, and the connection is given up, after such octets."""
        done = self.start(self.client.noop())
        for piece in data:
            self.control.dataReceived(piece)
        failure = self.failureResultOf(done, problem)
        self.assertTrue(has_lost_connection(failure.value))
        self.assertFalse(self.control.is_usable)
        self.assertTrue(self.transport.disconnecting)
        self.failureResultOf(self.start(self.client.noop()), problem)

    def test_endless_line(self) -> None:
        """A line longer than ``line_octets`` ends the session."""
        self.assert_dropped(TooMuch, b"200 ", b"x" * 20_000)

    def test_endless_reply(self) -> None:
        """A reply of more than ``reply_lines`` lines ends it, too."""
        self.assert_dropped(SyntaxProblem, b"200-x\r\n", b" x\r\n" * 2_001)

    def test_large_reply(self) -> None:
        """And so does one of more than ``reply_octets``."""
        self.assert_dropped(TooMuch, b"200-x\r\n", (b"x" * 10_000 + b"\r\n") * 200)

    def test_unsolicited_replies(self) -> None:
        """Replies that nobody asked for are kept up to ``pending_replies``."""
        self.control.dataReceived(b"200 x\r\n" * 32)
        self.assertTrue(self.control.is_usable)
        self.control.dataReceived(b"200 x\r\n")
        self.assertFalse(self.control.is_usable)

    def test_nonsense(self) -> None:
        """What is no reply ends the session."""
        self.assert_dropped(SyntaxProblem, b"HTTP/1.1 400 Bad Request\r\n")

    def test_silence(self) -> None:
        """A command is answered within ``reply_seconds``, or the session is over."""
        done = self.start(self.client.noop())
        self.reactor.advance(9)
        self.assertNoResult(done)
        self.reactor.advance(1)
        problem = self.failureResultOf(done, TooLate).value
        self.assertTrue(is_temporary(problem))
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_dripping(self) -> None:
        """A reply that never ends does not help the server: time is counted from the
        command."""
        done = self.start(self.client.noop())
        self.control.dataReceived(b"200-x\r\n")
        for _ in range(10):
            self.control.dataReceived(b" x\r\n")
            self.reactor.advance(1)
        self.failureResultOf(done, TooLate)

    def test_closed(self) -> None:
        """A server that hangs up fails the command that waits, and those after it."""
        done = self.start(self.client.noop())
        self.control.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(done, ConnectionDone)
        problem = self.failureResultOf(self.start(self.client.noop()), ConnectionDone)
        self.assertTrue(is_temporary(problem.value))

    def test_cancelled(self) -> None:
        """Whoever cancels a command ends the session: the next reply would be taken for
        that of another command."""
        done = self.start(self.client.noop())
        done.cancel()
        self.failureResultOf(done)
        self.assertFalse(self.control.is_usable)

    def test_two_at_once(self) -> None:
        """Two commands at once are a mistake of the program, and told as one."""
        self.start(self.client.noop())
        self.failureResultOf(self.start(self.client.noop()), RuntimeError)

    def test_421(self) -> None:
        """421 is temporary, and the end of the session."""
        done = self.start(self.client.noop())
        self.exchange(("NOOP", "421 too many"))
        problem = self.failureResultOf(done, Unexpected).value
        self.assertTrue(is_temporary(problem))
        self.assertTrue(has_lost_connection(problem))

    def test_no_tls(self) -> None:
        """A server without TLS is not talked to in the clear in its place."""
        done = self.start(self.client.secure(ssl.create_default_context()))
        self.exchange(("AUTH TLS", "502 x"))
        problem = self.failureResultOf(done, TLSRefused).value
        self.assertFalse(is_temporary(problem))


class PassiveTests(ClientCase):
    """Passive data connections."""

    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_download(self) -> None:
        """REST, RETR, octets, 226."""
        done = self.start(self.client.retrieve("/a", 5))
        data = self.data()
        self.exchange(("REST 5", "350 x"), ("RETR /a", "150 x"))
        data.send(b"he")
        data.send(b"llo")
        data.end()
        self.assertNoResult(done)
        self.answer("226 x")
        self.assertEqual(b"hello", self.successResultOf(done))
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_early_completion(self) -> None:
        """226 may overtake the last octets, or come without 150."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "226 x"))
        data.send(b"hello")
        self.assertNoResult(done)
        data.end()
        self.assertEqual(b"hello", self.successResultOf(done))

    def test_upload(self) -> None:
        """STOR, octets, the end, 226; APPE adds."""
        for verb, is_append in (("STOR", False), ("APPE", True)):
            done = self.start(self.client.store("/a", [b"x", b"y"], 0, is_append))
            data = self.data()
            self.exchange((f"{verb} /a", "150 x"))
            self.assertEqual(b"xy", data.transport.value())
            self.assertTrue(data.transport.disconnecting)
            data.end()
            self.assertNoResult(done)
            self.answer("226 x")
            self.successResultOf(done)

    def test_refused(self) -> None:
        """A refusal closes the data connection, and the session goes on."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "550 x"))
        self.failureResultOf(done, Unexpected)
        self.assertTrue(data.transport.disconnecting)
        done = self.start(self.client.noop())
        self.exchange(("NOOP", "200 x"))
        self.successResultOf(done)

    def test_reset(self) -> None:
        """A reset connection fails with what the server says of it."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "150 x"))
        data.send(b"he")
        data.end(is_clean=False)
        self.answer("426 gone")
        problem = self.failureResultOf(done, Unexpected).value
        self.assertEqual(426, problem.reply.code)
        self.assertTrue(is_temporary(problem))

    def test_reset_called_complete(self) -> None:
        """A download whose connection was reset is not complete, whatever the server
        says."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "150 x"))
        data.end(is_clean=False)
        self.answer("226 x")
        self.failureResultOf(done, DataBroken)

    def test_never_settled(self) -> None:
        """A server that does not answer for a broken transfer does not hide what went
        wrong; the session is over."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "150 x"))
        data.end(is_clean=False)
        self.reactor.advance(15)
        self.failureResultOf(done, DataBroken)
        self.assertFalse(self.control.is_usable)

    def test_upload_failed(self) -> None:
        """An upload is complete when the server says so, and not before."""
        done = self.start(self.client.store("/a", [b"x"]))
        data = self.data()
        self.exchange(("STOR /a", "150 x"))
        data.end()
        self.answer("552 full")
        self.failureResultOf(done, Unexpected)

    def test_stalled(self) -> None:
        """A connection on which nothing moves is given up after ``stall_seconds``."""
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "150 x"))
        for _ in range(5):
            data.send(b"x")
            self.reactor.advance(10)
        self.assertNoResult(done)
        self.reactor.advance(10)
        self.answer("426 x")
        self.failureResultOf(done, Unexpected)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_too_large(self) -> None:
        """A file that is fetched into memory has a limit."""
        self.connect(memory_octets=10)
        self.log_in()
        done = self.start(self.client.retrieve("/a"))
        data = self.data()
        self.exchange(("RETR /a", "150 x"))
        data.send(b"x" * 11)
        self.answer("426 x")
        self.failureResultOf(done, TooMuch)
        self.assertTrue(data.transport.disconnecting)

    def test_abort(self) -> None:
        """ABOR is said in a way that a busy server sees; after the replies to it the
        session goes on."""
        for replies in (("426 x", "226 x"), ("226 x", "225 x"), ("426 x",)):
            self.connect()
            self.log_in()
            done = self.start(self.client.retrieve("/a"))
            self.data()
            self.exchange(("RETR /a", "150 x"))
            self.client.abort()
            self.assertEqual(b"\xff\xf4\xff\xf2ABOR\r\n", self.transport.value())
            self.transport.clear()
            self.answer(*replies)
            self.exchange(("NOOP", "200 x"))
            self.failureResultOf(done, Aborted)

    def test_address_of_227(self) -> None:
        """EPSV is given up when it is refused; the host that 227 names is not
        contacted, only its port at the server's own address (RFC 2577 3)."""
        done = self.start(self.client.retrieve("/a"))
        self.exchange(("EPSV", "500 x"), ("PASV", "227 x (10,1,2,3,4,5)"))
        host, port, factory, _seconds, _address = self.reactor.tcpClients[-1]
        self.assertEqual((self.peer, 4 * 256 + 5), (host, port))
        data = DataEnd(factory.buildProtocol(None), host)
        self.exchange(("RETR /a", "150 x"))
        data.end()
        self.answer("226 x")
        self.successResultOf(done)
        self.start(self.client.retrieve("/a"))
        self.assertEqual("PASV\n", self.said())

    def test_no_port(self) -> None:
        """A reply without a port is nonsense, and none is guessed."""
        for reply in ("229 x", "229 x (|||0|)", "229 x (|||99999|)"):
            done = self.start(self.client.retrieve("/a"))
            self.exchange(("EPSV", reply))
            self.failureResultOf(done, SyntaxProblem)
        self.assertEqual([], self.reactor.tcpClients)

    def test_no_connection(self) -> None:
        """A port that nobody answers fails before the command is said."""
        done = self.start(self.client.retrieve("/a"))
        self.exchange(("EPSV", "229 x (|||5000|)"))
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        problem = self.failureResultOf(done, NoDataConnection).value
        self.assertTrue(is_temporary(problem))
        self.assertEqual("", self.said())


class V6Tests(ClientCase):
    """Over IPv6 there is no PASV to fall back to."""

    peer, local = "2001:db8::1", "2001:db8::99"

    def test_refused(self) -> None:
        """EPSV refused is refused."""
        self.log_in()
        done = self.start(self.client.retrieve("/a"))
        self.exchange(("EPSV", "500 x"))
        self.failureResultOf(done, Unexpected)

    def test_active(self) -> None:
        """EPRT names the family and our address."""
        self.log_in()
        self.client.data.is_active = True
        self.start(self.client.retrieve("/a"))
        self.assertEqual("EPRT |2|2001:db8::99|0|\n", self.said())


class ActiveTests(ClientCase):
    """Active data connections."""

    def setUp(self) -> None:
        super().setUp()
        self.log_in()
        self.client.data.is_active = True

    def begin(self) -> object:
        """A download that waits for its connection."""
        done = self.start(self.client.retrieve("/a"))
        self.exchange(("EPRT |1|192.0.2.99|0|", "200 x"), ("RETR /a", "150 x"))
        return done

    def test_download(self) -> None:
        """The server connects; strangers are turned away meanwhile."""
        done = self.begin()
        factory = self.reactor.tcpServers[-1][1]
        stranger = IPv4Address("TCP", "192.0.2.7", 20)
        self.assertIsNone(factory.buildProtocol(stranger))
        protocol = factory.buildProtocol(IPv4Address("TCP", self.peer, 20))
        data = DataEnd(protocol, self.peer)
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", self.peer, 20)))
        data.send(b"hello")
        data.end()
        self.answer("226 x")
        self.assertEqual(b"hello", self.successResultOf(done))

    def test_fallback(self) -> None:
        """PORT is for servers without EPRT."""
        self.start(self.client.retrieve("/a"))
        self.exchange(("EPRT |1|192.0.2.99|0|", "500 x"))
        self.assertEqual("PORT 192,0,2,99,0,0\n", self.said())

    def test_never_connects(self) -> None:
        """A server that says 150 and does not connect is given up."""
        done = self.begin()
        self.reactor.advance(30)
        self.answer("425 x")
        self.failureResultOf(done)
        self.assertEqual([], self.reactor.getDelayedCalls())


class TemporaryTests(ClientCase):
    """What may succeed later."""

    def test_replies(self) -> None:
        """4yz is for a while, 5yz for good."""
        self.assertTrue(is_temporary(Unexpected("STOR a", Reply(452, "x"))))
        self.assertFalse(is_temporary(Unexpected("STOR a", Reply(553, "x"))))
        self.assertFalse(is_temporary(KeyError()))
