"""A request and its response on an HTTP/1 connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.deferreds import drive
from netservices.core.sendfile import send_file
from netservices.http.dialogue.framing import REASONS, End, Framed, frame
from netservices.http.wire.chunks import chunk, last_chunk
from netservices.http.wire.head import Head
from netservices.web.fields import Fields
from netservices.web.handler import answer_of
from netservices.web.problems import BodyLost, Problem
from netservices.web.request import Request
from netservices.web.response import FileSlice, Response, text

_log = Logger()

LINGER_OCTETS = 64 * 1024
"""So much of a body that nobody wants is read and thrown away; with more, the
connection ends."""

SMALL_OCTETS = 64 * 1024
"""A slice of a file up to this size leaves together with the head."""


class Exchange:
    """One request, and what becomes of it."""

    __slots__ = (
        "_connection",
        "_running",
        "_waits_for_continue",
        "head",
        "is_answered",
        "is_sent",
        "keeps_alive",
        "must_close",
        "request",
        "sent_octets",
        "status",
    )

    def __init__(
        self, connection: Any, head: Head | None, request: Request | None
    ) -> None:
        self.head = head
        self.request = request
        self.is_answered = False
        """Whether the handler has given its response."""
        self.is_sent = False
        self.keeps_alive = False
        self.must_close = head is None or not head.keeps_alive
        self.status = 0
        self.sent_octets = 0
        """Octets of content that were written."""
        self._connection = connection
        self._running: Deferred[Any] | None = None
        self._waits_for_continue = (
            head is not None and head.expects_continue and head.has_body
        )

    # --- the handler ----------------------------------------------------------------

    def begin(self) -> None:
        """Call the handler."""
        assert self.request is not None
        try:
            answer = answer_of(self._connection.shared.handler, self.request)
        except Exception:
            self._answer(self._response_to(Failure()))
            return
        if isinstance(answer, Response):
            self._answer(answer)
            return
        self._running = answer
        answer.addErrback(self._response_to).addCallback(self._answer)
        answer.addErrback(self._broken)

    def _response_to(self, failure: Failure) -> Response:
        """What a handler's exception means to the peer."""
        problem = failure.value
        if not isinstance(problem, Problem):
            if not failure.check(BodyLost, CancelledError):
                _log.failure("a handler failed", failure)
            problem = Problem(500, must_close=True)
        return plain_page(problem)

    def refuse(self, problem: Problem) -> None:
        """Answer in the handler's place."""
        self._answer(plain_page(problem))

    def cancel(self) -> None:
        """The peer is gone."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    # --- interim responses ----------------------------------------------------------

    def say_continue(self) -> None:
        """Tell a peer that waits for it to go on (RFC 9110 10.1.1)."""
        if self._waits_for_continue:
            self.send_interim(100, ())

    def send_interim(self, status: int, fields: Any) -> None:
        """An interim response, unless the final one has begun."""
        if self.is_answered:
            return
        if status == 100:
            self._waits_for_continue = False
        framed = frame(Response(status, list(fields)), self.head, True)
        self._connection.transport.write(framed.head + b"\r\n")

    # --- the response ---------------------------------------------------------------

    def _answer(self, response: Response) -> None:
        """Send the response."""
        self._running = None
        self.is_answered = True
        connection = self._connection
        if not connection.connected:
            response.close()
            return
        framed = frame(response, self.head, self._may_keep_alive())
        self.keeps_alive = framed.keeps_alive
        self.status = response.status
        head = framed.head + connection.shared.date_line()
        if framed.end is End.NOTHING:
            connection.transport.write(head)
            response.close()
            self._sent()
        elif isinstance(response.body, bytes):
            connection.transport.write(head + response.body)
            self.sent_octets = len(response.body)
            self._sent()
        else:
            sending = drive(self._send(head, response, framed))
            if isinstance(sending, Deferred):
                self._running = sending
                sending.addErrback(self._broken)

    def _may_keep_alive(self) -> bool:
        """Whether another request may follow: what is left of the body is known to be
        short, and is not held back by the peer (RFC 9112 9.6)."""
        left = self._connection.body_octets_left
        is_short = left is not None and left <= LINGER_OCTETS
        return not self.must_close and is_short and not self._waits_for_continue

    async def _send(self, head: bytes, response: Response, framed: Framed) -> None:
        """Send head and content."""
        body = response.body
        pieces = body if isinstance(body, tuple) else (body,)
        try:
            for piece in pieces:
                if isinstance(piece, FileSlice):
                    await self._send_slice(head, piece)
                elif isinstance(piece, bytes):
                    await self._write(head + piece)
                    self.sent_octets += len(piece)
                else:
                    await self._send_iterated(head, piece, response, framed)
                head = b""
        finally:
            response.close()
        self._sent()

    async def _send_slice(self, head: bytes, piece: FileSlice) -> None:
        connection = self._connection
        if piece.count <= SMALL_OCTETS:
            data = await piece.file.read(piece.offset, piece.count)
            if len(data) == piece.count:
                await self._write(head + data)
                self.sent_octets += len(data)
                return
        if head:
            connection.transport.write(head)
        self.sent_octets += await connection.without_producer(
            lambda: send_file(
                connection.transport,
                piece.file.fileno(),
                piece.offset,
                piece.count,
                connection.shared.workers,
            )
        )

    async def _send_iterated(
        self, head: bytes, content: Any, response: Response, framed: Framed
    ) -> None:
        is_chunked = framed.end is End.CHUNKED
        try:
            async for data in content:
                if not data:
                    continue
                await self._write(head + (chunk(data) if is_chunked else data))
                head = b""
                self.sent_octets += len(data)
        finally:
            close = getattr(content, "aclose", None)
            if close is not None:
                await close()
        if is_chunked:
            trailers = Fields(response.trailers()) if response.trailers else Fields()
            head += last_chunk(trailers)
        if head:
            await self._write(head)
        if response.length is not None and self.sent_octets != response.length:
            raise RuntimeError("the content has another length than was said")

    async def _write(self, data: bytes) -> None:
        """Write, and wait until the peer takes more."""
        connection = self._connection
        connection.transport.write(data)
        waiting = connection.room()
        if waiting is not None:
            await waiting

    def _sent(self) -> None:
        self._running = None
        self.is_sent = True
        done = self._connection.shared.done
        if done is not None:
            done(self)
        self._connection.answered()

    def _broken(self, failure: Failure) -> None:
        """The response cannot be completed: the peer must see that (RFC 9112 8)."""
        self._running = None
        connection = self._connection
        if not failure.check(CancelledError) and connection.connected:
            _log.failure("a response broke off", failure)
        if connection.connected:
            connection.transport.abortConnection()


def plain_page(problem: Problem) -> Response:
    """The answer to a problem, as text."""
    title = REASONS.get(problem.status, "Error")
    detail = f"{problem.detail}\n" if problem.detail else ""
    response = text(f"{problem.status} {title}\n{detail}", problem.status)
    response.fields += problem.fields
    response.must_close = problem.must_close
    return response
