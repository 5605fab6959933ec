"""One look at an address: does it take a connection, does it answer a request?

The request is HTTP/1.0, so the answer comes in one piece (RFC 9112 6.1: no chunks),
and its end is that of the connection (RFC 9112 6.3).
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectionDone
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from netservices.dns.zone.balance import Check
from netservices.tls.layer import start_tls

MAX_RESPONSE_OCTETS = 65536
"""As much of an answer is looked at."""
MAX_HEADER_OCTETS = 16384

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class Unfit(Exception):
    """The address is not in service; says why."""


class _Quiet(Factory):
    """Connects without a line in the log."""

    noisy = False


class _Conversation(Protocol):
    """One request, and as much of the answer as it takes to judge it."""

    transport: Any

    def __init__(self, check: Check, host: str) -> None:
        self._check = check
        self.host = host
        self._received = bytearray()
        self.judged: Deferred[None] = Deferred()

    def request(self) -> None:
        """Send it."""
        lines = (
            f"GET {self._check.path} HTTP/1.0",
            f"Host: {self.host}",
            "User-Agent: netservices",
            "Accept: */*",
            "Connection: close",
        )
        self.transport.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        try:
            is_good = self._is_good()
        except Unfit as problem:
            self._judge(problem)
            return
        if is_good:
            self._judge(None)
        elif len(self._received) > MAX_RESPONSE_OCTETS:
            self._judge(Unfit("the answer does not contain the text"))

    def connectionLost(self, reason: Failure | None = None) -> None:
        if reason is None or reason.check(ConnectionDone):
            self._judge(Unfit("the answer ends too early, or without the text"))
        else:
            args: Any = getattr(reason.value, "args", ()) or ("no reason",)
            self._judge(Unfit(f"the connection broke: {args[0]}"))

    def _is_good(self) -> bool:
        """Whether all is there that must be.  Unfit where it never will be."""
        match = _STATUS_LINE.match(self._received)
        if match is None:
            if b"\n" in self._received or len(self._received) > MAX_HEADER_OCTETS:
                raise Unfit("the answer is not HTTP")
            return False
        lowest, highest = self._check.status
        if not lowest <= int(match[1]) <= highest:
            raise Unfit(f"status {match[1].decode()}")
        if not self._check.text:
            return True
        end = _HEADER_END.search(self._received)
        return end is not None and (
            self._received.find(self._check.text.encode(), end.end()) >= 0
        )

    def _judge(self, problem: Unfit | None) -> None:
        if not self.judged.called:
            if problem is None:
                self.judged.callback(None)
            else:
                self.judged.errback(problem)


class Prober:
    """Looks at addresses."""

    def __init__(self, reactor: Any, authorities: str = "") -> None:
        """``authorities`` is a PEM file of those whose certificates are good; empty:
        the system's."""
        self._reactor = reactor
        self._authorities = authorities or None
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def probe(self, address: str, check: Check, host: str) -> None:
        """Nothing, where the address is in service.  Unfit says why it is not.
        ``host`` is for the request and the certificate."""
        looking = Deferred.fromCoroutine(self._look(address, check, host))
        try:
            await looking.addTimeout(check.timeout, self._reactor)
        except Unfit:
            raise
        except (TimeoutError, ConnectTimeout):
            raise Unfit(f"no answer within {check.timeout}") from None
        except Exception as problem:
            # Whatever goes wrong on the way, the address is what does not work.
            raise Unfit(str(problem) or type(problem).__name__) from None

    async def _look(self, address: str, check: Check, host: str) -> None:
        from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint

        context = await self._context(check.verify) if check.kind == "https" else None
        protocol = _Conversation(check, host) if check.is_http else Protocol()
        endpoint = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        connecting = endpoint(self._reactor, address, check.port, check.timeout)
        await connecting.connect(_Quiet.forProtocol(lambda: protocol))
        if isinstance(protocol, _Conversation):
            await self._converse(protocol, context)
        transport: Any = protocol.transport
        transport.loseConnection()

    async def _converse(
        self, conversation: _Conversation, context: ssl.SSLContext | None
    ) -> None:
        try:
            if context is None:
                conversation.request()
            else:
                start_tls(
                    conversation,
                    context,
                    server_side=False,
                    server_hostname=conversation.host,
                    when_open=lambda _layer: conversation.request(),
                )
            await conversation.judged
        except BaseException:
            conversation.judged.addErrback(lambda _: None)
            conversation.transport.abortConnection()
            raise

    async def _context(self, is_verified: bool) -> ssl.SSLContext:
        context = self._contexts.get(is_verified)
        if context is None:
            # Reading the system's authorities takes tens of milliseconds.
            context = await deferToThread(_make_context, is_verified, self._authorities)
            self._contexts[is_verified] = context
        return context


def _make_context(is_verified: bool, authorities: str | None) -> ssl.SSLContext:
    if is_verified:
        return ssl.create_default_context(cafile=authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
