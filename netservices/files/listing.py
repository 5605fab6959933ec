"""Directories in pages, in a stable order and bounded memory.

Theory
======

A directory of 100,000 names must not be read again for each page, nor held as 100,000
nodes, nor block the reactor.  The first page reads all *names* (in a thread; sorted in
runs and merged, because one sort of 100,000 names holds the interpreter for 30 ms), and
the nodes of one page.  Names that remain are kept for a while as a ``Snapshot``; later
pages look up their place in it and stat only their own entries, and so do first pages
while no name has come or gone: whoever asks for one again and again keeps no thread
busy with 100,000 names each time.  Names are ordered by
octets.  What was removed meanwhile is skipped, what came is in the next listing; each
name comes at most once.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from threading import Lock

from attrs import define, frozen

from netservices.files.disk import Disk
from netservices.files.names import RESERVED_PREFIX, decode_name, is_reserved
from netservices.files.nodes import node_of
from netservices.values import LineOf, Lines, Node

_MTIME = stat.ST_MTIME
"""Where the modification time is in whole seconds."""

_SETTLED_NS = 1_000_000_000
"""What has changed so lately can change again within the grain of file times."""

_RUN = 8192
"""Names sorted at once: about 2 ms."""


@frozen
class Snapshot:
    """The names of a directory at one time, sorted."""

    identity: tuple[int, int]
    names: tuple[bytes, ...]
    taken: float
    changed_ns: int = 0
    """When names had come or gone last (``st_ctime``); 0: so lately that they may
    again, without getting another time."""


class Snapshots:
    """Names of listings that are being paged, over all trees; used by threads."""

    def __init__(self, most_names: int, lifetime_seconds: float) -> None:
        self._most_names = most_names
        self._lifetime_seconds = lifetime_seconds
        self._kept: OrderedDict[tuple[str, bytes], Snapshot] = OrderedDict()
        self._held_names = 0
        self._lock = Lock()

    def put(self, key: tuple[str, bytes], snapshot: Snapshot) -> None:
        """Keep a snapshot; the oldest ones go where there are too many names."""
        with self._lock:
            self._forget(key)
            if len(snapshot.names) > self._most_names:
                return
            self._kept[key] = snapshot
            self._held_names += len(snapshot.names)
            oldest_kept = time.monotonic() - self._lifetime_seconds
            while self._kept:
                oldest = next(iter(self._kept))
                if (
                    self._held_names <= self._most_names
                    and self._kept[oldest].taken >= oldest_kept
                ):
                    break
                self._forget(oldest)

    def get(self, key: tuple[str, bytes], identity: tuple[int, int]) -> Snapshot | None:
        """The snapshot, unless it is too old or of another directory."""
        with self._lock:
            snapshot = self._kept.get(key)
        if snapshot is None or snapshot.identity != identity:
            return None
        if time.monotonic() - snapshot.taken > self._lifetime_seconds:
            return None
        return snapshot

    def drop(self, key: tuple[str, bytes]) -> None:
        """The last page has been given out."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: tuple[str, bytes]) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._held_names -= len(gone.names)


def sorted_names(directory: int) -> tuple[bytes, ...]:
    """All visible names of an open directory, ordered by octets."""
    encoding = sys.getfilesystemencoding()
    errors = sys.getfilesystemencodeerrors()
    unsorted = [name.encode(encoding, errors) for name in os.listdir(directory)]
    runs = []
    for start in range(0, len(unsorted), _RUN):
        run = unsorted[start : start + _RUN]
        run.sort()
        runs.append(run)
    ordered = runs[0] if len(runs) == 1 else list(merge(*runs))
    # Those that are ours stand together.
    first = bisect_left(ordered, RESERVED_PREFIX)
    last = first
    while last < len(ordered) and is_reserved(ordered[last]):
        last += 1
    del ordered[first:last]
    return tuple(ordered)


def list_page(
    disk: Disk,
    snapshots: Snapshots,
    tree: str,
    path: bytes,
    after: bytes | None,
    limit: int,
) -> tuple[Node, ...]:
    """One page of nodes; blocks, and is called in a thread."""
    nodes: list[Node] = []
    owner = disk.owner
    with _page(disk, snapshots, (tree, path), after, limit) as page:
        for name, status, text in page.entries():
            nodes.append(node_of(name, status, owner, text))
    return tuple(nodes)


def list_lines(
    disk: Disk,
    snapshots: Snapshots,
    tree: str,
    path: bytes,
    after: bytes | None,
    limit: int,
    line_of: LineOf,
) -> Lines:
    """The same as text."""
    lines: list[str] = []
    owner = disk.owner
    last = ""
    with _page(disk, snapshots, (tree, path), after, limit) as page:
        for name, status, text in page.entries():
            last = name.decode("utf-8", "surrogateescape")
            target = None if text is None else decode_name(text)
            mode, size = status.st_mode, status.st_size
            lines.append(line_of(last, mode, size, status[_MTIME], owner, target))
    if page.is_last:
        snapshots.drop((tree, path))
    return Lines("".join(lines), last, page.is_last)


@contextmanager
def _page(
    disk: Disk,
    snapshots: Snapshots,
    key: tuple[str, bytes],
    after: bytes | None,
    limit: int,
) -> Iterator[_Page]:
    """The page that begins behind the name ``after``."""
    directory = disk.open_directory(key[1])
    try:
        status = os.fstat(directory)
        identity = (status.st_dev, status.st_ino)
        snapshot = snapshots.get(key, identity)
        if after is None and snapshot and snapshot.changed_ns != status.st_ctime_ns:
            # A listing begins with what there is.
            snapshot = None
        is_new = snapshot is None
        if snapshot is None:
            is_settled = status.st_ctime_ns < time.time_ns() - _SETTLED_NS
            names = sorted_names(directory)
            changed = status.st_ctime_ns if is_settled else 0
            snapshot = Snapshot(identity, names, time.monotonic(), changed)
        start = 0 if after is None else bisect_right(snapshot.names, after)
        page = _Page(directory, snapshot.names, start, limit)
        yield page
    finally:
        os.close(directory)
    if page.left:
        # Nobody asks for what comes after a page that is short.
        snapshots.drop(key)
    elif is_new:
        snapshots.put(key, snapshot)


@define
class _Page:
    """Up to so many entries of an open directory, from an index on.  A page is short
    only at the end: names that are gone do not count."""

    directory: int
    names: tuple[bytes, ...]
    index: int
    left: int

    @property
    def is_last(self) -> bool:
        """Whether it has reached the end."""
        return self.index >= len(self.names)

    def entries(self) -> Iterator[tuple[bytes, os.stat_result, bytes | None]]:
        """Name, status, and the text of a link, of each."""
        directory, index, left = self.directory, self.index, self.left
        names, look, is_link = self.names, os.stat, stat.S_ISLNK
        while left and index < len(names):
            name = names[index]
            index += 1
            try:
                status = look(name, dir_fd=directory, follow_symlinks=False)
                text = None
                if is_link(status.st_mode):
                    text = os.readlink(name, dir_fd=directory)
            except FileNotFoundError:
                continue
            left -= 1
            yield name, status, text
        self.index, self.left = index, left
