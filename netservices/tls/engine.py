"""TLS without a network: ciphertext in, plaintext out, and the other way round.

Theory.  ``ssl.SSLObject`` works on two memory buffers.  A memory buffer of OpenSSL
grows to the largest amount that it ever held and never shrinks, so an idle connection
would keep what one large transfer once needed.  Therefore ciphertext goes in, and comes
out, in pieces of about one TLS record (16 KiB), and what OpenSSL made is taken away
after each record.  A connection that has carried gigabytes holds two buffers of a
record each.

The engine never raises for a peer that merely is not ready; it raises ``ssl.SSLError``
where the peer breaks the protocol, and then ``take`` still has the alert to send.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

RECORD_OCTETS = 16384 + 512
"""A little more than the largest TLS record, RFC 8446 5.2."""


class Engine:
    """One side of one TLS connection.

    ``is_open`` is true once the handshake is complete; ``peer_closed`` once the peer's
    close_notify was read; ``has_closed`` once ours was made.
    """

    __slots__ = (
        "_incoming",
        "_outgoing",
        "has_closed",
        "is_open",
        "object",
        "peer_closed",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        server_side: bool,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
            session=session,
        )
        self.is_open = False
        self.peer_closed = False
        self.has_closed = False

    def shake(self) -> bool:
        """Go on with the handshake; whether it is complete."""
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_open = True
        return True

    def feed(self, data: bytes) -> list[bytes]:
        """The plaintext in ``data`` and what was held back before.

        Raises ``ssl.SSLError`` where the peer breaks the protocol.
        """
        found: list[bytes] = []
        if len(data) <= RECORD_OCTETS:
            self._feed_piece(data, found)
            return found
        view = memoryview(data)
        for start in range(0, len(data), RECORD_OCTETS):
            self._feed_piece(view[start : start + RECORD_OCTETS], found)
        return found

    def _feed_piece(self, piece: bytes | memoryview, found: list[bytes]) -> None:
        # RFC 8446 6.1: whatever follows close_notify is ignored.
        if self.peer_closed:
            return
        incoming, read = self._incoming, self.object.read
        incoming.write(piece)
        if not self.is_open and not self.shake():
            return
        try:
            while incoming.pending or self.object.pending():
                plaintext = read(RECORD_OCTETS)
                if not plaintext:
                    self.peer_closed = True
                    return
                found.append(plaintext)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.peer_closed = True

    def encrypt(self, data: bytes | memoryview) -> list[bytes]:
        """The records that carry ``data``, and whatever waited to be sent before
        them."""
        write, take = self.object.write, self._outgoing.read
        sent = write(data if len(data) <= 16384 else memoryview(data)[:16384])
        records = [take()]
        if sent < len(data):
            view = memoryview(data)
            while sent < len(data):
                sent += write(view[sent : sent + 16384])
                records.append(take())
        return records

    def read_to_end(self, data: bytes) -> bytes | None:
        """What the peer sent in the clear behind its close_notify; None while that has
        not come.  What it says before is thrown away.

        Raises ``ssl.SSLError`` where ``data`` does not go on as TLS.
        """
        if data:
            self._incoming.write(data)
        try:
            while not self.peer_closed:
                self.peer_closed = not self.object.read(RECORD_OCTETS)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            self.peer_closed = True
        return self._incoming.read()

    def take(self) -> bytes:
        """Ciphertext that waits to be sent: handshake, alerts, tickets."""
        return self._outgoing.read() if self._outgoing.pending else b""

    @property
    def waiting_octets(self) -> int:
        """How much ``take`` would return."""
        return self._outgoing.pending

    def close(self) -> bytes:
        """Our close_notify, with what waited before it; empty if it was made already
        or the handshake is not complete."""
        if self.has_closed or not self.is_open:
            return b""
        self.has_closed = True
        # SSLWantReadError: the peer's close_notify has not come yet.
        with suppress(ssl.SSLError, OSError):
            self.object.unwrap()
        return self.take()

    def attribute(self, name: str) -> Any:
        """What the ``sni`` hook of a context left on the SSL object."""
        return getattr(self.object, name, None)
