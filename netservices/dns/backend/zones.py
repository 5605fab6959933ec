"""The zones of the store, and what is kept beside them, in memory and up to date.

Answers come from memory alone; no question waits for the store.  A change notice marks
a zone; one worker at a time asks the store what became of it.  Small changes are taken
from the journal and put into the tree within one turn of the reactor; anything else is
read anew, in slices with pauses, into a fresh tree that takes the old one's place
(``load``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

from netservices.core.garbage import without_full_collections
from netservices.dns.backend.load import PAGE_RRSETS, ZoneLoader, put_rrset
from netservices.dns.backend.shelf import NAMESPACE, Shelf
from netservices.dns.backend.views import ViewedZones
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.zone.overlay import Overlay
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.interfaces import IEvents, IStore, StoreError
from netservices.values import Notice, RRset, Topic

RETRY_SECONDS = 5.0
SETTLE_SECONDS = 0.01
FREED_AT_ONCE = 5000
MAX_RRSETS_IN_PLACE = 2200
MAX_OCTETS_IN_PLACE = 256 * 1024
"""Changes of more RRsets, or of more octets in the journal, would hold up the reactor;
they go the long way."""

Difference: TypeAlias = tuple[int, int, Sequence[RRset], Sequence[RRset]]
Follower: TypeAlias = Callable[[ZoneTree], None]
Watcher: TypeAlias = Callable[[ZoneTree, Collection[bytes] | None], None]


class ZoneBackend:
    """Keeps ``zones`` equal to what the store holds."""

    def __init__(
        self,
        store: IStore,
        zones: Zones,
        events: IEvents,
        pause: Callable[[float], Awaitable[None]],
        load_slice: int,
        changed: Callable[[Collection[bytes] | None], None],
        failed: Callable[[str], None],
        wake: Callable[[], None],
        views: ViewedZones | None = None,
        page_rrsets: int = PAGE_RRSETS,
    ) -> None:
        """``pause`` lets other work have its turn, for so many seconds; ``changed`` is
        told the sources (``zone.answers``) of what may be answered differently from
        now on, None for everything; ``failed`` while an exception is handled that the
        log should show; ``wake`` shall run ``catch_up``; ``views`` follow the
        zones."""
        self._store = store
        self._views = views or ViewedZones(zones)
        self._zones = zones
        self._events = events
        self._pause = pause
        self._loader = ZoneLoader(store, pause, load_slice, page_rrsets)
        self._changed = changed
        self._failed = failed
        self._wake = wake
        self.shelves: list[Shelf[Any]] = []
        """Kept up to date together with the zones; to be filled before ``start``."""
        self.watchers: list[Watcher] = []
        """Called with a tree before it goes into service, and with one that changes
        before answers come from its new content: ``(tree, folded owners of what
        changed)``, None for everything.  Quick, and no exceptions."""
        self.followers: list[Follower] = []
        """Called with a zone when answers come from its new content, or when it is
        gone."""
        self._dirty: dict[bytes, None] = {}
        self._are_shelves_dirty = False
        self._is_working = False
        self._is_stopped = False
        self._has_failed = False
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Load every zone.  StoreError."""
        # Subscribed first: what changes while we load is looked at again.
        self._unsubscribe = self._store.changes.subscribe(self._noticed)
        self._is_working = True
        try:
            await self._load_shelves()
            for info in await self._store.zones.zones():
                await self._refresh(fold(info.name))
        finally:
            self._is_working = False
        await self.catch_up()

    async def reload(self) -> None:
        """Look at every zone of the store, and at those that it may hold no longer."""
        self._are_shelves_dirty = True
        for info in await self._store.zones.zones():
            self._dirty[fold(info.name)] = None
        self._dirty.update(dict.fromkeys(tree.apex for tree in self._zones.trees()))
        self._dirty.update(dict.fromkeys(o.name for o in self._views.overlays()))
        await self.catch_up()

    def stop(self) -> None:
        """Follow changes no longer."""
        self._is_stopped = True
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def catch_up(self) -> None:
        """Refresh what is marked until nothing is; at once if that is under way."""
        if self._is_working:
            return
        self._is_working = True
        try:
            while self._has_work and not self._is_stopped:
                if not await self._do_next():
                    await self._pause(RETRY_SECONDS)
        finally:
            self._is_working = False

    async def settle(self) -> None:
        """Wait until what the store has told so far is served, or cannot be read."""
        self._has_failed = False
        while (self._has_work or self._is_working) and not self._is_stopped:
            if self._has_failed:
                return
            await self._pause(SETTLE_SECONDS)

    def _noticed(self, notices: tuple[Notice, ...]) -> None:
        for notice in notices:
            if notice.topic is Topic.ZONE:
                self._dirty[fold(parse_name(notice.object))] = None
            elif notice.topic is Topic.KEY_VALUE and notice.object == NAMESPACE:
                self._are_shelves_dirty = True
            elif notice.topic is Topic.ACCOUNT:
                # Keys belong to accounts, and go with them.
                self._are_shelves_dirty = True
        if self._has_work and not self._is_working:
            self._wake()

    @property
    def _has_work(self) -> bool:
        return bool(self._dirty) or self._are_shelves_dirty

    async def _do_next(self) -> bool:
        """Bring one thing up to date; whether that could be done."""
        name = None
        try:
            if self._are_shelves_dirty:
                await self._load_shelves()
            else:
                name = next(iter(self._dirty))
                del self._dirty[name]
                await self._refresh(name)
        except StoreError:
            if self._is_stopped:
                return True
            # The old version stays in service.
            self._has_failed = True
            if name is None:
                self._are_shelves_dirty = True
                self._failed("(what is kept beside the zones)")
            else:
                self._dirty[name] = None
                self._failed(name_text(name))
            return False
        return True

    async def _load_shelves(self) -> None:
        self._are_shelves_dirty = False
        for shelf in self.shelves:
            await shelf.load()

    async def _refresh(self, name: bytes) -> None:
        tree = self._held(name)
        if tree is not None:
            differences = await self._store.zones.differences(
                name, tree.revision, MAX_OCTETS_IN_PLACE
            )
            if differences is not None and self._fits_in_place(differences):
                self._apply(tree, differences)
                await self._tidy()
                return
        with without_full_collections():
            fresh = await self._loader.load(name)
            if fresh is not None:
                self._put(fresh, tree)
            else:
                self._remove(name)
            del tree
            await self._tidy()

    def _put(self, fresh: ZoneTree, old: ZoneTree | None) -> None:
        """Put a new tree into service, in place of an old one."""
        for watcher in self.watchers:
            watcher(fresh, None)
        fresh.touch()
        self._complain(fresh, self._loader.left_out)
        if not isinstance(fresh, Overlay):
            self._zones.put(fresh)
        self._views.put(fresh)
        self._announce(fresh, "loaded")
        if old is not None:
            self._zones.leftovers.drop_tree(old)

    async def _tidy(self) -> None:
        """Free what has been given up, a little at a time."""
        leftovers = self._zones.leftovers
        leftovers.look()
        while leftovers:
            leftovers.take_away(FREED_AT_ONCE)
            await self._pause(0)

    def _held(self, name: bytes) -> ZoneTree | None:
        """The zone or overlay that the store has under that name, as it is here."""
        return self._views.overlay(name) or self._zones.get(name)

    @staticmethod
    def _fits_in_place(differences: Iterable[Difference]) -> bool:
        total = sum(len(removed) + len(added) for _, _, removed, added in differences)
        return total <= MAX_RRSETS_IN_PLACE

    def _apply(self, tree: ZoneTree, differences: Sequence[Difference]) -> None:
        """Take journalled changes into a tree that is in service: nothing of this
        waits, so no answer sees half of it."""
        left_out = 0
        owners = set()
        for _, _, removed, added in differences:
            for rrset in removed:
                owners.add(rrset.owner.lower())
                tree.remove(rrset.owner, rrset.type)
            for rrset in added:
                owners.add(rrset.owner.lower())
                left_out += not put_rrset(tree, rrset)
        if differences:
            tree.revision += len(differences)
            for watcher in self.watchers:
                watcher(tree, owners)
            sources = self._views.follow(tree, owners, tree.touch())
            self._complain(tree, left_out)
            self._announce(tree, "updated", sources)

    def _complain(self, tree: ZoneTree, left_out: int) -> None:
        """Say what is wrong with a zone that is served all the same: without a SOA with
        SERVFAIL, which is the truth, where REFUSED would not be."""
        if tree.soa is None and not isinstance(tree, Overlay):
            self._refuse(tree, "the zone has no SOA record")
        if left_out:
            self._refuse(tree, f"{left_out} malformed RRsets are left out")

    def _remove(self, name: bytes) -> None:
        tree = self._held(name)
        if tree is not None:
            if not isinstance(tree, Overlay):
                self._zones.remove(name)
            self._views.remove(tree)
            self._announce(tree, "removed")
            self._zones.leftovers.drop_tree(tree)

    def _refuse(self, tree: ZoneTree, reason: str) -> None:
        self._events.emit(
            "zone_refused",
            zone=name_text(tree.apex),
            view=_view_of(tree),
            reason=reason,
        )

    def _announce(
        self, tree: ZoneTree, change: str, sources: Collection[bytes] | None = None
    ) -> None:
        self._changed(sources)
        for follower in self.followers:
            follower(tree)
        self._events.emit(
            "zone_changed",
            zone=name_text(tree.apex),
            view=_view_of(tree),
            serial=tree.serial,
            change=change,
            records=tree.record_count,
        )


def _view_of(tree: ZoneTree) -> str:
    """The view whose overlay it is; empty: it is a zone."""
    return tree.view if isinstance(tree, Overlay) else ""
