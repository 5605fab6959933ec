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

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from netservices.core.limits import Slot
from netservices.core.session import make_session_id
from netservices.http.server.exchange import Exchange
from netservices.http.server.guard import RETRY_SECONDS
from netservices.http.server.intake import Intake
from netservices.http.server.known import Known
from netservices.http.server.shared import Shared
from netservices.http.wire.chunks import ChunkedReader
from netservices.http.wire.head import Head
from netservices.http.wire.problems import BadMessage
from netservices.values import Origin
from netservices.web.body import Body
from netservices.web.fields import Pairs
from netservices.web.problems import Problem
from netservices.web.request import Request

STEPS_A_TURN = 128
"""What one connection may cost before others have their turn: an answer that is known
by heart is a step."""

HANDLER_STEPS = 16
"""So many is one that a handler gives."""


class HTTPConnection(Intake):
    """One connection; see the module's theory."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.session_id = make_session_id()
        self.origin = Origin("http", "", False)
        self.tls: Any = None
        self._server: tuple[str, int] | None = None
        self.since = 0.0
        """When it was opened, in seconds since 1970."""
        self.deadline = 0.0
        self.known: Known | None = None
        self.server_name: str | None = None
        """That a TLS connection was made for."""
        self._buffer = b""
        self._at = 0
        self._sought = 0
        self._requests = 0
        self._steps = 0
        """Of this turn."""
        self._exchange: Exchange | None = None
        self._body: Body | None = None
        self._chunks: ChunkedReader | None = None
        self._left = 0
        self._body_until = 0.0
        self._room: list[Deferred[None]] = []
        self._is_working = False
        self._is_resting = False
        self._is_draining = False
        self._sent_before = -1
        """What a peer that has ended its direction had got at the last look."""
        self._slot: Slot | None = None
        self._taker: Any = None
        """The protocol that speaks here from now on, after 101."""

    # --- what the transport calls ---------------------------------------------------

    def connectionMade(self) -> None:
        """The peer is there."""
        transport = self.transport
        self.since = self.shared.time()
        peer = transport.getPeer()
        is_secure = ISSLTransport.providedBy(transport)
        self.tls = transport if is_secure else None
        if is_secure:
            self.server_name = getattr(transport, "server_name", None)
        address = getattr(peer, "host", "")
        if self.shared.known is not None:
            self.known = self.shared.known[is_secure]
        self.origin = Origin("http", address, is_secure, self.session_id)
        transport.registerProducer(self, True)
        guard = self.shared.guard
        if guard is not None:
            self._slot = guard.enter(self, self.shared.connections)
        self.shared.connections[self] = None
        self._expect_soon(self.shared.settings.head_deadline)
        if guard is not None and self._slot is None:
            self._turn_away()

    def _turn_away(self) -> None:
        """There is no room for this connection: say so, and let nobody wait."""
        self._exchange = exchange = Exchange(self, None, None)
        fields = [("Retry-After", str(RETRY_SECONDS))]
        exchange.refuse(Problem(503, fields=fields, must_close=True))

    def dataReceived(self, data: bytes) -> None:
        """Octets of any number of requests, or of a part of one."""
        if self._is_closing or self._is_deaf:
            if self._taker is not None:
                self._taker.dataReceived(data)
            else:
                self._throw_away()
            return
        if self._buffer:
            self._buffer = self._buffer[self._at :] + data
            self._at = 0
        elif self._exchange is None and self._repeats(data):
            return
        else:
            self._buffer = data
        self._work()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.connected = 0
        self._is_closing = True
        self._buffer = b""
        self.shared.wheel.unwatch(self)
        self.shared.connections.pop(self, None)
        if self._slot is not None:
            self._slot.leave()
        exchange, self._exchange = self._exchange, None
        body, self._body = self._body, None
        if body is not None:
            body.fail()
        if exchange is not None:
            exchange.cancel()
        self._let_go()
        taker, self._taker = self._taker, None
        if taker is not None:
            taker.connectionLost(reason)

    # --- requests -------------------------------------------------------------------

    def _work(self) -> None:
        """Go on with what has come, as far as that goes."""
        if self._is_working or self._is_resting:
            return
        self._is_working = True
        self._steps = 0
        try:
            while not self._is_closing and (self._receive() or self._begin_next()):
                if self._steps >= STEPS_A_TURN:
                    self._rest()
                    break
        except BadMessage as problem:
            self._refuse(problem)
        finally:
            self._is_working = False
        if self._has_ended and not self._is_resting:
            self._end_with_peer()
        self._regulate()

    def _rest(self) -> None:
        """Let the reactor serve others, then go on."""
        self._is_resting = True
        self.shared.wheel.soon(self._go_on)

    def _go_on(self) -> None:
        self._is_resting = False
        self._work()

    def _begin_next(self) -> bool:
        """Begin the next request, if its head is complete; whether one was begun."""
        if self._exchange is not None or self._is_full or not self._buffer:
            return False
        if self._is_draining:
            self.close()
            return False
        raw = self._next_head()
        if raw is None:
            return False
        if not self._repeats(raw):
            self._begin(*self._head_of(raw))
        return True

    def _repeats(self, raw: bytes) -> bool:
        """Give the answer to that head that is known by heart; whether there is one."""
        known = self.known
        if known is None or self._is_full:
            return False
        finished = known.answers.get(raw)
        if finished is None or finished.server_name != self.server_name:
            return False
        shared = self.shared
        if self._requests >= shared.settings.requests_per_connection - 1:
            return False
        now = shared.wheel.seconds()
        if not finished.lasting.is_current(now):
            known.forget(raw)
            return False
        rates = shared.rates
        if rates is not None and rates.wait(self.origin.address):
            return False
        self._requests += 1
        self._steps += 1
        self.transport.write(finished.octets(shared.date_line()))
        shared.access.note(
            self.origin,
            "",
            finished.head,
            finished.status,
            finished.content_octets,
            0.0,
        )
        if finished.keeps_alive:
            self.deadline = now + shared.settings.keep_alive
        else:
            self.close()
        return True

    def _begin(self, head: Head, raw: bytes) -> None:
        """Hand a request to its handler."""
        shared = self.shared
        self._requests += 1
        self._steps += HANDLER_STEPS
        length = None if head.is_chunked else head.content_length
        self._exchange = exchange = Exchange(self, head, None)
        body = Body(length, exchange.body_wanted)
        exchange.request = self._request(head, body, exchange.send_interim)
        exchange.raw = raw
        if self._requests >= shared.settings.requests_per_connection:
            exchange.must_close = True
        if head.has_body:
            self._body_until = shared.wheel.seconds() + shared.settings.body_deadline
            self._await_content(head, body)
        if head.scheme and head.scheme != self.scheme:
            # RFC 9110 7.4: not what this connection is for.
            exchange.refuse(Problem(421))
        else:
            exchange.begin()
        if self._exchange is exchange and not self._is_closing:
            exchange.since = shared.wheel.seconds()
            self._expect_soon(shared.settings.stall_timeout)

    def _request(
        self, head: Head, body: Body, interim: Callable[[int, Pairs], None]
    ) -> Request:
        return Request(
            method=head.method,
            path=head.path,
            query=head.query,
            fields=head.fields,
            body=body,
            scheme=self.scheme,
            host=head.host,
            port=head.port,
            version=head.version,
            origin=self.origin,
            server=self._server_address(),
            tls=self.tls,
            interim=interim,
        )

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "http" if self.tls is None else "https"

    def _server_address(self) -> tuple[str, int]:
        if self._server is None:
            host = self.transport.getHost()
            self._server = getattr(host, "host", ""), getattr(host, "port", 0)
        return self._server

    def receive_more(self) -> None:
        """There is room for content again."""
        self._work()

    def _refuse(self, problem: BadMessage) -> None:
        """The peer broke the rules: answer, and hear nothing more."""
        is_head = self._is_about_head(problem)
        self._buffer = b""
        self._is_deaf = True
        if self.shared.trace is not None:
            why = f"<refuses: {problem.log_text}>".encode()
            self.shared.trace(self.session_id, "S", why)
        body, self._body = self._body, None
        exchange = self._exchange
        if exchange is None or not exchange.has_begun:
            self._exchange = exchange = Exchange(self, None, None)
            exchange.is_head = is_head
            exchange.refuse(Problem(problem.status, problem.detail, must_close=True))
            return
        # The handler learns that there is no whole body, and its answer says why.
        exchange.must_close = True
        exchange.refusal = problem
        if body is not None:
            body.fail()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request of which nothing has come."""
        return self._exchange is None and not self._buffer and not self._is_closing

    # --- the end of an exchange -----------------------------------------------------

    def answered(self) -> None:
        """The response has been written."""
        self._end_if_done()
        self._work()

    def _end_if_done(self) -> None:
        exchange = self._exchange
        if exchange is None or not exchange.is_sent:
            return
        if not exchange.keeps_alive or exchange.must_close:
            self._is_deaf = self._is_deaf or self._body is not None
            self._body = self._chunks = None
            self.close()
        elif self._body is None:
            self._exchange = None
            self._expect(self.shared.settings.keep_alive)

    def _end_with_peer(self) -> None:
        """The peer sends nothing more, and what it has sent has been looked at."""
        exchange = self._exchange
        if exchange is None:
            if not self._is_full:
                self.close()
        elif self._body is not None and not self._buffer:
            # RFC 9112 8: an incomplete message.
            self._refuse(BadMessage(400, "the peer ended in the middle of a body"))

    def hand_over(self, taker: Any) -> None:
        """From now on ``taker``, a protocol, gets what comes."""
        self._is_closing = True
        self._taker = taker

    def release(self) -> bytes:
        """Before ``hand_over``: stop serving, and give back what has come already."""
        self.shared.wheel.unwatch(self)
        self.transport.unregisterProducer()
        self._exchange = None
        if self._is_paused:
            self._is_paused = False
            self.transport.resumeProducing()
        return self._take()

    # --- what the flow asks ---------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        exchange = self._exchange
        if exchange is None:
            return not self._is_full
        if self._has_ended and not self._is_full and not self._is_lent:
            before, self._sent_before = self._sent_before, exchange.sent_octets
            return not exchange.is_answered or exchange.sent_octets == before
        now = self.shared.wheel.seconds()
        return self._body is not None and now >= self._body_until

    def _overdue(self) -> None:
        exchange = self._exchange
        if exchange is None and not self._is_full:
            if self._buffer:
                self._refuse(BadMessage(408, "the head took too long"))
            else:
                self.close()
        elif exchange is None or exchange.is_answered or self._has_ended:
            self.transport.abortConnection()
        else:
            self._refuse(BadMessage(408, "the body came too slowly"))
            self._expect(self.shared.settings.stall_timeout)

    def drain(self) -> None:
        """The server stops: finish what runs."""
        self._is_draining = True
        if self._taker is not None:
            drain = getattr(self._taker, "drain", None)
            if drain is not None:
                drain()
        elif self._exchange is None:
            self.close()
        else:
            self._exchange.must_close = True

    # --- what ``netservices session`` sees ------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """The connection as ``netservices session list`` shows it."""
        exchange = self._exchange
        keep_alive = self.shared.settings.keep_alive
        silence = self.shared.wheel.seconds() - (self.deadline - keep_alive)
        return {
            "session": self.session_id,
            "account": "" if exchange is None else exchange.login,
            "address": self.origin.address,
            "since": self.since,
            "idle_seconds": max(0, round(silence)) if self.is_idle else 0,
            "tls": getattr(self.tls, "version", None) or "",
            "client": "" if exchange is None else exchange.client,
            "directory": "",
            "transfer": None if exchange is None else exchange.transfer(),
        }

    def end(self) -> None:
        """An administrator ends it: what is under way is not waited for."""
        if self.is_idle:
            self.close()
        else:
            self.transport.abortConnection()
