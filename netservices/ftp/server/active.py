"""Active data connections: from the data port of the server to the client.

Theory.  RFC 959 3.2 has a data connection come from port L-1, where L is the port of
the control connection: 20 for 21, 989 for 990.  Firewalls of clients rely on that.  All
connections share that port, each socket bound with SO_REUSEADDR; what tells them apart
is the client's end.  Three things may forbid the port, and then any other one serves:

* the port is below 1024 and the process may not bind it (EACCES).  That does not
  change, so it is logged once for each port and not tried again;
* another socket listens on it (EADDRINUSE);
* the last connection between the same two ports is not forgotten yet, for a client may
  name one port again and again (EADDRNOTAVAIL from connect).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory
from twisted.internet.tcp import makeBinding
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.write import connect_tcp
from netservices.ftp.dialogue.channels import NoDataConnection
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.wire import HostPort

BELOW_CONTROL = "L-1"
"""``ftp.active_port``: the port below that of the control connection."""

_DENIED = frozenset({errno.EACCES, errno.EPERM})
_TAKEN = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})


@define(eq=False)
class ActivePorts:
    """How the connections of one server begin."""

    reactor: Any
    source: str
    """``L-1``, or the digits of a port; 0 for any."""
    open_seconds: float
    _denied: set[int] = field(factory=set)

    _log = Logger()

    def connect(
        self, local: HostPort, target: HostPort, connection: DataConnection
    ) -> Attempt:
        """Begin to connect; ``local`` is our end of the control connection."""
        port = self._source_port(local.port)
        attempt = Attempt(self, local.host, target, connection)
        attempt.begin(0 if port in self._denied else port)
        return attempt

    def _source_port(self, control_port: int) -> int:
        if self.source == BELOW_CONTROL:
            return max(control_port - 1, 0)
        return int(self.source)

    def denied(self, port: int) -> None:
        """The system forbids the port; the operator hears of it once."""
        if port not in self._denied:
            self._denied.add(port)
            self._log.warn(
                "active data connections cannot come from port {port}: permission"
                " denied; they come from any port, which firewalls of clients may"
                " refuse (CAP_NET_BIND_SERVICE helps, or ftp.active_port)",
                port=port,
            )


class Attempt(ClientFactory):
    """One data connection on its way; ``done`` fires with it.  NoDataConnection."""

    noisy = False

    def __init__(
        self,
        ports: ActivePorts,
        local: str,
        target: HostPort,
        connection: DataConnection,
    ) -> None:
        self.done: Deferred[DataConnection] = Deferred()
        self._ports = ports
        self._local = local
        self._target = target
        self._connection = connection
        self._source = 0
        self._connector: Any = None
        connection.made = self._made

    def begin(self, source: int) -> None:
        """Connect from that port of ours; 0 is any."""
        self._source = source
        binding = None
        if self._local:
            binding = makeBinding(self._local, source, reuseAddress=source != 0)
        self._connector = connect_tcp(
            self._ports.reactor,
            self._target.host,
            self._target.port,
            self,
            self._ports.open_seconds,
            binding,
        )

    def give_up(self) -> None:
        """Nobody waits for it any more; also after the end."""
        self._source = 0
        self._connector.disconnect()

    def buildProtocol(self, addr: IAddress | None) -> DataConnection:
        """The one connection of this attempt."""
        return self._connection

    def _made(self, connection: DataConnection) -> None:
        self._settle(self.done.callback, connection)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """From another port, if that can help; else it is refused, unreachable or too
        late."""
        number = getattr(reason.value, "osError", None)
        if self._source and number in _DENIED | _TAKEN:
            if number in _DENIED:
                self._ports.denied(self._source)
            self.begin(0)
            return
        text = f"active connection: {reason.getErrorMessage()}"
        self._settle(self.done.errback, Failure(NoDataConnection(text)))

    def _settle(self, fire: Callable[[Any], None], result: Any) -> None:
        if not self.done.called:
            fire(result)
