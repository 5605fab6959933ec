"""The control connection of a client: command lines out, replies in.

Theory.  One command waits for its reply at a time.  Whatever the server does ends that
wait: a reply, a closed connection, more than ``ClientLimits`` allow, or silence.  After
anything but a reply the connection is of no use any more and is dropped.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from netservices.core.errors import SyntaxProblem
from netservices.core.lines import LineBuffer
from netservices.ftp.client.limits import ClientLimits
from netservices.ftp.client.problems import (
    TLSRefused,
    TooLate,
    TooMuch,
    Unexpected,
)
from netservices.ftp.wire import UTF8, Reply, ReplyReader
from netservices.tls.layer import TLSFailed, TLSLayer, start_tls

_SYNCH = b"\xff\xf4\xff\xf2"
"""IP and the data mark (RFC 959 4.1.3, RFC 854)."""


class Control(Protocol):
    """One control connection; every wait for a reply is bounded."""

    transport: Any

    def __init__(self, reactor: Any, limits: ClientLimits) -> None:
        self._reactor = reactor
        self.limits = limits
        self._lines = LineBuffer(limits.line_octets)
        self._reader = ReplyReader(limits.reply_lines)
        self._octets_of_reply = 0
        self._replies: list[Reply] = []
        self._waiter: Deferred[Any] | None = None
        self._problem: Failure | None = None
        self.trace: Callable[[str, str], None] | None = None
        """Told of every line as ``("C" or "S", text)``, passwords masked."""

    @property
    def peer(self) -> str:
        """The server's address."""
        host: str = self.transport.getPeer().host
        return host

    @property
    def local(self) -> str:
        """Our address."""
        host: str = self.transport.getHost().host
        return host

    @property
    def layer(self) -> TLSLayer | None:
        """The TLS layer, where there is one."""
        return self.transport if isinstance(self.transport, TLSLayer) else None

    @property
    def is_usable(self) -> bool:
        """Whether a command can be sent."""
        return self._problem is None and self.transport is not None

    # --- what arrives ---------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Lines of replies."""
        self._lines.feed(data)
        try:
            while (line := self._lines.next_line()) is not None:
                if not isinstance(line, bytes):
                    raise TooMuch("the server sends an overlong line")
                self._take_line(line)
        except (SyntaxProblem, TooMuch):
            self.drop(Failure())

    def _take_line(self, line: bytes) -> None:
        self._octets_of_reply += len(line)
        if self._octets_of_reply > self.limits.reply_octets:
            raise TooMuch("the server sends an endless reply")
        reply = self._reader.take(line)
        if reply is None:
            return
        self._octets_of_reply = 0
        if self.trace is not None:
            for text in reply.lines:
                self.trace("S", f"{reply.code} {text}")
        if self._waiter is not None:
            self._wake(reply)
        elif len(self._replies) >= self.limits.pending_replies:
            raise TooMuch("the server sends replies that nobody asked for")
        else:
            self._replies.append(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever waits is told."""
        self._fail(reason)

    def drop(self, reason: Failure) -> None:
        """Close at once; whoever waits is told."""
        self._fail(reason)
        if self.transport is not None:
            self.transport.abortConnection()

    def _fail(self, reason: Failure) -> None:
        self._problem = self._problem or reason
        self._wake(self._problem)

    def _wake(self, result: Any) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(result)

    # --- commands and replies -------------------------------------------------------

    def send(self, command: str) -> None:
        """Send a command line without waiting.  ValueError for one with a line end or
        NUL."""
        if "\n" in command or "\0" in command:
            raise ValueError("a line feed or NUL in a command")
        if self._problem is not None:
            self._problem.raiseException()
        if self.trace is not None:
            is_secret = command.startswith(("PASS ", "ACCT "))
            self.trace("C", f"{command[:4]} ***" if is_secret else command)
        # RFC 2640 3.1, RFC 854: CR within a name, and the octet 255.
        octets = UTF8.encode(command).replace(b"\r", b"\r\0")
        self.transport.write(octets.replace(b"\xff", b"\xff\xff") + b"\r\n")

    def interrupt(self) -> None:
        """Send ABOR so that a server in the middle of a transfer sees it."""
        if self.is_usable:
            # Not RFC 959: TLS has no urgent data, and clients send no Telnet there.
            synch = _SYNCH if self.layer is None else b""
            self.transport.write(synch + b"ABOR\r\n")

    async def reply(self, seconds: float | None = None) -> Reply:
        """The next reply, preliminary ones included.  TooLate, TooMuch, SyntaxProblem,
        or what ended the connection."""
        if self._replies:
            return self._replies.pop(0)
        found: Reply = await self._wait(seconds or self.limits.reply_seconds)
        return found

    async def _wait(self, seconds: float) -> Any:
        """What ``_wake`` is given."""
        if self._problem is not None:
            self._problem.raiseException()
        if self._waiter is not None:
            raise RuntimeError("another command waits for its reply")
        waiter: Deferred[Any] = Deferred()
        self._waiter = waiter
        timer = self._reactor.callLater(
            seconds, self.drop, Failure(TooLate(f"no answer in {seconds:g} seconds"))
        )
        try:
            return await waiter
        except CancelledError:
            # Whose reply came next would be unknown.
            self.drop(Failure())
            raise
        finally:
            if timer.active():
                timer.cancel()
            if self._waiter is waiter:
                self._waiter = None

    async def command(self, command: str, *codes: int) -> Reply:
        """The reply to a command; Unexpected where its code is none of ``codes``
        (none given: 2yz and 3yz are fine)."""
        self.send(command)
        return await self.expect(command, *codes)

    async def expect(
        self, command: str, *codes: int, seconds: float | None = None
    ) -> Reply:
        """The next reply, if it is as hoped for.  Unexpected."""
        reply = await self.reply(seconds)
        if reply.code not in codes if codes else not 200 <= reply.code < 400:
            raise Unexpected(command, reply)
        return reply

    # --- TLS ------------------------------------------------------------------------

    async def secure(self, context: ssl.SSLContext, hostname: str) -> None:
        """Shake hands; what came in the clear before is not read.  TLSRefused."""
        # RFC 4217 15.1: nothing from before the handshake counts after it.
        self._lines.clear()
        self._replies.clear()
        start_tls(
            self,
            context,
            server_side=False,
            server_hostname=hostname,
            handshake_seconds=self.limits.connect_seconds,
            when_open=lambda _layer: self._wake(None),
        )
        try:
            await self._wait(self.limits.connect_seconds)
        except TLSFailed as error:
            raise TLSRefused(str(error.args[0])) from error
