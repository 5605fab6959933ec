"""Writing temporary files, and giving them their names; every function blocks.

The order that makes an upload all or nothing: write, sync the file, rename, sync the
directory.  Until the rename the target is untouched; after it, it is the new file.
A failure to sync the directory leaves open which of the two a power cut would leave,
and is OutcomeUnknown.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator

from attrs import define, frozen

from netservices.files import area
from netservices.files.beneath import rename_noreplace
from netservices.files.content import Sum
from netservices.files.disk import Disk, lstat
from netservices.files.looking import last_name
from netservices.files.names import RESERVED_PREFIX
from netservices.files.nodes import (
    node_of,
    regular_files,
    regular_octets,
    stat_key,
)
from netservices.interfaces import (
    Conflict,
    Exists,
    IsADirectory,
    OutcomeUnknown,
    Withdrawn,
)
from netservices.values import Node, NodeKind

_FICLONE = 0x40049409
_MOST_PIECES = 1024
"""Of one ``writev``: IOV_MAX."""
_WRITE_OCTETS = 64 * 1024
"""Of one ``writev``.  For more at once the page cache takes larger blocks of memory,
which a virtual machine has often given back to its host, and must fetch: that costs
more than all the rest of an upload."""
COPY_STEP = 16 << 20
"""Octets copied in one hop to a thread, so that other calls get their turn."""


@frozen
class Order:
    """What must hold when a file takes its name."""

    is_new: bool = False
    """The name is free: Exists."""
    continues: str | None = None
    """The stat key of the version that was continued: Conflict where it is another
    now."""
    is_wanted: Callable[[], bool] | None = None
    """Asked when only the name is missing: Withdrawn where it says no."""
    if_etag: str | None = None
    """That of the version that is replaced, or empty where there is none: Conflict."""


@frozen
class Placed:
    """A file that has its name."""

    node: Node
    key: str
    old_octets: int
    old_files: int


@define
class Temporary:
    """An unfinished file: open, locked, in the upload area."""

    directory: int
    name: bytes
    descriptor: int
    is_closed: bool = False

    def close(self) -> None:
        """Give the descriptors, and with them the lock, back; safe to call twice."""
        if not self.is_closed:
            self.is_closed = True
            os.close(self.descriptor)
            os.close(self.directory)

    def discard(self) -> None:
        """Remove the file, unless it has been closed."""
        if self.is_closed:
            return
        try:
            os.unlink(self.name, dir_fd=self.directory)
        except FileNotFoundError:
            pass
        finally:
            self.close()

    def __del__(self) -> None:
        self.close()


def new_temporary(disk: Disk) -> Temporary:
    """An empty temporary file."""
    directory = area.open_area(disk.root(), disk.opener)
    try:
        name, descriptor = area.create(directory)
    except BaseException:
        os.close(directory)
        raise
    return Temporary(directory, name, descriptor)


def claim_partial(disk: Disk, name: str) -> tuple[Temporary, int, int]:
    """A partial upload to be continued, its octets, and its modification time."""
    directory = area.open_area(disk.root(), disk.opener, is_made=False)
    try:
        descriptor = area.claim(directory, name.encode())
    except BaseException:
        os.close(directory)
        raise
    status = os.fstat(descriptor)
    return (
        Temporary(directory, name.encode(), descriptor),
        status.st_size,
        status.st_mtime_ns,
    )


def keep_as_partial(disk: Disk, temporary: Temporary) -> tuple[str, int]:
    """Turn a temporary file into a partial upload: its new name, and its octets."""
    name = area.PARTIAL.encode() + temporary.name[2:]
    disk.durability.sync_file(temporary.descriptor)
    os.rename(
        temporary.name,
        name,
        src_dir_fd=temporary.directory,
        dst_dir_fd=temporary.directory,
    )
    # What ``discard`` removes from here on, where it gets no record in the end.
    temporary.name = name
    disk.durability.sync_directory(temporary.directory)
    return name.decode(), os.fstat(temporary.descriptor).st_size


def write_all(descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write every octet at the descriptor's position."""
    for pieces in _writes(chunks):
        done = os.writev(descriptor, pieces)
        for piece in pieces:
            rest = piece[done:]
            done -= len(piece) - len(rest)
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def _writes(chunks: Iterable[bytes]) -> Iterator[list[memoryview]]:
    """The octets in order, divided into what one ``writev`` takes."""
    pieces: list[memoryview] = []
    room = _WRITE_OCTETS
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            pieces.append(view[:room])
            view = view[room:]
            room -= len(pieces[-1])
            if not room or len(pieces) == _MOST_PIECES:
                yield pieces
                pieces, room = [], _WRITE_OCTETS
    if pieces:
        yield pieces


def write_small(disk: Disk, chunks: list[bytes], path: bytes, order: Order) -> Placed:
    """A small upload in one go: open, write, sync, rename, sync the directory."""
    temporary = new_temporary(disk)
    try:
        write_all(temporary.descriptor, chunks)
        return place(disk, temporary, path, order)
    except BaseException:
        temporary.discard()
        raise


def place(disk: Disk, temporary: Temporary, path: bytes, order: Order) -> Placed:
    """Give a finished temporary file its name, and close it.

    Where this fails the temporary file is still there, unless it is closed.
    """
    with disk.parent(path) as (directory, name):
        replaced = lstat(directory, name)
        _check(disk, path, replaced, order)
        os.fchmod(temporary.descriptor, disk.file_mode(replaced))
        disk.durability.sync_file(temporary.descriptor)
        if order.is_wanted is not None and not order.is_wanted():
            raise Withdrawn("nobody wants the upload any more")
        try:
            _rename(temporary.directory, temporary.name, directory, name, order)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            temporary = _moved_across(disk, temporary, directory)
            try:
                _rename(directory, temporary.name, directory, name, order)
            except BaseException:
                temporary.discard()
                raise
        status = os.fstat(temporary.descriptor)
        try:
            disk.durability.sync_directory(directory)
        except OSError as error:
            raise OutcomeUnknown("the directory could not be synced") from error
        finally:
            temporary.close()
    return Placed(
        node=node_of(last_name(path), status, disk.owner),
        key=stat_key(status),
        old_octets=regular_octets(replaced),
        old_files=regular_files(replaced),
    )


def _check(
    disk: Disk, path: bytes, replaced: os.stat_result | None, order: Order
) -> None:
    if replaced is not None:
        if node_of(b"", replaced, "").kind is NodeKind.DIRECTORY:
            raise IsADirectory("a directory has that name")
        if order.is_new:
            raise Exists("the name is taken")
    if order.continues is not None:
        status = disk.status(path)
        if status is None or stat_key(status) != order.continues:
            raise Conflict("the file changed while it was continued")
    if order.if_etag is not None:
        disk.check_etag(path, order.if_etag)


def _rename(
    source_directory: int,
    source: bytes,
    target_directory: int,
    target: bytes,
    order: Order,
) -> None:
    if order.is_new or order.if_etag == "":
        rename_noreplace(source_directory, source, target_directory, target)
    else:
        os.rename(
            source, target, src_dir_fd=source_directory, dst_dir_fd=target_directory
        )


def _moved_across(disk: Disk, temporary: Temporary, directory: int) -> Temporary:
    """The file copied to another file system that is mounted in the tree, into the
    target's own directory under a reserved name."""
    name, descriptor = area.create(directory, RESERVED_PREFIX + b"-")
    moved = Temporary(os.dup(directory), name, descriptor)
    try:
        copy(temporary.descriptor, moved.descriptor, 0, None)
        os.fchmod(descriptor, os.fstat(temporary.descriptor).st_mode & 0o777)
        disk.durability.sync_file(descriptor)
    except BaseException:
        moved.discard()
        raise
    temporary.discard()
    return moved


def try_reflink(source: int, target: int) -> bool:
    """Whether the whole file could be copied by sharing its blocks."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def copy(source: int, target: int, start: int, end: int | None) -> int:
    """Copy octets from ``start`` to the same place, up to ``end`` (None: all); the
    offset reached."""
    while end is None or start < end:
        count = COPY_STEP if end is None else min(COPY_STEP, end - start)
        try:
            done = os.copy_file_range(source, target, count, start, start)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            done = os.pwrite(
                target, os.pread(source, min(count, 1 << 20), start), start
            )
        if not done:
            break
        start += done
    return start


def tally_range(descriptor: int, tally: Sum, start: int, end: int) -> int:
    """Add octets of a file to ``tally``; the offset reached."""
    while start < end:
        data = os.pread(descriptor, min(1 << 20, end - start), start)
        if not data:
            break
        tally.add(data)
        start += len(data)
    return start
