"""From what ``stat`` says to the values of ``netservices.values``."""

from __future__ import annotations

import os
import stat

from netservices.files.names import decode_name
from netservices.values import Node, NodeKind


def kind_of(mode: int) -> NodeKind:
    """File, directory, link, or something else."""
    if stat.S_ISREG(mode):
        return NodeKind.FILE
    if stat.S_ISDIR(mode):
        return NodeKind.DIRECTORY
    if stat.S_ISLNK(mode):
        return NodeKind.SYMLINK
    return NodeKind.OTHER


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
    kind = kind_of(status.st_mode)
    return Node(
        name=decode_name(name),
        kind=kind,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        mode=stat.S_IMODE(status.st_mode),
        id=f"{status.st_dev:x}.{status.st_ino:x}",
        etag=(
            f"{status.st_ino:x}-{status.st_ctime_ns:x}-{status.st_size:x}"
            if kind is NodeKind.FILE
            else ""
        ),
        owner=owner,
        link_target=None if link_target is None else decode_name(link_target),
    )


def regular_octets(status: os.stat_result | None) -> int:
    """What a name counts for in usage sums: directories and links count nothing."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return 0
    return status.st_size


def regular_files(status: os.stat_result | None) -> int:
    """1 for a file, 0 for anything else."""
    return int(status is not None and stat.S_ISREG(status.st_mode))
