"""Which addresses are in service, by looking at each of them now and then.

An address that was never looked at counts as in service, and the first look decides at
once; after that it takes ``fall`` bad results in a row to lose that standing, and
``rise`` good ones to have it back.  So a start answers at once, and is right after the
first look, which follows immediately.  Later looks are spread by chance, so that many
checks with one interval do not all come in the same moment, and no more than so many
are under way at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from netservices.dns.server.probe import Unfit
from netservices.dns.zone.balance import Check
from netservices.interfaces import IEvents

SPREAD = 0.1
"""By which part of its interval a look comes earlier or later."""

Probe: TypeAlias = Callable[[str, Check, str], Awaitable[None]]
"""``(address, check, host)``: nothing, or Unfit."""


@frozen(cache_hash=True)
class Place:
    """What is looked at."""

    address: str
    check: Check
    host: str

    def __str__(self) -> str:
        path = f"{self.check.path} ({self.host})" if self.check.is_http else ""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.check.kind} {address}:{self.check.port}{path}"


class Standing:
    """Whether a place is in service, judged by results in a row."""

    def __init__(self, rise: int, fall: int) -> None:
        self.is_up = True
        self.is_known = False
        self._rise = rise
        self._fall = fall
        self._streak = 0
        """Results in a row that speak against ``is_up``."""

    def note(self, is_good: bool) -> bool:
        """Take a result; whether the place changed its standing."""
        if is_good == self.is_up:
            self._streak = 0
            self.is_known = True
            return False
        self._streak += 1
        needed = self._fall if self.is_up else self._rise
        if self.is_known and self._streak < needed:
            return False
        self.is_up, self.is_known, self._streak = is_good, True, 0
        return True


class _Watch:
    """One place, and the next look at it."""

    def __init__(self, place: Place, since: float) -> None:
        self.place = place
        self.standing = Standing(place.check.rise, place.check.fall)
        self.since = since
        self.reason = ""
        self.looks = 0
        self.call: IDelayedCall | None = None
        self.looking: Deferred[None] | None = None


class Health:
    """Looks at places, and knows which are in service."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        probe: Probe,
        events: IEvents,
        draw: Callable[[], float],
        max_at_once: int = 20,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """``draw`` gives random numbers from 0 to 1; ``changed`` is told when a place
        has changed its standing."""
        self._clock = clock
        self.probe = probe
        self._events = events
        self._draw = draw
        self._max_at_once = max_at_once
        self._changed = changed
        self._watches: dict[Place, _Watch] = {}
        self._due: deque[_Watch] = deque()
        self._under_way = 0
        self._is_beginning = False
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._watches)

    def is_up(self, place: Place) -> bool:
        """Whether it is in service, as far as is known."""
        watch = self._watches.get(place)
        return watch is None or watch.standing.is_up

    def watch(self, places: Iterable[Place]) -> None:
        """Look at these places from now on, and at no others."""
        wanted = dict.fromkeys(places)
        for place in [place for place in self._watches if place not in wanted]:
            self._forget(self._watches.pop(place))
        for place in wanted:
            if place not in self._watches and not self._is_stopped:
                watch = _Watch(place, self._clock.seconds())
                self._watches[place] = watch
                self._due.append(watch)
        self._begin()

    def stop(self) -> None:
        """Look at nothing any more."""
        self._is_stopped = True
        self.watch(())

    def status(self) -> list[Mapping[str, Any]]:
        """Each place: its state, for how many seconds, after how many looks, and what
        was wrong at the last one."""
        now = self._clock.seconds()
        return [
            {
                "check": str(watch.place),
                "state": self._state(watch),
                "seconds": round(now - watch.since),
                "looks": watch.looks,
                "reason": watch.reason,
            }
            for watch in self._watches.values()
        ]

    @staticmethod
    def _state(watch: _Watch) -> str:
        if not watch.standing.is_known:
            return "unknown"
        return "up" if watch.standing.is_up else "down"

    # --- looking --------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin what is due, as far as the limit allows."""
        if self._is_beginning:
            return
        self._is_beginning = True
        while self._due and self._under_way < self._max_at_once:
            watch = self._due.popleft()
            if self._watches.get(watch.place) is watch:
                self._under_way += 1
                watch.looking = Deferred.fromCoroutine(self._look(watch))
                watch.looking.addErrback(self._fail)
        self._is_beginning = False

    async def _look(self, watch: _Watch) -> None:
        place = watch.place
        problem = ""
        try:
            await self.probe(place.address, place.check, place.host)
        except Unfit as reason:
            problem = str(reason)
        except CancelledError:
            return
        finally:
            self._under_way -= 1
        # It may have been forgotten meanwhile, and be watched anew.
        if self._watches.get(place) is watch:
            self._note(watch, problem)
            spread = 1 + SPREAD * (2 * self._draw() - 1)
            watch.call = self._clock.callLater(
                place.check.interval * spread, self._come_due, watch
            )
        self._begin()

    def _fail(self, failure: Any) -> None:
        self._log.failure("a health check", failure)

    def _come_due(self, watch: _Watch) -> None:
        watch.call = None
        self._due.append(watch)
        self._begin()

    def _forget(self, watch: _Watch) -> None:
        if watch.call is not None:
            watch.call.cancel()
        if watch.looking is not None:
            watch.looking.cancel()

    def _note(self, watch: _Watch, problem: str) -> None:
        watch.looks += 1
        watch.reason = problem
        if watch.standing.note(not problem):
            watch.since = self._clock.seconds()
            self._events.emit(
                "health_changed",
                address=watch.place.address,
                check=str(watch.place),
                state=self._state(watch),
                reason=problem,
            )
            self._changed()
