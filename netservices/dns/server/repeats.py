"""Updates that come again: lost replies, copies on the way, and replays.

What was carried out is not carried out again: a copy gets the reply of the first one
(RFC 2136 2.2: the ID tells duplicates; 5.1).  An update that was signed is known by its
signature for as long as it would be believed.  One that was not, over UDP, is known
while its sender has not sent another one, for the seconds in which clients try again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from netservices.dns.policy import Client, Transport
from netservices.dns.server.commit import Outcome
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.tsig import FUDGE_SECONDS

SIGNED_SECONDS = 2.0 * FUDGE_SECONDS
UNSIGNED_SECONDS = 10.0
_MAC_OCTETS = 10
"""What all MACs have at least; whoever copies a message may cut the rest off."""


@define(eq=False)
class Carried:
    """An update that is, or was, carried out."""

    digest: bytes
    until: float
    outcome: Outcome | None = None
    _waiting: list[Deferred[Outcome]] = field(factory=list)

    def settle(self, outcome: Outcome) -> None:
        """It is done."""
        self.outcome = outcome
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(outcome)

    def wait(self) -> Deferred[Outcome]:
        """What becomes of it, for one who asks."""
        if self.outcome is not None:
            return succeed(self.outcome)
        deferred: Deferred[Outcome] = Deferred()
        self._waiting.append(deferred)
        return deferred


class Repeats:
    """The updates of the last minutes."""

    def __init__(self, now: Callable[[], float], most: int) -> None:
        """At ``most`` so many are known; beyond, the oldest are forgotten."""
        self._now = now
        self._most = most
        self._carried: OrderedDict[bytes, Carried] = OrderedDict()
        self.repeated = 0
        """Copies that were not carried out, so far."""

    def __len__(self) -> int:
        return len(self._carried)

    def find(self, data: bytes, client: Client) -> Carried | None:
        """The update of which this is a copy."""
        place = _place(client)
        carried = self._carried.get(place) if place else None
        if carried is None or carried.until < self._now():
            return None
        if carried.digest != _digest(data, client):
            return None
        # What was not carried out may come again.
        if carried.outcome is not None and carried.outcome.rcode != Rcode.NOERROR:
            return None
        self.repeated += 1
        return carried

    def add(self, data: bytes, client: Client) -> Carried:
        """An update that is carried out from now on."""
        now = self._now()
        seconds = UNSIGNED_SECONDS if client.key is None else SIGNED_SECONDS
        carried = Carried(_digest(data, client), now + seconds)
        place = _place(client)
        if place:
            self._carried[place] = carried
            self._carried.move_to_end(place)
            self._forget(now)
        return carried

    def _forget(self, now: float) -> None:
        while self._carried:
            place = next(iter(self._carried))
            is_old = self._carried[place].until < now
            if not is_old and len(self._carried) <= self._most:
                break
            del self._carried[place]


def _place(client: Client) -> bytes:
    """By what an update is known; nothing where it cannot be a copy."""
    if client.key is not None and client.mac:
        return client.mac[:_MAC_OCTETS] + client.key.name
    if client.transport is Transport.UDP:
        return client.address.encode()
    return b""


def _digest(data: bytes, client: Client) -> bytes:
    """What else has to be the same; a signature covers it all but for the ID, which
    a forwarder may change."""
    return b"" if client.key is not None else hashlib.sha256(data).digest()
