"""Moving octets to a temporary file: in the reactor thread while that is fast, in hops
to threads when it is not; see ``upload``."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from netservices.files import placing
from netservices.files.content import Tally
from netservices.files.placing import Temporary
from netservices.files.problems import problem_of
from netservices.files.volume import Volume


class Writing:
    """Octets in order: some in memory (``pending``), the rest in ``temporary``."""

    def __init__(
        self, volume: Volume, temporary: Temporary | None, tally: Tally | None
    ) -> None:
        self.temporary = temporary
        self.tally = tally
        self.pending: list[bytes] = []
        self.problem: Exception | None = None
        self.is_hopping = False
        self._volume = volume
        self._octets = 0
        self._inline_octets = 0
        self._paused: list[Deferred[None]] = []
        self._flushed: list[Deferred[None]] = []

    def take(self, data: bytes) -> Deferred[None] | None:
        """More octets; a Deferred asks the sender to pause until it fires."""
        self.pending.append(data)
        self._octets += len(data)
        if (
            self.temporary is None
            and self._octets <= self._volume.settings.small_upload
        ):
            return None
        return self._pump()

    def forget(self) -> None:
        """What is in memory is not wanted any more."""
        self.pending.clear()
        self._octets = 0

    def _pump(self) -> Deferred[None] | None:
        """Write what is pending, here or elsewhere; a Deferred where that lags."""
        if not self.is_hopping:
            if self._may_write_here():
                self._write_here()
            else:
                self._hop()
        if self.problem is not None:
            return fail(self.problem)
        if self._octets < self._volume.settings.upload_buffer:
            return None
        paused: Deferred[None] = Deferred(lambda _: None)
        self._paused.append(paused)
        return paused

    def _may_write_here(self) -> bool:
        volume = self._volume
        if volume.hops.is_inline:
            return True
        return (
            self.temporary is not None
            and self._octets <= volume.settings.write_chunk
            and volume.pace.is_fast()
            and self._inline_octets < volume.settings.inline_octets
        )

    def _write_here(self) -> None:
        """In the reactor thread, which must not be held for long: see ``Pace``."""
        octets = self._octets
        try:
            self._volume.pace.timed(self.write_batch, self._take_batch(octets))
        except OSError as error:
            self.problem = problem_of(error)
        self._inline_octets += octets

    def _take_batch(self, octets: int) -> list[bytes]:
        """Pending chunks, up to about that many octets."""
        batch: list[bytes] = []
        taken = 0
        while self.pending and (not batch or taken < octets):
            taken += len(self.pending[len(batch)])
            batch.append(self.pending[len(batch)])
            if len(batch) == len(self.pending):
                break
        del self.pending[: len(batch)]
        self._octets -= taken
        return batch

    def write_batch(self, batch: list[bytes]) -> None:
        """Blocks; one caller at a time."""
        if self.temporary is None:
            self.temporary = placing.new_temporary(self._volume.disk)
        placing.write_all(self.temporary.descriptor, batch)
        self.count(batch)

    def count(self, chunks: list[bytes]) -> None:
        """Take the next octets into the digest, as long as they are not too many."""
        if self.tally is None:
            return
        for chunk in chunks:
            self.tally.add(chunk)
        if self.tally.octets > self._volume.settings.upload_digest_limit:
            self.tally = None

    async def spill(self) -> None:
        """Nothing stays in memory; to be called when no hop is under way."""
        batch = self._take_batch(self._octets)
        if batch:
            try:
                await self._volume.hops.run(self.write_batch, batch)
            except Exception as problem:
                self.problem = problem

    def _hop(self) -> None:
        self.is_hopping = True
        batch = self._take_batch(self._volume.settings.write_chunk)
        done = self._volume.hops.run(self.write_batch, batch)
        done.addCallbacks(self._hopped, self._hop_failed)

    def _hopped(self, _: None) -> None:
        self.is_hopping = False
        if self.pending:
            self._hop()
        if self._octets < self._volume.settings.upload_buffer:
            paused, self._paused = self._paused, []
            for waiting in paused:
                waiting.callback(None)
        if not self.is_hopping:
            self._tell_flushed()

    def _hop_failed(self, failure: Any) -> None:
        self.is_hopping = False
        self.problem = failure.value
        self.pending.clear()
        self._octets = 0
        paused, self._paused = self._paused, []
        for waiting in paused:
            waiting.errback(failure)
        self._tell_flushed()

    def _tell_flushed(self) -> None:
        flushed, self._flushed = self._flushed, []
        for waiting in flushed:
            waiting.callback(None)

    def flush(self) -> Deferred[None]:
        """Fires when no hop is under way any more."""
        if not self.is_hopping:
            return succeed(None)
        flushed: Deferred[None] = Deferred()
        self._flushed.append(flushed)
        return flushed
