"""Whether a client reads what it is told, as far as the kernel knows."""

from __future__ import annotations

import fcntl
import sys
import termios
from typing import Any

MOST_UNREAD_OCTETS = 16 * 1024
"""Of replies on their way; above that nothing is said that need not be."""


def is_heard(control: Any) -> bool:
    """Whether little of what was sent on that socket still waits for the peer."""
    try:
        found = fcntl.ioctl(control.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return False
    return int.from_bytes(found, sys.byteorder) < MOST_UNREAD_OCTETS
