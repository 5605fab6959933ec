"""Whether a client that has ended a plain upload is still there.

Theory.  In stream mode the end of the stream is the end of the file (RFC 959 3.4.1),
and a system ends the streams of a program that it kills just as those of one that is
done.  What tells them apart is the control connection, which a client that is done
keeps.  The two ends of a killed client come within microseconds of each other, or
within milliseconds where its system is busy, in any order: Linux closes what was opened
last first.  So after the end of the data one has to wait, and how long is a bargain:

* who has sent little, and all of it at once, was hardly killed in between: no wait;
* else an eighth of the time that the upload took, within limits, which slows none of
  them down much;
* from afar an eighth of the round trip, for the two may take different ways;
* where segments of this upload were lost, the time in which one is sent again.

The kernel's own state is asked: it knows of the end also where octets lie unread before
it.  It is asked again when the file is synced and only its name is missing.  TLS needs
none of it: a killed program cannot say close_notify.  Nor does a client that says with
ALLO how much is to come, or sends in blocks.

What remains: a client that is killed on a path that has just now lost its first
segment, or whose system takes longer than that between the two ends.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from attrs import frozen

LOOK_OCTETS = 64 * 1024
"""After so many octets of an upload, and twice as many, and so on, the kernel is asked
for losses."""

_LITTLE_OCTETS = 16 * 1024
"""What a client hands to its system in one call."""
_AT_ONCE_SECONDS = 0.002
_SHORTEST_SECONDS = 0.002
_LONGEST_NEAR_SECONDS = 0.025
_PART = 8
_REPETITION_SECONDS = 0.3
"""After which TCP sends again what was lost: 200 ms on Linux, and some more."""
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


def wait_seconds(
    octets: int, receiving_seconds: float, link: Link, has_losses: bool
) -> float:
    """How long the end of the control connection may take after that of an upload of
    so many octets that took so long; 0: one look is enough."""
    if has_losses:
        return min(_REPETITION_SECONDS + 2 * link.round_trip_seconds, _LONGEST_SECONDS)
    seconds = 0.0
    if octets > _LITTLE_OCTETS or receiving_seconds > _AT_ONCE_SECONDS:
        seconds = max(receiving_seconds / _PART, _SHORTEST_SECONDS)
        seconds = min(seconds, _LONGEST_NEAR_SECONDS)
    far = link.round_trip_seconds / _PART
    if far > _AT_ONCE_SECONDS:
        seconds = max(seconds, min(far, _LONGEST_SECONDS))
    return seconds
