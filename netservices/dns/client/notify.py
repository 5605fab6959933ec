"""NOTIFY, sent (RFC 1996): one server is told that a zone has changed.

Over UDP it is repeated, ever more slowly, until the other server replies; then TCP is
tried once.  All that goes out over UDP leaves from one port for each of our addresses.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.protocol import DatagramProtocol

from netservices.core.errors import SyntaxProblem
from netservices.core.networks import parse_address
from netservices.dns.client.ask import is_reply
from netservices.dns.client.link import DNS_PORT, Link, LinkLimits
from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Opcode, Rcode, Type, rcode_name
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.wire.tsig import Key
from netservices.values import RRset

# RFC 1996 3.6: back-off between repetitions; not its 60 seconds, as losing one datagram
# should not make a zone a minute old.
WAITS = (1.0, 2.0, 4.0, 8.0)
TCP_LIMITS = LinkLimits(connect_seconds=5.0, idle_seconds=5.0, total_seconds=15.0)

Take: TypeAlias = Callable[[bytes], Message | None]
"""The reply in a datagram or message, or None where it is none to the request."""


@frozen
class Delivered:
    """How a notification was taken."""

    transport: str
    tries: int


def make_notification(soa: RRset) -> Message:
    """What tells that a zone has that SOA now; RFC 1996 3.7, 3.11."""
    apex = soa.owner
    return Message(
        id=secrets.randbelow(0x10000),
        flags=codes.AA,
        opcode=Opcode.NOTIFY,
        questions=(Question(apex, Type.SOA),),
        answer=(Record(apex, Type.SOA, Class.IN, soa.ttl, soa.rdatas[0]),),
    )


class _Port(DatagramProtocol):
    """Where notifications go out, and the replies come in."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int, bytes], Callable[[bytes], None]] = {}

    def send(
        self, data: bytes, address: tuple[str, int], heard: Callable[[bytes], None]
    ) -> Callable[[], None]:
        """Send it; ``heard`` gets what comes from there with the same ID until the
        result is called."""
        key = (*address, data[:2])
        self._waiting[key] = heard
        if self.transport is not None:
            # What cannot be sent is as if it were lost on the way.
            with contextlib.suppress(OSError):
                self.transport.write(data, address)
        return lambda: self._forget(key, heard)

    def _forget(
        self, key: tuple[str, int, bytes], heard: Callable[[bytes], None]
    ) -> None:
        if self._waiting.get(key) is heard:
            del self._waiting[key]

    def datagramReceived(self, data: bytes, address: Any) -> None:
        heard = self._waiting.get((address[0], address[1], data[:2]))
        if heard is not None:
            heard(data)


class Courier:
    """Brings notifications to other servers."""

    def __init__(
        self,
        reactor: Any,
        sources: Sequence[str] = (),
        waits: Sequence[float] = WAITS,
        authorities: str = "",
    ) -> None:
        """``sources`` are addresses of ours from which to send, the first of each
        family; where there is none, the system chooses.  ``waits`` is how long each
        repetition waits for a reply, in seconds."""
        self._reactor = reactor
        self._sources = {_family(source): source for source in reversed(sources)}
        self._waits = tuple(waits)
        self._authorities = authorities
        self._ports: dict[int, tuple[Any, _Port]] = {}

    async def deliver(self, message: Message, peer: Peer, key: Key | None) -> Delivered:
        """Bring it there.  NoAnswer says why that was in vain."""
        if peer.key and key is None:
            raise NoAnswer(f"there is no key {peer.key}")
        data = message.encode()
        take: Take = _Plain(message).take
        if key is not None:
            signed = _Signed(message, SignedRequest(key), self._reactor.seconds)
            data, take = signed.request, signed.take
        if not peer.tls:
            for number, seconds in enumerate(self._waits, 1):
                reply = await self._over_udp(data, peer, take, seconds)
                if reply is not None:
                    return _judge(reply, Delivered("udp", number))
        # RFC 1996 3.4: TCP where there is reason to believe that UDP does not pass.
        reply = await self._over_stream(data, peer, take)
        name = "tls" if peer.tls else "tcp"
        return _judge(reply, Delivered(name, len(self._waits) + 1))

    def stop(self) -> None:
        """Send nothing more."""
        for port, _ in self._ports.values():
            port.stopListening()
        self._ports.clear()

    async def _over_udp(
        self, data: bytes, peer: Peer, take: Take, seconds: float
    ) -> Message | None:
        answered: Deferred[Message] = Deferred()

        def heard(data: bytes) -> None:
            reply = take(data)
            if reply is not None and not answered.called:
                answered.callback(reply)

        address = parse_address(peer.address)
        if address is None:
            return None
        where = str(address), peer.port or DNS_PORT
        forget = self._port(address.version).send(data, where, heard)
        try:
            return await answered.addTimeout(seconds, self._reactor)
        except TimeoutError:
            return None
        finally:
            forget()

    def _port(self, family: int) -> _Port:
        found = self._ports.get(family)
        if found is None:
            source = self._sources.get(family) or ("::" if family == 6 else "0.0.0.0")
            port = _Port()
            found = self._reactor.listenUDP(0, port, interface=source), port
            self._ports[family] = found
        return found[1]

    async def _over_stream(self, data: bytes, peer: Peer, take: Take) -> Message:
        link = await Link.open(self._reactor, peer, TCP_LIMITS, self._authorities)
        try:
            link.send(data)
            reply = take(await link.receive())
        finally:
            link.close()
        if reply is None:
            raise NoAnswer("what came back was no reply")
        return reply


def _family(address: str) -> int:
    parsed = parse_address(address)
    return parsed.version if parsed is not None else 0


def _judge(reply: Message, delivered: Delivered) -> Delivered:
    # RFC 1996 3.12: a server that does not know NOTIFY needs no repetition either.
    if reply.rcode != Rcode.NOERROR:
        raise NoAnswer(f"the reply was {rcode_name(reply.rcode)}")
    return delivered


class _Plain:
    """A notification without signature."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def take(self, data: bytes) -> Message | None:
        """The reply in ``data``; RFC 1996 3.6."""
        try:
            reply = Message.parse(data)
        except SyntaxProblem:
            return None
        return reply if is_reply(self._message, reply) else None


class _Signed(_Plain):
    """A notification with a signature, and the check of the reply's."""

    def __init__(
        self, message: Message, signing: SignedRequest, now: Callable[[], float]
    ) -> None:
        super().__init__(message)
        self._signing = signing
        self._now = now
        self.request = signing.sign(message.encode(), now())

    def take(self, data: bytes) -> Message | None:
        """The reply in ``data``, if its signature is right.  RFC 8945 5.4: another
        one may come."""
        try:
            return super().take(self._signing.check(data, self._now()))
        except SyntaxProblem:
            return None
