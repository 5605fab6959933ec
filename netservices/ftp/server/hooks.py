"""Hooks: the administrator's programs, run by a few threads after what they are for.

Nobody waits for them: what they are told of has happened, is on stable storage, and the
client hears of it at once.  Events that come faster than programs end wait in a bounded
queue; where that is full, they are counted and dropped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.deferreds import as_deferred
from netservices.core.programs import Ended, check_program, run_program
from netservices.core.threads import TooManyWaiting, Workers
from netservices.core.trace import printable
from netservices.ftp.hooks import (
    Record,
    environment_of,
    occasion_of,
    programs_by_occasion,
)
from netservices.ftp.settings import FTPSettings
from netservices.interfaces import IEvents

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables that programs have from the server."""


class Hooks:
    """The sink of events that runs programs."""

    _log = Logger()

    def __init__(self, settings: FTPSettings, events: IEvents, reactor: Any) -> None:
        self.programs = programs_by_occasion(settings.hooks)
        self.counts = {"done": 0, "failed": 0, "dropped": 0}
        self._settings = settings
        self._events = events
        self._reactor = reactor
        self._inherited = {
            name.encode(): os.environ[name].encode("utf-8", "surrogateescape")
            for name in _INHERITED
            if name in os.environ
        }
        self._shall_stop = Event()
        self._is_full = False
        self._workers = Workers(
            reactor, "hooks", settings.hooks_at_once, settings.hooks_waiting
        )

    def check(self) -> None:
        """ValueError where there is no such program."""
        for program in {one for all_ in self.programs.values() for one in all_}:
            check_program(program)

    def start(self) -> None:
        """Run programs from now on."""
        self._workers.start()

    @as_deferred
    async def stop(self) -> None:
        """Finish what waits and runs; after ``ftp.hooks_grace``, kill it."""
        grace = self._settings.hooks_grace
        timer = self._reactor.callLater(grace, self._shall_stop.set)
        await self._workers.stop()
        if timer.active():
            timer.cancel()

    def hear(self, record: Record) -> None:
        """Begin what is to be done after an event, and return at once."""
        if record.get("protocol") != "ftp":
            return
        occasion = occasion_of(record)
        for program in self.programs.get(occasion, ()):
            self._begin(program, occasion, record)

    def _begin(self, program: str, occasion: str, record: Record) -> None:
        settings = self._settings
        running: Deferred[Ended] = self._workers.call(
            run_program,
            program,
            {**self._inherited, **environment_of(record, occasion)},
            settings.hook_timeout,
            settings.hook_output,
            self._shall_stop,
        )
        running.addCallbacks(
            self._ended,
            self._dropped,
            callbackArgs=(program, occasion, record),
            errbackArgs=(program, occasion),
        )
        running.addErrback(lambda f: self._log.failure("hooks", failure=f))

    def _ended(self, ended: Ended, program: str, occasion: str, record: Record) -> None:
        self._is_full = False
        is_good = ended.status == 0 and not ended.reason
        self.counts["done" if is_good else "failed"] += 1
        path = record.get("path") or ""
        how = ended.reason or f"exit status {ended.status}"
        log = self._log.info if is_good else self._log.warn
        log(
            "hook {program} for {occasion} {path}: {how} after {seconds} s{output}",
            program=program,
            occasion=occasion,
            path=printable(path.encode("utf-8", "surrogateescape")),
            how=how,
            seconds=round(ended.seconds, 3),
            output=_shown(ended.output),
        )
        if not is_good:
            self._events.emit(
                "hook_failed",
                hook=occasion,
                program=program,
                path=path or None,
                status=ended.status,
                reason=how,
            )

    def _dropped(self, failure: Failure, program: str, occasion: str) -> None:
        self.counts["dropped"] += 1
        if failure.check(TooManyWaiting) is None:
            self._log.failure("hook {program}", failure, program=program)
        elif not self._is_full:
            self._is_full = True
            self._log.warn(
                "hook {program} for {occasion} does not run: too many wait; until one"
                " has ended, others are dropped and counted",
                program=program,
                occasion=occasion,
            )

    def status(self) -> Mapping[str, int]:
        """Counts of programs, for ``netservices status``."""
        return {**self.counts, "waiting": self._workers.unfinished}


def _shown(output: bytes) -> str:
    """The output as a log may hold it: each line after a bar."""
    return "".join(f" | {printable(line)}" for line in output.splitlines() if line)
