"""Where sessions are kept: in the key-value part of the store.

Theory.  Every request reads its session from the store (one read by key, some
microseconds), so that what one process writes or ends is in force for all others with
the next request; nothing is cached that could be stale.  Writes are conditional on what
was read: of two requests that change a session at once the later one reads again and
repeats its change, and one that comes after the end of the session finds nothing to
change.  That a session was used is written down once in a while only, behind the
response, and never if anything else was written meanwhile.

There are as many slots as there may be sessions without a login.  A new session of
that kind takes a free one of eight random slots, or that of the oldest among them,
which ends: so their number is bounded, in any number of processes, and nobody counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, frozen
from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.interfaces import Conflict, IStore, StoreBusy, StoreError
from netservices.units import AssertValue, DeleteValue, Unit
from netservices.values import Account
from netservices.web.sessions.held import (
    MOVED,
    NAMESPACE,
    SESSION,
    Held,
    account_key,
    ending,
    inherited,
    known_digest,
    moving,
    puts,
    removal,
    replacement,
    slot_key,
)
from netservices.web.sessions.record import LONGEST_AGENT, Record, decode, digest_of

_CHOICES = 8
_TRIES = 8
_PAGE = 500
_MOVING_SECONDS = 60.0
_log = Logger()


@frozen
class SessionLimits:
    """How long sessions live, how many and how large they may be."""

    idle_seconds: float = 86400.0
    lifetime_seconds: float = 30 * 86400.0
    most_octets: int = 16384
    """Of the data of one session, as JSON."""
    most_per_account: int = 50
    most_anonymous: int = 100_000

    @property
    def touch_seconds(self) -> float:
        """Use is written down once in so long a time."""
        return min(60.0, self.idle_seconds / 8)


class Sessions:
    """All sessions of a store; ``seconds`` tells the time since 1970."""

    def __init__(
        self, store: IStore, limits: SessionLimits, seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self.limits = limits
        self.seconds = seconds

    # --- one session ----------------------------------------------------------------

    async def find(self, name: str) -> Held | None:
        """The session of that name; None where there is none (any more)."""
        digest = digest_of(name)
        return None if digest is None else await self._read(digest)

    async def has_moved(self, name: str) -> bool:
        """Whether the browser that had this name has just got another one."""
        digest = digest_of(name)
        if digest is None:
            return False
        value = await self._store.values.get(NAMESPACE, SESSION + digest)
        return value == MOVED

    async def _read(self, digest: bytes) -> Held | None:
        value = await self._store.values.get(NAMESPACE, SESSION + digest)
        record = None if value is None else decode(value)
        if value is None or record is None or record.expires <= self.seconds():
            return None
        return Held(digest, record, value)

    def new_record(self, site: str, address: str, agent: str) -> Record:
        """A session that begins now."""
        now = self.seconds()
        shown = "".join(c for c in agent[:LONGEST_AGENT] if c.isprintable())
        return Record(
            created=now,
            seen=now,
            ends=now + self.limits.lifetime_seconds,
            idle_seconds=self.limits.idle_seconds,
            site=site,
            address=address,
            agent=shown,
        )

    async def begin(self, name: str, record: Record) -> Held:
        """Keep a session without a login, under a new name.  StoreError."""
        self.check_size(record)
        digest = known_digest(name)
        for _ in range(_TRIES):
            number, before = await self._free_slot()
            placed = evolve(record, slot=number)
            held = Held(digest, placed, placed.encode())
            operations = [
                AssertValue(NAMESPACE, slot_key(number), before),
                *puts(held),
            ]
            if before is not None:
                operations.insert(1, DeleteValue(NAMESPACE, SESSION + before))
            try:
                await self._store.apply(Unit(tuple(operations)))
            except Conflict:
                continue  # Somebody else took the slot.
            return held
        raise StoreBusy("no slot for a session stays free")

    async def _free_slot(self) -> tuple[int, bytes | None]:
        """A slot, and the hash of the session that has to go."""
        oldest: tuple[float, int, bytes] | None = None
        for _ in range(_CHOICES):
            number = secrets.randbelow(self.limits.most_anonymous)
            digest = await self._store.values.get(NAMESPACE, slot_key(number))
            if digest is None:
                return number, None
            held = await self._read(digest)
            seen = 0.0 if held is None else held.record.seen
            if oldest is None or seen < oldest[0]:
                oldest = seen, number, digest
        assert oldest is not None
        return oldest[1], oldest[2]

    async def change(
        self, held: Held, change: Callable[[dict[str, Any]], object]
    ) -> Held | None:
        """Let ``change`` alter a copy of the data, and keep that; again where somebody
        else was faster.  None where the session has ended meanwhile.  ValueError for
        data that are too large, TypeError for what is no JSON, StoreError."""
        current: Held | None = held
        for _ in range(_TRIES):
            if current is None:
                return None
            data = current.copied_data()
            change(data)
            record = evolve(current.record, data=data, seen=self.seconds())
            fresh = Held(current.digest, record, record.encode())
            self.check_size(record)
            if await self._replace(current, fresh):
                return fresh
            current = await self._read(held.digest)
        raise StoreBusy("the session changes all the time")

    def check_size(self, record: Record) -> None:
        """ValueError for data that are too large."""
        octets = len(evolve(record, agent="", login="").encode())
        if octets > self.limits.most_octets:
            raise ValueError(f"a session of {octets} octets")

    async def _replace(self, old: Held, new: Held) -> bool:
        try:
            await self._store.apply(replacement(old, new))
        except Conflict:
            return False
        return True

    def touch(self, held: Held) -> None:
        """It was used; written down behind the caller's back, if it is time."""
        now = self.seconds()
        if now - held.record.seen < self.limits.touch_seconds:
            return
        record = evolve(held.record, seen=now)
        unit = replacement(held, Held(held.digest, record, record.encode()))
        self._store.apply(unit, is_awaited=False).addErrback(_not_noted)

    # --- logins ---------------------------------------------------------------------

    async def log_in(
        self,
        name: str,
        held: Held | None,
        record: Record,
        account: Account,
        generation: int,
    ) -> Held:
        """A session of ``account`` in place of ``held``, under a new name: whoever knew
        the old one has nothing.  ``record`` is a fresh one; its data are those of
        ``held``, unless that was another account's.  StoreError."""
        await self._make_room(account.id)
        digest = known_digest(name)
        for _ in range(_TRIES):
            now_in = evolve(
                record,
                account=account.id,
                login=account.login,
                generation=generation,
                logged_in=self.seconds(),
                data=inherited(held, account),
            )
            fresh = Held(digest, now_in, now_in.encode())
            operations = list(puts(fresh))
            if held is not None:
                key = SESSION + held.digest
                operations.insert(0, AssertValue(NAMESPACE, key, held.value))
                operations += moving(held, self.seconds() + _MOVING_SECONDS)
            try:
                await self._store.apply(Unit(tuple(operations)))
            except Conflict:
                held = None if held is None else await self._read(held.digest)
                continue
            return fresh
        raise StoreBusy("the session changes all the time")

    def forget(self, held: Held) -> None:
        """It does not count any more; removed behind the caller's back."""
        self._store.apply(ending(held), is_awaited=False).addErrback(_not_noted)

    async def end(self, held: Held) -> bool:
        """It is no session any more; whether it was one."""
        current: Held | None = held
        for _ in range(_TRIES):
            if current is None:
                return False
            try:
                await self._store.apply(ending(current))
            except Conflict:
                current = await self._read(held.digest)
                continue
            return True
        raise StoreBusy("the session changes all the time")

    # --- all sessions ---------------------------------------------------------------

    async def of_account(self, account_id: int) -> list[Held]:
        """The sessions in which an account has logged in, the latest used first."""
        prefix = account_key(account_id)
        digests = [key[len(prefix) :] for key in await self._keys(prefix)]
        return await self._known(digests)

    async def all(self) -> list[Held]:
        """Every session, the latest used first."""
        keys = await self._keys(SESSION)
        return await self._known([key[len(SESSION) :] for key in keys])

    async def _known(self, digests: Iterable[bytes]) -> list[Held]:
        found = [await self._read(digest) for digest in digests]
        held = [one for one in found if one is not None]
        return sorted(held, key=lambda one: one.record.seen, reverse=True)

    async def _keys(self, prefix: bytes) -> list[bytes]:
        keys: list[bytes] = []
        while True:
            after = keys[-1] if keys else None
            page = await self._store.values.scan(NAMESPACE, prefix, after, _PAGE)
            keys += [key for key, _value in page]
            if len(page) < _PAGE:
                return keys

    async def _make_room(self, account_id: int) -> None:
        """End what an account has too many of."""
        most = self.limits.most_per_account
        surplus = (await self.of_account(account_id))[most - 1 :]
        operations = [one for held in surplus for one in removal(held)]
        if operations:
            await self._store.apply(Unit(tuple(operations)))


def _not_noted(failure: Failure) -> None:
    failure.trap(StoreError)
    if failure.check(Conflict):
        return  # Something else was written, which says it too.
    _log.info("what became of a session is not noted: {why}", why=failure.value)
