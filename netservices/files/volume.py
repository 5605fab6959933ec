"""What all users of one tree share in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar, TypeVarTuple

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from netservices.files.disk import Disk
from netservices.files.intents import Intents
from netservices.files.joined import Readings
from netservices.files.listing import Snapshots
from netservices.files.looking import Looking
from netservices.files.permissions import Guard
from netservices.files.problems import problem_of
from netservices.files.quota import Ledger
from netservices.files.settings import FilesSettings
from netservices.files.work import Hops, Pace
from netservices.interfaces import (
    FileProblem,
    IStore,
    StoreReadOnly,
    StoreUnavailable,
)

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
    guards: list[Guard] = field(factory=list)
    """Each may refuse a change of a path: see ``permissions.Guard``."""
    origin: Volume | None = None
    """The one of which this is a restricted view; kept, so that others who use the
    tree share it."""

    def look(self, function: Callable[[Looking, *Ts], T], *args: *Ts) -> Deferred[T]:
        """What ``function(disk, *args)`` returns: at once where the kernel has all of
        it in memory, as it mostly has, and otherwise from a thread."""
        glance = self.disk.glance
        if glance is not None and not self.hops.is_inline and self.pace.is_fast():
            try:
                return succeed(self.pace.timed(partial(function, glance, *args)))
            except BlockingIOError:
                pass
            except OSError as error:
                return fail(problem_of(error))
            except FileProblem:
                return fail()
        return self.hops.run(partial(function, self.disk, *args))

    def check_store(self, is_deletion: bool = False) -> None:
        """Whether records can be written, asked before the disk is changed; where it is
        full, those of deletions can.  StoreReadOnly, StoreUnavailable."""
        if self.store.state == "readonly":
            if is_deletion:
                return
            raise StoreReadOnly("the disk is nearly full")
        if self.store.state != "ready":
            raise StoreUnavailable(f"the store is {self.store.state}")
