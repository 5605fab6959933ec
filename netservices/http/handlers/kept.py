"""Files that were asked for lately, as they were.

Theory
======

What is known of a file holds as long as nothing that was looked at has changed: the
file, its directory (another index file, a coding beside it), the settings, the
accounts, the place of the site's root.  Whatever this process changes in the tree is
noticed at once, for the tree counts its changes; what others change, within
``LOOK_SECONDS``, by one look at each.  A file that has changed a moment ago is not
kept: it could change again without getting another time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from attrs import define, field

from netservices.http.backend import Place, Sites
from netservices.interfaces import IFileTree
from netservices.values import Node, Path
from netservices.web.negotiation import Codings

LOOK_SECONDS = 1.0
"""So often, at most, it is looked whether a file is still the same."""

Mark: TypeAlias = tuple[str, int, str]
Key: TypeAlias = tuple[str, str]

_ENTRY_OCTETS = 4096
"""What an entry takes beside the content."""


def mark_of(node: Node) -> Mark:
    """What is another one when the node has changed."""
    return node.id, node.mtime_ns, node.etag


@define
class Variant:
    """One coding of a file."""

    coding: str
    path: Path
    node: Node
    etag: str
    content: bytes | None = None
    """None where it is too long to be kept, or has not been made yet."""


@define(eq=False)
class Holding:
    """What an answer that was made of a file holds by (``web.response.Lasting``); it
    may outlive the content, which it does not keep in memory."""

    sites: Sites
    place: Place
    watched: tuple[tuple[Path, Mark], ...]
    until: float
    changes: int
    epoch: int
    is_kept: bool = True

    def is_current(self, now: float) -> bool:
        """Whether nothing has changed."""
        if now < self.until and self.changes == self.place.tree.changes:
            return self.is_kept and self.epoch == self.sites.changes
        return self._look(now)

    def _look(self, now: float) -> bool:
        tree = self.place.tree
        changes = tree.changes
        self.sites.look(self.place, now)
        if not self.is_kept or self.epoch != self.sites.changes:
            return False
        for path, mark in self.watched:
            node = tree.glance(path)
            if node is None or mark_of(node) != mark:
                self.is_kept = False
                return False
        self.until = now + LOOK_SECONDS
        self.changes = changes
        return True


@define(eq=False)
class KnownFile:
    """A file and the codings it can be sent in."""

    holding: Holding
    media_type: str
    variants: dict[str, Variant]
    """By coding; the empty one is the file as it is."""
    beside: tuple[str, ...]
    """Codings that lie in files beside it, the most wanted first."""
    made: tuple[str, ...]
    """Codings that can be made of it, the most wanted first."""
    octets: int = _ENTRY_OCTETS
    fields: list[tuple[str, str]] = field(factory=list)
    """What else is said of it."""

    @property
    def tree(self) -> IFileTree:
        """The tree that it is in."""
        return self.holding.place.tree

    @property
    def varies(self) -> bool:
        """Whether what is sent depends on Accept-Encoding."""
        return bool(self.beside or self.made)

    def choose(self, codings: Codings, is_ranged: bool) -> str | None:
        """The coding to send; None: nothing that the client takes can be made.

        A part is one of what is there, or is short; not of what would have to be made
        first.
        """
        offered = self.beside + self.made
        if is_ranged and self.variants[""].content is None:
            offered = tuple(one for one in offered if one in self.variants)
        return codings.best(offered)


class Kept:
    """What is known, within a number of octets; what was not wanted for longest goes
    first."""

    def __init__(self, most_octets: int) -> None:
        self.most_octets = most_octets
        self._known: OrderedDict[Key, KnownFile] = OrderedDict()
        self._octets = 0
        self._epoch = 0

    def get(self, key: Key, now: float, epoch: int) -> KnownFile | None:
        """What is known, and still so; in another ``epoch`` of the sites nothing is."""
        if epoch != self._epoch:
            self._epoch = epoch
            self.clear()
        known = self._known.get(key)
        if known is None:
            return None
        if known.holding.is_current(now):
            self._known.move_to_end(key)
            return known
        self.drop(key)
        return None

    def put(self, key: Key, known: KnownFile) -> None:
        """Keep it."""
        self.drop(key)
        # The key is what a peer wrote: many spellings may lead to one file.
        known.octets += len(key[0]) + len(key[1])
        self._known[key] = known
        self._octets += known.octets
        self._make_room()

    def grow(self, key: Key, known: KnownFile, octets: int) -> None:
        """What is known takes so much more."""
        if self._known.get(key) is known:
            self._octets += octets
        known.octets += octets
        self._make_room()

    def _make_room(self) -> None:
        while self._octets > self.most_octets:
            self.drop(next(iter(self._known)))

    def drop(self, key: Key) -> None:
        """Forget it."""
        known = self._known.pop(key, None)
        if known is not None:
            self._octets -= known.octets

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._octets = 0
