"""DNS in streams: TCP and TLS (RFC 7766, RFC 7858)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

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
from netservices.dns.settings import DNSSettings
from netservices.interfaces import ICertificates

_log = Logger()

MESSAGES_A_TURN = 128
"""Questions of one connection answered before other connections get their turn."""

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
        self.connections.add(self)
        self._deadline = Deadline(
            self.connections.wheel, self.connections.idle_seconds, self._expired
        )
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._is_closing:
            return
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
        self.connections.discard(self)

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
        silence = 0.0
        if self._deadline is not None:
            left = self._deadline.deadline - self.connections.wheel.seconds()
            silence = self.connections.idle_seconds - left
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
        position = taken = 0
        received = self._received
        while len(received) - position >= 2:
            length = received[position] << 8 | received[position + 1]
            end = position + 2 + length
            if length > self.connections.max_query_octets:
                self._is_closing = True
                break
            if len(received) < end or self._is_full:
                break
            if taken == MESSAGES_A_TURN:
                self._rest()
                break
            reply = self._answer(bytes(received[position + 2 : end]))
            position = end
            taken += 1
            if reply is None:
                # No question at all: nobody whom waiting for more would help.
                self._is_closing = True
                break
            if isinstance(reply, Later):
                self._begin(reply)
                continue
            replies.append(len(reply).to_bytes(2, "big") + reply)
        del received[:position]
        if replies:
            self._touch()
            self.transport.write(b"".join(replies))
        if self._is_closing and not self._pending:
            self.close()

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
        if self._deadline is not None:
            self._deadline.touch()
        self.connections.touch(self)

    def _rest(self) -> None:
        """Go on in the next turn of the reactor; take no more input until then."""
        self._is_resting = True
        self.transport.pauseProducing()
        self.connections.wheel.soon(self._resume)

    def _resume(self) -> None:
        self._is_resting = False
        self._read_on()


class StreamFactory(Factory):
    """The TCP side: at most ``tcp_connections``; a new one pushes out the most idle
    (RFC 7766 6.2.2)."""

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
        self.idle_seconds = float(settings.tcp_idle)
        self.max_query_octets = int(settings.max_query_octets)
        self.refused = 0
        self.max_pending = settings.tcp_pending
        self._max_connections = settings.tcp_connections
        self._live: OrderedDict[StreamConnection, None] = OrderedDict()

    def tls_context(self) -> Any:
        """For ``tls`` listeners: clients that transfer zones insist on being told that
        this is DNS (RFC 9103 7.1, RFC 7301)."""
        return self._certificates.server_context(ALPN)

    def buildProtocol(self, address: IAddress | None) -> StreamConnection:
        return StreamConnection(self, getattr(address, "host", ""))

    def __len__(self) -> int:
        return len(self._live)

    def sessions(self) -> tuple[StreamConnection, ...]:
        """All connections."""
        return tuple(self._live)

    def add(self, connection: StreamConnection) -> None:
        """Count a new connection in."""
        if len(self._live) >= self._max_connections:
            idlest, _ = self._live.popitem(last=False)
            idlest.close()
        self._live[connection] = None

    def touch(self, connection: StreamConnection) -> None:
        """This connection is the least idle one now."""
        if connection in self._live:
            self._live.move_to_end(connection)

    def discard(self, connection: StreamConnection) -> None:
        """The connection is gone."""
        self._live.pop(connection, None)
