"""One HTTP/1 connection.

Theory.  Octets come in any pieces; requests are answered in their order, one at a time
(RFC 9112 9.3.2), and what a peer sends ahead waits in a bounded buffer.  Two things go
on at once: the *content* of the current request comes in, and its *response* goes out.
The exchange ends when the response has been written, and its content has been received
or can be thrown away; then the next head is looked for.

Reading stops while there is no room for what would be read: a body that nobody pulls, a
response that the peer does not take, requests that come faster than answers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.core.session import make_session_id
from netservices.http.server.exchange import Exchange
from netservices.http.server.shared import Shared
from netservices.http.wire.chunks import ChunkedReader
from netservices.http.wire.head import Head, parse_head
from netservices.http.wire.problems import BadMessage
from netservices.values import Origin
from netservices.web.body import Body
from netservices.web.problems import Problem
from netservices.web.request import Request

_log = Logger()

LINGER_OCTETS = 64 * 1024
"""So much of a body that nobody wants is read and thrown away; with more, the
connection ends."""

LINGER_SECONDS = 5.0
"""How long a peer may take to see the last response before the connection is gone."""


@implementer(IPushProducer)
class HTTPConnection(Protocol):
    """One connection; see the module's theory."""

    __slots__ = (
        "_body",
        "_buffer",
        "_chunks",
        "_exchange",
        "_is_closing",
        "_is_draining",
        "_is_full",
        "_is_paused",
        "_is_working",
        "_left",
        "_room",
        "connected",
        "deadline",
        "factory",
        "origin",
        "server",
        "session_id",
        "shared",
        "tls",
        "transport",
    )

    transport: Any

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.session_id = make_session_id()
        self.origin = Origin("http", "", False)
        self.server = ("", 0)
        self.tls: Any = None
        self.deadline = 0.0
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._body: Body | None = None
        """The content that comes in; None between messages."""
        self._chunks: ChunkedReader | None = None
        self._left = 0
        self._room: list[Deferred[None]] = []
        self._is_full = False
        self._is_paused = False
        self._is_working = False
        self._is_closing = False
        self._is_draining = False

    # --- what the transport calls ---------------------------------------------------

    def connectionMade(self) -> None:
        """The peer is there."""
        transport = self.transport
        with suppress(AttributeError):
            transport.setTcpNoDelay(True)
        peer, host = transport.getPeer(), transport.getHost()
        is_secure = ISSLTransport.providedBy(transport)
        self.tls = transport if is_secure else None
        address = getattr(peer, "host", "")
        self.origin = Origin("http", address, is_secure, self.session_id)
        self.server = (getattr(host, "host", ""), getattr(host, "port", 0))
        transport.registerProducer(self, True)
        self.shared.connections.add(self)
        self._expect(self.shared.settings.head_deadline)
        self.shared.wheel.watch(self)

    def dataReceived(self, data: bytes) -> None:
        """Octets of any number of requests, or of a part of one."""
        if self._is_closing:
            return
        self._buffer = self._buffer + data if self._buffer else data
        self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._is_closing = True
        self._buffer = b""
        self.shared.wheel.unwatch(self)
        self.shared.connections.discard(self)
        body, self._body = self._body, None
        if body is not None:
            body.fail()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cancel()
        self._let_go()

    def pauseProducing(self) -> None:
        """The peer does not read what was written."""
        self._is_full = True
        self._regulate()

    def resumeProducing(self) -> None:
        """The peer has read it."""
        self._is_full = False
        self._let_go()
        self._work()

    def stopProducing(self) -> None:
        """The transport is going away; ``connectionLost`` follows."""

    # --- requests -------------------------------------------------------------------

    def _work(self) -> None:
        """Go on with what has come, as far as that goes."""
        if self._is_working:
            return
        self._is_working = True
        try:
            while not self._is_closing and (self._receive() or self._begin_next()):
                pass
        except BadMessage as problem:
            self._refuse(problem)
        finally:
            self._is_working = False
        self._regulate()

    def _receive(self) -> bool:
        """Hand content on; whether something was done."""
        body = self._body
        if body is None or not self._buffer:
            return False
        is_wanted = self._exchange is not None and not self._exchange.is_answered
        if is_wanted and not body.has_room:
            return False
        data, self._buffer = self._buffer, b""
        if self._chunks is not None:
            pieces = self._chunks.feed(data)
            self._buffer = self._chunks.rest
        else:
            pieces, self._buffer = [data[: self._left]], data[self._left :]
            self._left -= len(pieces[0])
        is_complete = (
            not self._left if self._chunks is None else self._chunks.is_complete
        )
        trailers = None if self._chunks is None else self._chunks.trailers
        if is_complete:
            self._body = self._chunks = None
        for piece in pieces if is_wanted else ():
            body.feed(piece)
        if is_complete:
            body.finish(*([] if trailers is None else [trailers]))
            self._end_if_done()
        return True

    def _begin_next(self) -> bool:
        """Begin the next request, if its head is complete; whether one was begun."""
        if self._exchange is not None or self._is_full or not self._buffer:
            return False
        if self._is_draining:
            self.close()
            return False
        head = self._next_head()
        if head is None:
            return False
        self._begin(head)
        return True

    def _next_head(self) -> Head | None:
        """Cut the next head out of the buffer; None while it is incomplete."""
        settings = self.shared.settings
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            # RFC 9112 2.2: an empty line before a request line is read over.
            self._buffer = buffer = buffer[2:]
        end = buffer.find(b"\r\n\r\n", 0, settings.longest_head)
        if end < 0:
            self._check_incomplete(buffer)
            return None
        if buffer.find(b"\r\n") > settings.longest_request_line:
            raise BadMessage(414, "the request line is too long")
        raw, self._buffer = buffer[: end + 4], buffer[end + 4 :]
        return parse_head(raw)

    def _check_incomplete(self, buffer: bytes) -> None:
        settings = self.shared.settings
        line = buffer.find(b"\r\n")
        if (line if line >= 0 else len(buffer)) > settings.longest_request_line:
            raise BadMessage(414, "the request line is too long")
        if len(buffer) >= settings.longest_head:
            raise BadMessage(431, "the head is too long")

    def _begin(self, head: Head) -> None:
        """Hand a request to its handler."""
        length = None if head.is_chunked else head.content_length
        body = Body(length, self._body_wanted)
        if head.has_body:
            self._body = body
            self._chunks = ChunkedReader() if head.is_chunked else None
            self._left = head.content_length or 0
        self._exchange = exchange = Exchange(self, head, self._request(head, body))
        self._expect(self.shared.settings.keep_alive)
        exchange.begin()

    def _request(self, head: Head, body: Body) -> Request:
        return Request(
            method=head.method,
            path=head.path,
            query=head.query,
            fields=head.fields,
            body=body,
            scheme="http" if self.tls is None else "https",
            host=head.host,
            port=head.port,
            version=head.version,
            origin=self.origin,
            server=self.server,
            tls=self.tls,
            interim=self._interim,
        )

    def _body_wanted(self) -> None:
        """The handler reads the body, or has made room."""
        if self._exchange is not None:
            self._exchange.say_continue()
        self._work()

    def _interim(self, status: int, fields: Any) -> None:
        if self._exchange is not None:
            self._exchange.send_interim(status, fields)

    def _refuse(self, problem: BadMessage) -> None:
        """The peer broke the rules: answer, and hear nothing more."""
        self._buffer = b""
        body, self._body = self._body, None
        if body is not None:
            body.fail()
        if self._exchange is not None:
            # The current request's own response says it, or has been said.
            self._exchange.must_close = True
            return
        self._exchange = exchange = Exchange(self, None, None)
        exchange.refuse(Problem(problem.status, must_close=True))

    # --- the end of an exchange -----------------------------------------------------

    @property
    def body_octets_left(self) -> int | None:
        """Octets of content still to come; None: nobody knows."""
        if self._body is None:
            return 0
        return None if self._chunks is not None else self._left

    def answered(self) -> None:
        """The response has been written."""
        self._end_if_done()
        self._work()

    def _end_if_done(self) -> None:
        exchange = self._exchange
        if exchange is None or not exchange.is_sent:
            return
        if not exchange.keeps_alive:
            self.close()
        elif self._body is None:
            self._exchange = None
            self._expect(self.shared.settings.keep_alive)

    # --- room, time, and the end ----------------------------------------------------

    def room(self) -> Deferred[None] | None:
        """What fires when the peer takes more; None: it does now."""
        if not self._is_full or self._is_closing:
            return None
        waiting: Deferred[None] = Deferred()
        self._room.append(waiting)
        return waiting

    def _let_go(self) -> None:
        waiting, self._room = self._room, []
        for one in waiting:
            one.callback(None)

    def _regulate(self) -> None:
        """Read only what there is room for."""
        if self._is_closing or not self.connected:
            return
        most = self.shared.settings.longest_head
        must_pause = len(self._buffer) >= most or (
            self._is_full and self._exchange is None
        )
        if must_pause != self._is_paused:
            self._is_paused = must_pause
            if must_pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _expect(self, seconds: float) -> None:
        self.deadline = self.shared.wheel.seconds() + seconds

    def expired(self) -> None:
        """Called by the wheel: the deadline has passed."""
        if self._is_closing or self._is_full:
            self.transport.abortConnection()
        elif self._exchange is not None:
            self._expect(self.shared.settings.keep_alive)
        elif self._buffer:
            self._refuse(BadMessage(408, "the head took too long"))
        else:
            self.close()

    def drain(self) -> None:
        """The server stops: finish what runs."""
        self._is_draining = True
        if self._exchange is None:
            self.close()
        else:
            self._exchange.must_close = True

    def close(self) -> None:
        """Close once what was written has left, and the peer can have read it."""
        if self._is_closing:
            return
        self._is_closing = True
        self._buffer = b""
        self.transport.unregisterProducer()
        self._expect(LINGER_SECONDS)
        self.shared.wheel.watch(self)
        self.transport.loseConnection()

    def without_producer(self, function: Callable[[], Any]) -> Any:
        """Call ``function``, which registers a producer of its own for a while."""
        self.transport.unregisterProducer()
        return function().addBoth(self._producer_again)

    def _producer_again(self, result: Any) -> Any:
        if self.connected and not self._is_closing:
            self.transport.registerProducer(self, True)
        return result
