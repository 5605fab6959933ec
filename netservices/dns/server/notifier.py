"""Who is told that a zone has changed, and when (RFC 1996).

Each zone has at most one moment at which its next notifications go out: at once, or
``INTERVAL_SECONDS`` after those before; whatever changes until then is told together.
Only a new serial is told, and a server that gets the zone from another one tells it
when it has it, not before; so two servers that name each other come to rest.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger

from netservices.core.networks import parse_address
from netservices.dns.backend.keys import KeyRing
from netservices.dns.client.problems import NoAnswer
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, name_text, read_name
from netservices.dns.zone.overlay import Overlay
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.plugin import Services
from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.client.notify import Courier

INTERVAL_SECONDS = 1.0
"""Between two notifications of one zone."""

_DNS_PORT = 53
_log = Logger()


class Notifier:
    """Tells other servers of changes."""

    def __init__(
        self,
        zones: Zones,
        settings: DNSSettings,
        services: Services,
        options: Callable[[bytes], ZoneOptions],
        keys: KeyRing,
    ) -> None:
        self._zones = zones
        self._settings = settings
        self._events = services.events
        self._clock: Any = services.clock
        self._options = options
        self._keys = keys
        self._sources = settings.notify_source or _only_address(services)
        self.courier: Courier | None = None
        """Who brings notifications, from the first one on."""
        self.is_own: Callable[[str], bool] = is_own_address
        self._is_telling_all = settings.notify_on_start
        self._permits = DeferredSemaphore(settings.notify_parallel)
        self._serials: dict[bytes, int] = {}
        self._told_at: dict[bytes, float] = {}
        self._due: dict[bytes, Any] = {}
        self._under_way: dict[tuple[bytes, Peer], Deferred[None]] = {}
        self._failing: set[tuple[bytes, Peer]] = set()
        self._counts: Counter[str] = Counter()
        self._has_stopped = False

    # --- what changes ---------------------------------------------------------------

    def start(self) -> None:
        """All zones are loaded; what comes from now on is news."""
        self._is_telling_all = True

    def changed(self, tree: ZoneTree) -> None:
        """A zone is served in a new version, or no longer."""
        if isinstance(tree, Overlay) or self._has_stopped:
            return
        apex = tree.apex
        if self._zones.get(apex) is not tree or tree.soa is None:
            self._serials.pop(apex, None)
            self._told_at.pop(apex, None)
            return
        is_news = self._serials.get(apex) != tree.serial
        self._serials[apex] = tree.serial
        if is_news and self._is_telling_all:
            self._schedule(apex)

    def _schedule(self, apex: bytes) -> None:
        if apex in self._due:
            return
        if len(self._due) + len(self._under_way) >= self._settings.notify_queue:
            self._counts["dropped"] += 1
            return
        earliest = self._told_at.get(apex, 0.0) + INTERVAL_SECONDS
        wait = max(0.0, earliest - self._clock.seconds())
        self._due[apex] = self._clock.callLater(wait, self._tell, apex)

    def _tell(self, apex: bytes) -> None:
        """The moment has come."""
        del self._due[apex]
        tree = self._zones.get(apex)
        if tree is None or tree.soa is None:
            return
        self._told_at[apex] = self._clock.seconds()
        for peer in dict.fromkeys(self.peers(tree)):
            self._begin(tree.soa, tree.serial, peer)

    # --- whom to tell ---------------------------------------------------------------

    def peers(self, tree: ZoneTree) -> Iterator[Peer]:
        """Whom to tell of that zone: those that are listed, and its name servers."""
        seen: set[tuple[str, int]] = set()
        for text in (*self._options(tree.apex).notify, *self._settings.notify):
            try:
                peer = Peer.parse(text)
            except ValueError:
                continue
            seen.add((peer.address, peer.port or _DNS_PORT))
            yield peer
        for address in self._name_servers(tree):
            if (address, _DNS_PORT) not in seen and not self.is_own(address):
                yield Peer(address)

    def _name_servers(self, tree: ZoneTree) -> Iterator[str]:
        """Addresses of the NS, as far as they are in zones of ours; but not that of the
        primary master, which tells and is not told (RFC 1996 3.3, 4.2)."""
        if tree.ns is None or tree.soa is None:
            return
        primary = fold(read_name(tree.soa.rdatas[0], 0)[0])
        for rdata in tree.ns.rdatas:
            name = fold(rdata)
            zone = self._zones.find(name, Type.A) if name != primary else None
            node = zone.names.get(name) if zone is not None else None
            if node is None:
                continue
            for type_, family in (
                (Type.A, socket.AF_INET),
                (Type.AAAA, socket.AF_INET6),
            ):
                found = node.get(type_)
                for address in found.rdatas if found is not None else ():
                    yield socket.inet_ntop(family, address)

    # --- telling --------------------------------------------------------------------

    def _begin(self, soa: RRset, serial: int, peer: Peer) -> None:
        # What is being told there of an older version needs no telling any more.
        key = fold(soa.owner), peer
        older = self._under_way.pop(key, None)
        if older is not None:
            older.cancel()
        telling = Deferred.fromCoroutine(self._deliver(soa, serial, peer))
        if not telling.called:
            self._under_way[key] = telling
            telling.addBoth(self._end, key, telling)

    def _end(
        self, result: Any, key: tuple[bytes, Peer], telling: Deferred[None]
    ) -> None:
        if self._under_way.get(key) is telling:
            del self._under_way[key]

    async def _deliver(self, soa: RRset, serial: int, peer: Peer) -> None:
        from netservices.dns.client.notify import make_notification

        zone, began = fold(soa.owner), self._clock.seconds()
        try:
            await self._permits.acquire()
        except CancelledError:
            return
        try:
            key = self._keys.find(peer.key) if peer.key else None
            courier = self.courier or self._make_courier()
            done = await courier.deliver(make_notification(soa), peer, key)
        except CancelledError:
            return
        except NoAnswer as problem:
            self._failed(zone, serial, peer, str(problem))
            return
        except Exception:
            _log.failure("telling {peer} of {zone}", peer=peer, zone=name_text(zone))
            return
        finally:
            self._permits.release()
        self._counts["told"] += 1
        self._failing.discard((zone, peer))
        self._events.emit(
            "zone_notified",
            zone=name_text(zone),
            serial=serial,
            address=peer.address,
            transport=done.transport,
            tries=done.tries,
            seconds=round(self._clock.seconds() - began, 3),
        )

    def _make_courier(self) -> Courier:
        from netservices.dns.client.notify import Courier

        authorities = self._settings.primary_authorities
        self.courier = Courier(self._clock, self._sources, authorities=authorities)
        return self.courier

    def _failed(self, zone: bytes, serial: int, peer: Peer, reason: str) -> None:
        """Said once, until it succeeds again."""
        self._counts["failed"] += 1
        if (zone, peer) in self._failing:
            return
        if len(self._failing) >= self._settings.notify_queue:
            self._failing.clear()
        self._failing.add((zone, peer))
        _log.warn(
            "{peer} could not be told of serial {serial} of {zone}: {reason}",
            peer=str(peer),
            serial=serial,
            zone=name_text(zone),
            reason=reason,
        )
        self._events.emit(
            "zone_notify_failed",
            zone=name_text(zone),
            serial=serial,
            address=peer.address,
            reason=reason,
        )

    # --- ends -----------------------------------------------------------------------

    def stop(self) -> None:
        """Tell nobody any more."""
        self._has_stopped = True
        for call in self._due.values():
            call.cancel()
        self._due.clear()
        for telling in tuple(self._under_way.values()):
            telling.cancel()
        if self.courier is not None:
            self.courier.stop()

    def status(self) -> Mapping[str, int]:
        """Counts since the start, and what is under way."""
        return {
            "told": self._counts["told"],
            "failed": self._counts["failed"],
            "dropped": self._counts["dropped"],
            "due": len(self._due),
            "under_way": len(self._under_way),
        }


def is_own_address(text: str) -> bool:
    """Whether an address is one of this machine's: then the system sends from there to
    there.  Nothing is sent to find out."""
    address = parse_address(text)
    if address is None:
        return False
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((text, _DNS_PORT))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == text)


def _only_address(services: Services) -> tuple[str, ...]:
    """The address on which this server listens, where it is a single one: its
    secondaries know it by that."""
    server = getattr(services.settings, "server", None)
    interface = getattr(server, "interface", "")
    address = parse_address(interface)
    if address is None or address.is_unspecified:
        return ()
    return (interface,)
