"""Questions and updates from a command to a name server, one after the other."""

from __future__ import annotations

import socket
import time
from typing import Any

import click
from attrs import frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import fold
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.wire.tsig import Key, TSIGProblem, error_name, find_tsig

SECONDS = 10.0
"""How long a server may take for one answer."""


@frozen
class Asker:
    """Asks one server, over TCP, so that nothing is cut off (RFC 1035 4.2.2); with a
    key, every message is signed."""

    address: str
    port: int = 53
    key: Key | None = None
    seconds: float = SECONDS

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address} port {self.port}"

    def ask(self, query: Message) -> Message:
        """The answer.  ClickException says what went wrong."""
        data = query.encode()
        request = SignedRequest(self.key) if self.key is not None else None
        if request is not None:
            data = request.sign(data, time.time())
        try:
            reply = self._exchange(data)
        except OSError as problem:
            text = problem.strerror or "it takes too long"
            raise click.ClickException(f"no answer from {self}: {text}") from None
        try:
            if request is not None and _is_signed(reply):
                reply = request.check(reply, time.time())
            elif request is not None and reply[3] & 15 == Rcode.NOERROR:
                raise click.ClickException(f"the answer of {self} is not signed")
            return self._checked(query, Message.parse(reply))
        except TSIGProblem as problem:
            text = f"{problem} ({error_name(problem.error)})"
            raise click.ClickException(f"{self}: {text}") from None
        except (SyntaxProblem, IndexError):
            raise click.ClickException(f"{self} does not speak DNS") from None

    def _checked(self, query: Message, reply: Message) -> Message:
        is_reply = reply.is_response and (reply.id, reply.opcode) == (
            query.id,
            query.opcode,
        )
        asked = [(fold(q.name), q.type) for q in query.questions]
        # RFC 2136 3.8: an answer to an update may leave its sections out.
        repeated = [(fold(q.name), q.type) for q in reply.questions]
        if not is_reply or (repeated and repeated != asked):
            raise click.ClickException(f"{self} answers something else")
        return reply

    def _exchange(self, data: bytes) -> bytes:
        deadline = time.monotonic() + self.seconds
        place = (self.address, self.port)
        with socket.create_connection(place, self.seconds) as connection:
            connection.sendall(len(data).to_bytes(2, "big") + data)
            length = int.from_bytes(_receive(connection, 2, deadline), "big")
            return _receive(connection, length, deadline)


def _receive(connection: socket.socket, octets: int, deadline: float) -> bytes:
    received = b""
    while len(received) < octets:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        piece: Any = connection.recv(octets - len(received))
        if not piece:
            raise ConnectionResetError(0, "it closes the connection")
        received += piece
    return received


def _is_signed(reply: bytes) -> bool:
    return bool(find_tsig(reply))
