"""How much the peer of a connection has taken, as the kernel knows it.

What was written says little about a peer: megabytes of it may wait in buffers of ours.
The octets that it has acknowledged say whether it still reads, also for what
``sendfile`` and TLS have sent.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

_INFO_OCTETS = 256
_ACKNOWLEDGED = 120
"""Offset of ``tcpi_bytes_acked`` in Linux's ``struct tcp_info`` (since 4.1)."""
_NUMBER = struct.Struct("=Q")


def acknowledged_octets(transport: Any) -> int | None:
    """Octets that the peer has acknowledged since the connection began; None where
    nobody knows: UNIX sockets, memory, other systems."""
    handle = getattr(transport, "getHandle", None)
    if handle is None:
        return None
    try:
        info = handle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_OCTETS)
    except (OSError, AttributeError):
        return None
    if len(info) < _ACKNOWLEDGED + _NUMBER.size:
        return None
    found: int = _NUMBER.unpack_from(info, _ACKNOWLEDGED)[0]
    return found
