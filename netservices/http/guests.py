"""The applications of others: loaded when the server starts, run beside it, ended with
it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from netservices.core.errors import StartupError
from netservices.core.threads import Workers
from netservices.http.handlers.guest import Bounds, Room
from netservices.http.mounting import Mount, extend_path, load, parse_mount, refuse
from netservices.http.settings import HTTPSettings
from netservices.plugin import Services
from netservices.web.handler import Handler

_log = Logger()

STOP_SECONDS = 5.0
"""How long each of the things that guests run on may take to end."""

_FILE_THREADS = 2
_FILES_WAITING = 10_000


class Guests:
    """All that the setting ``mounts`` names, and the threads and the loop below it."""

    def __init__(self, settings: HTTPSettings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._reactor: Any = services.clock
        self._bounds = Bounds(
            int(settings.application_body),
            float(settings.application_patience),
            Room(int(settings.application_waiting)),
        )
        self._threads: Workers | None = None
        self._files: Workers | None = None
        self._loop: Any = None
        self._lifespans: list[Any] = []
        self._on_stop: list[Callable[[], object]] = []

    async def start(self, mount: Callable[[str, Handler, str], None]) -> None:
        """Load them all and have them mounted.  ConfigurationError, StartupError."""
        mounts = [parse_mount(line) for line in self._settings.mounts]
        extend_path(self._settings.python_path)
        for one in mounts:
            make = getattr(self, f"_make_{one.kind}")
            handler = make(one, load(one))
            try:
                mount(one.path, handler, one.host)
            except ValueError as error:
                raise refuse(one, f"cannot be there: {error}") from error
        for lifespan in self._lifespans:
            await self._begin(lifespan)

    async def stop(self) -> None:
        """End them."""
        for lifespan in self._lifespans:
            await self._in_time(lifespan.stop(), "an application")
        for end in self._on_stop:
            end()
        if self._loop is not None:
            await self._in_time(self._loop.stop(), "the loop of applications")
        for workers in (self._threads, self._files):
            if workers is not None:
                await self._in_time(workers.stop(), f"the {workers.name} threads")

    async def _begin(self, lifespan: Any) -> None:
        seconds = self._bounds.patience
        try:
            await lifespan.start().addTimeout(seconds, self._services.clock)
        except TimeoutError:
            text = f"{lifespan.name} did not start in {seconds:g} seconds"
            raise StartupError(text) from None

    async def _in_time(self, ending: Deferred[None], what: str) -> None:
        """Wait for it, but not for ever."""
        try:
            await ending.addTimeout(STOP_SECONDS, self._services.clock)
        except TimeoutError:
            _log.error("{what} did not end in time", what=what)

    def status(self) -> dict[str, Any]:
        """What ``netservices status`` shows; nothing where there are none."""
        status = {}
        if self._threads is not None:
            status["wsgi_requests"] = self._threads.unfinished
        if self._files is not None:
            status["waiting_octets"] = self._bounds.room.taken_octets
        return status

    # --- one function for each kind -------------------------------------------------

    def _make_handler(self, mount: Mount, found: Any) -> Handler:
        if not callable(found):
            raise refuse(mount, "cannot be called with a request")
        handler: Handler = found
        return handler

    def _make_maker(self, mount: Mount, found: Any) -> Handler:
        if not callable(found):
            raise refuse(mount, "cannot be called with the services")
        return self._make_handler(mount, found(self._services))

    def _make_wsgi(self, mount: Mount, found: Any) -> Handler:
        # Only here: servers without such applications do without.
        from netservices.http.handlers.wsgi import WSGIHandler

        if not callable(found):
            raise refuse(mount, "is no WSGI application: it cannot be called")
        if self._threads is None:
            size, waiting = self._settings.wsgi_threads, self._settings.wsgi_waiting
            self._threads = Workers(self._reactor, "wsgi", size, waiting)
            self._threads.start()
        return WSGIHandler(
            found, self._threads, self._file_threads(), self._reactor, self._bounds
        )

    def _make_asgi(self, mount: Mount, found: Any) -> Handler:
        # Only here: servers without such applications do without.
        from netservices.http.handlers.asgi import ASGIHandler
        from netservices.http.handlers.lifespan import Lifespan
        from netservices.http.handlers.loop import Loop

        if not callable(found):
            raise refuse(mount, "is no ASGI application: it cannot be called")
        if self._loop is None:
            self._loop = Loop(self._reactor)
            self._loop.start()
        lifespan = Lifespan(found, mount.line, self._loop, self._reactor)
        self._lifespans.append(lifespan)
        return ASGIHandler(
            found, self._loop, self._reactor, self._bounds, lifespan.state
        )

    def _make_resource(self, mount: Mount, found: Any) -> Handler:
        from twisted.web.resource import IResource

        from netservices.http.handlers.resource import ResourceHandler

        if not IResource.providedBy(found) and callable(found):
            found = found()
        if not IResource.providedBy(found):
            raise refuse(mount, "is no IResource, and gives none when it is called")
        handler = ResourceHandler(
            found, self._file_threads(), self._reactor, self._bounds
        )
        self._on_stop.append(handler.stop)
        return handler

    def _file_threads(self) -> Workers:
        if self._files is None:
            self._files = Workers(
                self._reactor, "uploads", _FILE_THREADS, _FILES_WAITING
            )
            self._files.start()
        return self._files
