"""What a tree may still take: the sum of the records, and what running uploads have
been promised.

A promise is made before octets are taken, so that many uploads together cannot pass
the quota.  The sum is refreshed from the store whenever an upload begins or ends.
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

    def room(self, quota: int | None) -> int | None:
        """Octets that may still be promised; None: no quota."""
        if quota is None:
            return None
        taken = self.used_octets + self.unrecorded_octets + self.reserved_octets
        return max(0, quota - taken)

    def post(self, octets: int) -> None:
        """The record of a change of the sum is on its way."""
        self.unrecorded_octets += octets
        self.unrecorded += 1

    def posted(self, octets: int) -> None:
        """It has arrived, or never will."""
        self.unrecorded_octets -= octets
        self.unrecorded -= 1


class Reservation:
    """What one upload has been promised.

    ``credit`` is the size of what the upload replaces, which its commit gives back;
    ``settle`` is told again, as that may have gone or changed meanwhile.
    ``longest_octets`` is the longest file that there may be, whatever the room.
    """

    def __init__(
        self, ledger: Ledger, quota: int | None, credit: int, step: int
    ) -> None:
        self._ledger = ledger
        self._quota = quota
        self.is_limited = quota is not None
        self._step = step
        self._credit = credit
        self._held = 0
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
        self._credit += octets
        given_back = max(0, min(self._held, octets))
        self._held -= given_back
        self._ledger.reserved_octets -= given_back

    def settle(self, octets: int, credit: int) -> None:
        """Whether a file of that size may take its name now.  QuotaExceeded.

        Checked before the file takes its name: the record's unit cannot fail for the
        quota when the file is already there.
        """
        self.release()
        added_octets = octets - credit
        room = self._ledger.room(self._quota)
        if room is not None and added_octets > room:
            raise QuotaExceeded("the quota does not allow that much")
        self._held = max(0, added_octets)
        self._ledger.reserved_octets += self._held

    def release(self) -> None:
        """Give the promise back; safe to call twice."""
        self._ledger.reserved_octets -= self._held
        self._held = 0
