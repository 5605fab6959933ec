"""Files on their way: into a part first, which becomes the file when it is complete."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from attrs import define, field
from twisted.internet.threads import deferToThread

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import FTPClient, Unexpected
from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.mirror.digests import NoDigests, digest_of
from netservices.ftp.mirror.local import LocalTree
from netservices.ftp.mirror.rate import Rate
from netservices.ftp.mirror.remote import RemoteTree
from netservices.ftp.mirror.values import Item, Report, Watcher, Wishes

_PIECE = 256 * 1024
_REFUSED = range(500, 600)
_CANNOT_SET_TIMES = (
    "the server does not set times of files, so they will look changed the next time"
    " (--ignore-time compares sizes only)"
)


class Incomplete(DataBroken):
    """What arrived is not the file that was announced; it may change meanwhile."""


@define
class Moving:
    """Transfers one file at a time for each session."""

    wishes: Wishes
    local: LocalTree
    remote: RemoteTree
    report: Report
    watcher: Watcher
    rate: Rate
    _has_warned: bool = field(default=False, init=False)

    # --- downloads ------------------------------------------------------------------

    async def download(self, client: FTPClient, item: Item) -> None:
        """Fetch a file, going on where an earlier attempt has stopped."""
        if item.exact_seconds > 1:
            item = await self.remote.exact(client, item)
        try:
            await self._download_version(client, item)
        except Incomplete:
            # It has changed since it was listed.
            item = await self.remote.refreshed(client, item)
            await self._download_version(client, item)
        self.report.files += 1

    async def _download_version(self, client: FTPClient, item: Item) -> None:
        descriptor = self.local.open_part(item)
        try:
            await self._fetch(client, item, descriptor)
            path = self.remote.name(item.path)
            if not await self._is_right(client, path, descriptor):
                os.ftruncate(descriptor, 0)
                raise Incomplete("the server's digest is another one")
            await deferToThread(self.local.complete, item, descriptor, item.mtime_ns)
        finally:
            os.close(descriptor)

    async def _is_right(self, client: FTPClient, path: str, descriptor: int) -> bool:
        """Whether the server's file has the digest of ours, if that is wished for."""
        if not self.wishes.checks_digest:
            return True
        theirs = await client.digest(path)
        if theirs is None:
            raise NoDigests("the server has no HASH")
        return theirs.value == await digest_of(descriptor, theirs.algorithm)

    async def _fetch(self, client: FTPClient, item: Item, descriptor: int) -> None:
        have = os.fstat(descriptor).st_size
        if not item.can_resume or item.size is None or have > item.size:
            os.ftruncate(descriptor, 0)
            have = 0
        self.watcher.moved(have)
        if have and have == item.size:
            return
        os.lseek(descriptor, have, os.SEEK_SET)
        got = have

        def take(data: bytes) -> Awaitable[None] | None:
            nonlocal got
            if item.size is not None and got + len(data) > item.size:
                raise Incomplete("more arrives than was announced")
            _write(descriptor, data)
            got += len(data)
            self.report.octets += len(data)
            self.watcher.moved(len(data))
            return self.rate.spend(len(data))

        try:
            await client.retrieve_into(self.remote.name(item.path), take, have)
            if item.size is not None and got != item.size:
                os.ftruncate(descriptor, 0)
                raise Incomplete(f"{got} octets arrived of {item.size}")
        except BaseException:
            self.watcher.moved(-got)
            raise

    # --- uploads --------------------------------------------------------------------

    async def upload(self, client: FTPClient, item: Item) -> None:
        """Send a file; it gets its name when it is complete."""
        descriptor = self.local.open(item.path)
        try:
            if self.wishes.in_place:
                await self._send(client, item, descriptor, item.path[-1])
            else:
                await self._send_part(client, item, descriptor)
        finally:
            os.close(descriptor)
        self.report.files += 1

    async def _send_part(self, client: FTPClient, item: Item, descriptor: int) -> None:
        part = self.remote.name((*item.path[:-1], item.part_name))
        final = self.remote.name(item.path)
        await self._send(client, item, descriptor, item.part_name)
        try:
            await client.rename(part, final)
        except Unexpected as problem:
            if problem.reply.code not in _REFUSED:
                raise
            # Not RFC 959: some servers rename to a new name only.
            await client.delete(final)
            await client.rename(part, final)

    async def _send(
        self, client: FTPClient, item: Item, descriptor: int, name: str
    ) -> None:
        path = self.remote.name((*item.path[:-1], name))
        is_part = name != item.path[-1]
        offset = await self._size(client, path, item) if is_part else 0
        self.watcher.moved(offset)
        moved = offset
        os.lseek(descriptor, offset, os.SEEK_SET)

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal moved
            while piece := os.read(descriptor, _PIECE):
                yield piece
                moved += len(piece)
                self.report.octets += len(piece)
                self.watcher.moved(len(piece))
                waiting = self.rate.spend(len(piece))
                if waiting is not None:
                    await waiting

        try:
            if not (is_part and offset and offset == item.size):
                await client.store(path, pieces(), offset)
            if moved != item.size or _has_changed(descriptor, item):
                raise Incomplete("the file has changed while it was sent")
            if not await self._is_right(client, path, descriptor):
                await client.delete(path)
                raise Incomplete("the server's digest is another one")
        except BaseException:
            self.watcher.moved(-moved)
            raise
        await self._set_time(client, path, item)

    async def _size(self, client: FTPClient, path: str, item: Item) -> int:
        """How much of this version the server has."""
        try:
            size = await client.size(path)
        except (Unexpected, SyntaxProblem):
            return 0
        return size if item.size is not None and size <= item.size else 0

    async def _set_time(self, client: FTPClient, path: str, item: Item) -> None:
        if item.mtime_ns is None:
            return
        try:
            await client.set_modified(path, item.mtime_ns)
        except Unexpected as problem:
            if problem.reply.code not in _REFUSED:
                raise
            if not self._has_warned and not self.wishes.ignores_time:
                self._has_warned = True
                self.watcher.warned(_CANNOT_SET_TIMES)


def _write(descriptor: int, data: bytes) -> None:
    view: Any = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _has_changed(descriptor: int, item: Item) -> bool:
    now = os.fstat(descriptor)
    return (now.st_size, now.st_mtime_ns) != (item.size, item.mtime_ns)
