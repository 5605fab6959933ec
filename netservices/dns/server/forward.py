"""Updates of secondary zones, passed on to their primaries (RFC 2136 6)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from netservices.core.errors import SyntaxProblem
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.later import Later
from netservices.dns.options import NO_OPTIONS, Peer, ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import Class, Rcode
from netservices.dns.wire.message import read_question
from netservices.dns.wire.names import fold
from netservices.plugin import Services

if TYPE_CHECKING:
    from netservices.dns.client.link import Link

_HEADER_OCTETS = 12
_QR = 0x80
_OPCODE_BITS = 0x78


class Forwarder:
    """Passes signed updates on as they are, and the primary's replies back.

    Not RFC 8945 5.5: a signature is not taken off, even where its key is known here;
    so the primary sees who wants the change, and judges, and the client can tell that
    the reply is the primary's.  Unsigned updates are not passed on: the primary would
    take their source to be us.
    """

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        options: Callable[[], Mapping[bytes, ZoneOptions]],
    ) -> None:
        """``options`` are those of single zones, by folded name."""
        self._is_wanted: bool = settings.forward_updates
        self._most: int = settings.updates_forwarded
        self._options = options
        self._seconds = float(settings.forward_time)
        self._authorities: str = settings.primary_authorities
        self._clock: Any = services.clock
        self.open_link: Callable[[Peer], Awaitable[Link]] = self._open_link
        """Connects to one primary."""
        self.under_way = 0
        self.forwarded = 0
        """Updates that a primary has answered, so far."""

    def relay(self, data: bytes, client: Client) -> Later | bytes | None:
        """What answers a signed update of a zone that is a secondary here; None: it is
        no such one."""
        primaries = self._primaries(data)
        if not primaries:
            return None
        if self.under_way >= self._most:
            return _refusal(data, Rcode.SERVFAIL)

        async def messages() -> AsyncGenerator[bytes, None]:
            self.under_way += 1
            try:
                yield await self._ask(data, primaries)
            finally:
                self.under_way -= 1

        return Later(messages)

    def _primaries(self, data: bytes) -> tuple[Peer, ...]:
        if not self._is_wanted:
            return ()
        try:
            zone, _ = read_question(data, _HEADER_OCTETS)
        except SyntaxProblem:
            return ()
        if zone.class_ != Class.IN:
            return ()
        options = self._options().get(fold(zone.name), NO_OPTIONS)
        return tuple(map(Peer.parse, options.primaries))

    async def _ask(self, data: bytes, primaries: tuple[Peer, ...]) -> bytes:
        """RFC 2136 6.5: one primary after the other, as for transfers."""
        for peer in primaries:
            try:
                reply = await self._ask_one(data, peer)
            except NoAnswer:
                continue
            self.forwarded += 1
            # RFC 2136 6.6
            return data[:2] + reply[2:]
        return _refusal(data, Rcode.SERVFAIL)

    async def _open_link(self, peer: Peer) -> Link:
        from netservices.dns.client.link import Link, LinkLimits

        limits = LinkLimits(self._seconds, self._seconds, self._seconds)
        return await Link.open(self._clock, peer, limits, self._authorities)

    async def _ask_one(self, data: bytes, peer: Peer) -> bytes:
        """The reply of one primary, under an ID of ours.  NoAnswer."""
        id_ = secrets.token_bytes(2)
        link = await self.open_link(peer)
        try:
            link.send(id_ + data[2:])
            reply = (await link.receive()).ljust(_HEADER_OCTETS, b"\0")
        finally:
            link.close()
        wanted = id_ + bytes((_QR | data[2] & _OPCODE_BITS,))
        found = reply[:2] + bytes((reply[2] & (_QR | _OPCODE_BITS),))
        if found != wanted:
            raise NoAnswer("the primary answered something else")
        return reply


def _refusal(data: bytes, rcode: int) -> bytes:
    return data[:2] + bytes((_QR | data[2] & _OPCODE_BITS, rcode)) + bytes(8)
