"""The HTTP server of a process: made once from its settings and the shared services."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from netservices.core.deferreds import as_deferred
from netservices.core.wheel import Wheel
from netservices.http.application import Application
from netservices.http.server.access import make_access
from netservices.http.server.connection import HTTPConnection
from netservices.http.server.guard import Guard
from netservices.http.server.known import Known
from netservices.http.server.shared import Shared
from netservices.http.settings import HTTPSettings
from netservices.interfaces import IWeb
from netservices.plugin import Server, Services
from netservices.values import Notice, Topic

ALPN = ("http/1.1",)

_PLAIN_WORDS = b"This port speaks HTTPS: the address begins with https.\n"

PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
) % (len(_PLAIN_WORDS), _PLAIN_WORDS)
"""What a ``tls`` listener tells a client that speaks HTTP in the clear."""


LATE_MODULES = ("jinja2", "netservices.web.pages.page")
"""What the first page that somebody sees wants."""


class HTTPFactory(Factory):
    """Makes the connections of the server."""

    noisy = False

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.tls_context: Callable[[], Any] | None = None
        """What a ``tls`` listener asks for the context of the next connection."""
        self.plain_answer = PLAIN_ANSWER

    def buildProtocol(self, addr: IAddress | None) -> HTTPConnection | None:
        """A connection for the peer at ``addr``; None refuses it."""
        connection = HTTPConnection(self.shared)
        connection.factory = self
        return connection


class HTTPServer:
    """Application and connections, and their life."""

    def __init__(self, settings: HTTPSettings, services: Services) -> None:
        self.application = Application(settings, services)
        services.partners.offer(IWeb, self.application)
        self.shared = Shared(
            self.application.handle,
            settings,
            Wheel(services.clock),
            time.time,
            guard=Guard(settings.connections, services.limits, services.events),
            trace=services.trace,
            access=make_access(settings, services),
            rates=self.application.rates,
        )
        if settings.answer_memory and services.trace is None:
            most = settings.answer_memory
            self.shared.known = Known(most), Known(most)
        self.factory = HTTPFactory(self.shared)
        self.factory.tls_context = lambda: services.certificates.server_context(ALPN)
        self._changes = services.store.changes
        self._unsubscribe: Callable[[], None] | None = None

    @as_deferred
    async def start(self) -> None:
        """Begin.  ConfigurationError, StartupError."""
        self.shared.access.start()
        await self.application.start()
        self._unsubscribe = self._changes.subscribe(self._changed)

    def _changed(self, notices: tuple[Notice, ...]) -> None:
        """Accounts that are disabled or gone show no pages any more."""
        if any(one.topic is Topic.ACCOUNT for one in notices):
            self.application.sites.forget()
        if any(one.topic is Topic.DOMAIN for one in notices):
            self.application.visitors.learn_domain()

    def reload(self) -> Deferred[None] | None:
        """Go on in a new access log."""
        return self.shared.access.reopen()

    @as_deferred
    async def stop(self) -> None:
        """End what goes on by itself."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.application.stop()
        closed = self.shared.access.stop()
        if closed is not None:
            await closed

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other settings, as far as they may change while the server runs."""
        for known in self.shared.known or ():
            known.clear()
        self.application.reconfigure(settings)

    def status(self) -> Mapping[str, Any]:
        """What ``netservices status`` shows."""
        guard = self.shared.guard
        assert guard is not None
        return {
            "connections": len(self.shared.connections),
            "refused_connections": guard.refused,
            "reused_connections": guard.reused,
            **self.shared.access.status(),
            **self.application.guests.status(),
        }

    def sessions(self) -> tuple[HTTPConnection, ...]:
        """All open connections."""
        return tuple(self.shared.connections)


def make_server(settings: HTTPSettings, services: Services) -> Server:
    """The HTTP server; nothing is opened before it starts."""
    server = HTTPServer(settings, services)
    return Server(
        stream=server.factory,
        start=server.start,
        reload=server.reload,
        stop=server.stop,
        reconfigure=server.reconfigure,
        status=server.status,
        sessions=server.sessions,
        late_modules=LATE_MODULES,
    )
