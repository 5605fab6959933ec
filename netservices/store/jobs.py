"""Units on their way through a store, alone and in groups."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from netservices.units import Unit
from netservices.values import Notice


@define(eq=False)
class Job:
    """A unit on its way, and what became of it."""

    unit: Unit
    octets: int = 0
    deferred: Deferred[tuple[Any, ...]] = field(factory=Deferred)
    results: tuple[Any, ...] | None = None
    error: Exception | None = None

    def fire(self) -> None:
        """Tell whoever waits, unless he has lost interest."""
        if self.deferred.called:
            return
        if self.error is not None:
            self.deferred.errback(self.error)
        else:
            self.deferred.callback(self.results or ())


@define
class Group:
    """Jobs that shared a commit, and the notices that came of it."""

    jobs: list[Job] = field(factory=list)
    notices: tuple[Notice, ...] = ()

    def fail(self, error: Exception) -> None:
        """No unit of the group was applied, whatever each was told before."""
        for job in self.jobs:
            job.results, job.error = None, error
        self.notices = ()
