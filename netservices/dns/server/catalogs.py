"""Catalogs that come from a primary, and what follows from them: their members are
secondary zones of the same primaries (RFC 9432 5).

Theory.  What a catalog says is compared with the zones that are configured from it, and
the difference is done.  Nothing is remembered beside that: a catalog that is looked at
twice changes nothing the second time, and one that was looked at halfway is finished by
the next look.  A broken or expired catalog is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from netservices.core.deferreds import begun
from netservices.dns.backend.secondaries import forget_state
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.options import NO_OPTIONS, ZoneOptions
from netservices.dns.wire.names import name_text
from netservices.dns.zone.overlay import split_overlay
from netservices.interfaces import StoreError
from netservices.units import AssertValue, CreateZone, DeleteZone, Operation

if TYPE_CHECKING:
    from netservices.dns.server.secondary import Secondaries
    from netservices.dns.zone.catalog import Member

_log = Logger()

MEMBERS_A_UNIT = 1000


class Catalogs:
    """Keeps the members of catalogs what the catalogs say; see the module's theory."""

    def __init__(
        self,
        secondaries: Secondaries,
        options: Callable[[], Mapping[bytes, ZoneOptions]],
        max_members: int,
    ) -> None:
        self._house = secondaries
        self._options = options
        self._max_members = max_members
        self._lock = DeferredLock()
        self._problems: dict[bytes, list[str]] = {}

    def follow(self, name: bytes) -> Deferred[None]:
        """Do what the catalog of that name says; nothing where it is none."""
        options = self._options().get(name)
        if options is None or not options.is_catalog or not options.primaries:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        followed: Deferred[None] = self._lock.run(lambda: begun(self._follow(name)))
        return followed.addErrback(self._failed, name)

    def _failed(self, failure: Any, name: bytes) -> None:
        if failure.check(StoreError) is None:
            _log.failure("the catalog {zone}", failure, zone=name_text(name))
            return
        self._report(name, [f"not followed: {failure.value}"])

    def problems(self, name: bytes) -> Sequence[str]:
        """What is wrong with a catalog, or stands against it."""
        return self._problems.get(name, ())

    async def _follow(self, name: bytes) -> None:
        # What the last look did has to be known here.
        await self._house.settle()
        members = self._read(name)
        if members is None:
            return
        own = self._options().get(name, NO_OPTIONS)
        if not own.primaries:
            return
        problems: list[str] = []
        steps = self._steps(name, own, members, problems)
        operations: list[Operation] = []
        for index, step in enumerate(steps, 1):
            operations += step
            if index % MEMBERS_A_UNIT == 0:
                await self._apply(operations)
                operations = []
        await self._apply(operations)
        self._report(name, problems)

    async def _apply(self, operations: list[Operation]) -> None:
        """Some members at a time, so that a large catalog holds up nobody."""
        if operations:
            await self._house.apply(*operations)
            await self._house.pause()

    def _read(self, name: bytes) -> Mapping[bytes, Member] | None:
        """The members; None: it cannot be followed now."""
        from netservices.dns.zone.catalog import BrokenCatalog, read_catalog

        tree = self._house.zones.get(name)
        if tree is None or tree.soa is None or self._house.is_withheld(name):
            return None
        try:
            return read_catalog(name, tree.rrsets(), self._max_members)
        except BrokenCatalog as problem:
            self._report(name, [f"the catalog is broken: {problem}"])
            return None

    def _report(self, name: bytes, problems: list[str]) -> None:
        """Tell of problems, once."""
        known = self._problems.get(name, [])
        for problem in problems:
            if problem not in known:
                _log.warn("{zone}: {problem}", zone=name_text(name), problem=problem)
                self._house.events.emit(
                    "catalog_problem", zone=name_text(name), reason=problem
                )
        self._problems[name] = problems

    # --- what there is to do ---

    def _steps(
        self,
        name: bytes,
        own: ZoneOptions,
        members: Mapping[bytes, Member],
        problems: list[str],
    ) -> Iterator[list[Operation]]:
        """The operations for each member that is not as the catalog says."""
        catalog = name_text(name)
        for zone, options in tuple(self._options().items()):
            # RFC 9432 5.3: only what came from this very catalog goes with it.
            is_ours = options.catalog == catalog and options.primaries
            if is_ours and zone not in members:
                yield self._still(zone, options) + self._removal(zone)
        for zone, member in members.items():
            wanted = ZoneOptions(
                primaries=own.primaries,
                allow_notify=own.allow_notify,
                allow_transfer=own.allow_transfer,
                notify=own.notify,
                catalog=catalog,
                member=member.label_text,
                groups=member.groups,
            )
            yield self._step(name, zone, wanted, problems)

    def _step(
        self, name: bytes, zone: bytes, wanted: ZoneOptions, problems: list[str]
    ) -> list[Operation]:
        """The operations that make one zone what its catalog says."""
        if split_overlay(zone) is not None:
            # RFC 9432 7: who feeds the catalog shall not say what our views show.
            problems.append(f"{name_text(zone)} is the name of an overlay")
            return []
        known = self._options().get(zone)
        if known == wanted:
            return []
        put = ZONE_OPTIONS.put(zone, wanted)
        if known is None or not known.primaries:
            if self._house.zones.get(zone) is not None:
                # RFC 9432 5.2: what is configured otherwise stays as it is.
                problems.append(f"{name_text(zone)} is a zone of this server's own")
                return []
            return [put, CreateZone(zone, ())]
        if known.catalog != wanted.catalog and not self._moves(known, zone, name):
            where = known.catalog or "this server's configuration"
            problems.append(f"{name_text(zone)} belongs to {where}")
            return []
        still = self._still(zone, known)
        if known.member == wanted.member:
            return [*still, put]
        # RFC 9432 5.4: another label is another zone of the same name.
        anew = CreateZone(zone, ())
        return [*still, *self._removal(zone), put, anew]

    def _moves(self, known: ZoneOptions, zone: bytes, name: bytes) -> bool:
        """RFC 9432 4.3.1: whether the catalog that has the zone lets it go to this
        one."""
        if not known.catalog:
            return False
        for other, options in self._options().items():
            if options.is_catalog and name_text(other) == known.catalog:
                members = self._read(other) or {}
                member = members.get(zone)
                return member is not None and member.new_catalog == name
        return False

    @staticmethod
    def _still(zone: bytes, known: ZoneOptions) -> list[Operation]:
        """What was changed by somebody else meanwhile is looked at again, later."""
        put = ZONE_OPTIONS.put(zone, known)
        return [AssertValue(put.namespace, put.key, put.value)]

    def _removal(self, zone: bytes) -> list[Operation]:
        """A zone goes with its records and its past."""
        operations = [ZONE_OPTIONS.delete(zone), forget_state(zone)]
        if self._house.zones.get(zone) is not None:
            return [DeleteZone(zone), *operations]
        return [*operations]
