"""One tree on disk: every function here blocks and runs in a thread.

Names reach this module encoded and checked (``names.encode_path``).  What is looked up
is opened beneath the root (``beneath``); what is changed is changed in the directory so
opened, by one name, without following a link in that name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import ReferenceType, ref

from attrs import frozen

from netservices.files.area import closing
from netservices.files.beneath import Opener, rename_noreplace
from netservices.files.durable import Durability
from netservices.files.looking import READ, Looking, last_name
from netservices.files.nodes import (
    node_of,
    regular_files,
    regular_octets,
    stat_key,
)
from netservices.interfaces import (
    Conflict,
    IsADirectory,
    NotADirectory,
    NotAllowed,
    NotFound,
)
from netservices.values import Node

_LOOK = os.O_PATH
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_SETTABLE = 0o777


@frozen
class Change:
    """What a change did to the usage sums, and where its record must go."""

    octets: int = 0
    files: int = 0
    is_directory: bool = False


@frozen
class Target:
    """What has the name that an upload wants: ``key`` is its version."""

    size: int
    key: str


class Disk(Looking):
    """The blocking calls on one tree."""

    def __init__(
        self,
        directory: str,
        opener: Opener,
        durability: Durability,
        umask: int,
        owner: str = "",
        mode: int = 0o700,
        glance: Opener | None = None,
    ) -> None:
        self.directory = directory
        self.opener = opener
        self.durability = durability
        self.umask = umask
        self.owner = owner
        self._mode = mode
        self._root = -1
        self.glance: Looking | None = None
        if glance is not None:
            self.glance = Glance(self, glance)
        self._opening = Lock()

    # --- the root -------------------------------------------------------------------

    def root(self) -> int:
        """The root's descriptor; the directory is made when it is first needed."""
        with self._opening:
            if self._root < 0:
                try:
                    self._root = os.open(self.directory, _LOOK | os.O_DIRECTORY)
                except FileNotFoundError:
                    self._make_root()
                    self._root = os.open(self.directory, _LOOK | os.O_DIRECTORY)
            return self._root

    def _make_root(self) -> None:
        parent = os.path.dirname(self.directory)
        os.makedirs(parent, 0o700, exist_ok=True)
        with closing(os.open(parent, _DIRECTORY)) as above:
            name = os.path.basename(self.directory)
            try:
                os.mkdir(name, 0o700, dir_fd=above)
            except FileExistsError:
                return
            os.chmod(self.directory, self._mode)
            self.durability.sync_directory(above)

    @property
    def known_root(self) -> int:
        """The root's descriptor, or -1 where it is not open."""
        return self._root

    def is_there(self) -> bool:
        """Whether the root's directory exists; looking does not make it."""
        return os.path.isdir(self.directory)

    def refresh(self) -> None:
        """Look whether another directory is the root now: here it stays."""

    def close(self) -> None:
        """Give the root's descriptor back; it is opened again when needed."""
        with self._opening:
            if self._root >= 0:
                os.close(self._root)
                self._root = -1

    def __del__(self) -> None:
        self.close()

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of what lies at ``path``, links followed as the policy says."""
        return self.opener(self.root(), path, flags)

    @contextmanager
    def parent(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The directory that holds ``path``, opened, and the last name."""
        above, _, name = path.rpartition(b"/")
        if name == b".":
            raise NotAllowed("the root stays as it is")
        try:
            descriptor = self.open(above or b".", _DIRECTORY)
        except NotADirectoryError:
            raise NotFound("no such directory") from None
        with closing(descriptor):
            yield descriptor, name

    # --- looking --------------------------------------------------------------------

    def target(self, path: bytes) -> Target | None:
        """What an upload to ``path`` would replace; None where the name is free.
        IsADirectory, NotFound (parent)."""
        with self.parent(path) as (directory, name):
            status = lstat(directory, name)
        if status is None:
            return None
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectory("a directory")
        return Target(regular_octets(status), stat_key(status))

    def status(self, path: bytes) -> os.stat_result | None:
        """Of what ``path`` leads to; None where that is nothing."""
        try:
            with closing(self.open(path, _LOOK)) as current:
                return os.fstat(current)
        except FileNotFoundError:
            return None

    def check_etag(self, path: bytes, etag: str) -> None:
        """Conflict where another version has the name; empty: any."""
        status = self.status(path)
        found = "" if status is None else node_of(b"", status, "").etag
        if found != etag or (not etag and status is not None):
            raise Conflict("the file is another one now")

    def free_octets(self) -> int:
        """Free on the disk, for processes without privileges."""
        found = os.statvfs(self.root())
        return found.f_bavail * found.f_frsize

    # --- changing -------------------------------------------------------------------

    def make_directory(self, path: bytes) -> Node:
        """Make one directory; its parent must be there."""
        with self.parent(path) as (directory, name):
            os.mkdir(name, 0o700, dir_fd=directory)
            made = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            with closing(made):
                os.fchmod(made, 0o777 & ~self.umask | 0o700)
                self.durability.sync_directory(made)
                self.durability.sync_directory(directory)
                return node_of(name, os.fstat(made), self.owner)

    def remove(
        self, path: bytes, is_directory: bool, if_etag: str | None = None
    ) -> Change:
        """Remove a name; a link goes, not what it leads to.  Conflict where it is not
        the version ``if_etag``."""
        if if_etag is not None:
            self.check_etag(path, if_etag)
        with self.parent(path) as (directory, name):
            status = lstat(directory, name)
            if status is None:
                raise NotFound("no such file or directory")
            if is_directory:
                os.rmdir(name, dir_fd=directory)
            elif stat.S_ISDIR(status.st_mode):
                raise IsADirectory("a directory")
            else:
                os.unlink(name, dir_fd=directory)
            self.durability.sync_directory(directory)
        return Change(-regular_octets(status), -regular_files(status), is_directory)

    def rename(self, source: bytes, target: bytes, replace: bool) -> Change:
        """Give a file or directory another name, in one step."""
        with (
            self.parent(source) as (old_directory, old_name),
            self.parent(target) as (new_directory, new_name),
        ):
            moved = lstat(old_directory, old_name)
            if moved is None:
                raise NotFound("no such file or directory")
            replaced = lstat(new_directory, new_name)
            if replaced is None or not replace:
                rename_noreplace(old_directory, old_name, new_directory, new_name)
            else:
                _refuse_directories(moved, replaced)
                os.rename(
                    old_name,
                    new_name,
                    src_dir_fd=old_directory,
                    dst_dir_fd=new_directory,
                )
            self.durability.sync_directory(new_directory)
            if not os.path.sameopenfile(old_directory, new_directory):
                self.durability.sync_directory(old_directory)
        is_directory = stat.S_ISDIR(moved.st_mode)
        if source == target:
            return Change(is_directory=is_directory)
        return Change(-regular_octets(replaced), -regular_files(replaced), is_directory)

    def set_attributes(
        self, path: bytes, mtime_ns: int | None, mode: int | None
    ) -> tuple[Node, str, str]:
        """The node as it is then, and its stat keys before and after.

        The server can always read what it keeps, and enter its directories: the owner's
        own permissions to do so stay, whatever ``mode`` says; a file may be read-only,
        for it is replaced, never written.  Set-uid and the like are never set.
        """
        descriptor = self.open(path, READ)
        with closing(descriptor):
            before = os.fstat(descriptor)
            if not stat.S_ISDIR(before.st_mode) and not stat.S_ISREG(before.st_mode):
                raise NotAllowed("neither file nor directory")
            if mode is not None:
                kept = 0o700 if stat.S_ISDIR(before.st_mode) else 0o400
                os.fchmod(descriptor, mode & _SETTABLE | kept)
            if mtime_ns is not None:
                os.utime(descriptor, ns=(before.st_atime_ns, mtime_ns))
            self.durability.sync_file(descriptor)
            after = os.fstat(descriptor)
        node = node_of(last_name(path), after, self.owner)
        return node, stat_key(before), stat_key(after)

    def file_mode(self, replaced: os.stat_result | None) -> int:
        """A file that replaces another has its permissions."""
        if replaced is not None and stat.S_ISREG(replaced.st_mode):
            return stat.S_IMODE(replaced.st_mode) & _SETTABLE | 0o600
        return 0o666 & ~self.umask | 0o600


class Glance(Looking):
    """The same tree as far as the kernel has it in memory, for the reactor thread:
    nothing here waits for the disk, and what would have to is BlockingIOError."""

    def __init__(self, disk: Disk, opener: Opener) -> None:
        self.owner = disk.owner
        self._disk: ReferenceType[Disk] = ref(disk)
        self._opener = opener

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of what lies at ``path``."""
        disk = self._disk()
        if disk is None or disk.known_root < 0:
            raise BlockingIOError(errno.EAGAIN, "the root is not open")
        return self._opener(disk.known_root, path, flags)

    def link_text(self, descriptor: int) -> bytes:
        """It may be on the disk."""
        raise BlockingIOError(errno.EAGAIN, "a link's text")


def lstat(directory: int, name: bytes) -> os.stat_result | None:
    """The status of a name, links not followed; None where it is free."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _refuse_directories(moved: os.stat_result, replaced: os.stat_result) -> None:
    """Nothing replaces a directory, and a directory replaces nothing."""
    if stat.S_ISDIR(replaced.st_mode):
        raise IsADirectory("a directory has that name")
    if stat.S_ISDIR(moved.st_mode):
        raise NotADirectory("a file has that name")
