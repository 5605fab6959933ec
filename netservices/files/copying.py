"""A copy of a file within a tree: by sharing its blocks where the file system can do
that, and by ``copy_file_range`` in threads where it cannot.

The copy is an upload whose content is there already, so it is like uploads in all else:
permissions, quota, the sync, the one moment in which it takes its name, the record.
What is known of the content of the one is known of the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from netservices.files import names, placing
from netservices.files.area import closing
from netservices.files.continuing import copy_octets
from netservices.files.digests import Subject, keep
from netservices.files.nodes import node_of, stat_key
from netservices.files.placing import Temporary
from netservices.files.upload import Upload
from netservices.files.volume import Volume
from netservices.interfaces import NotAllowed
from netservices.units import CopyProperties, PutFileRecord
from netservices.values import Node

if TYPE_CHECKING:
    from netservices.files.tree import FileTree
    from netservices.values import Path

Progress = Callable[[int], None]
"""Called with the octets copied so far; what it raises ends the copying."""


async def copy_file(
    tree: FileTree, source: Subject, path: Path, progress: Progress | None
) -> Node:
    """Put the content of ``source`` under the name ``path``."""
    volume = source.volume
    descriptor, status = await volume.hops.run(volume.disk.open_file, source.encoded)
    with closing(descriptor):
        size = status.st_size
        upload = await tree.begin_write(path, expected_size=size)
        assert isinstance(upload, Upload)
        try:
            if progress is not None:
                progress(0)
            temporary = await _copied(volume, descriptor, size, progress)
            upload.begin_with(temporary, size)
            target = names.canonical(path)
            upload.also = (CopyProperties(volume.name, source.path, target),)
            node = await upload.commit()
        except BaseException:
            await upload.abort()
            raise
    with suppress(NotAllowed):
        # A file may come to where nobody reads it.
        await _remember(tree, source, stat_key(status), path, node)
    return node


async def _copied(
    volume: Volume, source: int, size: int, progress: Progress | None
) -> Temporary:
    """A temporary file with that content.  NotFound where it became shorter."""
    temporary = await volume.hops.run(placing.new_temporary, volume.disk)
    try:
        await copy_octets(volume, source, temporary.descriptor, size, progress)
        os.lseek(temporary.descriptor, size, os.SEEK_SET)
    except BaseException:
        await volume.hops.run(temporary.discard)
        raise
    return temporary


async def _remember(
    tree: FileTree, source: Subject, key: str, path: Path, node: Node
) -> None:
    """Record of the copy what is known of the original, if the copy is still there."""
    volume = source.volume
    known = await volume.store.file_records.digests(volume.name, source.path, key)
    if known is None:
        return
    made = tree.subject(path)
    descriptor, status = await volume.hops.run(volume.disk.open_file, made.encoded)
    os.close(descriptor)
    if node_of(b"", status, "").etag != node.etag:
        return
    record = PutFileRecord(
        tree=volume.name,
        path=made.path,
        stat_key=stat_key(status),
        sha256=known.sha256,
        lf_count=known.lf_count,
        owner=source.account,
        size_octets=status.st_size,
    )
    await keep(volume, record)
