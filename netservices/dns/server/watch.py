"""What the server tells of its questions: counts, the busiest, and the query log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.server.stream import Answer
from netservices.dns.server.top import Top
from netservices.dns.settings import DNSSettings
from netservices.dns.wire import codes
from netservices.dns.wire.names import name_text
from netservices.plugin import DatagramAnswer, Services

if TYPE_CHECKING:
    from netservices.dns.server.querylog import QueryLog

_UDP = Transport.UDP

MOST_ROWS = 1000
"""In one reply, which must neither grow nor take long."""


class Watch:
    """Stands between the listeners and the answers, and takes notes."""

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        dialogue: Dialogue,
        exact: ExactAnswers,
        see: Callable[[Client], Client],
    ) -> None:
        """``see`` gives a client its view.  ConfigurationError where the query log
        cannot be written."""
        self._dialogue = dialogue
        self._exact = exact
        self.top = Top(
            settings.top_entries, settings.top_window, services.clock.seconds
        )
        self.log = _query_log(settings, services)
        self._see = see
        self.verbs = {"top": self._tell_top, "explain": self._explain}

    def start(self) -> None:
        """Open the query log.  ConfigurationError."""
        if self.log is not None:
            self.log.start()

    async def reopen(self) -> None:
        """Go on in a new query log."""
        if self.log is not None:
            await self.log.reopen()

    def stop(self) -> Deferred[None] | None:
        """Write the rest of the query log."""
        return None if self.log is None else self.log.stop()

    def datagrams(self, answer: DatagramAnswer) -> DatagramAnswer:
        """What answers over UDP, watched."""
        if self.log is not None:
            answer = self.log.datagrams(answer)
        return self.top.watching(answer)

    def streams(self, answer: Answer) -> Answer:
        """What answers over TCP and TLS, watched."""
        if self.log is not None:
            answer = self.log.streams(answer)
        note = self.top.noting()

        def watched(data: bytes, client: Client) -> bytes | Later | None:
            note(data, client.address)
            return answer(data, client)

        return watched

    def status(self) -> dict[str, Any]:
        """Counts since the start."""
        self._exact.settle()
        dialogue = self._dialogue
        types: dict[str, int] = {}
        rcodes: dict[str, int] = {}
        for (qtype, rcode), count in dialogue.counts.items():
            name = codes.type_name(qtype) if qtype else "other"
            types[name] = types.get(name, 0) + count
            code = codes.rcode_name(rcode)
            rcodes[code] = rcodes.get(code, 0) + count
        queries = sum(rcodes.values())
        streams = dialogue.stream_counts
        ways = {way.name.lower(): streams[way] for way in Transport if way is not _UDP}
        log = {} if self.log is None else self.log.status()
        return {
            "queries": queries,
            "by_type": types,
            "by_rcode": rcodes,
            "by_transport": {"udp": queries - sum(ways.values()), **ways},
            **log,
        }

    def zone_queries(self, apex: bytes) -> int:
        """Questions answered from that zone since the start."""
        return self._dialogue.zone_counts[apex]

    async def _explain(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Why a question gets its answer."""
        from netservices.dns.server.explain import explain_request

        return explain_request(self._dialogue, self._see, request)

    async def _tell_top(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The busiest clients, zones or questions, as ``of`` says; ``most`` rows."""
        of, most = request.get("of"), request.get("most", 20)
        if not isinstance(most, int) or not 1 <= most <= MOST_ROWS:
            raise ValueError(f"most is a number up to {MOST_ROWS}")
        if of == "zones":
            self._exact.settle()
            return {"rows": self._zones(most), "seconds": None}
        if of not in ("clients", "names"):
            raise ValueError("of is clients, names or zones")
        rows = self.top.clients(most) if of == "clients" else self.top.names(most)
        return {"rows": rows, "seconds": self.top.seconds()}

    def _zones(self, most: int) -> list[dict[str, Any]]:
        return [
            {"zone": name_text(apex), "queries": count}
            for apex, count in self._dialogue.zone_counts.most_common(most)
        ]


def _query_log(settings: DNSSettings, services: Services) -> QueryLog | None:
    if not settings.query_log:
        return None
    from netservices.dns.server.querylog import make_query_log

    return make_query_log(services, settings.query_log, settings.query_log_every)
