"""The FTP server of a process: made once from its settings and the shared services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress

from netservices import __version__
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.session import LineFactory
from netservices.core.trace import Trace
from netservices.core.wheel import Wheel
from netservices.ftp.policy import Policy
from netservices.ftp.server.active import ActivePorts
from netservices.ftp.server.connections import DataConnections
from netservices.ftp.server.control import ControlSession, address_of
from netservices.ftp.server.pace import Patience
from netservices.ftp.server.passive import PassivePorts
from netservices.ftp.server.reach import advice
from netservices.ftp.server.sinks import Sinks, make_sinks
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import HostPort, normal_address
from netservices.interfaces import ICertificates, IChangeFeed
from netservices.plugin import Server, Services
from netservices.values import Notice, Topic


@define(eq=False)
class FTPServer:
    """What all sessions share."""

    settings: FTPSettings
    policy: Policy
    connections: DataConnections
    wheel: Wheel
    tls_context: Callable[[], Any]
    handshake_seconds: float
    trace: Trace | None
    factory: LineFactory
    changes: IChangeFeed
    sinks: Sinks
    _unsubscribe: Callable[[], None] | None = None
    _looking: set[Deferred[None]] = field(factory=set)

    def make_session(self, address: IAddress | None) -> ControlSession:
        """The session of a new control connection."""
        return ControlSession(self, address_of(address))

    def start(self) -> Deferred[None]:
        """Hear of accounts that are disabled or removed, and of events; make the drop
        box.  ConfigurationError."""
        self.sinks.start()
        self._unsubscribe = self.changes.subscribe(self.changed)
        return Deferred.fromCoroutine(self.policy.prepare())

    def changed(self, notices: tuple[Notice, ...]) -> None:
        """End the sessions of accounts that may not log in any more."""
        changed = {one.object for one in notices if one.topic is Topic.ACCOUNT}
        for login in changed & {talk.user.login for talk in self._logged_in()}:
            self._keep(self._look_again(login))

    def _keep(self, looking: Deferred[None]) -> None:
        """Remember what is under way, for ``settle``."""
        if not looking.called:
            self._looking.add(looking)
            looking.addBoth(lambda _: self._looking.discard(looking))

    @as_deferred
    async def _look_again(self, login: str) -> None:
        if await self.policy.is_welcome(login):
            return
        for talk in self._logged_in():
            if talk.user.login == login:
                talk.end(talk.dismissed())

    def _logged_in(self) -> list[Any]:
        """The conversations that have a user."""
        talks: list[Any] = [session.dialogue for session in self.factory.sessions]
        return [talk for talk in talks if talk.user is not None]

    def settle(self) -> Deferred[None]:
        """Fires when what was heard of is in force."""
        looked: Deferred[Any] = DeferredList(list(self._looking), consumeErrors=True)
        return looked.addCallback(lambda _results: None)

    def reload(self) -> Deferred[None]:
        """Go on in new log files."""
        return self.sinks.reopen()

    @as_deferred
    async def stop(self) -> None:
        """Break what transfers remain, close the passive ports, finish the logs."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self.connections.stop()
        closing = [one for one in self.connections.passive.close() if one is not None]
        await DeferredList(closing, consumeErrors=True)
        await self.sinks.stop()

    def sessions(self) -> tuple[ControlSession, ...]:
        """Those that are open."""
        # A session that is closing but waits for its client is in the set, too.
        found: Any = self.factory.sessions
        return tuple(found)

    def status(self) -> Mapping[str, Any]:
        """Transfers and passive ports."""
        return {
            "transfers": len(self.connections.running),
            "passive_ports": self.connections.passive.statistics(),
            **self.sinks.status(),
        }


def make_server(settings: FTPSettings, services: Services) -> Server:
    """The FTP server; nothing is opened before a session needs it.

    ConfigurationError where ``ftp.masquerade_address`` is no IPv4 address, or sessions
    have to be resumed for which nobody gets a ticket.
    """
    _check_masquerade(settings.masquerade_address)
    connections = _connections(settings, services)
    policy = Policy(
        settings,
        services.accounts,
        services.files,
        services.events,
        services.limits,
        services.hostname,
        services.clock.seconds,
        version=__version__,
    )
    _check_tickets(policy, services.settings.tls.session_tickets)
    server = FTPServer(
        settings,
        policy,
        connections,
        Wheel(services.clock),
        partial(_control_context, policy, services.certificates),
        services.settings.tls.handshake_timeout,
        services.trace,
        LineFactory(lambda address: server.make_session(address)),
        services.store.changes,
        make_sinks(settings, services),
    )
    server.factory.tls_context = server.tls_context
    return _offered(server, services)


def _connections(settings: FTPSettings, services: Services) -> DataConnections:
    """What the sessions share for their data connections."""
    reactor: Any = services.clock
    return DataConnections(
        reactor,
        PassivePorts(
            reactor,
            settings.passive_ports,
            settings.passive_listeners,
            settings.passive_addresses,
        ),
        ActivePorts(reactor, settings.active_port, settings.data_timeout),
        Patience(
            settings.stall_timeout,
            settings.minimum_rate,
            settings.minimum_rate_period,
        ),
        settings.transfer_chunk,
        settings.data_timeout,
        services.certificates.server_context,
    )


LATE_MODULES = (
    "netservices.ftp.wire.blocks",
    "netservices.ftp.wire.compressed",
    "netservices.ftp.wire.records",
)


def _offered(server: FTPServer, services: Services) -> Server:
    """The server as the process runs it."""
    return Server(
        stream=server.factory,
        start=server.start,
        stop=server.stop,
        reconfigure=server.policy.reconfigure,
        settle=server.settle,
        advice=partial(advice, server.settings, services.settings),
        reload=server.reload,
        status=server.status,
        sessions=server.sessions,
        late_modules=LATE_MODULES,
    )


def _control_context(policy: Policy, certificates: ICertificates) -> Any:
    """The TLS context of the next control connection and of its data connections."""
    if policy.rules.may_ask_for("session_reuse", ("prefer", "require")):
        return certificates.private_context()
    return certificates.server_context()


def _check_tickets(policy: Policy, tickets: int) -> None:
    """RFC 8446 2.2: without a ticket nobody can resume in TLS 1.3."""
    if not tickets and policy.rules.may_ask_for("session_reuse", ("require",)):
        raise ConfigurationError(
            "ftp.session_reuse = 'require', or a rule that says so, with"
            " tls.session_tickets = 0 refuses everybody in TLS 1.3; give at least one"
            " ticket, or say 'prefer'"
        )


def _check_masquerade(address: str) -> None:
    """RFC 959 4.1.2: a 227 reply names four numbers, never a host name."""
    try:
        is_usable = not address or HostPort(normal_address(address), 1).version == 4
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            f"ftp.masquerade_address = {address!r} is no IPv4 address; give the one"
            " that clients outside connect to, or leave it empty"
        )
