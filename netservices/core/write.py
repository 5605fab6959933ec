"""Connections that send at once: what a protocol writes while it handles input leaves
in one ``send`` when it returns; what it writes at any other time is sent directly.

Theory.  Twisted's ``write`` never sends.  It queues, asks epoll for writability, sends
in the next turn of the reactor and tells epoll to stop: three more system calls for
each reply, a third of all CPU time of a line protocol.  Here

* a *cork* is in while ``dataReceived`` runs: writes only join the queue.  When it
  returns, the queue leaves in one ``send``, and only if it is longer than one
  ``send`` takes is the producer paused before;
* a write without cork is sent directly, provided that nothing is queued before it;
* what the kernel does not take is queued as Twisted would have queued it, the writer is
  started, and from there on everything is Twisted's: its buffers, its back-pressure,
  its way to close.  The invariant: *outside a cork, octets are queued if and only if
  the writer is started*;
* a connection that is to close when everything has left closes as soon as that has
  happened at the end of a cork, without another turn of the reactor;
* an error of ``send`` is not handled here.  The octets stay queued, and Twisted's own
  ``doWrite`` meets the same error in the next turn, where it may close the connection;
* a pull producer needs a ``doWrite`` for each of its steps, so with one of them
  registered writes go Twisted's way;
* a reset is never taken for the end of the stream.  While the kernel carries a reset
  out on one processor, a poll on another may see the hang-up before there is anything
  to read, and for that Twisted reports ``ConnectionDone``.  The error of the socket,
  which is set before, tells the two apart.

Use: ``listen_tcp``, ``listen_unix``, ``adopt_listener`` and ``connect_tcp`` take the
place of the reactor's own methods and fall back on them where the reactor is not one
of Twisted's POSIX reactors.  All connections have TCP_NODELAY (without it, two replies
in a row wait 40 ms for the peer's delayed acknowledgement).  ``expect_bulk`` raises
what one connection reads at a time to 256 KiB; nothing of it is held while idle.

Near-private names of Twisted that this file leans on, watched by
``tests/core/test_twisted_names.py``: ``FileDescriptor._tempDataBuffer``,
``_tempDataLen``, ``dataBuffer``, ``offset``, ``_maybePauseProducer``, ``producer``,
``streamingProducer``, ``producerPaused``, ``_writeDisconnected``, ``doWrite``;
``tcp.Connection._dataReceived``, ``readConnectionLost``, ``connectionLost``,
``_closeSocket``, ``TLS``, ``_aborting``;
``tcp.Port.transport``, ``createInternetSocket``, ``_fromListeningDescriptor``,
``_preexistingSocket``, ``_shouldShutdown``, ``numberAccepts``,
``_logConnectionLostMsg``, ``_logger``; ``tcp._reservedFD``, ``tcp._resolveIPv6``;
``tcp.Connector._makeTransport``; ``unix._SendmsgMixin._sendmsgQueue``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import CannotListenError, ConnectionAborted
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocolFactory,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure

SEND_OCTETS = 256 * 1024
"""At most this much is offered to the kernel in one ``send``."""

BULK_OCTETS = 256 * 1024
"""What ``expect_bulk`` lets a connection read, and buffer for sending, at a time."""

BACKLOG = 1024
"""Connections that may wait for ``accept``; the kernel caps it at ``somaxconn``."""

ACCEPTS_A_TURN = 16
"""Connections that a port takes before others have their turn; each costs 0.2 ms."""

REST_SECONDS = 0.5
"""How long a port accepts nothing after it could not."""

_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV

_log = Logger()

if TYPE_CHECKING:
    _Stream = tcp.Connection
else:
    _Stream = object


class SendAtOnce(_Stream):
    """Mixed in before one of Twisted's stream connections; see the module's theory."""

    SEND_LIMIT = SEND_OCTETS
    _is_corked = False
    when_writable: Callable[[], None] | None = None
    """Called in place of Twisted's own steps while nothing is queued: what sends from
    somewhere else (a file) needs no queue that is found empty, nor an end and a new
    beginning of writing around each step."""
    before_close: Callable[[], None] | None = None
    """Told of the end while the socket can still be asked about it."""

    def write(self, data: bytes) -> None:
        """Send ``data`` now, or when the running ``dataReceived`` returns."""
        if self._is_corked and not self.TLS and type(data) is bytes:
            if data and self.connected and not self._writeDisconnected:
                self._tempDataBuffer.append(data)
                self._tempDataLen += len(data)
                if self._tempDataLen > SEND_OCTETS:
                    self._maybePauseProducer()
            return
        if self._must_queue() or type(data) is not bytes:
            super().write(data)
        elif data and self.connected:
            self._send(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """The same for several pieces, which leave together."""
        self.write(b"".join(iovec))

    @property
    def unsent_octets(self) -> int:
        """What the kernel has not taken yet."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def _must_queue(self) -> bool:
        """Whether octets wait already, or the connection is in one of the rarer
        states."""
        return bool(
            self.TLS
            or self._tempDataBuffer
            or self.dataBuffer
            or self._writeDisconnected
            or self._writeDisconnecting
            or self._aborting
            or (self.producer is not None and not self.streamingProducer)
        )

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return CONNECTION_DONE
        self._is_corked = True
        try:
            self.protocol.dataReceived(data)
        finally:
            self._is_corked = False
        if self._tempDataBuffer:
            self._uncork()
        if self.disconnecting and self.connected:
            self._close_soon()
        return None

    def loseConnection(self, *args: Any) -> None:
        """Close when everything has left, which may be at the end of the cork."""
        if self._is_corked and not self._ends_otherwise():
            self.disconnecting = True
        else:
            super().loseConnection(*args)

    def _ends_otherwise(self) -> bool:
        return bool(self.TLS or self._writeDisconnected or self._aborting)

    def _close_soon(self) -> None:
        """``loseConnection`` was called in the cork that has ended, or before."""
        if not self._must_wait():
            # What it waits for has happened.
            self.connectionLost(Failure(CONNECTION_DONE))
        elif not self._ends_otherwise():
            self.stopReading()
            self.startWriting()

    def doWrite(self) -> Any:
        """The socket can be written to, unless reading has closed it in this turn."""
        if not self.connected:
            return None
        step = self.when_writable
        if self._tempDataBuffer or self.dataBuffer:
            return super().doWrite()
        if step is not None:
            step()
            return None
        if self._waits_for_nothing:
            # Twisted would send nothing, which fails where the stream has ended.
            self.stopWriting()
            return None
        return super().doWrite()

    @property
    def _waits_for_nothing(self) -> bool:
        """Whether no step of Twisted's is due now that everything has left."""
        is_ending = self.disconnecting or self._writeDisconnecting or self.TLS
        return self.producer is None and not is_ending

    def _must_wait(self) -> bool:
        """Whether something is still to be sent before the connection may close."""
        return bool(
            self.TLS
            or self._tempDataBuffer
            or self.dataBuffer
            or self.producer is not None
            or self._writeDisconnected
            or self._aborting
        )

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket."""
        tell, self.before_close = self.before_close, None
        if tell is not None:
            tell()
        super().connectionLost(reason)

    def readConnectionLost(self, reason: Failure) -> None:  # noqa: N802
        """The peer's end, which is a clean one only where the socket has no error."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.connectionLost(Failure(CONNECTION_LOST))
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            super().readConnectionLost(reason)
        else:
            self.connectionLost(reason)

    def _uncork(self) -> None:
        """Send what one ``dataReceived`` has written."""
        if not self.connected or self._aborting:
            return
        if self.dataBuffer or self.TLS or self._writeDisconnected:
            self.startWriting()
            return
        pieces = self._tempDataBuffer
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._tempDataBuffer = []
        self._tempDataLen = 0
        self._send(data)

    def _send(self, data: bytes) -> None:
        """Offer ``data`` to the kernel and queue the rest; the queue is empty."""
        size = len(data)
        sent = self._offer(
            data if size <= SEND_OCTETS else memoryview(data)[:SEND_OCTETS]
        )
        if sent < size:
            self.dataBuffer = data
            self.offset = sent
            self._maybePauseProducer()
            self.startWriting()
        elif self.producer is not None and (
            self.producerPaused or not self.streamingProducer
        ):
            # doWrite finds an empty queue and asks the producer for more.
            self.startWriting()

    def _offer(self, data: bytes | memoryview) -> int:
        """How many octets the kernel took; 0 on errors, which ``doWrite`` meets
        again."""
        try:
            return self.socket.send(data)
        except OSError:
            return 0


class _EndsQuickly(_Stream):
    """Mixed in after ``SendAtOnce``, where a server's connection ends."""

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket; ``Failure.check`` would spell the names of all classes that
        the reason's class has."""
        if not hasattr(self, "socket"):
            return
        FileDescriptor.connectionLost(self, reason)
        if isinstance(reason.value, ConnectionAborted):
            self._closeSocket(False)
        else:
            # Nobody else has the socket, so this is the shutdown, too.
            self.socket.close()
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)


class CorkedServer(SendAtOnce, _EndsQuickly, tcp.Server):
    """The server's side of a TCP connection."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.setTcpNoDelay(True)


class CorkedClient(SendAtOnce, tcp.Client):
    """The client's side of a TCP connection."""

    def _connectDone(self) -> None:  # noqa: N802
        self.setTcpNoDelay(True)
        super()._connectDone()


class CorkedUNIXServer(SendAtOnce, unix.Server):
    """The server's side of a UNIX stream connection."""

    def _offer(self, data: bytes | memoryview) -> int:
        # A descriptor that waits must travel with the first octet that follows it.
        return 0 if self._sendmsgQueue else super()._offer(data)


if TYPE_CHECKING:
    _Port = tcp.Port
else:
    _Port = object


class _FewAtOnce(_Port):
    """Mixed in before one of Twisted's ports: a flood of connections leaves others
    their turn.  By itself a port takes ever more of them at a time."""

    _resting: Any = None
    _hears = False

    def doRead(self) -> None:  # noqa: N802
        """Accept what waits, up to ``ACCEPTS_A_TURN``; without the logging context that
        Twisted makes each time, unless something goes wrong."""
        most = min(self.numberAccepts, ACCEPTS_A_TURN)
        accepted = 0
        while accepted < most:
            try:
                connection, address = self.socket.accept()
            except BlockingIOError:
                break
            except OSError:
                self._accept_with_care()
                return
            accepted += 1
            try:
                self._take(connection, address)
            except Exception:
                _log.failure("{port}: a connection could not be taken", port=self)
        self.numberAccepts = accepted + most if accepted == most else max(1, accepted)

    def _take(self, connection: socket.socket, address: Any) -> None:
        """Serve a connection, unless the factory wants none."""
        if self.addressFamily == socket.AF_INET6:
            # With the scope, where there is one.
            host, _ = socket.getnameinfo(address, _NUMERIC)
            address = (host, *address[1:])
        assert self.factory is not None
        protocol: Any = self.factory.buildProtocol(self._buildAddr(address))
        if protocol is None:
            connection.close()
            return
        number = self.sessionno
        self.sessionno = number + 1
        transport = self.transport(
            connection, protocol, address, self, number, self.reactor
        )
        protocol.makeConnection(transport)

    def _accept_with_care(self) -> None:
        """Where there are no descriptors, say, Twisted knows what to do."""
        self.numberAccepts = min(self.numberAccepts, ACCEPTS_A_TURN)
        if not self._hears:
            # What Twisted tells of connections that it could not accept.
            observer: Any = self._not_accepted
            self._logger = Logger(namespace=__name__, observer=observer)
            self._hears = True
        # A thread may have taken its descriptor while that was in use.
        tcp._reservedFD.reserve()
        super().doRead()

    def _not_accepted(self, event: Any) -> None:
        """Rest a while: the next turn could accept no more, nor any after it."""
        why = event.get("acceptError", "no descriptor is free")
        if why != "ECONNABORTED" and self._resting is None:
            _log.warn("{port}: cannot accept connections: {why}", port=self, why=why)
            self.stopReading()
            reactor: Any = self.reactor
            self._resting = reactor.callLater(REST_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        if self.connected and not self.disconnecting:
            self.startReading()

    def _end_rest(self) -> None:
        resting, self._resting = self._resting, None
        if resting is not None:
            resting.cancel()

    def connectionLost(self, reason: Any) -> None:
        """Close, also in the middle of a rest."""
        self._end_rest()
        super().connectionLost(reason)


class CorkedPort(_FewAtOnce, tcp.Port):
    """A listening TCP socket whose connections send at once.

    ``is_v6_only`` set to true keeps a socket on ``::`` from taking IPv4 connections
    too; ``None`` leaves it to the system.
    """

    transport = CorkedServer

    def __init__(
        self,
        port: Any,
        factory: IProtocolFactory,
        backlog: int = BACKLOG,
        interface: str = "",
        reactor: Any = None,
        is_v6_only: bool | None = None,
    ) -> None:
        super().__init__(port, factory, backlog, interface, reactor)
        self.is_v6_only = is_v6_only

    def createInternetSocket(self) -> socket.socket:  # noqa: N802
        """A socket that is not yet bound."""
        made: socket.socket = super().createInternetSocket()
        if self.is_v6_only is not None and made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, self.is_v6_only)
        return made

    def startListening(self) -> None:
        """Bind and listen, or take over a socket; without Twisted's line in the log.
        CannotListenError."""
        tcp._reservedFD.reserve()
        if self._preexistingSocket is None:
            listening = self._bound()
        else:
            listening, self._preexistingSocket = self._preexistingSocket, None
            self._shouldShutdown = False
        self._realPortNumber = listening.getsockname()[1]
        _serve(self, listening)

    def _bound(self) -> socket.socket:
        address: Any = (self.interface, self.port)
        made: socket.socket | None = None
        try:
            made = self.createInternetSocket()
            if self.addressFamily == socket.AF_INET6:
                address = tcp._resolveIPv6(self.interface, self.port)
            made.bind(address)
            # Where another socket was bound here too, this is what fails.
            made.listen(self.backlog)
        except OSError as error:
            if made is not None:
                made.close()
            raise CannotListenError(self.interface, self.port, error) from None
        return made

    def _logConnectionLostMsg(self) -> None:  # noqa: N802
        """Not a word: what closes, and why, is said by its owner."""


class CorkedUNIXPort(_FewAtOnce, unix.Port):
    """A listening UNIX socket; one that was adopted keeps its file and permissions."""

    transport = CorkedUNIXServer
    _is_adopted = False

    def startListening(self) -> None:
        """Bind and listen, or take over the socket that somebody else made."""
        if self._preexistingSocket is None:
            super().startListening()
            return
        # Not super(): it would set the file's mode, which belongs to its maker.
        self._is_adopted = True
        self._shouldShutdown = False
        adopted, self._preexistingSocket = self._preexistingSocket, None
        _serve(self, adopted)

    def _logConnectionLostMsg(self) -> None:  # noqa: N802
        """Not a word, as above."""

    def connectionLost(self, reason: Any) -> None:
        """Close; remove the socket's file where it is ours."""
        if self._is_adopted:
            self._end_rest()
            tcp.Port.connectionLost(self, reason)
        else:
            super().connectionLost(reason)


def _serve(port: tcp.Port, listening: socket.socket) -> None:
    """The end of a ``startListening``: accept from now on."""
    assert port.factory is not None
    port.factory.doStart()
    port.socket = listening
    port.fileno = listening.fileno  # type: ignore[method-assign]
    port.connected = True
    port.numberAccepts = 100
    port.startReading()


class CorkedConnector(tcp.Connector):
    """One outgoing connection and its attempts."""

    def _makeTransport(self) -> tcp.Client:  # noqa: N802
        return CorkedClient(self.host, self.port, self.bindAddress, self, self.reactor)


def listen_tcp(
    reactor: Any,
    port: Any,
    factory: IProtocolFactory,
    backlog: int = BACKLOG,
    interface: str = "",
    is_v6_only: bool | None = None,
) -> IListeningPort:
    """A listening port; ``port`` is a number or what ``makeBinding`` returns.
    CannotListenError."""
    if not isinstance(reactor, PosixReactorBase):
        fallback: IListeningPort = reactor.listenTCP(port, factory, backlog, interface)
        return fallback
    made = CorkedPort(port, factory, backlog, interface, reactor, is_v6_only)
    made.startListening()
    return made


def listen_unix(
    reactor: Any,
    path: str,
    factory: IProtocolFactory,
    backlog: int = BACKLOG,
    mode: int = 0o666,
    wants_lock: bool = False,
) -> IListeningPort:
    """A listening UNIX socket; with ``wants_lock`` a stale file of a dead process is
    replaced.  CannotListenError."""
    if not isinstance(reactor, PosixReactorBase):
        fallback: IListeningPort = reactor.listenUNIX(
            path, factory, backlog, mode, wants_lock
        )
        return fallback
    made = CorkedUNIXPort(
        os.fsencode(path), factory, backlog, mode, reactor, wants_lock
    )
    made.startListening()
    return made


def adopt_listener(
    reactor: Any, descriptor: int, factory: IProtocolFactory
) -> IListeningPort:
    """A port on a listening stream socket made by somebody else (systemd, a parent).

    The port works on a duplicate: close ``descriptor`` when it is not needed.
    ValueError where it is not a listening stream socket.
    """
    with socket.socket(fileno=os.dup(descriptor)) as probe:
        family = probe.family
        if probe.type != socket.SOCK_STREAM or not probe.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            raise ValueError(f"descriptor {descriptor} is not a listening socket")
    # O_NONBLOCK may be missing on a socket that was handed over; where two processes
    # share it, the slower one would then hang in accept for good.
    os.set_blocking(descriptor, False)
    if not isinstance(reactor, PosixReactorBase):
        fallback: IListeningPort = reactor.adoptStreamPort(descriptor, family, factory)
        return fallback
    made: tcp.Port
    if family == socket.AF_UNIX:
        made = CorkedUNIXPort._fromListeningDescriptor(reactor, descriptor, factory)
    else:
        made = CorkedPort._fromListeningDescriptor(reactor, descriptor, family, factory)
    made.startListening()
    return made


def connect_tcp(
    reactor: Any,
    host: str,
    port: int,
    factory: Any,
    timeout: float = 30,
    bind_address: Any = None,
) -> Any:
    """Connect a client factory, as ``reactor.connectTCP`` does; an ``IConnector``."""
    if not isinstance(reactor, PosixReactorBase):
        return reactor.connectTCP(host, port, factory, timeout, bind_address)
    made = CorkedConnector(host, port, factory, timeout, bind_address, reactor)
    made.connect()
    return made


def expect_bulk(transport: Any, octets: int = BULK_OCTETS) -> None:
    """Let ``transport`` read and buffer up to ``octets`` at a time: a transfer comes.

    Layers such as TLS are looked through; a transport that is no socket stays as it is.
    """
    while not isinstance(transport, FileDescriptor):
        transport = getattr(transport, "lower", getattr(transport, "transport", None))
        if transport is None:
            return
    transport.bufferSize = octets
