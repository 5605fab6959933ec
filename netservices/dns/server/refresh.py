"""One secondary zone: when its primaries are asked, and what comes of it.

Theory.  A zone has one appointment at a time.  When it comes, the primaries are asked
one after the other until one says what the newest version is; those that failed lately
come last.  Success puts the next appointment ``refresh`` seconds ahead, failure
``retry`` seconds (RFC 1035 3.3.13); a NOTIFY puts it forward.  Whatever arrives becomes
one unit of the store, with the new state of the zone beside its records: all of it is
in force, or none.  The version that is there is served until it expires.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from attrs import define, evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.core.deferreds import begun
from netservices.core.garbage import without_full_collections
from netservices.core.networks import parse_address
from netservices.dns.backend.secondaries import SecondaryState
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.difference import Patch
from netservices.dns.dialogue.inbound import (
    BadTransfer,
    Form,
    Inbound,
    TransferRefused,
)
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.wire.names import name_text
from netservices.dns.wire.rdata import SOA
from netservices.dns.wire.serials import is_newer_serial
from netservices.dns.zone.tree import ZoneTree
from netservices.interfaces import StoreError
from netservices.units import (
    AssertValue,
    CreateZone,
    DeleteZone,
    Operation,
    ReplaceZone,
    UpdateZone,
)
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.server.secondary import Secondaries

_log = Logger()

LARGE_SLICES = 50
"""Ten thousand records."""

JITTER = 0.9
"""Appointments are put forward by up to a tenth, so that zones do not come at once."""


@define
class Outcome:
    """What a check brought."""

    result: str
    """``current``, ``transferred``, or ``failed``."""
    primary: str = ""
    serial: int = 0
    records: int = 0
    problem: str = ""


class _Slices:
    """The pauses of one transfer.  After so many of them it is a large one, and the
    collector shall not look at all its records again and again."""

    def __init__(self, stack: ExitStack, house: Secondaries) -> None:
        self._stack = stack
        self._house = house
        self._count = 0

    async def pause(self) -> None:
        """Let other work have its turn."""
        self._count += 1
        if self._count == LARGE_SLICES:
            self._stack.enter_context(without_full_collections())
        await self._house.pause()


class Secondary:
    """One zone; see the module's theory."""

    def __init__(
        self,
        house: Secondaries,
        name: bytes,
        options: ZoneOptions,
        state: SecondaryState,
    ) -> None:
        self.house = house
        self.name = name
        self.options = options
        self.peers = tuple(map(Peer.parse, options.primaries))
        self.state = state
        self.problem = ""
        """Why the last check failed; empty: it did not."""
        self.failures = 0
        """Checks that failed, one after the other."""
        self.next_check = 0.0
        self._call: Any = None
        self._expiry: Any = None
        self._running: Deferred[Outcome] | None = None
        self._waiting: list[Deferred[Outcome]] = []
        self._waiting_for_next: list[tuple[Deferred[Outcome], bool]] = []
        self._is_noticed = False
        self._preferred = ""

    # --- appointments ---

    def begin(self) -> None:
        """Make the first appointment."""
        if self.serial is None:
            self._check_at(self.house.now())
            return
        if not self.state.expires:
            # Records without a past, from a backup say: they count as of now.
            self.state = self._succeeded("")
        planned = self.state.checked + self._refresh_seconds() * JITTER
        self._check_at(max(self.house.now(), planned))
        self._watch_expiry()

    def stop(self) -> None:
        """No appointment any more; what is under way ends without effect."""
        for call in (self._call, self._expiry):
            if call is not None and call.active():
                call.cancel()
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
        self.house.release(self.name)

    def notified(self, serial: int | None, client: Client) -> None:
        """Somebody who may says that there is a new version."""
        have = self.serial
        if (
            serial is not None
            and have is not None
            and not is_newer_serial(serial, have)
        ):
            return
        # RFC 1996 3.11: whoever spoke first is asked first.
        self._preferred = client.address
        if self._running is not None:
            self._is_noticed = True
            return
        soonest = self.state.checked + self.house.settings.notify_in_interval
        self._check_at(min(self.next_check, max(self.house.now(), soonest)))

    def check_now(self, is_forced: bool = False) -> Deferred[Outcome]:
        """Ask the primaries, after what is under way; with ``is_forced`` take the whole
        zone."""
        result: Deferred[Outcome] = Deferred()
        if self._running is not None and self.serial is None:
            # The first version is on its way: there is none newer.
            self._waiting.append(result)
            return result
        self._waiting_for_next.append((result, is_forced))
        if self._running is None:
            self._start()
        return result

    def _check_at(self, when: float) -> None:
        self.next_check = when
        if self._call is not None and self._call.active():
            self._call.cancel()
        delay = max(0.0, when - self.house.now())
        self._call = self.house.clock.callLater(delay, self._start)

    def _start(self) -> None:
        """Begin a check, for all who wait."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._is_noticed = False
        waiting, self._waiting_for_next = self._waiting_for_next, []
        self._waiting = [result for result, _ in waiting]
        is_forced = any(is_forced for _, is_forced in waiting)
        running = begun(self._check(is_forced))
        self._running = running
        running.addBoth(self._ended)

    def _ended(self, outcome: Outcome | Failure) -> None:
        """Make the next appointment, and tell whoever waits."""
        is_stopped = self._running is None
        self._running = None
        if isinstance(outcome, Failure):
            if not (is_stopped or outcome.check(CancelledError)):
                _log.failure("a check of {zone}", outcome, zone=name_text(self.name))
            outcome = Outcome("failed", problem="the check was broken off")
        waiting, self._waiting = self._waiting, []
        if is_stopped:
            waiting += [result for result, _ in self._waiting_for_next]
            self._waiting_for_next = []
        else:
            self._make_appointment(outcome)
        for result in waiting:
            result.callback(outcome)

    def _make_appointment(self, outcome: Outcome) -> None:
        now = self.house.now()
        if outcome.result == "failed":
            self.problem = outcome.problem
            self.failures += 1
            self._check_at(now + self._retry_seconds() * random.uniform(JITTER, 1))
        else:
            self.problem, self.failures = "", 0
            self._check_at(now + self._refresh_seconds() * random.uniform(JITTER, 1))
        self._watch_expiry()
        if self._waiting_for_next:
            self._start()
        elif self._is_noticed:
            self._check_at(now + self.house.settings.notify_in_interval)

    def _refresh_seconds(self) -> float:
        """The SOA's, within the bounds of this server."""
        settings, soa = self.house.settings, self._soa()
        refresh = soa.refresh if soa is not None else 0
        return _within(settings.refresh_at_least, refresh, settings.refresh_at_most)

    def _retry_seconds(self) -> float:
        """The SOA's, within the same; while there is none, more and more."""
        settings, soa = self.house.settings, self._soa()
        least, most = settings.retry_at_least, settings.retry_at_most
        if self.serial is not None:
            return _within(least, soa.retry if soa is not None else 0, most)
        return min(float(least) * (1 << min(self.failures - 1, 16)), float(most))

    def _expire_seconds(self, soa: SOA | None) -> float:
        """The SOA's, within the same."""
        settings = self.house.settings
        expire = soa.expire if soa is not None else 0
        return _within(settings.expire_at_least, expire, settings.expire_at_most)

    # --- the version that is here ---

    @property
    def tree(self) -> ZoneTree | None:
        """The zone as it is served; it may have no SOA yet."""
        return self.house.zones.get(self.name)

    @property
    def serial(self) -> int | None:
        """The serial of the version that is here; None: there is none."""
        tree = self.tree
        return None if tree is None or tree.soa is None else tree.serial

    def _soa(self) -> SOA | None:
        tree = self.tree
        if tree is None or tree.soa is None:
            return None
        return SOA.parse(tree.soa.rdatas[0])

    # --- expiry ---

    @property
    def is_expired(self) -> bool:
        """Whether the zone is too old to be served."""
        return 0 < self.state.expires <= self.house.now()

    def _watch_expiry(self) -> None:
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        if self.serial is None:
            return
        if self.is_expired:
            self.house.withhold(self.name, self.serial)
            return
        self.house.release(self.name)
        delay = self.state.expires - self.house.now()
        self._expiry = self.house.clock.callLater(delay, self._watch_expiry)

    def _succeeded(self, primary: str, expire: float | None = None) -> SecondaryState:
        """The state after word of a primary, now."""
        now = self.house.now()
        if expire is None:
            expire = self._expire_seconds(self._soa())
        return SecondaryState(now, now, now + expire, primary)

    # --- checks ---

    async def _check(self, is_forced: bool) -> Outcome:
        """Ask the primaries until one knows."""
        problems: list[str] = []
        for peer in self._in_order():
            permit = await self.house.permits.acquire(peer.address)
            try:
                outcome = await self._ask(peer, is_forced)
            finally:
                permit.release()
            if outcome.result != "failed":
                self.house.did_answer(peer)
                return outcome
            self.house.did_fail(peer)
            problems.append(f"{peer.address}: {outcome.problem}")
            self.house.events.emit(
                "zone_transfer_failed",
                zone=name_text(self.name),
                primary=str(peer),
                reason=outcome.problem,
            )
        self.state = evolve(self.state, checked=self.house.now())
        return Outcome("failed", problem="; ".join(problems))

    def _in_order(self) -> Iterable[Peer]:
        """Those that failed lately come last, and one that sent a NOTIFY first."""
        preferred, self._preferred = parse_address(self._preferred), ""
        return sorted(
            self.peers,
            key=lambda peer: (
                preferred is None or parse_address(peer.address) != preferred,
                self.house.is_resting(peer),
            ),
        )

    async def _ask(self, peer: Peer, is_forced: bool) -> Outcome:
        try:
            with ExitStack() as stack:
                return await self._take(peer, is_forced, _Slices(stack, self.house))
        except (BadTransfer, NoAnswer, TransferRefused, StoreError) as problem:
            text = str(problem) or type(problem).__name__
            return Outcome("failed", str(peer), problem=text)

    async def _take(self, peer: Peer, is_forced: bool, slices: _Slices) -> Outcome:
        """Take what one primary has.  BadTransfer, NoAnswer, TransferRefused,
        StoreError."""
        began = self.house.now()
        have = self.serial
        found = await self.house.fetch(
            self.house.clock,
            self.house.primary(peer),
            self.name,
            have,
            slices.pause,
            is_forced=is_forced,
        )
        if not isinstance(found, Inbound):
            return await self._keep(peer, SOA.parse(found.rdata).serial, have)
        is_newer = have is None or is_newer_serial(found.new_serial, have)
        if not (is_newer or is_forced):
            return await self._keep(peer, found.new_serial, have)
        await self._commit(peer, found)
        self._tell(peer, found, have, self.house.now() - began)
        # Not waited for: it may come to this very zone.
        self.house.catalogs.follow(self.name)
        return Outcome("transferred", str(peer), found.new_serial, found.records)

    async def _keep(self, peer: Peer, serial: int, have: int | None) -> Outcome:
        """What is here is the newest version, or newer than what the primary has."""
        if have is None or serial != have:
            raise BadTransfer(f"its serial {serial} is older than ours, {have}")
        self.state = self._succeeded(str(peer))
        await self.house.apply(self.state.put(self.name))
        return Outcome("current", str(peer), serial)

    async def _commit(self, peer: Peer, found: Inbound) -> None:
        """Put what came into the store: records and state in one unit."""
        assert found.soa is not None
        author = f"transfer from {peer.address}"
        soa = SOA.parse(found.soa.rdata)
        state = self._succeeded(str(peer), self._expire_seconds(soa))
        if self.tree is None:
            # What is configured may be known here before the empty zone is.
            await self.house.settle()
        if found.form is Form.INCREMENTAL:
            operations = await self._updates(found, author)
        else:
            operations = self._replacement(found, author)
        await self.house.apply(
            self._still_configured(), *operations, state.put(self.name)
        )
        self.state = state
        await self.house.settle()

    def _still_configured(self) -> Operation:
        """A zone that was removed meanwhile, or has other primaries, stays as it is."""
        put = ZONE_OPTIONS.put(self.name, self.options)
        return AssertValue(put.namespace, put.key, put.value)

    async def _updates(self, found: Inbound, author: str) -> list[Operation]:
        """One operation a difference sequence, so that each has its place in the
        journal."""
        tree = self.tree
        if tree is None or tree.soa is None:
            raise BadTransfer("the zone is gone")
        names = tree.names

        def find(owner: bytes, type_: int) -> RRset | None:
            node = names.get(owner)
            return None if node is None else node.get(type_)

        patch = Patch(find)
        for difference in found.differences:
            for _ in patch.steps(difference):
                await self.house.pause()
        return [
            UpdateZone(
                self.name, change.removed, change.added, tree.revision + index, author
            )
            for index, change in enumerate(patch.changes)
        ]

    def _replacement(self, found: Inbound, author: str) -> list[Operation]:
        """The whole zone.  A first version has no journal: it would double it."""
        tree = self.tree
        rrsets = found.full.rrsets()
        if tree is None:
            return [CreateZone(self.name, rrsets, author)]
        if tree.soa is None:
            return [DeleteZone(self.name), CreateZone(self.name, rrsets, author)]
        return [ReplaceZone(self.name, rrsets, tree.revision, author)]

    def _tell(
        self, peer: Peer, found: Inbound, have: int | None, seconds: float
    ) -> None:
        self.house.events.emit(
            "zone_transferred",
            zone=name_text(self.name),
            primary=str(peer),
            form=found.form.name.lower(),
            from_serial=have,
            serial=found.new_serial,
            records=found.records,
            octets=found.octets,
            seconds=round(seconds, 3),
        )
        if found.ignored:
            _log.warn(
                "{zone}: {count} records from {peer} are outside of the zone",
                zone=name_text(self.name),
                count=found.ignored,
                peer=peer.address,
            )


def _within(least: float, wanted: float, most: float) -> float:
    """A timer of a SOA, in seconds, as far as this server follows it."""
    return max(float(least), min(float(wanted), float(most)))
