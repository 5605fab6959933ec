"""What has come on an HTTP/1 connection and was not handed on: heads and content.

Theory.  Octets wait in one buffer, and ``_at`` says where in it begins what nobody has
looked at: cutting a request off the front of many costs nothing then.  Of a head that
is incomplete it is known how much has been searched, so that one which comes octet by
octet costs no more than its length.
"""

from __future__ import annotations

import re
from typing import Any

from netservices.core.write import BULK_OCTETS, expect_bulk
from netservices.http.server.flow import Flow
from netservices.http.server.known import Known
from netservices.http.server.tracing import show_head
from netservices.http.wire.chunks import ChunkedReader
from netservices.http.wire.head import Head, parse_head
from netservices.http.wire.problems import BadMessage
from netservices.web.body import Body

_HEAD = b"HEAD "
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_NO_LINE_END = re.compile(rb"(?<!\r)\n|\r[^\n]|\0")


READ_OCTETS = 64 * 1024
"""What is read at a time between long bodies."""


class Intake(Flow):
    """The part of a connection that cuts octets into messages."""

    session_id: str
    known: Known | None
    _at: int
    """Where in ``_buffer`` begins what has not been looked at."""
    _sought: int
    """So much of an incomplete head is known to hold no end of it."""
    _exchange: Any
    _body: Body | None
    """The content that comes in; None between messages."""
    _chunks: ChunkedReader | None
    _left: int
    """Octets of content that are to come, where their number is known."""

    def _take(self, octets: int | None = None) -> bytes:
        """Cut so many octets off the front of what has come; None: all."""
        buffer, at = self._buffer, self._at
        end = len(buffer) if octets is None else at + octets
        if end >= len(buffer):
            self._buffer = b""
            self._at = 0
            return buffer[at:] if at else buffer
        self._at = end
        return buffer[at:end]

    # --- content --------------------------------------------------------------------

    def _await_content(self, head: Head, body: Body) -> None:
        """The content of ``body`` is what comes next.  BadMessage."""
        self._body = body
        self._chunks = ChunkedReader() if head.is_chunked else None
        self._left = head.content_length or 0
        if head.is_chunked or self._left > BULK_OCTETS:
            expect_bulk(self.transport)
        # What has come already needs no 100, and may be all of it.
        self._receive()

    def _receive(self) -> bool:
        """Hand content on; whether something was done."""
        body = self._body
        if body is None or not self._buffer:
            return False
        exchange = self._exchange
        is_wanted = exchange is not None and exchange.wants_body
        if is_wanted and not body.has_room:
            return False
        trailers = None
        if self._chunks is None:
            data = self._take(self._left)
            self._left -= len(data)
            is_complete = not self._left
        else:
            data = b"".join(self._chunks.feed(self._take()))
            self._buffer = self._chunks.rest
            is_complete = self._chunks.is_complete
            trailers = self._chunks.trailers
        if is_complete:
            self._body = self._chunks = None
            expect_bulk(self.transport, READ_OCTETS)
        if exchange is not None:
            exchange.has_content = True
        if data and is_wanted:
            body.feed(data)
        if is_complete:
            body.finish(*([] if trailers is None else [trailers]))
            self._end_if_done()
        return True

    @property
    def body_octets_left(self) -> int | None:
        """Octets of content still to come; None: nobody knows."""
        if self._body is None:
            return 0
        return None if self._chunks is not None else self._left

    @property
    def _moving(self) -> tuple[object, int] | None:
        body, exchange = self._body, self._exchange
        if body is None or exchange is None or exchange.waits_for_continue:
            return None
        if exchange.wants_body and not body.has_room:
            return None
        octets = -self._left if self._chunks is None else body.received_octets
        return body, octets

    @property
    def _has_room(self) -> bool:
        if self._exchange is None and self._is_full:
            return False
        return len(self._buffer) - self._at < self.shared.settings.longest_head

    def _end_if_done(self) -> None:
        """Whether the exchange is over is to be looked at."""
        raise NotImplementedError

    # --- heads ----------------------------------------------------------------------

    def _head_of(self, raw: bytes) -> tuple[Head, bytes]:
        """What was read, and its octets where the answer to them may be kept: those of
        a head that has come before.  BadMessage."""
        known, most_fields = self.known, self.shared.settings.most_fields
        if known is None:
            return self._parsed(raw, most_fields), b""
        head = known.head(raw)
        if head is not None:
            return head, raw
        head = self._parsed(raw, most_fields)
        known.learn_head(raw, head)
        return head, b""

    def _parsed(self, raw: bytes, most_fields: int) -> Head:
        try:
            return parse_head(raw, most_fields)
        except BadMessage as problem:
            problem.is_head = raw.startswith(_HEAD)
            raise

    def _is_about_head(self, problem: BadMessage) -> bool:
        """Whether what is refused is a request with HEAD, as far as it can be told."""
        exchange = self._exchange
        if exchange is not None and exchange.head is not None:
            return bool(exchange.head.method == "HEAD")
        if problem.is_head is not None:
            return problem.is_head
        return self._buffer.startswith(_HEAD, self._at)

    def _next_head(self) -> bytes | None:
        """Cut the next head out of the buffer; None while it is incomplete."""
        buffer, at = self._buffer, self._at
        if buffer.startswith(b"\r\n", at):
            # RFC 9112 2.2: empty lines before a request line are read over.
            match = _EMPTY_LINES.match(buffer, at)
            self._take(match.end() - at if match is not None else 0)
            buffer, at = self._buffer, self._at
            if not buffer:
                return None
        settings = self.shared.settings
        most = at + settings.longest_head
        end = buffer.find(b"\r\n\r\n", at + self._sought, most)
        if end < 0:
            self._await_head(buffer[at:])
            return None
        line_end = buffer.find(b"\r\n", at, end)
        if (line_end if line_end >= 0 else end) - at > settings.longest_request_line:
            raise BadMessage(414, "the request line is too long")
        self._sought = 0
        raw = self._take(end + 4 - at)
        if self.shared.trace is not None:
            show_head(self.shared.trace, self.session_id, "C", raw)
        return raw

    def _await_head(self, begun: bytes) -> None:
        """A head is incomplete: wait for more of it, unless there can be no good
        end."""
        settings = self.shared.settings
        line = begun.find(b"\r\n")
        if (line if line >= 0 else len(begun)) > settings.longest_request_line:
            raise BadMessage(414, "the request line is too long")
        if len(begun) >= settings.longest_head:
            raise BadMessage(431, "the head is too long")
        if _NO_LINE_END.search(begun, max(0, self._sought - 1)):
            raise BadMessage(400, "a line of the head ends without CR LF, or holds NUL")
        if not self._sought:
            self._expect_soon(settings.head_deadline)
        self._sought = max(len(begun) - 3, 1)
