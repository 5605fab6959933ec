"""From what ``stat`` says to the values of ``netservices.values``."""

from __future__ import annotations

import os
import stat

from netservices.files.names import decode_name
from netservices.values import Node, NodeKind

_KINDS = {
    stat.S_IFREG: NodeKind.FILE,
    stat.S_IFDIR: NodeKind.DIRECTORY,
    stat.S_IFLNK: NodeKind.SYMLINK,
}
_KIND_BITS = 0o170000
_MODE_BITS = 0o7777


def kind_of(mode: int) -> NodeKind:
    """File, directory, link, or something else."""
    return _KINDS.get(stat.S_IFMT(mode), NodeKind.OTHER)


def stat_key(status: os.stat_result) -> str:
    """``device:inode:size:mtime_ns``, under which a file's record is valid."""
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def node_of(
    name: bytes, status: os.stat_result, owner: str, link_target: bytes | None = None
) -> Node:
    """The node with that status.

    The etag has the change time in it, which nobody can set: an inode that is used
    again, with size and modification time set as they were, is still another version.
    """
    mode, size, inode = status.st_mode, status.st_size, status.st_ino
    kind = _KINDS.get(mode & _KIND_BITS, NodeKind.OTHER)
    etag = ""
    if kind is NodeKind.FILE:
        etag = f"{inode:x}-{status.st_ctime_ns:x}-{size:x}"
    # By position: a listing makes thousands of these.
    return Node(
        name.decode("utf-8", "surrogateescape"),
        kind,
        size,
        status.st_mtime_ns,
        mode & _MODE_BITS,
        f"{status.st_dev:x}.{inode:x}",
        etag,
        owner,
        None if link_target is None else decode_name(link_target),
        status.st_uid,
        status.st_gid,
    )


def regular_octets(status: os.stat_result | None) -> int:
    """What a name counts for in usage sums: directories and links count nothing."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return 0
    return status.st_size


def regular_files(status: os.stat_result | None) -> int:
    """1 for a file, 0 for anything else."""
    return int(status is not None and stat.S_ISREG(status.st_mode))
