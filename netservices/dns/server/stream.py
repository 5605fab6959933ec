"""DNS in streams: TCP and TLS (RFC 7766, RFC 7858)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.limits import TooMany
from netservices.core.session import make_session_id
from netservices.core.wheel import Deadline, Wheel
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.server.connections import Connections
from netservices.dns.server.turns import Turns
from netservices.dns.settings import DNSSettings
from netservices.interfaces import ICertificates

_log = Logger()

MESSAGES_A_TURN = 128
"""Questions of one connection answered before other connections get their turn."""

OCTETS_A_TURN = 65536
"""Octets of replies after which the same holds: what a client that takes nothing can
make us keep for it."""

ALPN = ("dot",)

Answer: TypeAlias = Callable[[bytes, Client], bytes | Later | None]


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """One TCP or TLS connection: messages behind their lengths (RFC 1035 4.2.2).

    A client that does not take its answers is not read from; one that sends no whole
    question for ``tcp_idle`` is disconnected, and so is one that takes nothing for as
    long.  Replies that take their time go out when they are ready, behind others that
    were asked for later (RFC 7766 6.2.1.1); while ``tcp_pending`` of them are under
    way, nothing more is read.
    """

    transport: Any

    def __init__(self, factory: StreamFactory, address: str) -> None:
        self.connections = factory
        self.client = Client(address, Transport.TCP)
        self._since = time.time()
        self._session_id = ""
        self._received = bytearray()
        self._slot: Any = None
        self._deadline: Deadline | None = None
        self._queries = 0
        self._is_blocked = False
        self._is_resting = False
        self._is_closing = False
        self._is_gone = False
        self._pending: set[Deferred[None]] = set()
        self._writable: list[Deferred[None]] = []

    # --- what Twisted calls ---

    def connectionMade(self) -> None:
        is_tls = ISSLTransport.providedBy(self.transport)
        self.client = self.connections.see(
            Client(
                self.client.address,
                Transport.TLS if is_tls else Transport.TCP,
                getattr(self.transport.getHost(), "host", ""),
            )
        )
        slot = self.connections.limits.enter("dns", "", self.client.address)
        if isinstance(slot, TooMany):
            self.connections.refused += 1
            self._is_closing = True
            self.transport.abortConnection()
            return
        self._slot = slot
        live = self.connections.live
        live.add(self, self.connections.client_of(self.client.address))
        self._deadline = Deadline(
            self.connections.wheel, live.idle_seconds(), self._expired
        )
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._is_closing:
            return
        if self.client.transport is Transport.TLS and not self.client.tls_version:
            # There is data, so the handshake has come to its end.
            version = getattr(self.transport, "version", None) or "TLS"
            self.client = evolve(self.client, tls_version=version)
        self._received += data
        if not self._is_resting and not self._is_blocked and not self._is_full:
            self._work()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._is_closing = True
        self._received.clear()
        self._is_gone = True
        for pending in tuple(self._pending):
            pending.cancel()
        # The two hold each other no longer: both are free at once.
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
        if self._slot is not None:
            self._slot.leave()
        self.connections.live.discard(self)

    def pauseProducing(self) -> None:
        """The client does not take its answers: read no more questions."""
        self._is_blocked = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The client has taken what was there."""
        self._is_blocked = False
        if self._deadline is not None:
            self._deadline.touch()
        waiting, self._writable = self._writable, []
        for deferred in waiting:
            deferred.callback(None)
        if not self._is_blocked:
            self._read_on()

    def stopProducing(self) -> None:
        """The connection is gone."""

    def drain(self) -> None:
        """The server stops: what was asked is answered already, or soon."""
        self._is_closing = True
        if not self._pending:
            self.close()

    # --- what ``netservices session`` sees ---

    def status(self) -> Mapping[str, Any]:
        """The connection as ``netservices session list`` shows it."""
        if not self._session_id:
            self._session_id = make_session_id()
        live = self.connections.live
        silence = self.connections.wheel.seconds() - live.idle_since(self)
        return {
            "session": self._session_id,
            "address": self.client.address,
            "since": self._since,
            "idle_seconds": max(0, round(silence)),
            "tls": getattr(self.transport, "version", None) or "",
        }

    def end(self) -> None:
        """An administrator ends it: what is under way is not waited for."""
        self._is_closing = True
        self.transport.abortConnection()

    # --- ours ---

    def close(self) -> None:
        """Send what is written, then end; cut where the client takes nothing."""
        self._is_closing = True
        if self._is_blocked:
            self.transport.abortConnection()
            return
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _expired(self) -> None:
        # RFC 7766 6.2.3.  One that does not take its last answers either is cut off.
        if self._is_closing or self._is_blocked:
            self.transport.abortConnection()
            return
        if self._pending:
            # It waits for us, not we for it.
            self._touch()
            return
        self.close()
        self._touch()

    def _work(self) -> None:
        """Answer the whole questions that are here, in one write."""
        replies: list[bytes] = []
        position = taken = octets = 0
        received = self._received
        if len(received) >= 2 and self.connections.turns.is_over:
            self._rest()
            return
        while len(received) - position >= 2:
            length = received[position] << 8 | received[position + 1]
            end = position + 2 + length
            if length > self.connections.max_query_octets:
                self._is_closing = True
                break
            if len(received) < end or self._is_full:
                break
            if taken == MESSAGES_A_TURN or octets >= OCTETS_A_TURN:
                self._rest()
                break
            reply = self._answer(bytes(received[position + 2 : end]))
            position = end
            taken += 1
            self._queries += 1
            if self._queries == self.connections.max_queries:
                self._is_closing = True
            if reply is None:
                # No question at all: nobody whom waiting for more would help.
                self._is_closing = True
                break
            if isinstance(reply, Later):
                self._begin(reply)
            else:
                octets += len(reply)
                replies.append(len(reply).to_bytes(2, "big") + reply)
            if self._is_closing:
                break
        del received[:position]
        self.connections.turns.spend(taken, octets)
        if replies:
            self._touch()
            self.transport.write(b"".join(replies))
        if self._is_closing and not self._pending:
            self.close()

    @property
    def is_waiting(self) -> bool:
        """Whether the client waits for a reply that takes its time."""
        return bool(self._pending)

    @property
    def _is_full(self) -> bool:
        return len(self._pending) >= self.connections.max_pending

    def _begin(self, later: Later) -> None:
        """Send the messages of ``later`` as they come, and then read on."""
        deferred = Deferred.fromCoroutine(self._send(later))
        if deferred.called:
            return
        self._pending.add(deferred)
        if self._is_full:
            self.transport.pauseProducing()
        deferred.addBoth(self._end, deferred)

    async def _send(self, later: Later) -> None:
        messages = later.messages()
        try:
            async for message in messages:
                self.transport.write(len(message).to_bytes(2, "big") + message)
                self._touch()
                if self._is_blocked:
                    self._writable.append(Deferred())
                    await self._writable[-1]
        except CancelledError:
            pass  # the client is gone
        except Exception:
            _log.failure("a request from {address}", address=self.client.address)
            self._is_closing = True
            self.transport.abortConnection()
        finally:
            # The generator has ends of its own to see to.
            await messages.aclose()

    def _end(self, result: object, deferred: Deferred[None]) -> None:
        self._pending.discard(deferred)
        if self._is_gone:
            return
        if not self._is_closing:
            self._read_on()
        elif not self._pending:
            self.close()

    def _read_on(self) -> None:
        """Take input again, where nothing stands against it."""
        if self._is_resting or self._is_closing or self._is_blocked or self._is_full:
            return
        self.transport.resumeProducing()
        self._work()

    def _answer(self, data: bytes) -> bytes | Later | None:
        try:
            return self.connections.answer(data, self.client)
        except Exception:
            _log.failure("a question from {address}", address=self.client.address)
            return None

    def _touch(self) -> None:
        """Whole questions came: the time to be idle begins anew, and others are more
        idle than this connection."""
        live = self.connections.live
        if self._deadline is not None:
            self._deadline.touch(live.idle_seconds())
        live.touch(self)

    def _rest(self) -> None:
        """Go on in a later turn of the reactor; take no more input until then."""
        self._is_resting = True
        self.transport.pauseProducing()
        self.connections.turns.wait(self._resume)

    def _resume(self) -> None:
        self._is_resting = False
        self._read_on()


class StreamFactory(Factory):
    """The TCP side."""

    noisy = False

    def __init__(
        self,
        answer: Answer,
        settings: DNSSettings,
        limits: Any,
        wheel: Wheel,
        certificates: ICertificates,
        see: Callable[[Client], Client] = lambda client: client,
    ) -> None:
        """``see`` gives a client its view."""
        self._certificates = certificates
        self.answer = answer
        self.see = see
        self.limits = limits
        self.wheel = wheel
        self.turns = Turns(wheel.soon)
        self.max_query_octets = int(settings.max_query_octets)
        self.refused = 0
        self.max_pending = settings.tcp_pending
        self.max_queries = settings.tcp_queries
        self.live = Connections(
            settings.tcp_connections,
            settings.tcp_connections_per_client,
            float(settings.tcp_idle),
            wheel.seconds,
        )

    def tls_context(self) -> Any:
        """For ``tls`` listeners: clients that transfer zones insist on being told that
        this is DNS (RFC 9103 7.1, RFC 7301)."""
        return self._certificates.server_context(ALPN)

    def buildProtocol(self, address: IAddress | None) -> StreamConnection:
        return StreamConnection(self, getattr(address, "host", ""))

    def __len__(self) -> int:
        return len(self.live)

    def sessions(self) -> tuple[Any, ...]:
        """All connections."""
        return self.live.all()

    def client_of(self, address: str) -> str:
        """Who counts as one client: an IPv4 address, or an IPv6 network; empty where
        nothing is counted."""
        if self.limits.is_exempt(address):
            return ""
        return str(self.limits.network_of(address)) if ":" in address else address
