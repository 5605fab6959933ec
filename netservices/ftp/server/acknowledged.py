"""What the peer's system has acknowledged of a plain connection, and closing one."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

_UNSIGNED = struct.Struct("i")


def unacknowledged_octets(transport: Any) -> int:
    """How many octets lie in our kernel until the peer's has them; 0 for what is no
    socket."""
    try:
        descriptor = transport.getHandle().fileno()
        found = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError, AttributeError):
        return 0
    octets: int = _UNSIGNED.unpack(found)[0]
    return octets


def close_if_acknowledged(transport: Any) -> bool:
    """Close where the peer's system has everything; whether it has."""
    if transport.unsent_octets or unacknowledged_octets(transport):
        return False
    has_error = transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    reason = CONNECTION_LOST if has_error else CONNECTION_DONE
    transport.connectionLost(Failure(reason))
    return True


def end_stream(transport: Any) -> None:
    """Send FIN once everything has left, and go on listening."""
    # Where nobody reads, the end of both directions looks like a loss.
    transport.resumeProducing()
    if transport.unsent_octets:
        transport.loseWriteConnection()
    else:
        with suppress(OSError):
            transport.getHandle().shutdown(socket.SHUT_WR)
