"""The first words of a TLS client, read before they are answered."""

from __future__ import annotations

_RECORD_HEADER = 5
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MOST_OCTETS = 16 * 1024
"""A longer ClientHello is not waited for."""

_SESSION_TICKET = 35  # RFC 5077 3.2
_PRE_SHARED_KEY = 41  # RFC 8446 4.2.11
_KEY_SHARE = 51  # RFC 8446 4.2.8


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
    """Whether a ClientHello offers to resume: by a ticket (RFC 8446 4.2.11, RFC 5077
    3.2) or, before TLS 1.3, by the id of a session (RFC 5246 7.4.1.2)."""
    # Handshake header, version and random; then three vectors.
    at = 4 + 2 + 32
    has_id = hello[at : at + 1] > b"\x00"
    for width in (1, 2, 1):
        at += width + int.from_bytes(hello[at : at + width], "big")
    extensions = _extensions(hello, at)
    if extensions.get(_SESSION_TICKET) or _PRE_SHARED_KEY in extensions:
        return True
    # In TLS 1.3 an id means nothing (RFC 8446 4.1.2).
    return has_id and _KEY_SHARE not in extensions


def _extensions(hello: bytes, at: int) -> dict[int, int]:
    """The length of each extension."""
    found = {}
    end = min(at + 2 + int.from_bytes(hello[at : at + 2], "big"), len(hello))
    at += 2
    while at + 4 <= end:
        kind = int.from_bytes(hello[at : at + 2], "big")
        found[kind] = int.from_bytes(hello[at + 2 : at + 4], "big")
        at += 4 + found[kind]
    return found
