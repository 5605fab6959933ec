"""The data connections of a client: passive and active, in the clear and with TLS.

Theory.  A data connection leads to the host at the other end of the control connection,
or comes from it; what address a server names does not matter, so no server can have us
connect to a third party (RFC 2577 3).  With PROT P it resumes the TLS session of the
control connection: servers that require it (vsftpd and ProFTPD do) know thereby that
the same client has connected.
"""

from __future__ import annotations

import ssl
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.python.failure import Failure

from netservices.core.write import connect_tcp, listen_tcp
from netservices.ftp.client.channel import ClientChannel
from netservices.ftp.client.control import Control
from netservices.ftp.client.problems import Unexpected
from netservices.ftp.dialogue.channels import NoDataConnection
from netservices.ftp.wire import (
    HostPort,
    format_eprt,
    format_port,
    normal_address,
    parse_epsv_reply,
    parse_pasv_reply,
)

_BACKLOG = 4
_NOT_THERE = range(500, 600)


class Prepared(Protocol):
    """A data connection that the server has agreed to."""

    async def connected(self) -> ClientChannel:
        """The connection.  NoDataConnection."""

    def close(self) -> None:
        """Give it up."""


@define
class DataConnections:
    """Prepares and opens the data connections of one client."""

    reactor: Any
    control: Control
    is_active: bool = False
    """PORT and EPRT in place of PASV and EPSV."""
    protection: ssl.SSLContext | None = None
    """The context with which data connections speak TLS."""
    hostname: str = ""
    _knows_extended: bool = True
    """Until the server refuses EPSV or EPRT."""
    sessions_resumed: int = field(default=0, init=False)
    """How many data connections have resumed the control connection's session."""

    async def prepare(self) -> Prepared:
        """Agree with the server on the next data connection.  Unexpected,
        NoDataConnection."""
        return await (self._active() if self.is_active else self._passive())

    async def secure(self, channel: ClientChannel) -> None:
        """Shake hands if data connections are protected.  DataBroken."""
        if self.protection is None:
            return
        layer = self.control.layer
        session = layer.session if layer is not None else None
        limit = self.reactor.callLater(
            self.control.limits.connect_seconds, channel.abort
        )
        try:
            made = await channel.secure(self.protection, self.hostname, session)
        finally:
            if limit.active():
                limit.cancel()
        self.sessions_resumed += made.session_reused

    # --- passive --------------------------------------------------------------------

    async def _passive(self) -> Prepared:
        port = await self._passive_port()
        channel = ClientChannel(self.reactor, self.control.limits.chunk_octets)
        opening = _Opening(channel)
        opening.connector = connect_tcp(
            self.reactor,
            self.control.peer,
            port,
            opening,
            self.control.limits.connect_seconds,
        )
        try:
            # A server that nobody reaches is found out before it waits for us, too.
            await opening.connected()
        except BaseException:
            opening.close()
            raise
        return opening

    async def _passive_port(self) -> int:
        if self._knows_extended:
            try:
                reply = await self.control.command("EPSV", 229)
                return parse_epsv_reply(reply.lines[-1])
            except Unexpected as error:
                if not self._may_fall_back(error):
                    raise
        reply = await self.control.command("PASV", 227)
        # The host of a 227 is not used: behind NAT it is wrong, and it may be a lie.
        return parse_pasv_reply(reply.lines[-1]).port

    def _may_fall_back(self, error: Unexpected) -> bool:
        """Whether the command of RFC 959 may help."""
        self._knows_extended = error.reply.code not in _NOT_THERE
        is_v4 = ":" not in normal_address(self.control.peer)
        return not self._knows_extended and is_v4

    # --- active ---------------------------------------------------------------------

    async def _active(self) -> Prepared:
        waiting = _Listening(self.reactor, self.control)
        try:
            await self._announce(waiting.address)
        except BaseException:
            waiting.close()
            raise
        return waiting

    async def _announce(self, address: HostPort) -> None:
        if self._knows_extended:
            try:
                await self.control.command(f"EPRT {format_eprt(address)}", 200)
                return
            except Unexpected as error:
                if not self._may_fall_back(error):
                    raise
        await self.control.command(f"PORT {format_port(address)}", 200)


class _Opening(ClientFactory):
    """A passive connection on its way."""

    noisy = False

    def __init__(self, channel: ClientChannel) -> None:
        self._channel = channel
        self._opened: Deferred[ClientChannel] = Deferred()
        self.connector: Any = None
        self._is_connected = False
        channel.made = self._opened.callback

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """The one protocol of this factory."""
        return self._channel

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Refused, unreachable or too late."""
        text = f"no data connection: {reason.getErrorMessage()}"
        self._opened.errback(Failure(NoDataConnection(text)))

    async def connected(self) -> ClientChannel:
        """The connection.  NoDataConnection."""
        if not self._is_connected:
            await self._opened
            self._is_connected = True
        return self._channel

    def close(self) -> None:
        """Give it up."""
        self._opened.addErrback(lambda _failure: None)
        if self.connector is not None:
            self.connector.disconnect()
        self._channel.abort()


class _Listening(ServerFactory):
    """A port on which one connection of the server is waited for."""

    noisy = False

    def __init__(self, reactor: Any, control: Control) -> None:
        self._reactor = reactor
        self._control = control
        self._opened: Deferred[Any] = Deferred()
        self._channel: ClientChannel | None = None
        self._port = listen_tcp(reactor, 0, self, _BACKLOG, control.local)
        bound: Any = self._port.getHost()
        self.address = HostPort(normal_address(control.local), bound.port)

    def buildProtocol(self, addr: Any) -> Any:
        """A channel for the server's own connection; nobody else's."""
        is_theirs = normal_address(addr.host) == normal_address(self._control.peer)
        if not is_theirs or self._channel is not None:
            return None
        self._channel = ClientChannel(self._reactor, self._control.limits.chunk_octets)
        self._channel.made = self._made
        return self._channel

    def _made(self, channel: ClientChannel) -> None:
        self._port.stopListening()
        if not self._opened.called:
            self._opened.callback(channel)

    async def connected(self) -> ClientChannel:
        """The connection.  NoDataConnection."""
        seconds = self._control.limits.connect_seconds
        timer = self._reactor.callLater(seconds, self._give_up)
        try:
            channel: ClientChannel = await self._opened
        finally:
            if timer.active():
                timer.cancel()
        return channel

    def _give_up(self) -> None:
        if not self._opened.called:
            text = "the server does not open the data connection"
            self._opened.errback(Failure(NoDataConnection(text)))

    def close(self) -> None:
        """Give it up."""
        self._opened.addErrback(lambda _failure: None)
        self._give_up()
        self._port.stopListening()
        if self._channel is not None:
            self._channel.abort()
