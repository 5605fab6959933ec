"""The disk as one user may use it: with his umask and his permissions.

Theory
======

``FileTree`` asks its permissions about every path before anything else, as the client
wrote it.  Where a link leads elsewhere, that is half the answer.  So ``RestrictedDisk``
asks the kernel, after a path was opened and before it is used, where the descriptor
lies (``/proc/self/fd``), and what is allowed there must be allowed, too.  Nothing can
happen between the two, since what is used is the descriptor.  Names that are changed
are changed in a parent directory that was opened in this way.

Where the system does not tell the place of a descriptor, no link is followed at all.
"""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import ref

import attrs

from netservices.files import names
from netservices.files.beneath import make_opener
from netservices.files.disk import Change, Disk
from netservices.files.looking import READ, Looking
from netservices.files.volume import Volume
from netservices.interfaces import (
    NotAllowed,
    NotFound,
)
from netservices.values import Node, Path, Permission, Permissions

_DESCRIPTORS = "/proc/self/fd"
SEEN = Permission.LIST | Permission.READ


class RestrictedGlance(Looking):
    """What the kernel has in memory of a disk, as one user may see it."""

    def __init__(self, base: Looking, disk: RestrictedDisk) -> None:
        self.owner = disk.owner
        self._base = base
        self._disk = ref(disk)

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of what lies at ``path``.  NotAllowed, BlockingIOError."""
        disk = self._disk()
        if disk is None:
            raise BlockingIOError(errno.EAGAIN, "nobody uses the disk")
        wanted = Permission.READ if flags == READ else SEEN
        return disk.checked(self._base.open(path, flags), path, wanted)

    def link_text(self, descriptor: int) -> bytes:
        """It may be on the disk."""
        return self._base.link_text(descriptor)


class RestrictedDisk(Disk):
    """A disk as one user may use it: with his umask, and links only to where he may
    do the same."""

    def __init__(
        self,
        base: Disk,
        umask: int | None = None,
        permissions: Permissions | None = None,
    ) -> None:
        self.base = base
        self.directory = base.directory
        self.opener = base.opener
        self.durability = base.durability
        self.owner = base.owner
        self.umask = base.umask if umask is None else umask
        self.permissions = permissions
        self.glance = base.glance
        self._wanted: Permission | None = None
        self._tells_places = os.path.isdir(_DESCRIPTORS)
        if permissions is not None:
            self._confine(base)

    def _confine(self, base: Disk) -> None:
        self._open_disk = RestrictedDisk(base)
        if not self._tells_places:
            self._open_disk.opener = make_opener("deny")
            self.glance = None
        elif base.glance is not None:
            self.glance = RestrictedGlance(base.glance, self)

    @property
    def known_root(self) -> int:
        """The root's descriptor, or -1 where it is not open."""
        return self.base.known_root

    def root(self) -> int:
        """The root's descriptor; it belongs to the disk that is restricted."""
        return self.base.root()

    def close(self) -> None:
        """Nothing here is open."""

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of what lies at ``path``.  NotAllowed where a link led there,
        and it is not allowed there."""
        if self.permissions is None:
            return self.opener(self.root(), path, flags)
        descriptor = self._open_disk.open(path, flags)
        return self.checked(descriptor, path, self._wanted or SEEN)

    def checked(self, descriptor: int, path: bytes, wanted: Permission) -> int:
        """The descriptor that was opened at ``path``, if that is allowed where it
        lies; else it is closed.  NotAllowed."""
        try:
            self._check_place(descriptor, path, b"", wanted)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @contextmanager
    def parent(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The directory that holds ``path``, opened, and the last name."""
        if self.permissions is None:
            with super().parent(path) as found:
                yield found
            return
        with self._open_disk.parent(path) as (descriptor, name):
            wanted = self._wanted or Permission.WRITE
            self._check_place(descriptor, path, name, wanted)
            yield descriptor, name

    def _check_place(
        self, descriptor: int, path: bytes, name: bytes, wanted: Permission
    ) -> None:
        """``name`` is the last one of ``path`` where the descriptor is of the directory
        that holds it."""
        assert self.permissions is not None
        if os.fstat(descriptor).st_nlink == 0:
            raise NotFound("it was removed just now")
        place = self._place(descriptor) if self._tells_places else None
        if place is None:
            return
        place = b"/".join(part for part in (place, name) if part)
        if place == (b"" if path == b"." else path):
            return
        allowed = self.permissions.at(segments_of(place))
        wanted &= self.permissions.at(segments_of(path))
        if allowed is Permission.NONE or allowed & wanted != wanted:
            raise NotAllowed("a link leads to where that is not allowed")
        is_renaming = Permission.RENAME in wanted
        if is_renaming and self.permissions.holds_others(segments_of(place)):
            raise NotAllowed("permissions are bound to what a link leads to")

    def _place(self, descriptor: int) -> bytes | None:
        """The path from the root to an open descriptor; None outside the tree."""
        found, root = (
            os.readlink(f"{_DESCRIPTORS}/{number}".encode())
            for number in (descriptor, self.root())
        )
        if found == root:
            return b""
        return found[len(root) + 1 :] if found.startswith(root + b"/") else None

    # --- each call and what it needs ------------------------------------------------

    def _to(self, wanted: Permission) -> RestrictedDisk:
        """The same, for a call that needs that."""
        if self.permissions is None:
            return self
        other = copy.copy(self)
        other._wanted = wanted
        return other

    def open_directory(self, path: bytes) -> int:
        """A descriptor to list with."""
        return Disk.open_directory(self._to(Permission.LIST), path)

    def open_file(self, path: bytes) -> tuple[int, os.stat_result]:
        """A descriptor to read with."""
        return Disk.open_file(self._to(Permission.READ), path)

    def make_directory(self, path: bytes) -> Node:
        """Make one directory."""
        return Disk.make_directory(self._to(Permission.MAKE_DIRECTORY), path)

    def remove(
        self, path: bytes, is_directory: bool, if_etag: str | None = None
    ) -> Change:
        """Remove a name."""
        disk = self._to(Permission.DELETE)
        return Disk.remove(disk, path, is_directory, if_etag)

    def rename(self, source: bytes, target: bytes, replace: bool) -> Change:
        """Give a file or directory another name."""
        wanted = Permission.RENAME | Permission.READ | Permission.WRITE
        return Disk.rename(self._to(wanted), source, target, replace)

    def set_attributes(
        self, path: bytes, mtime_ns: int | None, mode: int | None
    ) -> tuple[Node, str, str]:
        """Change times or permissions."""
        return Disk.set_attributes(
            self._to(Permission.ATTRIBUTES), path, mtime_ns, mode
        )


def segments_of(path: bytes) -> Path:
    """The path that these octets are."""
    return tuple(names.decode_name(part) for part in path.split(b"/") if part != b".")


def with_umask(volume: Volume, umask: int) -> Volume:
    """The volume for somebody whose new files and directories lack these bits; he may
    say others again and again."""
    disk, permissions = volume.disk, None
    if isinstance(disk, RestrictedDisk):
        permissions = disk.permissions
    while isinstance(disk, RestrictedDisk):
        disk = disk.base
    restricted = RestrictedDisk(disk, umask, permissions)
    return attrs.evolve(volume, disk=restricted, origin=volume.origin or volume)
