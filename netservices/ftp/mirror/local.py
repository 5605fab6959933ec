"""The local tree, of which nothing outside is ever touched.

Theory.  A server may send any name, and a local directory may be exchanged for a
symbolic link at any time.  So every path is walked from the one open descriptor of the
tree's root, a directory at a time, without following links, and the last step of each
change is made relative to the descriptor of its directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from netservices.ftp.mirror.values import Item
from netservices.ftp.wire.listed import check_name
from netservices.values import NodeKind, Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o666


class NotAFile(OSError):
    """Something else stands where a file should be."""


def octets_of(name: str) -> bytes:
    """The octets of a name, whatever the locale is."""
    return check_name(name).encode("utf-8", "surrogateescape")


class LocalTree:
    """A directory and all below it."""

    def __init__(self, directory: str, makes: bool, needs: bool = True) -> None:
        if makes:
            os.makedirs(directory, exist_ok=True)
        self._root = -1
        if needs or os.path.isdir(directory):
            # The directory itself may be a link: the user has named it.
            self._root = os.open(directory, _DIRECTORY & ~os.O_NOFOLLOW)

    def close(self) -> None:
        """Let go of the root."""
        if self._root >= 0:
            os.close(self._root)

    @contextmanager
    def directory(self, path: Path) -> Iterator[int]:
        """A descriptor of a directory below the root.  OSError, for links too."""
        if self._root < 0:
            raise FileNotFoundError(errno.ENOENT, "there is no such directory yet")
        descriptor = os.dup(self._root)
        try:
            for name in path:
                below = os.open(octets_of(name), _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def entries(self, path: Path) -> dict[str, Item] | None:
        """What is in a directory, by name; None where there is no such directory."""
        try:
            with self.directory(path) as descriptor, os.scandir(descriptor) as found:
                return {item.path[-1]: item for item in _items(path, found)}
        except (FileNotFoundError, NotADirectoryError):
            return None

    def make(self, path: Path) -> None:
        """Make a directory, if there is none."""
        with self.directory(path[:-1]) as parent:
            try:
                os.mkdir(octets_of(path[-1]), dir_fd=parent)
            except FileExistsError:
                return
            os.fsync(parent)

    def open(self, path: Path) -> int:
        """A descriptor to read a file."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self.directory(path[:-1]) as parent:
            return _regular(os.open(octets_of(path[-1]), flags, dir_fd=parent))

    def open_part(self, item: Item) -> int:
        """A descriptor to write what becomes ``item``; made if it is not there."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self.directory(item.path[:-1]) as parent:
            name = octets_of(item.part_name)
            return _regular(os.open(name, flags, _MODE, dir_fd=parent))

    def complete(self, item: Item, descriptor: int, mtime_ns: int | None) -> None:
        """Give a part its time and its name, once it is on the disk."""
        if mtime_ns is not None:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        os.fsync(descriptor)
        with self.directory(item.path[:-1]) as parent:
            os.rename(
                octets_of(item.part_name),
                octets_of(item.path[-1]),
                src_dir_fd=parent,
                dst_dir_fd=parent,
            )
            os.fsync(parent)

    def delete(self, item: Item, keeps: Callable[[Item], bool]) -> bool:
        """Remove something and all below it, but for what ``keeps`` wants to stay;
        whether nothing stayed."""
        name = octets_of(item.path[-1])
        if item.kind is not NodeKind.DIRECTORY:
            with self.directory(item.path[:-1]) as parent:
                os.unlink(name, dir_fd=parent)
            return True
        has_kept = False
        for below in (self.entries(item.path) or {}).values():
            has_kept |= keeps(below) or not self.delete(below, keeps)
        if not has_kept:
            with self.directory(item.path[:-1]) as parent:
                os.rmdir(name, dir_fd=parent)
        return not has_kept


def _items(path: Path, found: Iterator[os.DirEntry[str]]) -> Iterator[Item]:
    for entry in found:
        name = os.fsencode(entry.name).decode("utf-8", "surrogateescape")
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        kind = _kind(status.st_mode)
        size = status.st_size if kind is NodeKind.FILE else None
        yield Item((*path, name), kind, size, status.st_mtime_ns)


def _kind(mode: int) -> NodeKind:
    if stat.S_ISREG(mode):
        return NodeKind.FILE
    if stat.S_ISDIR(mode):
        return NodeKind.DIRECTORY
    return NodeKind.SYMLINK if stat.S_ISLNK(mode) else NodeKind.OTHER


def _regular(descriptor: int) -> int:
    """The descriptor, if it is of a file that has this name only."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor
    os.close(descriptor)
    raise NotAFile(errno.EINVAL, "it is no ordinary file")
