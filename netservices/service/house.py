"""The service tree: everything started in order, each step awaited, and stopped in
reverse.

Twisted's ``MultiService`` starts and stops its children without waiting for any; here
the order is the point:

* *bind* - the parts are made (``parts.py``: all that a configuration can be refused
  for), then every socket is bound, while the process may still be privileged;
* *start* - state directory and its lock, events, store, first account, accounts, files,
  then each protocol after those it needs, and only then do the listeners accept;
* *stop* - accept no more, let sessions finish until the deadline, cut the rest, then
  everything in the reverse of its start; the store is closed last.

Each step that succeeds puts what undoes it on a stack.  A start that fails unwinds the
stack, so a failure at any point leaves nothing running and nothing half-made; ``stop``
unwinds the same stack.  ``start``, ``stop`` and ``reload`` exclude each other.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices import __version__
from netservices.accounts.bootstrap import (
    FirstAccount,
    first_start,
    password_is_seen,
    unseen_login,
)
from netservices.config.loading import Configuration
from netservices.control.server import Control
from netservices.core.deferreds import as_deferred
from netservices.domains import first_domain
from netservices.interfaces import IStore
from netservices.listen import Listeners, Listening
from netservices.plugin import Server, Services
from netservices.service.drain import finish_within
from netservices.service.parts import Parts, advice_of, make_parts
from netservices.service.reload import needs_restart
from netservices.service.state import (
    InstanceLock,
    check_owner,
    prepare,
    remove_if_unused,
)
from netservices.sockets import Passed, bind_all
from netservices.store.sqlite import SQLiteStore
from netservices.totals import Totals
from netservices.units import Unit
from netservices.values import Notice, Report, Topic

CUT_SECONDS = 2.0
"""How long connections that were cut may take to be gone."""


class NetServices:
    """All services of one process, on one state directory.

    ``passed`` are the sockets of systemd; ``owner`` is the (uid, gid) that the process
    will have once its privileges are dropped.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        passed: Passed | None = None,
        owner: tuple[int, int] = (-1, -1),
    ) -> None:
        self.configuration = configuration
        self.reactor = reactor
        self.listeners = Listeners(reactor)
        self.servers: dict[str, Server] = {}
        self.services: Services | None = None
        self.first_account: FirstAccount | None = None
        """What the first start made; set as soon as it exists."""
        self.phase = "stopped"
        """stopped, starting, running, draining or stopping."""
        self.when_asked_to_stop: Callable[[], object] = self.stop
        self.when_asked_to_reload: Callable[[], Awaitable[list[str]]] | None = None
        self.totals = Totals()
        self._passed = passed
        self._owner = owner
        self._is_bound = False
        self._parts: Parts | None = None
        self._started_at = 0.0
        self._undo: list[Callable[[], Any]] = []
        self._lock = DeferredLock()
        self._cut: Deferred[None] = Deferred()

    @property
    def listening(self) -> list[Listening]:
        """Where everything listens: (protocol, endpoint text, address, port)."""
        return self.listeners.listening

    # --- start ----------------------------------------------------------------------

    def bind(self) -> None:
        """Make the parts, and bind every socket of the enabled protocols; all or none.
        StartupError."""
        if self._is_bound:
            return
        self._parts = make_parts(self.configuration, self.reactor)
        endpoints = {
            protocol.plugin.name: protocol.endpoints
            for protocol in self.configuration.enabled()
        }
        server = self.configuration.server
        bound = bind_all(endpoints, server, self._passed, self._owner)
        self.listeners.add(bound, server.max_connections)
        self._is_bound = True
        self._undo.append(self._unbind)
        if self._owner != (-1, -1):
            # While still privileged: the service user may not write in /var/lib.
            self._make_state_directory()

    @as_deferred
    async def start(self) -> None:
        """Start everything; fires when every listener accepts.  StartupError."""
        await self._lock.acquire()
        try:
            self.phase = "starting"
            self.bind()
            parts = self._take_parts()
            await self._start_services(parts)
            await self._start_protocols(parts)
            self._open_listeners()
            for text in advice_of(self.servers):
                self._log.warn("{text}", text=text)
            self._start_control()
            self.phase = "running"
            self._started_at = time.monotonic()
            assert self.services is not None
            self.services.events.emit(
                "server_started",
                version=__version__,
                hostname=self.configuration.hostname,
                listeners=[str(one.endpoint) for one in self.listening],
            )
            self._check_after_crash(parts.store)
        except BaseException:
            await self._unwind()
            raise
        finally:
            self._lock.release()

    def _take_parts(self) -> Parts:
        """The parts made before the sockets were bound; without the privileges of that
        moment they are made again, for not every file may be readable now."""
        parts, self._parts = self._parts, None
        if parts is None or self._owner != (-1, -1):
            parts = make_parts(self.configuration, self.reactor)
        return parts

    def _make_state_directory(self) -> None:
        directory = self.configuration.state_directory
        if prepare(directory, self._owner):
            self._undo.append(lambda: self._remove_unless_used(directory))

    def _remove_unless_used(self, directory: str) -> None:
        if self.first_account is None:
            remove_if_unused(directory)

    async def _remind_of_password(self, store: IStore) -> None:
        login = await unseen_login(store)
        if login is not None:
            self._log.warn(
                "the first password of {login} may never have been shown; `netservices"
                " account passwd {login}` makes a new one",
                login=login,
            )

    def password_was_shown(self) -> None:
        """The first password has been printed: no start need speak of it any more."""
        if self.first_account is None or self.services is None:
            return
        noted = self.services.store.apply(Unit((password_is_seen(),)))
        noted.addErrback(
            lambda failure: self._log.warn("not noted: {why}", why=failure.value)
        )

    async def _start_services(self, parts: Parts) -> None:
        """The services that protocols share, in the order of their needs."""
        configuration = self.configuration
        directory = configuration.state_directory
        self._make_state_directory()
        check_owner(directory)
        lock = InstanceLock(directory)
        lock.acquire()
        self._undo.append(lock.release)
        parts.events.start()
        self._undo.append(parts.events.stop)
        self.totals = Totals()
        self._undo.append(parts.events.subscribe(self.totals.hear))
        await parts.store.open()
        self._undo.append(parts.store.close)
        self.first_account = await first_start(
            parts.store,
            configuration.hostname,
            configuration.accounts,
            partial(
                first_domain, configuration.hostname, configuration.server.interface
            ),
        )
        if self.first_account is None:
            await self._remind_of_password(parts.store)
        await self._begin(parts.accounts)
        await self._begin(parts.files)
        self.services = parts.services
        self._undo.append(parts.store.changes.subscribe(self._tell_of_accounts))

    async def _begin(self, service: Any) -> None:
        await maybeDeferred(service.start)
        self._undo.append(service.stop)

    async def _start_protocols(self, parts: Parts) -> None:
        """Start each protocol's server, after those it needs."""
        for name, server in parts.servers.items():
            self.servers[name] = server
            if server.start is not None:
                await _run(server.start)
            if server.stop is not None:
                self._undo.append(server.stop)

    def _open_listeners(self) -> None:
        assert self.services is not None
        for listener in self.listeners.all:
            if self.configuration.log.connections:
                listener.record(self.services.events, self.reactor.seconds)
            listener.open(
                self.servers[listener.protocol],
                self.reactor,
                self.configuration.server,
                self._with_tls,
            )

    def _with_tls(self, factory: IProtocolFactory) -> IProtocolFactory:
        from netservices.tls.layer import TLSFactory

        assert self.services is not None
        settings = self.configuration.tls
        own_context = getattr(factory, "tls_context", None)
        wrapped: Any = TLSFactory(
            factory,
            own_context or self.services.certificates.server_context,
            handshake_seconds=settings.handshake_timeout,
            close_seconds=settings.close_timeout,
            plain_answer=getattr(factory, "plain_answer", b""),
        )
        return wrapped  # type: ignore[no-any-return]

    def _start_control(self) -> None:
        from netservices.control.verbs import verbs_of

        directory = self.configuration.state_directory
        control = Control(directory, self.configuration.server, self.reactor)
        control.start(verbs_of(self))
        self._undo.append(control.stop)

    def _check_after_crash(self, store: SQLiteStore) -> None:
        """Look at a store that was not closed, in the background; the start does not
        wait, as the log has already brought back all that was acknowledged."""
        if store.was_left_open:
            self._log.info("the store was not closed the last time; checking it")
            checked = store.admin.check("quick")
            checked.addCallbacks(self._was_checked, self._was_not_checked)

    def _was_checked(self, report: Report) -> None:
        assert self.services is not None
        self.services.events.emit(
            "store_checked",
            reason="not closed",
            findings=[f"{f.code} {f.object}: {f.text}" for f in report.findings],
        )
        if report.findings:
            self._log.error(
                "the store is damaged in {count} places; `netservices check --repair`"
                " names and mends them",
                count=len(report.findings),
            )
        else:
            self._log.info("the store is sound")

    def _was_not_checked(self, failure: Failure) -> None:
        self._log.warn("the store was not checked: {why}", why=failure.value)

    def _tell_of_accounts(self, notices: tuple[Notice, ...]) -> None:
        assert self.services is not None
        for notice in notices:
            if notice.topic is Topic.ACCOUNT:
                self.services.events.emit("account_changed", account=notice.object)

    # --- stop -----------------------------------------------------------------------

    @as_deferred
    async def stop(self) -> None:
        """Drain and stop everything; fires when the store is closed."""
        await self._lock.acquire()
        try:
            if self.phase == "running":
                self.phase = "draining"
                await self._drain()
            await self._unwind()
        finally:
            self._lock.release()

    def cut(self) -> None:
        """Wait for no session any more; a stop that is under way goes on at once."""
        if not self._cut.called:
            self._cut.callback(None)

    async def _drain(self) -> None:
        """Accept no more, wait for sessions until the deadline, cut the rest."""
        began = time.monotonic()
        await self.listeners.close()
        finished = [self.listeners.drain()]
        for server in self.servers.values():
            if server.drain is not None:
                finished.append(_run(server.drain))
        deadline = self.configuration.server.drain_deadline
        await finish_within(finished, deadline, self.reactor, self._cut)
        cut = self.listeners.abort()
        if cut:
            gone = [self.listeners.all_gone()]
            await finish_within(gone, CUT_SECONDS, self.reactor)
        assert self.services is not None
        self.services.events.emit(
            "server_stopped",
            seconds=round(time.monotonic() - began, 3),
            cut_connections=cut,
        )

    async def _unwind(self) -> None:
        """Undo every step that was done, the last one first; log what fails."""
        self.phase = "stopping"
        while self._undo:
            undo = self._undo.pop()
            try:
                await maybeDeferred(undo)
            except Exception:
                self._log.failure("a step of the stop failed")
        self.servers.clear()
        self.services = None
        self.phase = "stopped"

    async def _unbind(self) -> None:
        await self.listeners.close()
        self.listeners.all.clear()
        self._is_bound = False

    # --- while it runs --------------------------------------------------------------

    @as_deferred
    async def reload(self, configuration: Configuration) -> list[str]:
        """Let what can change while running change: certificates, zones, log files, and
        the options that are read each time.

        The settings that changed and need a restart.
        """
        await self._lock.acquire()
        try:
            if self.services is None:
                return []
            waiting = needs_restart(self.configuration, configuration)
            self.configuration = configuration
            for listener in self.listeners.all:
                listener.connections.most = configuration.server.max_connections
            self.services.certificates.reload()
            events: Any = self.services.events
            await events.reopen()
            for name, server in self.servers.items():
                await self._reload_one(name, server)
            events.emit("server_reloaded", needs_restart=waiting)
            return waiting
        finally:
            self._lock.release()

    async def _reload_one(self, name: str, server: Server) -> None:
        try:
            if server.reconfigure is not None:
                server.reconfigure(self.configuration.protocols[name].settings)
            if server.reload is not None:
                await _run(server.reload)
        except Exception:
            self._log.failure("{name}: reload failed; it goes on as before", name=name)

    @as_deferred
    async def settle(self) -> None:
        """Look for what other processes changed; fires when that is in force."""
        assert self.services is not None
        await self.services.store.changes.poll()
        for server in self.servers.values():
            if server.settle is not None:
                await _run(server.settle)

    def status(self) -> Mapping[str, Any]:
        """What ``netservices status`` shows."""
        shown: dict[str, Any] = {
            "version": __version__,
            "hostname": self.configuration.hostname,
            "state": self.configuration.state_directory,
            "phase": self.phase,
            "uptime_seconds": round(time.monotonic() - self._started_at),
            "connections": self.listeners.live_count,
        }
        if self.services is not None:
            events: Any = self.services.events
            shown["store"] = self.services.store.state
            shown["events"] = dict(events.counters)
            shown["events_dropped"] = events.dropped
        shown["listeners"] = [dict(one.status()) for one in self.listeners.all]
        shown["protocols"] = {
            name: self._status_of(name, server) for name, server in self.servers.items()
        }
        return shown

    def _status_of(self, name: str, server: Server) -> Mapping[str, Any]:
        shown = dict(server.status()) if server.status is not None else {}
        totals = self.totals.by_protocol.get(name)
        return {**shown, "totals": dict(totals)} if totals else shown


def _run(hook: Callable[[], Any]) -> Deferred[Any]:
    """Call a server's hook, which may or may not return a Deferred."""
    return maybeDeferred(hook)
