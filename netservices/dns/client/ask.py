"""Questions to one server: UDP first, TCP where the answer is truncated
(RFC 1035 4.2, RFC 7766 5)."""

from __future__ import annotations

import secrets
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.python.failure import Failure

from netservices.core.deferreds import as_deferred
from netservices.core.errors import SyntaxProblem
from netservices.dns.client.problems import NoAnswer
from netservices.dns.wire import codes
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question
from netservices.dns.wire.names import fold, parse_name


class _Asking(DatagramProtocol):
    """One question over UDP, from a port of its own."""

    noisy = False

    def __init__(self, query: Message, server: tuple[str, int]) -> None:
        self.query = query
        self.server = server
        self.answered: Deferred[Message] = Deferred()

    def startProtocol(self) -> None:  # noqa: N802
        self.send()

    def send(self) -> None:
        """Ask, once more."""
        if self.transport is not None:
            self.transport.write(self.query.encode(), self.server)

    def datagramReceived(self, data: bytes, address: Any) -> None:
        # RFC 5452 9.1: only what comes from where we asked, with our ID and question.
        reply = _parse(data)
        is_ours = address[:2] == self.server and not self.answered.called
        if is_ours and reply is not None and is_reply(self.query, reply):
            self.answered.callback(reply)


class _Stream(Protocol):
    """Questions over one TCP connection; answers in any order."""

    transport: Any

    def __init__(self) -> None:
        self._received = bytearray()
        self._waiting: dict[int, tuple[Message, Deferred[Message]]] = {}

    def ask(self, query: Message) -> Deferred[Message]:
        """The answer to ``query``, whose ID no other question here has."""
        deferred: Deferred[Message] = Deferred()
        self._waiting[query.id] = query, deferred
        data = query.encode()
        self.transport.write(len(data).to_bytes(2, "big") + data)
        return deferred

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 2:
            length = self._received[0] << 8 | self._received[1]
            if len(self._received) < 2 + length:
                return
            reply = _parse(bytes(self._received[2 : 2 + length]))
            del self._received[: 2 + length]
            if reply is None or reply.id not in self._waiting:
                self.transport.abortConnection()
                return
            query, deferred = self._waiting.pop(reply.id)
            if is_reply(query, reply):
                deferred.callback(reply)
            else:
                deferred.errback(NoAnswer("the answer is to another question"))

    def connectionLost(self, reason: Failure | None = None) -> None:
        waiting, self._waiting = self._waiting, {}
        for _, deferred in waiting.values():
            deferred.errback(NoAnswer("the server closed the connection"))


class _Quiet(Factory):
    """Connects without a line in the log."""

    noisy = False


def _parse(data: bytes) -> Message | None:
    try:
        return Message.parse(data)
    except SyntaxProblem:
        return None


def is_reply(query: Message, reply: Message) -> bool:
    """Whether ``reply`` answers ``query``: ID, opcode, and question if there is one
    (RFC 5452 9.1)."""
    if not reply.is_response or (reply.id, reply.opcode) != (query.id, query.opcode):
        return False
    return not reply.questions or [
        (fold(asked.name), asked.type, asked.class_) for asked in reply.questions
    ] == [(fold(asked.name), asked.type, asked.class_) for asked in query.questions]


def make_query(
    name: str | bytes,
    type_: int | str,
    *,
    class_: int = codes.Class.IN,
    wants_recursion: bool = False,
    edns: Edns | None = None,
) -> Message:
    """A question with a random ID."""
    qname = parse_name(name) if isinstance(name, str) else name
    qtype = codes.type_number(type_) if isinstance(type_, str) else type_
    return Message(
        id=secrets.randbelow(0x10000),
        flags=codes.RD if wants_recursion else 0,
        questions=(Question(qname, qtype, class_),),
        edns=edns,
    )


class Client:
    """Asks one server."""

    def __init__(
        self, reactor: Any, address: str, port: int = 53, seconds: float = 2.0
    ) -> None:
        """``address`` is an IP address; ``seconds`` is the patience for one try."""
        self._reactor = reactor
        self._server = (address, port)
        self._seconds = seconds

    @as_deferred
    async def ask(
        self, name: str | bytes, type_: int | str, tries: int = 3, **options: Any
    ) -> Message:
        """The answer, over TCP if it does not fit into a datagram; ``options`` are
        those of ``make_query``.  NoAnswer."""
        query = make_query(name, type_, **options)
        reply = await self.over_udp(query, tries)
        if reply.is_truncated:
            return await self.over_tcp(query)
        return reply

    @as_deferred
    async def over_udp(self, query: Message, tries: int = 3) -> Message:
        """The answer in a datagram.  NoAnswer."""
        for _ in range(tries):
            query = evolve(query, id=secrets.randbelow(0x10000))
            asking = _Asking(query, self._server)
            interface = "::" if ":" in self._server[0] else ""
            port = self._reactor.listenUDP(0, asking, interface=interface)
            try:
                asking.answered.addTimeout(self._seconds, self._reactor)
                return await asking.answered
            except TimeoutError:
                continue
            finally:
                await port.stopListening()
        raise NoAnswer(f"no answer from {self._server[0]} port {self._server[1]}")

    @as_deferred
    async def over_tcp(self, query: Message) -> Message:
        """The answer over a connection of its own.  NoAnswer."""
        from twisted.internet.endpoints import HostnameEndpoint

        endpoint = HostnameEndpoint(
            self._reactor, self._server[0], self._server[1], timeout=self._seconds
        )
        try:
            found: Any = await endpoint.connect(_Quiet.forProtocol(_Stream))
            stream: _Stream = found
        except (ConnectError, TimeoutError) as error:
            raise NoAnswer(f"no connection: {error}") from None
        try:
            return await stream.ask(query).addTimeout(self._seconds, self._reactor)
        except TimeoutError:
            raise NoAnswer("no answer over TCP") from None
        finally:
            stream.transport.loseConnection()
