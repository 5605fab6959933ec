"""Events: what happened, for machines.

One schema: a table of event names and their fields.  A field that an ``emit`` leaves
out is null, one that the table does not know is a bug and raises ``ValueError``, so
that whoever counts and alerts can rely on the names.  ``time`` (seconds since 1970) and
``event`` are in every record.  Nothing secret is ever in one.

Records go to sinks: counters, those that ``subscribe`` adds, and a file of JSON lines.
The file is written by a thread, in batches, so that a slow disk stops nobody; what a
disk cannot take in time is dropped and counted.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from netservices.config.settings import LogSettings
from netservices.core.deferreds import as_deferred
from netservices.core.logfile import LogFile
from netservices.interfaces import IEvents

_SESSION = ("protocol", "session", "address", "is_secure")

SCHEMA: Mapping[str, tuple[str, ...]] = {
    # the process
    "server_started": ("version", "hostname", "listeners"),
    "server_reloaded": ("needs_restart",),
    "server_stopped": ("seconds", "cut_connections"),
    "store_checked": ("reason", "findings"),
    # connections and sessions
    "connection_opened": (*_SESSION, "endpoint"),
    "connection_closed": (*_SESSION, "endpoint", "seconds", "reason"),
    "session_refused": (*_SESSION, "reason"),
    "session_ended": (*_SESSION, "account"),
    # who
    "login": (*_SESSION, "account", "method", "label", "email"),
    "login_refused": (*_SESSION, "login", "method", "reason", "retry_after"),
    "logout": (*_SESSION, "account", "seconds"),
    "locked_out": (*_SESSION, "login", "network", "seconds"),
    "unlocked": ("login", "address"),
    "account_changed": ("account",),
    # files
    "transfer": (
        *_SESSION,
        "account",
        "email",
        "client",
        "verb",
        "direction",
        "path",
        "disk_path",
        "type",
        "size_octets",
        "offset",
        "seconds",
        "rate",
        "tls",
        "tls_resumed",
        "outcome",
    ),
    "file_changed": (
        *_SESSION,
        "account",
        "email",
        "change",
        "path",
        "disk_path",
        "target",
        "disk_target",
        "size_octets",
    ),
    "hook_failed": ("hook", "program", "path", "status", "reason"),
    # names
    "zone_changed": ("zone", "view", "serial", "change", "records"),
    "replies_limited": ("network", "kind", "name", "replies"),
    "zone_refused": ("zone", "view", "reason"),
    "zone_updated": ("zone", "who", "client", "changes", "serial"),
    "update_refused": ("zone", "who", "client", "rcode", "reason"),
    "key_doubted": ("key_name", "client", "error"),
    "zone_transferred": (
        "zone",
        "primary",
        "form",
        "from_serial",
        "serial",
        "records",
        "octets",
        "seconds",
    ),
    "zone_transfer_failed": ("zone", "primary", "reason"),
    "zone_expired": ("zone", "serial"),
    "health_changed": ("address", "check", "state", "reason"),
    "balance_changed": ("name", "gives"),
    "zone_notified": ("zone", "serial", "address", "transport", "tries", "seconds"),
    "zone_notify_failed": ("zone", "serial", "address", "reason"),
    "zone_sent": (
        "zone",
        "serial",
        "address",
        "key_name",
        "transport",
        "wanted",
        "form",
        "outcome",
        "records",
        "octets",
        "seconds",
    ),
    "catalog_problem": ("zone", "reason"),
}
"""Event name to field names."""


@implementer(IEvents)
class Events:
    """The events of one process."""

    _log = Logger()

    def __init__(self, settings: LogSettings, state_directory: str, clock: Any) -> None:
        self.settings = settings
        self.clock = clock
        self.counters: Counter[str] = Counter()
        self._sinks: list[Callable[[Mapping[str, object]], None]] = []
        self._file: LogFile[Mapping[str, object]] | None = None
        if settings.events:
            self._file = LogFile(
                os.path.join(state_directory, settings.events),
                "log.events",
                _as_json,
                clock,
                settings.events_delay,
                settings.events_waiting,
            )

    @property
    def dropped(self) -> int:
        """Events that the file does not have, as the disk was too slow or full."""
        return 0 if self._file is None else self._file.dropped

    def emit(self, event: str, /, **fields: object) -> None:
        """Record an event of the schema.  ValueError for a name that is not in it."""
        names = SCHEMA.get(event)
        if names is None:
            raise ValueError(f"no event is called {event!r}")
        record: dict[str, object] = {"time": self.clock.seconds(), "event": event}
        record.update(dict.fromkeys(names))
        record.update(fields)
        if len(record) != len(names) + 2:
            unknown = ", ".join(sorted(set(fields) - set(names)))
            raise ValueError(f"event {event} has no field {unknown}")
        self.counters[event] += 1
        if self._file is not None:
            self._file.append(record)
        for sink in tuple(self._sinks):
            try:
                sink(record)
            except Exception:
                self._log.failure("a sink of events failed")

    def subscribe(
        self, sink: Callable[[Mapping[str, object]], None]
    ) -> Callable[[], None]:
        """Add a sink; the result removes it."""
        self._sinks.append(sink)

        def unsubscribe() -> None:
            if sink in self._sinks:
                self._sinks.remove(sink)

        return unsubscribe

    # --- the file of JSON lines ---

    def check(self) -> None:
        """Refuse a file outside the state directory that cannot be written, and leave
        no trace.  ConfigurationError."""
        if self._file is not None and os.path.isabs(self.settings.events):
            self._file.check()

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        if self._file is not None:
            self._file.start()

    @as_deferred
    async def stop(self) -> None:
        """Write what waits, and close the file."""
        if self._file is not None:
            await self._file.stop()

    @as_deferred
    async def reopen(self) -> None:
        """Go on in a new file under the same name: logrotate has moved the old one."""
        if self._file is not None:
            await self._file.reopen()


def _as_json(record: Mapping[str, object]) -> str:
    return json.dumps(record, default=str)
