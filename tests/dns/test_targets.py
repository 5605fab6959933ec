"""Targets of ALIAS records in other people's zones: asked, kept, refreshed, stale."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.core.errors import Trouble
from netservices.dns.client.addresses import read_addresses, system_resolvers
from netservices.dns.client.problems import NoAnswer
from netservices.dns.server.targets import (
    FIRST_PAUSE_SECONDS,
    IN_USE_SECONDS,
    MAX_WAITING,
    STALE_TTL,
    Targets,
)
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import SOA
from netservices.dns.zone.alias import Known
from netservices.dns.zone.moment import NotYet

NAME = parse_name("www.example.net.")
A = int(Type.A)
ONE, TWO = b"\xc0\0\2\1", b"\xc0\0\2\2"


class TargetTests(SynchronousTestCase):
    """One target on a clock, with resolvers that answer when they are told to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[bytes, int, Deferred[Known]]] = []
        self.targets = self.build()
        self.addCleanup(self.clock.getDelayedCalls().clear)

    def build(self, max_targets: int = 10) -> Targets:
        return Targets(
            self.clock,
            self.find,
            wait_seconds=3.0,
            stale_seconds=1000.0,
            max_targets=max_targets,
        )

    def find(self, name: bytes, type_: int) -> Deferred[Known]:
        deferred: Deferred[Known] = Deferred()
        self.asked.append((name, type_, deferred))
        return deferred

    def say(self, *rdatas: bytes, ttl: int = 100) -> None:
        """The resolvers answer the last question."""
        self.asked[-1][2].callback(Known(rdatas, ttl))

    def fail_to_say(self) -> None:
        self.asked[-1][2].errback(NoAnswer("no answer"))

    def waiting(self) -> Deferred[None]:
        """Want the target, which is not known yet, and wait."""
        with self.assertRaises(NotYet) as caught:
            self.targets.addresses(NAME, A)
        return begun(caught.exception.known())  # type: ignore[arg-type]

    def assert_known(self, ttl: int, *rdatas: bytes) -> None:
        self.assertEqual(Known(rdatas, ttl), self.targets.addresses(NAME, A))

    def assert_trouble(self) -> None:
        with self.assertRaises(Trouble) as caught:
            self.targets.addresses(NAME, A)
        self.assertNotIsInstance(caught.exception, NotYet)

    def test_first(self) -> None:
        """Who wants it first waits; the TTL is what remains."""
        waiting, another = self.waiting(), self.waiting()
        self.assertEqual([(NAME, A)], [asked[:2] for asked in self.asked])
        self.assertNoResult(waiting)
        self.say(ONE, TWO)
        self.successResultOf(waiting)
        self.successResultOf(another)
        self.assert_known(100, ONE, TWO)
        self.clock.advance(40.5)
        self.assert_known(59, ONE, TWO)

    def test_none(self) -> None:
        """That a name has no addresses is known as well."""
        waiting = self.waiting()
        self.say()
        self.successResultOf(waiting)
        self.assert_known(100)

    def test_refresh(self) -> None:
        """What is in use is asked for again before it expires, and nobody waits."""
        self.waiting()
        self.say(ONE)
        self.clock.advance(50)
        self.assert_known(50, ONE)
        self.clock.advance(41)
        self.assertEqual(2, len(self.asked))
        self.assert_known(9, ONE)
        self.say(TWO)
        self.assert_known(100, TWO)

    def test_out_of_use(self) -> None:
        """What nobody wants is not asked for; who wants it then waits."""
        self.waiting()
        self.say(ONE, ttl=int(IN_USE_SECONDS * 2))
        self.clock.advance(IN_USE_SECONDS * 2 + 1)
        self.assertEqual(1, len(self.asked))
        waiting = self.waiting()
        self.say(TWO)
        self.successResultOf(waiting)
        self.assert_known(100, TWO)

    def test_failure(self) -> None:
        """Where nothing was ever known there is trouble, and the resolvers are left in
        peace for a while."""
        waiting = self.waiting()
        self.fail_to_say()
        self.successResultOf(waiting)
        self.assert_trouble()
        self.clock.advance(FIRST_PAUSE_SECONDS - 1)
        self.assert_trouble()
        self.assertEqual(1, len(self.asked))
        self.clock.advance(1)
        self.assertEqual(2, len(self.asked))
        self.assert_trouble()
        self.say(ONE)
        self.assert_known(100, ONE)

    def test_longer_pauses(self) -> None:
        """The pause doubles with each failure."""
        self.waiting()
        times = []
        for _ in range(4):
            times.append(self.clock.seconds())
            self.fail_to_say()
            count = len(self.asked)
            while len(self.asked) == count:
                self.clock.advance(1)
        self.assertEqual([0, 5, 15, 35], times)

    def test_stale(self) -> None:
        """Where the resolvers fail, what was known stays in use, up to a limit."""
        self.waiting()
        self.say(ONE, ttl=10)
        self.clock.advance(9)
        self.fail_to_say()
        self.assert_known(1, ONE)
        self.clock.advance(2)
        self.assert_known(STALE_TTL, ONE)
        (status,) = self.targets.status()
        self.assertEqual(("stale", "no answer"), (status["state"], status["reason"]))
        self.clock.advance(1000)
        self.assert_trouble()

    def test_slow(self) -> None:
        """A question waits so long and no longer; the next ones do not wait, until
        there is an answer after all."""
        waiting = self.waiting()
        self.clock.advance(3)
        self.successResultOf(waiting)
        self.assert_trouble()
        self.assertEqual(1, len(self.asked))
        self.say(ONE)
        self.assert_known(100, ONE)

    def test_zero_ttl(self) -> None:
        """A TTL of 0 is passed on, and does not make every question wait."""
        self.waiting()
        self.say(ONE, ttl=0)
        self.clock.advance(2)
        self.assert_known(0, ONE)
        self.assertEqual(1, len(self.asked))

    def test_limit(self) -> None:
        """Beyond the limit the one that was not wanted for longest is forgotten."""
        self.targets = self.build(max_targets=2)
        for letter in "abac":
            name = parse_name(f"{letter}.example.net.")
            try:
                self.targets.addresses(name, A)
            except NotYet:
                self.say(ONE)
        self.assertEqual(2, len(self.targets))
        self.assertEqual(
            ["a.example.net.", "c.example.net."],
            [row["target"] for row in self.targets.status()],
        )

    def test_many_wait(self) -> None:
        """Only so many questions wait; the others have trouble at once."""
        waiting = [self.waiting() for _ in range(MAX_WAITING)]
        self.assert_trouble()
        self.say(ONE)
        for deferred in waiting:
            self.successResultOf(deferred)

    def test_stop(self) -> None:
        """A stop ends questions and waiting, and leaves no timer."""
        waiting = self.waiting()
        self.targets.stop()
        self.successResultOf(waiting)
        self.assertTrue(self.asked[0][2].called)
        self.assertEqual([], self.clock.getDelayedCalls())


class ReplyTests(SynchronousTestCase):
    """What the reply of a resolver says."""

    def reply(
        self, *answer: Record, rcode: int = 0, authority: tuple[Record, ...] = ()
    ) -> Message:
        return Message(flags=codes.QR, rcode=rcode, answer=answer, authority=authority)

    def record(self, name: str, type_: int, rdata: bytes, ttl: int = 60) -> Record:
        return Record(parse_name(name), type_, codes.Class.IN, ttl, rdata)

    def test_chain(self) -> None:
        """CNAMEs are followed, in any order and letter case; the least TTL counts."""
        reply = self.reply(
            self.record("b.example.", A, ONE, 50),
            self.record("b.example.", A, TWO, 40),
            self.record("b.example.", A, TWO, 40),
            self.record("WWW.example.net.", Type.CNAME, parse_name("B.example."), 30),
        )
        self.assertEqual(Known((ONE, TWO), 30), read_addresses(reply, NAME, A))

    def test_foreign(self) -> None:
        """Records of other names do not count, nor do other types."""
        reply = self.reply(
            self.record("evil.example.", A, ONE),
            self.record("www.example.net.", Type.AAAA, ONE * 4),
        )
        self.assertEqual(Known((), 60), read_addresses(reply, NAME, A))

    def test_loop(self) -> None:
        """A chain without end says nothing."""
        reply = self.reply(
            self.record("www.example.net.", Type.CNAME, parse_name("b.example.")),
            self.record("b.example.", Type.CNAME, NAME),
        )
        self.assertIsNone(read_addresses(reply, NAME, A))

    def test_denial(self) -> None:
        """A denial lives as long as its SOA says; RFC 2308 5."""
        soa = SOA(NAME, NAME, 1, 2, 3, 4, 25).encode()
        for ttl, minimum in ((99, 25), (7, 7)):
            reply = self.reply(
                rcode=Rcode.NXDOMAIN,
                authority=(self.record("example.net.", Type.SOA, soa, ttl),),
            )
            self.assertEqual(Known((), minimum), read_addresses(reply, NAME, A))

    def test_referral(self) -> None:
        """A referral is no answer; RFC 2308 2.2."""
        ns = self.record("net.", Type.NS, parse_name("a.gtld-servers.net."))
        self.assertIsNone(read_addresses(self.reply(authority=(ns,)), NAME, A))

    def test_system(self) -> None:
        """The resolvers of this machine are those of its file."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("# x\nsearch a.b\nnameserver 192.0.2.1\nnameserver\n")
            file.write("nameserver 2001:db8::1\nnameserver none\n")
        found = [peer.address for peer in system_resolvers(path)]
        self.assertEqual(["192.0.2.1", "2001:db8::1"], found)
        self.assertEqual((), system_resolvers(path + ".missing"))
