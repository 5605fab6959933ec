"""Addresses of names in other people's zones, asked of resolvers and kept.

Theory.  Each name and type is in one of three states:

* *known*: its answer has not expired; one that is in use is asked for again when a
  tenth of its time is left, so that nobody waits for it any more;
* *unknown*, or expired while it was out of use: who wants it waits for the resolvers,
  as long as ``wait_seconds`` and no longer;
* *failed*: no resolver has an answer.  What was known stays in use for
  ``stale_seconds``, with a TTL of 30 seconds (RFC 8767 4); where nothing was, there is
  trouble.  The resolvers are left in peace for a while, longer after each failure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from netservices.core.errors import Trouble
from netservices.dns.client.problems import NoAnswer
from netservices.dns.wire.codes import type_name
from netservices.dns.wire.names import name_text
from netservices.dns.zone.alias import Known
from netservices.dns.zone.moment import NotYet

# RFC 8767 5: what is stale goes out with a TTL of 30 seconds.
STALE_TTL = 30
MIN_HELD_SECONDS = 5.0
"""So long an answer is kept at least, whatever its TTL; clients see the TTL."""
MAX_HELD_SECONDS = 86400.0
IN_USE_SECONDS = 3600.0
"""What nobody wanted for so long is not asked for again."""
FIRST_PAUSE_SECONDS = 5.0
LAST_PAUSE_SECONDS = 300.0
REFRESH_AT = 0.9
MAX_WAITING = 1000
"""Questions that wait for resolvers; more of them have trouble at once."""

Find: TypeAlias = Callable[[bytes, int], Awaitable[Known]]
"""``(name, type)``: what resolvers say.  NoAnswer."""


@define(eq=False)
class _Target:
    """One name and type."""

    name: bytes
    type: int
    wanted: float = 0.0
    rdatas: tuple[bytes, ...] = ()
    expires: float | None = None
    """When what is known ends; None: nothing was ever known."""
    held: float = 0.0
    """Until then it is kept, though it may have expired."""
    retry: float = 0.0
    """Before that the resolvers are not asked again."""
    failures: int = 0
    problem: str = ""
    asking: Deferred[None] | None = None
    waiting: list[Deferred[None]] = field(factory=list)
    call: IDelayedCall | None = None


class Targets:
    """What is known of names and types."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        find: Find,
        *,
        wait_seconds: float = 3.0,
        stale_seconds: float = 86400.0,
        max_targets: int = 1000,
    ) -> None:
        """A target beyond ``max_targets`` takes the place of the one that was not
        wanted for longest."""
        self._clock = clock
        self._find = find
        self._wait_seconds = wait_seconds
        self._stale_seconds = stale_seconds
        self._max_targets = max_targets
        self._targets: OrderedDict[tuple[bytes, int], _Target] = OrderedDict()
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._targets)

    def addresses(self, name: bytes, type_: int) -> Known:
        """What is known now of a folded name.  NotYet, Trouble."""
        target = self._target(name, type_)
        now = target.wanted = self._clock.seconds()
        if target.expires is not None and now < target.held:
            return Known(target.rdatas, max(0, int(target.expires - now)))
        if target.asking is None and now >= target.retry:
            self._ask(target)
            # The answer may be there at once.
            if target.expires is not None and now < target.held:
                return Known(target.rdatas, max(0, int(target.expires - now)))
        if target.asking is not None and not target.failures:
            if self._waiting >= MAX_WAITING:
                raise Trouble("too many wait for resolvers")
            raise NotYet(lambda: self._wait(target))
        # RFC 8767 4: stale data counts when the attempt to have better has failed.
        if target.expires is not None and now < target.expires + self._stale_seconds:
            return Known(target.rdatas, STALE_TTL)
        raise Trouble(f"{name_text(name)}: {target.problem}")

    def stop(self) -> None:
        """Ask for nothing any more; who waits is told."""
        for target in list(self._targets.values()):
            self._forget(target)
        self._targets.clear()

    def status(self) -> list[Mapping[str, Any]]:
        """Each name and type: its state, how many addresses it has, and what is
        wrong."""
        now = self._clock.seconds()
        return [
            {
                "target": name_text(target.name),
                "type": type_name(target.type),
                "state": self._state(target, now),
                "addresses": len(target.rdatas),
                "reason": target.problem,
            }
            for target in self._targets.values()
        ]

    @staticmethod
    def _state(target: _Target, now: float) -> str:
        if target.expires is None:
            return "failed" if target.failures else "unknown"
        if now < target.held:
            return "known"
        return "stale"

    # --- asking ---------------------------------------------------------------------

    def _target(self, name: bytes, type_: int) -> _Target:
        key = name, type_
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= self._max_targets:
                _, oldest = self._targets.popitem(last=False)
                self._forget(oldest)
            target = self._targets[key] = _Target(name, type_)
        else:
            self._targets.move_to_end(key)
        return target

    def _ask(self, target: _Target) -> None:
        asking = Deferred.fromCoroutine(self._refresh(target))
        if not asking.called:
            target.asking = asking
        asking.addErrback(self._fail, target)

    async def _refresh(self, target: _Target) -> None:
        try:
            found = await self._find(target.name, target.type)
        except NoAnswer as problem:
            self._note_failure(target, str(problem))
        except CancelledError:
            return
        else:
            self._note(target, found)
        self._end(target)

    def _fail(self, failure: Any, target: _Target) -> None:
        self._log.failure("asking for {name}", failure, name=name_text(target.name))
        self._note_failure(target, failure.getErrorMessage())
        self._end(target)

    def _end(self, target: _Target) -> None:
        """It is known, or it is known that it is not; tell who waits."""
        target.asking = None
        waiting, target.waiting = target.waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def _note(self, target: _Target, found: Known) -> None:
        now = self._clock.seconds()
        seconds = min(float(found.ttl), MAX_HELD_SECONDS)
        target.rdatas = found.rdatas
        target.expires = now + seconds
        target.held = now + max(seconds, MIN_HELD_SECONDS)
        target.failures, target.problem, target.retry = 0, "", 0.0
        self._plan(target, (target.held - now) * REFRESH_AT)

    def _note_failure(self, target: _Target, problem: str) -> None:
        pause = min(FIRST_PAUSE_SECONDS * 2**target.failures, LAST_PAUSE_SECONDS)
        target.failures = min(target.failures + 1, 30)
        target.problem = problem
        target.retry = self._clock.seconds() + pause
        self._plan(target, pause)

    def _plan(self, target: _Target, seconds: float) -> None:
        """Ask again then, if it is in use."""
        if target.call is not None and target.call.active():
            target.call.cancel()
        target.call = None
        if self._targets.get((target.name, target.type)) is target:
            target.call = self._clock.callLater(seconds, self._ask_again, target)

    def _ask_again(self, target: _Target) -> None:
        target.call = None
        if self._clock.seconds() - target.wanted >= IN_USE_SECONDS:
            # Who wants it one day waits for the resolvers, as for what is unknown.
            target.failures = 0
        elif target.asking is None:
            self._ask(target)

    def _forget(self, target: _Target) -> None:
        if target.call is not None:
            target.call.cancel()
            target.call = None
        if target.asking is not None:
            target.asking.cancel()
        self._end(target)

    async def _wait(self, target: _Target) -> None:
        """Until it is known, or it is known that it is not, or for so long."""
        if target.asking is None:
            return
        known: Deferred[None] = Deferred()
        target.waiting.append(known)
        self._waiting += 1
        try:
            await known.addTimeout(self._wait_seconds, self._clock)
        except TimeoutError:
            # The next question gets trouble, or what is stale, and does not wait.
            if target.asking is not None and not target.failures:
                target.failures, target.problem = 1, "the resolvers are slow"
        finally:
            self._waiting -= 1
            if known in target.waiting:
                target.waiting.remove(known)
