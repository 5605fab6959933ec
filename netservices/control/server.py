"""The control socket: how the ``netservices`` command talks to the running server.

``<state>/control`` is a UNIX stream socket that only the server's user (and root) may
use: whoever can open it could as well change the files beside it.  One JSON object a
line asks, one answers, in order; ``control.client.ask`` is the other half.

A request is ``{"verb": ...}``: ``status``, ``changed`` (another process wrote to the
store: answered when that is in force), ``unlock`` with ``name``, ``sessions`` and
``end_sessions`` with ``protocol``, ``account``, ``address`` or ids, ``reload``,
``stop``; and those of protocols under their names, as ``dns.refresh``.
A reply is ``{"ok": true, ...}`` or ``{"error": "one line"}``.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.config.settings import ServerSettings
from netservices.control.client import SOCKET_NAME
from netservices.core.deferreds import as_deferred
from netservices.core.errors import StartupError
from netservices.core.write import adopt_listener
from netservices.listen import Connections, CountingFactory

LONGEST_REQUEST = 64 * 1024

Verb = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers one request; ``LookupError`` and ``ValueError`` become its error."""


class ControlSession(LineOnlyReceiver):
    """One connection of a command: a request, a reply, and so on."""

    _log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = LONGEST_REQUEST
    transport: Any

    def __init__(self, verbs: Mapping[str, Verb], clock: Any, patience: float) -> None:
        self._verbs = verbs
        self._clock = clock
        self._patience = patience
        self._timer: IDelayedCall | None = None
        self._waiting: list[bytes] = []
        self._is_busy = False

    def connectionMade(self) -> None:
        self._timer = self._clock.callLater(self._patience, self._give_up)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def lineReceived(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) > 16:
            self.transport.abortConnection()
            return
        if not self._is_busy:
            self._work().addErrback(
                lambda failure: self._log.failure("control", failure=failure)
            )

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self._reply({"error": "the request is too long"})
        self.transport.loseConnection()

    @as_deferred
    async def _work(self) -> None:
        self._is_busy = True
        try:
            while self._waiting:
                self._reply(await self._answer(self._waiting.pop(0)))
        finally:
            self._is_busy = False

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            return {"error": "the request is no JSON"}
        verb = request.get("verb") if isinstance(request, dict) else None
        if not isinstance(verb, str) or verb not in self._verbs:
            known = ", ".join(sorted(self._verbs))
            return {"error": f"no such verb: {verb!r}; there are {known}"}
        try:
            return {"ok": True, **await self._verbs[verb](request)}
        except (LookupError, ValueError, StartupError) as error:
            return {"error": str(error)}
        except Exception as error:
            self._log.failure("{verb} failed", verb=verb)
            return {"error": f"{type(error).__name__}; the log has the reason"}

    def _reply(self, reply: Mapping[str, Any]) -> None:
        self.sendLine(json.dumps(reply, default=str).encode())
        if self._timer is not None and self._timer.active():
            self._timer.reset(self._patience)

    def _give_up(self) -> None:
        if self._is_busy:
            self._timer = self._clock.callLater(self._patience, self._give_up)
        else:
            self.transport.abortConnection()


@implementer(IProtocolFactory)
class _Sessions:
    def __init__(self, verbs: Mapping[str, Verb], clock: Any, patience: float) -> None:
        self._arguments = (verbs, clock, patience)

    def buildProtocol(self, addr: IAddress) -> ControlSession:
        return ControlSession(*self._arguments)

    def doStart(self) -> None:  # noqa: N802
        """A port begins to use the factory."""

    def doStop(self) -> None:  # noqa: N802
        """A port has stopped using it."""


class Control:
    """The socket, while the server runs; the instance lock is held meanwhile."""

    def __init__(
        self, state_directory: str, settings: ServerSettings, reactor: Any
    ) -> None:
        self.path = os.path.join(state_directory, SOCKET_NAME)
        self.settings = settings
        self.reactor = reactor
        self.connections = Connections(settings.control_clients)
        self._port: IListeningPort | None = None

    def start(self, verbs: Mapping[str, Verb]) -> None:
        """Listen.  StartupError."""
        sessions = _Sessions(verbs, self.reactor, self.settings.control_patience)
        factory = CountingFactory(sessions, self.connections)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            try:
                self._bind(made)
            except OSError as error:
                raise StartupError(
                    f"{self.path}: no control socket: {error.strerror or error}"
                ) from None
            made.listen(self.settings.control_clients)
            self._port = adopt_listener(self.reactor, made.fileno(), factory)

    def _bind(self, made: socket.socket) -> None:
        """Bind through a descriptor of the directory: the path may be longer than the
        107 octets that an address holds."""
        if os.path.lexists(self.path):
            os.unlink(self.path)  # a dead process's: the lock is ours
        directory = os.open(os.path.dirname(self.path), os.O_PATH | os.O_DIRECTORY)
        try:
            made.bind(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
        finally:
            os.close(directory)
        # Nobody can connect in between: it does not listen yet.
        os.chmod(self.path, 0o600)

    @as_deferred
    async def stop(self) -> None:
        """Close the socket and what is connected; replies under way may be lost."""
        if self._port is None:
            return
        port, self._port = self._port, None
        stopped = port.stopListening()
        if stopped is not None:
            await stopped
        for session in list(self.connections.live):
            transport: Any = getattr(session, "transport", None)
            transport.loseConnection()
        if os.path.lexists(self.path):
            os.unlink(self.path)
