"""Zones from a primary: is there a newer version, and what is it (RFC 1034 4.3.5,
RFC 1995, RFC 5936)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from attrs import evolve, field, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.client.ask import Client, make_query
from netservices.dns.client.link import DNS_PORT, Link, LinkLimits
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.inbound import (
    BadTransfer,
    Form,
    Inbound,
    InboundLimits,
    TooLarge,
    TransferRefused,
)
from netservices.dns.options import Peer
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import fold
from netservices.dns.wire.rdata import SOA
from netservices.dns.wire.serials import is_newer_serial

UDP_TRIES = 2

MESSAGES_A_TURN = 20
"""Messages after which other work has its turn, however few records they have."""


class Signing(Protocol):
    """One request that is signed, and its replies (RFC 8945 5)."""

    def sign(self, query: bytes) -> bytes:
        """The request with its signature."""

    def verify(self, message: bytes) -> bytes:
        """A reply without its signature.  SyntaxProblem where that is wrong."""

    def finish(self) -> None:
        """The last reply has come.  SyntaxProblem where that needed a signature."""


class _Unsigned:
    """Requests to a primary with which no key is shared."""

    def sign(self, query: bytes) -> bytes:
        return query

    def verify(self, message: bytes) -> bytes:
        return message

    def finish(self) -> None:
        """Nothing is signed."""


MakeSigning: TypeAlias = Callable[[], Signing]


@frozen
class Primary:
    """Where a zone comes from, and how to talk to it."""

    peer: Peer
    signing: MakeSigning = _Unsigned
    """Makes what signs one request."""
    authorities: str = ""
    """A file of certificates to trust; empty: the system's."""
    limits: LinkLimits = field(factory=LinkLimits)
    inbound: InboundLimits = field(factory=InboundLimits)
    ask_seconds: float = 2.0
    """Patience for one answer over UDP."""

    @property
    def is_plain(self) -> bool:
        """Whether it is asked over UDP first: neither TLS nor a key is set."""
        return not self.peer.tls and not self.peer.key


async def fetch_zone(
    reactor: Any,
    primary: Primary,
    name: bytes,
    have: int | None,
    pause: Callable[[], Awaitable[None]],
    *,
    is_forced: bool = False,
) -> Inbound | Record:
    """What the primary has beyond serial ``have`` (None: we have nothing); its SOA
    alone where that is not newer.

    ``pause`` lets other work have its turn.  With ``is_forced`` the whole zone is taken
    in any case.  NoAnswer, BadTransfer, TransferRefused.
    """
    if primary.is_plain and have is not None and not is_forced:
        soa = await _ask_in_a_datagram(reactor, primary, name)
        if soa is not None and not _is_newer(soa, have):
            return soa
    if have is not None and not is_forced:
        try:
            found = await _transfer(reactor, primary, name, have, pause)
        except (TransferRefused, TooLarge) as problem:
            if not _is_ixfr_unknown(problem):
                raise
        except BadTransfer:
            pass  # RFC 1995 4: what cannot be used is asked for anew, and whole
        else:
            if found.form is not Form.CURRENT:
                return found
            assert found.soa is not None
            return found.soa
    return await _transfer(reactor, primary, name, None, pause)


def _is_ixfr_unknown(problem: Exception) -> bool:
    """RFC 1995 2: a server that does not know IXFR is asked for AXFR."""
    return isinstance(problem, TransferRefused) and problem.rcode in (
        Rcode.FORMERR,
        Rcode.NOTIMP,
        Rcode.SERVFAIL,
    )


async def _ask_in_a_datagram(
    reactor: Any, primary: Primary, name: bytes
) -> Record | None:
    """The primary's SOA; None: it does not answer over UDP, or does not tell it so.

    Knot DNS refuses questions about catalog zones over UDP to everybody (RFC 9432 7
    wants them kept from strangers) and answers those who may have the zone over TCP.
    """
    peer = primary.peer
    client = Client(reactor, peer.address, peer.port or DNS_PORT, primary.ask_seconds)
    try:
        reply = await client.ask(name, Type.SOA, UDP_TRIES)
    except NoAnswer:
        return None
    if reply.rcode == Rcode.REFUSED:
        return None
    if reply.rcode != Rcode.NOERROR:
        raise TransferRefused(reply.rcode)
    return _soa_in(reply, name)


def _soa_in(reply: Message, name: bytes) -> Record:
    for record in reply.answer:
        if record.type == Type.SOA and fold(record.name) == fold(name):
            # An answer that is not authoritative comes from a cache.
            if reply.is_authoritative:
                return record
            break
    raise BadTransfer("the primary is not authoritative for the zone")


def _is_newer(soa: Record, have: int) -> bool:
    try:
        return is_newer_serial(SOA.parse(soa.rdata).serial, have)
    except SyntaxProblem as problem:
        raise BadTransfer(f"a malformed SOA: {problem}") from None


async def _transfer(
    reactor: Any,
    primary: Primary,
    name: bytes,
    have: int | None,
    pause: Callable[[], Awaitable[None]],
) -> Inbound:
    """One AXFR or IXFR, over a connection of its own."""
    link = await Link.open(reactor, primary.peer, primary.limits, primary.authorities)
    try:
        return await _receive(link, primary, name, have, pause)
    finally:
        link.close()


async def _receive(
    link: Link,
    primary: Primary,
    name: bytes,
    have: int | None,
    pause: Callable[[], Awaitable[None]],
) -> Inbound:
    query = make_query(name, Type.AXFR if have is None else Type.IXFR)
    if have is not None:
        # RFC 1995 3: of the version that we have, the serial is what counts.
        soa = SOA(b"\0", b"\0", have, 0, 0, 0, 0).encode()
        query = evolve(query, authority=(Record(name, Type.SOA, Class.IN, 0, soa),))
    inbound = Inbound(query, have, primary.inbound)
    signing = primary.signing()
    link.send(signing.sign(query.encode()))
    unbroken = 0
    while not inbound.is_done:
        data = await link.receive()
        try:
            data = signing.verify(data)
        except SyntaxProblem as problem:
            raise BadTransfer(f"the signature: {problem}") from None
        for _ in inbound.steps(data):
            await pause()
        # Many small messages may be here at once: they are no less work.
        unbroken += 1
        if unbroken == MESSAGES_A_TURN:
            unbroken = 0
            await pause()
    try:
        signing.finish()
    except SyntaxProblem as problem:
        raise BadTransfer(f"the signature: {problem}") from None
    return inbound
