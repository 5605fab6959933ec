"""PUT, and what becomes of it when the server is killed, or the disk is full."""

from __future__ import annotations

import http.client
import os
import random
from base64 import b64encode
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.house.twistd import Running
from tests.http.test_dav_locks import LOCK

OPTIONS = ("--http", "--http-listen", "tcp:0:interface=127.0.0.1")
ROUNDS = 2
MEBIBYTE = 1 << 20


def version(number: int) -> bytes:
    """A content that tells its number everywhere; some are long."""
    return b"%08d" % number * (100_000 if number % 2 else 100)


class CrashTests(SynchronousTestCase):
    """A server in a process of its own, and a client."""

    def setUp(self) -> None:
        """A place for its state."""
        place = Path(self.mktemp()).absolute()
        place.mkdir(parents=True)
        self.state = str(place / "state")
        self.password = ""

    def running(self, **more: tuple[str, ...]) -> Running:
        """The server."""
        return Running(self.state, *OPTIONS, **more)  # type: ignore[arg-type]

    def client(self, server: Running) -> http.client.HTTPConnection:
        """A connection to it."""
        self.password = self.password or server.password
        return http.client.HTTPConnection("127.0.0.1", server.port("http", "tcp"))

    @property
    def login(self) -> dict[str, str]:
        """The field that logs in."""
        coded = b64encode(f"admin:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {coded}"}

    def ask(
        self, client: http.client.HTTPConnection, method: str, body: object = None
    ) -> tuple[int, bytes]:
        """Status and content of an answer about the file."""
        client.request(method, "/dav/f", body, self.login)  # type: ignore[arg-type]
        answer = client.getresponse()
        return answer.status, answer.read()

    def area(self) -> list[str]:
        """What lies in the upload area."""
        (home,) = Path(self.state, "files").iterdir()
        return os.listdir(home / ".ns-uploads")

    def test_killed(self) -> None:
        """The file is the last one that was acknowledged, or a later one, whole; what
        was on its way leaves nothing behind."""
        moments = random.Random(7)
        acknowledged = 0
        for _ in range(ROUNDS):
            with self.running() as server:
                client = self.client(server)
                if acknowledged:
                    self.check(client, acknowledged)
                for _ in range(moments.randrange(2, 9)):
                    status, _ = self.ask(client, "PUT", version(acknowledged + 1))
                    self.assertIn(status, (201, 204))
                    acknowledged += 1
                content = version(acknowledged + 1)
                client.putrequest("PUT", "/dav/f")
                client.putheader("Content-Length", str(len(content)))
                client.putheader("Authorization", self.login["Authorization"])
                client.endheaders(content[: moments.randrange(len(content) + 1)])
                # Somewhere in what it does with that, wherever that is.
                for _ in range(moments.randrange(200_000)):
                    pass
                server.child.kill()
        with self.running() as server:
            self.check(self.client(server), acknowledged)
            self.assertEqual([], self.area())

    def test_locked(self) -> None:
        """A lock outlives the process that gave it."""
        with self.running() as server:
            client = self.client(server)
            client.request("LOCK", "/dav/f", LOCK, self.login)
            self.assertEqual(201, client.getresponse().status)
            server.child.kill()
        with self.running() as server:
            client = self.client(server)
            self.assertEqual(423, self.ask(client, "PUT", b"x")[0])

    def check(self, client: http.client.HTTPConnection, acknowledged: int) -> None:
        """What GET says now."""
        status, found = self.ask(client, "GET")
        self.assertEqual(200, status)
        self.assertTrue(int(found[:8]) in (acknowledged, acknowledged + 1))
        self.assertTrue(found == version(int(found[:8])))

    def test_full(self) -> None:
        """An upload for which there is no room is answered with 507, and leaves what
        was there; then there is room again."""
        # Files of at most 8 MiB: as a full disk, of which nothing tells before.
        limited = ("sh", "-c", 'ulimit -f 16384; exec "$@"', "sh")
        with self.running(starter=limited) as server:
            client = self.client(server)
            self.assertEqual(201, self.ask(client, "PUT", b"old")[0])
            for body in (b"x" * 12 * MEBIBYTE, iter([b"x" * MEBIBYTE] * 12)):
                client.close()
                try:
                    self.assertEqual(507, self.ask(client, "PUT", body)[0])
                except (BrokenPipeError, ConnectionResetError):
                    # Answered before all was sent.
                    client.close()
                client.close()
                self.assertEqual((200, b"old"), self.ask(client, "GET"))
                self.assertEqual([], self.area())
            self.assertEqual(204, self.ask(client, "PUT", b"new")[0])
            self.assertEqual(0, server.stop())
