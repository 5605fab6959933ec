"""Other readers of HTTP/1, asked what they think of some octets."""

from __future__ import annotations

from typing import Any

import h11
import httptools
from attrs import frozen
from twisted.internet.defer import Deferred

from netservices.web.request import Request
from netservices.web.response import Response
from tests.http.talk import Talk


class Refused(Exception):
    """A reader says that this is no request."""


class Incomplete(Exception):
    """A reader waits for more."""


@frozen
class Seen:
    """A request as a reader sees it."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    content: bytes


def by_h11(data: bytes) -> Seen:
    """The first request in ``data`` as h11 reads it.  Refused, Incomplete."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
    connection.receive_data(data)
    request: Any = None
    pieces: list[bytes] = []
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise Refused(str(error)) from None
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            pieces.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            raise Incomplete
    fields = [(n.decode(), v.decode("latin-1")) for n, v in request.headers]
    return Seen(
        request.method.decode(),
        request.target.decode(),
        tuple(fields),
        b"".join(pieces),
    )


class _Heard:
    """What llhttp tells."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[str, str]] = []
        self.content = b""
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        pair = (name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t"))
        self.fields.append(pair)

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.is_complete = True


def by_llhttp(data: bytes) -> Seen:
    """The first request in ``data`` as llhttp reads it.  Refused, Incomplete."""
    heard = _Heard()
    parser = httptools.HttpRequestParser(heard)
    for octet in data:
        try:
            parser.feed_data(bytes([octet]))
        except httptools.HttpParserUpgrade:
            break
        except httptools.HttpParserError as error:
            raise Refused(str(error)) from None
        if heard.is_complete:
            break
    if not heard.is_complete:
        raise Incomplete
    return Seen(
        parser.get_method().decode(),
        heard.target.decode("latin-1"),
        tuple(heard.fields),
        heard.content,
    )


def by_us(*pieces: bytes) -> Seen:
    """The first request in what comes in ``pieces`` as this server reads it.  Refused,
    Incomplete."""
    seen: list[Seen] = []

    async def handler(request: Request) -> Response:
        content = await request.body.whole(10_000_000)
        head = talk.connection._exchange.head  # type: ignore[union-attr]
        assert head is not None
        if not seen:
            fields = tuple(request.fields)
            seen.append(Seen(request.method, head.target, fields, content))
        return await Deferred()  # type: ignore[no-any-return]

    talk = Talk(handler, most_fields=10_000)
    said = b"".join(talk.send(piece) for piece in pieces)
    said = said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if seen:
        return seen[0]
    if said.startswith(b"HTTP/1.1 "):
        raise Refused(said[9:12].decode())
    raise Incomplete
