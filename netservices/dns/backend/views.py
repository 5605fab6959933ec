"""The zones of each view, kept equal to the store: the zones themselves, and over them
the overlays.

Whatever changes a tree tells it here within the same turn of the reactor, so that no
answer sees the zone changed and the view not yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from netservices.dns.wire.names import fold
from netservices.dns.zone.answers import PASSING
from netservices.dns.zone.overlay import (
    MergedTree,
    Overlay,
    overlay_name,
    split_overlay,
)
from netservices.dns.zone.tree import Zones, ZoneTree


class View(Protocol):
    """As much of a view as is needed here."""

    @property
    def name(self) -> str:
        """By which clients and overlays mean it."""

    def shows(self, apex: bytes) -> bool:
        """Whether the zone of that folded name is in the view."""


class ViewedZones:
    """What each view answers from."""

    def __init__(self, zones: Zones, views: Iterable[View] = ()) -> None:
        """``zones`` are those of the clients without a view."""
        self._base = zones
        self._views = {view.name: view for view in views}
        self.zones = {name: Zones() for name in self._views}
        """By view."""
        for shown in self.zones.values():
            shown.leftovers = zones.leftovers
        self._overlays: dict[bytes, Overlay] = {}

    def overlay(self, name: bytes) -> Overlay | None:
        """The overlay that is stored under that folded name."""
        return self._overlays.get(name)

    def overlays(self) -> tuple[Overlay, ...]:
        """All of them, those of unknown views too."""
        return tuple(self._overlays.values())

    def merged(self, apex: bytes) -> tuple[MergedTree, ...]:
        """What the views that have an overlay of that zone show of it."""
        trees = (zones.get(apex) for zones in self.zones.values())
        return tuple(tree for tree in trees if isinstance(tree, MergedTree))

    def forget_answers(self) -> None:
        """Whether a zone is answered for at all may have changed."""
        for zones in self.zones.values():
            for tree in zones.trees():
                if isinstance(tree, MergedTree):
                    tree.touch()

    def put(self, tree: ZoneTree) -> None:
        """A zone or overlay is there, as a new tree."""
        if isinstance(tree, Overlay):
            self._overlays[tree.name] = tree
        self._place(tree)

    def remove(self, tree: ZoneTree) -> None:
        """A zone or overlay is there no longer."""
        if isinstance(tree, Overlay):
            del self._overlays[tree.name]
        self._place(tree)

    def follow(
        self,
        tree: ZoneTree,
        owners: Collection[bytes],
        sources: Collection[bytes] | None = None,
    ) -> Collection[bytes] | None:
        """A tree has changed in place, at those folded names; ``sources`` are what its
        ``touch`` told.  What that becomes with the views."""
        if self._base.get(tree.apex) is None:
            # The overlay may have got, or lost, the SOA that makes it a zone.
            self._place(tree)
            return None
        changed = sources
        if sources is not None:
            changed = [name for name in sources if not name.startswith(PASSING)]
        for merged in self.merged(tree.apex):
            if merged.base is tree or merged.overlay is tree:
                found = merged.follow(owners, changed)
                if found is None or sources is None:
                    sources = None
                else:
                    sources = {*sources, *found}
        return sources

    def _place(self, changed: ZoneTree) -> None:
        """Put into each view that shows a zone what it shows of it."""
        apex = changed.apex
        for view in self._views.values():
            if isinstance(changed, Overlay) and changed.view != view.name:
                continue
            tree = self._shown(view.name, apex) if view.shows(apex) else None
            if tree is None:
                self.zones[view.name].remove(apex)
            else:
                self.zones[view.name].put(tree)

    def _shown(self, view: str, apex: bytes) -> ZoneTree | None:
        tree = self._base.get(apex)
        overlay = self._overlays.get(fold(overlay_name(view, apex)))
        if overlay is None:
            return tree
        if tree is None:
            # With a SOA it is a zone of the view alone.
            return MergedTree(ZoneTree(apex), overlay) if overlay.soa else None
        return MergedTree(tree, overlay)


def empty_tree(name: bytes, revision: int) -> ZoneTree:
    """A tree for the zone, or overlay, that the store has under that name."""
    split = split_overlay(name)
    if split is None:
        return ZoneTree(name, revision)
    return Overlay(split[0], split[1], revision)
