"""Passive ports: few listeners, open for good, shared by all sessions.

Theory.  A client is told a port, and what tells its connection apart from those of
others on the same port is the address it comes from.  So each listener keeps a table
from client address to the one session there that expects a connection; only a second
session of the same address needs another port at the same moment.  A connection from
an address that nobody expects is closed at once, and the listener stays (a stolen or
guessed port yields nothing).  Listeners are bound to the address that the client's
control connection came in on, because that is where PASV and EPSV send it; ports come
from the configured range only.  Of many such addresses (all of 127.0.0.0/8 are ours)
those that were used last keep their listeners.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from netservices.core.errors import Trouble
from netservices.core.settings import PortRange
from netservices.core.write import listen_tcp
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.wire import Reply, normal_address

_log = Logger()

NO_PORT = Reply(425, "No passive port is free; try again later")
_BACKLOG = 256
_MOST_EPHEMERAL = 100
"""Listeners an address may have where the range is 0, which leaves the choice to the
system."""

ANYONE = ""
"""As the peer of a lease: whoever connects first (site-to-site transfers)."""
_WORTH_ANOTHER_TRY = frozenset({errno.EADDRINUSE, errno.EACCES})
"""A port of the range that cannot be had; with other errors no other could be."""


@define(eq=False)
class Lease:
    """One session's claim on the next connection from its client to one port."""

    port: int
    _listener: Listener
    _peer: str
    connection: DataConnection
    arrived: Deferred[DataConnection] | None = None
    greet: Callable[[DataConnection], None] | None = None
    """Told of the connection first of all."""
    _is_taken: bool = False

    @property
    def is_connected(self) -> bool:
        """Whether the client has connected: a connection that waits in the kernel is
        accepted now, so that a transfer that can begin at once does."""
        if not self._is_taken:
            self._listener.accept()
        return self._is_taken

    def release(self) -> None:
        """The claim is given up; a connection that nobody took is dropped."""
        waiting = self._listener.expected
        if waiting.get(self._peer) is self:
            del waiting[self._peer]

    def take(self, connection: DataConnection) -> None:
        """The client has connected."""
        self._is_taken = True
        if self.greet is not None:
            self.greet(connection)
        if self.arrived is not None:
            self.arrived.callback(connection)


class Listener(Factory):
    """One open port; ``expected`` says who may connect to it."""

    noisy = False

    def __init__(self) -> None:
        self.expected: dict[str, Lease] = {}
        self.port: Any = None

    def accept(self) -> None:
        """Take what has connected meanwhile."""
        if isinstance(self.port, tcp.Port) and self.port.connected:
            self.port.doRead()

    def is_free_for(self, peer: str) -> bool:
        """Whether a connection of that peer could be taken for nobody else's."""
        if peer == ANYONE:
            return not self.expected
        return peer not in self.expected and ANYONE not in self.expected

    def buildProtocol(self, addr: IAddress | None) -> DataConnection | None:
        """The connection of a client that is expected; anybody else's is closed."""
        peer = normal_address(getattr(addr, "host", ""))
        lease = self.expected.pop(peer, None) or self.expected.pop(ANYONE, None)
        if lease is None:
            return None
        lease.connection.made = lease.take
        return lease.connection


@define(eq=False)
class PassivePorts:
    """The listeners of one server."""

    reactor: Any
    ports: PortRange
    shared: int
    """How many listeners of an address are used in turn before more are opened for a
    client that occupies all of them."""
    most_addresses: int
    """On how many addresses of ours listeners stay open at once."""
    _listeners: dict[str, list[Listener]] = field(factory=dict)
    _turn: int = 0

    def lease(self, local: str, peer: str, connection: DataConnection) -> Lease:
        """A claim for the client ``peer``, or ANYONE, on a port of our address
        ``local``, for a connection still to be made.  Trouble where all ports are
        taken."""
        listeners = self._listeners_of(local)
        listener = None
        if len(listeners) >= self.shared:
            listener = self._free(listeners, peer)
        if listener is None:
            listener = self._open(local, listeners) or self._free(listeners, peer)
        if listener is None:
            raise Trouble("all passive ports are taken", NO_PORT)
        port: int = listener.port.getHost().port
        lease = listener.expected[peer] = Lease(port, listener, peer, connection)
        return lease

    def _listeners_of(self, local: str) -> list[Listener]:
        """Those of one address, which counts as used now.  Trouble where clients are
        expected on too many others."""
        listeners = self._listeners.pop(local, None)
        if listeners is None:
            if len(self._listeners) >= self.most_addresses:
                self._close_least_used()
            listeners = []
        self._listeners[local] = listeners
        return listeners

    def _close_least_used(self) -> None:
        for local, listeners in self._listeners.items():
            if not any(listener.expected for listener in listeners):
                del self._listeners[local]
                for listener in listeners:
                    listener.port.stopListening()
                return
        raise Trouble("passive ports of too many addresses", NO_PORT)

    def _free(self, listeners: list[Listener], peer: str) -> Listener | None:
        """The next listener on which nobody at that address waits.

        They take turns: a client may not connect twice from one of its ports to one of
        ours within a minute, so many small transfers need more than one.
        """
        self._turn += 1
        count = len(listeners)
        for step in range(count):
            listener = listeners[(self._turn + step) % count]
            if listener.is_free_for(peer):
                return listener
        return None

    def _open(self, local: str, listeners: list[Listener]) -> Listener | None:
        taken = {listener.port.getHost().port for listener in listeners}
        listener = Listener()
        for number in self._numbers(len(listeners)):
            if number and number in taken:
                continue
            try:
                listener.port = listen_tcp(
                    self.reactor, number, listener, _BACKLOG, local
                )
            except CannotListenError as error:
                if error.socketError.errno in _WORTH_ANOTHER_TRY:
                    continue
                _log.warn("no passive port: {why}", why=error)
                return None
            listeners.append(listener)
            return listener
        return None

    def _numbers(self, open_already: int) -> tuple[int, ...] | PortRange:
        if self.ports.last == 0:
            return (0,) if open_already < _MOST_EPHEMERAL else ()
        return self.ports

    def close(self) -> list[Any]:
        """Close all listeners; a Deferred or None for each."""
        listeners = [one for group in self._listeners.values() for one in group]
        self._listeners.clear()
        return [listener.port.stopListening() for listener in listeners]

    def statistics(self) -> list[str]:
        """``address:port`` of each listener, for ``status``."""
        hosts = [
            one.port.getHost() for group in self._listeners.values() for one in group
        ]
        return [f"{host.host}:{host.port}" for host in hosts]
