"""The authoritative server: zones, answers, and the listeners' view of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

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
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.notify import Notify
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.options import NO_OPTIONS, ZoneOptions
from netservices.dns.policy import Client, Policy
from netservices.dns.server.distribution import LoadDistribution
from netservices.dns.server.forward import Forwarder
from netservices.dns.server.guard import Guard
from netservices.dns.server.notifier import Notifier
from netservices.dns.server.secondary import Secondaries
from netservices.dns.server.stream import Answer, StreamFactory
from netservices.dns.server.transfers import OutgoingTransfers
from netservices.dns.server.updates import Updates
from netservices.dns.server.watch import Watch
from netservices.dns.settings import DNSSettings
from netservices.dns.views import Views
from netservices.dns.wire.codes import Opcode
from netservices.dns.wire.names import name_text
from netservices.dns.zone.tree import Zones
from netservices.plugin import DatagramAnswer, Server, Services

_log = Logger()


class Authority:
    """The authoritative server: zones, answers, and the listeners' view of them."""

    def __init__(self, settings: DNSSettings, services: Services) -> None:
        self.zones = Zones()
        self.views = Views(settings.views)
        self.viewed = ViewedZones(self.zones, self.views.views)
        self.dialogue = Dialogue(self.zones, Policy(settings), services.clock.seconds)
        self.dialogue.views = self.viewed.zones
        self.exact = ExactAnswers(
            self.dialogue, settings.exact_cache_entries, later=_send_later
        )
        if self.views:
            self.exact.choose_view = self.views.of
        self._clock: IReactorTime = services.clock
        self.backend = ZoneBackend(
            services.store,
            self.zones,
            services.events,
            pause=self._pause,
            load_slice=settings.load_slice,
            changed=self._changed,
            failed=_log_failure,
            wake=self._wake,
            views=self.viewed,
        )
        self.zone_options = Shelf(
            services.store, ZONE_OPTIONS, self._options_changed, _complain
        )
        """What is particular to single zones, by folded name."""
        self.backend.shelves.append(self.zone_options)
        self.keys = KeyRing(services.store, settings.allow_md5_keys, _complain)
        self.backend.shelves += self.keys.shelves
        self.dialogue.signatures = Signatures(
            self.keys.current,
            services.clock.seconds,
            lambda client, key, error: self.updates.doubted(client, key, error),
            see=self.views.see,
        )
        self.watch = Watch(
            settings, services, self.dialogue, self.exact, self.views.see
        )
        self.updates = Updates(
            settings,
            services,
            self.zones,
            lambda: self.zone_options.things,
            self.keys,
        )
        self.backend.followers.append(self.updates.followed)
        self.dialogue.opcodes[Opcode.UPDATE] = self.updates.answer
        self.forwarder = Forwarder(settings, services, lambda: self.zone_options.things)
        self.dialogue.relays[Opcode.UPDATE] = self.forwarder.relay
        self.secondaries = Secondaries(
            settings,
            services,
            self.zones,
            self.dialogue.policy,
            self.zone_options,
            self.keys,
            pause=self._pause,
            settle=self.settle,
            changed=self._forget_answers,
        )
        self.dialogue.opcodes[Opcode.NOTIFY] = Notify(
            lambda: self.zone_options.things,
            lambda name: self.zones.get(name) is not None,
            self.secondaries.notified,
        ).answer
        self.distribution = LoadDistribution(
            settings,
            services,
            self.zones,
            self.viewed.zones,
            changed=self.exact.clear,
            complain=_complain,
        )
        self.backend.shelves.append(self.distribution.shelf)
        self.backend.watchers.append(self.distribution.prepare)
        self.transfers = OutgoingTransfers(
            self.zones,
            self.viewed.zones,
            self.dialogue.policy,
            services,
            self._options,
            self._pause,
            self.distribution.expand,
        )
        self.dialogue.transfer = self.transfers.reply
        self.guard = Guard(settings, services, self.backend, self.dialogue, self.exact)
        self.notifier = Notifier(
            self.zones, settings, services, self._options, self.keys
        )
        self.backend.followers.append(self.notifier.changed)
        answer: Answer = self.dialogue.answer
        self.datagram: DatagramAnswer = self.exact.answerer()
        if services.settings.log.trace:
            answer = _traced(answer)
            self.datagram = _traced_datagrams(answer, self.views)
        self.datagram = self.watch.datagrams(self.datagram)
        wheel = Wheel(services.clock)
        self.streams = StreamFactory(
            self.watch.streams(answer),
            settings,
            services.limits,
            wheel,
            services.certificates,
            self.views.see,
        )
        self.dialogue.replies.opt.idle_seconds = self.streams.live.told_seconds

    def start(self) -> Deferred[None]:
        """Load the zones."""
        self.watch.start()
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self.backend.start()
        self.notifier.started()
        await self.secondaries.start()
        self.distribution.start()
        await self.guard.start()

    @as_deferred
    async def reload(self) -> None:
        """Look at every zone again; go on in a new query log."""
        await self.watch.reopen()
        await self.backend.reload()

    def settle(self) -> Deferred[None]:
        """Fires when what the store has told so far is in the answers."""
        return Deferred.fromCoroutine(self.backend.settle())

    def stop(self) -> Deferred[None] | None:
        """Follow changes no longer."""
        self.secondaries.stop()
        self.guard.stop()
        self.notifier.stop()
        self.backend.stop()
        self.distribution.stop()
        return self.watch.stop()

    def status(self) -> Mapping[str, Any]:
        """Counts since the start, and what is served."""
        return {
            **self.watch.status(),
            "truncated": self.dialogue.replies.truncated,
            **self.distribution.status(),
            "tsig": self.dialogue.signatures.status(),
            "transfers": self.transfers.status(),
            "updates": self.updates.status(),
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

    def _forget_answers(self) -> None:
        self.exact.clear()
        self.viewed.forget_answers()

    def _options_changed(self) -> None:
        options = self.zone_options.things
        self.guard.restrict(options)
        self.exact.clear()
        self.secondaries.update()

    def _changed(self, sources: Collection[bytes] | None = None) -> None:
        """What comes from those sources may differ from now on; None: anything."""
        self.exact.forget(sources)
        self.distribution.look_around()

    def _options(self, apex: bytes) -> ZoneOptions:
        return self.zone_options.things.get(apex, NO_OPTIONS)

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, seconds, lambda: None)

    def _wake(self) -> None:
        Deferred.fromCoroutine(self.backend.catch_up()).addErrback(
            lambda failure: _log.failure("zones are not up to date", failure)
        )


def _send_later(later: Later, address: Any, local: Any) -> None:
    """Send over UDP what was not ready when it was asked for."""

    async def send() -> None:
        async for message in later.messages():
            local.send(message, address)

    Deferred.fromCoroutine(send()).addErrback(
        lambda failure: _log.failure(
            "a request from {address}", failure, address=address[0]
        )
    )


def _complain(problem: str) -> None:
    _log.warn("what is kept beside the zones: {problem}", problem=problem)


def _log_failure(zone: str) -> None:
    _log.failure("the zone {zone} cannot be read; its old version stays", zone=zone)


def _traced(answer: Answer) -> Answer:
    """The same, with every question and reply in the log."""
    # Only here: presentation formats take a library that a plain start does without.
    from netservices.dns.server.trace import query_line, reply_lines

    def show(way: str, reply: bytes | None) -> None:
        for line in reply_lines(reply):
            _log.info("{way} S: {line}", way=way, line=line)

    def trace(data: bytes, client: Client) -> bytes | Later | None:
        reply = answer(data, client)
        way = f"{client.address} {client.transport.name.lower()}"
        _log.info("{way} C: {line}", way=way, line=query_line(data))
        if not isinstance(reply, Later):
            show(way, reply)
            return reply

        async def shown() -> AsyncGenerator[bytes, None]:
            async for message in reply.messages():
                show(way, message)
                yield message

        return Later(shown)

    return trace


def _traced_datagrams(answer: Answer, views: Views) -> DatagramAnswer:
    def datagram(data: bytes, address: Any, local: Any) -> bytes | None:
        if not address[1]:
            return None
        server = local.address if local is not None else ""
        reply = answer(data, views.see(Client(address[0], server=server)))
        if isinstance(reply, Later):
            _send_later(reply, address, local)
            return None
        return reply

    return datagram


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
        verbs={**authority.watch.verbs, **authority.secondaries.verbs},
    )
