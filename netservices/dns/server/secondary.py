"""All zones of which this server is a secondary (RFC 1034 4.3.5, RFC 1996)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from netservices.dns.backend.keys import KeyRing
from netservices.dns.backend.secondaries import (
    SecondaryState,
    forget_state,
    load_states,
)
from netservices.dns.backend.shelf import Shelf
from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.policy import Client, Policy
from netservices.dns.server.catalogs import Catalogs
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.wire.tsig import Key
from netservices.dns.zone.tree import Zones
from netservices.interfaces import StoreError
from netservices.plugin import Services, Verb
from netservices.units import Operation, Unit

if TYPE_CHECKING:
    from netservices.dns.client.transfer import Primary, Signing
    from netservices.dns.dialogue.inbound import Inbound
    from netservices.dns.server.refresh import Secondary
    from netservices.dns.wire.message import Record

_log = Logger()

ASK_SECONDS = 2.0
REST_SECONDS = 300.0
MOST_REST_SECONDS = 3600.0


class Permits:
    """How many zones are asked for at the same time, in all and of one address."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total = DeferredSemaphore(total)
        self._per_address = per_address
        self._by_address: dict[str, DeferredSemaphore] = {}

    async def acquire(self, address: str) -> Permit:
        """Wait until it is one's turn."""
        own = self._by_address.get(address)
        if own is None:
            own = self._by_address[address] = DeferredSemaphore(self._per_address)
        await own.acquire()
        try:
            await self._total.acquire()
        except BaseException:
            own.release()
            raise
        return Permit(own, self._total)


@frozen
class Permit:
    """One's turn, until ``release``."""

    own: DeferredSemaphore
    total: DeferredSemaphore

    def release(self) -> None:
        """Let somebody else have it."""
        self.total.release()
        self.own.release()


class _Signed:
    """Signs one request with a key, and checks what answers it."""

    def __init__(self, key: Key, now: Callable[[], float]) -> None:
        self._request = SignedRequest(key)
        self._now = now

    def sign(self, query: bytes) -> bytes:
        return self._request.sign(query, self._now())

    def verify(self, message: bytes) -> bytes:
        return self._request.check(message, self._now())

    def finish(self) -> None:
        self._request.finish()


class Secondaries:
    """Keeps every secondary zone as new as its primaries have it."""

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        zones: Zones,
        policy: Policy,
        options: Shelf[ZoneOptions],
        keys: KeyRing,
        pause: Callable[[float], Deferred[None]],
        settle: Callable[[], Deferred[None]],
        changed: Callable[[], None],
    ) -> None:
        """``settle`` waits until what the store has is served; ``changed`` is called
        where answers differ from now on."""
        self.settings = settings
        self.zones = zones
        self.events = services.events
        self.clock: Any = services.clock
        self.now: Callable[[], float] = services.clock.seconds
        self.settle = settle
        self.fetch = _fetch_zone
        """Asks one primary."""
        self.permits = Permits(settings.transfers_in, settings.transfers_in_per_primary)
        self._store = services.store
        self._policy = policy
        self._options = options
        self._keys = keys
        self._pause = pause
        self._changed = changed
        self.catalogs = Catalogs(
            self, lambda: self._options.things, settings.max_catalog_members
        )
        self._resting: dict[Peer, tuple[int, float]] = {}
        """Primaries that failed: how often, and until when they come last."""
        self._zones: dict[bytes, Secondary] = {}
        self._states: dict[bytes, SecondaryState] = {}
        self._is_running = False

    # --- life ---

    async def start(self) -> None:
        """Begin with what is configured.  StoreError."""
        self._states = await load_states(self._store)
        self._is_running = True
        self.update()
        for name in tuple(self._zones):
            await self.catalogs.follow(name)

    def stop(self) -> None:
        """Ask nobody any more."""
        self._is_running = False
        for zone in self._zones.values():
            zone.stop()
        self._zones.clear()

    def update(self) -> None:
        """What is configured has changed."""
        if not self._is_running:
            return
        wanted = {
            name: options
            for name, options in self._options.things.items()
            if options.primaries
        }
        for name in [name for name in self._zones if name not in wanted]:
            self._zones.pop(name).stop()
            self._forget(name)
        for name, options in wanted.items():
            known = self._zones.get(name)
            if known is None:
                self._add(name, options, self._states.pop(name, SecondaryState()))
            elif known.options.member != options.member:
                known.stop()
                self._add(name, options, SecondaryState())
            elif known.options.primaries != options.primaries:
                known.stop()
                self._add(name, options, known.state)
            else:
                known.options = options

    def _add(self, name: bytes, options: ZoneOptions, state: SecondaryState) -> None:
        from netservices.dns.server.refresh import Secondary

        try:
            zone = Secondary(self, name, options, state)
        except ValueError as problem:
            _log.error("{zone}: {problem}", zone=name_text(name), problem=problem)
            return
        self._zones[name] = zone
        zone.begin()

    def _forget(self, name: bytes) -> None:
        """A zone that is no secondary any more has no past either."""

        def failed(failure: Any) -> None:
            failure.trap(StoreError)

        self._store.apply(Unit((forget_state(name),))).addErrback(failed)

    # --- what a zone needs ---

    async def apply(self, *operations: Operation) -> None:
        """Do them all or none.  StoreError."""
        await self._store.apply(Unit(operations))

    async def pause(self) -> None:
        """Let other work have its turn."""
        await self._pause(0)

    def primary(self, peer: Peer) -> Primary:
        """How to talk to a primary.  NoAnswer where its key is not here."""
        from netservices.dns.client.link import LinkLimits
        from netservices.dns.client.transfer import Primary
        from netservices.dns.dialogue.inbound import InboundLimits

        settings = self.settings
        signing: dict[str, Any] = {}
        if peer.key:
            signing["signing"] = lambda: self._signing(peer)
            self._signing(peer)
        return Primary(
            peer,
            authorities=settings.primary_authorities,
            limits=LinkLimits(
                settings.transfer_in_connect,
                settings.transfer_in_idle,
                settings.transfer_in_time,
            ),
            inbound=InboundLimits(
                settings.max_transfer_in_records, settings.max_transfer_in_octets
            ),
            ask_seconds=ASK_SECONDS,
            **signing,
        )

    def _signing(self, peer: Peer) -> Signing:
        key = self._keys.find(peer.key)
        if key is None:
            raise NoAnswer(f"there is no key {peer.key} here")
        return _Signed(key, self.now)

    def is_withheld(self, name: bytes) -> bool:
        """Whether a zone has expired."""
        return name in self._policy.withheld

    def withhold(self, name: bytes, serial: int) -> None:
        """A zone has expired: SERVFAIL from now on."""
        if name in self._policy.withheld:
            return
        self._policy.withheld.add(name)
        self._forget_answers(name)
        self.events.emit("zone_expired", zone=name_text(name), serial=serial)

    def release(self, name: bytes) -> None:
        """A zone is served again."""
        if name in self._policy.withheld:
            self._policy.withheld.discard(name)
            self._forget_answers(name)

    def _forget_answers(self, name: bytes) -> None:
        tree = self.zones.get(name)
        if tree is not None:
            tree.answers.forget_all()
        self._changed()

    def did_answer(self, peer: Peer) -> None:
        """A primary is there."""
        self._resting.pop(peer, None)

    def did_fail(self, peer: Peer) -> None:
        """A primary was of no use: others come before it for a while."""
        failures = self._resting.get(peer, (0, 0.0))[0] + 1
        rest = min(REST_SECONDS * 2 ** min(failures - 1, 16), MOST_REST_SECONDS)
        self._resting[peer] = failures, self.now() + rest

    def is_resting(self, peer: Peer) -> bool:
        """Whether a primary has failed lately."""
        return self._resting.get(peer, (0, 0.0))[1] > self.now()

    # --- what others say and ask ---

    def notified(self, name: bytes, serial: int | None, client: Client) -> None:
        """A NOTIFY that was believed."""
        zone = self._zones.get(name)
        if zone is not None:
            zone.notified(serial, client)

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """What commands ask for."""
        return {
            "refresh": lambda request: self._refresh(request, False),
            "retransfer": lambda request: self._refresh(request, True),
        }

    async def _refresh(
        self, request: Mapping[str, Any], is_forced: bool
    ) -> Mapping[str, Any]:
        """Ask the primaries of ``zone`` now, or take the whole zone."""
        zone = self._find(str(request.get("zone", "")))
        outcome = await zone.check_now(is_forced)
        if outcome.result == "failed":
            raise ValueError(outcome.problem)
        await self.catalogs.follow(zone.name)
        return {
            "zone": name_text(zone.name),
            "result": outcome.result,
            "serial": outcome.serial,
            "primary": outcome.primary,
            "records": outcome.records,
        }

    def _find(self, text: str) -> Secondary:
        name = fold(parse_name(text))
        zone = self._zones.get(name)
        if zone is None:
            raise ValueError(f"{name_text(name)} is no secondary zone here")
        return zone

    def status(self) -> Sequence[Mapping[str, Any]]:
        """A row for each secondary zone."""
        return [
            {
                "zone": name_text(zone.name),
                "state": state_of(zone),
                "primaries": list(zone.options.primaries),
                "serial": zone.serial,
                "last_success": _when(zone.state.succeeded),
                "next_check": _when(zone.next_check),
                "expires": _when(zone.state.expires),
                "problem": zone.problem,
                "catalog": zone.options.catalog or None,
                "catalog_problems": list(self.catalogs.problems(zone.name)),
            }
            for zone in self._zones.values()
        ]


async def _fetch_zone(
    reactor: Any,
    primary: Primary,
    name: bytes,
    have: int | None,
    pause: Callable[[], Awaitable[None]],
    *,
    is_forced: bool = False,
) -> Inbound | Record:
    from netservices.dns.client.transfer import fetch_zone

    return await fetch_zone(reactor, primary, name, have, pause, is_forced=is_forced)


def _when(seconds: float) -> str | None:
    """A time as people and scripts read it; 0: never."""
    if not seconds:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def state_of(zone: Secondary) -> str:
    """In one word: ``empty``, ``expired``, ``failing``, ``current``."""
    if zone.serial is None:
        return "empty"
    if zone.is_expired:
        return "expired"
    return "failing" if zone.problem else "current"
