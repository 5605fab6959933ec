"""Zone transfers to other servers: whole zones (AXFR, RFC 5936) and what has changed
since a version that the client has (IXFR, RFC 1995).

Who may have a zone is decided at once, and so is all that needs no look at the store.
The rest is a ``Later``: a transfer waits for its turn, then makes one message after the
other, each when the one before is on its way.  All messages of a transfer are of one
version of the zone, however often it changes meanwhile (``backend.versions``).
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from typing import TypeAlias

from attrs import frozen

from netservices.core.errors import SyntaxProblem, Trouble
from netservices.dns.backend.overlaid import overlaid, overlay_alone
from netservices.dns.backend.versions import (
    Changes,
    Gone,
    Version,
    find_chain,
    read_changes,
)
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.outgoing import Outgoing, Progress
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.rules import AccessList
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import read_record
from netservices.dns.wire.names import fold
from netservices.dns.wire.query import Query
from netservices.dns.wire.rdata import SOA
from netservices.dns.wire.serials import is_newer_serial
from netservices.dns.zone.overlay import MergedTree, Overlay
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.interfaces import IZones, StoreError
from netservices.values import RRset

Leave: TypeAlias = Callable[[], None]
_KEPT_LISTS = 1000
_OLD_TLS = frozenset(("TLSv1", "TLSv1.1", "TLSv1.2"))
_ALIAS = int(Type.ALIAS)


@frozen
class Surroundings:
    """What a transfer needs of the server around it."""

    zones: IZones
    """The store's."""
    options: Callable[[bytes], ZoneOptions]
    """What is particular to the zone of that folded name."""
    take_turn: Callable[[str], Awaitable[Leave | None]]
    """Wait until a transfer to that address may begin, and return what ends it; None:
    too many wait already."""
    pause: Callable[[float], Awaitable[None]]
    now: Callable[[], float]
    """Seconds on any scale that only grows."""
    finished: Callable[[Progress, str], None]
    """Called at the end of each transfer with what became of it: ``sent``, ``refused``
    (too many waited), ``too slow``, ``overtaken``
    (by too many changes), ``failed``, ``broken off``."""
    failed: Callable[[str], None]
    """Called while an exception is handled that the log should show."""
    expand: Callable[[RRset], Awaitable[Iterable[RRset]]] | None = None
    """The addresses that go out in place of an ALIAS, or ``Trouble``; None: it goes out
    as it is."""


class Transfers:
    """Answers AXFR and IXFR."""

    def __init__(
        self,
        zones: Zones,
        views: Mapping[str, Zones],
        policy: Policy,
        surroundings: Surroundings,
    ) -> None:
        """``views`` are what clients with a view see in place of ``zones``."""
        settings = policy.settings
        self._zones = zones
        self._views = views
        self._policy = policy
        self._settings = settings
        self._around = surroundings
        self._patience = float(settings.transfer_patience)
        self._min_rate = int(settings.transfer_min_rate)
        self._max_ixfr = settings.max_ixfr_records
        self._lists: dict[tuple[str, ...], AccessList] = {}
        self.refused = 0
        """Requests of those who may not have the zone, so far."""

    # --- what is decided at once ----------------------------------------------------

    def reply(self, data: bytes, client: Client) -> bytes | Later:
        """The reply to a question of type AXFR or IXFR."""
        query = Query(data)
        outgoing = Outgoing(data, query, client, self._settings)
        try:
            query.read_records(
                data, self._settings.max_query_records, self._settings.max_edns_options
            )
            serial = _client_serial(data, query)
        except SyntaxProblem:
            return outgoing.refusal(Rcode.FORMERR)
        # RFC 5936 4.2: over UDP there is no AXFR.
        if query.qtype == Type.AXFR and client.transport is Transport.UDP:
            return outgoing.refusal(Rcode.FORMERR)
        # RFC 8484 4: one message a response, and a transfer is many of them.
        if client.transport is Transport.HTTPS:
            return outgoing.refusal(Rcode.NOTIMP)
        tree = self._find(query.folded, client)
        if tree is None or query.qclass != Class.IN:
            # RFC 5936 2.2.1 e.
            return outgoing.refusal(Rcode.NOTAUTH)
        if not self._may_have(tree.apex, client):
            self.refused += 1
            return outgoing.refusal(Rcode.REFUSED)
        if tree.soa is None or tree.apex in self._policy.withheld:
            return outgoing.refusal(Rcode.SERVFAIL)
        return self._begin(outgoing, tree, tree.soa, serial, client)

    def _find(self, name: bytes, client: Client) -> ZoneTree | None:
        """The zone of that folded name, as the client sees it."""
        zones = self._views[client.view] if client.view else self._zones
        return zones.get(name)

    def _overlay(self, progress: Progress) -> Overlay | None:
        """What the client's view shows differently in the zone."""
        tree = self._find(progress.zone, progress.client)
        return tree.overlay if isinstance(tree, MergedTree) else None

    def _may_have(self, apex: bytes, client: Client) -> bool:
        """RFC 5936 5: nobody, unless the zone's options or the settings say who."""
        if (
            self._settings.transfer_over_tls_only
            and client.transport is not Transport.TLS
        ):
            return False
        # RFC 9103 7.2: zones go over TLS 1.3 and what comes after it.
        if client.tls_version in _OLD_TLS:
            return False
        words = self._around.options(apex).allow_transfer
        return self._access(words or self._settings.allow_transfer).allows(client)

    def _access(self, words: tuple[str, ...]) -> AccessList:
        found = self._lists.get(words)
        if found is None:
            if len(self._lists) >= _KEPT_LISTS:
                self._lists.clear()
            try:
                found = AccessList(words)
            except ValueError:
                # What cannot be understood allows nobody.
                found = AccessList(())
            self._lists[words] = found
        return found

    def _begin(
        self,
        outgoing: Outgoing,
        tree: ZoneTree,
        soa: RRset,
        serial: int | None,
        client: Client,
    ) -> bytes | Later:
        if serial is not None and not is_newer_serial(tree.serial, serial):
            # RFC 1995 2: the same version, or a newer one: the SOA alone.
            return outgoing.single(soa)
        progress = Progress(
            tree.apex, client, "AXFR" if serial is None else "IXFR", self._around.now()
        )
        if client.transport is Transport.UDP:
            assert serial is not None
            since = serial
            return Later(lambda: self._datagram(outgoing, progress, soa, since))
        return Later(lambda: self._stream(outgoing, progress, serial))

    # --- over UDP -------------------------------------------------------------------

    async def _datagram(
        self, outgoing: Outgoing, progress: Progress, soa: RRset, serial: int
    ) -> AsyncGenerator[bytes, None]:
        """RFC 1995 2: all that has changed if it fits into one datagram, else the SOA
        alone, which tells the client to come over TCP."""
        message = outgoing.single(soa)
        try:
            # A record takes a dozen octets at the least.
            most = outgoing.limit // 12
            changes = None
            if self._overlay(progress) is None:
                changes = await self._find_changes(progress.zone, serial, most)
            if changes is not None:
                writer = outgoing.writer(full=outgoing.limit)
                more = False
                for rrset in changes.rrsets():
                    more = more or bool(writer.put(rrset))
                if not more:
                    message = progress.add(writer.finish(), writer.records)
                    progress.serial, progress.is_incremental = changes.serial, True
        except (StoreError, SyntaxProblem):
            # The SOA is the truth all the same, and TCP may do better.
            pass
        yield message
        self._around.finished(progress, "sent")

    # --- over TCP -------------------------------------------------------------------

    async def _stream(
        self, outgoing: Outgoing, progress: Progress, serial: int | None
    ) -> AsyncGenerator[bytes, None]:
        """The messages of a transfer, the last one with an error if it breaks off;
        RFC 5936 2.2."""
        leave = await self._around.take_turn(progress.client.address)
        if leave is None:
            self._around.finished(progress, "refused")
            yield outgoing.refusal(Rcode.SERVFAIL)
            return
        outcome = "broken off"
        progress.begun = self._around.now()
        try:
            async for message in self._messages(outgoing, progress, serial):
                yield message
                if self._is_too_slow(progress):
                    outcome = "too slow"
                    yield outgoing.refusal(Rcode.SERVFAIL)
                    return
            outcome = "sent"
        except Gone:
            outcome = "overtaken"
            yield outgoing.refusal(Rcode.SERVFAIL)
        except (StoreError, SyntaxProblem, Trouble):
            outcome = "failed"
            self._around.failed(progress.zone_text)
            yield outgoing.refusal(Rcode.SERVFAIL)
        finally:
            leave()
            self._around.finished(progress, outcome)

    def _is_too_slow(self, progress: Progress) -> bool:
        """Whether the client takes fewer octets a second than it has to."""
        seconds = self._around.now() - progress.begun - self._patience
        return progress.octets < seconds * self._min_rate

    async def _messages(
        self, outgoing: Outgoing, progress: Progress, serial: int | None
    ) -> AsyncGenerator[bytes, None]:
        """RFC 1995 4: what has changed, or the whole zone in the form of AXFR."""
        changes = None
        overlay = self._overlay(progress)
        # The journal tells of the zone, and not of what a view shows differently.
        if serial is not None and overlay is None:
            changes = await self._find_changes(progress.zone, serial, self._max_ixfr)
        parts: AsyncGenerator[Iterable[RRset], None]
        if changes is not None:
            progress.serial, progress.is_incremental = changes.serial, True
            parts = changes.parts()
        else:
            parts = await self._whole(progress, overlay)
        writer = outgoing.writer()
        done: Sequence[bytes]
        async for part in parts:
            for rrset in part:
                if rrset.type == _ALIAS and self._around.expand is not None:
                    given = await self._around.expand(rrset)
                    done = [data for one in given for data in writer.put(one)]
                else:
                    done = writer.put(rrset)
                for message in done:
                    yield progress.add(message, writer.records)
                    # Other work has its turn between two messages.
                    await self._around.pause(0)
        yield progress.add(writer.finish(), writer.records)

    async def _whole(
        self, progress: Progress, overlay: Overlay | None
    ) -> AsyncGenerator[Iterable[RRset], None]:
        """All of the zone, between two copies of the SOA.  StoreError."""
        version = await Version.open(
            self._around.zones, progress.zone, self._around.pause
        )
        if version is not None:
            progress.serial = version.serial
            parts = version.parts()
        elif overlay is not None and overlay.soa is not None:
            parts = overlay_alone(overlay)
        else:
            raise Gone("the zone is gone, or has lost its SOA")
        if overlay is None:
            return parts
        if overlay.soa is not None:
            progress.serial = overlay.serial
        return overlaid(parts, overlay)

    async def _find_changes(
        self, zone: bytes, serial: int, most_records: int
    ) -> Changes | None:
        """What has changed since the version of that serial; None: only the whole zone
        will do.  StoreError."""
        zones = self._around.zones
        chain = find_chain(await zones.history(zone), serial)
        tree = self._zones.get(zone)
        if chain is None or tree is None:
            return None
        # RFC 1995 5: never more than the whole zone.
        if chain.records > min(most_records, self._max_ixfr, tree.record_count):
            return None
        changes = await read_changes(zones, zone, chain, self._around.pause)
        # What the client has in place of an ALIAS, nobody remembers.
        if self._around.expand is not None and (
            tree.aliases
            or changes is not None
            and any(rrset.type == _ALIAS for rrset in changes.rrsets())
        ):
            return None
        return changes


def _client_serial(data: bytes, query: Query) -> int | None:
    """The serial of the version that the client has; None: it asks for the whole zone.
    SyntaxProblem."""
    if query.qtype != Type.IXFR:
        return None
    # RFC 1995 3: the authority section has the client's SOA.
    if data[8:10] != b"\0\1":
        raise SyntaxProblem("IXFR without a SOA")
    record, _ = read_record(data, query.end)
    if record.type != Type.SOA or fold(record.name) != query.folded:
        raise SyntaxProblem("IXFR with something else than the zone's SOA")
    serial: int = SOA.parse(record.rdata).serial
    return serial
