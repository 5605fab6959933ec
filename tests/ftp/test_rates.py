"""Bandwidth limits: exact, smooth, fair, and told apart from stalls."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.settings import with_values
from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.options import Limit
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.pace import Pace, Patience
from netservices.ftp.server.rates import LARGEST_STEP, Rate, Rates, Throttle
from netservices.ftp.settings import FTPSettings
from netservices.values import Origin
from tests.ftp.memory import MemoryFTP

K = 1024


def account(name: str, octets: int) -> Limit:
    """A limit of one account's downloads."""
    return Limit(("account", name, "down"), octets)


class Download:
    """A transfer of zeros that only its limits slow down."""

    def __init__(self, clock: Clock, throttle: Throttle | None, octets: int) -> None:
        self.transport = StringTransport()
        self.connection = DataConnection(LARGEST_STEP, clock)
        self.connection.throttle = throttle
        self.connection.makeConnection(self.transport)
        self.done = Deferred.fromCoroutine(self.connection.send(bytes(octets)))

    @property
    def sent(self) -> int:
        """Octets that have left."""
        return len(self.transport.value())


class Upload:
    """A client that sends as much as is read, a piece at a time."""

    def __init__(self, clock: Clock, throttle: Throttle | None) -> None:
        self.transport: Any = StringTransport()
        self.stored = 0
        self.connection = DataConnection(LARGEST_STEP, clock)
        self.connection.throttle = throttle
        self.connection.makeConnection(self.transport)
        self.done = Deferred.fromCoroutine(self.connection.receive(self._take))

    def _take(self, data: bytes) -> None:
        self.stored += len(data)

    def offer(self, octets: int) -> None:
        """Send a piece, if it is read."""
        if self.transport.producerState == "producing":
            self.connection.dataReceived(bytes(octets))


class RateTests(SynchronousTestCase):
    """The queue itself."""

    @given(
        st.integers(1000, 10**9),
        st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 3)), min_size=1),
    )
    def test_never_more(self, octets: int, asked: list[tuple[int, float]]) -> None:
        """Whenever steps are asked for, no more moves in any time than the rate allows,
        but for the slack and one step."""
        rate, now = Rate(octets), 0.0
        moved, latest = 0, 0.0
        for size, pause in asked:
            now += pause
            at = now + rate.wait(size, now)
            self.assertLessEqual(moved, octets * (at + 0.25) + 1)
            moved += size
            latest = max(latest, at)

    def test_late_timers(self) -> None:
        """A timer that fires late costs nothing; long silence is not saved up."""
        rate = Rate(1000)
        rate.wait(100, 0.0)

        self.assertAlmostEqual(0.0, rate.wait(100, 0.15))
        self.assertAlmostEqual(0.05, rate.wait(100, 0.15))
        rate.wait(500, 1000.0)
        self.assertAlmostEqual(0.5, rate.wait(500, 1000.0))

    def test_sharing(self) -> None:
        """One name is one rate as long as somebody has it; a reload changes it for
        all who have."""
        rates = Rates()
        first = rates.throttle([account("alice", 1000)])
        second = rates.throttle([account("alice", 2000), account("bob", 5)])
        assert first is not None
        assert second is not None

        self.assertIs(first.rates[0], second.rates[0])
        self.assertEqual(2000, first.rates[0].octets)
        self.assertIsNone(rates.throttle([]))


class DownloadTests(SynchronousTestCase):
    """Sending under limits, with a clock of our own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rates = Rates()

    def start(self, *limits: Limit, octets: int = 1 << 30) -> Download:
        """A download under these limits."""
        return Download(self.clock, self.rates.throttle(limits), octets)

    def advance(self, seconds: float) -> None:
        """Time passes in steps of a millisecond."""
        self.clock.pump([0.001] * round(seconds * 1000))

    def assert_about(self, expected: float, found: float) -> None:
        """They differ by at most five percent."""
        self.assertLess(abs(found - expected), expected * 0.05, f"{found} {expected}")

    def test_exact(self) -> None:
        """Ten seconds at 100K a second are 1000K, and each second has its share."""
        download = self.start(account("alice", 100 * K), octets=2000 * K)
        marks = []
        for _ in range(10):
            before = download.sent
            self.advance(1)
            marks.append(download.sent - before)

        self.assert_about(1000 * K, download.sent)
        self.assertLess(max(marks), 130 * K)
        self.assertGreater(min(marks), 90 * K)
        download.connection.abort()
        self.failureResultOf(download.done, DataBroken)

    def test_one_timer(self) -> None:
        """A transfer that waits has one timer, and none where there is no limit."""
        download = self.start(account("alice", 10 * K), octets=100 * K)
        self.advance(1)

        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        download.connection.abort()
        download.connection.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(download.done, DataBroken)
        self.assertEqual([], self.clock.getDelayedCalls())
        free = self.start(octets=100 * K)
        self.assertEqual(100 * K, free.sent)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.successResultOf(free.done)

    def test_shared(self) -> None:
        """Transfers of one rate get the same; what a narrower limit keeps from one, the
        others have."""
        server = Limit(("server", "", "down"), 300 * K)
        many = [
            self.start(account("alice", 20 * K), server, octets=4000 * K),
            self.start(account("bob", 1000 * K), server, octets=4000 * K),
            self.start(server, octets=4000 * K),
        ]
        self.advance(10)

        self.assert_about(200 * K, many[0].sent)
        self.assert_about(1400 * K, many[1].sent)
        self.assert_about(1400 * K, many[2].sent)
        for one in many:
            one.connection.abort()
            self.failureResultOf(one.done, DataBroken)

    def test_no_stall(self) -> None:
        """A transfer that a limit holds back is not given up as stalled."""
        download = self.start(account("alice", 1), octets=100 * K)
        download.connection.pace = Pace(Patience(stall_seconds=10), 0.0)
        for _ in range(100):
            self.clock.advance(5)
            download.connection.look(self.clock.seconds())

        self.assertNoResult(download.done)
        download.connection.abort()
        self.failureResultOf(download.done, DataBroken)


class UploadTests(SynchronousTestCase):
    """Receiving under limits."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rates = Rates()

    def start(self, octets: int) -> Upload:
        """An upload under a limit."""
        limit = Limit(("account", "alice", "up"), octets)
        return Upload(self.clock, self.rates.throttle([limit]))

    def test_exact(self) -> None:
        """Ten seconds at 100K a second are 1000K: reading pauses in between."""
        upload = self.start(100 * K)
        for _ in range(10_000):
            upload.offer(8 * K)
            self.clock.advance(0.001)

        self.assertLess(abs(upload.stored - 1000 * K), 50 * K)
        upload.connection.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(upload.done)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_pieces(self) -> None:
        """The same where a transfer asks for each piece, as in block mode."""
        limit = Limit(("account", "alice", "up"), 100 * K)
        transport: Any = StringTransport()
        connection = DataConnection(LARGEST_STEP, self.clock)
        connection.throttle = self.rates.throttle([limit])
        connection.makeConnection(transport)
        taken: list[int] = []

        async def take_all() -> None:
            while data := await connection.read():
                taken.append(len(data))

        done = Deferred.fromCoroutine(take_all())
        for _ in range(10_000):
            if transport.producerState == "producing":
                connection.dataReceived(bytes(8 * K))
            self.clock.advance(0.001)
        connection.connectionLost(Failure(ConnectionDone()))

        self.assertLess(abs(sum(taken) - 1000 * K), 50 * K)
        self.successResultOf(done)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_next_transfer(self) -> None:
        """A connection that is kept for the next transfer is not held back by the
        limits of the one before."""
        upload = self.start(10 * K)
        upload.connection.dataReceived(bytes(100 * K))
        self.assertEqual("paused", upload.transport.producerState)
        upload.connection.keep()

        self.assertEqual("producing", upload.transport.producerState)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_storing(self) -> None:
        """Reading goes on only when the limit allows it and what came is stored."""
        stored: Deferred[None] = Deferred()
        upload = self.start(10 * K)
        upload.connection._take = lambda data: stored
        upload.connection.dataReceived(bytes(10 * K))
        self.clock.advance(2)

        self.assertEqual("paused", upload.transport.producerState)
        stored.callback(None)
        self.assertEqual("producing", upload.transport.producerState)
        upload.connection.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(upload.done)


class PolicyTests(MemoryFTP, SynchronousTestCase):
    """Which limits the rules give a transfer."""

    settings = with_values(
        FTPSettings,
        download_rate=10 * K,
        total_upload_rate=90 * K,
        rules=(
            "alice upload_rate=5K",
            "@friends class_download_rate=7K",
            "anonymous download_rate=3K class_upload_rate=0",
            "127.0.0.0/8 class_upload_rate=9K",
        ),
    )

    def limits(self, login: str, is_upload: bool) -> set[tuple[str, str, int]]:
        """Kind, name and rate of each limit."""
        self.make_house()
        origin = Origin("ftp", "127.0.0.1", False)
        logging_in = self.policy.login(login, b"secret", origin, None)
        user = self.successResultOf(Deferred.fromCoroutine(logging_in))
        options = self.policy.options(user, origin)
        found = self.policy.limits_of(user, options, is_upload)
        return {(*limit.name[:2], limit.octets) for limit in found}

    def test_account(self) -> None:
        """An account has its own rate, those it shares, and the server's."""
        self.assertEqual(
            {
                ("account", "alice@example.org", 5 * K),
                ("class", "127.0.0.0/8", 9 * K),
                ("server", "", 90 * K),
            },
            self.limits("alice", True),
        )
        self.assertEqual(
            {("account", "alice@example.org", 10 * K)}, self.limits("alice", False)
        )

    def test_anonymous(self) -> None:
        """Anonymous users are limited by address."""
        self.assertEqual(
            {("account", "127.0.0.1", 3 * K)}, self.limits("anonymous", False)
        )
