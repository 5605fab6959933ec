"""Dynamic update (RFC 2136): who may, and the replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from attrs import frozen

from netservices.core.buckets import TokenBuckets
from netservices.core.networks import is_loopback
from netservices.dns.backend.keys import KeyRing
from netservices.dns.dialogue.cookies import Cookies
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.opt import OtherOpt, read_other_opt
from netservices.dns.dialogue.update import (
    Update,
    UpdateLimits,
    UpdateRefused,
    read_update,
)
from netservices.dns.grants import Rights
from netservices.dns.options import NO_OPTIONS, ZoneOptions
from netservices.dns.policy import Client, Transport
from netservices.dns.rules import access_list
from netservices.dns.server.commit import Outcome, Waiting, ZoneLine
from netservices.dns.server.repeats import Carried, Repeats
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.codes import Rcode, rcode_name
from netservices.dns.wire.names import name_text
from netservices.dns.wire.tsig import error_name
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.plugin import Services

REFUSALS_PER_SECOND = 10.0
REFUSALS_AT_ONCE = 100.0
"""Refused requests that events tell of; the others are only counted."""

_QR = 0x80
_OPCODE_BITS = 0x78


@frozen
class _Admitted:
    """A request whose sender may change something in the zone."""

    update: Update
    rights: Rights


class Updates:
    """Carries out updates of the zones of which this server is the primary."""

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        zones: Zones,
        options: Callable[[], Mapping[bytes, ZoneOptions]],
        keys: KeyRing,
        cookies: Callable[[], Cookies | None] = lambda: None,
    ) -> None:
        """``options`` are those of single zones, by folded name."""
        self._cookies = cookies
        self._settings = settings
        self._store = services.store
        self._events = services.events
        self._now: Callable[[], float] = services.clock.seconds
        self._zones = zones
        self._options = options
        self._keys = keys
        access_list(settings.allow_update)
        self._limits = UpdateLimits(settings.max_rrset_records, settings.max_name_types)
        self._lines: dict[bytes, ZoneLine] = {}
        self._waiting: Counter[str] = Counter()
        self._told = TokenBuckets(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE, self._now)
        self._repeats = Repeats(self._now, settings.max_updates_remembered)
        self._commits = 0
        self.outcomes: Counter[int] = Counter()
        """Replies by response code."""
        self.changed = 0
        """Updates that changed something."""

    def status(self) -> Mapping[str, Any]:
        """Counts since the start."""
        commits = self._commits + sum(line.commits for line in self._lines.values())
        return {
            "changed": self.changed,
            "commits": commits,
            "waiting": self._waiting.total(),
            "repeated": self._repeats.repeated,
            **{rcode_name(rcode): count for rcode, count in self.outcomes.items()},
        }

    def followed(self, tree: ZoneTree) -> None:
        """A zone answers from new content, or is gone."""
        line = self._lines.get(tree.apex)
        if line is None:
            return
        line.followed()
        if line.is_idle and self._zones.get(tree.apex) is None:
            self._commits += self._lines.pop(tree.apex).commits

    def doubted(self, client: Client, key: bytes, error: int) -> None:
        """Tell of a request of any kind whose signature is not right."""
        if not self._told.take("key"):
            self._events.emit(
                "key_doubted",
                key_name=name_text(key).removesuffix("."),
                client=client.address,
                error=error_name(error),
            )

    # --- one request ---

    def answer(self, data: bytes, client: Client) -> bytes | Later:
        """The reply to an UPDATE, or the promise of one."""
        opt, zone = OtherOpt(), ""
        try:
            update = read_update(data, self._settings.max_update_records)
            zone = name_text(update.zone)
            opt = read_other_opt(update.message.edns, client, self._cookies())
            admitted = self._admit(update, client, opt)
        except UpdateRefused as refused:
            outcome = Outcome(refused.rcode, refused.reason)
            self._tell(client, zone, outcome)
            return self._reply(data, outcome.rcode, opt)
        carried = self._repeats.find(data, client)
        if carried is None:
            carried = self._repeats.add(data, client)
            self._stand_in_line(admitted, client, carried)
        done = carried.wait()

        async def messages() -> AsyncGenerator[bytes, None]:
            yield self._reply(data, (await done).rcode, opt)

        return Later(messages)

    def _admit(self, update: Update, client: Client, opt: OtherOpt) -> _Admitted:
        """UpdateRefused."""
        if opt.rcode:
            raise UpdateRefused(opt.rcode, "an OPT record that is not understood")
        tree = self._zones.get(update.zone)
        if tree is None:
            raise UpdateRefused(Rcode.NOTAUTH, "no zone of this server")
        options = self._options().get(update.zone, NO_OPTIONS)
        # RFC 2136 6: those that are passed on do not come here.
        if options.primaries:
            raise UpdateRefused(Rcode.NOTAUTH, "another server is the primary")
        rights = self._rights(update.zone, options, client, opt.is_known)
        settings = self._settings
        if (
            self._waiting.total() >= settings.updates_waiting
            or self._waiting[client.address] >= settings.updates_waiting_per_client
        ):
            raise UpdateRefused(Rcode.SERVFAIL, "too many updates wait")
        return _Admitted(update, rights)

    def _rights(
        self, zone: bytes, options: ZoneOptions, client: Client, is_known: bool
    ) -> Rights:
        """What the client may change.  UpdateRefused where that is nothing.

        Not RFC 2136 3.3: this comes before the prerequisites, from which strangers
        could learn what is in the zone.
        """
        # An address over UDP proves nothing, but for that of this machine and with a
        # cookie of ours (RFC 7873 6).
        is_proven = (
            is_known
            or client.transport is not Transport.UDP
            or is_loopback(client.address)
        )
        words = options.allow_update or self._settings.allow_update
        allowed = access_list(tuple(words))
        if allowed.allows(client) if is_proven else allowed.allows_key(client):
            return Rights(client.key, zone)
        if client.key is not None:
            grants = self._keys.grants.of(client.key, zone)
            if grants:
                return Rights(client.key, zone, grants)
        raise UpdateRefused(Rcode.REFUSED, "no right to change anything here")

    def _stand_in_line(
        self, admitted: _Admitted, client: Client, carried: Carried
    ) -> None:
        """Have it carried out; whoever waits for it may go away."""
        zone, address = admitted.update.zone, client.address
        line = self._lines.get(zone)
        if line is None:
            line = self._lines[zone] = self._make_line(zone)

        def settled(outcome: Outcome) -> None:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
            self._tell(client, name_text(zone), outcome)
            carried.settle(outcome)

        self._waiting[address] += 1
        line.add(Waiting(admitted.update, admitted.rights, _author(client), settled))

    def _make_line(self, zone: bytes) -> ZoneLine:
        return ZoneLine(
            zone,
            self._zones,
            self._store,
            self._now,
            self._limits,
            self._settings.updates_per_commit,
            self._settings.update_tries,
        )

    # --- replies ---

    def _reply(self, data: bytes, rcode: int, opt: OtherOpt) -> bytes:
        """RFC 2136 3.8: a header without sections."""
        header = data[:2] + bytes((_QR | data[2] & _OPCODE_BITS, rcode & 15))
        counts = bytes(7) + bytes((opt.is_there,))
        return header + counts + opt.encode(self._settings.max_udp_size, rcode)

    def _tell(self, client: Client, zone: str, outcome: Outcome) -> None:
        """Count an update, and let events tell of it."""
        self.outcomes[outcome.rcode] += 1
        if outcome.rcode == Rcode.NOERROR:
            if outcome.changes:
                self.changed += 1
                self._events.emit(
                    "zone_updated",
                    zone=zone,
                    who=_author(client),
                    client=client.address,
                    changes=outcome.changes,
                    serial=outcome.serial,
                )
        elif not self._told.take("update"):
            self._events.emit(
                "update_refused",
                zone=zone or None,
                who=_author(client),
                client=client.address,
                rcode=rcode_name(outcome.rcode),
                reason=outcome.reason,
            )


def _author(client: Client) -> str:
    """Who it is, for events and the history of the zone."""
    if client.key is None:
        return client.address
    name = f"key:{name_text(client.key.name).rstrip('.')}"
    return f"{name} ({client.key.account})" if client.key.account else name
