"""Backups: a consistent copy of a store that goes on being written to.

Theory.  A backup is a directory with a manifest and one *generation*, a subdirectory
that looks like a state directory.  A new backup builds a new generation beside the old
one, as ``<stamp>.part``: first the database, in one step (a stepwise copy starts over
at each write of somebody else, and never ends), then the content files that this copy
of the database names, then other trees.  What the old generation has already is linked,
not copied.  All is synced and read again before the manifest changes over; only then
does the old generation go.  So at every moment the manifest names a whole backup.

Nothing is collected from the store meanwhile (a lease sees to it), so the content that
the copied database names is there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from sqlite3 import Connection

from attrs import define, field
from twisted.logger import Logger

from netservices.core.errors import StartupError
from netservices.store.blobfiles import BlobFiles
from netservices.store.changes import newest
from netservices.store.connections import pragma
from netservices.store.directory import DATABASE
from netservices.store.manifest import (
    MANIFEST,
    Progress,
    damaged_files,
    digest_of,
    load_manifest,
    save_manifest,
)
from netservices.store.sync import sync_directory, sync_file
from netservices.values import Manifest

_log = Logger()


@define
class _Generation:
    """A copy in the making, and the one before it."""

    target: str
    name: str
    old: str | None
    known: dict[str, tuple[int, str]]
    """Size and hash by path below the old generation."""
    entries: list[tuple[str, int, str]] = field(factory=list)

    @property
    def path(self) -> str:
        """The directory in which it grows."""
        return os.path.join(self.target, self.name + ".part")

    def add(self, below: str, source: str, may_link: bool) -> None:
        """Take in one file; ``may_link`` where it never changes."""
        copy = os.path.join(self.path, below)
        os.makedirs(os.path.dirname(copy), 0o700, exist_ok=True)
        if self._take_from_old(below, source, copy, may_link):
            size, sha256 = self.known[below]
        else:
            _copy_file(source, copy, may_link)
            size, sha256 = digest_of(copy)
        self.entries.append((os.path.join(self.name, below), size, sha256))

    def _take_from_old(
        self, below: str, source: str, copy: str, is_immutable: bool
    ) -> bool:
        """Link the old generation's copy where it is the same file still."""
        if self.old is None or below not in self.known:
            return False
        old = os.path.join(self.old, below)
        try:
            if not is_immutable and not _looks_equal(old, source):
                return False
            os.link(old, copy, follow_symlinks=False)
        except OSError:
            return False
        return True


def _looks_equal(old: str, source: str) -> bool:
    one, two = os.lstat(old), os.lstat(source)
    return (one.st_mode, one.st_size, one.st_mtime_ns) == (
        two.st_mode,
        two.st_size,
        two.st_mtime_ns,
    )


def _copy_file(source: str, copy: str, may_link: bool) -> None:
    if may_link:
        with suppress(OSError):
            os.link(source, copy)
            return
    shutil.copy2(source, copy, follow_symlinks=False)
    if not os.path.islink(copy):
        sync_file(copy)


def make_backup(
    connection: Connection,
    state_directory: str | None,
    target: str,
    extra_trees: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Manifest:
    """Back up the database of ``connection``, and its state directory, to
    ``target``; StartupError where that will not do."""
    target = os.path.realpath(target)
    if state_directory is not None:
        _refuse_inside(target, os.path.realpath(state_directory))
    os.makedirs(target, 0o700, exist_ok=True)
    with _alone(target):
        return _make_generation(
            connection, state_directory, _begin(target), extra_trees, progress
        )


def _refuse_inside(target: str, state_directory: str) -> None:
    """A backup of a directory that holds the backup would never end."""
    if os.path.commonpath((target, state_directory)) == state_directory:
        raise StartupError(
            f"{target} is inside of the state directory, and would be lost with it; "
            "choose another directory"
        )


@contextmanager
def _alone(target: str) -> Iterator[None]:
    """Nobody else backs up to ``target`` meanwhile; the kernel forgets it with us."""
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StartupError(f"another backup to {target} is under way") from None
    finally:
        os.close(descriptor)


def _make_generation(
    connection: Connection,
    state_directory: str | None,
    generation: _Generation,
    extra_trees: tuple[str, ...],
    progress: Progress | None,
) -> Manifest:
    try:
        _copy_database(connection, generation)
        manifest = _describe(generation)
        if state_directory is not None:
            _copy_contents(generation, state_directory, progress)
            for tree in extra_trees:
                _copy_tree(generation, state_directory, tree)
        return _finish(generation, manifest)
    except BaseException:
        shutil.rmtree(generation.path, ignore_errors=True)
        raise


def _begin(target: str) -> _Generation:
    manifest = load_manifest(target)
    if manifest is None and any(
        not name.endswith(".part") for name in os.listdir(target)
    ):
        raise StartupError(
            f"{target} is neither empty nor a backup; choose another directory"
        )
    for name in os.listdir(target):
        if name.endswith(".part"):
            shutil.rmtree(os.path.join(target, name), ignore_errors=True)
    old, known = None, {}
    if manifest is not None and manifest.files:
        first = manifest.files[0][0].partition("/")[0]
        old = os.path.join(target, first)
        known = {
            name.partition("/")[2]: (size, sha256)
            for name, size, sha256 in manifest.files
        }
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name, number = stamp, 1
    while os.path.lexists(os.path.join(target, name)):
        number += 1
        name = f"{stamp}-{number}"
    generation = _Generation(target, name, old, known)
    os.mkdir(generation.path, 0o700)
    return generation


def _copy_database(connection: Connection, generation: _Generation) -> None:
    path = os.path.join(generation.path, DATABASE)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
        # One file, complete in itself.
        copy.execute("PRAGMA journal_mode=DELETE")
    sync_file(path)
    size, sha256 = digest_of(path)
    generation.entries.append((os.path.join(generation.name, DATABASE), size, sha256))


def _describe(generation: _Generation) -> Manifest:
    path = os.path.join(generation.path, DATABASE)
    with closing(sqlite3.connect(path)) as copy:
        (store_id,) = copy.execute(
            "SELECT value FROM meta WHERE key='store_id'"
        ).fetchone()
        return Manifest(
            created=time.time(),
            store_id=store_id,
            schema_version=pragma(copy, "user_version"),
            cursor=newest(copy),
            files=(),
        )


def _copy_contents(
    generation: _Generation, state_directory: str, progress: Progress | None
) -> None:
    """The files of all content that the copied database names."""
    with closing(sqlite3.connect(os.path.join(generation.path, DATABASE))) as copy:
        hashes = [
            row[0] for row in copy.execute("SELECT hash FROM blob WHERE is_inline=0")
        ]
    files = BlobFiles(state_directory)
    for number, content_hash in enumerate(hashes):
        source = files.path(content_hash)
        try:
            generation.add(
                os.path.relpath(source, state_directory), source, may_link=True
            )
        except FileNotFoundError:
            # It was lost before; check tells of it, and the rest is worth keeping.
            _log.error("the content {name} is missing", name=content_hash.hex())
        if progress is not None:
            progress(number + 1, len(hashes))


def _copy_tree(generation: _Generation, state_directory: str, tree: str) -> None:
    """A tree of files that may change while it is copied."""
    root = os.path.join(state_directory, tree)
    for source, found in _walk(root):
        below = os.path.relpath(source, state_directory)
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(found.st_mode):
                copy = os.path.join(generation.path, below)
                os.makedirs(copy, 0o700, exist_ok=True)
                os.chmod(copy, stat.S_IMODE(found.st_mode))
            elif stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                generation.add(below, source, may_link=False)


def _walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything at and below ``root``, directories before what they hold."""
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            found = os.lstat(path)
            yield path, found
            if stat.S_ISDIR(found.st_mode):
                names = sorted(os.listdir(path), reverse=True)
                waiting.extend(os.path.join(path, name) for name in names)
        except FileNotFoundError:
            continue


def _finish(generation: _Generation, manifest: Manifest) -> Manifest:
    """Sync, verify, change over, and let the old generation go."""
    for directory, _, _ in os.walk(generation.path):
        sync_directory(directory)
    final = os.path.join(generation.target, generation.name)
    os.rename(generation.path, final)
    manifest = Manifest(
        created=manifest.created,
        store_id=manifest.store_id,
        schema_version=manifest.schema_version,
        cursor=manifest.cursor,
        files=tuple(generation.entries),
    )
    damaged = damaged_files(generation.target, manifest)
    if damaged or not _is_sound(os.path.join(final, DATABASE)):
        shutil.rmtree(final, ignore_errors=True)
        raise StartupError(
            f"the backup in {generation.target} could not be verified "
            f"({damaged[0] if damaged else DATABASE}); is its disk sound?"
        )
    save_manifest(generation.target, manifest)
    for name in os.listdir(generation.target):
        if name not in (generation.name, MANIFEST):
            shutil.rmtree(os.path.join(generation.target, name), ignore_errors=True)
    return manifest


def _is_sound(path: str) -> bool:
    with closing(sqlite3.connect(path)) as copy:
        return bool(copy.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
