"""What all users of one tree share in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.files.disk import Disk
from netservices.files.intents import Intents
from netservices.files.joined import Readings
from netservices.files.listing import Snapshots
from netservices.files.looking import Looking
from netservices.files.problems import problem_of
from netservices.files.quota import Ledger
from netservices.files.settings import FilesSettings
from netservices.files.work import Hops, Pace
from netservices.interfaces import (
    FileProblem,
    IStore,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
)
from netservices.units import Unit

_log = Logger()
_MOST_UNRECORDED = 256
Ts = TypeVarTuple("Ts")
T = TypeVar("T")


@define(eq=False)
class Volume:
    """A tree on disk, its sums, and who is changing it."""

    name: str
    disk: Disk
    store: IStore
    hops: Hops
    pace: Pace
    snapshots: Snapshots
    settings: FilesSettings
    readings: Readings
    intents: Intents = field(factory=Intents)
    ledger: Ledger = field(factory=Ledger)
    origin: Volume | None = None
    """The one of which this is a restricted view; kept, so that others who use the
    tree share it."""

    def look(self, function: Callable[[Looking, *Ts], T], *args: *Ts) -> Deferred[T]:
        """What ``function(disk, *args)`` returns: at once where the kernel has all of
        it in memory, as it mostly has, and otherwise from a thread."""
        glance = self.disk.glance
        if glance is not None and self._may_work_here():
            try:
                return self._work_here(partial(function, glance, *args))
            except BlockingIOError:
                pass
        return self.hops.run(partial(function, self.disk, *args))

    def change(self, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
        """What ``function(*args)`` returns, which makes or replaces a small file: from
        a thread, unless nothing is synced and the disk is fast."""
        if self.disk.durability.level == "none" and self._may_work_here():
            return self._work_here(partial(function, *args))
        return self.hops.run(partial(function, *args))

    def _may_work_here(self) -> bool:
        """Whether the disk may be used in the reactor thread."""
        return not self.hops.is_inline and self.pace.is_fast()

    def _work_here(self, function: Callable[[], T]) -> Deferred[T]:
        """What the function returns, at once.  BlockingIOError."""
        try:
            return succeed(self.pace.timed(function))
        except BlockingIOError:
            raise
        except OSError as error:
            return fail(problem_of(error))
        except (FileProblem, StoreError):
            return fail()

    def post(self, unit: Unit, octets: int, is_awaited: bool = False) -> Deferred[None]:
        """Have the record of a change of the sum written.

        Where the record is not among what ``files.durability`` promises, nobody waits
        for it, unless many are on their way, or ``is_awaited`` says so.  Units are
        applied in the order in which they come, so whatever is recorded later finds
        it.
        """
        self.ledger.post(octets)
        is_awaited = is_awaited or self.disk.durability.level == "full"
        recorded: Deferred[Any] = self.store.apply(unit, is_awaited)
        recorded.addBoth(self._posted, octets)
        if is_awaited:
            return recorded
        recorded.addErrback(self._not_recorded)
        if self.ledger.unrecorded < _MOST_UNRECORDED:
            return succeed(None)
        return recorded

    def _posted(self, result: Any, octets: int) -> Any:
        self.ledger.posted(octets)
        if isinstance(result, Failure):
            return result
        self.ledger.learn(result[-1][0])
        return None

    def _not_recorded(self, failure: Failure) -> None:
        _log.failure("the record of an upload to {tree}", failure, tree=self.name)

    async def refresh(self) -> tuple[int, int]:
        """The octets and files of the tree, which the ledger learns."""
        changes = self.ledger.changes
        octets, files = await self.store.file_records.usage(self.name)
        self.ledger.refresh(octets, changes)
        return octets, files

    def check_store(self, is_deletion: bool = False) -> None:
        """Whether records can be written, asked before the disk is changed; where it is
        full, those of deletions can.  StoreReadOnly, StoreUnavailable."""
        if self.store.state == "readonly":
            if is_deletion:
                return
            raise StoreReadOnly("the disk is nearly full")
        if self.store.state != "ready":
            raise StoreUnavailable(f"the store is {self.store.state}")
