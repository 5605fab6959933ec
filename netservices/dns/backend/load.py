"""A tree of a whole zone, read from the store page by page.

The zone may change meanwhile.  With each page come the changes since the one before, of
the same moment; they are taken over first, also for names that are yet to come, so that
the tree is always right up to where it has been read.  When the last page has come, it
is what the store had then; later changes are those of any zone in service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from netservices.core.errors import SyntaxProblem
from netservices.dns.backend.views import empty_tree
from netservices.dns.wire.names import fold
from netservices.dns.zone.tree import ZoneTree
from netservices.interfaces import IStore
from netservices.values import RRset, ZoneInfo, ZonePage

PAGE_RRSETS = 5000
_MOST_STARTS = 3
"""Where the journal forgets faster than pages are read, the zone is read at once."""


def put_rrset(tree: ZoneTree, rrset: RRset) -> bool:
    """Whether the RRset could be put."""
    try:
        tree.put(rrset)
    except SyntaxProblem:
        return False
    return True


class ZoneLoader:
    """Makes trees of what is in the store."""

    def __init__(
        self,
        store: IStore,
        pause: Callable[[float], Awaitable[None]],
        load_slice: int,
        page_rrsets: int = PAGE_RRSETS,
    ) -> None:
        """``load_slice`` RRsets are put between two pauses."""
        self._store = store
        self._pause = pause
        self._load_slice = load_slice
        self._page_rrsets = page_rrsets
        self.left_out = 0
        """Malformed RRsets of the zone that was loaded last."""

    async def load(self, name: bytes) -> ZoneTree | None:
        """The zone of that name, not touched yet; None where there is none.
        StoreError."""
        for _ in range(_MOST_STARTS):
            first = await self._page(name, None, None)
            if first is None:
                return None
            tree = await self._read(name, first)
            if tree is not None:
                return tree
        zone = await self._store.zones.load(name)
        if zone is None:
            return None
        tree = self._begin(zone.info)
        await self._put(tree, zone.rrsets)
        return tree

    def _begin(self, info: ZoneInfo) -> ZoneTree:
        self.left_out = 0
        return empty_tree(info.name, info.revision)

    async def _page(
        self, name: bytes, after: tuple[bytes, int] | None, since: int | None
    ) -> ZonePage | None:
        return await self._store.zones.page(name, after, self._page_rrsets, since)

    async def _read(self, name: bytes, first: ZonePage) -> ZoneTree | None:
        """The tree whose first page that is; None where it has to be read anew."""
        tree = self._begin(first.info)
        page: ZonePage | None = first
        while page is not None and page.changes is not None:
            for removed, added in page.changes:
                for rrset in removed:
                    tree.remove(rrset.owner, rrset.type)
                await self._put(tree, added)
            await self._put(tree, page.rrsets)
            tree.revision = page.info.revision
            if page.is_last:
                return tree
            last = page.rrsets[-1]
            page = await self._page(name, (fold(last.owner), last.type), tree.revision)
        return None

    async def _put(self, tree: ZoneTree, rrsets: Iterable[RRset]) -> None:
        for index, rrset in enumerate(rrsets, 1):
            self.left_out += not put_rrset(tree, rrset)
            if index % self._load_slice == 0:
                await self._pause(0)
