"""What a connection costs while nothing happens on it."""

from __future__ import annotations

import socket
import tracemalloc

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.testing import running

ASK = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
MOST_OCTETS = 12 * 1024


class IdleTests(TestCase):
    """Connections that stay open."""

    async def test_memory(self) -> None:
        """A connection between two requests takes less than 12 KiB, those of its client
        included."""
        server = await running(http=True, settings={"limits.exempt": "127.0.0.0/8"})
        self.addCleanup(server.stop)
        port = server.port("http", "tcp")
        held: list[socket.socket] = []

        def connect(count: int) -> None:
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", port), 20)
                held.append(client)
                client.sendall(ASK)
                client.recv(65536)

        try:
            await deferToThread(connect, 20)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            await deferToThread(connect, 100)
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            for client in held:
                client.close()

        self.assertLess(taken // 100, MOST_OCTETS)
