"""Transfers to other servers: who waits for whom, and what became of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from netservices.dns.dialogue.later import Later
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client, Policy
from netservices.dns.wire.names import name_text
from netservices.dns.zone.tree import Zones
from netservices.plugin import Services
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.dialogue.outgoing import Progress
    from netservices.dns.dialogue.transfer import Leave, Transfers

_log = Logger()


@define(eq=False)
class _Waiting:
    address: str
    turn: Deferred[None] = field(factory=Deferred)


class Turns:
    """At most so many at the same time, and of each address; the others wait, first
    come, first served."""

    def __init__(self, most: int, most_each: int, most_waiting: int) -> None:
        self._most = most
        self._most_each = most_each
        self._most_waiting = most_waiting
        self._by_address: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self.active = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def take(self, address: str) -> Leave | None:
        """Wait for a turn; what ends it.  None where too many wait."""
        if not self._is_free(address):
            if len(self._waiting) >= self._most_waiting:
                return None
            await self._wait(address)
        else:
            self._enter(address)
        return partial(self._leave, address)

    async def _wait(self, address: str) -> None:
        waiting = _Waiting(address)
        self._waiting.append(waiting)
        try:
            await waiting.turn
        except CancelledError:
            self._waiting.remove(waiting)
            raise

    def _is_free(self, address: str) -> bool:
        return self.active < self._most and self._by_address[address] < self._most_each

    def _enter(self, address: str) -> None:
        self.active += 1
        self._by_address[address] += 1

    def _leave(self, address: str) -> None:
        self.active -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        following = next(
            (one for one in self._waiting if self._is_free(one.address)), None
        )
        if following is not None:
            self._waiting.remove(following)
            self._enter(following.address)
            following.turn.callback(None)


class OutgoingTransfers:
    """Zones on their way to other servers."""

    def __init__(
        self,
        zones: Zones,
        views: Mapping[str, Zones],
        policy: Policy,
        services: Services,
        options: Callable[[bytes], ZoneOptions],
        pause: Callable[[float], Awaitable[None]],
        expand: Callable[[RRset], Awaitable[Iterable[RRset]]],
    ) -> None:
        """``expand`` gives what an ALIAS stands for."""
        settings = policy.settings
        self._events = services.events
        self._seconds = services.clock.seconds
        self._turns = Turns(
            settings.transfers_out,
            settings.transfers_out_per_client,
            settings.transfers_out_waiting,
        )
        self._zones = zones
        self._views = views
        self._policy = policy
        self._store_zones = services.store.zones
        self._options = options
        self._pause = pause
        self._expand = expand if settings.alias_in_transfers == "expand" else None
        self._outcomes: Counter[str] = Counter()
        self._forms: Counter[str] = Counter()
        self._octets = 0

    @cached_property
    def _transfers(self) -> Transfers:
        from netservices.dns.dialogue.transfer import Surroundings, Transfers

        surroundings = Surroundings(
            zones=self._store_zones,
            options=self._options,
            take_turn=self._turns.take,
            pause=self._pause,
            now=self._seconds,
            finished=self._finished,
            failed=_log_failure,
            expand=self._expand,
        )
        return Transfers(self._zones, self._views, self._policy, surroundings)

    def reply(self, data: bytes, client: Client) -> bytes | Later:
        """The reply to a question of type AXFR or IXFR."""
        return self._transfers.reply(data, client)

    def status(self) -> Mapping[str, Any]:
        """Counts since the start, and what is under way."""
        return {
            "active": self._turns.active,
            "waiting": self._turns.waiting,
            "not_allowed": self._transfers.refused,
            "octets": self._octets,
            **dict(self._outcomes),
            **dict(self._forms),
        }

    def _finished(self, progress: Progress, outcome: str) -> None:
        self._outcomes[outcome] += 1
        self._octets += progress.octets
        if outcome == "sent":
            self._forms[progress.form] += 1
        if not progress.messages:
            return
        key = progress.client.key
        self._events.emit(
            "zone_sent",
            zone=progress.zone_text,
            serial=progress.serial,
            address=progress.client.address,
            key_name="" if key is None else name_text(key.name),
            transport=progress.client.transport.name.lower(),
            wanted=progress.wanted,
            form=progress.form,
            outcome=outcome,
            records=progress.records,
            octets=progress.octets,
            seconds=round(self._seconds() - progress.begun, 3),
        )


def _log_failure(zone: str) -> None:
    _log.failure("the zone {zone} could not be transferred", zone=zone)
