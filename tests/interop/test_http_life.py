"""A server of its own, and clients that are slow, rude, or gone."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from select import select

from twisted.trial.unittest import SynchronousTestCase

from netservices.control.client import ask
from netservices.testing import running_process
from netservices.testing.servers import RunningProcess
from tests.interop.dns_programs import wait_until

BIG = 48 * 1024 * 1024
GET = b"GET /%b HTTP/1.1\r\nHost: h\r\n%b\r\n"


@contextmanager
def site(**settings: object) -> Iterator[RunningProcess]:
    """A server with a small file and a big one."""
    with tempfile.TemporaryDirectory(prefix="netservices-") as state:
        root = os.path.join(state, "sites", "default")
        os.makedirs(root)
        with open(os.path.join(root, "small"), "wb") as file:
            file.write(b"small")
        with open(os.path.join(root, "big"), "wb") as file:
            file.truncate(BIG)
        given = {key.replace("__", "."): value for key, value in settings.items()}
        with running_process(http=True, state=state, settings=given) as server:
            yield server


class Client:
    """A plain connection, with a small buffer for what is received."""

    def __init__(self, server: RunningProcess, kind: str = "tcp") -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", server.port("http", kind)))

    def close(self) -> None:
        """Let go."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Say something."""
        self.socket.sendall(data)

    def head(self) -> bytes:
        """What comes up to the first empty line."""
        found = b""
        while b"\r\n\r\n" not in found:
            octet = self.socket.recv(1)
            if not octet:
                break
            found += octet
        return found

    def rest(self) -> int:
        """Octets that come until the end."""
        octets = 0
        while data := self.socket.recv(65536):
            octets += len(data)
        return octets


class LifeTests(SynchronousTestCase):
    """Sockets, processes and signals."""

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def serve(self, **settings: object) -> RunningProcess:
        """A server for the rest of the test."""
        return self.stack.enter_context(site(**settings))

    def client(self, server: RunningProcess, kind: str = "tcp") -> Client:
        """A connection for the rest of the test."""
        found = Client(server, kind)
        self.addCleanup(found.close)
        return found

    def test_refused_upload(self) -> None:
        """Who sends all of a large body before he listens still hears why it was
        refused: his connection is not reset.  RFC 9112 9.6."""
        client = self.client(self.serve())
        client.send(
            b"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n"
        )
        for _ in range(80):
            client.send(b"x" * 100_000)

        self.assertTrue(client.head().startswith(b"HTTP/1.1 405 "))
        client.rest()

    def test_half_closed(self) -> None:
        """Who ends his direction behind his requests gets all responses."""
        client = self.client(self.serve())
        client.send(GET % (b"small", b"") + GET % (b"big", b""))
        client.socket.shutdown(socket.SHUT_WR)
        client.head()

        self.assertGreater(client.rest(), BIG)

    def test_pipeline(self) -> None:
        """Ten thousand requests at once, and a client that first sends and then
        reads."""
        client = self.client(self.serve(http__requests_per_connection=20000))
        client.socket.setblocking(False)
        data = GET % (b"small", b"") * 9999 + GET % (b"small", b"Connection: close\r\n")
        found = bytearray()
        while True:
            readable, writable, _ = select(
                [client.socket], [client.socket] if data else [], []
            )
            if writable:
                data = data[client.socket.send(data) :]
            if readable:
                piece = client.socket.recv(65536)
                if not piece:
                    break
                found += piece

        self.assertEqual(10_000, found.count(b"HTTP/1.1 200 OK\r\n"))

    def test_client_that_never_reads(self) -> None:
        """A client that takes nothing of what it has asked for is cut off; others go
        on."""
        server = self.serve(http__stall_timeout="1s", http__minimum_rate=65536)
        lazy = self.client(server)
        lazy.send(GET % (b"big", b""))

        def has_gone() -> bool:
            found = ask(server.state_directory, {"verb": "sessions"})["sessions"]
            return not found

        wait_until(has_gone, "the lazy client is gone")
        busy = self.client(server)
        busy.send(GET % (b"small", b"Connection: close\r\n"))
        self.assertTrue(busy.head().startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_drain(self) -> None:
        """A server that is told to stop completes a download; idle connections end at
        once."""
        server = self.serve()
        idle, busy = self.client(server), self.client(server)
        idle.send(GET % (b"small", b""))
        idle.head()
        busy.send(GET % (b"big", b""))
        busy.head()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(5, idle.rest())
        self.assertEqual(BIG, busy.rest())

        self.assertEqual(0, server.process.wait(30))

    def test_session(self) -> None:
        """A download is seen while it runs, and can be ended."""
        server = self.serve()
        client = self.client(server)
        client.send(GET % (b"big", b"User-Agent: slow/1\r\n"))
        client.head()
        [found] = ask(server.state_directory, {"verb": "sessions"})["sessions"]
        self.assertEqual(("http", "slow/1"), (found["protocol"], found["client"]))
        transfer = found["transfer"]
        self.assertEqual(("GET", "/big"), (transfer["verb"], transfer["path"]))
        self.assertEqual(BIG, transfer["total_octets"])
        self.assertLess(transfer["octets"], BIG)
        request = {"verb": "end_sessions", "sessions": [found["session"]]}
        ask(server.state_directory, request)

        self.assertRaises(ConnectionResetError, client.rest)

    def test_tls(self) -> None:
        """Over TLS the protocol is agreed on, a download comes as a whole, and a client
        without TLS is told so."""
        server = self.serve()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        client = self.client(server, "tls")
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
        self.assertEqual("http/1.1", client.socket.selected_alpn_protocol())
        client.send(
            b"GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        client.head()
        self.assertEqual(BIG, client.rest())

        plain = self.client(server, "tls")
        plain.send(GET % (b"small", b""))
        self.assertTrue(plain.head().startswith(b"HTTP/1.1 400 "))

    def test_refused_upload_over_tls(self) -> None:
        """The answer comes before the end over TLS, too."""
        server = self.serve()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = self.client(server, "tls")
        client.socket = context.wrap_socket(client.socket)
        client.send(
            b"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 800000\r\n\r\n"
        )
        for _ in range(8):
            client.send(b"x" * 100_000)

        self.assertTrue(client.head().startswith(b"HTTP/1.1 405 "))

    def test_memory(self) -> None:
        """A hundred clients with large requests that never end, and never read, cost
        little."""
        server = self.serve()
        before = _resident(server.process.pid)
        for number in range(100):
            client = self.client(server)
            client.socket.setblocking(False)
            kinds = (
                GET % (b"big", b"") * 100,
                b"GET / HTTP/1.1\r\nX: " + b"x" * 30_000,
                b"POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"1\r\nx\r\n" * 10_000,
            )
            client.socket.send(kinds[number % 3])
        for _ in range(20):
            polite = self.client(server)
            polite.send(GET % (b"small", b"Connection: close\r\n"))
            self.assertTrue(polite.head().startswith(b"HTTP/1.1 200 "))

        self.assertLess(_resident(server.process.pid) - before, 60_000)


def _resident(pid: int) -> int:
    """Memory of a process, in KiB."""
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"VmRSS:\s+(\d+)", file.read())
    assert found is not None
    return int(found[1])
