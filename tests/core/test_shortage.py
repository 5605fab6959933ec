"""What a port does when the process has no descriptor left for a connection."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.core.write import listen_tcp

reactor: Any = live_reactor


class Arrivals(Factory):
    """Counts connections."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Protocol] = []

    def buildProtocol(self, addr: Any) -> Protocol:
        """One more."""
        made = Protocol()
        self.made.append(made)
        return made


class ShortageTests(TestCase):
    """EMFILE at ``accept``."""

    def setUp(self) -> None:
        """A port, and ears for the log."""
        self.factory = Arrivals()
        self.port: Any = listen_tcp(reactor, 0, self.factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)
        soft_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.limits = soft_hard
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, soft_hard)
        # Twisted logs that a thread took the descriptor that it keeps for this case.
        self.addCleanup(self.flushLoggedErrors, OSError)

    def hear(self, event: Any) -> None:
        """Note what is said of connections."""
        text = event.get("log_format") or ""
        if "accept" in text or "EMFILE" in text:
            self.said.append(text)

    def connect(self) -> socket.socket:
        """One client, which waits in the queue."""
        made = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.addCleanup(made.close)
        return made

    def take_descriptors(self) -> None:
        """None is left."""
        with open(os.devnull, "rb") as lowest:
            limit = lowest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, self.limits[1]))

    def turn(self) -> Deferred[None]:
        """Let the reactor work."""
        return deferLater(reactor, 0.01, lambda: None)

    @as_deferred
    async def test_rest(self) -> None:
        """The port rests, says so once, and goes on when there are descriptors."""
        await self.turn()
        waiting = [self.connect() for _ in range(3)]
        self.take_descriptors()
        while not self.said:
            await self.turn()
        for _ in range(5):
            await self.turn()
        self.assertEqual(["{port}: cannot accept connections: {why}"], self.said)
        self.assertEqual([], self.factory.made)
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        self.connect()
        while not self.factory.made:
            await self.turn()
        for client in waiting:
            client.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", client.recv(1))
        self.made_end()

    def made_end(self) -> None:
        """Close what was accepted."""
        for protocol in self.factory.made:
            transport: Any = protocol.transport
            transport.abortConnection()

    @as_deferred
    async def test_closed_meanwhile(self) -> None:
        """A port that is closed in the middle of its rest leaves no timer."""
        await self.turn()
        self.connect()
        self.take_descriptors()
        while not self.said:
            await self.turn()
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        await self.port.stopListening()
        self.assertIsNone(self.port._resting)
