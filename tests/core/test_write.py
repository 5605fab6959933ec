"""Send-at-once connections: order, corks, back-pressure, ends; and who makes them."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Any, cast

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.write import (
    ACCEPTS_A_TURN,
    BULK_OCTETS,
    SEND_OCTETS,
    CorkedPort,
    CorkedServer,
    CorkedUNIXServer,
    adopt_listener,
    connect_tcp,
    expect_bulk,
    listen_tcp,
    listen_unix,
)
from tests.core.connected import Connected, NotedReactor, Scripted
from tests.tls.authority import Authority

reactor: Any = live_reactor


class Producer:
    """Counts what it is told."""

    def __init__(self, step: Any = None) -> None:
        self.told: list[str] = []
        self.step = step

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        if self.step is not None:
            self.step()

    def stopProducing(self) -> None:
        self.told.append("stop")


def say_goodbye(transport: Any) -> None:
    """Write something last, and close."""
    transport.write(b"bye")
    transport.loseConnection()


class SendAtOnceTests(SynchronousTestCase):
    """What is written leaves as early, and in as few pieces, as it can."""

    def connect(self, *steps: Any, **options: Any) -> Connected:
        """A connection that is closed after the test."""
        made = Connected(*steps, **options)
        self.addCleanup(made.close)
        return made

    def test_one_send_for_one_segment(self) -> None:
        """All writes of one dataReceived leave in one send, and no writer is
        started."""

        def answer(transport: Any) -> None:
            transport.write(b"one ")
            transport.writeSequence([b"two ", b"three "])
            transport.write(b"four")

        made = self.connect(answer)
        made.say()

        self.assertEqual(b"one two three four", made.receive(18))
        self.assertEqual([18], made.socket.sent)
        self.assertEqual(set(), made.reactor.writers)

    def test_late_write_is_sent_at_once(self) -> None:
        """A write outside dataReceived is one send, without the reactor."""
        made = self.connect()
        made.transport.write(b"late")
        made.transport.writeSequence([b"and", b"later"])

        self.assertEqual(b"lateandlater", made.receive(12))
        self.assertEqual([4, 8], made.socket.sent)
        self.assertEqual(set(), made.reactor.writers)

    def test_order_is_kept_when_the_kernel_is_full(self) -> None:
        """What the kernel does not take waits, and nothing overtakes it."""
        made = self.connect(lambda t: t.write(b"c" * 1000), send_buffer=4096)
        big = os.urandom(3 * SEND_OCTETS)
        made.transport.write(big)
        self.assertEqual({made.transport}, made.reactor.writers)
        made.transport.write(b"b" * 1000)
        made.say()

        wanted = big + b"b" * 1000 + b"c" * 1000
        self.assertEqual(wanted, made.receive(len(wanted)))
        self.assertEqual(set(), made.reactor.writers)

    def test_nothing_is_sent_after_an_abort(self) -> None:
        """The connection ends in the next turn; what is written until then is lost."""
        made = self.connect()
        made.transport.abortConnection()
        made.transport.write(b"too late")
        self.assertEqual([], made.socket.sent)

    def test_one_send_is_bounded(self) -> None:
        """No send offers more than SEND_OCTETS, so that one peer cannot hold up the
        others."""
        made = self.connect()
        made.transport.write(bytes(5 * SEND_OCTETS))
        made.receive(5 * SEND_OCTETS)

        self.assertEqual(SEND_OCTETS, max(made.socket.sent))

    def test_streaming_producer_is_paused_and_resumed(self) -> None:
        """A streaming producer is paused when the queue is long, resumed when it is
        empty."""
        made = self.connect(send_buffer=4096)
        producer = Producer()
        made.transport.registerProducer(producer, True)
        made.transport.write(bytes(2 * SEND_OCTETS))
        self.assertEqual(["pause"], producer.told)

        made.receive(2 * SEND_OCTETS)
        self.assertEqual(["pause", "resume"], producer.told)

    def test_producer_paused_under_a_cork(self) -> None:
        """A producer is paused by corked writes that are more than one send takes, and
        goes on when they have left."""
        octets = 2 * SEND_OCTETS
        made = self.connect(lambda t: t.write(bytes(octets)))
        producer = Producer()
        made.transport.registerProducer(producer, True)
        made.say()
        self.assertEqual({"pause"}, set(producer.told))
        made.receive(octets)
        if made.transport in made.reactor.writers:
            made.transport.doWrite()

        self.assertEqual("resume", producer.told[-1])

    def test_producer_not_paused_for_one_send(self) -> None:
        """What leaves in one send pauses nobody."""
        made = self.connect(lambda t: t.write(bytes(70_000)))
        producer = Producer()
        made.transport.registerProducer(producer, True)
        made.say()

        self.assertEqual([70_000], made.socket.sent)
        self.assertEqual([], producer.told)

    def test_pull_producer_is_asked_again(self) -> None:
        """A pull producer is asked for its next step after each one has left."""
        made = self.connect()
        left = [b"1", b"2", b"3"]

        def step() -> None:
            if left:
                made.transport.write(left.pop(0))
            else:
                made.transport.unregisterProducer()

        made.transport.registerProducer(Producer(step), False)
        self.assertEqual(b"123", made.receive(3))

    def test_pull_producer_registered_under_a_cork(self) -> None:
        """What was written before a pull producer was registered leaves before its
        data."""
        left = [b"1", b"2"]

        def answer(transport: Any) -> None:
            def step() -> None:
                if left:
                    transport.write(left.pop(0))
                else:
                    transport.unregisterProducer()

            transport.write(b"head ")
            transport.registerProducer(Producer(step), False)

        made = self.connect(answer)
        made.say()
        self.assertEqual(b"head 12", made.receive(7))

    def test_loss_of_connection_comes_later(self) -> None:
        """A write to a dead peer does not call connectionLost under the writer's feet;
        the next turn reports it."""
        made = self.connect()
        made.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        made.peer.close()
        made.transport.write(b"one")
        made.transport.write(b"two")
        self.assertEqual([], made.protocol.lost)
        self.assertIs(CONNECTION_LOST, made.transport.doWrite())

    def test_close_under_a_cork(self) -> None:
        """loseConnection in dataReceived closes after what was written has left, in the
        same turn."""
        made = self.connect(say_goodbye)

        self.assertIsNone(made.say())

        self.assertEqual(1, len(made.protocol.lost))
        self.assertEqual(set(), made.reactor.writers)
        # The reactor may have seen in one event that it can be written to as well.
        self.assertIsNone(made.transport.doWrite())
        self.assertEqual(b"bye", made.peer.recv(10))
        self.assertEqual(b"", made.peer.recv(10))

    def test_close_waits_for_what_is_unsent(self) -> None:
        """loseConnection in dataReceived waits for what the kernel has not taken."""
        made = self.connect(say_goodbye, send_buffer=4096)
        made.transport.write(bytes(3 * SEND_OCTETS))

        made.say()

        self.assertEqual([], made.protocol.lost)
        self.assertEqual({made.transport}, made.reactor.writers)

    def test_abort_under_a_cork(self) -> None:
        """abortConnection in dataReceived drops what was written."""

        def answer(transport: Any) -> None:
            transport.write(b"never")
            transport.abortConnection()

        made = self.connect(answer)
        made.say()
        self.assertEqual([], made.socket.sent)
        made.reactor.run_calls()
        self.assertEqual(1, len(made.protocol.lost))

    def test_cork_is_out_after_an_exception(self) -> None:
        """An exception in dataReceived leaves no cork behind."""

        def fail(_transport: Any) -> None:
            raise ValueError("a bug")

        made = self.connect(fail)
        self.assertRaises(ValueError, made.say)
        made.transport.write(b"x")
        self.assertEqual([1], made.socket.sent)

    def test_end_of_stream(self) -> None:
        """The peer's end is reported as Twisted does."""
        made = self.connect()
        made.peer.shutdown(socket.SHUT_WR)
        self.assertIs(CONNECTION_DONE, made.transport.doRead())

    def test_hang_up_after_a_reset(self) -> None:
        """
        A reset is lost, not done, also where the poll saw a hang-up with nothing to
        read: an upload that it cut off would pass for complete.
        """
        made = self.connect()
        linger = struct.pack("ii", 1, 0)
        made.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        made.peer.close()
        poll = select.poll()
        poll.register(made.socket, select.POLLIN)
        self.assertTrue(poll.poll(10_000))
        made.transport.readConnectionLost(Failure(CONNECTION_DONE))
        self.assertIsNotNone(made.protocol.lost[0].check(ConnectionLost))

    def test_hang_up_after_the_end(self) -> None:
        """Without a reset, the same is a clean end."""
        made = self.connect()
        made.peer.shutdown(socket.SHUT_WR)
        made.transport.readConnectionLost(Failure(CONNECTION_DONE))
        self.assertIsNotNone(made.protocol.lost[0].check(ConnectionDone))

    def test_half_close_after_a_corked_write(self) -> None:
        """loseWriteConnection sends what was written, then the end of the stream."""

        def answer(transport: Any) -> None:
            transport.write(b"last")
            transport.loseWriteConnection()
            transport.write(b" words")

        made = self.connect(answer)
        made.say()
        made.transport.doWrite()
        self.assertEqual(b"last words", made.receive(10))
        self.assertEqual(b"", made.peer.recv(10))

    def test_text_is_refused(self) -> None:
        """Text raises TypeError, corked and not, as with every Twisted transport."""
        raised: list[str] = []

        def answer(transport: Any) -> None:
            try:
                transport.write("text")
            except TypeError:
                raised.append("corked")

        made = self.connect(answer)
        made.say()
        self.assertEqual(["corked"], raised)
        self.assertRaises(TypeError, made.transport.write, "text")

    def test_descriptors_travel_with_their_octet(self) -> None:
        """On a UNIX connection a descriptor leaves with the first octet written after
        it."""
        left, right = socket.socketpair()
        self.addCleanup(left.close)
        self.addCleanup(right.close)
        notes = NotedReactor()
        transport = CorkedUNIXServer(left, Scripted(), "", None, 0, notes)
        transport.sendFileDescriptor(right.fileno())
        transport.write(b"x")
        self.assertIn(transport, notes.writers)
        transport.doWrite()
        data, descriptors, _, _ = socket.recv_fds(right, 10, 1)
        self.assertEqual(b"x", data)
        self.assertEqual(1, len(descriptors))
        os.close(descriptors[0])
        transport.write(b"y")
        self.assertEqual(b"y", right.recv(10))

    def test_no_delay(self) -> None:
        """Accepted connections have TCP_NODELAY."""
        self.assertTrue(self.connect().transport.getTcpNoDelay())

    def test_bulk_is_a_choice_of_one_connection(self) -> None:
        """expect_bulk raises what one connection reads at a time, through layers."""

        class Layer:
            lower = self.connect().transport

        expect_bulk(Layer())
        self.assertEqual(BULK_OCTETS, Layer.lower.bufferSize)
        self.assertLess(CorkedServer.bufferSize, BULK_OCTETS)
        expect_bulk(object())


class Answering(Protocol):
    """Answers in capitals."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data.upper())


class Asking(Protocol):
    """Collects the answer to its question."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()
        self.answer.callback((data, self.transport))


class PortTests(TestCase):
    """Real ports on loopback."""

    def factory(self) -> Factory:
        made = Factory.forProtocol(Answering)
        made.noisy = False
        return made

    def ask(self, address: Any) -> Deferred[Any]:
        """Connect with a corked client, say hello, and return the answer."""
        answer: Deferred[Any] = Deferred()
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda _address: Asking(answer)  # type: ignore
        if isinstance(address, str):
            reactor.connectUNIX(address, factory)
        else:
            connect_tcp(reactor, *address, factory)
        return answer

    async def test_tcp(self) -> None:
        """A corked client and a corked server talk, both with TCP_NODELAY."""
        port = listen_tcp(reactor, 0, self.factory(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        host: Any = port.getHost()
        data, _ = await self.ask((host.host, host.port))
        self.assertEqual(b"HELLO", data)

    async def test_tls_of_twisted(self) -> None:
        """Twisted's own TLS still works on these connections: foreign protocols may
        start it."""
        from twisted.internet.ssl import CertificateOptions, PrivateCertificate

        chain, key = Authority().issue("a.example")
        options = PrivateCertificate.loadPEM(key + chain).options()

        class Upgrading(Answering):
            def connectionMade(self) -> None:
                self.transport.startTLS(options)  # type: ignore[union-attr]

        class AskingTwice(Asking):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                transport.startTLS(CertificateOptions())
                super().connectionMade()

        factory = Factory.forProtocol(Upgrading)
        factory.noisy = False
        port = listen_tcp(reactor, 0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        answer: Deferred[Any] = Deferred()
        client = ClientFactory()
        client.noisy = False
        client.buildProtocol = lambda _address: AskingTwice(answer)  # type: ignore
        connect_tcp(reactor, "127.0.0.1", port.getHost().port, client)  # type: ignore
        data, transport = await answer
        self.assertEqual(b"HELLO", data)
        gone: Deferred[None] = Deferred()
        transport.protocol.wrappedProtocol.connectionLost = lambda _r: gone.callback(
            None
        )
        await gone

    def test_few_connections_at_once(self) -> Deferred[Any]:
        """However many wait, and waited before, a port takes a few at a time."""
        made: list[Protocol] = []
        factory = self.factory()
        build = factory.buildProtocol

        def note(address: Any) -> Any:
            made.append(build(address))  # type: ignore[arg-type]
            return made[-1]

        factory.buildProtocol = note  # type: ignore[method-assign]
        port: Any = listen_tcp(reactor, 0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        port.stopReading()
        place = ("127.0.0.1", port.getHost().port)
        for _ in range(3 * ACCEPTS_A_TURN):
            self.addCleanup(socket.create_connection(place).close)
        for turn in (1, 2, 3):
            port.doRead()
            self.assertEqual(turn * ACCEPTS_A_TURN, len(made))
        ended: Deferred[None] = Deferred()

        def lost(_reason: Any) -> None:
            made.pop()
            if not made:
                ended.callback(None)

        for protocol in tuple(made):
            protocol.connectionLost = lost  # type: ignore
            protocol.transport.abortConnection()  # type: ignore
        return ended

    async def test_tcp6_only(self) -> None:
        """A port on :: for IPv6 only leaves the same IPv4 port free."""
        port = listen_tcp(reactor, 0, self.factory(), interface="::", is_v6_only=True)
        self.addCleanup(port.stopListening)
        number = port.getHost().port  # type: ignore[attr-defined]
        twin = listen_tcp(reactor, number, self.factory(), interface="0.0.0.0")
        self.addCleanup(twin.stopListening)
        data, _ = await self.ask(("::1", number))
        self.assertEqual(b"HELLO", data)

    def test_port_in_use(self) -> None:
        """A port that is taken raises CannotListenError at once."""
        port = listen_tcp(reactor, 0, self.factory(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port  # type: ignore[attr-defined]
        self.assertRaises(
            CannotListenError,
            listen_tcp,
            reactor,
            number,
            self.factory(),
            interface="127.0.0.1",
        )

    def test_port_taken_after_the_bind(self) -> None:
        """Two sockets may be bound to one port until one listens: the other's failure
        is CannotListenError as well, and leaves no socket open."""
        made: list[socket.socket] = []

        class Slow(CorkedPort):
            """Another process listens between the two steps."""

            def createInternetSocket(self) -> socket.socket:  # noqa: N802
                """A socket whose address somebody takes in time."""
                one = super().createInternetSocket()
                rival = socket.socket()
                rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                rival.bind(("127.0.0.1", 0))
                self.port = rival.getsockname()[1]
                one.bind(("127.0.0.1", self.port))
                rival.listen()
                made.extend((one, rival))
                return cast(socket.socket, Bound(one))

        class Bound:
            """A socket that has been bound already."""

            def __init__(self, one: socket.socket) -> None:
                self.one = one
                self.listen, self.close = one.listen, one.close

            def bind(self, address: Any) -> None:
                """Done."""

        port = Slow(0, self.factory(), interface="127.0.0.1", reactor=reactor)
        self.addCleanup(lambda: made[1].close())
        self.assertRaises(CannotListenError, port.startListening)
        self.assertEqual(-1, made[0].fileno())

    async def test_unix(self) -> None:
        """A UNIX socket serves, and its file goes when it is closed."""
        path = os.path.join(os.path.realpath(self.mktemp()))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        path = os.path.relpath(path)
        port = listen_unix(reactor, path, self.factory(), mode=0o600)
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        data, _ = await self.ask(path)
        self.assertEqual(b"HELLO", data)
        await port.stopListening()
        self.assertFalse(os.path.exists(path))

    async def test_adopted_tcp(self) -> None:
        """A listening socket from elsewhere is served, and cannot block in accept."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.setblocking(True)
        port = adopt_listener(reactor, listener.fileno(), self.factory())
        self.addCleanup(port.stopListening)
        self.assertFalse(os.get_blocking(listener.fileno()))
        data, _ = await self.ask(listener.getsockname())
        self.assertEqual(b"HELLO", data)

    async def test_adopted_tcp6(self) -> None:
        """The same over IPv6."""
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.addCleanup(listener.close)
        port = adopt_listener(reactor, listener.fileno(), self.factory())
        self.addCleanup(port.stopListening)
        data, _ = await self.ask(listener.getsockname()[:2])
        self.assertEqual(b"HELLO", data)

    async def test_adopted_unix(self) -> None:
        """An adopted UNIX socket keeps its permissions, and its file stays when the
        port closes: both belong to whoever made it."""
        path = os.path.relpath(self.mktemp())
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
        port = adopt_listener(reactor, listener.fileno(), self.factory())
        data, _ = await self.ask(path)
        self.assertEqual(b"HELLO", data)
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        await port.stopListening()
        self.assertTrue(os.path.exists(path))

    def test_adopted_nonsense(self) -> None:
        """A descriptor that is not a listening stream socket is refused."""
        left, right = socket.socketpair()
        self.addCleanup(left.close)
        self.addCleanup(right.close)
        self.assertRaises(
            ValueError, adopt_listener, reactor, left.fileno(), self.factory()
        )

    def test_other_reactors(self) -> None:
        """A reactor that is none of Twisted's POSIX reactors makes its own port."""
        memory = MemoryReactor()
        listen_tcp(memory, 8021, self.factory(), 7, "127.0.0.1")
        port, _, backlog, interface = memory.tcpServers[0]
        self.assertEqual((8021, 7, "127.0.0.1"), (port, backlog, interface))
        connect_tcp(memory, "127.0.0.1", 8021, ClientFactory())
        self.assertEqual("127.0.0.1", memory.tcpClients[0][0])
