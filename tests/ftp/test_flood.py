"""Thousands of connections from one address: refused, forgotten, and nobody else is
harmed."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from tests.ftp.sockets import SECONDS, ServerCase, Wire, read_all

reactor: Any = live_reactor

ADMITTED = 4
FLOOD = 400


class FloodTests(ServerCase):
    """Control connections."""

    settings = {"ftp.sessions_per_address": str(ADMITTED)}

    def policy(self) -> Any:
        """Where sessions are counted."""
        stop: Any = self.server.house.servers["ftp"].stop
        return stop.__self__.policy

    def first_words(self, flood: list[socket.socket]) -> list[bytes]:
        """What each connection hears first, its code."""
        found = []
        for one in flood:
            one.settimeout(SECONDS)
            found.append(one.recv(100)[:3])
        return found

    def test_one_address(self) -> Deferred[None]:
        """Beyond the limit each gets 421 and is closed; who is there works on, other
        addresses get in, and in the end nothing is left."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            address = ("127.0.0.1", self.port)
            for _ in range(2):
                flood = [
                    socket.create_connection(address, SECONDS) for _ in range(FLOOD)
                ]
                words = self.first_words(flood)
                self.assertEqual(ADMITTED - 1, words.count(b"220"))
                self.assertEqual(FLOOD - ADMITTED + 1, words.count(b"421"))
                self.assertEqual(b"content", read_all(wire.data("RETR a")))
                self.assertEqual("226", wire.reply()[:3])
                other = socket.create_connection(address, SECONDS, ("127.0.0.9", 0))
                self.assertEqual(b"220", other.recv(100)[:3])
                for one in (*flood, other):
                    one.close()
                while len(self.sessions()) > 1:
                    pass
            self.assertEqual({"127.0.0.1": 1}, self.policy()._per_address)
            self.assertEqual(1, self.policy()._open_sessions)

        return self.talk(conversation)

    def sessions(self) -> list[Any]:
        """Those that the server holds."""
        sessions: Any = self.server.house.servers["ftp"].sessions
        return list(blockingCallFromThread(reactor, sessions))


class PassiveFloodTests(ServerCase):
    """Data connections."""

    def test_passive_port(self) -> Deferred[None]:
        """Hundreds of strangers on a passive port are closed, each, and the transfer
        of the client that was told of it goes on."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            self.assertEqual("150", wire.say("RETR a")[:3])
            strangers = [
                socket.create_connection(("127.0.0.1", port), SECONDS, ("127.0.0.2", 0))
                for _ in range(FLOOD)
            ]
            data = socket.create_connection(("127.0.0.1", port), SECONDS)
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            for one in strangers:
                one.settimeout(SECONDS)
                self.assertEqual(b"", read_all(one))

        return self.talk(conversation)
