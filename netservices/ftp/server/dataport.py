"""A session's way to its next data connection: passive, active or not prepared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from netservices.core.errors import Trouble
from netservices.core.trace import place
from netservices.ftp.dialogue.channels import (
    DataBroken,
    NoDataConnection,
    NotProtected,
)
from netservices.ftp.options import Limit
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.connections import DataConnections
from netservices.ftp.server.farewell import look, wait_seconds
from netservices.ftp.server.handshake import Handshake
from netservices.ftp.server.hearing import is_heard
from netservices.ftp.server.kinship import Kinship
from netservices.ftp.server.passive import ANYONE, NO_PORT, Lease
from netservices.ftp.server.reach import is_public
from netservices.ftp.wire import HostPort


@define(eq=False)
class SessionPort:
    """One session's ``dialogue.channels.DataPort``."""

    local: str
    peer: str
    shared: DataConnections
    is_protected: bool = False
    accepts_truncation: bool = False
    limits: Sequence[Limit] = ()
    is_upload: bool = False
    control: Any = None
    """The socket of the control connection."""
    show: Callable[[str, bytes], None] | None = None
    """The session's trace: who, and what."""
    control_port: int = 0
    """The server's port of the control connection."""
    scope: int = 0
    """The interface of the control connection, where its addresses are link-local."""
    kinship: Kinship = field(init=False)
    """Whose TLS sessions its data connections may resume."""
    _lease: Lease | None = None
    _handshake: Handshake | None = None
    """That of a passive connection which has come before the transfer command."""
    _target: HostPort | None = None
    _ready: DataConnection | None = None
    """Connected before the transfer command."""
    _current: DataConnection | None = None
    _kept: DataConnection | None = None
    """Left open by the transfer before."""
    _cancel: Callable[[], None] | None = None

    def __attrs_post_init__(self) -> None:
        self.kinship = Kinship(self.peer, self.shared.kin, self.shared.reactor)

    @property
    def is_prepared(self) -> bool:
        """Whether the next transfer knows where to go."""
        return bool(self._lease or self._target or self._ready or self._has_kept)

    @property
    def is_connected(self) -> bool:
        """Whether the client has connected already."""
        if self._ready is not None or self._has_kept:
            return True
        return self._lease is not None and self._lease.is_connected

    @property
    def _has_kept(self) -> bool:
        """Whether a connection was kept that serves the next transfer: not one that
        lacks the protection which was asked for meanwhile, or has it still."""
        kept = self._kept
        if kept is None or not kept.is_open:
            return False
        return (kept.protection is not None) == self.is_protected

    @property
    def _ends_are_certain(self) -> bool:
        """Whether the end of a data stream is surely that of its file: TLS says so."""
        return self.control is None or (
            self.is_protected and not self.accepts_truncation
        )

    def is_client_there(self) -> bool:
        """Whether the client has not gone, as far as is known; in any thread."""
        return self._ends_are_certain or look(self.control).is_open

    async def keeps_client(self) -> bool:
        """Whether the client is there after the end of its upload; see ``farewell``."""
        ended = self._current
        if self._ends_are_certain:
            return True
        link = look(self.control)
        if ended is None or not link.is_open:
            return link.is_open
        seconds = wait_seconds(
            ended.octets, ended.receiving_seconds, link, ended.has_losses
        )
        if not seconds:
            return True
        await deferLater(self.shared.reactor, seconds)
        return self.is_client_there()

    def hears_replies(self) -> bool:
        """Whether the client reads; see ``hearing``."""
        return self.control is None or is_heard(self.control)

    def listen(self, anyone: bool = False) -> HostPort:
        """Expect the client on a passive port, or, with ``anyone``, whoever connects.
        Trouble."""
        self.close()
        if not self.local:
            raise Trouble("passive mode without an IP address", NO_PORT)
        connection = self.shared.make()
        peer = ANYONE if anyone else self.peer
        self._lease = self.shared.passive.lease(self._bindable, peer, connection)
        self._lease.greet = self._greet
        return HostPort(self.local, self._lease.port)

    def _greet(self, connection: DataConnection) -> None:
        """A passive connection is there; its client may want to shake hands at once."""
        if self.is_protected:
            self._handshake = self._shake(connection)

    def _shake(self, connection: DataConnection) -> Handshake:
        connection.accepts_truncation = self.accepts_truncation
        return Handshake(
            connection,
            self.kinship,
            self.shared.tls_context,
            self.shared.reactor,
            self.shared.open_seconds,
        )

    def advertise(self, host: str) -> None:
        """The client is told that address of ours: a warning, the first time that a
        client from the Internet cannot reach it."""
        if is_public(self.peer) and not is_public(host):
            self.shared.is_out_of_reach(host, self.peer)

    def aim(self, target: HostPort) -> None:
        """Connect there at the transfer command."""
        self.close()
        self._target = target

    async def connect(self, target: HostPort) -> None:
        """Connect there now, for the next transfer.  NoDataConnection."""
        self.close()
        self._ready = await self._connect(target)

    @property
    def _bindable(self) -> str:
        """Our address as ``bind`` takes it."""
        return f"{self.local}%{self.scope}" if self.scope else self.local

    async def open(self) -> DataConnection:
        """The connection.  NoDataConnection."""
        lease, target, ready = self._lease, self._target, self._ready
        self._lease = self._target = self._ready = None
        if self._has_kept:
            return self._reopen()
        if ready is not None:
            connection = ready
        elif lease is not None and lease.is_connected:
            connection = lease.connection
        elif lease is not None:
            connection = await self._accept(lease)
        elif target is not None:
            connection = await self._connect(target)
        else:
            raise NoDataConnection("neither PASV nor PORT")
        self._begin(connection)
        if self.show is not None:
            _show_life(connection, "C" if lease is not None else "S", self.show)
        await self._protect(connection)
        return connection

    def _begin(self, connection: DataConnection) -> None:
        """A transfer runs on it from now on."""
        self._current = connection
        connection.throttle = self.shared.rates.throttle(self.limits)
        self.shared.watch(connection)

    async def _protect(self, connection: DataConnection) -> None:
        """Complete its handshake; or see that none has begun.  NoDataConnection,
        NotProtected."""
        handshake, self._handshake = self._handshake, None
        if not self.is_protected:
            if handshake is not None and not handshake.give_up():
                connection.abort()
                raise NoDataConnection("PROT C after the handshake had begun")
            return
        handshake = handshake or self._shake(connection)
        connection.accepts_truncation = self.accepts_truncation
        try:
            await handshake.complete(self.is_upload)
        except NotProtected:
            raise
        except DataBroken as broken:
            raise NoDataConnection(f"TLS: {broken}") from broken
        if self.show is not None:
            self.show("C & S", b"<TLS on the data connection>")

    @property
    def has_kin(self) -> bool:
        """Whether the client has other sessions with TLS."""
        return self.kinship.has_kin

    def belongs_to(self, login: str) -> None:
        """Who has logged in; empty for nobody."""
        self.kinship.rename(login)

    def leave(self) -> None:
        """The session has ended."""
        self.close()
        self.kinship.leave()

    def _reopen(self) -> DataConnection:
        """The connection of the transfer before, once more."""
        connection, self._kept = self._kept, None
        assert connection is not None
        connection.renew()
        self._begin(connection)
        return connection

    async def _accept(self, lease: Lease) -> DataConnection:
        arrived: Deferred[DataConnection] = Deferred()
        lease.arrived = arrived

        def give_up(text: str) -> None:
            if not arrived.called:
                arrived.errback(Failure(NoDataConnection(text)))

        timer = self.shared.reactor.callLater(
            self.shared.open_seconds, give_up, "the client did not connect"
        )
        self._cancel = lambda: give_up("given up by the client")
        try:
            return await arrived
        except BaseException:
            # Given up, or the session has ended: the port is free for others.
            lease.release()
            raise
        finally:
            self._cancel = None
            if timer.active():
                timer.cancel()

    async def _connect(self, target: HostPort) -> DataConnection:
        if self.scope and target.host == self.peer:
            target = HostPort(f"{target.host}%{self.scope}", target.port)
        local = HostPort(self._bindable, self.control_port)
        attempt = self.shared.active.connect(local, target, self.shared.make())
        self._cancel = attempt.give_up
        try:
            return await attempt.done
        except BaseException:
            # Where the session has ended, the connection must not come after it.
            attempt.give_up()
            raise
        finally:
            self._cancel = None

    def keep(self) -> None:
        """Leave the connection open for the next transfer."""
        connection, self._current = self._current, None
        if connection is None:
            return
        self.shared.running.discard(connection)
        if connection.keep():
            self._kept = connection
        else:
            connection.abort()

    def close(self) -> None:
        """Forget what was prepared; drop what is open."""
        self._handshake = None
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.let_go()
        self._target = None
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()
            if lease.is_connected:
                lease.connection.abort()
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.abort()
        if self._cancel is not None:
            self._cancel()
        current, self._current = self._current, None
        if current is not None:
            self.shared.running.discard(current)
            current.abort()


def _show_life(
    connection: DataConnection, who: str, show: Callable[[str, bytes], None]
) -> None:
    """Show who opened a connection, and later who has closed it."""
    transport: Any = connection.transport
    ends = place(transport.getPeer()), place(transport.getHost())
    came_from, goes_to = ends if who == "C" else reversed(ends)
    show(who, f"<opens a data connection from {came_from} to {goes_to}>".encode())

    def ended(is_clean: bool) -> None:
        how = "closes" if is_clean else "breaks off"
        text = f"<{how} the data connection, {connection.octets} octets>"
        show("S" if connection.is_finishing else "C", text.encode())

    connection.lost = ended
