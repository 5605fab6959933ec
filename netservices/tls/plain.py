"""The end of TLS on a connection that goes on in the clear (RFC 4217 5, CCC and REIN).

Theory.  Our close_notify ends what we say in TLS, the peer's what it says.  Between the
two the peer may still speak TLS, and none of that counts any more: it was said before
it knew.  What follows its close_notify is in the clear, often in the same segment.
Some peers send no close_notify of their own; what they send then does not begin as a
TLS record does, and cannot be mistaken for one.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.tls.engine import RECORD_OCTETS
from netservices.tls.layer import HANDSHAKE_SECONDS, TLSLayer, let_receive

_CONTENT_TYPES = range(20, 25)
"""First octets of TLS records, RFC 8446 5.1; of commands they are none."""

_APPLICATION_DATA = b"\x17"


class _Ending:
    """Stands between the transport below and ``protocol`` until TLS has ended."""

    _log = Logger()

    def __init__(
        self,
        layer: TLSLayer,
        protocol: Any,
        when_plain: Callable[[], None],
        clock: Any,
        seconds: float,
    ) -> None:
        self.lower = layer.lower
        self._engine = layer.engine
        self._protocol = protocol
        self._when_plain = when_plain
        self._has_left = False
        self._held = b""
        self._waiting: list[bytes] = []
        clock = clock or getattr(self.lower, "reactor", None)
        self._timer = clock and clock.callLater(seconds, self._expired)
        layer.protocol = self
        protocol.transport = self
        layer.leave(self._left)

    # --- to the protocol, a transport -----------------------------------------------

    def write(self, data: bytes) -> None:
        """Keep what is said until it can be said in the clear."""
        self._waiting.append(data)

    def loseConnection(self) -> None:
        """Close; what waits is not said at all."""
        self.lower.loseConnection()

    def abortConnection(self) -> None:
        """Drop the connection."""
        self.lower.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """There is no hurry."""

    def unregisterProducer(self) -> None:
        """There was none."""

    def pauseProducing(self) -> None:
        """Nothing is delivered anyway."""

    def resumeProducing(self) -> None:
        """Nothing is delivered anyway."""

    def getHost(self) -> Any:
        """Our address."""
        return self.lower.getHost()

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.lower.getPeer()

    # --- to the transport below, a protocol -----------------------------------------

    def _left(self) -> None:
        """Our close_notify is on its way."""
        self._has_left = True
        let_receive(self.lower, self)
        self.lower.resumeProducing()
        self._receive(b"")

    def dataReceived(self, data: bytes) -> None:
        """Plaintext that does not count, or ciphertext after our close_notify."""
        if self._has_left:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        self._held += data
        try:
            rest = self._engine.read_to_end(data)
        except ssl.SSLError as error:
            if not self._held or self._held[0] in _CONTENT_TYPES:
                self._log.info("TLS did not end well: {error}", error=str(error))
                self.lower.abortConnection()
                return
            # Not RFC 4217 5: curl, told to wait for our close_notify, sends none.
            rest = self._held
        if rest is not None:
            self._go_on(rest)
        elif len(self._held) > RECORD_OCTETS:
            # More than a record: this is TLS that goes on.
            self._held = _APPLICATION_DATA

    def _go_on(self, rest: bytes) -> None:
        """Both directions are clear."""
        self._stop_timer()
        protocol, lower = self._protocol, self.lower
        let_receive(lower, protocol)
        protocol.transport = lower
        if self._waiting:
            lower.write(b"".join(self._waiting))
        self._when_plain()
        if rest:
            protocol.dataReceived(rest)

    def connectionLost(self, reason: Failure) -> None:
        """The connection has ended before TLS did."""
        self._stop_timer()
        self._protocol.connectionLost(reason)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _expired(self) -> None:
        self._timer = None
        self.lower.abortConnection()


def stop_tls(
    protocol: Any,
    when_plain: Callable[[], None],
    clock: Any = None,
    seconds: float = HANDSHAKE_SECONDS,
) -> None:
    """End TLS on ``protocol``'s connection; ``when_plain()`` is called when its
    ``transport`` is the one below again.

    The caller has unregistered its producer, throws away what it has received and not
    yet handled, and writes its last reply in TLS (``200``) before.  A peer that does
    not answer within ``seconds`` loses the connection.
    """
    _Ending(protocol.transport, protocol, when_plain, clock, seconds)
