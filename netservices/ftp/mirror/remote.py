"""The tree of a server."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import FTPClient, Unexpected
from netservices.ftp.mirror.values import Item, Wishes, item_of
from netservices.values import NodeKind, Path


class IncompleteListing(Exception):
    """A listing has lines that are not understood."""


@define
class RemoteTree:
    """A directory of a server and all below it."""

    top: str
    """Absolute, without a slash at its end; empty for the server's root."""

    def name(self, path: Path) -> str:
        """What the server calls it."""
        return "/".join((self.top, *path)) or "/"

    async def entries(
        self, client: FTPClient, path: Path
    ) -> tuple[dict[str, Item], tuple[str, ...]]:
        """What is in a directory, by name, and lines that tell nothing."""
        listing = await client.list(self.name(path))
        items = {entry.name: item_of(path, entry) for entry in listing.entries}
        return items, listing.not_understood

    async def exact(self, client: FTPClient, item: Item) -> Item:
        """The same with its exact time, where the server tells it."""
        if "MDTM" not in await client.features():
            return item
        try:
            mtime_ns = await client.modified(self.name(item.path))
        except (Unexpected, SyntaxProblem):
            return item
        return evolve(item, mtime_ns=mtime_ns, exact_seconds=1)

    async def make(self, client: FTPClient, path: Path) -> None:
        """Make a directory, if there is none."""
        try:
            await client.make_directory(self.name(path))
        except Unexpected as problem:
            try:
                found = await client.entry(self.name(path))
            except Unexpected:
                raise problem from None
            if found.kind is not NodeKind.DIRECTORY:
                raise

    async def make_top(self, client: FTPClient) -> None:
        """Make the directory itself, and those above it, where they are missing."""
        names = [name for name in self.top.split("/") if name]
        if not names or await self._is_there(client, self.top):
            return
        for count in range(1, len(names) + 1):
            path = "/" + "/".join(names[:count])
            if not await self._is_there(client, path):
                await client.make_directory(path)

    async def _is_there(self, client: FTPClient, path: str) -> bool:
        try:
            return (await client.entry(path)).kind is NodeKind.DIRECTORY
        except Unexpected:
            return False

    async def refreshed(self, client: FTPClient, item: Item) -> Item:
        """The same file as it is now."""
        entry = await client.entry(self.name(item.path))
        return evolve(item, size=entry.size, mtime_ns=entry.mtime_ns, exact_seconds=1)

    async def delete(
        self,
        client: FTPClient,
        item: Item,
        keeps: Callable[[Item], bool],
        wishes: Wishes,
    ) -> bool:
        """Remove something and all below it, but for what ``keeps`` wants to stay;
        whether nothing stayed."""
        if item.kind is not NodeKind.DIRECTORY:
            await client.delete(self.name(item.path))
            return True
        if len(item.path) > wishes.most_levels:
            raise IncompleteListing("too many levels of directories")
        found, not_understood = await self.entries(client, item.path)
        has_kept = bool(not_understood)
        for below in found.values():
            is_gone = not keeps(below) and await self.delete(
                client, below, keeps, wishes
            )
            has_kept |= not is_gone
        if not has_kept:
            await client.remove_directory(self.name(item.path))
        return not has_kept
