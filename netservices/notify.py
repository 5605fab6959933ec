"""sd_notify(3): tell systemd that the service is ready, reloads, stops, and lives.

The whole protocol is one datagram of ``NAME=value`` lines to the UNIX socket that
``$NOTIFY_SOCKET`` names (a leading ``@`` means the abstract name space).  Without that
variable nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall


class Notifier:
    """The service manager's ear."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._path = environ.get("NOTIFY_SOCKET", "")
        self._watchdog_seconds = _watchdog_seconds(environ)
        self._call: IDelayedCall | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody listens."""
        return self._path[:1] in ("/", "@")

    @property
    def watchdog_seconds(self) -> float:
        """A sign of life is expected within that time; 0 where none is."""
        return self._watchdog_seconds if self.is_wanted else 0.0

    def tell(self, *lines: str) -> None:
        """Send the lines; whoever does not listen misses them."""
        if not self.is_wanted:
            return
        path = "\0" + self._path[1:] if self._path[0] == "@" else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), path)
        except OSError:
            pass  # a service manager that is gone must not stop the service

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self.tell(f"STATUS={text}")

    def ready(self, text: str) -> None:
        """Everything listens, and the store is open."""
        self.tell("READY=1", f"STATUS={text}")

    def reloading(self) -> None:
        """A reload has begun; ``ready`` ends it."""
        # sd_notify(3): Type=notify-reload wants the time of CLOCK_MONOTONIC.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=reloading")

    def stopping(self, text: str) -> None:
        """The stop has begun."""
        self.tell("STOPPING=1", f"STATUS={text}")

    def start_watchdog(self, reactor: Any) -> None:
        """Report twice in each period; a reactor that hangs does not, and is killed."""
        if self.watchdog_seconds:
            self.tell("WATCHDOG=1")
            self._call = reactor.callLater(
                self.watchdog_seconds / 2, self.start_watchdog, reactor
            )

    def stop_watchdog(self) -> None:
        """Report no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """The period of $WATCHDOG_USEC in seconds, if it is meant for this process."""
    wanted = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(wanted) / 1e6 if wanted.isdigit() else 0.0
