"""What has to be done so that one tree is like the other."""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import define

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import FTPClient, Unexpected
from netservices.ftp.mirror.digests import NoDigests, digest_of
from netservices.ftp.mirror.local import LocalTree, octets_of
from netservices.ftp.mirror.remote import RemoteTree
from netservices.ftp.mirror.values import (
    SECOND_NS,
    Item,
    Plan,
    Report,
    Verb,
    Watcher,
    Wishes,
    is_part,
)
from netservices.values import NodeKind, Path

_NOT_THERE = 550
_MOST_WARNINGS = 5


class TooManyEntries(Exception):
    """The tree is larger than the limits allow."""


@define
class Planner:
    """Compares the trees, a directory at a time, and notes what differs."""

    wishes: Wishes
    local: LocalTree
    remote: RemoteTree
    report: Report
    watcher: Watcher
    plan: Plan

    async def look(
        self, client: FTPClient, path: Path, add: Callable[[Path], None]
    ) -> None:
        """Compare a directory of both trees, and have those below it looked at."""
        sources, targets = await self._both(client, path)
        wanted = {}
        for name, source in sources.items():
            if not self._is_ours(source):
                continue
            wanted[name] = source
            await self._compare(client, source, targets.get(name), add)
        self._note_surplus(wanted, targets)

    async def _both(
        self, client: FTPClient, path: Path
    ) -> tuple[dict[str, Item], dict[str, Item]]:
        """What is in the directory: at the source, and at the target."""
        ours = self.local.entries(path)
        theirs: dict[str, Item] = {}
        try:
            theirs, not_understood = await self.remote.entries(client, path)
        except Unexpected as problem:
            is_missing = problem.reply.code == _NOT_THERE
            if not (self.wishes.is_upload and is_missing):
                raise
        else:
            self._warn_of_lines(path, not_understood)
        self._count(len(theirs) + len(ours or ()))
        if self.wishes.is_upload:
            if ours is None:
                raise FileNotFoundError(2, "the directory is gone")
            return ours, theirs
        return theirs, ours or {}

    def _count(self, entries: int) -> None:
        self.plan.entries += entries
        if self.plan.entries > self.wishes.most_entries:
            raise TooManyEntries(f"more than {self.wishes.most_entries} entries")

    def _warn_of_lines(self, path: Path, lines: tuple[str, ...]) -> None:
        where = Item(path, NodeKind.DIRECTORY).text
        if lines:
            # What is not understood might be something that must not be deleted.
            self.plan.is_complete = False
            self.report.failed.append((where, f"{len(lines)} entries not understood"))
        for line in lines[:_MOST_WARNINGS]:
            self.watcher.warned(f"{where}: not understood: {line!r}")

    def _is_ours(self, item: Item) -> bool:
        if is_part(item.path[-1]) or self.wishes.excludes_item(item):
            return False
        if item.kind not in (NodeKind.FILE, NodeKind.DIRECTORY):
            self.report.skipped.append(item.text)
            self.watcher.done(Verb.SKIP, item)
            return False
        return True

    async def _compare(
        self,
        client: FTPClient,
        source: Item,
        target: Item | None,
        add: Callable[[Path], None],
    ) -> None:
        try:
            octets_of(source.path[-1])
        except (SyntaxProblem, UnicodeError) as problem:
            self.report.failed.append((source.text, str(problem)))
            return
        if target is not None and target.kind is not source.kind:
            self._note_conflict(target)
            target = None
        if source.kind is NodeKind.DIRECTORY:
            if len(source.path) > self.wishes.most_levels:
                raise TooManyEntries(f"more than {self.wishes.most_levels} levels")
            if target is None:
                self.plan.directories.append(source)
            add(source.path)
            return
        if target is not None:
            source, target = await self._exact(client, source, target)
        if target is not None and await self._is_same(client, source, target):
            self.report.same += 1
            return
        self.plan.transfers.append(source)

    def _note_conflict(self, target: Item) -> None:
        # A rename replaces a link or the like by itself, but not a directory.
        if self.wishes.wants_delete:
            self.plan.conflicts.append(target)

    async def _exact(
        self, client: FTPClient, source: Item, target: Item
    ) -> tuple[Item, Item]:
        """Both, with exact times where these decide."""
        if self.wishes.ignores_time or source.size != target.size:
            return source, target
        # LIST rounds times, and has them in a zone that it does not tell.
        if source.exact_seconds > 1:
            source = await self.remote.exact(client, source)
        if target.exact_seconds > 1:
            target = await self.remote.exact(client, target)
        return source, target

    async def _is_same(self, client: FTPClient, source: Item, target: Item) -> bool:
        """Whether the target need not be replaced."""
        if self.wishes.only_newer and _is_older(source, target):
            return True
        if source.size is not None and source.size != target.size:
            return False
        if self.wishes.checks_digest:
            return await self._has_same_digest(client, source)
        return self.wishes.ignores_time or _has_same_time(source, target)

    async def _has_same_digest(self, client: FTPClient, item: Item) -> bool:
        theirs = await client.digest(self.remote.name(item.path))
        if theirs is None:
            raise NoDigests("the server has no HASH")
        descriptor = self.local.open(item.path)
        try:
            return theirs.value == await digest_of(descriptor, theirs.algorithm)
        finally:
            os.close(descriptor)

    def _note_surplus(self, wanted: dict[str, Item], targets: dict[str, Item]) -> None:
        if not self.wishes.wants_delete:
            return
        needed = {item.part_name for item in wanted.values()}
        for name, target in targets.items():
            if name in wanted or name in needed or self.wishes.excludes_item(target):
                continue
            self.plan.deletions.append(target)


def _has_same_time(source: Item, target: Item) -> bool:
    if source.mtime_ns is None or target.mtime_ns is None:
        return False
    exact_ns = max(source.exact_seconds, target.exact_seconds) * SECOND_NS
    return abs(source.mtime_ns - target.mtime_ns) < exact_ns


def _is_older(source: Item, target: Item) -> bool:
    if source.mtime_ns is None or target.mtime_ns is None:
        return False
    return source.mtime_ns < target.mtime_ns
