"""A request and its response on an HTTP/1 connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.deferreds import drive
from netservices.core.sendfile import send_file
from netservices.http.dialogue.framing import REASONS, End, Framed, frame, length_of
from netservices.http.dialogue.upgrade import check_status
from netservices.http.server.access import CLOSED_BY_PEER
from netservices.http.server.known import Finished
from netservices.http.server.tracing import show_content, show_head
from netservices.http.wire.chunks import chunk, last_chunk
from netservices.http.wire.head import Head
from netservices.http.wire.problems import BadMessage
from netservices.web.fields import NO_FIELDS, Fields
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

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_SWITCHING = (*range(100, 200), 426)
"""Statuses that are looked at before they are sent."""


class Exchange:
    """One request, and what becomes of it."""

    __slots__ = (
        "_connection",
        "_has_said",
        "_has_spoken",
        "_running",
        "has_begun",
        "has_content",
        "head",
        "is_answered",
        "is_head",
        "is_sent",
        "keeps_alive",
        "must_close",
        "raw",
        "refusal",
        "request",
        "sent_octets",
        "since",
        "status",
        "total_octets",
        "wants_body",
    )

    def __init__(
        self, connection: Any, head: Head | None, request: Request | None
    ) -> None:
        self.head = head
        self.request = request
        self.has_begun = False
        """Whether the handler has been called."""
        self.is_head = False
        """Whether a request that could not be read is one with HEAD."""
        self.is_answered = False
        """Whether the handler has given its response."""
        self.is_sent = False
        self.keeps_alive = False
        self.must_close = head is None or not head.keeps_alive
        self.refusal: BadMessage | None = None
        """The status that says why there is no whole body, where the peer broke the
        rules in the middle of it."""
        self.wants_body = True
        """Whether somebody may still read the body; else it is thrown away."""
        self.has_content = False
        """Whether some of the body has come."""
        self.raw = b""
        """The octets of the head, where the answer to them may be kept."""
        self.status = 0
        self.sent_octets = 0
        """Octets of content that were written."""
        self.total_octets: int | None = None
        """Of the content, where that is known."""
        self.since: float | None = None
        """When it began, in the wheel's seconds; None where it was over at once."""
        self._connection = connection
        self._has_said = False
        """Whether the peer was told to go on."""
        self._has_spoken = False
        """Whether the head of the response has left."""
        self._running: Deferred[Any] | None = None

    # --- the handler ----------------------------------------------------------------

    def begin(self) -> None:
        """Call the handler."""
        assert self.request is not None
        self.has_begun = True
        try:
            answer = answer_of(self._connection.shared.handler, self.request)
        except Exception:
            self._answer(self._response_to(Failure()))
            return
        if not isinstance(answer, Deferred):
            self._answer(answer)
            return
        self._running = answer
        answer.addErrback(self._response_to).addCallback(self._answer)
        answer.addErrback(self._broken)

    def _response_to(self, failure: Failure) -> Response:
        """What a handler's exception means to the peer."""
        problem = failure.value
        if isinstance(problem, Problem):
            if problem.log_text:
                _log.info("{problem}: {why}", problem=problem, why=problem.log_text)
        elif self.refusal is not None and failure.check(BodyLost):
            why = self.refusal
            problem = Problem(why.status, why.detail, must_close=True)
        else:
            if not failure.check(BodyLost, CancelledError):
                _log.failure("a handler failed", failure)
            problem = Problem(500, must_close=True)
        return plain_page(problem)

    def refuse(self, problem: Problem) -> None:
        """Answer in the handler's place."""
        self.has_begun = True
        self._answer(plain_page(problem))

    def cancel(self) -> None:
        """The peer is gone."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    # --- interim responses ----------------------------------------------------------

    @property
    def waits_for_continue(self) -> bool:
        """Whether the peer waits for 100 before it sends its body."""
        head = self.head
        # RFC 9110 10.1.1: no 100 where some of the content has come.
        return (
            head is not None
            and head.expects_continue
            and not self.has_content
            and head.has_body
        )

    def body_wanted(self) -> None:
        """The handler reads the body, or has made room: a peer that waits for it is
        told to go on (RFC 9110 10.1.1)."""
        if self.waits_for_continue:
            self.send_interim(100, ())
        self._connection.receive_more()

    def send_interim(self, status: int, fields: Any) -> None:
        """An interim response, unless the final one has begun.  ValueError for a field
        with a control character in it."""
        if self.is_answered:
            return
        if status == 100:
            if self.has_content:
                return
            self.has_content = self._has_said = True
        framed = frame(Response(status, list(fields)), self.head, True)
        connection = self._connection
        if connection.shared.trace is not None:
            show_head(connection.shared.trace, connection.session_id, "S", framed.head)
        connection.transport.write(framed.head + b"\r\n")

    # --- the response ---------------------------------------------------------------

    def _answer(self, response: Response) -> None:
        """Send the response."""
        self._running = None
        self.is_answered = True
        connection = self._connection
        if not connection.connected:
            if isinstance(response, Response):
                _discard(response)
            self._tell()
            return
        response, framed = self._framed(response)
        self.keeps_alive = framed.keeps_alive
        self.status = response.status
        date = connection.shared.date_line()
        head = framed.head + date
        if connection.shared.trace is not None:
            show_head(connection.shared.trace, connection.session_id, "S", head)
        body = response.body
        if framed.end is End.TUNNEL:
            self._give_away(head, response)
        elif framed.end is End.NOTHING:
            self.wants_body = False
            connection.transport.write(head)
            self._learn(response, framed, date, b"")
            _discard(response)
            self._sent()
        elif isinstance(body, bytes):
            self.wants_body = False
            connection.transport.write(head + body)
            self._learn(response, framed, date, body)
            self.sent_octets = len(body)
            self._sent()
        else:
            self.total_octets = length_of(response)
            # An iterated response may read the request as it goes along.
            self.wants_body = not isinstance(body, FileSlice | tuple)
            sending = drive(self._send(head, response, framed))
            if isinstance(sending, Deferred):
                self._running = sending

    def _framed(self, response: Response) -> tuple[Response, Framed]:
        """The response as it goes out, or 500 where it cannot."""
        try:
            if not isinstance(response, Response):
                raise ValueError(f"a handler answered with {response!r}")
            if response.tunnel is not None or response.status in _SWITCHING:
                left = self._connection.body_octets_left != 0
                check_status(response, self.head, left)
            may_keep_alive = self._may_keep_alive()
            return response, frame(response, self.head, may_keep_alive, self.is_head)
        except ValueError:
            _log.failure("a response cannot be sent")
            if isinstance(response, Response):
                _discard(response)
            response = plain_page(Problem(500, must_close=True))
            return response, frame(response, self.head, False)

    def _learn(
        self, response: Response, framed: Framed, date: bytes, content: bytes
    ) -> None:
        """Know the answer by heart, if it holds for all that ask like this."""
        head, known = self.head, self._connection.known
        if head is None or not self._is_worth_keeping(response, len(content)):
            return
        assert response.lasting is not None
        if framed.keeps_alive == head.keeps_alive:
            parts = framed.head, date, content
            keeps_alive = framed.keeps_alive
            finished = Finished(
                head,
                response.status,
                response.lasting,
                keeps_alive,
                parts,
                self._connection.server_name,
            )
            known.learn_answer(self.raw, finished, date)

    def _is_worth_keeping(self, response: Response, octets: int) -> bool:
        """Whether the response, with so much content, shall be known by heart."""
        if not self.raw or response.lasting is None or response.must_close:
            return False
        known = self._connection.known
        return known is not None and known.wants(octets)

    def _may_keep_alive(self) -> bool:
        """Whether another request may follow: what is left of the body is known to be
        short, and is not held back by the peer (RFC 9112 9.6)."""
        left = self._connection.body_octets_left
        is_short = left is not None and left <= LINGER_OCTETS
        return not self.must_close and is_short and not self.waits_for_continue

    def _give_away(self, head: bytes, response: Response) -> None:
        """After this response somebody else speaks on the connection."""
        connection = self._connection
        if self.head is not None and self.head.expects_continue and not self._has_said:
            # RFC 9110 7.8: the order of the two.
            connection.transport.write(CONTINUE)
        rest = connection.release()
        connection.transport.write(head)
        self.is_sent = True
        self._tell()
        assert response.tunnel is not None
        connection.hand_over(response.tunnel(connection.transport, rest))

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
        except Exception:
            self._broken(Failure())
            return
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
            self._has_spoken = True
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
        length = response.length
        iterator = content.__aiter__()
        try:
            # A first piece that is there leaves with the head, which waits for no
            # other.
            step = drive(_next(iterator))
            if isinstance(step, Deferred):
                await self._write(head)
                head = b""
                step = await step
            while step is not None:
                self.sent_octets += len(step)
                if length is not None and self.sent_octets > length:
                    break
                await self._write(head + (chunk(step) if is_chunked else step))
                head = b""
                step = await _next(iterator)
        except GeneratorExit:
            # Nobody will resume this; the content may be waiting for something itself.
            content = None
            raise
        finally:
            close = getattr(content, "aclose", None)
            if close is not None:
                await close()
        if length is not None and self.sent_octets != length:
            raise RuntimeError("the content has another length than was said")
        if is_chunked:
            head += last_chunk(self._trailers(response))
        if head:
            await self._write(head)

    def _trailers(self, response: Response) -> Fields:
        """What follows the content, where the peer takes that (RFC 9110 6.5.1)."""
        head = self.head
        if response.trailers is None or head is None:
            return NO_FIELDS
        takes = "trailers" in head.fields.words("te")
        return Fields(response.trailers()) if takes else NO_FIELDS

    async def _write(self, data: bytes) -> None:
        """Write, and wait until the peer takes more."""
        connection = self._connection
        self._has_spoken = True
        connection.transport.write(data)
        waiting = connection.room()
        if waiting is not None:
            await waiting

    def _sent(self) -> None:
        self._running = None
        self.is_sent = True
        self._tell()
        self._connection.answered()

    def _tell(self) -> None:
        """Tell whoever keeps a log."""
        connection = self._connection
        shared = connection.shared
        if shared.trace is not None:
            trace, session_id = shared.trace, connection.session_id
            received = 0 if self.request is None else self.request.body.received_octets
            show_content(trace, session_id, "C", received)
            show_content(trace, session_id, "S", self.sent_octets)
        shared.access.note(
            connection.origin,
            self.login,
            self.head,
            self.status or CLOSED_BY_PEER,
            self.sent_octets,
            0.0 if self.since is None else shared.wheel.seconds() - self.since,
        )

    # --- what ``netservices session`` shows -----------------------------------------

    @property
    def login(self) -> str:
        """The account that asks, once it is known."""
        account = None if self.request is None else self.request.account
        return "" if account is None else account.login

    @property
    def client(self) -> str:
        """What the peer calls itself."""
        return "" if self.head is None else self.head.fields.get("user-agent")

    def transfer(self) -> dict[str, Any] | None:
        """What moves now; None where the handler is still thinking."""
        connection = self._connection
        request = self.request
        if request is None or self.since is None:
            return None
        total: int | None
        if self.is_answered:
            # A file's sender is the transport's producer while it sends.
            producer = getattr(connection.transport, "producer", None)
            octets = self.sent_octets + int(getattr(producer, "sent", 0))
            total = self.total_octets
        else:
            octets, total = request.body.received_octets, request.body.length
        seconds = max(connection.shared.wheel.seconds() - self.since, 0.001)
        return {
            "verb": request.method,
            "path": request.path,
            "octets": octets,
            "total_octets": total,
            "percent": round(100 * octets / total) if total else None,
            "rate": round(octets / seconds),
            "seconds": round(seconds, 1),
        }

    def _broken(self, failure: Failure) -> None:
        """The response cannot be completed: the peer must see that (RFC 9112 8)."""
        self._running = None
        connection = self._connection
        if connection.connected:
            if not failure.check(CancelledError, ConnectionLost):
                _log.failure("a response broke off", failure)
                if not self._has_spoken:
                    self._answer(plain_page(Problem(500, must_close=True)))
                    return
            connection.transport.abortConnection()
        self._tell()


def _discard(response: Response) -> None:
    """It will not be sent: give back what it holds."""
    response.close()
    close = getattr(response.body, "aclose", None)
    if close is not None:
        drive(_closed(close))


async def _next(iterator: Any) -> bytes | None:
    """The next piece that is not empty; None at the end."""
    async for data in iterator:
        if data:
            found: bytes = data
            return found
    return None


async def _closed(close: Any) -> None:
    try:
        await close()
    except Exception:
        _log.failure("a response did not end well")


def plain_page(problem: Problem) -> Response:
    """The answer to a problem, as text."""
    title = REASONS.get(problem.status, "Error")
    detail = f"{problem.detail}\n" if problem.detail else ""
    response = text(f"{problem.status} {title}\n{detail}", problem.status)
    response.fields += problem.fields
    response.must_close = problem.must_close
    return response
