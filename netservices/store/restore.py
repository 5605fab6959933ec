"""Restoring a backup into an empty state directory.

Everything is verified before the first file is written, then built in a directory
beside the target, which takes the target's name at the very end: a restore that fails
leaves nothing behind. A restored store has a new *restore epoch*, and nobody holds its
leases.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing, suppress

from netservices.core.errors import StartupError
from netservices.store.connections import APPLICATION_ID, pragma
from netservices.store.directory import DATABASE
from netservices.store.manifest import Progress, damaged_files, load_manifest
from netservices.store.migrations import VERSION
from netservices.store.sync import sync_directory, sync_file
from netservices.values import Manifest, Report

_INSIDE = ".restoring-"


def restore(source: str, directory: str, progress: Progress | None = None) -> Report:
    """Build ``directory``, missing or empty, from the backup in ``source``;
    StartupError names what is wrong."""
    # A state directory may be a link: systemd makes one where it keeps it private.
    source, directory = os.path.realpath(source), os.path.realpath(directory)
    manifest = _checked_manifest(source, progress)
    owner = _existing(directory)
    part = _begin(directory, owner)
    try:
        _copy_all(source, manifest, part)
        _begin_epoch(os.path.join(part, DATABASE))
        _make_durable(part, owner)
        _change_over(part, directory)
    except (OSError, sqlite3.Error) as error:
        raise StartupError(f"restoring to {directory} failed: {error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Report(examined=len(manifest.files))


def _checked_manifest(source: str, progress: Progress | None) -> Manifest:
    manifest = load_manifest(source)
    if manifest is None:
        raise StartupError(f"{source} is not a backup: it has no manifest.json")
    if manifest.schema_version > VERSION:
        raise StartupError(
            f"{source} has version {manifest.schema_version}, and this netservices "
            f"knows versions up to {VERSION}: install the one that made the backup"
        )
    damaged = damaged_files(source, manifest, progress)
    if damaged:
        raise StartupError(
            f"{source} is damaged: {len(damaged)} of {len(manifest.files)} files are "
            f"missing or changed, the first is {damaged[0]}"
        )
    return manifest


def _existing(directory: str) -> os.stat_result | None:
    """The empty directory that is there already, or None."""
    try:
        if os.listdir(directory):
            raise StartupError(f"{directory} is not empty; choose another directory")
        return os.stat(directory)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise StartupError(f"{directory} is not a directory") from None


def _begin(directory: str, owner: os.stat_result | None) -> str:
    """A new directory to build in: beside the target; in it, where the target is a
    mount point, or where it alone may be written."""
    parent, name = os.path.split(directory)
    try:
        os.makedirs(parent, exist_ok=True)
        if owner is not None and not _can_be_replaced(directory):
            return tempfile.mkdtemp(prefix=_INSIDE, dir=directory)
        return tempfile.mkdtemp(prefix=f"{name}.restoring-", dir=parent)
    except OSError as error:
        place = error.filename or directory
        raise StartupError(f"{place} cannot be written: {error.strerror}") from None


def _can_be_replaced(directory: str) -> bool:
    return not os.path.ismount(directory) and os.access(
        os.path.dirname(directory), os.W_OK | os.X_OK, effective_ids=True
    )


def _copy_all(source: str, manifest: Manifest, part: str) -> None:
    generation = os.path.join(source, manifest.files[0][0].partition("/")[0])
    for above, directories, _ in os.walk(generation):
        for name in directories:
            found = os.path.join(above, name)
            if not os.path.islink(found):
                _make_like(
                    found, os.path.join(part, os.path.relpath(found, generation))
                )
    for name, _, _ in manifest.files:
        found = os.path.join(source, name)
        copy = os.path.join(part, os.path.relpath(found, generation))
        if os.path.commonpath((part, os.path.normpath(copy))) != part:
            raise StartupError(f"{source} names a file outside of itself: {name}")
        shutil.copy2(found, copy, follow_symlinks=False)


def _make_like(found: str, copy: str) -> None:
    os.makedirs(copy, 0o700, exist_ok=True)
    os.chmod(copy, stat.S_IMODE(os.stat(found).st_mode))


def _begin_epoch(path: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        if pragma(database, "application_id") != APPLICATION_ID:
            raise StartupError(f"{path} is the database of another program")
        with database:
            database.execute(
                "UPDATE meta SET value=CAST(value AS INTEGER)+1 "
                "WHERE key='restore_epoch'"
            )
            database.execute("UPDATE lease SET until=0")


def _make_durable(part: str, owner: os.stat_result | None) -> None:
    """Sync all, as the property of whoever owned the directory."""
    for above, directories, names in os.walk(part, topdown=False):
        for name in (*names, *directories):
            path = os.path.join(above, name)
            if owner is not None and os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
            if name in names and not os.path.islink(path):
                sync_file(path)
        sync_directory(above)
    if owner is not None:
        os.chmod(part, stat.S_IMODE(owner.st_mode))
        if os.geteuid() == 0:
            os.chown(part, owner.st_uid, owner.st_gid)


def _change_over(part: str, directory: str) -> None:
    """Take the name; an empty directory of that name is replaced, or filled."""
    if os.path.dirname(part) == directory:
        # The database last: without it, this is no state.
        for name in sorted(os.listdir(part), key=lambda name: name == DATABASE):
            os.rename(os.path.join(part, name), os.path.join(directory, name))
        sync_directory(directory)
    else:
        os.rename(part, directory)
    with suppress(OSError):
        sync_directory(os.path.dirname(directory))
