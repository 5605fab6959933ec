"""A corked connection on a real socket pair, with a reactor that only takes notes."""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet.protocol import Protocol

from netservices.core.write import CorkedServer


class NotedReactor:
    """Remembers who waits for what; nothing happens by itself."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.calls: list[tuple[Any, ...]] = []

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def callLater(self, seconds: float, function: Any, *args: Any) -> None:
        self.calls.append((seconds, function, *args))

    def run_calls(self) -> None:
        """Run what was asked for later."""
        calls, self.calls = self.calls, []
        for _, function, *args in calls:
            function(*args)


class CountedSocket(socket.socket):
    """A socket that remembers the size of each ``send``."""

    sent: list[int]

    def send(self, data: Any, flags: int = 0) -> int:  # type: ignore[override]
        self.sent.append(len(data))
        return super().send(data, flags)


class Scripted(Protocol):
    """Does to its transport what the test says for each block of data."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.lost: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.steps.pop(0)(self.transport)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


class Connected:
    """One corked server connection and the bare socket of its peer."""

    def __init__(self, *steps: Any, send_buffer: int | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.peer = socket.create_connection(listener.getsockname())
            accepted, address = listener.accept()
        if send_buffer is not None:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.socket = CountedSocket(fileno=accepted.detach())
        self.socket.sent = []
        self.peer.settimeout(10)
        self.reactor = NotedReactor()
        self.protocol = Scripted(*steps)
        self.transport = CorkedServer(
            self.socket, self.protocol, address, None, 0, self.reactor
        )
        self.protocol.makeConnection(self.transport)

    def say(self, data: bytes = b"x") -> Any:
        """The peer sends ``data`` and the connection is readable."""
        self.peer.sendall(data)
        return self.transport.doRead()

    def receive(self, count: int) -> bytes:
        """Exactly ``count`` octets from the connection, which drains meanwhile."""
        found = bytearray()
        while len(found) < count:
            writing = [self.socket] if self.transport in self.reactor.writers else []
            readable, writable, _ = select.select([self.peer], writing, [], 10)
            if writable:
                self.transport.doWrite()
            if readable:
                found += self.peer.recv(65536)
            if not readable and not writable:
                raise TimeoutError("nothing moves")
        return bytes(found)

    def close(self) -> None:
        """Give the descriptors back."""
        self.peer.close()
        self.socket.close()
