"""The drop box: a directory of ``pub/`` into which strangers upload.

They make files under new names, and see nothing of what is there.  The directory as a
whole has limits, of octets and of files.  It is measured on the disk whenever an upload
begins, since people take away what has come; between two measurements the sums of the
records say how many octets are added.
"""

from __future__ import annotations

import os
import stat

import attrs
from attrs import frozen
from twisted.internet.defer import Deferred

from netservices.files import names
from netservices.files.area import closing
from netservices.files.directories import RestrictedTree
from netservices.files.disk import Disk, Target, lstat
from netservices.files.quota import Ledger, Reservation
from netservices.files.restricted import with_umask
from netservices.files.upload import Beginning, Upload
from netservices.files.volume import Volume
from netservices.interfaces import IUpload, NotAllowed, NotFound, QuotaExceeded
from netservices.values import DropBox, Path, Permissions, WriteMode

_UMASK = 0o077


class BoxLedger(Ledger):
    """Octets of the drop box: those measured, and what was added since.

    ``used_octets`` is set to the sum of the whole tree's records, of which only the
    growth matters here.
    """

    def __init__(self) -> None:
        self._measured = 0
        self._sum: int | None = None
        super().__init__()

    def measured(self, octets: int) -> None:
        """What lies in the box now."""
        self._measured = octets
        self._sum = None

    @property
    def used_octets(self) -> int:
        """What lies in the box."""
        return self._measured

    @used_octets.setter
    def used_octets(self, tree_octets: int) -> None:
        if self._sum is not None:
            self._measured += tree_octets - self._sum
        self._sum = tree_octets


class DropBoxTree(RestrictedTree):
    """A tree one directory of which is a drop box."""

    def __init__(
        self, volume: Volume, permissions: Permissions, box: DropBox, ledger: BoxLedger
    ) -> None:
        super().__init__(volume, permissions)
        self._path = box.path
        self._inbox = _Inbox(
            attrs.evolve(with_umask(volume, _UMASK), ledger=ledger), permissions, box
        )

    def begin_write(
        self,
        path: Path,
        mode: WriteMode = WriteMode.REPLACE,
        offset: int = 0,
        expected_size: int | None = None,
    ) -> Deferred[IUpload]:
        """An upload, into the box or elsewhere."""
        if names.canonical(path)[: len(self._path)] == self._path:
            return self._inbox.begin_write(path, mode, offset, expected_size)
        return super().begin_write(path, mode, offset, expected_size)


class _Inbox(RestrictedTree):
    """The same tree for those uploads that go into the box."""

    def __init__(self, volume: Volume, permissions: Permissions, box: DropBox) -> None:
        super().__init__(volume, permissions, quota_octets=box.most_octets)
        self._box = box
        self._box_name = b"/".join(names.encode_segment(part) for part in box.path)

    async def _begin_write(
        self, path: Path, mode: WriteMode, offset: int, expected_size: int | None
    ) -> IUpload:
        if offset:
            raise NotAllowed("uploads are not resumed here")
        longest = self._box.longest_octets
        if expected_size is not None and expected_size > longest:
            raise QuotaExceeded("a file may not be that long here")
        await self._measure()
        upload = await super()._begin_write(path, WriteMode.CREATE, 0, expected_size)
        if isinstance(upload, Upload):
            upload.keeps_partial = False
        return upload

    async def _measure(self) -> None:
        """Count what is there, while nobody puts a file there.  QuotaExceeded."""
        volume = self.volume
        intent = await volume.intents.take(deep=(self._box.path,))
        try:
            held = await volume.hops.run(_held_by, volume.disk, self._box_name)
            assert isinstance(volume.ledger, BoxLedger)
            volume.ledger.measured(held.octets)
        finally:
            volume.intents.release(intent)
        if held.files >= self._box.most_files:
            raise QuotaExceeded("there are too many files here")

    def _reserve(
        self,
        target: Target | None,
        partial: tuple[str, int] | None,
        beginning: Beginning | None,
        expected_size: int | None,
    ) -> Reservation:
        reservation = super()._reserve(target, partial, beginning, expected_size)
        reservation.longest_octets = self._box.longest_octets
        return reservation


@frozen
class _Held:
    """What lies in the box."""

    octets: int = 0
    files: int = 0


def _held_by(disk: Disk, path: bytes) -> _Held:
    """The files in a directory and below; blocks."""
    try:
        above = disk.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise NotFound("the drop box is not there") from None
    with closing(above):
        return _sum_of(above)


def _sum_of(directory: int) -> _Held:
    octets = count = 0
    for _, _, files, below in os.fwalk(b".", dir_fd=directory):
        for name in files:
            status = lstat(below, name)
            if status is not None and stat.S_ISREG(status.st_mode):
                octets += status.st_size
                count += 1
    return _Held(octets, count)
