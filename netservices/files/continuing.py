"""How APPEND and RESUME begin: from this account's partial upload, or from a copy of
the file, so that readers never see half of anything."""

from __future__ import annotations

import os
from collections.abc import Callable

from netservices.files import placing
from netservices.files.area import closing
from netservices.files.content import Tally
from netservices.files.nodes import stat_key
from netservices.files.placing import Temporary
from netservices.files.upload import Beginning
from netservices.files.volume import Volume
from netservices.interfaces import Conflict, NotFound, StoreBusy


async def continue_partial(volume: Volume, name: str, offset: int | None) -> Beginning:
    """Go on with a partial upload at ``offset`` (None: its end); what was beyond it
    goes.  NotFound where the file has gone, StoreBusy where it is being continued."""
    temporary, size, _ = await volume.hops.run(_claim, volume, name)
    try:
        at = size if offset is None else offset
        if at > size:
            raise Conflict("the offset lies beyond the end")
        tally = await _tally(volume, temporary.descriptor, at)
        await volume.hops.run(_cut, temporary.descriptor, at)
    except BaseException:
        temporary.close()
        raise
    return Beginning(temporary, at, at, tally, is_partial=True)


def _claim(volume: Volume, name: str) -> tuple[Temporary, int, int]:
    try:
        return placing.claim_partial(volume.disk, name)
    except BlockingIOError:
        raise StoreBusy("this upload is being continued") from None


def _cut(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)
    os.lseek(descriptor, size, os.SEEK_SET)


async def continue_file(
    volume: Volume, encoded: bytes, offset: int | None
) -> tuple[Beginning, str]:
    """A copy of a file, to go on at ``offset`` (None: its end), and the version that
    was copied.  What lies beyond the offset stays where it is not written over."""
    source, status = await volume.hops.run(volume.disk.open_file, encoded)
    with closing(source):
        at = status.st_size if offset is None else offset
        if at > status.st_size:
            raise Conflict("the offset lies beyond the end")
        temporary = await volume.hops.run(placing.new_temporary, volume.disk)
        try:
            await copy_octets(volume, source, temporary.descriptor, status.st_size)
            tally = await _tally(volume, temporary.descriptor, at)
            os.lseek(temporary.descriptor, at, os.SEEK_SET)
        except BaseException:
            await volume.hops.run(temporary.discard)
            raise
    if tally is None or status.st_size > volume.settings.upload_digest_limit:
        tally = None
    return Beginning(temporary, at, status.st_size, tally), stat_key(status)


async def copy_octets(
    volume: Volume,
    source: int,
    target: int,
    size: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Share the blocks where the file system can; else copy, a step a hop.  NotFound
    where the source became shorter; ``progress`` may end it."""
    if await volume.hops.run(placing.try_reflink, source, target):
        return
    done = 0
    while done < size:
        end = min(size, done + placing.COPY_STEP)
        reached = await volume.hops.run(placing.copy, source, target, done, end)
        if reached == done:
            raise NotFound("the file became shorter while it was copied")
        done = reached
        if progress is not None:
            progress(done)


async def _tally(volume: Volume, descriptor: int, end: int) -> Tally | None:
    """What is known of the first octets; None where they are too many to read."""
    if end > volume.settings.upload_digest_limit:
        return None
    tally = Tally()
    start = 0
    while start < end:
        step = min(end, start + placing.COPY_STEP)
        start = await volume.hops.run(
            placing.tally_range, descriptor, tally, start, step
        )
        if start < step:
            break
    return tally
