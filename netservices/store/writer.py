"""The writer thread: units in, one commit a group, one call into the reactor a group.

Theory.  Group commit clocks itself: while one commit syncs, the units that arrive wait
in the queue, and the next commit takes them all, up to the limits.  Nothing that
somebody awaits is ever delayed on purpose, so a lone unit takes one sync, and a crowd
shares them.  Units that nobody awaits gather for a moment, at most until one comes that
is awaited: it goes behind them.

All counting is done in the reactor thread; only the queue crosses over.  After a commit
the thread makes one ``callFromThread`` for the whole group, which publishes the notices
and fires the Deferreds in the order of the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.interfaces import OutcomeUnknown, StoreBusy, StoreUnavailable
from netservices.store.checkpoint import Checkpointer
from netservices.store.engine import Engine
from netservices.store.jobs import Group, Job
from netservices.store.settings import StoreSettings
from netservices.store.weigh import octets_of
from netservices.units import Unit
from netservices.values import Notice

GATHER_SECONDS = 0.02
"""How long a unit that nobody awaits may wait for others."""


class Writer:
    """Applies units one group after the other, in a thread of its own."""

    _log = Logger()

    def __init__(
        self,
        engine: Engine,
        settings: StoreSettings,
        reactor: Any,
        committed: Callable[[tuple[Notice, ...]], None],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._reactor = reactor
        self._committed = committed
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting_units = 0
        self._waiting_octets = 0
        self._gathered: list[Job] = []
        """Units that nobody awaits."""
        self._gathering: Any = None
        self._is_running = False
        self._is_last = False
        self._stopped: Deferred[None] = Deferred()
        self._thread: Thread | None = None
        self._checkpointer = Checkpointer(engine.path, settings)

    def start(self) -> Deferred[None]:
        """Open the engine in the thread; fires when units can be taken."""
        opened: Deferred[None] = Deferred()
        self._thread = Thread(
            target=self._run, args=(opened,), name="store-writer", daemon=True
        )
        self._thread.start()
        return opened

    def submit(self, unit: Unit, is_awaited: bool = True) -> Deferred[tuple[Any, ...]]:
        """The results of the unit, once it is on stable storage."""
        if not self._is_running:
            return fail(StoreUnavailable("the store is not open"))
        octets = octets_of(unit)
        if (
            self._waiting_units >= self._settings.queue_units
            or self._waiting_octets + octets > self._settings.queue_octets
            and self._waiting_units
        ):
            return fail(StoreBusy(f"{self._waiting_units} units wait already"))
        # Cancelling drops interest, not the write: the canceller does nothing.
        job = Job(unit, octets)
        self._waiting_units += 1
        self._waiting_octets += octets
        self._gathered.append(job)
        if is_awaited or len(self._gathered) >= self._settings.group_units:
            self._send()
        elif self._gathering is None:
            self._gathering = self._reactor.callLater(GATHER_SECONDS, self._send)
        return job.deferred

    def _send(self) -> None:
        """Hand over what has gathered."""
        gathering, self._gathering = self._gathering, None
        if gathering is not None and gathering.active():
            gathering.cancel()
        for job in self._gathered:
            self._queue.put(job)
        self._gathered.clear()

    def stop(self) -> Deferred[None]:
        """Refuse new units, commit those that wait, close the engine."""
        self._is_running = False
        self._send()
        if self._thread is not None:
            self._queue.put(None)
        else:
            self._stopped.callback(None)
        return self._stopped

    # --- in the writer thread -------------------------------------------------------

    def _run(self, opened: Deferred[None]) -> None:
        try:
            self._engine.open()
            self._checkpointer.start()
        except BaseException:
            self._engine.close()
            self._reactor.callFromThread(self._did_not_open, opened, Failure())
            return
        self._reactor.callFromThread(self._did_open, opened)
        while not self._is_last and (job := self._queue.get()) is not None:
            self._work(job)
            # Until the next one comes, which may be long: it may be a large zone.
            del job
        self._checkpointer.stop()
        self._engine.close()
        self._reactor.callFromThread(self._did_stop)

    def _work(self, job: Job) -> None:
        taken = [job]

        def more() -> Job | None:
            found = self._more()
            if found is not None:
                taken.append(found)
            return found

        try:
            group = self._engine.commit(job, more)
        except Exception as error:
            # Nobody knows how far it came; whoever sent a token may ask again.
            self._log.failure("the writer failed")
            group = Group(taken)
            group.fail(OutcomeUnknown(f"the writer failed: {error}"))
        self._reactor.callFromThread(self._fire, group)
        self._checkpointer.after_commit(self._engine)

    def _more(self) -> Job | None:
        """The next unit that waits already; at the mark of the end, there is none."""
        try:
            job = self._queue.get_nowait()
        except Empty:
            return None
        if job is None:
            self._is_last = True
        return job

    # --- in the reactor thread ------------------------------------------------------

    def _did_open(self, opened: Deferred[None]) -> None:
        self._is_running = True
        opened.callback(None)

    def _did_not_open(self, opened: Deferred[None], failure: Failure) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        opened.errback(failure)

    def _fire(self, group: Group) -> None:
        self._committed(group.notices)
        for job in group.jobs:
            self._waiting_units -= 1
            self._waiting_octets -= job.octets
            job.fire()

    def _did_stop(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._stopped.callback(None)
