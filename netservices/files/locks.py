"""Who may change what just now: write locks (RFC 4918 6 and 7), for every protocol.

Theory
======

A lock is a record of the store.  Each change of a name asks for the locks near its path
when the name's intent is held, a read of some microseconds; a lock is put with that
intent held, too, and the store refuses what another lock excludes.  So within a process
no change slips in between; another process that shares the state directory may just be
committing one.

Who changes something must hold a lock where there is one: know its token, and be the
account that made it.  Of shared locks on one thing, one is enough.  What a change
touches is: the path itself; where it makes or removes a name, the directory that has
the name in it; where it moves or removes a directory, all that is below.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from netservices.files.permissions import Action
from netservices.files.volume import Volume
from netservices.interfaces import Locked
from netservices.values import FileLock, Path

_NAMES = Action.MAKE | Action.REMOVE | Action.RENAME
"""What changes the names that a directory has."""
_DEEP = Action.REMOVE | Action.RENAME
"""What concerns all that is below."""


@frozen
class Holder:
    """Who asks: an account, and the tokens that it has told."""

    account: int = 0
    tokens: frozenset[str] = frozenset()

    def holds_one(self, locks: Iterable[FileLock]) -> bool:
        """Whether one of the locks is this one's."""
        return any(
            lock.token in self.tokens and lock.account == self.account for lock in locks
        )


async def check_locks(
    volume: Volume, action: Action, path: Path, encoded: bytes, holder: Holder
) -> None:
    """Locked, where somebody else has locked what the change touches."""
    is_deep = bool(action & _DEEP)
    locks = await volume.store.file_locks.near(volume.name, path, is_deep)
    if not locks:
        return
    groups = [locks_on(locks, path)]
    parent = [lock for lock in locks if lock.path == path[:-1] and not lock.is_deep]
    if path and parent and await _changes_names(volume, action, encoded):
        groups.append(locks_on(locks, path[:-1]))
    if is_deep:
        below = {lock.path for lock in locks if len(lock.path) > len(path)}
        groups += [[one for one in locks if one.path == other] for other in below]
    refused = [group[0] for group in groups if group and not holder.holds_one(group)]
    if refused:
        raise Locked("somebody has locked it", tuple(lock.path for lock in refused))


def locks_on(locks: Iterable[FileLock], path: Path) -> list[FileLock]:
    """Those of the locks that are on ``path``, or on all below something above it."""
    return [
        lock
        for lock in locks
        if lock.path == path or (lock.is_deep and path[: len(lock.path)] == lock.path)
    ]


async def _changes_names(volume: Volume, action: Action, encoded: bytes) -> bool:
    """Whether a directory has another name in it afterwards, or one less."""
    if action is not Action.WRITE:
        return bool(action & _NAMES)
    return await volume.hops.run(volume.disk.status, encoded) is None
