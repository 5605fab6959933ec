"""TLS on data connections: which session may be resumed, and where its tickets go.

Theory.  The client's hello is read before it is answered.  If it offers a session which
began on its control connection, that is resumed, with the context of the control
connection.  Otherwise the connection gets a session that proves nothing, with another
context: whoever has got hold of a data connection once must not be able to resume it.
Clients that hold several control connections (curl ``-Z``, rclone) have one store of
sessions for all and offer whichever is newest; so the contexts of other sessions of the
same account and address are asked, too.

Some clients (curl again) use each ticket of TLS 1.3 once, as RFC 8446 C.4 wants.  So
what was resumed brings one for the next connection: a download with its first octets;
an upload only behind the client's own end.  A client that only uploads need not read,
and were tickets unread at its close, its kernel would reset the connection in place of
ending it, and the last octets might be lost (RFC 1122 4.2.2.13).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from netservices.ftp.dialogue.channels import DataBroken
from netservices.tls.engine import Engine
from netservices.tls.hello import client_hello, offers_session
from netservices.tls.layer import TLSLayer, start_tls

_MOST_TRIED = 10
"""Each context that does not know the session costs a signature."""


class Readable(Protocol):
    """A data connection, as far as it matters here."""

    async def read(self) -> bytes:
        """What arrives next; empty at the end."""


async def first_words(connection: Readable, begun: Callable[[], None]) -> bytes:
    """The records of the client's hello, or what it says in place of one; ``begun`` is
    told when something has come.  DataBroken where the client goes."""
    records = b""
    while not _is_enough(records):
        received = await connection.read()
        if not received:
            raise DataBroken("the client has left before the handshake")
        begun()
        records += received
    return records


def _is_enough(records: bytes) -> bool:
    try:
        return client_hello(records) is not None
    except ValueError:
        return True


def begin(
    connection: Any,
    contexts: Sequence[ssl.SSLContext],
    otherwise: ssl.SSLContext,
    records: bytes,
    seconds: float,
    keeps_tickets: Callable[[], bool],
    when_open: Callable[[], None],
) -> TLSLayer:
    """Put TLS on a connection that has said ``records`` so far; with the first of the
    ``contexts`` that knows the session which is offered.  Its tickets wait for the end
    where ``keeps_tickets`` says so."""

    def opened(layer: TLSLayer) -> None:
        layer.keeps_tickets = layer.version == "TLSv1.3" and keeps_tickets()
        when_open()

    engine, context = _resumed(contexts, records) or (None, otherwise)
    with _tickets(context, 0):
        layer = start_tls(
            connection,
            context,
            engine=engine,
            when_open=opened,
            handshake_seconds=seconds,
        )
    layer.resumeProducing()
    layer.dataReceived(b"" if engine else records)
    return layer


def _resumed(
    contexts: Sequence[ssl.SSLContext], records: bytes
) -> tuple[Engine, ssl.SSLContext] | None:
    """The connection's side of a session that is resumed, and its context."""
    try:
        hello = client_hello(records)
    except ValueError:
        return None
    if hello is None or not offers_session(hello):
        return None
    for context in contexts[:_MOST_TRIED]:
        with _tickets(context, 1):
            engine = Engine(context, server_side=True)
        try:
            engine.feed(records)
        except ssl.SSLError:
            return None
        if engine.object.session_reused:
            return engine, context
    return None


@contextmanager
def _tickets(context: ssl.SSLContext, most: int) -> Iterator[None]:
    """For a TLS connection made meanwhile: it gives no more tickets."""
    tickets = context.num_tickets
    # OpenSSL copies the number when a connection is made.
    context.num_tickets = min(tickets, most)
    try:
        yield
    finally:
        context.num_tickets = tickets
