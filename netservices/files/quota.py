"""What a tree may still take: the sum of the records, and what running uploads have
been promised.

A promise is made before octets are taken, so that many uploads together cannot pass
the quota.  The sum is refreshed from the store whenever an upload begins or ends; what
was read while it changed says nothing and is not taken.
"""

from __future__ import annotations

from netservices.interfaces import QuotaExceeded


class Ledger:
    """Octets of one tree: used, and reserved by uploads that run in this process."""

    def __init__(self) -> None:
        self.used_octets = 0
        self.reserved_octets = 0
        self.unrecorded_octets = 0
        """Of changes whose records are on their way to the store."""
        self.unrecorded = 0
        """How many these are."""
        self.changes = 0
        """How often the sum has changed, or was about to."""

    def learn(self, used_octets: int) -> None:
        """The sum as the last change left it."""
        self.changes += 1
        self.used_octets = used_octets

    def refresh(self, used_octets: int, changes: int) -> None:
        """The sum as it was read, when there had been so many ``changes``."""
        if changes == self.changes and not self.unrecorded:
            self.used_octets = used_octets

    def room(self, quota: int | None) -> int | None:
        """Octets that may still be promised; None: no quota."""
        if quota is None:
            return None
        return max(0, quota - self._taken)

    def excess(self, quota: int | None) -> int:
        """Octets beyond the quota: of partial uploads beside the files that they would
        have replaced, or because the quota was higher once."""
        return 0 if quota is None else max(0, self._taken - quota)

    @property
    def _taken(self) -> int:
        return self.used_octets + self.unrecorded_octets + self.reserved_octets

    def post(self, octets: int) -> None:
        """The record of a change of the sum is on its way."""
        self.changes += 1
        self.unrecorded_octets += octets
        self.unrecorded += 1

    def posted(self, octets: int) -> None:
        """It has arrived, or never will."""
        self.changes += 1
        self.unrecorded_octets -= octets
        self.unrecorded -= 1


class Reservation:
    """What one upload has been promised.

    Its commit gives back the octets of the file that it ``replaces`` and those of its
    partial upload, ``kept``; ``settle`` is told again, as they may have gone or changed
    meanwhile.  What the quota did not allow for is no room that could be given back:
    else one could keep a partial upload beside a file, take the room of both, and do so
    again.  ``longest_octets`` is the longest file that there may be, whatever the room.
    """

    def __init__(
        self, ledger: Ledger, quota: int | None, replaces: int, kept: int, step: int
    ) -> None:
        self._ledger = ledger
        self._quota = quota
        self.is_limited = quota is not None
        self._step = step
        self._held = 0
        self._credit = self._credit_for(replaces, kept)
        self.longest_octets: int | None = None

    def grow(self, octets: int) -> None:
        """Make sure that the upload may be ``octets`` long.  QuotaExceeded."""
        if self.longest_octets is not None and octets > self.longest_octets:
            raise QuotaExceeded("a file may not be that long here")
        wanted = octets - self._credit
        if wanted <= self._held:
            return
        more = wanted - self._held
        room = self._ledger.room(self._quota)
        if room is not None:
            if more > room:
                raise QuotaExceeded("the quota does not allow that much")
            more = min(max(more, self._step), room)
        self._held += more
        self._ledger.reserved_octets += more

    def recorded(self, octets: int) -> None:
        """That much of the upload is used now: a partial upload that its commit will
        replace."""
        given_back = max(0, min(self._held, octets))
        self._held -= given_back
        self._ledger.reserved_octets -= given_back
        self._credit += self._credit_for(0, octets)

    def settle(self, octets: int, replaces: int, kept: int) -> None:
        """Whether a file of that size may take its name now.  QuotaExceeded.

        Checked before the file takes its name: the record's unit cannot fail for the
        quota when the file is already there.
        """
        self.release()
        added_octets = octets - self._credit_for(replaces, kept)
        room = self._ledger.room(self._quota)
        if room is not None and added_octets > room:
            raise QuotaExceeded("the quota does not allow that much")
        self._held = max(0, added_octets)
        self._ledger.reserved_octets += self._held

    def _credit_for(self, replaces: int, kept: int) -> int:
        return replaces + max(0, kept - self._ledger.excess(self._quota))

    def release(self) -> None:
        """Give the promise back; safe to call twice."""
        self._ledger.reserved_octets -= self._held
        self._held = 0
