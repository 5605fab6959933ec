"""What is said about files beside their content: locks and properties."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from copy import copy
from typing import Any

from netservices.files import names
from netservices.files.locks import Holder, check_locks
from netservices.files.permissions import Action
from netservices.files.volume import Volume
from netservices.files.work import unstoppable
from netservices.interfaces import Conflict, Locked, NotAllowed, NotFound
from netservices.units import (
    CopyProperties,
    PutLock,
    PutProperties,
    RemoveLock,
    RenewLock,
    Unit,
)
from netservices.values import FileLock, Path


class MarkedTree:
    """The part of a ``FileTree`` that is about locks and properties."""

    name: str
    volume: Volume
    _account: int
    _tokens: frozenset[str] = frozenset()

    def _encoded(self, path: Path, action: Action) -> bytes:
        raise NotImplementedError

    # --- locks ----------------------------------------------------------------------

    def with_tokens(self, tokens: frozenset[str]) -> Any:
        """The same tree for one who holds these locks; see ``IFileTree``."""
        other = copy(self)
        other._tokens = tokens
        return other

    @property
    def holder(self) -> Holder:
        """Who asks."""
        return Holder(self._account, self._tokens)

    async def _check_locks(self, action: Action, path: Path, encoded: bytes) -> None:
        await check_locks(self.volume, action, path, encoded, self.holder)

    @unstoppable
    async def locks(self, path: Path, is_below: bool = False) -> tuple[FileLock, ...]:
        """The locks on ``path`` and above it; see ``IFileTree``."""
        self._encoded(path, Action.LOOK)
        return await self._locks_near(names.canonical(path), is_below)

    async def _locks_near(self, path: Path, is_below: bool) -> tuple[FileLock, ...]:
        return await self.volume.store.file_locks.near(self.name, path, is_below)

    @unstoppable
    async def lock(
        self,
        path: Path,
        owner: str,
        expires: float,
        is_exclusive: bool = True,
        is_deep: bool = False,
    ) -> FileLock:
        """A new lock; see ``IFileTree``."""
        volume = self.volume
        self._encoded(path, Action.WRITE)
        path = names.canonical(path)
        lock = FileLock(
            token=uuid.uuid4().urn,
            path=path,
            account=self._account,
            owner=owner,
            is_exclusive=is_exclusive,
            is_deep=is_deep,
            expires=expires,
        )
        deep = (path,) if is_deep else ()
        intent = await volume.intents.take(*(() if is_deep else (path,)), deep=deep)
        try:
            volume.check_store()
            put = PutLock(self.name, lock, volume.settings.most_locks)
            await volume.store.apply(Unit((put,)))
        except Conflict:
            near = await self._locks_near(path, is_deep)
            others = tuple(one.path for one in near)
            raise Locked("another lock excludes it", others) from None
        finally:
            volume.intents.release(intent)
        return lock

    @unstoppable
    async def renew_lock(self, path: Path, token: str, expires: float) -> FileLock:
        """Have a lock last until ``expires``; see ``IFileTree``."""
        lock = await self._own_lock(path, token)
        renew = RenewLock(self.name, token, expires)
        (is_there,) = await self.volume.store.apply(Unit((renew,)))
        if not is_there:
            raise NotFound("the lock has ended")
        return FileLock(
            token=token,
            path=lock.path,
            account=lock.account,
            owner=lock.owner,
            is_exclusive=lock.is_exclusive,
            is_deep=lock.is_deep,
            expires=expires,
        )

    @unstoppable
    async def unlock(self, path: Path, token: str) -> None:
        """End a lock; see ``IFileTree``."""
        await self._own_lock(path, token)
        await self.volume.store.apply(Unit((RemoveLock(self.name, token),)))

    async def _own_lock(self, path: Path, token: str) -> FileLock:
        """The lock of that token, if it is on ``path``, and this account's."""
        self._encoded(path, Action.LOOK)
        path = names.canonical(path)
        for lock in await self._locks_near(path, False):
            if lock.token == token and (lock.is_deep or lock.path == path):
                if lock.account != self._account:
                    raise NotAllowed("the lock is somebody else's")
                return lock
        raise NotFound("there is no such lock here")

    # --- properties -----------------------------------------------------------------

    @unstoppable
    async def properties(self, *paths: Path) -> Mapping[Path, Mapping[str, str]]:
        """What clients noted about the paths; see ``IFileTree``."""
        for path in paths:
            self._encoded(path, Action.LOOK)
        wanted = {names.canonical(path): path for path in paths}
        found = await self.volume.store.file_properties.of(self.name, tuple(wanted))
        return {wanted[path]: values for path, values in found.items()}

    @unstoppable
    async def change_properties(
        self, path: Path, changes: Mapping[str, str | None]
    ) -> None:
        """Note something about a path; see ``IFileTree``."""
        volume = self.volume
        encoded = self._encoded(path, Action.CHANGE)
        path = names.canonical(path)
        intent = await volume.intents.take(path)
        try:
            volume.check_store()
            await self._check_locks(Action.CHANGE, path, encoded)
            if await volume.hops.run(volume.disk.status, encoded) is None:
                raise NotFound("no such file or directory")
            most = volume.settings.property_octets
            put = PutProperties(self.name, path, tuple(changes.items()), most)
            await volume.store.apply(Unit((put,)))
        finally:
            volume.intents.release(intent)

    @unstoppable
    async def copy_properties(self, source: Path, target: Path) -> None:
        """Have ``target`` noted what ``source`` is noted; see ``IFileTree``."""
        volume = self.volume
        self._encoded(source, Action.READ)
        encoded = self._encoded(target, Action.CHANGE)
        source, target = names.canonical(source), names.canonical(target)
        intent = await volume.intents.take(target)
        try:
            await self._check_locks(Action.CHANGE, target, encoded)
            copied = CopyProperties(self.name, source, target)
            await volume.store.apply(Unit((copied,)))
        finally:
            volume.intents.release(intent)
