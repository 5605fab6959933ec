"""Streams over memory, and the whole server on real sockets with foreign clients."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.datagram import DatagramPort
from netservices.dns.client.ask import Client, is_reply, make_query
from netservices.dns.client.problems import NoAnswer
from netservices.dns.server import make_server
from netservices.dns.server.stream import MESSAGES_A_TURN, StreamConnection
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import QR, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, make_authority, make_services, make_store
from tests.programs import located

reactor: Any = global_reactor
WWW = question("www.example.com.", "A")
BIG = "".join(f"big TXT {'x' * 200}{i:03}\n" for i in range(50))


def framed(*messages: bytes) -> bytes:
    """Messages behind their lengths; RFC 1035 4.2.2."""
    return b"".join(len(data).to_bytes(2, "big") + data for data in messages)


def unframed(data: bytes) -> list[bytes]:
    """The messages in a stream that is whole."""
    found = []
    while data:
        length = int.from_bytes(data[:2], "big")
        assert len(data) >= 2 + length
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    return found


class Wire(StringTransport):
    """A transport in memory that notes how it is closed, and counts writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.was_aborted = False

    def write(self, data: bytes) -> None:
        self.writes += 1
        super().write(data)

    def abortConnection(self) -> None:
        self.was_aborted = True
        super().abortConnection()


class StreamTests(SynchronousTestCase):
    """DNS over TCP without sockets; RFC 7766."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE + BIG)
        self.build()

    def build(self, **settings: Any) -> None:
        self.authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def connect(self) -> tuple[StreamConnection, Wire]:
        connection = self.authority.streams.buildProtocol(None)
        wire = Wire()
        connection.makeConnection(wire)
        return connection, wire

    def lose(self, connection: StreamConnection) -> None:
        connection.connectionLost(None)

    def expected(self, data: bytes) -> bytes:
        reply = self.authority.dialogue.answer(data, self.connect()[0].client)
        assert reply is not None
        return reply

    def test_one(self) -> None:
        """A question behind its length is answered the same way, in one write."""
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW))
        self.assertEqual([self.expected(WWW)], unframed(wire.value()))
        self.assertEqual(1, wire.writes)

    def test_every_split(self) -> None:
        """However the octets arrive, the answer is the same; RFC 7766 8."""
        expected = framed(self.expected(WWW), self.expected(WWW))
        data = framed(WWW, WWW)
        for split in range(len(data)):
            connection, wire = self.connect()
            connection.dataReceived(data[:split])
            connection.dataReceived(data[split:])
            self.assertEqual(expected, wire.value())
            self.lose(connection)
        connection, wire = self.connect()
        for octet in data:
            connection.dataReceived(bytes((octet,)))
        self.assertEqual(expected, wire.value())

    def test_pipelined(self) -> None:
        """Many questions in one segment are answered in one write.  RFC 7766
        6.2.1.1."""
        names = ("www", "mail", "ns1", "none")
        data = [question(f"{name}.example.com.", "A") for name in names]
        connection, wire = self.connect()
        connection.dataReceived(framed(*data))
        self.assertEqual([self.expected(d) for d in data], unframed(wire.value()))
        self.assertEqual(1, wire.writes)

    def test_turns(self) -> None:
        """A flood of questions is answered in turns, with no reading in between."""
        connection, wire = self.connect()
        count = 3 * MESSAGES_A_TURN + 5
        connection.dataReceived(framed(WWW) * count)
        self.assertEqual(MESSAGES_A_TURN, len(unframed(wire.value())))
        self.assertEqual("paused", wire.producerState)
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual(count, len(unframed(wire.value())))
        self.assertEqual("producing", wire.producerState)

    def test_big_answer(self) -> None:
        """What does not fit into a datagram comes whole."""
        connection, wire = self.connect()
        connection.dataReceived(framed(question("big.example.com.", "TXT")))
        (reply,) = unframed(wire.value())
        self.assertGreater(len(reply), 10000)
        self.assertEqual(50, len(Message.parse(reply).answer))

    def test_format_error(self) -> None:
        """A malformed question is answered, and the connection goes on."""
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW + b"x", WWW))
        replies = unframed(wire.value())
        self.assertEqual([1, 0], [Message.parse(data).rcode for data in replies])

    def test_nonsense(self) -> None:
        """What is no question at all ends the connection."""
        for data in (
            framed(b""),
            framed(b"short"),
            framed(WWW[:2] + b"\x80" + WWW[3:]),
        ):
            connection, wire = self.connect()
            connection.dataReceived(framed(WWW) + data + framed(WWW))
            self.assertEqual(1, len(unframed(wire.value())))
            self.assertTrue(wire.disconnecting)
            connection.dataReceived(framed(WWW))
            self.assertEqual(1, len(unframed(wire.value())))

    def test_too_long(self) -> None:
        """A message above ``max_query_octets`` ends the connection before it is
        read."""
        self.build(max_query_octets=512)
        connection, wire = self.connect()
        connection.dataReceived(b"\x02\x01")
        self.assertTrue(wire.disconnecting)

    def test_idle(self) -> None:
        """Without a whole question the connection ends after ``tcp_idle``; single
        octets do not prolong it.  RFC 7766 6.2.3."""
        connection, wire = self.connect()
        for octet in framed(WWW)[:11]:
            self.clock.advance(1)
            connection.dataReceived(bytes((octet,)))
        self.assertTrue(wire.disconnecting)

    def test_idle_begins_anew(self) -> None:
        """Each question prolongs it."""
        connection, wire = self.connect()
        for _ in range(5):
            for _ in range(8):
                self.clock.advance(1)
            connection.dataReceived(framed(WWW))
            self.assertFalse(wire.disconnecting)

    def test_slow_reader(self) -> None:
        """A client that takes no answers is not read from, and is cut off in the end;
        it holds no more than what was answered in one turn."""
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW))
        connection.pauseProducing()
        self.assertEqual("paused", wire.producerState)
        before = wire.value()
        connection.dataReceived(framed(WWW) * 5)
        self.assertEqual(before, wire.value())
        connection.resumeProducing()
        self.assertEqual(6, len(unframed(wire.value())))
        connection.pauseProducing()
        for _ in range(12):
            self.clock.advance(1)
        self.assertTrue(wire.was_aborted)

    def test_last_answers_not_taken(self) -> None:
        """A connection that is closing but does not get rid of its last answers is cut
        off."""
        connection, wire = self.connect()
        connection.drain()
        self.assertTrue(wire.disconnecting)
        self.assertFalse(wire.was_aborted)
        for _ in range(12):
            self.clock.advance(1)
        self.assertTrue(wire.was_aborted)

    def test_drain(self) -> None:
        """At a stop what was asked is answered, and the connection closes."""
        connection, wire = self.connect()
        connection.dataReceived(framed(WWW) + framed(WWW)[:9])
        connection.drain()
        self.assertEqual(1, len(unframed(wire.value())))
        self.assertTrue(wire.disconnecting)

    def test_most_idle_goes(self) -> None:
        """One connection too many pushes out the most idle one.  RFC 7766 6.2.2."""
        self.build(tcp_connections=2)
        first, first_wire = self.connect()
        _second, second_wire = self.connect()
        first.dataReceived(framed(WWW))
        _third, third_wire = self.connect()
        self.assertFalse(first_wire.disconnecting)
        self.assertTrue(second_wire.disconnecting)
        self.assertFalse(third_wire.disconnecting)
        self.assertEqual(2, len(self.authority.streams))

    def test_one_address(self) -> None:
        """The limits of the house count connections by address."""
        limit = 200
        connections = [self.connect() for _ in range(limit + 1)]
        self.assertTrue(connections[-1][1].was_aborted)
        self.assertEqual(1, self.authority.streams.refused)
        for connection, _ in connections:
            self.lose(connection)
        self.assertEqual(0, len(self.authority.streams))
        self.assertFalse(self.connect()[1].was_aborted)

    def test_a_bug(self) -> None:
        """An exception is logged once and ends that connection alone."""
        other, other_wire = self.connect()

        def broken(data: bytes, client: Any) -> bytes:
            raise RuntimeError("a bug")

        connection, wire = self.connect()
        answer, self.authority.streams.answer = self.authority.streams.answer, broken
        connection.dataReceived(framed(WWW))
        self.authority.streams.answer = answer
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.assertTrue(wire.disconnecting)
        other.dataReceived(framed(WWW))
        self.assertEqual(1, len(unframed(other_wire.value())))


class ClientTests(SynchronousTestCase):
    """What a client takes for an answer; RFC 5452 9.1."""

    def test_is_reply(self) -> None:
        """ID, QR, opcode and question must agree; letter case need not."""
        query = make_query("www.example.com", "A")
        good = Message(id=query.id, flags=QR, questions=query.questions)
        other = make_query("www.example.org", "A").questions
        upper = make_query("WWW.example.com", "A").questions
        self.assertTrue(is_reply(query, good))
        self.assertTrue(
            is_reply(query, Message(id=query.id, flags=QR, questions=upper))
        )
        self.assertTrue(is_reply(query, Message(id=query.id, flags=QR)))
        for wrong in (
            Message(id=query.id ^ 1, flags=QR, questions=query.questions),
            Message(id=query.id, questions=query.questions),
            Message(id=query.id, flags=QR, questions=other),
            Message(id=query.id, flags=QR, opcode=4, questions=query.questions),
        ):
            self.assertFalse(is_reply(query, wrong))


class SocketTests(TestCase):
    """The whole server on loopback, judged by the clients of others."""

    timeout = 60

    def setUp(self) -> Deferred[None]:
        self.store = make_store()
        add_zone(self.store, EXAMPLE + BIG)
        self.server = make_server(DNSSettings(), make_services(self.store, reactor))
        self.listener = reactor.listenTCP(0, self.server.stream, interface="127.0.0.1")
        self.port: int = self.listener.getHost().port
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", self.port))
        bound.setblocking(False)
        assert self.server.datagram is not None
        self.datagrams = DatagramPort(bound, self.server.datagram, reactor)
        self.datagrams.start()
        self.client = Client(reactor, "127.0.0.1", self.port)
        assert self.server.start is not None
        started = self.server.start()
        assert started is not None
        return started

    @as_deferred
    async def tearDown(self) -> None:
        assert self.server.stop is not None
        self.server.stop()
        self.datagrams.stop()
        await self.listener.stopListening()
        for connection in self.server.stream.sessions():
            connection.transport.abortConnection()
        while len(self.server.stream):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        await self.store.close()

    async def run_program(self, program: str, *arguments: str) -> str:
        """What a program prints; it must succeed."""
        out, error, code = await getProcessOutputAndValue(located(program), arguments)
        self.assertEqual(0, code, (out + error).decode())
        return str(out.decode())

    @as_deferred
    async def test_dig(self) -> None:
        """dig reads an answer, a denial, a referral, and retries over TCP."""
        common = ("@127.0.0.1", "-p", str(self.port), "+norec", "+tries=1", "+nocookie")
        out = await self.run_program("dig", *common, "www.example.com", "A")
        self.assertIn("status: NOERROR", out)
        self.assertIn("flags: qr aa;", out)
        self.assertRegex(out, r"www\.example\.com\.\s+3600\s+IN\s+A\s+192\.0\.2\.80")
        self.assertIn("; EDNS: version: 0, flags:; udp: 1232", out)
        out = await self.run_program("dig", *common, "none.example.com", "A")
        self.assertIn("status: NXDOMAIN", out)
        out = await self.run_program(
            "dig", *common, "+bufsize=1232", "big.example.com", "TXT"
        )
        self.assertIn("(TCP)", out)
        self.assertEqual(50, out.count("\tTXT\t"))
        out = await self.run_program(
            "dig", *common, "+edns=1", "+noednsneg", "www.example.com"
        )
        self.assertIn("status: BADVERS", out)
        out = await self.run_program("dig", *common, "x.sub.example.com")
        self.assertIn("ns.sub.example.com.\t3600\tIN\tAAAA\t2001:db8::53", out)
        out = await self.run_program(
            "dig", *common, "+cookie", "+short", "mail.example.com"
        )
        self.assertEqual("192.0.2.25\n", out)

    @as_deferred
    async def test_kdig(self) -> None:
        """kdig asks over UDP and TCP, and twice on one connection."""
        common = ("@127.0.0.1", "-p", str(self.port), "+norec", "+retry=0")
        out = await self.run_program(
            "kdig", *common, "+edns", "+nsid", "x.old.example.com"
        )
        self.assertIn("DNAME", out)
        out = await self.run_program(
            "kdig", *common, "+tcp", "+keepopen", "+short",
            "mail.example.com", "ns1.example.com",
        )  # fmt: skip
        self.assertEqual({"192.0.2.25", "192.0.2.1"}, set(out.split()))

    @as_deferred
    async def test_drill(self) -> None:
        """drill understands a wildcard, and TXT."""
        common = ("-p", str(self.port), "-o", "rd", "@127.0.0.1")
        out = await self.run_program("drill", *common, "q.wild.example.com", "TXT")
        self.assertRegex(out, r'q\.wild\.example\.com\.\s+3600\s+IN\s+TXT\s+"wild"')

    @as_deferred
    async def test_own_client(self) -> None:
        """Our client gets small answers over UDP and big ones over TCP."""
        message = await self.client.ask("www.example.com", "A")
        self.assertEqual(2, len(message.answer))
        message = await self.client.ask("big.example.com.", "TXT", edns=Edns(1232))
        self.assertEqual(50, len(message.answer))
        message = await self.client.ask("foreign.example", 1)
        self.assertEqual(Rcode.REFUSED, message.rcode)

    @as_deferred
    async def test_many_connections(self) -> None:
        """A hundred clients over TCP at the same time are all answered."""
        queries = [make_query("www.example.com", "A") for _ in range(100)]
        replies = await gatherResults([self.client.over_tcp(q) for q in queries])
        self.assertEqual(
            [query.id for query in queries], [reply.id for reply in replies]
        )

    @as_deferred
    async def test_garbage(self) -> None:
        """A thousand datagrams of nonsense, and the server still answers."""
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for number in range(1000):
            data = bytes(
                (number * 7 + index * 13) & 255 for index in range(number % 90)
            )
            sender.sendto(data, ("127.0.0.1", self.port))
        sender.close()
        message = await self.client.ask("www.example.com", "A")
        self.assertEqual(2, len(message.answer))
        self.assertEqual(0, self.datagrams.failures)

    @as_deferred
    async def test_nobody_there(self) -> None:
        """A port without a server is an error, over UDP and TCP."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        self.addCleanup(bound.close)
        client = Client(reactor, "127.0.0.1", bound.getsockname()[1], seconds=0.05)
        for asked in (
            client.ask("www.example.com", "A", tries=2),
            client.over_tcp(make_query("www.example.com", "A")),
        ):
            with self.assertRaises(NoAnswer):
                await asked
