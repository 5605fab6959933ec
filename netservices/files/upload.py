"""Octets on their way into a file.

Theory
======

An upload is in one of four states.  *Collecting*: what arrived is in memory; a small
file never leaves it before its commit, which then is one hop to a thread.  *Writing*:
the octets go to a temporary file, in the reactor thread while that is fast and in hops
when it is not; at most one hop is under way, what arrives meanwhile is joined into the
next one, and the sender is asked to pause above ``upload_buffer``.  *Settled*: commit
or abort has been called; nothing more is taken.  *Failed* (``_problem``): a write
failed; only abort is left.

A commit does, in this order: all octets written; the name taken (``intents``); the
quota settled; then ``placing.place`` (sync, rename, sync); then one unit with the
record and the sums.  Before the rename every failure leaves the target as it was.  The
unit after it does not depend on anything that could refuse it.

Partial uploads count for the quota as what they are: octets.
"""

from __future__ import annotations

import time
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from netservices.files import area, placing
from netservices.files.content import Tally
from netservices.files.permissions import Action
from netservices.files.placing import Order, Placed, Temporary
from netservices.files.problems import problem_of
from netservices.files.quota import Reservation
from netservices.files.volume import Volume
from netservices.files.work import unstoppable
from netservices.interfaces import IUpload, StoreUnavailable
from netservices.units import (
    AddUsage,
    Operation,
    PutFileRecord,
    PutPartial,
    RemovePartial,
    Unit,
)
from netservices.values import Node, Path


@frozen
class Destination:
    """Where an upload goes, and for whom."""

    path: Path
    encoded: bytes
    account: int
    order: Order
    old_partial: tuple[str, int] | None = None
    """File and octets of this account's partial upload of the path."""


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
        self._volume = volume
        self._destination = destination
        self._reservation = reservation
        self._temporary: Temporary | None = None
        self._tally: Tally | None = Tally()
        self._base_size = 0
        self._continues_partial = False
        if beginning is not None:
            self.offset = beginning.offset
            self._temporary = beginning.temporary
            self._tally = beginning.tally
            self._base_size = beginning.size
            self._continues_partial = beginning.is_partial
        self._pending: list[bytes] = []
        self._pending_octets = 0
        self._inline_octets = 0
        self._is_hopping = False
        self._is_settled = False
        self._problem: Exception | None = None
        self._paused: list[Deferred[None]] = []
        self._flushed: list[Deferred[None]] = []

    # --- taking octets --------------------------------------------------------------

    def write(self, data: bytes) -> Deferred[None] | None:
        """Take ``data``; see ``IUpload``."""
        if self._is_settled:
            return fail(StoreUnavailable("the upload has ended"))
        if self._problem is None:
            try:
                self._reservation.grow(self._size() + len(data))
            except Exception as error:
                self._problem = error
        if self._problem is not None:
            return fail(self._problem)
        self.received_octets += len(data)
        self._pending.append(data)
        self._pending_octets += len(data)
        settings = self._volume.settings
        if self._temporary is None and self._pending_octets <= settings.small_upload:
            return None
        return self._pump()

    def _size(self) -> int:
        """Octets of the finished file, so far."""
        return max(self._base_size, self.offset + self.received_octets)

    def _pump(self) -> Deferred[None] | None:
        """Write what is pending, here or elsewhere; a Deferred where that lags."""
        if not self._is_hopping:
            if self._may_write_here():
                self._write_here()
            else:
                self._hop()
        if self._problem is not None:
            return fail(self._problem)
        if self._pending_octets < self._volume.settings.upload_buffer:
            return None
        paused: Deferred[None] = Deferred(lambda _: None)
        self._paused.append(paused)
        return paused

    def _may_write_here(self) -> bool:
        volume = self._volume
        if volume.hops.is_inline:
            return True
        return (
            self._temporary is not None
            and volume.pace.is_fast()
            and self._inline_octets < volume.settings.inline_octets
        )

    def _write_here(self) -> None:
        """In the reactor thread, which must not be held for long: see ``Pace``."""
        octets = self._pending_octets
        try:
            self._volume.pace.timed(self._write_batch, self._take_batch(octets))
        except OSError as error:
            self._problem = problem_of(error)
        self._inline_octets += octets

    def _take_batch(self, octets: int) -> list[bytes]:
        """Pending chunks, up to about that many octets."""
        batch: list[bytes] = []
        taken = 0
        while self._pending and (not batch or taken < octets):
            taken += len(self._pending[len(batch)])
            batch.append(self._pending[len(batch)])
            if len(batch) == len(self._pending):
                break
        del self._pending[: len(batch)]
        self._pending_octets -= taken
        return batch

    def _write_batch(self, batch: list[bytes]) -> None:
        """Blocks; one caller at a time."""
        if self._temporary is None:
            self._temporary = placing.new_temporary(self._volume.disk)
        placing.write_all(self._temporary.descriptor, batch)
        if self._tally is not None:
            for chunk in batch:
                self._tally.add(chunk)

    def _hop(self) -> None:
        self._is_hopping = True
        batch = self._take_batch(self._volume.settings.write_chunk)
        done = self._volume.hops.run(self._write_batch, batch)
        done.addCallbacks(self._hopped, self._hop_failed)

    def _hopped(self, _: None) -> None:
        self._is_hopping = False
        if self._pending:
            self._hop()
        if self._pending_octets < self._volume.settings.upload_buffer:
            paused, self._paused = self._paused, []
            for waiting in paused:
                waiting.callback(None)
        if not self._is_hopping:
            self._tell_flushed()

    def _hop_failed(self, failure: Any) -> None:
        self._is_hopping = False
        self._problem = failure.value
        self._pending.clear()
        self._pending_octets = 0
        paused, self._paused = self._paused, []
        for waiting in paused:
            waiting.errback(failure)
        self._tell_flushed()

    def _tell_flushed(self) -> None:
        flushed, self._flushed = self._flushed, []
        for waiting in flushed:
            waiting.callback(None)

    def _flush(self) -> Deferred[None]:
        """Fires when no hop is under way any more."""
        if not self._is_hopping:
            return succeed(None)
        flushed: Deferred[None] = Deferred()
        self._flushed.append(flushed)
        return flushed

    # --- commit ---------------------------------------------------------------------

    @unstoppable
    async def commit(self) -> Node:
        """Give the file its name; see ``IUpload``."""
        self._settle()
        await self._flush()
        if self._problem is not None:
            raise self._problem
        if self._temporary is not None:
            await self._finish_content()
        intent = await self._volume.intents.take(self._destination.path)
        try:
            self._volume.check_store()
            for guard in self._volume.guards:
                guard(Action.WRITE, self._destination.path)
            self._reservation.settle(self._size())
            placed = await self._place()
            self._temporary = None
            await self._record(placed)
            self._pending.clear()
        finally:
            self._volume.intents.release(intent)
            self._reservation.release()
        return placed.node

    def _settle(self) -> None:
        if self._is_settled:
            raise StoreUnavailable("the upload has ended")
        self._is_settled = True

    async def _finish_content(self) -> None:
        """What is beyond the octets received belongs to the file as well."""
        assert self._temporary is not None
        start = self.offset + self.received_octets
        descriptor = self._temporary.descriptor
        while self._tally is not None and start < self._base_size:
            end = min(self._base_size, start + placing.COPY_STEP)
            start = await self._volume.hops.run(
                placing.tally_range, descriptor, self._tally, start, end
            )

    def _place(self) -> Deferred[Placed]:
        volume = self._volume
        encoded, order = self._destination.encoded, self._destination.order
        if self._temporary is not None:
            return volume.hops.run(
                placing.place, volume.disk, self._temporary, encoded, order
            )
        return volume.hops.run(self._place_small, encoded, order)

    def _place_small(self, encoded: bytes, order: Order) -> Placed:
        """In a thread: the whole of a small upload."""
        assert self._tally is not None
        placed = placing.write_small(self._volume.disk, self._pending, encoded, order)
        for chunk in self._pending:
            self._tally.add(chunk)
        return placed

    async def _record(self, placed: Placed) -> None:
        """One unit: digests, sums, and no partial upload any more."""
        destination = self._destination
        volume = self._volume
        operations: list[Operation] = []
        if self._tally is not None:
            digests = self._tally.digests()
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
        freed = placed.old_octets
        partial = destination.old_partial
        if partial is not None:
            freed += partial[1]
            operations.append(
                RemovePartial(volume.name, destination.path, destination.account)
            )
        operations.append(
            AddUsage(volume.name, placed.node.size - freed, 1 - placed.old_files)
        )
        results = await volume.store.apply(Unit(tuple(operations)))
        volume.ledger.used_octets = results[-1][0]
        if partial is not None and not self._continues_partial:
            await volume.hops.run(remove_partial, volume, partial[0])

    # --- abort ----------------------------------------------------------------------

    @unstoppable
    async def abort(self, keep_partial: bool = False) -> None:
        """Leave the target as it was; see ``IUpload``."""
        was_settled, self._is_settled = self._is_settled, True
        if was_settled and self._temporary is None and not self._pending:
            return
        await self._flush()
        try:
            if keep_partial and self._is_worth_keeping():
                await self._keep()
            else:
                await self._discard()
        finally:
            self._pending.clear()
            self._reservation.release()
            self._temporary = None

    def _is_worth_keeping(self) -> bool:
        """A file that was continued in the middle is no beginning of anything."""
        has_octets = self.received_octets > 0 or self._continues_partial
        is_prefix = self.offset + self.received_octets >= self._base_size
        return has_octets and (is_prefix or self._continues_partial)

    async def _keep(self) -> None:
        volume, destination = self._volume, self._destination
        volume.check_store()
        name, size = await volume.hops.run(self._keep_file)
        old = destination.old_partial
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
        volume.ledger.used_octets = results[-1][0]
        if self._temporary is not None:
            self._temporary.close()
        if old is not None and old[0] != name:
            await volume.hops.run(remove_partial, volume, old[0])

    def _keep_file(self) -> tuple[str, int]:
        """In a thread."""
        if self._pending:
            self._write_batch(self._pending)
        assert self._temporary is not None
        if self._continues_partial:
            descriptor = self._temporary.descriptor
            self._volume.disk.durability.sync_file(descriptor)
            return self._temporary.name.decode(), self.offset + self.received_octets
        return placing.keep_as_partial(self._volume.disk, self._temporary)

    async def _discard(self) -> None:
        volume, destination = self._volume, self._destination
        if self._continues_partial and destination.old_partial is not None:
            operations = (
                RemovePartial(volume.name, destination.path, destination.account),
                AddUsage(volume.name, -destination.old_partial[1], 0),
            )
            results = await volume.store.apply(Unit(operations))
            volume.ledger.used_octets = results[-1][0]
        if self._temporary is not None:
            await volume.hops.run(self._temporary.discard)


def remove_partial(volume: Volume, name: str) -> None:
    """Remove the file of a partial upload, unless somebody continues it; blocks."""
    disk = volume.disk
    try:
        directory = area.open_area(disk.root(), disk.opener, is_made=False)
    except FileNotFoundError:
        return
    with area.closing(directory):
        area.remove_unowned(directory, name.encode())
