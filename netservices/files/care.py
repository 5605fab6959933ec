"""Care of the trees: sweeping upload areas, recounting sums.

The disk is the truth.  Files that come and go without us (rsync, an editor) make the
sums wrong until ``check --repair`` recounts them; digests are found by stat identity,
so theirs cannot be.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.logger import Logger

from netservices.files import area
from netservices.files.area import closing
from netservices.files.disk import Disk
from netservices.files.names import AREA, is_reserved
from netservices.files.volume import Volume
from netservices.interfaces import FileProblem
from netservices.units import AddUsage, RemovePartial, SetUsage, Unit
from netservices.values import Finding, Report

if TYPE_CHECKING:
    from netservices.files.service import Files

_log = Logger()

_MOST_PARTIALS = 100_000
"""Partial uploads looked at in one round; beyond that, files without a record stay
until a later one."""

_BATCH = 200


async def sweep(files: Files, now: float) -> int:
    """Remove expired partial uploads and unowned temporary files; how many went.  A
    tree that cannot be swept is logged, and does not keep others from it."""
    removed = await _expire_partials(files, now)
    for tree in await files.trees():
        volume = files.volume(tree)
        try:
            if await volume.hops.run(volume.disk.is_there):
                removed += len(await _sweep_area(files, volume, True))
        except FileProblem:
            _log.failure("sweeping the uploads of {tree}", tree=tree)
    return removed


async def _sweep_area(files: Files, volume: Volume, is_removing: bool) -> list[str]:
    """Files of the area that nobody owns and no record names.

    Who keeps a partial upload holds its lock until there is a record.  So a file that
    was unlocked *before* the records are read, and has none, will never have one.
    """
    stray = await volume.hops.run(_unowned, volume.disk)
    if any(name.startswith(area.PARTIAL) for name in stray):
        rows = await files.store.file_records.expired_partials(
            float("inf"), _MOST_PARTIALS
        )
        recorded = {name for tree, _, _, name in rows if tree == volume.name}
        is_complete = len(rows) < _MOST_PARTIALS
        stray = [
            name
            for name in stray
            if not name.startswith(area.PARTIAL)
            or (is_complete and name not in recorded)
        ]
    if is_removing and stray:
        await volume.hops.run(_remove_in_area, volume.disk, stray)
    return stray


def _unowned(disk: Disk) -> list[str]:
    """Files of the area that nobody has locked; blocks."""
    try:
        directory = area.open_area(disk.root(), disk.opener, is_made=False)
    except FileNotFoundError:
        return []
    with closing(directory):
        return [
            os.fsdecode(name)
            for name, _ in area.files(directory)
            if area.is_unowned(directory, name)
        ]


def _remove_in_area(disk: Disk, names: list[str]) -> int:
    """How many of these files were there and not in use; blocks."""
    try:
        directory = area.open_area(disk.root(), disk.opener, is_made=False)
    except FileNotFoundError:
        return 0
    with closing(directory):
        gone = [area.remove_unowned(directory, os.fsencode(name)) for name in names]
    return sum(size is not None for size in gone)


async def _expire_partials(files: Files, now: float) -> int:
    """The record goes first: a file without a record is swept later in any case."""
    removed = 0
    records = files.store.file_records
    while rows := await records.expired_partials(now, _BATCH):
        for tree, path, account, name in rows:
            volume = files.volume(tree)
            intent = await volume.intents.take(path)
            try:
                known = await records.partial(tree, path, account)
                if known is None or known[0] != name:
                    continue  # continued, or kept anew, meanwhile
                operations = (
                    RemovePartial(tree, path, account),
                    AddUsage(tree, -known[1], 0),
                )
                await files.store.apply(Unit(operations))
            finally:
                volume.intents.release(intent)
            if await volume.hops.run(volume.disk.is_there):
                removed += await volume.hops.run(_remove_in_area, volume.disk, [name])
        if len(rows) < _BATCH:
            break
    return removed


# --- recounting ---------------------------------------------------------------------


@define
class Count:
    """What a walk through a tree found."""

    octets: int = 0
    files: int = 0
    stray: list[str] = field(factory=list)
    """Temporary files outside the upload area (on file systems mounted in the tree)."""


def count_tree(disk: Disk, is_removing: bool) -> Count:
    """Walk the whole tree; blocks for long, and never follows a link."""
    count = Count()
    root = os.open(b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=disk.root())
    # fwalk goes from descriptor to descriptor, so nothing that is renamed or replaced
    # by a link meanwhile leads it out of the tree.
    with closing(root):
        for where, _, names, directory in os.fwalk(b".", dir_fd=root):
            is_area = where.lstrip(b"./") == AREA.lstrip(b"./")
            for name in names:
                _count_name(count, directory, name, where, is_area, is_removing)
    return count


def _count_name(
    count: Count,
    directory: int,
    name: bytes,
    where: bytes,
    is_area: bool,
    is_removing: bool,
) -> None:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        return
    if is_area:
        # Partial uploads count as octets; what is being uploaded is only reserved.
        if name.startswith(area.PARTIAL.encode()):
            count.octets += status.st_size
    elif is_reserved(name):
        if area.is_unowned(directory, name):
            count.stray.append(os.fsdecode(os.path.join(where, name)))
            if is_removing:
                area.remove_unowned(directory, name)
    else:
        count.octets += status.st_size
        count.files += 1


async def check(files: Files, repair: bool) -> Report:
    """Compare sums and upload areas with the disk, and repair them."""
    findings: list[Finding] = []
    examined = 0
    for tree in await files.trees():
        try:
            count, found = await _check_tree(files, tree, repair)
        except FileProblem as problem:
            text = f"it cannot be read: {problem}"
            findings.append(Finding("unreadable-tree", tree, text))
        else:
            examined += count
            findings += found
    return Report(tuple(findings), examined)


async def _check_tree(
    files: Files, tree: str, repair: bool
) -> tuple[int, list[Finding]]:
    """Files counted, and what is wrong with them."""
    volume = files.volume(tree)
    if not await volume.hops.run(volume.disk.is_there):
        return 0, await _check_absent(files, tree, repair)
    strays = await _sweep_area(files, volume, repair)
    count, wrong = await _check_sums(files, volume, repair)
    # What is in pub/ and sites/ is put there by hand, and has no quota.
    findings = wrong if files.is_home(tree) else []
    findings += [_stray(tree, name, repair) for name in strays + count.stray]
    return count.files, findings


def _stray(tree: str, name: str, repair: bool) -> Finding:
    return Finding(
        code="stray-upload",
        object=f"{tree}/{name}",
        text="an upload that no process and no record owns",
        repair="remove it",
        is_repaired=repair,
    )


async def _check_sums(
    files: Files, volume: Volume, repair: bool
) -> tuple[Count, list[Finding]]:
    """Nobody may change the tree while it is counted, or the sum would be of no
    moment."""
    intent = await volume.intents.take(deep=((),))
    try:
        count = await volume.hops.run(count_tree, volume.disk, repair)
        if volume.ledger.unrecorded:
            # Units are applied in order: after this one, those before it are.
            await files.store.apply(Unit(()))
        known = await files.store.file_records.usage(volume.name)
        if known == (count.octets, count.files):
            return count, []
        if repair:
            unit = Unit((SetUsage(volume.name, count.octets, count.files),))
            await files.store.apply(unit)
            volume.ledger.learn(count.octets)
    finally:
        volume.intents.release(intent)
    return count, [_wrong_sum(volume.name, known, count, repair)]


def _wrong_sum(
    tree: str, known: tuple[int, int], count: Count, repair: bool
) -> Finding:
    return Finding(
        code="usage-sum",
        object=tree,
        text=(
            f"recorded are {known[0]} octets in {known[1]} files, on disk are "
            f"{count.octets} in {count.files}"
        ),
        repair="set the sums to what is on disk",
        is_repaired=repair,
    )


async def _check_absent(files: Files, tree: str, repair: bool) -> list[Finding]:
    """Records of a tree whose directory is gone."""
    known = await files.store.file_records.usage(tree)
    if known == (0, 0):
        return []
    if repair:
        await files.store.apply(Unit((SetUsage(tree, 0, 0),)))
    return [_wrong_sum(tree, known, Count(), repair)]
