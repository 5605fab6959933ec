"""What was asked for, and how it was answered: numbers, and the access log."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.logfile import LogFile
from netservices.http.server.accesslines import CombinedLines, Served, json_line
from netservices.http.settings import HTTPSettings
from netservices.http.wire.head import Head
from netservices.plugin import Services
from netservices.values import Origin

DELAY_SECONDS = 0.2
"""How long a line may wait in memory before it is written."""

MOST_WAITING = 100_000
"""Lines held in memory while the disk is slow; further ones are counted and dropped."""

CLOSED_BY_PEER = 499
"""The status of what was not answered since the peer went away, as nginx logs it."""


class Access:
    """Counts answers, and has them written; a thread makes lines of them."""

    def __init__(
        self,
        file: LogFile[Served] | None = None,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._time = seconds
        self._requests = [0] * 6
        """By the first digit of the status."""
        self._octets = 0

    def note(
        self,
        origin: Origin,
        account: str,
        head: Head | None,
        status: int,
        octets: int,
        seconds: float,
    ) -> None:
        """An answer has ended; ``head`` is None where it could not be read, ``octets``
        are of content."""
        self._requests[status // 100 % 6] += 1
        self._octets += octets
        if self._file is not None:
            self._file.append(
                (self._time(), origin, account, head, status, octets, seconds),
                0 if head is None else head.size_octets,
            )

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        if self._file is not None:
            self._file.start()

    def stop(self) -> Deferred[None] | None:
        """Write what waits, and close the file."""
        return None if self._file is None else self._file.stop()

    def reopen(self) -> Deferred[None] | None:
        """Go on in a new file: logrotate has moved the old one."""
        return None if self._file is None else self._file.reopen()

    def status(self) -> Mapping[str, Any]:
        """The numbers, for ``netservices status``."""
        found: dict[str, Any] = {"requests": sum(self._requests)}
        for digit in range(2, 6):
            found[f"answers_{digit}xx"] = self._requests[digit]
        found["sent_octets"] = self._octets
        if self._file is not None:
            found["access_log_dropped"] = self._file.dropped
        return found


def make_access(settings: HTTPSettings, services: Services) -> Access:
    """With the log that the settings ask for.  ConfigurationError."""
    name = settings.access_log
    if not name:
        return Access()
    whole = services.settings
    encode = json_line if settings.access_log_format == "json" else CombinedLines()
    file: LogFile[Served] = LogFile(
        os.path.join(whole.state_directory, "log", name),
        "http.access_log",
        encode,
        services.clock,
        DELAY_SECONDS,
        MOST_WAITING,
    )
    if os.path.isabs(name):
        file.check()
    return Access(file)
