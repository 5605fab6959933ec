"""Whether a client that has ended a plain upload is still there.

Theory.  In stream mode the end of the stream is the end of the file (RFC 959 3.4.1),
and a system ends the streams of a program that it kills just as those of one that is
done.  What tells them apart is the control connection, which a client that is done
keeps.  Systems close the connections of a killed program in the order in which it
opened them, the control connection first, so as a rule its end is there before that of
the data, and one look is enough.  The kernel's own state is asked: it knows of the end
also where octets lie unread before it.

The rule fails where the two ends are overtaken on their way, or the first one is lost
and sent again.  So the look is repeated after a wait that grows with what the network
is like: nothing for a small file from near by, an eighth of the round trip from afar,
and the time of a repetition where segments of this upload were lost.  TLS needs none of
it: a killed program cannot say close_notify.

What remains: a program that loses its control connection's end on a path that has shown
no loss, or that opened the data connection first and is killed far from here.  ALLO
with the size of the file excludes that, too.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from attrs import frozen

SMALL_OCTETS = 64 * 1024
"""Less is sent in one go: hardly a client is killed in the middle."""

_NEAR_SECONDS = 0.001
_PART_OF_ROUND_TRIP = 8
_REPETITION_SECONDS = 0.3
"""RFC 6298 2.4, as Linux does it: 200 ms and what the way takes."""
_LONGEST_SECONDS = 1.0

_INFO_OCTETS = 232
_ESTABLISHED = 1
_ROUND_TRIP = 68
_OUT_OF_ORDER = 224
"""Offsets in Linux's ``struct tcp_info``: microseconds, segments."""
_NUMBER = struct.Struct("=I")


@frozen
class Link:
    """What the kernel knows of a connection."""

    is_open: bool
    """Whether neither side has ended it."""
    round_trip_seconds: float = 0.0
    has_losses: bool = False
    """Whether segments came out of order, for want of one that was lost."""


def look(connection: Any) -> Link:
    """The state of a socket now; nothing is read."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_OCTETS)
    except (OSError, AttributeError):
        return Link(_has_no_end(connection))
    return Link(
        info[0] == _ESTABLISHED,
        _number(info, _ROUND_TRIP) / 1e6,
        _number(info, _OUT_OF_ORDER) > 0,
    )


def _number(info: bytes, offset: int) -> int:
    """0 where an older kernel knows less."""
    if len(info) < offset + _NUMBER.size:
        return 0
    found: int = _NUMBER.unpack_from(info, offset)[0]
    return found


def _has_no_end(connection: Any) -> bool:
    """The same for sockets that are not TCP's, and for other systems."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return False


def wait_seconds(octets: int, link: Link, has_losses: bool) -> float:
    """How long the end of the control connection may take after that of an upload of
    so many octets; 0: one look is enough."""
    if has_losses:
        return min(_REPETITION_SECONDS + 2 * link.round_trip_seconds, _LONGEST_SECONDS)
    seconds = min(link.round_trip_seconds / _PART_OF_ROUND_TRIP, _LONGEST_SECONDS)
    if seconds < _NEAR_SECONDS:
        return 0.0 if octets < SMALL_OCTETS else _NEAR_SECONDS
    return seconds
