"""Connections in any order of events: pieces of requests, full buffers, handlers that
take their time, silence, and the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import h11
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response
from tests.http.talk import Talk

REQUESTS = (
    b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /later HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /bits HTTP/1.1\r\nHost: h\r\n\r\n",
    b"HEAD /bits HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n",
    b"POST /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\na\r\n0\r\n\r\n",
    b"PUT /read HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
    b"Content-Length: 2\r\n\r\nab",
    b"PUT /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
    b"Content-Length: 200000\r\n\r\n",
    b"GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET /now HTTP/1.0\r\n\r\n",
    b"GET /now HTTP/1.1\r\n\r\n",
    b"POST /read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nbad",
)


class Connection(RuleBasedStateMachine):
    """One connection, whose client sends requests and watches what comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[Any]] = []
        self.methods: list[bytes] = []
        """Of the requests that a handler was asked, in their order."""
        self.unsent = b""
        self.said = b""
        self.is_over = False
        self.talk = Talk(self.handler)

    # --- the server -----------------------------------------------------------------

    def handler(self, request: Request) -> Answer:
        """Answers at once, later, in bits, or not at all."""
        self.methods.append(request.method.encode())
        if request.path == "/no":
            raise Problem(403)
        if request.path == "/later":
            return self._wait()
        if request.path == "/read":
            return self._read(request)
        if request.path == "/bits":
            return Response(body=self._bits())
        if request.path == "/echo":
            return Response(body=request.body.__aiter__())
        content = b"x" * 100_000 if request.path == "/large" else b"now"
        return Response(body=content)

    def _wait(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    async def _read(self, request: Request) -> Response:
        return Response(body=await request.body.whole(1000))

    async def _bits(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            await self._wait()
            yield b"bit"

    # --- the client -----------------------------------------------------------------

    @rule(
        numbers=st.lists(st.integers(0, len(REQUESTS) - 1), min_size=1, max_size=5),
        octets=st.one_of(st.just(1_000_000), st.integers(1, 100)),
        rest=st.integers(0, 20),
    )
    def ask(self, numbers: list[int], octets: int, rest: int) -> None:
        """Requests come, in pieces, but for the rest of the last one."""
        self.unsent += b"".join(REQUESTS[number] for number in numbers)
        while len(self.unsent) > rest and not self.is_over:
            data, self.unsent = self.unsent[:octets], self.unsent[octets:]
            self.talk.connection.dataReceived(data)
            self._look()

    @precondition(lambda self: self.waiting)
    @rule(fails=st.booleans())
    def go_on(self, fails: bool) -> None:
        """What a handler has waited for is there."""
        waiting = self.waiting.pop(0)
        if waiting.called:
            return
        if fails:
            waiting.errback(Problem(404))
        else:
            waiting.callback(Response(body=b"later"))
        self._look()

    @rule(is_full=st.booleans())
    def room(self, is_full: bool) -> None:
        """The client reads, or does not."""
        if self.talk.wire.producer is None or self.is_over:
            return
        if is_full:
            self.talk.connection.pauseProducing()
        else:
            self.talk.connection.resumeProducing()
        self._look()

    @rule(seconds=st.sampled_from([0, 0, 1, 5]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds or 1):
            self.talk.clock.advance(min(seconds, 1))
        self._look()

    @precondition(lambda self: len(self.methods) > 2)
    @rule()
    def be_silent(self) -> None:
        """A long time passes."""
        self.wait(70)

    @precondition(lambda self: len(self.methods) > 2)
    @rule()
    def end(self) -> None:
        """The client sends nothing more."""
        if not self.is_over and not self.unsent:
            self.talk.connection.readConnectionLost()
            self._look()

    @precondition(lambda self: len(self.methods) > 2)
    @rule()
    def drain(self) -> None:
        """The server is told to stop."""
        if not self.is_over:
            self.talk.connection.drain()
            self._look()

    def _look(self) -> None:
        """What was said; the end, where it has come."""
        wire = self.talk.wire
        self.said += wire.value()
        wire.clear()
        if wire.disconnecting and not self.is_over:
            self.is_over = True
            self.talk.connection.connectionLost(Failure(ConnectionDone()))

    def teardown(self) -> None:
        """The connection breaks; nothing remains, and all that was said are responses
        to what was asked, in its order."""
        if not self.is_over:
            self.talk.connection.connectionLost(Failure(ConnectionDone()))
        self.talk.clock.pump([10] * 20)
        assert len(self.talk.shared.wheel) == 0
        assert not self.talk.shared.connections
        assert self.talk.connection._exchange is None
        self._check_responses()

    def _check_responses(self) -> None:
        """A strict client reads what was said, up to a response that broke off."""
        # Behind those that a handler was asked, one refusal may follow.
        rest = self.said
        for method in [*self.methods, b"GET"]:
            if not rest:
                return
            client = h11.Connection(h11.CLIENT)
            client.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
            client.send(h11.EndOfMessage())
            client.receive_data(rest)
            event: Any = None
            while not isinstance(event, h11.EndOfMessage):
                event = client.next_event()
                if event is h11.NEED_DATA:
                    return
            rest = client.trailing_data[0]
        assert rest == b"", rest


class ConnectionTests(SynchronousTestCase):
    """Any order of events."""

    def test_any_order(self) -> None:
        """Responses stay responses, and nothing remains of a connection."""
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Connection,
            settings=settings(
                max_examples=200,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
            ),
        )
        # Of content that breaks off the reason is logged; of nothing else.
        self.flushLoggedErrors(Problem)
        self.assertEqual([], [f.getTraceback() for f in self.flushLoggedErrors()])
