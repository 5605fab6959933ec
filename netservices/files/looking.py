"""Looking at what lies in a tree, however it is opened."""

from __future__ import annotations

import os
import stat

from netservices.files.area import closing
from netservices.files.nodes import node_of
from netservices.interfaces import IsADirectory, NotADirectory, NotAllowed, NotFound
from netservices.values import Node

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_LOOK = os.O_PATH
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


class Looking:
    """What can be seen through ``open``."""

    owner: str

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of what lies at ``path``, links followed as the policy says."""
        raise NotImplementedError

    def stat(self, path: bytes, follow: bool) -> Node:
        """The node at ``path``."""
        flags = _LOOK if follow else _LOOK | os.O_NOFOLLOW
        try:
            descriptor = self.open(path, flags)
        except NotADirectoryError:
            raise NotFound("no such file or directory") from None
        with closing(descriptor):
            status = os.fstat(descriptor)
            text = None
            if stat.S_ISLNK(status.st_mode):
                text = self.link_text(descriptor)
            return node_of(last_name(path), status, self.owner, text)

    def link_text(self, descriptor: int) -> bytes:
        """Where a link leads."""
        return os.readlink(b"", dir_fd=descriptor)

    def open_directory(self, path: bytes) -> int:
        """A descriptor to list with.  NotADirectory."""
        try:
            return self.open(path, _DIRECTORY)
        except NotADirectoryError:
            self.stat(path, True)
            raise NotADirectory("not a directory") from None

    def open_file(self, path: bytes) -> tuple[int, os.stat_result]:
        """A descriptor to read a regular file, and its status.  IsADirectory."""
        try:
            descriptor = self.open(path, READ)
        except NotADirectoryError:
            raise NotFound("no such file") from None
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return descriptor, status
        os.close(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectory("a directory")
        raise NotAllowed("neither file nor directory")


def last_name(path: bytes) -> bytes:
    """The last segment; empty for the root."""
    name = path.rpartition(b"/")[2]
    return b"" if name == b"." else name
