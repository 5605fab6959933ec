"""A whole server on real sockets, and clients that do exactly what a test says."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.testing import RunningServer, running

SETTINGS = {
    "ftp.passive_ports": "0",
    "files.durability": "none",
    "limits.exempt": "127.0.0.0/8,::1/128",
}
SECONDS = 10.0


class Wire:
    """A client in a thread that says exactly what the test says."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.address = address
        self.socket = socket.create_connection((address, port), SECONDS)
        self.file = self.socket.makefile("rb")
        self.reply()

    def reply(self) -> str:
        """The next reply: the last line of it."""
        while True:
            line = self.file.readline().decode("utf-8", "surrogateescape")
            if not line or (line[:3].isdigit() and line[3] == " "):
                return line.rstrip("\r\n")

    def say(self, line: str | bytes) -> str:
        """Send a line; the reply."""
        octets = line.encode() if isinstance(line, str) else line
        self.socket.sendall(octets + b"\r\n")
        return self.reply()

    def log_in(self) -> None:
        """As alice, in image type."""
        self.say("USER alice")
        assert self.say("PASS secret").startswith("230")
        self.say("TYPE I")

    def passive_port(self) -> int:
        """EPSV."""
        return int(self.say("EPSV").split("|")[3])

    def data(self, command: str, source: str = "") -> socket.socket:
        """A passive data connection, and the command that uses it."""
        port = self.passive_port()
        opened = socket.create_connection(
            (self.address, port), SECONDS, (source, 0) if source else None
        )
        assert self.say(command)[:3] in ("125", "150")
        return opened

    def close(self) -> None:
        """Hang up."""
        self.file.close()
        self.socket.close()


def reset(connection: socket.socket) -> None:
    """Close with RST in place of FIN."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    connection.close()
    return b"".join(pieces)


def secured(wire: Wire) -> ssl.SSLContext:
    """AUTH TLS, login and PROT P; the context for data connections."""
    context = ssl._create_unverified_context()
    assert wire.say("AUTH TLS").startswith("234")
    wire.file.close()
    wire.socket = context.wrap_socket(wire.socket)
    wire.file = wire.socket.makefile("rb")
    wire.log_in()
    wire.say("PBSZ 0")
    assert wire.say("PROT P").startswith("200")
    return context


class ServerCase(TestCase):
    """A whole server in this process."""

    settings: dict[str, Any] = {}
    server: RunningServer

    @as_deferred
    async def setUp(self) -> None:
        """Start it."""
        self.server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={**SETTINGS, **self.settings},
        )
        self.addCleanup(self.server.stop)
        self.port = self.server.port("ftp", "tcp")
        self.home = os.path.join(self.server.state_directory, "files/alice@localhost")
        os.makedirs(self.home, exist_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """A file in alice's home."""
        with open(os.path.join(self.home, name), "wb") as file:
            file.write(content)

    def content_of(self, name: str) -> bytes:
        """What a file in alice's home holds."""
        with open(os.path.join(self.home, name), "rb") as file:
            return file.read()

    def talk(self, conversation: Callable[[Wire], None]) -> Deferred[None]:
        """Have a conversation in a thread, after the login."""

        def run() -> None:
            wire = Wire(self.port)
            try:
                wire.log_in()
                conversation(wire)
            finally:
                wire.close()

        return deferToThread(run)
