"""Health checks: standing, timing, and the looks themselves over real connections."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.server.health import Health, Place, Standing
from netservices.dns.server.probe import Prober, Unfit
from netservices.dns.zone.balance import BalanceRule, Check
from netservices.tls.layer import start_tls
from netservices.tls.selfsigned import make_self_signed
from tests.dns.house import Recorder

reactor: Any = installed_reactor


def check_of(text: str) -> Check:
    """The check that a rule with these options has."""
    check = BalanceRule.parse(f"www.example.org {text}").check
    assert check is not None
    return check


class StandingTests(SynchronousTestCase):
    """Results in a row."""

    def results(self, standing: Standing, results: str) -> str:
        """The standing after each result, ``+`` and ``-``."""
        states = []
        for result in results:
            before = standing.is_up
            has_changed = standing.note(result == "+")
            self.assertEqual(has_changed, before != standing.is_up)
            states.append("+" if standing.is_up else "-")
        return "".join(states)

    def test_first(self) -> None:
        """The first result counts alone."""
        self.assertEqual("-", self.results(Standing(2, 3), "-"))
        self.assertEqual("+", self.results(Standing(2, 3), "+"))

    def test_fall_and_rise(self) -> None:
        """It takes ``fall`` bad results and ``rise`` good ones, each in a row."""
        states = self.results(Standing(2, 3), "+--+---+-++")
        self.assertEqual("++++++----+", states)
        self.assertEqual("-++-", self.results(Standing(1, 2), "-+--"))


class HealthTests(SynchronousTestCase):
    """Looks on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.recorder = Recorder()
        self.looks: list[tuple[float, str, Deferred[None]]] = []
        self.health = self.build()

    def build(self, max_at_once: int = 20) -> Health:
        return Health(
            self.clock, self.look, self.recorder, lambda: 0.5, max_at_once=max_at_once
        )

    def look(self, address: str, check: Check, host: str) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        self.looks.append((self.clock.seconds(), address, deferred))
        return deferred

    def end(self, problem: str = "") -> None:
        """The last look has ended so."""
        _, _, deferred = self.looks[-1]
        if problem:
            deferred.errback(Unfit(problem))
        else:
            deferred.callback(None)

    def place(self, last: int = 1, text: str = "check=tcp:80") -> Place:
        return Place(f"192.0.2.{last}", check_of(text), "www.example.org")

    def test_start(self) -> None:
        """A place counts as in service until the first look, which comes at once."""
        place = self.place()
        self.health.watch([place])
        self.assertEqual(1, len(self.looks))
        self.assertTrue(self.health.is_up(place))
        self.end("refused")
        self.assertFalse(self.health.is_up(place))
        self.assertEqual(
            [
                (
                    "health_changed",
                    {
                        "address": "192.0.2.1",
                        "check": "tcp 192.0.2.1:80",
                        "state": "down",
                        "reason": "refused",
                    },
                )
            ],
            self.recorder.events,
        )

    def test_over_time(self) -> None:
        """Looks follow in the interval; the standing changes by the rules."""
        place = self.place(text="check=tcp:80 interval=10s rise=2 fall=3")
        self.health.watch([place])
        states = []
        for result in "+--+---+-++":
            self.end("" if result == "+" else "bad")
            states.append("+" if self.health.is_up(place) else "-")
            self.clock.advance(10)
        self.assertEqual("++++++----+", "".join(states))
        times = [seconds for seconds, _, _ in self.looks]
        self.assertEqual([10.0 * n for n in range(len(times))], times)
        self.assertEqual(
            [
                {
                    "check": "tcp 192.0.2.1:80",
                    "state": "up",
                    "seconds": 10,
                    "looks": 11,
                    "reason": "",
                }
            ],
            self.health.status(),
        )

    def test_spread(self) -> None:
        """Chance moves a look by a tenth of the interval at most."""
        for draw, wanted in ((0.0, 9.0), (0.999999, 11.0)):
            health = Health(self.clock, self.look, self.recorder, lambda d=draw: d)
            self.looks.clear()
            health.watch([self.place()])
            begun = self.clock.seconds()
            self.end()
            self.clock.pump([0.25] * 60)
            self.assertEqual(2, len(self.looks))
            self.assertAlmostEqual(wanted, self.looks[1][0] - begun, delta=0.26)
            health.stop()

    def test_few_at_once(self) -> None:
        """No more looks are under way than the limit; the others wait their turn."""
        health = self.build(max_at_once=2)
        health.watch([self.place(n) for n in range(1, 6)])
        self.assertEqual(2, len(self.looks))
        for count in (3, 4, 5, 5, 5):
            waiting = next(d for _, _, d in self.looks if not d.called)
            waiting.callback(None)
            self.assertEqual(count, len(self.looks))

    def test_ends_at_once(self) -> None:
        """Looks that end where they begin leave nothing behind, however many."""

        async def refuse(address: str, check: Check, host: str) -> None:
            raise Unfit("refused")

        health = Health(self.clock, refuse, self.recorder, lambda: 0.5, max_at_once=2)
        places = [self.place(n) for n in range(200)]
        health.watch(places)
        self.assertFalse(any(map(health.is_up, places)))

    def test_rules_change(self) -> None:
        """What is watched no longer is forgotten; what stays keeps its standing."""
        old, kept, new = self.place(1), self.place(2), self.place(3)
        self.health.watch([old, kept])
        for _, _, deferred in list(self.looks):
            deferred.errback(Unfit("refused"))
        self.health.watch([kept, new])
        self.assertEqual(3, len(self.looks))
        self.assertTrue(self.health.is_up(old))
        self.assertFalse(self.health.is_up(kept))
        self.clock.advance(10)
        self.assertEqual(
            ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"],
            [address for _, address, _ in self.looks],
        )

    def test_stop(self) -> None:
        """A stop ends the looks under way and plans none."""
        self.health.watch([self.place(1), self.place(2)])
        self.end()
        self.health.stop()
        self.assertTrue(all(deferred.called for _, _, deferred in self.looks))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.health.watch([self.place(3)])
        self.assertEqual(0, len(self.health))


class Responder(Protocol):
    """A server that says the same to whatever it hears, and hangs up."""

    said = b""
    hangs_up = True
    context: ssl.SSLContext | None = None
    heard: list[bytes]

    def connectionMade(self) -> None:
        context, self.context = self.context, None
        if context is not None:
            start_tls(self, context)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.heard.append(data)
        self.transport.write(self.said)
        if self.hangs_up:
            self.transport.loseConnection()


class ProbeTests(TestCase):
    """Looks at servers on this machine."""

    def setUp(self) -> None:
        self.heard: list[bytes] = []
        self.prober = Prober(reactor)

    def listen(self, **fields: Any) -> int:
        """The port of a server."""
        factory = Factory.forProtocol(Responder)

        def build(address: Any) -> Protocol:
            protocol = Responder()
            protocol.heard = self.heard
            for name, value in fields.items():
                setattr(protocol, name, value)
            return protocol

        factory.buildProtocol = build  # type: ignore[method-assign]
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    @as_deferred
    async def complaint(self, text: str) -> str:
        """What is wrong with an address of this machine; empty: nothing."""
        try:
            await self.prober.probe("127.0.0.1", check_of(text), "www.example.org")
        except Unfit as problem:
            return str(problem)
        return ""

    @as_deferred
    async def test_tcp(self) -> None:
        """A port that takes a connection is in service, a closed one is not."""
        port = self.listen()
        self.assertEqual("", await self.complaint(f"check=tcp:{port}"))
        closed = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = closed.getHost().port
        await closed.stopListening()
        self.assertIn("refused", await self.complaint(f"check=tcp:{number}"))

    @as_deferred
    async def test_request(self) -> None:
        """The request names path and host."""
        port = self.listen(said=b"HTTP/1.1 204 No Content\r\n\r\n")
        text = f"check=http:{port}/health?x=1"
        self.assertEqual("", await self.complaint(text))
        lines = b"".join(self.heard).split(b"\r\n")
        self.assertEqual(b"GET /health?x=1 HTTP/1.0", lines[0])
        self.assertIn(b"Host: www.example.org", lines)
        self.assertEqual([b"", b""], lines[-2:])

    @as_deferred
    async def test_status(self) -> None:
        """Status 200 to 399 is good, unless the rule says otherwise."""
        for status, options, wanted in (
            (200, "", ""),
            (399, "", ""),
            (404, "", "status 404"),
            (500, "status=500", ""),
            (301, "status=200-299", "status 301"),
        ):
            port = self.listen(said=f"HTTP/1.1 {status} Whatever\r\n\r\n".encode())
            found = await self.complaint(f"check=http:{port} {options}")
            self.assertEqual(wanted, found)

    @as_deferred
    async def test_text(self) -> None:
        """The text is looked for in the body alone."""
        head = b"HTTP/1.0 200 OK\r\nServer: well\r\n\r\n"
        for body, wanted in ((b"all is well", ""), (b"broken", "without the text")):
            port = self.listen(said=head + body)
            found = await self.complaint(f"check=http:{port} text=well")
            self.assertTrue(wanted in found if wanted else not found, found)

    @as_deferred
    async def test_hostile(self) -> None:
        """What is no HTTP, too long, cut off or silent is not in service."""
        for said, options, wanted in (
            (b"220 mail.example.org ESMTP\r\n", "", "not HTTP"),
            (b"x" * 20000, "", "not HTTP"),
            (b"HTTP/1.1 2", "", "ends too early"),
            (b"", "", "ends too early"),
            (b"HTTP/1.1 200 OK\r\n" * 5000, "text=x", "does not contain the text"),
        ):
            port = self.listen(said=said)
            self.assertIn(wanted, await self.complaint(f"check=http:{port} {options}"))
        port = self.listen(hangs_up=False)
        found = await self.complaint(f"check=http:{port} interval=1s timeout=50ms")
        self.assertEqual("no answer within 50ms", found)

    @as_deferred
    async def test_tls(self) -> None:
        """Over TLS the certificate must be good for the host, unless the rule says that
        any will do."""
        directory = Path(self.mktemp())
        directory.mkdir()
        pem = directory / "server.pem"
        now = datetime.now(UTC)
        pem.write_bytes(make_self_signed("www.example.org", now, timedelta(days=2)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        port = self.listen(said=b"HTTP/1.0 200 OK\r\n\r\nwell", context=context)
        text = f"check=https:{port}/ text=well"
        self.assertIn("certificate", (await self.complaint(text)).lower())
        self.assertEqual("", await self.complaint(f"{text} verify=no"))
        self.prober = Prober(reactor, str(pem))
        self.assertEqual("", await self.complaint(text))
