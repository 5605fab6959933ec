"""The lifespan of an ASGI application (ASGI Lifespan Protocol 2.0): told of the start
and of the end, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.errors import StartupError
from netservices.http.handlers.asgi import VERSIONS, Application, Message
from netservices.http.handlers.loop import Loop

_log = Logger()


class Lifespan:
    """One application's."""

    def __init__(
        self, application: Application, name: str, loop: Loop, reactor: Any
    ) -> None:
        """``name`` is what the operator calls it."""
        self.state: dict[str, Any] = {}
        """What the application keeps for its requests."""
        self._application = application
        self.name = name
        self._loop = loop
        self._reactor = reactor
        self._started: Deferred[None] = Deferred()
        self._stopped: Deferred[None] = Deferred()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._is_supported = True

    def start(self) -> Deferred[None]:
        """Fires when the application is ready.  StartupError where it says that it
        cannot be."""
        self._loop.soon(self._begin)
        return self._started

    def stop(self) -> Deferred[None]:
        """Fires when the application has put its things away."""
        self._loop.soon(self._end)
        return self._stopped

    # --- in the loop's thread -------------------------------------------------------

    def _begin(self) -> None:
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._loop.task(self._run())

    def _end(self) -> None:
        if self._is_supported:
            self._messages.put_nowait({"type": "lifespan.shutdown"})
        else:
            self._tell(self._stopped)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": VERSIONS, "state": self.state}
        try:
            await self._application(scope, self._messages.get, self._send)
        except Exception as error:
            # An application that raises on this scope has no lifespan.
            if self._started.called:
                self._reactor.callFromThread(self._failed, Failure(error))
        self._is_supported = False
        self._tell(self._started)
        self._tell(self._stopped)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._tell(self._started)
        elif kind == "lifespan.startup.failed":
            text = f"{self.name} does not start: {message.get('message', '')}"
            self._tell(self._started, StartupError(text))
        elif kind == "lifespan.shutdown.complete":
            self._tell(self._stopped)
        elif kind == "lifespan.shutdown.failed":
            text = message.get("message", "")
            self._reactor.callFromThread(self._complain, text)
            self._tell(self._stopped)

    def _tell(self, waiting: Deferred[None], error: Exception | None = None) -> None:
        def tell() -> None:
            if not waiting.called:
                fire: Callable[[Any], None] = waiting.callback
                if error is not None:
                    fire = waiting.errback
                fire(error)

        self._reactor.callFromThread(tell)

    # --- in the reactor's thread ----------------------------------------------------

    def _failed(self, failure: Failure) -> None:
        _log.failure("the lifespan of {name} failed", failure, name=self.name)

    def _complain(self, text: str) -> None:
        _log.error("{name} does not stop well: {text}", name=self.name, text=text)
