"""Listeners: bound sockets that accept, count, limit, drain and close.

A listener's life: *bound* (``sockets.py``, while privileged) -> *open* (accepting or
answering) -> *closed* (accepts no more; its connections live on) -> *drained*.  What a
protocol's connections are doing is not known here: a protocol that has a ``drain()``
method is told that the server stops, everything else waits until it ends by itself or
the deadline comes.

Protocols that count connections need nothing of this: each connection's protocol is
registered when it is built, and forgotten when its connection is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from twisted.logger import Logger
from zope.interface import implementer

from netservices.config.endpoint import Endpoint
from netservices.config.settings import ServerSettings
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.write import adopt_listener
from netservices.datagram import DatagramPort
from netservices.interfaces import IEvents
from netservices.plugin import DatagramAnswer, Server
from netservices.sockets import Bound

_log = Logger()


Watch: TypeAlias = Callable[[IAddress], Callable[[Any], None]]
"""Told of each connection's peer; what it returns is told why the connection ended."""


@frozen
class Listening:
    """Where something listens: what ``status`` and the first start show."""

    protocol: str
    endpoint: str
    address: str
    """IP address, or the path of a UNIX socket."""
    port: int

    def __iter__(self) -> Any:
        return iter((self.protocol, self.endpoint, self.address, self.port))


class Connections:
    """The live connections of one listener."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.live: set[IProtocol] = set()
        self.accepted = 0
        self.refused = 0
        self.watch: Watch | None = None
        self._when_empty: list[Deferred[None]] = []

    @property
    def is_full(self) -> bool:
        """Whether another connection would be one too many."""
        return len(self.live) >= self.most

    def add(self, protocol: Any, address: IAddress) -> None:
        """Keep ``protocol`` until its connection is lost."""
        self.accepted += 1
        self.live.add(protocol)
        closed = self.watch(address) if self.watch is not None else None

        def lost(reason: Any) -> None:
            del protocol.connectionLost  # the class's own again, and no cycle is left
            self.live.discard(protocol)
            try:
                protocol.connectionLost(reason)
            finally:
                if closed is not None:
                    closed(reason)
                self._forgotten()

        protocol.connectionLost = lost

    def _forgotten(self) -> None:
        if not self.live:
            waiting, self._when_empty = self._when_empty, []
            for deferred in waiting:
                deferred.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Fires when no connection is left."""
        deferred: Deferred[None] = Deferred()
        self._when_empty.append(deferred)
        self._forgotten()
        return deferred

    def drain(self) -> None:
        """Tell every connection that can be told that the server stops."""
        for protocol in list(self.live):
            drain = getattr(protocol, "drain", None)
            if drain is not None:
                _observed(drain, "a connection failed to drain")

    def abort(self) -> int:
        """Cut what is left; how many that were."""
        left = list(self.live)
        for protocol in left:
            transport: Any = getattr(protocol, "transport", None)
            if transport is not None:
                cut = getattr(transport, "abortConnection", transport.loseConnection)
                cut()
        return len(left)


@implementer(IProtocolFactory, ILoggingContext)
class CountingFactory:
    """The factory of a listener: the protocol's own, counted and limited."""

    noisy = False

    def __init__(self, inner: IProtocolFactory, connections: Connections) -> None:
        self.inner = inner
        self.connections = connections

    def doStart(self) -> None:  # noqa: N802
        self.inner.doStart()

    def doStop(self) -> None:  # noqa: N802
        self.inner.doStop()

    def logPrefix(self) -> str:
        return type(self.inner).__name__

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """The protocol of a new connection; None, and so the end, of one too many."""
        if self.connections.is_full:
            self.connections.refused += 1
            return None
        protocol = self.inner.buildProtocol(addr)
        if protocol is not None:
            self.connections.add(protocol, addr)
        return protocol


class Listener:
    """One bound socket of one protocol."""

    def __init__(self, protocol: str, bound: Bound, most_connections: int) -> None:
        self.protocol = protocol
        self.bound = bound
        self.listening = Listening(
            protocol, str(bound.endpoint), bound.address, bound.port
        )
        self.is_stream = bound.is_stream
        self.connections = Connections(most_connections)
        self._port: IListeningPort | None = None
        self._datagram_port: DatagramPort | None = None

    def open(
        self,
        server: Server,
        reactor: Any,
        settings: ServerSettings,
        wrap_tls: Callable[[IProtocolFactory], IProtocolFactory],
    ) -> None:
        """Begin to accept or answer.  ConfigurationError where the protocol has nothing
        for such an endpoint."""
        endpoint = self.bound.endpoint
        if not self.is_stream:
            self._datagram_port = DatagramPort(
                self.bound.socket,
                datagrams_of(self.protocol, endpoint, server),
                reactor,
                settings.datagrams_a_wake,
            )
            self._datagram_port.start()
            return
        inner = stream_of(self.protocol, endpoint, server)
        spoken = wrap_tls(inner) if endpoint.is_tls else inner
        factory = CountingFactory(spoken, self.connections)
        self._port = adopt_listener(reactor, self.bound.socket.fileno(), factory)
        self.bound.socket.close()  # the port has a duplicate

    @as_deferred
    async def close(self) -> None:
        """Accept no more; what is connected stays."""
        if self._datagram_port is not None:
            port, self._datagram_port = self._datagram_port, None
            port.stop()
        if self._port is not None:
            stream_port, self._port = self._port, None
            await maybeDeferred(stream_port.stopListening)
        self.bound.close()

    def record(self, events: IEvents, seconds: Callable[[], float]) -> None:
        """Record an event for each connection that opens and closes from now on."""
        endpoint = self.bound.endpoint

        def opened(address: IAddress) -> Callable[[Any], None]:
            began = seconds()
            fields = {
                "protocol": self.protocol,
                "address": getattr(address, "host", self.listening.address),
                "is_secure": endpoint.is_tls,
                "endpoint": self.listening.endpoint,
            }
            events.emit("connection_opened", **fields)

            def closed(reason: Any) -> None:
                events.emit(
                    "connection_closed",
                    **fields,
                    seconds=round(seconds() - began, 3),
                    reason=reason.type.__name__,
                )

            return closed

        self.connections.watch = opened

    def status(self) -> Mapping[str, Any]:
        """What ``netservices status`` shows of it."""
        shown: dict[str, Any] = {
            "protocol": self.protocol,
            "endpoint": self.listening.endpoint,
            "address": self.listening.address,
            "port": self.listening.port,
            "answers": self._port is not None or self._datagram_port is not None,
        }
        if self._datagram_port is not None:
            shown.update(self._datagram_port.status())
        if self.is_stream:
            shown.update(
                connections=len(self.connections.live),
                accepted=self.connections.accepted,
                refused=self.connections.refused,
            )
        return shown


class Listeners:
    """All listeners of the process."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.all: list[Listener] = []

    def add(self, bound: Mapping[str, Iterable[Bound]], most_connections: int) -> None:
        """Take the sockets of each protocol; they are not served yet."""
        for protocol, sockets in bound.items():
            self.all += [Listener(protocol, one, most_connections) for one in sockets]

    def of(self, protocol: str) -> list[Listener]:
        """Those of one protocol."""
        return [one for one in self.all if one.protocol == protocol]

    @property
    def listening(self) -> list[Listening]:
        """Where everything listens."""
        return [listener.listening for listener in self.all]

    @property
    def live_count(self) -> int:
        """Connections of all listeners."""
        return sum(len(listener.connections.live) for listener in self.all)

    @as_deferred
    async def close(self) -> None:
        """Stop accepting everywhere."""
        for listener in self.all:
            await listener.close()

    def drain(self) -> Deferred[None]:
        """Tell every connection that the server stops; fires when none is left."""
        for listener in self.all:
            listener.connections.drain()
        return self.all_gone()

    @as_deferred
    async def all_gone(self) -> None:
        """Fires when no connection is left."""
        for listener in self.all:
            await listener.connections.when_empty()

    def abort(self) -> int:
        """Cut the connections that are left; how many that were."""
        return sum(listener.connections.abort() for listener in self.all)


def refuse_unfit(protocol: str, endpoint: Endpoint, server: Server) -> None:
    """ConfigurationError where ``server`` has nothing for that endpoint; what arrives
    on a socket made by others is known only when it is there."""
    if endpoint.kind == "udp":
        datagrams_of(protocol, endpoint, server)
    elif endpoint.kind != "systemd":
        stream_of(protocol, endpoint, server)


def datagrams_of(protocol: str, endpoint: Endpoint, server: Server) -> DatagramAnswer:
    """What answers datagrams there.  ConfigurationError."""
    if server.datagram is None:
        raise _unfit(protocol, endpoint, "the protocol answers no datagrams")
    return server.datagram


def stream_of(protocol: str, endpoint: Endpoint, server: Server) -> IProtocolFactory:
    """What takes connections there.  ConfigurationError."""
    role = endpoint.role
    if role and role not in server.roles:
        roles = ", ".join(sorted(server.roles)) or "none"
        raise _unfit(protocol, endpoint, f"no role {role!r}; there are: {roles}")
    factory = server.roles[role] if role else server.stream
    if factory is None:
        raise _unfit(protocol, endpoint, "the protocol takes no connections")
    return factory


def _unfit(protocol: str, endpoint: Endpoint, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{protocol}: {endpoint}: {reason}")


def _observed(function: Callable[[], Any], what: str) -> None:
    """Call ``function``; log its failure, now or later."""
    maybeDeferred(function).addErrback(
        lambda failure: _log.failure(what, failure=failure)
    )
