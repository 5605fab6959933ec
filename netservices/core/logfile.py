"""A file to which lines are appended by a thread, in batches.

Nobody waits for the disk: what is appended stays in memory for a moment and is written
together.  What a slow or full disk cannot take in time is dropped and counted.  Every
system call on the file is made by one thread, in order, so that a reopening comes after
the lines before it and ahead of those after it.  A batch that finds the file moved away
or removed goes to a new file of the same name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from tempfile import mkdtemp
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.threads import Workers

LINES_A_WRITE = 256
"""Lines that are made before the thread leaves the interpreter to others: each write
does that, and answers wait no longer than it takes to make so many."""

T = TypeVar("T")

MOST_OCTETS = 32 * 1024 * 1024
"""So much may wait in memory, as far as those who append say what their lines take."""


class LogFile(Generic[T]):
    """Lines that ``encode`` makes of what is appended, without their ends.

    ``name`` is the setting that names the file, for messages.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        name: str,
        encode: Callable[[T], str],
        clock: Any,
        delay_seconds: float,
        most_waiting: int,
    ) -> None:
        self.path = path
        self.dropped = 0
        """Lines that were not written."""
        self._name = name
        self._encode = encode
        self._clock = clock
        self._delay = delay_seconds
        self._most_waiting = most_waiting
        self._waiting: list[T] = []
        self._waiting_octets = 0
        self._flush_call: IDelayedCall | None = None
        self._is_started = False
        self._is_writing = False
        self._is_failing = False
        self._file = -1
        reactor = clock if hasattr(clock, "callFromThread") else None
        self._writer = Workers(reactor, name, 1, 4)

    def check(self) -> None:
        """Refuse a file that cannot be written, and leave no trace.
        ConfigurationError."""
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
            f"{self._name}: {self.path} cannot be written: {error.strerror or error}"
        )

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        try:
            self._file = self._open()
        except OSError as error:
            raise self._unusable(error) from None
        self._writer.start()
        self._is_started = True

    def append(self, line: T, octets: int = 0) -> None:
        """Have a line written soon; before the start and after the stop, never.
        ``octets``: what it takes in memory, where that may be much."""
        if not self._is_started:
            return
        is_full = len(self._waiting) >= self._most_waiting
        if is_full or self._waiting_octets > MOST_OCTETS:
            self.dropped += 1
            return
        self._waiting.append(line)
        self._waiting_octets += octets
        self._plan_flush()

    @as_deferred
    async def reopen(self) -> None:
        """Go on in a new file under the same name: logrotate has moved the old one."""
        if not self._is_started:
            return
        batch = self._take()
        if batch:
            self._written(await self._writer.call(self._write, batch, False))
        self._written(await self._writer.call(self._write, [], True, True))

    @as_deferred
    async def stop(self) -> None:
        """Write what waits, and close the file."""
        if not self._is_started:
            return
        self._is_started = False
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        batch = self._take()
        if batch:
            self._written(await self._writer.call(self._write, batch))
        await self._writer.stop()
        os.close(self._file)
        self._file = -1

    def _take(self) -> list[T]:
        batch, self._waiting = self._waiting, []
        self._waiting_octets = 0
        return batch

    def _plan_flush(self) -> None:
        if self._flush_call is None and not self._is_writing:
            self._flush_call = self._clock.callLater(self._delay, self._flush)

    def _flush(self) -> None:
        """Hand what waits to the thread; one batch is under way at a time."""
        self._flush_call = None
        batch = self._take()
        if not batch:
            return
        self._is_writing = True
        deferred = self._writer.call(self._write, batch)
        deferred.addCallbacks(self._written, self._unwritten)
        deferred.addErrback(lambda f: self._log.failure("log file", failure=f))

    def _written(self, problem: str) -> None:
        self._is_writing = False
        if problem and not self._is_failing:
            self._log.error(
                "{name}: lines cannot be written to {path}: {problem}; they are only"
                " counted until it works again",
                name=self._name,
                path=self.path,
                problem=problem,
            )
        self._is_failing = bool(problem)
        if self._waiting and self._is_started:
            self._plan_flush()

    def _unwritten(self, failure: Any) -> None:
        self._log.failure("lines of {path} were lost", failure, path=self.path)
        self._is_writing = False

    # --- in the thread --------------------------------------------------------------

    def _write(self, batch: list[T], follows: bool = True, renews: bool = False) -> str:
        """Append the batch; the problem, or nothing.

        To a new file where the old one has lost its name and ``follows``, or where it
        ``renews`` in any case.
        """
        left, data = len(batch), b""
        try:
            if renews or (follows and self._was_moved()):
                self._replace()
            for start in range(0, len(batch), LINES_A_WRITE):
                lines = batch[start : start + LINES_A_WRITE]
                data = "".join([self._encode(line) + "\n" for line in lines]).encode()
                left -= len(lines)
                while data:
                    data = data[os.write(self._file, data) :]
        except OSError as error:
            self.dropped += left + data.count(b"\n")
            return error.strerror or str(error)
        return ""

    def _was_moved(self) -> bool:
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return True
        return not os.path.samestat(named, os.fstat(self._file))

    def _replace(self) -> None:
        fresh = self._open()
        self._file, old = fresh, self._file
        os.close(old)

    def _open(self) -> int:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, 0o640)
