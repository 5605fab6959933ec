"""A primary that says what a test wants, over real sockets on loopback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from attrs import evolve
from twisted.internet.defer import gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from netservices.core.deferreds import as_deferred
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import SOA, address_rdata

Answer: TypeAlias = Callable[[Message], Sequence[bytes | None]]
"""The octets that a connection gets: whole messages, and None to close it."""


def soa(serial: int, apex: bytes, **fields: Any) -> Record:
    """The SOA of a version; one minute to the next check."""
    values = SOA(b"\2ns" + apex, b"\1h" + apex, serial, 60, 10, 600, 5)
    return Record(apex, Type.SOA, 1, 60, evolve(values, **fields).encode())


def a(name: str, address: str, ttl: int = 60) -> Record:
    """An address record."""
    type_, rdata = address_rdata(address)
    return Record(parse_name(name), type_, 1, ttl, rdata)


def reply(query: Message, *records: Record, **fields: Any) -> bytes:
    """One message of a reply."""
    message = Message(
        id=query.id,
        flags=codes.QR | codes.AA,
        questions=query.questions,
        answer=records,
    )
    return evolve(message, **fields).encode()


class _Stream(Protocol):
    transport: Any

    def __init__(self, primary: ScriptedPrimary) -> None:
        self.primary = primary
        self.received = b""

    def connectionMade(self) -> None:
        self.primary.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        while len(self.received) >= 2:
            end = 2 + int.from_bytes(self.received[:2], "big")
            if len(self.received) < end:
                return
            message, self.received = self.received[2:end], self.received[end:]
            for answer in self.primary.reply(message):
                if answer is None:
                    self.transport.loseConnection()
                    return
                self.transport.write(len(answer).to_bytes(2, "big") + answer)


class _Datagrams(DatagramProtocol):
    def __init__(self, primary: ScriptedPrimary) -> None:
        self.primary = primary

    def datagramReceived(self, data: bytes, address: Any) -> None:
        for answer in self.primary.reply(data):
            if answer is not None and self.transport is not None:
                self.transport.write(answer, address)


class ScriptedPrimary:
    """Answers each type of question as ``answers`` says; others with REFUSED."""

    def __init__(self, reactor: Any, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[str] = []
        """The types that were asked for."""
        self.connections: list[Any] = []
        while True:
            factory = Factory.forProtocol(lambda: _Stream(self))
            self._tcp = reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.port: int = self._tcp.getHost().port
            try:
                self._udp = reactor.listenUDP(
                    self.port, _Datagrams(self), interface="127.0.0.1"
                )
                break
            except CannotListenError:
                self._tcp.stopListening()

    def reply(self, data: bytes) -> Sequence[bytes | None]:
        """What comes back to one question."""
        query = Message.parse(data)
        name = codes.type_name(query.questions[0].type)
        self.asked.append(name)
        answer = self.answers.get(name)
        if answer is None:
            return [reply(query, rcode=Rcode.REFUSED)]
        return answer(query)

    def serve(self, *records: Record) -> None:
        """A zone: its SOA first, and the others."""
        first, *others = records
        self.answers["SOA"] = lambda query: [reply(query, first)]
        self.answers["AXFR"] = lambda query: [reply(query, first, *others, first)]

    @as_deferred
    async def stop(self) -> None:
        """Close everything; fires when it is."""
        for connection in self.connections:
            connection.transport.abortConnection()
        ends = self._udp.stopListening(), self._tcp.stopListening()
        await gatherResults([end for end in ends if end is not None])
