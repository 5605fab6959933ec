"""Files onto connections: whole, in order, and with every way to fail."""

from __future__ import annotations

import os
from typing import Any, cast

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    succeed,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.sendfile import (
    PLAIN_STEP_OCTETS,
    STEP_OCTETS,
    FileSender,
    FileShrank,
    _fill_page_cache,
    _is_in_memory,
    send_file,
)
from netservices.core.threads import Workers
from netservices.core.write import connect_tcp, listen_tcp
from netservices.tls.layer import TLSFactory
from tests.core.connected import Connected
from tests.tls.authority import Authority

reactor: Any = live_reactor
SIZE = 2 * PLAIN_STEP_OCTETS + STEP_OCTETS + 12_345


class Sink(Protocol):
    """Keeps what arrives; ``done`` fires with it when the connection ends."""

    ended = False

    def __init__(self, is_slow: bool = False) -> None:
        self.received = bytearray()
        self.is_slow = is_slow
        self.made: Deferred[Any] = Deferred()
        self.first: Deferred[None] | None = Deferred()
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        if self.is_slow:
            self.transport.pauseProducing()  # type: ignore[union-attr]
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        first, self.first = self.first, None
        if first is not None:
            first.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = True
        self.done.callback(bytes(self.received))


class Waiting(Protocol):
    """The sender's side."""

    ended = False

    def __init__(self, made: Deferred[Any]) -> None:
        self.made = made
        self.lost: Deferred[Any] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.ended = True
        self.lost.callback([reason])


class SendFileTests(TestCase):
    """Over loopback."""

    is_tls = False

    def setUp(self) -> None:
        self.content = os.urandom(SIZE)
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(self.content)
            file.flush()
            os.fsync(file.fileno())
        self.file = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, self.file)

    async def connect(self, is_slow: bool = False) -> Any:
        """The sender's transport; ``self.sink`` is at the other end."""
        made: Deferred[Any] = Deferred()
        inner = Factory()
        inner.noisy = False
        inner.buildProtocol = lambda _a: Waiting(made)  # type: ignore
        self.sink = Sink(is_slow)
        outer = ClientFactory()
        outer.noisy = False
        outer.buildProtocol = lambda _a: self.sink  # type: ignore
        server: Any = inner
        client: Any = outer
        if self.is_tls:
            authority = Authority()
            context = authority.server_context(self.mktemp(), "a.example")
            server = TLSFactory(inner, context)
            client = TLSFactory(
                outer,
                authority.client_context(),
                server_side=False,
                server_hostname="a.example",
            )
        port = listen_tcp(reactor, 0, server, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        address: Any = port.getHost()
        connect_tcp(reactor, address.host, address.port, client)
        self.sender = await made
        await self.sink.made
        self.addCleanup(self.end)
        return self.sender.transport

    def end(self) -> Deferred[Any]:
        """Nothing of the connection is left."""
        for side in (self.sender, self.sink):
            if not side.ended:
                side.transport.abortConnection()
        return gatherResults([self.sender.lost, self.sink.done])

    async def test_whole_file_in_order(self) -> None:
        """What was written before leaves before, what is written after leaves after,
        and loseConnection waits for it all."""
        transport = await self.connect()
        transport.write(b"head ")
        sent = send_file(transport, self.file, 0, SIZE)
        sent.addCallback(lambda count: transport.write(b" %d" % count))
        sent.addCallback(lambda _: transport.loseConnection())
        wanted = b"head " + self.content + b" %d" % SIZE
        self.assertEqual(wanted, await self.sink.done)

    async def test_close_waits(self) -> None:
        """loseConnection right after send_file still sends the file."""
        transport = await self.connect()
        sent = send_file(transport, self.file, 0, SIZE)
        transport.loseConnection()
        self.assertEqual(SIZE, await sent)
        self.assertEqual(self.content, await self.sink.done)

    async def test_part(self) -> None:
        """A part of a file from an offset; the caller's descriptor may be closed at
        once."""
        transport = await self.connect()
        twin = os.dup(self.file)
        sent = send_file(transport, twin, 1000, STEP_OCTETS)
        os.close(twin)
        self.assertEqual(STEP_OCTETS, await sent)
        transport.loseConnection()
        self.assertEqual(self.content[1000 : 1000 + STEP_OCTETS], await self.sink.done)

    async def test_nothing(self) -> None:
        """Zero octets are sent at once, without a producer."""
        transport = await self.connect()
        self.assertEqual(0, await send_file(transport, self.file, 0, 0))
        transport.loseConnection()
        self.assertEqual(b"", await self.sink.done)

    async def test_slow_peer(self) -> None:
        """A peer that pauses gets everything when it goes on."""
        transport = await self.connect(is_slow=True)
        sent = send_file(transport, self.file, 0, SIZE)
        await deferLater(reactor, 0)
        self.sink.transport.resumeProducing()  # type: ignore[union-attr]
        self.assertEqual(SIZE, await sent)
        transport.loseConnection()
        self.assertEqual(self.content, await self.sink.done)

    async def test_peer_leaves(self) -> None:
        """A connection that ends midway fails with ConnectionLost."""
        os.truncate(self.path, 1 << 30)  # sparse, and more than any buffer takes
        transport = await self.connect()
        sent = send_file(transport, self.file, 0, 1 << 30)
        assert self.sink.first is not None
        await self.sink.first
        self.sink.transport.abortConnection()  # type: ignore[union-attr]
        await self.assertFailure(sent, ConnectionLost)
        await self.sender.lost
        await self.sink.done

    async def test_file_shrinks(self) -> None:
        """A file that gets shorter fails with FileShrank, and the count that went."""
        transport = await self.connect()
        sent = send_file(transport, self.file, 0, SIZE + 10)
        error = await self.assertFailure(sent, FileShrank)
        self.assertEqual(SIZE, error.sent)
        transport.loseConnection()
        self.assertEqual(self.content, await self.sink.done)

    async def test_cancel(self) -> None:
        """Cancelling stops the file and leaves the connection to its owner."""
        transport = await self.connect(is_slow=True)
        sent = send_file(transport, self.file, 0, SIZE)
        sent.cancel()
        await self.assertFailure(sent, CancelledError)
        transport.write(b"after")
        transport.loseConnection()
        self.sink.transport.resumeProducing()  # type: ignore[union-attr]
        received = await self.sink.done
        self.assertEqual(b"after", received[-5:])
        self.assertLess(len(received), SIZE)

    async def test_cold_file(self) -> None:
        """What is not in memory is read by a thread first; the result is the same."""
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_DONTNEED)
        workers = Workers(reactor, "ahead", 1, 10)
        workers.start()
        transport = await self.connect()
        sent = send_file(transport, self.file, 0, SIZE, workers)
        self.assertEqual(SIZE, await sent)
        transport.loseConnection()
        self.assertEqual(self.content, await self.sink.done)
        await workers.stop()

    async def test_file_system_without_nowait(self) -> None:
        """Where nothing is known of the page cache everything is read ahead, by the
        reactor's threads if no others are given."""
        transport = await self.connect()
        sender = FileSender(transport, self.file, 0, SIZE, None)
        sender._knows_nowait = False
        self.assertEqual(SIZE, await sender.start())
        transport.loseConnection()
        self.assertEqual(self.content, await self.sink.done)

    async def test_busy_workers(self) -> None:
        """Where the workers take no more the step is tried again later."""
        workers = Workers(reactor, "ahead", 1, 0)
        workers.start()
        block: Deferred[None] = workers.call(lambda: None)
        transport = await self.connect()
        sender = FileSender(transport, self.file, 0, SIZE, workers)
        sender._knows_nowait = False
        self.assertEqual(SIZE, await sender.start())
        await block
        transport.loseConnection()
        self.assertEqual(self.content, await self.sink.done)
        await workers.stop()

    async def test_cancel_while_the_workers_are_busy(self) -> None:
        """Cancelling leaves no timer and no descriptor behind."""
        workers = Workers(reactor, "ahead", 0, 0)  # takes nothing, ever
        workers.start()
        transport = await self.connect()
        before = len(os.listdir("/proc/self/fd"))
        sender = FileSender(transport, self.file, 0, SIZE, workers)
        sender._knows_nowait = False
        sent = sender.start()
        while sender._retry is None:
            await deferLater(reactor, 0)
        sent.cancel()
        await self.assertFailure(sent, CancelledError)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    async def test_second_producer(self) -> None:
        """A transport that has a producer already refuses with RuntimeError."""
        transport = await self.connect()
        transport.registerProducer(self.sink.transport, True)
        failed = send_file(transport, self.file, 0, SIZE)
        await self.assertFailure(failed, RuntimeError)
        transport.unregisterProducer()
        transport.loseConnection()
        self.assertEqual(b"", await self.sink.done)


class SendFileOverTLSTests(SendFileTests):
    """The same through a TLS layer, where reads take the place of sendfile."""

    is_tls = True


class StepTests(SynchronousTestCase):
    """Single steps on a socket pair."""

    def connect(self, content: bytes) -> tuple[Connected, int]:
        """A connection, and a file with ``content``."""
        made = Connected()
        self.addCleanup(made.close)
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return made, descriptor

    def test_plain_sockets_use_sendfile(self) -> None:
        """No octet of the file goes through ``send``."""
        made, descriptor = self.connect(bytes(1_000_000))
        sent = send_file(made.transport, descriptor, 0, 1_000_000)
        self.assertEqual(bytes(1_000_000), made.receive(1_000_000))
        self.assertEqual(1_000_000, self.successResultOf(sent))
        self.assertEqual(0, sum(made.socket.sent))

    def test_middle_of_a_step_is_not_in_memory(self) -> None:
        """A step of which any stretch is not in memory waits for a thread."""
        size = PLAIN_STEP_OCTETS
        made, descriptor = self.connect(bytes(size))
        really, asked = os.preadv, list[int]()

        def preadv(file: int, buffers: Any, offset: int, flags: int = 0) -> int:
            if flags and offset == 2 * STEP_OCTETS:
                raise BlockingIOError
            return really(file, buffers, offset, flags)

        class Direct:
            """Workers that note what they are asked to do, and do it."""

            def call(self, function: Any) -> Deferred[None]:
                """At once."""
                asked.append(1)
                function()
                return succeed(None)

        self.patch(os, "preadv", preadv)
        sent = send_file(made.transport, descriptor, 0, size, cast(Any, Direct()))
        self.assertEqual(bytes(size), made.receive(size))
        self.assertEqual(size, self.successResultOf(sent))
        self.assertEqual([1], asked)

    def test_descriptor_that_sendfile_refuses(self) -> None:
        """Where the kernel cannot sendfile from a descriptor it is read instead."""
        made, _ = self.connect(b"")
        zero = os.open("/dev/zero", os.O_RDONLY)
        self.addCleanup(os.close, zero)
        sender = FileSender(made.transport, zero, 0, 100_000, None)
        sender._knows_nowait = True
        sender._warm_until = 100_000
        sent = sender.start()
        self.assertEqual(bytes(100_000), made.receive(100_000))
        self.assertEqual(100_000, self.successResultOf(sent))

    def test_bad_descriptor(self) -> None:
        """A descriptor that is not open fails with OSError."""
        made, _ = self.connect(b"")
        self.failureResultOf(send_file(made.transport, 1 << 20, 0, 10), OSError)

    def test_cancelled_while_a_thread_reads(self) -> None:
        """The duplicate stays open until the thread has done: its number must not
        become another file's under it."""
        made, descriptor = self.connect(bytes(10))
        read: Deferred[None] = Deferred()

        class Slow:
            """Workers that read when the test says so."""

            def call(self, function: Any) -> Deferred[None]:
                """Later."""
                return read

        sender = FileSender(made.transport, descriptor, 0, 10, cast(Workers, Slow()))
        sender._knows_nowait = False
        sent = sender.start()
        made.transport.doWrite()
        self.assertTrue(sender._is_waiting)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        os.fstat(sender._file)
        read.callback(None)
        self.assertRaises(OSError, os.fstat, sender._file)

    def test_no_descriptor_is_left(self) -> None:
        """Whatever the end, the duplicate is closed."""
        made, descriptor = self.connect(bytes(10))
        before = len(os.listdir("/proc/self/fd"))
        first = send_file(made.transport, descriptor, 0, 10)
        made.receive(10)
        self.successResultOf(first)
        second = send_file(made.transport, descriptor, 0, 10)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_page_cache_of_a_short_file(self) -> None:
        """Reading ahead past the end of a file ends there."""
        _, descriptor = self.connect(bytes(10))
        _fill_page_cache(descriptor, 0, 1_000_000)

    def test_file_systems_in_memory(self) -> None:
        """A device that is not mounted is not taken for memory."""
        self.assertFalse(_is_in_memory(os.makedev(250, 250)))
