"""A tree in which what is allowed depends on the directory.

Permissions hold for a path as it is written; where a link leads elsewhere, those of the
other place count as well (``restricted``).
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail

from netservices.files import names
from netservices.files.disk import Target
from netservices.files.permissions import ByDirectory
from netservices.files.placing import Order
from netservices.files.restricted import SEEN, RestrictedDisk, segments_of
from netservices.files.tree import FileTree
from netservices.files.upload import Beginning
from netservices.files.volume import Volume
from netservices.files.work import unstoppable
from netservices.interfaces import Exists, IUpload, NotAllowed, NotFound
from netservices.values import (
    LineOf,
    Lines,
    Node,
    NodeKind,
    Path,
    Permission,
    Permissions,
    WriteMode,
)


class RestrictedTree(FileTree):
    """A tree in which permissions differ from directory to directory."""

    def __init__(
        self,
        volume: Volume,
        permissions: Permissions,
        account: int = 0,
        quota_octets: int | None = None,
    ) -> None:
        super().__init__(volume, ByDirectory(permissions), account, quota_octets)
        self.allowed = permissions
        disk = RestrictedDisk(volume.disk, None, permissions)
        self.volume = attrs.evolve(volume, disk=disk, origin=volume.origin or volume)

    # --- looking --------------------------------------------------------------------

    @unstoppable
    async def stat(self, path: Path, follow: bool = True) -> Node:
        """What is at ``path``: directories always, files where they may be listed or
        read.  Where not, what is there and what is not are refused alike."""
        may_see = bool(self.allowed.at(path) & SEEN)
        try:
            node = await super().stat(path, follow)
        except NotFound:
            if may_see:
                raise
            raise NotAllowed("names are not told here") from None
        if not may_see and node.kind is not NodeKind.DIRECTORY:
            raise NotAllowed("names are not told here")
        return node

    def glance(self, path: Path) -> Node | None:
        """The same at once, of what may be listed or read."""
        if not self.allowed.at(names.canonical(path)) & SEEN:
            return None
        return super().glance(path)

    @unstoppable
    async def list(
        self, path: Path, after: str | None = None, limit: int = 1000
    ) -> tuple[Node, ...]:
        """A page of a directory, without what may not be touched at all.  NotAllowed
        where names may not be listed."""
        self._check_listing(path)
        if not self.allowed.holds_others(names.canonical(path)):
            return await super().list(path, after, limit)
        limit = max(1, min(limit, self.volume.settings.longest_page))
        found: tuple[Node, ...] = ()
        while len(found) < limit:
            wanted = limit - len(found)
            page = await super().list(path, after, wanted)
            found += tuple(node for node in page if self._may_touch(path, node.name))
            if len(page) < wanted:
                break
            after = page[-1].name
        return found

    @unstoppable
    async def list_lines(
        self, path: Path, line_of: LineOf, after: str | None = None, limit: int = 1000
    ) -> Lines:
        """The same as text; what may not be touched has no line."""
        self._check_listing(path)
        if not self.allowed.holds_others(names.canonical(path)):
            return await super().list_lines(path, line_of, after, limit)

        def line_of_visible(name: str, *facts: Any) -> str:
            return line_of(name, *facts) if self._may_touch(path, name) else ""

        return await super().list_lines(path, line_of_visible, after, limit)

    def _check_listing(self, path: Path) -> None:
        """NotAllowed where names may not be listed."""
        if Permission.LIST not in self.allowed.at(names.canonical(path)):
            raise NotAllowed("names are not told here")

    def _may_touch(self, directory: Path, name: str) -> bool:
        place = (*names.canonical(directory), name)
        return self.allowed.at(place) is not Permission.NONE

    # --- changes --------------------------------------------------------------------

    def begin_write(
        self,
        path: Path,
        mode: WriteMode = WriteMode.REPLACE,
        offset: int = 0,
        expected_size: int | None = None,
    ) -> Deferred[IUpload]:
        """An upload; under a name that is free, where only such are allowed."""
        allowed = self.allowed.at(names.canonical(path))
        if mode is WriteMode.REPLACE and Permission.REPLACE not in allowed:
            mode = WriteMode.CREATE
        return super().begin_write(path, mode, offset, expected_size)

    def _look_for_room(
        self, encoded: bytes, expected_size: int | None
    ) -> tuple[Target | None, bool]:
        target, has_partials = super()._look_for_room(encoded, expected_size)
        if target is None and not self._allows(encoded, Permission.CREATE):
            raise NotAllowed("new names are not allowed here")
        return target, has_partials

    async def _continue(
        self,
        encoded: bytes,
        target: Target | None,
        partial: tuple[str, int] | None,
        offset: int | None,
    ) -> tuple[Beginning | None, Order]:
        if self._allows(encoded, Permission.REPLACE):
            return await super()._continue(encoded, target, partial, offset)
        if target is not None:
            raise Exists("what is there may not be changed")
        beginning, _ = await super()._continue(encoded, None, partial, offset)
        return beginning, Order(is_new=True)

    def _allows(self, encoded: bytes, wanted: Permission) -> bool:
        return wanted in self.allowed.at(segments_of(encoded))

    def rename(
        self, source: Path, target: Path, replace: bool = True
    ) -> Deferred[None]:
        """Another name, which gives no right that the old one did not give."""
        source, target = names.canonical(source), names.canonical(target)
        before, after = self.allowed.at(source), self.allowed.at(target)
        if self.allowed.holds_others(source) or self.allowed.holds_others(target):
            # What is below the target may have a name there that allows more.
            return fail(NotAllowed("permissions are bound to that name"))
        if Permission.READ in after and Permission.READ not in before:
            return fail(NotAllowed("it would become readable"))
        return super().rename(source, target, replace and Permission.REPLACE in after)
