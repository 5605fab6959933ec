"""The service tree in this process: order, failures, drain, reload, control."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.config.discovery import Found
from netservices.config.loading import Configuration
from netservices.control.client import ControlProblem, NotRunning, ask
from netservices.core.deferreds import as_deferred
from netservices.core.errors import StartupError
from netservices.plugin import ProtocolPlugin, Server, Services
from netservices.service.house import NetServices
from netservices.service.parts import make_parts
from netservices.sockets import Passed
from tests.house.configurations import load_text

reactor: Any = _reactor

STORY: list[str] = []
"""What the servers of this file did, in order."""


class Stubborn(Protocol):
    """A connection that never ends by itself."""


def make_first(_settings: Any, services: Services) -> Server:
    """Records its life; serves stubborn connections and datagrams."""
    return Server(
        stream=Factory.forProtocol(Stubborn),
        datagram=lambda data, address, local: data,
        start=_told("first starts"),
        reload=_told("first reloads"),
        drain=_told("first drains"),
        stop=lambda: STORY.append(
            f"first stops while the store is {services.store.state}"
        ),
        settle=_told("first settles"),
        status=lambda: {"answers": 42},
    )


def make_second(_settings: Any, _services: Services) -> Server:
    """Needs ``first``."""
    return Server(
        datagram=lambda data, address, local: data,
        start=_told("second starts"),
        reload=_fails,
        stop=_told("second stops"),
    )


def make_broken(_settings: Any, _services: Services) -> Server:
    """Fails when it starts."""
    return Server(start=_fails)


def _told(words: str) -> Callable[[], None]:
    return lambda: STORY.append(words)


def _fails() -> None:
    raise ValueError("nothing works")


def plugin(name: str, *after: str, listen: tuple[str, ...] = ()) -> ProtocolPlugin:
    """A plugin of this file."""
    return ProtocolPlugin(
        name, f"tests.test_service.make_{name}", "", listen, after=after
    )


FIRST = plugin("first", listen=("tcp:0", "udp:0"))
SECOND = plugin("second", "first", listen=("udp:0",))
BROKEN = plugin("broken", "second")


class ServiceTests(TestCase):
    """``NetServices`` on a state directory of its own."""

    def setUp(self) -> None:
        STORY.clear()
        self.state = os.path.abspath(self.mktemp())

    def configuration(self, *plugins: ProtocolPlugin, text: str = "") -> Configuration:
        """A configuration that runs exactly those plugins."""
        found = Found({one.name: one for one in plugins}, ())
        return load_text(
            text,
            found=found,
            protocols=tuple(found.plugins),
            flags={
                "--state": ("server.state", self.state),
                "--interface": ("server.interface", "127.0.0.1"),
            },
            assignments=("server.hostname=example.com",),
        )

    def house(self, *plugins: ProtocolPlugin, text: str = "") -> NetServices:
        """Services that are not started."""
        return NetServices(self.configuration(*plugins, text=text), reactor, Passed({}))

    def test_limits_outlive_a_clock_set_back(self) -> None:
        """Lock-outs and rates count by a clock that never goes back: one set back by
        an hour does not keep anybody out for that hour."""
        clock = Clock()
        clock.advance(10_000)
        limits = make_parts(self.configuration(FIRST), clock).services.limits
        buckets = limits.buckets(1000.0, 1)
        buckets.take("a")
        clock.rightNow -= 3600  # type: ignore[attr-defined]
        self.assertLess(buckets.take("a"), 1)

    @as_deferred
    async def test_start_and_stop(self) -> None:
        """Everything starts after what it needs, and stops in reverse; the store last.

        A second start on the same state makes no second account."""
        house = self.house(SECOND, FIRST)
        await house.start()
        self.assertEqual("running", house.phase)
        self.assertEqual("admin@example.com", house.first_account.login)
        self.assertEqual(
            [("first", "127.0.0.1"), ("first", "127.0.0.1"), ("second", "127.0.0.1")],
            [(one.protocol, one.address) for one in house.listening],
        )
        self.assertTrue(all(one.port for one in house.listening))

        await house.stop()
        self.assertEqual("stopped", house.phase)
        self.assertEqual(
            [
                "first starts",
                "second starts",
                "first drains",
                "second stops",
                "first stops while the store is ready",
            ],
            STORY,
        )
        self.assertNotIn("control", os.listdir(self.state))

        again = self.house(FIRST)
        await again.start()
        self.assertIsNone(again.first_account)
        await again.stop()

    @as_deferred
    async def test_first_domain(self) -> None:
        """The first start makes domain, zone, postmaster and admin."""
        house = self.house(FIRST)
        await house.start()
        store = house.services.store
        (domain,) = await store.records.domains()
        alias = await store.records.alias("postmaster@example.com")
        (zone,) = await store.zones.zones()
        await house.stop()

        self.assertEqual("example.com", domain.name)
        self.assertEqual(("admin@example.com",), alias.targets)
        self.assertEqual(b"\x07example\x03com\x00", zone.name)

    @as_deferred
    async def test_second_instance(self) -> None:
        """A second server on the same state directory is refused by name."""
        house, second = self.house(FIRST), self.house(SECOND)
        await house.start()
        try:
            await second.start()
            self.fail("it started")
        except StartupError as error:
            self.assertIn(f"is in use by process {os.getpid()}", str(error))
            self.assertEqual(1, error.exit_status)
        finally:
            await house.stop()

    @as_deferred
    async def test_failed_start(self) -> None:
        """When a protocol fails to start, all that ran is stopped again."""
        house = self.house(FIRST, SECOND, BROKEN)
        house.bind()
        ports = [one.port for one in house.listening if one.endpoint[:3] == "tcp"]
        try:
            await house.start()
            self.fail("it started")
        except ValueError:
            pass

        self.assertEqual("second stops", STORY[-2])
        self.assertEqual([], house.listening)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", ports[0]))
        self.assertIsNotNone(house.first_account)
        again = self.house(FIRST)
        await again.start()
        await again.stop()

    @as_deferred
    async def test_nothing_is_half_made(self) -> None:
        """A start that fails before the store is open leaves no state directory."""
        directory = self.mktemp()
        os.makedirs(directory)
        house = self.house(FIRST, text=f"[tls]\ncertificates = '{directory}/no'\n")
        try:
            await house.start()
            self.fail("it started")
        except StartupError:
            pass
        self.assertFalse(os.path.exists(self.state))

    @as_deferred
    async def test_drain_deadline(self) -> None:
        """A connection that does not end is cut when the deadline is over."""
        house = self.house(FIRST, text="[server]\ndrain_deadline = '10ms'\n")
        await house.start()
        client = await self.connected(house)

        await house.stop()

        self.assertEqual(b"", await deferToThread(_read_until_end, client))

    @as_deferred
    async def test_connection_events(self) -> None:
        """With ``log.connections`` each connection's begin and end are events."""
        text = "[log]\nconnections = true\n[server]\ndrain_deadline = '10ms'\n"
        house = self.house(FIRST, text=text)
        await house.start()
        records: list[Any] = []
        house.services.events.subscribe(records.append)
        await self.connected(house)
        await house.stop()

        names = [record["event"] for record in records]
        self.assertEqual(
            ["connection_opened", "connection_closed", "server_stopped"], names
        )
        closed = records[1]
        self.assertEqual(
            ("first", "127.0.0.1"), (closed["protocol"], closed["address"])
        )
        self.assertEqual("ConnectionAborted", closed["reason"])

    @as_deferred
    async def test_cut(self) -> None:
        """``cut`` ends a drain at once, however long its deadline."""
        house = self.house(FIRST, text="[server]\ndrain_deadline = '1h'\n")
        await house.start()
        client = await self.connected(house)
        stopping = house.stop()
        self.assertEqual("draining", house.phase)

        house.cut()
        await stopping

        self.assertEqual(b"", await deferToThread(_read_until_end, client))
        self.assertEqual("stopped", house.phase)

    @as_deferred
    async def connected(self, house: NetServices) -> socket.socket:
        """A client that the server knows of."""
        (port,) = [o.port for o in house.listening if o.endpoint[:3] == "tcp"]
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.addCleanup(client.close)
        while not house.listeners.live_count:
            await _next_turn()
        return client

    @as_deferred
    async def test_stop_while_starting(self) -> None:
        """A stop that comes during the start waits for it, then stops."""
        house = self.house(FIRST)
        starting = house.start()
        stopping = house.stop()

        await starting
        await stopping

        self.assertEqual("stopped", house.phase)

    @as_deferred
    async def test_reload(self) -> None:
        """Each protocol reloads, one that fails goes on; what cannot change is named;
        what can, changes."""
        house = self.house(FIRST, SECOND)
        await house.start()
        text = (
            "[server]\nmax_connections = 3\nbacklog = 7\n[first]\nlisten = ['tcp:0']\n"
        )

        waiting = await house.reload(self.configuration(FIRST, SECOND, text=text))

        self.assertEqual(["server.backlog", "first.listen"], waiting)
        self.assertIn("first reloads", STORY)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual(3, house.listeners.all[0].connections.most)
        await house.stop()

    @as_deferred
    async def test_control(self) -> None:
        """Every verb of the control socket, and what it refuses."""
        house = self.house(FIRST)
        asked: list[str] = []
        house.when_asked_to_stop = lambda: asked.append("stop")
        await house.start()

        status = await self.ask(verb="status")
        self.assertEqual("running", status["phase"])
        self.assertEqual("ready", status["store"])
        self.assertEqual([True, True], [one["answers"] for one in status["listeners"]])
        self.assertEqual({"answers": 42}, status["protocols"]["first"])

        await self.ask(verb="changed")
        self.assertIn("first settles", STORY)
        self.assertFalse((await self.ask(verb="unlock", name="joe"))["was_locked"])
        self.assertEqual([], (await self.ask(verb="reload"))["needs_restart"])
        self.assertEqual({"ok": True}, await self.ask(verb="stop"))
        while not asked:
            await _next_turn()

        for request in ({"verb": "dance"}, {"verb": "unlock"}, {"verb": 7}, {}):
            try:
                await self.ask(**request)
                self.fail(str(request))
            except ControlProblem as problem:
                self.assertEqual(1, len(str(problem).splitlines()))
        await house.stop()

        try:
            await self.ask(verb="status")
            self.fail("somebody answered")
        except NotRunning:
            pass

    def ask(self, **request: Any) -> Deferred[dict[str, Any]]:
        """Ask the control socket from a thread, as a command does."""
        return deferToThread(ask, self.state, request, 30)

    @as_deferred
    async def test_control_is_private_and_bounded(self) -> None:
        """The socket is for its owner; nonsense and endless lines are refused."""
        house = self.house(FIRST)
        await house.start()
        path = os.path.join(self.state, "control")
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)

        for data, expected in (
            (b"no json\n", b"no JSON"),
            (b"[]\n", b"no such verb"),
            (b'{"verb": "dance"}\n' * 3, b"no such verb"),
            (b"x" * 200_000, b""),
        ):
            reply = await deferToThread(_raw, self.state, data)
            self.assertIn(expected, reply)
        self.assertEqual("running", (await self.ask(verb="status"))["phase"])
        await house.stop()


def _raw(state: str, data: bytes) -> bytes:
    """Write ``data`` to the control socket and read what comes back."""
    directory = os.open(state, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(f"/proc/self/fd/{directory}/control")
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                return _read_until_end(client)
            except OSError:
                return b""
    finally:
        os.close(directory)


def _read_until_end(client: socket.socket) -> bytes:
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def _next_turn() -> Deferred[None]:
    deferred: Deferred[None] = Deferred()
    reactor.callLater(0.001, deferred.callback, None)
    return deferred
