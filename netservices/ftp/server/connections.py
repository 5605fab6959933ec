"""What the sessions of one server share for their data connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from netservices.core.speed import SECONDS_APART
from netservices.ftp.server.active import ActivePorts
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.kinship import Kinship
from netservices.ftp.server.pace import Pace, Patience
from netservices.ftp.server.passive import PassivePorts
from netservices.ftp.server.rates import Rates

_log = Logger()


@define(eq=False)
class Rounds:
    """Every ``seconds``, ``look`` is called, until it says that nothing is left."""

    reactor: Any
    seconds: float
    look: Callable[[], bool]
    _next: Any = None

    def begin(self) -> None:
        """There is something to look at."""
        if self._next is None:
            self._next = self.reactor.callLater(self.seconds, self._go)

    def _go(self) -> None:
        self._next = None
        if self.look():
            self.begin()

    def stop(self) -> None:
        """No more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None


@define(eq=False)
class DataConnections:
    """Ports, timeouts, bandwidth, and the connections on which transfers run."""

    reactor: Any
    passive: PassivePorts
    active: ActivePorts
    patience: Patience
    chunk_octets: int
    open_seconds: float
    """How long a connection, and then its handshake, may take."""
    tls_context: Callable[[], Any]
    running: set[DataConnection] = field(factory=set)
    kin: dict[tuple[str, str], list[Kinship]] = field(factory=dict)
    rates: Rates = field(factory=Rates)
    _out_of_reach: set[str] = field(factory=set)
    _stalls: Rounds = field(init=False)
    _speeds: Rounds = field(init=False)

    def __attrs_post_init__(self) -> None:
        seconds = self.patience.look_seconds
        self._stalls = Rounds(self.reactor, seconds, self._check_stalls)
        self._speeds = Rounds(self.reactor, SECONDS_APART, self._check_speeds)

    def make(self) -> DataConnection:
        """A connection that is about to be made."""
        return DataConnection(self.chunk_octets, self.reactor)

    def is_out_of_reach(self, host: str, peer: str) -> None:
        """PASV named ``host`` to ``peer``, in vain; said once for each address."""
        if host not in self._out_of_reach:
            self._out_of_reach.add(host)
            _log.warn(
                "PASV named {host} to {peer}, which cannot reach it; set"
                " ftp.masquerade_address to the public IPv4 address",
                host=host,
                peer=peer,
            )

    def watch(self, connection: DataConnection) -> None:
        """Look after a connection on which a transfer runs."""
        self.running.add(connection)
        connection.pace = Pace(self.patience, self.reactor.seconds())
        self._stalls.begin()
        self._speeds.begin()

    def _check_speeds(self) -> bool:
        now = self.reactor.seconds()
        for connection in self.running:
            connection.mark_speed(now)
        return bool(self.running)

    def _check_stalls(self) -> bool:
        now = self.reactor.seconds()
        for connection in tuple(self.running):
            connection.look(now)
        return bool(self.running)

    def stop(self) -> None:
        """Break what still runs; the listeners close elsewhere."""
        self._stalls.stop()
        self._speeds.stop()
        for connection in tuple(self.running):
            connection.abort()
