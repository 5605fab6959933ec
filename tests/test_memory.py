"""Memory: what a connection held is free when it is gone, without the collector."""

from __future__ import annotations

import ftplib
import gc
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any
from weakref import ref

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.testing import RunningServer, running

PATIENCE_SECONDS = 20.0
JOE = ("joe", "correct horse")


def log_in(client: ftplib.FTP, port: int) -> ftplib.FTP:
    """Log in, and transfer something; blocks."""
    client.connect("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    client.login(*JOE)
    if isinstance(client, ftplib.FTP_TLS):
        client.prot_p()
    client.nlst()
    return client


class FreedTests(TestCase):
    """Each kind of session, in a real server."""

    async def start(self) -> RunningServer:
        """A server, stopped at the end."""
        server = await running(ftp=True, dns=True, accounts=[JOE])
        self.addCleanup(server.stop)
        return server

    async def check(
        self, server: RunningServer, protocol: str, connect: Callable[[], Any]
    ) -> None:
        """What three clients made of the server, twice, goes with them."""
        from twisted.internet import reactor

        for _ in range(2):
            clients = [await deferToThread(connect) for _ in range(3)]
            held = self.sessions(server, protocol)
            self.assertGreaterEqual(len(held), 3)
            gc.disable()
            try:
                for client in clients:
                    client.close()
                waited = 0.0
                while any(one() is not None for one in held):
                    await deferLater(reactor, 0.01)
                    waited += 0.01
                    if waited > PATIENCE_SECONDS:
                        self.fail(f"still there: {[one() for one in held]}")
            finally:
                gc.enable()

    def sessions(self, server: RunningServer, protocol: str) -> list[Any]:
        """Weak references to the connections there are, and to what lies behind."""
        found: list[Any] = []
        for listener in server.house.listeners.of(protocol):
            found += listener.connections.live
        factory: Any = server.house.servers[protocol].stream
        sessions = getattr(factory, "sessions", ())
        found += sessions() if callable(sessions) else sessions
        found += [one.dialogue for one in found if hasattr(one, "dialogue")]
        return [ref(one) for one in found]

    async def test_ftp(self) -> None:
        """An FTP session, and its dialogue, after a login and a transfer."""
        server = await self.start()
        port = server.port("ftp")
        await self.check(server, "ftp", lambda: log_in(ftplib.FTP(), port))

    async def test_ftp_over_tls(self) -> None:
        """The same after AUTH TLS."""
        server = await self.start()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        port = server.port("ftp")
        await self.check(
            server, "ftp", lambda: log_in(ftplib.FTP_TLS(context=context), port)
        )

    async def test_dns(self) -> None:
        """A DNS connection over TCP, after a query."""
        server = await self.start()
        port = server.port("dns", "tcp")
        query = bytes.fromhex("000100000001000000000000096c6f63616c686f73740000060001")

        def ask() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
            client.sendall(len(query).to_bytes(2, "big") + query)
            client.recv(4096)
            return client

        await self.check(server, "dns", ask)


class PrivateTests(TestCase):
    """What a server leaves in its state directory, whatever the umask is."""

    async def test_modes(self) -> None:
        """With a umask of 0, nothing below the state directory is for others, but for
        what is public by its nature; and nobody may look into the directory."""
        self.addCleanup(os.umask, os.umask(0))
        state = self.mktemp()
        server = await running(
            ftp=True,
            dns=True,
            accounts=[JOE],
            state=state,
            settings={"log.events": "log/events.json"},
        )
        self.addCleanup(server.stop)
        client = await deferToThread(log_in, ftplib.FTP(), server.port("ftp"))
        with open(os.devnull, "rb") as nothing:
            await deferToThread(client.storbinary, "STOR f", nothing)
        client.close()
        self.assertEqual(0o700, os.stat(state).st_mode & 0o777)
        public = {"pub", "sites", "f"}
        open_to_others = [
            name
            for above, directories, names in os.walk(state)
            for name in (*directories, *names)
            if os.lstat(os.path.join(above, name)).st_mode & 0o007
            and name not in public
        ]
        self.assertEqual([], open_to_others)
