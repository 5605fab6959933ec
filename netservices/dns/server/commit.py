"""Updates that wait for their zone, and how they become durable.

Each zone has a line.  Whoever stands in it is carried out in order, and those that wait
at the same time share one commit: each is tried on a draft that has the changes of
those before it, and each that changes something is an operation of one unit, with a
revision and a serial of its own.  The unit names the revision on which it builds; where
the zone has moved on by then, nothing of it is applied, and all are tried again on what
the zone is now.  So every update is applied whole or not at all, and its prerequisites
were true of what it changed (RFC 2136 3.7).

Nobody is told of success before the unit is on stable storage and the server answers
from the new content (RFC 2136 3.5).
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from netservices.dns.dialogue.update import (
    Update,
    UpdateLimits,
    UpdateRefused,
    perform,
)
from netservices.dns.grants import Rights
from netservices.dns.server.rdata import check_presentable
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.names import name_text
from netservices.dns.zone.draft import Draft
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.interfaces import Conflict, IStore, NotFound, StoreError
from netservices.units import Unit, UpdateZone
from netservices.values import RRset

_log = Logger()

MAX_BATCH_RECORDS = 200
"""Records of updates that share a commit: looking at them, and taking them into the
tree, holds up the reactor."""


@frozen
class Outcome:
    """What became of an update."""

    rcode: int
    reason: str = ""
    changes: int = 0
    """Records that are new or gone."""
    serial: int = 0


@frozen
class Waiting:
    """An update in the line of its zone."""

    update: Update
    rights: Rights
    author: str
    """Who it is, for the history of the zone."""
    settled: Callable[[Outcome], None]
    """Called once, with what became of it."""


class ZoneLine:
    """The updates of one zone, one after the other."""

    def __init__(
        self,
        apex: bytes,
        zones: Zones,
        store: IStore,
        now: Callable[[], float],
        limits: UpdateLimits,
        max_batch: int,
        max_tries: int,
    ) -> None:
        self._apex = apex
        self._zones = zones
        self._store = store
        self._now = now
        self._limits = limits
        self._max_batch = max_batch
        self._max_tries = max_tries
        self._waiting: deque[Waiting] = deque()
        self._is_working = False
        self._served: list[tuple[int, Deferred[None]]] = []
        self._problem: str | None = None
        """Of the last unit, where the store could not take it."""
        self.commits = 0
        """Units that were applied."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._is_working

    def add(self, waiting: Waiting) -> None:
        """Stand in line; ``waiting.settled`` hears what became of it."""
        self._waiting.append(waiting)
        if not self._is_working:
            self._is_working = True
            Deferred.fromCoroutine(self._work()).addErrback(
                lambda failure: _log.failure("updates", failure)
            )

    def followed(self) -> None:
        """The zone answers from new content, or is gone."""
        reached = self._revision()
        due = [gate for revision, gate in self._served if revision <= reached]
        self._served = [pair for pair in self._served if pair[0] > reached]
        for gate in due:
            gate.callback(None)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                for waiting, outcome in zip(
                    batch, await self._outcomes(batch), strict=True
                ):
                    waiting.settled(outcome)
        finally:
            self._is_working = False

    def _next_batch(self) -> list[Waiting]:
        batch = [self._waiting.popleft()]
        records = batch[0].update.size
        while self._waiting and len(batch) < self._max_batch:
            records += self._waiting[0].update.size
            if records > MAX_BATCH_RECORDS:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _outcomes(self, batch: list[Waiting]) -> list[Outcome]:
        try:
            return await self._carry_out(batch)
        except NotFound:
            return [Outcome(Rcode.NOTAUTH, "the zone is gone")] * len(batch)
        except StoreError as problem:
            # RFC 2136 3.4.2.1
            self._complain(str(problem))
        except Exception:
            _log.failure("updates of {zone}", zone=name_text(self._apex))
        return [Outcome(Rcode.SERVFAIL, "the store is in trouble")] * len(batch)

    def _complain(self, problem: str) -> None:
        """Log what is wrong with the store, but not for every update that comes while
        a disk is full: that fills it further."""
        if problem != self._problem:
            _log.failure("updates of {zone}", zone=name_text(self._apex))
        self._problem = problem

    async def _carry_out(self, batch: list[Waiting]) -> list[Outcome]:
        """What becomes of each.  StoreError."""
        for _ in range(self._max_tries):
            tree = self._zones.get(self._apex)
            if tree is None or tree.soa is None:
                rcode = Rcode.NOTAUTH if tree is None else Rcode.SERVFAIL
                return [Outcome(rcode, "there is no such zone now")] * len(batch)
            attempt = _Attempt(tree, self._limits, self._today())
            outcomes = [attempt.perform(waiting) for waiting in batch]
            if not attempt.operations:
                return outcomes
            token = secrets.token_bytes(16)
            try:
                await self._store.apply(Unit(tuple(attempt.operations), token))
            except Conflict:
                await self._until_served(attempt.base + 1)
                continue
            self.commits += 1
            self._problem = None
            await self._until_served(attempt.revision)
            return outcomes
        return [Outcome(Rcode.SERVFAIL, "others are always first")] * len(batch)

    def _revision(self) -> float:
        """That of the content that is served; a zone that is gone is past them all."""
        tree = self._zones.get(self._apex)
        return float("inf") if tree is None else tree.revision

    async def _until_served(self, revision: int) -> None:
        if self._revision() < revision:
            gate: Deferred[None] = Deferred()
            self._served.append((revision, gate))
            await gate

    def _today(self) -> int:
        return int(time.strftime("%Y%m%d", time.gmtime(self._now())))


class _Attempt:
    """One try to carry out some updates on what the zone is now."""

    def __init__(self, tree: ZoneTree, limits: UpdateLimits, today: int) -> None:
        self.base = self.revision = tree.revision
        self.operations: list[UpdateZone] = []
        self._apex = tree.apex
        self._draft = Draft(tree)
        self._limits = limits
        self._today = today

    def perform(self, waiting: Waiting) -> Outcome:
        """Carry one out; the others see its changes, where there are any."""
        draft = Draft(self._draft)
        try:
            perform(
                waiting.update,
                draft,
                waiting.rights,
                self._limits,
                self._today,
                check_presentable,
            )
        except UpdateRefused as refused:
            return Outcome(refused.rcode, refused.reason)
        differences = list(draft.differences())
        if not differences:
            return Outcome(Rcode.NOERROR)
        gone = tuple((o.owner, o.type) for o, n in differences if o and n is None)
        put = tuple(new for _, new in differences if new)
        operation = UpdateZone(self._apex, gone, put, self.revision, waiting.author)
        self.operations.append(operation)
        self.revision += 1
        self._draft.absorb(draft)
        changes = sum(_count_changes(old, new) for old, new in differences) - 1
        return Outcome(Rcode.NOERROR, "", max(changes, 1), draft.serial)


def _count_changes(old: RRset | None, new: RRset | None) -> int:
    before = set(old.rdatas) if old else set()
    after = set(new.rdatas) if new else set()
    # One where only the TTL differs; the SOA counts once.
    if new is not None and old is not None and len(before) == len(after) == 1:
        return 1
    return len(before ^ after) or 1
