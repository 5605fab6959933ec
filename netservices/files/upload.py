"""Octets on their way into a file.

Theory
======

An upload is in one of four states.  *Collecting*: what arrived is in memory; a small
file never leaves it before its commit, which then is one hop to a thread.  *Writing*:
the octets go to a temporary file, in the reactor thread while that is fast and in hops
when it is not; at most one hop is under way, what arrives meanwhile is joined into the
next one, and the sender is asked to pause above ``upload_buffer``.  *Settled*: commit
or abort has been called; nothing more is taken.  *Failed* (``writing.problem``): a
write failed; only abort is left.

A commit does, in this order: all octets written; the name taken (``intents``); the
quota settled; then ``placing.place`` (sync, rename, sync); then one unit with the
record and the sums.  Before the rename every failure leaves the target as it was.  The
unit after it does not depend on anything that could refuse it; if the store breaks at
that very moment, the commit fails although the file has its name, whole: the client
repeats the upload, and ``check --repair`` finds the sums.

A checkpoint makes a partial upload of what has come, and the upload goes on in its
file: from then on it is what an upload is that continues a partial one.

Partial uploads count for the quota as what they are: octets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import attrs
from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.logger import Logger
from zope.interface import implementer

from netservices.files import area, placing
from netservices.files.content import Tally
from netservices.files.locks import Holder, check_locks
from netservices.files.permissions import Action
from netservices.files.placing import Order, Placed, Temporary
from netservices.files.quota import Reservation
from netservices.files.volume import Volume
from netservices.files.work import unstoppable
from netservices.files.writing import Writing
from netservices.interfaces import (
    FileProblem,
    IUpload,
    QuotaExceeded,
    StoreError,
    StoreUnavailable,
)
from netservices.units import (
    AddUsage,
    Operation,
    PutFileRecord,
    PutPartial,
    RemoveFileRecords,
    RemovePartial,
    Unit,
)
from netservices.values import Node, Path

_log = Logger()


@frozen
class Destination:
    """Where an upload goes, and for whom."""

    path: Path
    encoded: bytes
    holder: Holder
    order: Order
    old_partial: tuple[str, int] | None = None
    """File and octets of this account's partial upload of the path."""

    @property
    def account(self) -> int:
        """Whose upload it is."""
        return self.holder.account


@frozen
class Beginning:
    """What an upload continues: a temporary file that is positioned at ``offset``."""

    temporary: Temporary
    offset: int
    size: int
    """Octets in it now; what is beyond the offset stays where it is not written
    over."""
    tally: Tally | None
    """None: too long to read again for its digest."""
    is_partial: bool = False


@implementer(IUpload)
class Upload:
    """One upload; see the module's text."""

    def __init__(
        self,
        volume: Volume,
        destination: Destination,
        reservation: Reservation,
        beginning: Beginning | None = None,
    ) -> None:
        self.received_octets = 0
        self.offset = 0
        self.also: tuple[Operation, ...] = ()
        """What is recorded together with the file."""
        self.keeps_partial = True
        """Whether what broke off may be resumed."""
        self._volume = volume
        self._destination = destination
        self._reservation = reservation
        self._base_size = 0
        self._continues_partial = False
        self._is_settled = False
        self._order = destination.order
        self._ending = DeferredLock()
        if beginning is None:
            self._writing = Writing(volume, None, Tally())
        else:
            self.offset = beginning.offset
            self._base_size = beginning.size
            self._continues_partial = beginning.is_partial
            self._writing = Writing(volume, beginning.temporary, beginning.tally)

    def begin_with(self, temporary: Temporary, size: int) -> None:
        """Before anything is written: the content is there, in a file that is
        positioned at its end."""
        self.offset = self._base_size = size
        self._writing = Writing(self._volume, temporary, None)

    # --- taking octets --------------------------------------------------------------

    def write(self, data: bytes) -> Deferred[None] | None:
        """Take ``data``; see ``IUpload``."""
        if self._is_settled:
            return fail(StoreUnavailable("the upload has ended"))
        writing = self._writing
        if writing.problem is None:
            try:
                self._reservation.grow(self._size() + len(data))
            except QuotaExceeded as error:
                writing.problem = error
        if writing.problem is not None:
            return fail(writing.problem)
        self.received_octets += len(data)
        return writing.take(data)

    def _size(self) -> int:
        """Octets of the finished file, so far."""
        return max(self._base_size, self.offset + self.received_octets)

    # --- in the middle --------------------------------------------------------------

    @unstoppable
    async def checkpoint(self) -> bool:
        """From here on, what has come is a partial upload; see ``IUpload``."""
        await self._ending.acquire()
        try:
            if self._is_settled or not self._is_worth_keeping():
                return False
            await self._writing.flush()
            await self._writing.spill()
            if self._writing.problem is not None:
                raise self._writing.problem
            return await self._kept()
        finally:
            self._ending.release()

    # --- commit ---------------------------------------------------------------------

    @unstoppable
    async def commit(
        self, is_wanted: Callable[[], bool] | None = None, if_etag: str | None = None
    ) -> Node:
        """Give the file its name; see ``IUpload``."""
        self._settle()
        order = self._destination.order
        self._order = evolve(order, is_wanted=is_wanted, if_etag=if_etag)
        await self._ending.acquire()
        try:
            return await self._commit()
        finally:
            self._ending.release()

    async def _commit(self) -> Node:
        await self._writing.flush()
        if self._writing.problem is not None:
            raise self._writing.problem
        if self._writing.temporary is not None:
            await self._finish_content()
        intent = await self._volume.intents.take(self._destination.path)
        try:
            self._volume.check_store()
            await self._check_locks()
            partial = await self._recorded_partial()
            await self._settle_quota(partial)
            placed = await self._place()
            self._writing.temporary = None
            await self._record(placed, partial)
            self._writing.forget()
        finally:
            self._volume.intents.release(intent)
            self._reservation.release()
        return placed.node

    async def _check_locks(self) -> None:
        """Somebody may have locked the name since the upload began."""
        at = self._destination
        await check_locks(self._volume, Action.WRITE, at.path, at.encoded, at.holder)

    async def _recorded_partial(self) -> tuple[str, int] | None:
        """This account's partial upload of the path, if there was one at the beginning
        and is one now: other uploads of the path may have taken it.  To be asked with
        the path's intent held."""
        destination = self._destination
        if destination.old_partial is None:
            return None
        return await self._volume.store.file_records.partial(
            self._volume.name, destination.path, destination.account
        )

    def _is_own(self, partial: tuple[str, int]) -> bool:
        """Whether that partial upload is the one which this one continues, and not one
        that was kept of the same path meanwhile."""
        own = self._destination.old_partial
        return self._continues_partial and own is not None and own[0] == partial[0]

    async def _settle_quota(self, partial: tuple[str, int] | None) -> None:
        """What counts is what is replaced now, not what was there at the beginning."""
        replaces = 0
        if self._reservation.is_limited:
            target = await self._volume.hops.run(
                self._volume.disk.target, self._destination.encoded
            )
            replaces = 0 if target is None else target.size
        kept = 0 if partial is None else partial[1]
        self._reservation.settle(self._size(), replaces, kept)

    def _settle(self) -> None:
        if self._is_settled:
            raise StoreUnavailable("the upload has ended")
        self._is_settled = True

    async def _finish_content(self) -> None:
        """What is beyond the octets received belongs to the file as well."""
        assert self._writing.temporary is not None
        start = self.offset + self.received_octets
        descriptor = self._writing.temporary.descriptor
        while self._writing.tally is not None and start < self._base_size:
            end = min(self._base_size, start + placing.COPY_STEP)
            start = await self._volume.hops.run(
                placing.tally_range, descriptor, self._writing.tally, start, end
            )

    def _place(self) -> Deferred[Placed]:
        volume = self._volume
        encoded, order = self._destination.encoded, self._order
        if self._writing.temporary is not None:
            return volume.hops.run(
                placing.place, volume.disk, self._writing.temporary, encoded, order
            )
        return volume.change(self._place_small, encoded, order)

    def _place_small(self, encoded: bytes, order: Order) -> Placed:
        """Blocks: the whole of a small upload."""
        placed = placing.write_small(
            self._volume.disk, self._writing.pending, encoded, order
        )
        self._writing.count(self._writing.pending)
        return placed

    async def _record(self, placed: Placed, partial: tuple[str, int] | None) -> None:
        """One unit: digests, sums, and no partial upload any more."""
        destination = self._destination
        volume = self._volume
        operations = list(self.also)
        if self._writing.tally is not None:
            digests = self._writing.tally.digests()
            operations.append(
                PutFileRecord(
                    tree=volume.name,
                    path=destination.path,
                    stat_key=placed.key,
                    sha256=digests.sha256,
                    lf_count=digests.lf_count,
                    owner=destination.account,
                    size_octets=placed.node.size,
                )
            )
        else:
            # What is known of earlier versions must not be taken for this one's.
            operations.append(
                RemoveFileRecords(volume.name, destination.path, is_replaced=True)
            )
        freed = placed.old_octets
        if partial is not None:
            freed += partial[1]
            operations.append(
                RemovePartial(volume.name, destination.path, destination.account)
            )
        change = placed.node.size - freed
        operations.append(AddUsage(volume.name, change, 1 - placed.old_files))
        # The next upload of the name must not find the partial one again.
        await volume.post(Unit(tuple(operations)), change, partial is not None)
        if partial is not None and not self._is_own(partial):
            await volume.hops.run(remove_partial, volume, partial[0])

    # --- abort ----------------------------------------------------------------------

    @unstoppable
    async def abort(self, keep_partial: bool = False) -> None:
        """Leave the target as it was; see ``IUpload``."""
        was_settled, self._is_settled = self._is_settled, True
        # A commit under way uses what an abort gives back: its outcome counts.
        await self._ending.acquire()
        try:
            await self._writing.flush()
            is_over = (
                was_settled
                and self._writing.temporary is None
                and not self._writing.pending
            )
            may_keep = not is_over and keep_partial and self._is_worth_keeping()
            if may_keep and await self._kept():
                assert self._writing.temporary is not None
                self._writing.temporary.close()
            elif not is_over:
                await self._discard()
        finally:
            self._writing.forget()
            self._reservation.release()
            self._writing.temporary = None
            self._ending.release()

    def _is_worth_keeping(self) -> bool:
        """A file that was continued in the middle is no beginning of anything; nor is
        one that is closed, for it has taken its name."""
        temporary = self._writing.temporary
        if temporary is not None and temporary.is_closed:
            return False
        has_octets = self.received_octets > 0 or self._continues_partial
        is_prefix = self.offset + self.received_octets >= self._base_size
        is_kept = self.keeps_partial and has_octets
        return is_kept and (is_prefix or self._continues_partial)

    async def _kept(self) -> bool:
        """Whether it could be kept: on a full disk, say, the target is still as it
        was, which is what an abort promises."""
        try:
            await self._keep()
        except (FileProblem, StoreError) as problem:
            _log.warn(
                "a partial upload of {tree} could not be kept: {problem!r}",
                tree=self._volume.name,
                problem=problem,
            )
            return False
        return True

    async def _keep(self) -> None:
        intent = await self._volume.intents.take(self._destination.path)
        try:
            await self._keep_now()
        finally:
            self._volume.intents.release(intent)

    async def _keep_now(self) -> None:
        volume, destination = self._volume, self._destination
        volume.check_store()
        name, size = await volume.hops.run(self._keep_file)
        old = await volume.store.file_records.partial(
            volume.name, destination.path, destination.account
        )
        old_octets = old[1] if old is not None else 0
        expires = time.time() + volume.settings.partial_lifetime
        results = await volume.store.apply(
            Unit(
                (
                    PutPartial(
                        volume.name,
                        destination.path,
                        destination.account,
                        name,
                        size,
                        expires,
                    ),
                    AddUsage(volume.name, size - old_octets, 0),
                )
            )
        )
        volume.ledger.learn(results[-1][0])
        self._continues_partial = True
        self._destination = attrs.evolve(destination, old_partial=(name, size))
        self._reservation.recorded(size - old_octets)
        if old is not None and old[0] != name:
            await volume.hops.run(remove_partial, volume, old[0])

    def _keep_file(self) -> tuple[str, int]:
        """In a thread."""
        if self._writing.pending:
            self._writing.write_batch(self._writing.pending)
        assert self._writing.temporary is not None
        if self._continues_partial:
            temporary = self._writing.temporary
            self._volume.disk.durability.sync_file(temporary.descriptor)
            return temporary.name.decode(), os.fstat(temporary.descriptor).st_size
        return placing.keep_as_partial(self._volume.disk, self._writing.temporary)

    async def _discard(self) -> None:
        temporary = self._writing.temporary
        if self._continues_partial and temporary is not None:
            intent = await self._volume.intents.take(self._destination.path)
            try:
                await self._forget_partial(temporary.name.decode())
            finally:
                self._volume.intents.release(intent)
        if temporary is not None:
            await self._volume.hops.run(temporary.discard)

    async def _forget_partial(self, name: str) -> None:
        """Remove the record of the partial upload in that file, if it still is."""
        volume, destination = self._volume, self._destination
        recorded = await self._recorded_partial()
        if recorded is None or recorded[0] != name:
            return
        operations = (
            RemovePartial(volume.name, destination.path, destination.account),
            AddUsage(volume.name, -recorded[1], 0),
        )
        results = await volume.store.apply(Unit(operations))
        volume.ledger.learn(results[-1][0])


def remove_partial(volume: Volume, name: str) -> None:
    """Remove the file of a partial upload, unless somebody continues it; blocks."""
    disk = volume.disk
    try:
        directory = area.open_area(disk.root(), disk.opener, is_made=False)
    except FileNotFoundError:
        return
    with area.closing(directory):
        area.remove_unowned(directory, name.encode())
