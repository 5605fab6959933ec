"""TLS on data connections: which session may be resumed, and where its tickets go.

Theory.  A data connection shakes hands with the context of its own control connection,
so that it resumes sessions which began there and no others.  Clients that hold several
control connections (curl ``-Z``, rclone) have one store of sessions for all and offer
whichever is newest; so the contexts of other sessions of the same account and address
are asked, too.  Who is neither cannot resume anything.

Some clients (curl again) use each ticket of TLS 1.3 once, as RFC 8446 C.4 wants.  So
each data connection brings one for the next: a download at once; an upload only behind
the client's own end.  A client that only uploads need not read, and were tickets unread
at its close, its kernel would reset the connection in place of ending it, and the last
octets might be lost (RFC 1122 4.2.2.13).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from netservices.ftp.dialogue.channels import DataBroken, NotProtected
from netservices.tls.hello import client_hello, context_that_knows, offers_session
from netservices.tls.layer import TLSLayer, start_tls


class Readable(Protocol):
    """A data connection, as far as it matters here."""

    async def read(self) -> bytes:
        """What arrives next; empty at the end."""

    def abort(self) -> None:
        """Reset the connection."""


async def first_words(connection: Readable, reactor: Any, seconds: float) -> bytes:
    """The records of the client's hello, or what it says in place of one.

    NotProtected where nothing of the kind comes within ``seconds``; DataBroken where
    the client goes.
    """
    records = b""
    timer = reactor.callLater(seconds, connection.abort)
    try:
        while not _is_enough(records):
            received = await connection.read()
            if not received:
                raise DataBroken("the client has left before the handshake")
            records += received
    except DataBroken as broken:
        if not timer.active():
            raise NotProtected("no handshake came") from broken
        raise
    finally:
        if timer.active():
            timer.cancel()
    return records


def _is_enough(records: bytes) -> bool:
    try:
        return client_hello(records) is not None
    except ValueError:
        return True


def begin(
    connection: Any,
    contexts: Sequence[ssl.SSLContext],
    records: bytes,
    seconds: float,
    is_upload: bool,
    when_open: Callable[[], None],
) -> TLSLayer:
    """Put TLS on a connection that has said ``records`` so far."""

    def opened(layer: TLSLayer) -> None:
        layer.keeps_tickets = is_upload and layer.version == "TLSv1.3"
        when_open()

    context = _context(contexts, records)
    with _one_ticket(context):
        layer = start_tls(
            connection, context, when_open=opened, handshake_seconds=seconds
        )
    layer.resumeProducing()
    if records:
        layer.dataReceived(records)
    return layer


def _context(contexts: Sequence[ssl.SSLContext], records: bytes) -> ssl.SSLContext:
    try:
        hello = client_hello(records)
    except ValueError:
        hello = None
    if hello is None or not offers_session(hello):
        return contexts[0]
    return context_that_knows(contexts, records)


@contextmanager
def _one_ticket(context: ssl.SSLContext) -> Iterator[None]:
    """For a TLS connection made meanwhile: it gives one ticket, if any."""
    tickets = context.num_tickets
    # OpenSSL copies the number when a connection is made.
    context.num_tickets = min(tickets, 1)
    try:
        yield
    finally:
        context.num_tickets = tickets
