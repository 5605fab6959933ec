"""``FileTree``: one user's view of one tree; the policy before the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from netservices.core.deferreds import shielded
from netservices.files import area, names
from netservices.files.continuing import continue_file, continue_partial
from netservices.files.copying import Progress, copy_file
from netservices.files.digests import Subject, digest_of, digests_of
from netservices.files.disk import Target
from netservices.files.listing import list_lines, list_page
from netservices.files.looking import Looking
from netservices.files.marks import MarkedTree
from netservices.files.nodes import node_of
from netservices.files.permissions import (
    READ_WRITE,
    Action,
    ByDirectory,
    Permissions,
)
from netservices.files.placing import Order
from netservices.files.quota import Reservation
from netservices.files.reading import OpenFile
from netservices.files.restricted import with_umask
from netservices.files.upload import Beginning, Destination, Upload
from netservices.files.volume import Volume
from netservices.files.work import unstoppable
from netservices.interfaces import (
    Conflict,
    DiskFull,
    Exists,
    FileProblem,
    IFileTree,
    IOpenFile,
    IUpload,
    NotFound,
    StoreError,
)
from netservices.units import (
    AddUsage,
    Operation,
    RekeyFileRecord,
    RemoveFileRecords,
    RenameFileRecords,
    Unit,
)
from netservices.values import (
    Digests,
    FileDigest,
    LineOf,
    Lines,
    Node,
    Path,
    Usage,
    WriteMode,
)

T = TypeVar("T")

_READING = frozenset(("digest", "links", "descriptor"))
_WRITING = frozenset(("write", "append", "rename", "mtime", "mode"))


@implementer(IFileTree)
class FileTree(MarkedTree):
    """One tree as one account may see and change it."""

    def __init__(
        self,
        volume: Volume,
        permissions: Permissions | ByDirectory = READ_WRITE,
        account: int = 0,
        quota_octets: int | None = None,
    ) -> None:
        self.name = volume.name
        self.volume = volume
        self.permissions = permissions
        self.capabilities = _READING
        if Action.WRITE in permissions.allowed:
            self.capabilities = _READING | _WRITING
        self._account = account
        self._quota_octets = quota_octets

    @property
    def changes(self) -> int:
        """Grows with each change that this process makes."""
        return self.volume.intents.changes

    @property
    def umask(self) -> int:
        """The permission bits that new files and directories lack."""
        return self.volume.disk.umask

    def with_umask(self, umask: int) -> FileTree:
        """The same tree; new files and directories lack the bits of ``umask``."""
        other = copy(self)
        other.volume = with_umask(self.volume, umask)
        return other

    # --- looking --------------------------------------------------------------------

    def stat(self, path: Path, follow: bool = True) -> Deferred[Node]:
        """What is at ``path``; with ``follow``, behind links."""
        try:
            encoded = self._encoded(path, Action.LOOK)
        except Exception:
            return fail()
        return self.volume.look(Looking.stat, encoded, follow)

    def glance(self, path: Path) -> Node | None:
        """What ``stat`` says, where nothing has to be waited for."""
        volume = self.volume
        looking = volume.disk if volume.hops.is_inline else volume.disk.glance
        if looking is None:
            return None
        try:
            return looking.stat(self._encoded(path, Action.LOOK), True)
        except (OSError, FileProblem, StoreError):
            return None

    def refresh(self) -> None:
        """Look whether another directory has been put in the place of the root."""
        self.volume.disk.refresh()

    def disk_path(self, path: Path) -> str:
        """Where the path lies on the disk."""
        return os.path.join(self.volume.disk.directory, *path)

    def list(
        self, path: Path, after: str | None = None, limit: int = 1000
    ) -> Deferred[tuple[Node, ...]]:
        """A page of a directory ordered by the octets of names; see ``listing``."""
        return self._list(list_page, path, after, limit)

    def list_lines(
        self, path: Path, line_of: LineOf, after: str | None = None, limit: int = 1000
    ) -> Deferred[Lines]:
        """The same as text."""
        return self._list(list_lines, path, after, limit, line_of)

    def _list(
        self,
        page_of: Callable[..., T],
        path: Path,
        after: str | None,
        limit: int,
        *more: Any,
    ) -> Deferred[T]:
        volume = self.volume
        try:
            encoded = self._encoded(path, Action.LOOK)
            cursor = None
            if after is not None:
                cursor = after.encode("utf-8", "surrogateescape")
        except Exception:
            return fail()
        return volume.hops.run(
            page_of,
            volume.disk,
            volume.snapshots,
            self.name,
            encoded,
            cursor,
            max(1, min(limit, volume.settings.longest_page)),
            *more,
        )

    def open(self, path: Path) -> Deferred[IOpenFile]:
        """A regular file, to read.  IsADirectory, NotAllowed."""
        try:
            encoded = self._encoded(path, Action.READ)
        except Exception:
            return fail()
        opened = self.volume.look(self._open, encoded)
        if opened.called:
            return opened
        return shielded(opened, lambda unwanted: unwanted.close())

    def _open(self, disk: Looking, encoded: bytes) -> IOpenFile:
        descriptor, status = disk.open_file(encoded)
        node = node_of(encoded.rpartition(b"/")[2], status, disk.owner)
        return OpenFile(
            descriptor, node, self.volume.hops, self.volume.settings.read_chunk
        )

    def digests(self, path: Path) -> Deferred[Digests]:
        """Stored digests of this version of the file, or those found by reading it."""
        return Deferred.fromCoroutine(self._digests(path))

    async def _digests(self, path: Path) -> Digests:
        return await digests_of(self.subject(path))

    def digest(
        self, path: Path, algorithm: str, start: int = 0, end: int | None = None
    ) -> Deferred[FileDigest]:
        """One digest of the file, or of a range of it; see ``IFileTree``."""
        return Deferred.fromCoroutine(self._digest(path, algorithm, start, end))

    async def _digest(
        self, path: Path, algorithm: str, start: int, end: int | None
    ) -> FileDigest:
        return await digest_of(self.subject(path), algorithm, start, end)

    def subject(self, path: Path) -> Subject:
        """A file to be read.  NotAllowed, BadName."""
        encoded = self._encoded(path, Action.READ)
        return Subject(self.volume, names.canonical(path), encoded, self._account)

    @unstoppable
    async def usage(self) -> Usage:
        """What the tree holds, partial uploads included, and may hold."""
        volume = self.volume
        octets, files = await volume.refresh()
        free = await volume.hops.run(volume.disk.free_octets)
        room = volume.ledger.room(self._quota_octets)
        if room is not None:
            free = min(free, room)
        return Usage(octets, files, self._quota_octets, free)

    @unstoppable
    async def partial_octets(self, path: Path) -> int | None:
        """How much of an upload of ``path`` that broke off can be resumed."""
        self._encoded(path, Action.LOOK)
        found = await self.volume.store.file_records.partial(
            self.name, names.canonical(path), self._account
        )
        return None if found is None else found[1]

    # --- uploads --------------------------------------------------------------------

    def begin_write(
        self,
        path: Path,
        mode: WriteMode = WriteMode.REPLACE,
        offset: int = 0,
        expected_size: int | None = None,
    ) -> Deferred[IUpload]:
        """An upload to ``path``; see ``IFileTree`` and ``continuing``."""
        begun = Deferred.fromCoroutine(
            self._begin_write(path, mode, offset, expected_size)
        )
        if begun.called:
            return begun
        return shielded(begun, lambda upload: upload.abort())

    async def _begin_write(
        self, path: Path, mode: WriteMode, offset: int, expected_size: int | None
    ) -> IUpload:
        volume = self.volume
        encoded = self._encoded(path, Action.WRITE)
        names.check_new_name(path)
        path = names.canonical(path)
        await self._check_locks(Action.WRITE, path, encoded)
        target, has_partials = await volume.change(
            self._look_for_room, encoded, expected_size
        )
        if mode is WriteMode.CREATE and target is not None:
            raise Exists("the name is taken")
        records = volume.store.file_records
        if self._quota_octets is not None:
            await volume.refresh()
        partial = None
        if has_partials:
            partial = await records.partial(self.name, path, self._account)
        order = Order(is_new=mode is WriteMode.CREATE)
        beginning = None
        if mode in (WriteMode.APPEND, WriteMode.RESUME):
            at = None if mode is WriteMode.APPEND else offset
            beginning, order = await self._continue(encoded, target, partial, at)
        destination = Destination(path, encoded, self.holder, order, partial)
        reservation = self._reserve(target, partial, beginning, expected_size)
        return Upload(volume, destination, reservation, beginning)

    def _look_for_room(
        self, encoded: bytes, expected_size: int | None
    ) -> tuple[Target | None, bool]:
        """What has the name, and whether there may be something to resume: a record is
        looked up only if there is a file, which saves most uploads the look.  In a
        thread."""
        disk = self.volume.disk
        target = disk.target(encoded)
        if expected_size and expected_size > disk.free_octets():
            raise DiskFull("the disk has no room for that much")
        return target, area.has_partials(disk.root(), disk.opener)

    async def _continue(
        self,
        encoded: bytes,
        target: Target | None,
        partial: tuple[str, int] | None,
        offset: int | None,
    ) -> tuple[Beginning | None, Order]:
        """APPEND continues the file if there is one; RESUME the partial upload if it
        reaches the offset: the client counts from what it sent."""
        wants_partial = partial is not None and (
            target is None if offset is None else offset <= partial[1]
        )
        if wants_partial and partial is not None:
            try:
                begun = await continue_partial(self.volume, partial[0], offset)
            except NotFound:
                pass
            else:
                return begun, Order()
        if target is not None:
            begun, version = await continue_file(self.volume, encoded, offset)
            return begun, Order(continues=version)
        if offset:
            raise Conflict("the offset lies beyond the end")
        return None, Order()

    def _reserve(
        self,
        target: Target | None,
        partial: tuple[str, int] | None,
        beginning: Beginning | None,
        expected_size: int | None,
    ) -> Reservation:
        """A promise for what is known to come.  QuotaExceeded."""
        reservation = Reservation(
            self.volume.ledger,
            self._quota_octets,
            0 if target is None else target.size,
            0 if partial is None else partial[1],
            self.volume.settings.reserve_step,
        )
        start, size = (
            (0, 0) if beginning is None else (beginning.offset, beginning.size)
        )
        try:
            reservation.grow(max(size, start + (expected_size or 0)))
        except BaseException:
            if beginning is not None:
                if beginning.is_partial:
                    beginning.temporary.close()
                else:
                    beginning.temporary.discard()
            raise
        return reservation

    @unstoppable
    async def copy(
        self, source: Path, target: Path, progress: Progress | None = None
    ) -> Node:
        """Put the content of one file under another name, too; see ``IFileTree``."""
        return await copy_file(self, self.subject(source), target, progress)

    # --- changes --------------------------------------------------------------------

    @unstoppable
    async def make_directory(self, path: Path) -> Node:
        """Make one directory.  Exists, NotFound (parent), BadName."""
        encoded = self._encoded(path, Action.MAKE)
        names.check_new_name(path)
        path = names.canonical(path)
        intent = await self.volume.intents.take(path)
        try:
            await self._check_locks(Action.MAKE, path, encoded)
            return await self.volume.hops.run(self.volume.disk.make_directory, encoded)
        finally:
            self.volume.intents.release(intent)

    @unstoppable
    async def remove(
        self, path: Path, directory: bool = False, if_etag: str | None = None
    ) -> int:
        """A file or link, or an empty directory; the octets that are gone."""
        volume = self.volume
        encoded = self._encoded(path, Action.REMOVE)
        path = names.canonical(path)
        deep = (path,) if directory else ()
        intent = await volume.intents.take(path, deep=deep)
        try:
            volume.check_store(is_deletion=True)
            await self._check_locks(Action.REMOVE, path, encoded)
            change = await volume.hops.run(
                volume.disk.remove, encoded, directory, if_etag
            )
            await self._record(
                RemoveFileRecords(self.name, path), change.octets, change.files
            )
            return -change.octets
        finally:
            volume.intents.release(intent)

    @unstoppable
    async def rename(self, source: Path, target: Path, replace: bool = True) -> None:
        """Give a file or directory another name, in one step."""
        volume = self.volume
        old, new = (
            self._encoded(source, Action.RENAME),
            self._encoded(target, Action.RENAME),
        )
        names.check_new_name(target)
        source, target = names.canonical(source), names.canonical(target)
        intent = await volume.intents.take(deep=(source, target))
        try:
            volume.check_store()
            await self._check_locks(Action.RENAME, source, old)
            await self._check_locks(Action.RENAME, target, new)
            change = await volume.hops.run(volume.disk.rename, old, new, replace)
            if source != target:
                await self._record(
                    RenameFileRecords(self.name, source, target),
                    change.octets,
                    change.files,
                )
        finally:
            volume.intents.release(intent)

    @unstoppable
    async def set_attributes(
        self, path: Path, mtime_ns: int | None = None, mode: int | None = None
    ) -> Node:
        """Change modification time or permissions; digests stay known."""
        volume = self.volume
        encoded = self._encoded(path, Action.CHANGE)
        path = names.canonical(path)
        intent = await volume.intents.take(path)
        try:
            await self._check_locks(Action.CHANGE, path, encoded)
            node, before, after = await volume.hops.run(
                volume.disk.set_attributes, encoded, mtime_ns, mode
            )
            if before != after:
                rekey = RekeyFileRecord(self.name, path, before, after)
                await volume.store.apply(Unit((rekey,)))
            return node
        finally:
            volume.intents.release(intent)

    async def _record(self, operation: Operation, octets: int, files: int) -> None:
        """The record of a change that has been made, and its sums."""
        unit = Unit((operation, AddUsage(self.name, octets, files)))
        results = await self.volume.store.apply(unit)
        self.volume.ledger.learn(results[-1][0])

    # --- policy ---------------------------------------------------------------------

    def _encoded(self, path: Path, action: Action) -> bytes:
        """The path's octets.  NotAllowed, BadName."""
        self.permissions.check(action, path)
        settings = self.volume.settings
        return names.encode_path(path, settings.longest_segment, settings.longest_path)
