"""The authoritative server: zones, answers, and the listeners' view of them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from netservices.core.deferreds import as_deferred
from netservices.core.wheel import Wheel
from netservices.dns.backend.keys import KeyRing
from netservices.dns.backend.shelf import ZONE_OPTIONS, Shelf
from netservices.dns.backend.views import ViewedZones
from netservices.dns.backend.zones import ZoneBackend
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.cookies import Cookies
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.dialogue.notify import Notify
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.options import NO_OPTIONS, ZoneOptions
from netservices.dns.policy import Policy
from netservices.dns.server.datagrams import datagrams, send_later
from netservices.dns.server.distribution import LoadDistribution
from netservices.dns.server.forward import Forwarder
from netservices.dns.server.guard import Guard
from netservices.dns.server.https import NamesOverHTTPS
from netservices.dns.server.notifier import Notifier
from netservices.dns.server.secondary import Secondaries
from netservices.dns.server.stream import Answer, StreamFactory
from netservices.dns.server.tracing import traced
from netservices.dns.server.transfers import OutgoingTransfers
from netservices.dns.server.updates import Updates
from netservices.dns.server.watch import Watch
from netservices.dns.settings import DNSSettings
from netservices.dns.views import Views
from netservices.dns.wire.codes import Opcode
from netservices.dns.wire.names import name_text
from netservices.dns.zone.tree import Zones
from netservices.interfaces import INameAnswers
from netservices.plugin import DatagramAnswer, Server, Services

LATE_MODULES = (
    "netservices.dns.dialogue.transfer",
    "netservices.dns.server.refresh",
    "netservices.dns.client.transfer",
    "netservices.dns.client.notify",
    "netservices.dns.client.addresses",
    "netservices.dns.server.explain",
    "netservices.dns.zone.catalog",
    "twisted.internet.endpoints",
)

_log = Logger()


class Part(Protocol):
    """What works beside the answers, from the start of the server to its end."""

    def start(self) -> Awaitable[None] | None:
        """Begin."""

    def stop(self) -> Awaitable[None] | None:
        """Begin nothing any more."""


class Authority:
    """The authoritative server: zones, answers, and the listeners' view of them.

    ``zones`` are equal to the store, as ``backend`` sees to; ``dialogue`` answers from
    them, and ``exact`` before it where it has the same packet's answer still.  All else
    is a part with one task, made here and then connected: ``_connect_store`` says who
    learns of what changes, ``_connect_dialogue`` who answers what.
    """

    def __init__(self, settings: DNSSettings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._clock: IReactorTime = services.clock
        self.zones = Zones()
        self.views = Views(settings.views)
        self.viewed = ViewedZones(self.zones, self.views.views)
        self.dialogue = Dialogue(self.zones, Policy(settings), services.clock.seconds)
        self.exact = ExactAnswers(
            self.dialogue, settings.exact_cache_entries, later=send_later
        )
        self.backend = self._make_backend()
        self.zone_options = Shelf(
            services.store, ZONE_OPTIONS, self._options_changed, _complain
        )
        """What is particular to single zones, by folded name."""
        self.keys = KeyRing(services.store, settings.allow_md5_keys, _complain)
        self.watch = Watch(
            settings, services, self.dialogue, self.exact, self.views.see
        )
        self.updates = Updates(
            settings,
            services,
            self.zones,
            self._all_options,
            self.keys,
            self._cookies,
        )
        self.forwarder = Forwarder(settings, services, self._all_options)
        self.secondaries = self._make_secondaries()
        self.distribution = self._make_distribution()
        self.transfers = self._make_transfers()
        self.guard = Guard(settings, services, self.backend, self.dialogue, self.exact)
        self.notifier = Notifier(
            self.zones, settings, services, self._options, self.keys
        )
        self._parts: tuple[Part, ...] = (
            self.watch,
            self.backend,
            self.notifier,
            self.secondaries,
            self.distribution,
            self.guard,
        )
        """In the order of their start."""
        self._connect_store()
        self._connect_dialogue()
        self.datagram, self.streams = self._make_answers()
        services.partners.offer(
            INameAnswers,
            NamesOverHTTPS(self.streams.answer, self.dialogue.policy, self.views.see),
        )
        self.dialogue.replies.opt.idle_seconds = self.streams.live.told_seconds

    # --- composition ----------------------------------------------------------------

    def _make_backend(self) -> ZoneBackend:
        return ZoneBackend(
            self._services.store,
            self.zones,
            self._services.events,
            pause=self._pause,
            load_slice=self._settings.load_slice,
            changed=self._changed,
            failed=_log_failure,
            wake=self._wake,
            views=self.viewed,
        )

    def _make_secondaries(self) -> Secondaries:
        return Secondaries(
            self._settings,
            self._services,
            self.zones,
            self.dialogue.policy,
            self.zone_options,
            self.keys,
            pause=self._pause,
            settle=self.settle,
            changed=self._forget_answers,
        )

    def _make_distribution(self) -> LoadDistribution:
        return LoadDistribution(
            self._settings,
            self._services,
            self.zones,
            self.viewed.zones,
            changed=self.exact.clear,
            complain=_complain,
        )

    def _make_transfers(self) -> OutgoingTransfers:
        return OutgoingTransfers(
            self.zones,
            self.viewed.zones,
            self.dialogue.policy,
            self._services,
            self._options,
            self._pause,
            self.distribution.expand,
        )

    def _make_answers(self) -> tuple[DatagramAnswer, StreamFactory]:
        """What listeners call: for UDP, and for TCP and TLS."""
        services = self._services
        answer: Answer = self.dialogue.answer
        datagram = self.exact.answerer()
        if services.settings.log.trace:
            answer = traced(answer)
            datagram = datagrams(answer, self.views.see)
        streams = StreamFactory(
            self.watch.streams(answer),
            self._settings,
            services.limits,
            Wheel(services.clock),
            services.certificates,
            self.views.see,
        )
        return self.watch.datagrams(datagram), streams

    def _connect_store(self) -> None:
        """Who learns of what changes in the store."""
        backend = self.backend
        backend.shelves.append(self.zone_options)
        backend.shelves += self.keys.shelves
        backend.shelves.append(self.distribution.shelf)
        backend.watchers.append(self.distribution.prepare)
        backend.followers.append(self.updates.followed)
        backend.followers.append(self.notifier.changed)

    def _connect_dialogue(self) -> None:
        """Who answers what is more than a question, and as whom a client is seen."""
        dialogue = self.dialogue
        dialogue.views = self.viewed.zones
        if self.views:
            self.exact.choose_view = self.views.of
        dialogue.signatures = Signatures(
            self.keys.current,
            self._clock.seconds,
            self.updates.doubted,
            see=self.views.see,
        )
        dialogue.opcodes[Opcode.UPDATE] = self.updates.answer
        dialogue.relays[Opcode.UPDATE] = self.forwarder.relay
        dialogue.opcodes[Opcode.NOTIFY] = Notify(
            self._all_options,
            lambda name: self.zones.get(name) is not None,
            self.secondaries.notified,
            self._cookies,
        ).answer
        dialogue.transfer = self.transfers.reply

    # --- life -----------------------------------------------------------------------

    @as_deferred
    async def start(self) -> None:
        """Load the zones, and begin all that goes on beside the answers."""
        for part in self._parts:
            started = part.start()
            if started is not None:
                await started

    @as_deferred
    async def reload(self) -> None:
        """Look at every zone again; go on in a new query log."""
        await self.watch.reopen()
        await self.backend.reload()

    def settle(self) -> Deferred[None]:
        """Fires when what the store has told so far is in the answers."""
        return Deferred.fromCoroutine(self.backend.settle())

    @as_deferred
    async def stop(self) -> None:
        """End what goes on beside the answers."""
        for part in reversed(self._parts):
            stopped = part.stop()
            if stopped is not None:
                await stopped

    # --- what is told ---------------------------------------------------------------

    def status(self) -> Mapping[str, Any]:
        """Counts since the start, and what is served."""
        return {
            **self.watch.status(),
            "truncated": self.dialogue.replies.truncated,
            **self.distribution.status(),
            "tsig": self.dialogue.signatures.status(),
            "transfers": self.transfers.status(),
            "updates": {
                **self.updates.status(),
                "forwarded": self.forwarder.forwarded,
            },
            "limited": self.guard.status(),
            "notifications": self.notifier.status(),
            "tcp_connections": len(self.streams),
            "tcp_refused": self.streams.refused,
            "tcp_replaced": self.streams.live.replaced,
            "exact_answers": len(self.exact),
            "prepared_answers": sum(len(tree.answers) for tree in self.zones.trees()),
            "secondaries": self.secondaries.status(),
            "zones": {
                name_text(tree.apex): {
                    "serial": tree.serial,
                    "records": tree.record_count,
                    "queries": self.watch.zone_queries(tree.apex),
                }
                for tree in self.zones.trees()
            },
            **self._view_status(),
        }

    def _view_status(self) -> Mapping[str, Any]:
        """The zones of each view, with their records; nothing without views."""
        views = {
            name: {name_text(tree.apex): tree.record_count for tree in zones.trees()}
            for name, zones in self.dialogue.views.items()
        }
        return {"views": views} if views else {}

    # --- what changes ---------------------------------------------------------------

    def _forget_answers(self) -> None:
        self.exact.clear()
        self.viewed.forget_answers()

    def _options_changed(self) -> None:
        self.guard.restrict(self.zone_options.things)
        self.exact.clear()
        self.secondaries.update()

    def _changed(self, sources: Collection[bytes] | None = None) -> None:
        """What comes from those sources may differ from now on; None: anything."""
        self.exact.forget(sources)
        self.distribution.look_around()

    def _all_options(self) -> Mapping[bytes, ZoneOptions]:
        return self.zone_options.things

    def _cookies(self) -> Cookies | None:
        return self.dialogue.extensions.cookies

    def _options(self, apex: bytes) -> ZoneOptions:
        return self.zone_options.things.get(apex, NO_OPTIONS)

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, seconds, lambda: None)

    def _wake(self) -> None:
        Deferred.fromCoroutine(self.backend.catch_up()).addErrback(
            lambda failure: _log.failure("zones are not up to date", failure)
        )


def _complain(problem: str) -> None:
    _log.warn("what is kept beside the zones: {problem}", problem=problem)


def _log_failure(zone: str) -> None:
    _log.failure("the zone {zone} cannot be read; its old version stays", zone=zone)


def make_server(settings: DNSSettings, services: Services) -> Server:
    """The DNS server, for the plugin ``dns``."""
    authority = Authority(settings, services)
    return Server(
        stream=authority.streams,
        datagram=authority.datagram,
        traces_datagrams=True,
        start=authority.start,
        reload=authority.reload,
        settle=authority.settle,
        stop=authority.stop,
        status=authority.status,
        sessions=authority.streams.sessions,
        late_modules=LATE_MODULES,
        verbs={**authority.watch.verbs, **authority.secondaries.verbs},
    )
