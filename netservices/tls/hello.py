"""The first words of a TLS client, read before they are answered.

A session can be resumed with the context only that began it.  Where it may have been
one of several, the ClientHello is collected first, and each context is asked whether it
knows the session that is offered.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from netservices.tls.engine import Engine

_RECORD_HEADER = 5
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MOST_OCTETS = 16 * 1024
"""A longer ClientHello is not waited for."""

_SESSION_TICKET = 35  # RFC 5077 3.2
_PRE_SHARED_KEY = 41  # RFC 8446 4.2.11

_MOST_TRIED = 10
"""Each context that does not know the session costs a signature."""


def client_hello(data: bytes) -> bytes | None:
    """The ClientHello in the records that ``data`` begins with; None while it is not
    complete.  ValueError where there is none."""
    message, at = b"", 0
    while len(data) >= at + _RECORD_HEADER:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != _HANDSHAKE or not length:
            raise ValueError("not the records of a handshake")
        at += _RECORD_HEADER
        message += data[at : at + length]
        at += length
        if len(message) < 4:
            continue
        wanted = 4 + int.from_bytes(message[1:4], "big")
        if message[0] != _CLIENT_HELLO or wanted > _MOST_OCTETS:
            raise ValueError("not a ClientHello")
        if len(message) >= wanted:
            return message[:wanted]
    return None


def offers_session(hello: bytes) -> bool:
    """Whether a ClientHello holds a ticket (RFC 8446 4.1.2, RFC 5077 3.2)."""
    # Handshake header, version and random; then three vectors.
    at = 4 + 2 + 32
    for width in (1, 2, 1):
        at += width + int.from_bytes(hello[at : at + width], "big")
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at + 4 <= min(end, len(hello)):
        kind = int.from_bytes(hello[at : at + 2], "big")
        length = int.from_bytes(hello[at + 2 : at + 4], "big")
        if length and kind in (_SESSION_TICKET, _PRE_SHARED_KEY):
            return True
        at += 4 + length
    return False


def context_that_knows(
    contexts: Sequence[ssl.SSLContext], records: bytes
) -> ssl.SSLContext:
    """The first context that resumes the session which a client offers in its first
    ``records``; if none does, the first one."""
    for context in contexts[:_MOST_TRIED]:
        engine = Engine(context, server_side=True)
        try:
            engine.feed(records)
        except ssl.SSLError:
            break
        if engine.object.session_reused:
            return context
    return contexts[0]
