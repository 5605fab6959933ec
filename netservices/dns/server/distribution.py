"""Load distribution and ALIAS in a running server: rules from the settings and the
store, put into the trees; checks of the addresses that they are for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from netservices.dns.backend.balance import BALANCE
from netservices.dns.backend.shelf import Shelf
from netservices.dns.options import Peer
from netservices.dns.policy import Client
from netservices.dns.server.health import Health, Place
from netservices.dns.server.probe import Prober
from netservices.dns.server.targets import Targets
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import is_below, label_offsets, name_text
from netservices.dns.zone.alias import Aliases, Endless, Known
from netservices.dns.zone.balance import ADDRESSES, BalanceRule, address_text
from netservices.dns.zone.distribution import Distribution
from netservices.dns.zone.moment import Moment, NotYet
from netservices.dns.zone.overlay import MergedTree
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.plugin import Services
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.client.addresses import Resolvers

_A, _ALIAS = int(Type.A), int(Type.ALIAS)
_ADDRESSES = frozenset(ADDRESSES)


@define(eq=False)
class _Balanced:
    """A rule at work."""

    rule: BalanceRule
    distribution: Distribution
    places: dict[bytes, Place] = field(factory=dict)
    """What is looked at, by RDATA."""
    state: str = ""
    """Which records are given: ``primary``, ``backup``, ``all`` where none is in
    service; ``nothing`` where the name has none."""


class LoadDistribution:
    """Gives trees what they ask for addresses that depend on the moment."""

    _log = Logger()

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        zones: Zones,
        views: Mapping[str, Zones],
        changed: Callable[[], None],
        complain: Callable[[str], None],
    ) -> None:
        """``views`` are the zones of clients that see others than ``zones``;
        ``changed``: answers may differ from now on.  ValueError for two rules of one
        name."""
        self._settings = settings
        self._clock: Any = services.clock
        self._events = services.events
        self._zones = zones
        self._views = views
        self._changed = changed
        self._draw = SystemRandom().random
        self.shelf: Shelf[BalanceRule] = Shelf(
            services.store, BALANCE, self._take_rules, complain
        )
        self.health = Health(
            self._clock,
            Prober(self._clock, settings.check_authorities).probe,
            services.events,
            self._draw,
            settings.max_checks_at_once,
            changed=self._note_states,
        )
        self.targets = Targets(
            self._clock,
            self._find_abroad,
            wait_seconds=settings.alias_wait,
            stale_seconds=settings.alias_stale,
            max_targets=settings.max_alias_targets,
        )
        self.resolvers: Resolvers | None = None
        self._aliases = Aliases(
            self._zones_of, self.targets.addresses, settings.max_cname_chain
        )
        self._written = _by_name(settings.balance)
        self._balanced: dict[bytes, _Balanced] = {}
        self._call: IDelayedCall | None = None
        self._is_running = False
        self._take_rules()

    def start(self) -> None:
        """Begin to look at addresses."""
        self._is_running = True
        self.look_around()

    def stop(self) -> None:
        """Look at nothing and ask for nothing any more."""
        self._is_running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.health.stop()
        self.targets.stop()

    def status(self) -> Mapping[str, Any]:
        """Rules, checks and targets, and how they stand."""
        return {
            "balance": [
                {"name": name_text(name), "gives": found.state, "rule": str(found.rule)}
                for name, found in self._balanced.items()
            ],
            "checks": self.health.status(),
            "alias_targets": self.targets.status(),
        }

    def _zones_of(self, client: Client | None) -> Zones:
        return self._views[client.view] if client and client.view else self._zones

    # --- trees ----------------------------------------------------------------------

    def prepare(self, tree: ZoneTree, owners: Collection[bytes] | None) -> None:
        """Put into ``tree`` what it has to ask, for these names or all; see
        ``ZoneBackend.watchers``."""
        if owners is None:
            rules = [name for name in self._balanced if is_below(name, tree.apex)]
            owners = {*tree.aliases, *rules}
        for owner in owners:
            self._attach(tree, owner)

    def _attach(self, tree: ZoneTree, owner: bytes) -> None:
        balanced = self._balanced.get(owner)
        node = tree.names.get(owner)
        types = {rrset.type for rrset in node.rrsets} if node is not None else set()
        if _ALIAS in types or (balanced is not None and types & _ADDRESSES):
            distribution = balanced.distribution if balanced is not None else None
            addresses = self._aliases.addresses
            tree.set_dynamic(owner, Moment(tree.names, owner, addresses, distribution))
        elif owner in tree.dynamic:
            tree.set_dynamic(owner, None)

    # --- rules ----------------------------------------------------------------------

    def _take_rules(self) -> None:
        """Make the rules of now the ones at work; those of the store come first."""
        rules = {**self._written, **self.shelf.things}
        old, self._balanced = self._balanced, {}
        for name, rule in rules.items():
            known = old.get(name)
            is_kept = known is not None and known.rule == rule
            self._balanced[name] = (
                known if known is not None and is_kept else self._put_to_work(rule)
            )
        self._touch(
            name
            for name in {*old, *self._balanced}
            if old.get(name) is not self._balanced.get(name)
        )
        self.look_around()

    def _put_to_work(self, rule: BalanceRule) -> _Balanced:
        places: dict[bytes, Place] = {}
        is_up = self.health.is_up

        def is_record_up(rrset: RRset, rdata: bytes) -> bool:
            place = places.get(rdata)
            return place is None or is_up(place)

        distribution = Distribution(rule, self._draw, is_record_up)
        return _Balanced(rule, distribution, places)

    def _touch(self, names: Iterable[bytes]) -> None:
        """Rules for these names have come, changed or gone."""
        has_touched = False
        for name in names:
            for tree in _trees_above(self._zones, name):
                self._attach(tree, name)
                tree.touch()
                has_touched = True
            for zones in self._views.values():
                for tree in _trees_above(zones, name):
                    if isinstance(tree, MergedTree):
                        self._attach(tree.overlay, name)
                        tree.follow((name,))
                        has_touched = True
        if has_touched:
            self._changed()

    # --- checks ---------------------------------------------------------------------

    def look_around(self) -> None:
        """Rules or zones have changed: see which addresses are to be looked at, as soon
        as the change is whole."""
        has_work = self._balanced or len(self.health)
        if has_work and self._is_running and self._call is None:
            self._call = self._clock.callLater(0, self._choose_places)

    def _choose_places(self) -> None:
        self._call = None
        most = self._settings.max_checked_addresses
        chosen: dict[Place, None] = {}
        for name, balanced in self._balanced.items():
            wanted = dict(self._places_of(name, balanced.rule))
            balanced.places.clear()
            for rdata, place in wanted.items():
                if len(chosen) < most or place in chosen:
                    chosen[place] = None
                    balanced.places[rdata] = place
        if len(chosen) >= most:
            self._log.warn("no more than {most} addresses are checked", most=most)
        self.health.watch(chosen)
        self._note_states()

    def _places_of(
        self, name: bytes, rule: BalanceRule
    ) -> Iterator[tuple[bytes, Place]]:
        if rule.check is None:
            return
        host = rule.check.host or name_text(name).removeprefix("*.").removesuffix(".")
        for rdata in self._addresses_of(name, rule):
            yield rdata, Place(address_text(rdata), rule.check, host)

    def _addresses_of(self, name: bytes, rule: BalanceRule) -> Iterator[bytes]:
        """Those in the zone, and for an ALIAS those that the rule names."""
        tree = self._zones.find(name, _A)
        node = tree.names.get(name) if tree is not None else None
        if tree is None or node is None:
            return
        for rrset in node.rrsets:
            if rrset.type in rule.types:
                yield from rrset.rdatas
        if name in tree.aliases:
            yield from (rdata for rdata, _ in rule.weights)

    def _note_states(self) -> None:
        """Say where another set of records is given than before."""
        for name, balanced in self._balanced.items():
            state = self._state(name, balanced)
            if state != balanced.state:
                if balanced.state or state in ("backup", "all"):
                    self._events.emit(
                        "balance_changed",
                        name=name_text(name),
                        gives=state,
                    )
                balanced.state = state

    def _state(self, name: bytes, balanced: _Balanced) -> str:
        """Which records are given, of all types taken together."""
        if not any(self._addresses_of(name, balanced.rule)):
            return "nothing"
        up = [r for r, place in balanced.places.items() if self.health.is_up(place)]
        if balanced.places and not up:
            return "all"
        weights = dict(balanced.rule.weights)
        if any(weights.get(rdata, 1) for rdata in up) or not balanced.places:
            return "primary"
        return "backup"

    # --- ALIAS ----------------------------------------------------------------------

    async def expand(self, alias: RRset) -> Iterable[RRset]:
        """The addresses that an ALIAS stands for, all of them; none where it leads back
        to itself, which shall not keep the rest of the zone from going out.  Trouble.
        """
        found = []
        for type_ in ADDRESSES:
            try:
                rrset = await self._addresses_soon(alias, type_)
            except Endless:
                return ()
            found += [rrset] if rrset.rdatas else []
        return found

    async def _addresses_soon(self, alias: RRset, type_: int) -> RRset:
        try:
            return self._addresses(alias, type_)
        except NotYet as pending:
            await pending.known()
            return self._addresses(alias, type_)

    def _addresses(self, alias: RRset, type_: int) -> RRset:
        return self._aliases.addresses(alias, type_, None, self._clock.seconds())

    async def _find_abroad(self, name: bytes, type_: int) -> Known:
        if self.resolvers is None:
            from netservices.dns.client.addresses import Resolvers, system_resolvers

            written = tuple(map(Peer.parse, self._settings.alias_resolvers))
            self.resolvers = Resolvers(self._clock, written or system_resolvers())
        return await self.resolvers.find(name, type_)


def _by_name(texts: Iterable[str]) -> dict[bytes, BalanceRule]:
    rules: dict[bytes, BalanceRule] = {}
    for text in texts:
        rule = BalanceRule.parse(text)
        if rule.name in rules:
            raise ValueError(f"dns.balance has two rules for {name_text(rule.name)}")
        rules[rule.name] = rule
    return rules


def _trees_above(zones: Zones, name: bytes) -> Iterator[ZoneTree]:
    """The zones in which a name could be."""
    for offset in label_offsets(name):
        tree = zones.get(name[offset:])
        if tree is not None:
            yield tree
