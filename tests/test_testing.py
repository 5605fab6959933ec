"""Tests for ``netservices.testing``, the public test kit."""

from __future__ import annotations

import os
import socket
from ftplib import FTP
from pathlib import Path
from typing import Any

import dns.message
import dns.query
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.session import LineSession
from netservices.core.wheel import Wheel
from netservices.dns.zonefile import ZoneFileError
from netservices.testing import (
    DialogueMixin,
    MemoryStore,
    Peer,
    assert_dialogue,
    running,
    running_process,
)
from netservices.testing.transcripts import parse_transcript
from tests.core.talk import make_talk


class TranscriptTests(DialogueMixin, SynchronousTestCase):
    """Transcripts that hold, and those that do not."""

    def make_session(self, wheel: Wheel) -> LineSession:
        """A session with one of everything."""
        return make_talk(wheel, idle_seconds=60)

    def refused(self, transcript: str, **options: Any) -> str:
        """The complaint about a transcript that does not hold."""
        with self.assertRaises(AssertionError) as caught:
            self.assert_dialogue(transcript, **options)
        return str(caught.exception)

    def test_everything(self) -> None:
        """Wildcards, comments, TLS, silence and the end."""
        self.assert_dialogue("""
            # the greeting
            S: 220 ...

            C: ECHO a...b
            S: 200 a...
            C: TLS
            S: 234 go
            C & S: <negotiate a TLS session>
            C: ECHO inside
            S: ... inside
            C: <waits 62 seconds>
            S: 421 idle
            S: <closes>
        """)

    def test_client_leaves(self) -> None:
        """The client may end it."""
        self.assert_dialogue("""
            S: 220 hello
            C: ECHO x
            S: 200 x
            C: <closes>
        """)

    def test_wrong_reply(self) -> None:
        """The complaint shows what was expected and what was said, and how it was
        played."""
        complaint = self.refused("""
            S: 220 hello
            C: ECHO x
            S: 200 y
            C: NOOP
            S: 200 ok
        """)
        self.assertIn("played whole", complaint)
        self.assertIn("- S: 200 y\n", complaint)
        self.assertIn("+ S: 200 x\n", complaint)
        self.assertIn("  S: 200 ok", complaint)

    def test_missing_and_surplus(self) -> None:
        """A reply too few or too many is a difference."""
        self.assertIn("- S: 200 z", self.refused("S: 220 hello\nS: 200 z"))
        self.assertIn("+ S: 220 hello", self.refused("C: SILENT"))

    def test_unexpected_end(self) -> None:
        """A session that closes has to be expected to."""
        complaint = self.refused("S: 220 hello\nC: QUIT\nS: 221 bye")
        self.assertIn("+ S: <closes>", complaint)
        self.assertIn(
            "- S: <closes>",
            self.refused("S: 220 hello\nC: NOOP\nS: 200 ok\nS: <closes>"),
        )

    def test_each_way(self) -> None:
        """A session that minds how octets are cut is found out in each of the ways."""

        class Whole(LineSession):
            def dataReceived(self, data: bytes) -> None:
                if self.cut(data):
                    data = b"NONSENSE\r\n"
                super().dataReceived(data)

            def cut(self, data: bytes) -> bool:
                raise NotImplementedError

        class NeedsLines(Whole):
            def cut(self, data: bytes) -> bool:
                return not data.endswith(b"\n")

        class NeedsOneLine(Whole):
            def cut(self, data: bytes) -> bool:
                return data.count(b"\n") > 1

        text = "S: 220 hello\nC: ECHO x\nS: 200 x\nC: NOOP\nS: 200 ok"
        for session_class, way in ((NeedsLines, "bytes"), (NeedsOneLine, "pipelined")):

            def make(wheel: Wheel, made: Any = session_class) -> LineSession:
                return made(make_talk(wheel).dialogue, wheel=wheel)  # type: ignore[no-any-return]

            with self.assertRaises(AssertionError) as caught:
                assert_dialogue(text, make)
            self.assertIn(f"played {way}", str(caught.exception))
            assert_dialogue(text, make, ways=["whole"])

    def test_no_transcript(self) -> None:
        """A line that is neither the client's nor the server's is a mistake."""
        with self.assertRaises(ValueError) as caught:
            parse_transcript("S: 220\nX: what")
        self.assertIn("line 2", str(caught.exception))
        with self.assertRaises(ValueError):
            self.assert_dialogue("S: 220 hello\nC: <dances>")

    def test_without_session(self) -> None:
        """The mixin says what is missing."""
        with self.assertRaises(NotImplementedError):
            DialogueMixin().assert_dialogue("S: 220")


class PeerTests(SynchronousTestCase):
    """The other end in memory behaves as a real one does."""

    def test_end_comes_later(self) -> None:
        """``loseConnection`` does not call ``connectionLost`` itself."""
        peer = Peer(make_talk)
        peer.receive()
        peer.session.close()
        self.assertFalse(peer.is_closed)
        peer.turn()
        self.assertTrue(peer.is_closed)

    def test_clear_text_in_a_handshake(self) -> None:
        """Octets that are no TLS break the handshake."""
        peer = Peer(make_talk)
        peer.send(b"TLS\r\n")
        peer.receive()
        peer.send(b"ECHO in the clear\r\n")
        self.assertTrue(peer.is_closed)

    def test_unasked_handshake(self) -> None:
        """A handshake that nobody has asked for is a mistake of the test."""
        self.assertRaises(AssertionError, Peer(make_talk).shake_hands)

    def test_half_a_line(self) -> None:
        """A reply without its end is a bug of the session."""
        peer = Peer(make_talk)
        peer.transport.write(b"no end")
        self.assertRaises(AssertionError, peer.receive_lines)

    def test_text(self) -> None:
        """Only octets can be written."""
        self.assertRaises(TypeError, Peer(make_talk).transport.write, "text")

    def test_addresses(self) -> None:
        """The session sees the addresses that the test has chosen."""
        there = IPv4Address("TCP", "192.0.2.1", 1234)
        peer = Peer(make_talk, address=there)
        self.assertEqual(there, peer.session.transport.getPeer())


class StoreTests(SynchronousTestCase):
    """``MemoryStore``."""

    def test_open(self) -> None:
        """It is open, and everything has fired when it is returned."""
        store = MemoryStore()
        self.assertEqual("ready", store.state)
        self.successResultOf(store.values.put("test", b"key", b"value"))
        self.assertEqual(
            b"value", self.successResultOf(store.values.get("test", b"key"))
        )
        self.successResultOf(store.close())


class Greeting(Protocol):
    """Waits for the first line of a server."""

    def __init__(self) -> None:
        self.line: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        """Collect."""
        self._data += data
        if b"\n" in self._data and not self.line.called:
            self.line.callback(self._data)

    def connectionLost(self, reason: Any = None) -> None:
        """The end."""
        self.lost.callback(None)


class RunningTests(TestCase):
    """Real servers in this process."""

    @as_deferred
    async def test_greeting(self) -> None:
        """A server accepts connections when the Deferred fires; after ``stop`` its
        state is gone."""
        from twisted.internet import reactor

        server = await running(ftp=True, accounts=[("alice", "secret")])
        self.assertTrue(os.path.exists(server.state_directory))
        services = server.house.services
        assert services is not None
        account = await services.accounts.find("alice")
        self.assertEqual("alice@localhost", account and account.login)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port("ftp"))
        client = await connectProtocol(endpoint, Greeting())
        self.assertEqual(b"220", (await client.line)[:3])
        client.transport.loseConnection()
        await client.lost
        await server.stop()
        self.assertFalse(os.path.exists(server.state_directory))

    @as_deferred
    async def test_ports(self) -> None:
        """Every listener has a free port on the loopback interface, found by protocol
        and kind."""
        server = await running(dns=True)
        self.assertEqual({"dns"}, {name for name, *_ in server.addresses})
        self.assertEqual(
            {"127.0.0.1"}, {address for *_, address, _ in server.addresses}
        )
        self.assertNotEqual(0, server.port("dns", "udp"))
        self.assertEqual(server.port("dns"), server.addresses[0][3])
        self.assertRaises(LookupError, server.port, "dns", "unix")
        self.assertRaises(LookupError, server.port, "ftp")
        await server.stop()

    @as_deferred
    async def test_wrong_setting(self) -> None:
        """A setting that does not exist is reported, and nothing stays behind."""
        with self.assertRaises(ConfigurationError):
            await running(ftp=True, settings={"ftp.nonsense": 1})
        with self.assertRaises(TypeError):
            await running(gopher=True)


def resolve(name: str, port: int) -> str:
    """The address of ``name``, asked over TCP with another implementation."""
    query = dns.message.make_query(name, "A")
    reply = dns.query.tcp(query, "127.0.0.1", 10, port)
    return str(reply.answer[0][0])


class RunningProcessTests(SynchronousTestCase):
    """Real servers in a process of their own."""

    def test_ftp(self) -> None:
        """A synchronous client logs in; the process ends cleanly."""
        accounts = [("alice", "secret")]
        with running_process(ftp=True, accounts=accounts) as server, FTP() as client:
            client.connect("127.0.0.1", server.port("ftp"), timeout=30)
            self.assertEqual("230", client.login("alice", "secret")[:3])
            client.quit()
        self.assertEqual(0, server.process.returncode)
        with self.assertRaises(OSError), socket.socket() as probe:
            probe.connect(("127.0.0.1", server.port("ftp")))

    def test_zones(self) -> None:
        """Zones come as text, or as a file with what it includes; the first question
        is answered."""
        text = "@ 3600 SOA ns1 joe 1 2h 30m 2w 15m\n@ NS ns1\nns1 A 192.0.2.1\n"
        file = Path(self.mktemp())
        file.write_text(text)
        zones = {"example.org": text, "example.net.": file}
        with running_process(dns=True, zones=zones) as server:
            found = [
                resolve(f"ns1.{name}", server.port("dns", "tcp"))
                for name in ("example.org", "example.net")
            ]

        self.assertEqual(["192.0.2.1", "192.0.2.1"], found)

    def test_wrong_zones(self) -> None:
        """A zone with a mistake is refused with its name and line, and one that could
        not be served with the reason."""
        soa = "@ 3600 SOA ns1 joe 1 2h 30m 2w 15m\n"
        for text, complaint in (
            (soa + "@ NS ns1\nns1 A 192.0.2.300\n", "the zone example.org:3: "),
            (soa, "the zone example.org cannot be served: "),
        ):
            with (
                self.assertRaises((ZoneFileError, ValueError)) as caught,
                running_process(dns=True, zones={"example.org": text}),
            ):
                pass
            self.assertIn(complaint, str(caught.exception))

    def test_cannot_start(self) -> None:
        """What keeps a server from starting is in the error."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            settings = {"ftp.listen": f"tcp:{port}:interface=127.0.0.1"}
            with (
                self.assertRaises(AssertionError) as caught,
                running_process(ftp=True, settings=settings),
            ):
                pass
        self.assertIn(str(port), str(caught.exception))
