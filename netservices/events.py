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
from tempfile import mkdtemp
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from netservices.config.settings import LogSettings
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.threads import Workers
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
    # who
    "login": (*_SESSION, "account", "method", "label"),
    "login_refused": (*_SESSION, "login", "method", "reason", "retry_after"),
    "logout": (*_SESSION, "account", "seconds"),
    "locked_out": (*_SESSION, "login", "network", "seconds"),
    "unlocked": ("login", "address"),
    "account_changed": ("account",),
    # files
    "transfer": (
        *_SESSION,
        "account",
        "direction",
        "path",
        "size_octets",
        "offset",
        "seconds",
        "outcome",
    ),
    "file_changed": (*_SESSION, "account", "change", "path", "target"),
    # names
    "zone_changed": ("zone", "serial", "change", "records"),
    "zone_refused": ("zone", "reason"),
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
        self.dropped = 0
        self.path = (
            os.path.join(state_directory, settings.events) if settings.events else ""
        )
        self._sinks: list[Callable[[Mapping[str, object]], None]] = []
        self._waiting: list[Mapping[str, object]] = []
        self._flush_call: IDelayedCall | None = None
        self._is_started = False
        self._is_writing = False
        self._is_failing = False
        self._file = -1
        reactor = clock if hasattr(clock, "callFromThread") else None
        self._writer = Workers(reactor, "events", 1, 4)

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
        if self._is_started and self.path:
            self._keep(record)
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
        if not os.path.isabs(self.settings.events):
            return
        try:
            if os.path.exists(self.path):
                flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
                os.close(os.open(self.path, flags))
                return
            parent = os.path.dirname(self.path)
            while not os.path.lexists(parent):
                parent = os.path.dirname(parent)
            os.rmdir(mkdtemp(dir=parent))
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"log.events = {self.settings.events!r}: {self.path} cannot be written:"
            f" {error.strerror or error}"
        )

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        if self.path:
            try:
                self._file = self._open()
            except OSError as error:
                raise self._unusable(error) from None
        self._writer.start()
        self._is_started = True

    @as_deferred
    async def stop(self) -> None:
        """Write what waits, and close the file."""
        self._is_started = False
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        batch, self._waiting = self._waiting, []
        if batch and self._file >= 0:
            self._written(await self._writer.call(self._write, batch))
        await self._writer.stop()
        self._close()

    @as_deferred
    async def reopen(self) -> None:
        """Go on in a new file under the same name: logrotate has moved the old one."""
        if self._file < 0:
            return
        batch, self._waiting = self._waiting, []
        if batch:
            self._written(await self._writer.call(self._write, batch))
        fresh = self._open()
        self._file, old = fresh, self._file
        await self._writer.call(os.close, old)  # after the writes that were queued

    def _open(self) -> int:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, 0o640)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _keep(self, record: Mapping[str, object]) -> None:
        if len(self._waiting) >= self.settings.events_waiting:
            self.dropped += 1
            return
        self._waiting.append(record)
        if self._flush_call is None and not self._is_writing:
            delay = self.settings.events_delay
            self._flush_call = self.clock.callLater(delay, self._flush)

    def _flush(self) -> None:
        """Hand what waits to the thread; one batch is under way at a time."""
        self._flush_call = None
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        self._is_writing = True
        deferred = self._writer.call(self._write, batch)
        deferred.addCallbacks(self._written, self._unwritten)
        deferred.addErrback(lambda f: self._log.failure("events", failure=f))

    def _write(self, batch: list[Mapping[str, object]]) -> str:
        """In the thread: append the batch; the problem, or nothing."""
        lines = [json.dumps(record, default=str) for record in batch]
        data = ("\n".join(lines) + "\n").encode()
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.dropped += data.count(b"\n")
            return error.strerror or str(error)
        return ""

    def _written(self, problem: str) -> None:
        self._is_writing = False
        if problem and not self._is_failing:
            self._log.error(
                "events cannot be written to {path}: {problem}; they are only counted"
                " until it works again",
                path=self.path,
                problem=problem,
            )
        self._is_failing = bool(problem)
        if self._waiting and self._is_started and self._flush_call is None:
            delay = self.settings.events_delay
            self._flush_call = self.clock.callLater(delay, self._flush)

    def _unwritten(self, failure: Any) -> None:
        self._log.failure("events were lost", failure=failure)
        self._is_writing = False
