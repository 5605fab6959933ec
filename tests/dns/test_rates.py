"""Response rate limiting: floods with forged sources, and those who share a network
with the victim."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.rates import (
    EVERYTHING,
    Limited,
    RateLimit,
    Rates,
    truncated,
)
from netservices.dns.dialogue.reply import DENIAL, ERROR
from netservices.dns.server.authority import Authority
from netservices.dns.server.guard import account_words
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Class, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from tests.dns.authority import EXAMPLE, LOOPBACK, make_dialogue, now, question
from tests.dns.house import Recorder, add_zone, make_authority, make_store

WWW = question("www.example.com.", "A")
NAME = b"\3www\7example\3com\0"
REPLY = now(make_dialogue().answer(WWW, LOOPBACK))
VICTIM = "192.0.2.1"


class LimitTests(SynchronousTestCase):
    """What passes, and what does not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.told: list[Limited] = []

    def limit(self, *exempt: str, **rates: Any) -> Any:
        self.rates = RateLimit(
            Rates(**{"each": 10, **rates}), exempt, self.clock.seconds, self.told.append
        )
        return self.rates.limiter()

    def flood(self, limit: Any, count: int, address: str = VICTIM) -> dict[str, int]:
        """How many of equal replies pass whole, with TC, and not at all."""
        found = [limit(address, NAME, REPLY) for _ in range(count)]
        whole = sum(reply == REPLY for reply in found)
        nothing = sum(reply is None for reply in found)
        return {"whole": whole, "tc": count - whole - nothing, "nothing": nothing}

    def test_below(self) -> None:
        """Up to the rate everything passes, for ever."""
        limit = self.limit()
        for _ in range(1000):
            self.clock.advance(0.1)
            self.assertEqual(REPLY, limit(VICTIM, NAME, REPLY))
        self.assertEqual([], self.told)

    def test_above(self) -> None:
        """A second's worth passes, and then every second reply as one with TC."""
        self.assertEqual(
            {"whole": 10, "tc": 45, "nothing": 45}, self.flood(self.limit(), 100)
        )
        self.assertEqual((45, 45), (self.rates.slipped, self.rates.dropped))

    def test_slip(self) -> None:
        """How many come with TC is a setting; with 1 all do, with 0 none."""
        for slip, tc in ((0, 0), (1, 90), (3, 30)):
            self.assertEqual(tc, self.flood(self.limit(slip=slip), 100)["tc"])

    def test_flood_keeps_itself_out(self) -> None:
        """While a flood lasts nothing passes; after it, the window goes by first."""
        limit = self.limit(window_seconds=5.0, slip=0)
        self.flood(limit, 1000)
        for _ in range(20):
            self.clock.advance(1)
            self.assertEqual(0, self.flood(limit, 50)["whole"])
        self.clock.advance(4)
        self.assertEqual(0, self.flood(limit, 1)["whole"])
        self.clock.advance(3)
        self.assertEqual(1, self.flood(limit, 1)["whole"])

    def test_networks(self) -> None:
        """Addresses of one network are counted together, others are not."""
        limit = self.limit()
        self.flood(limit, 100)
        self.assertEqual(0, self.flood(limit, 1, "192.0.2.254")["whole"])
        self.assertEqual(10, self.flood(limit, 10, "192.0.3.1")["whole"])
        self.flood(limit, 100, "2001:db8:0:100::1")
        self.assertEqual(0, self.flood(limit, 1, "2001:db8:0:1ff::9")["whole"])
        self.assertEqual(10, self.flood(limit, 10, "2001:db8:0:200::1")["whole"])

    def test_families(self) -> None:
        """No IPv4 network is taken for an IPv6 one."""
        limit = self.limit(ipv4_bits=32, ipv6_bits=128)
        self.flood(limit, 100, "0.0.0.1")
        self.assertEqual(10, self.flood(limit, 10, "::1")["whole"])
        self.assertEqual(10, self.flood(limit, 10, "::2")["whole"])

    def test_accounts(self) -> None:
        """Other answers are counted for themselves."""
        limit = self.limit()
        self.flood(limit, 100)
        self.assertEqual(REPLY, limit(VICTIM, DENIAL + b"\0", REPLY))

    def test_all(self) -> None:
        """All replies to a network together can have a limit too."""
        limit = self.limit(all=20)
        found = [limit(VICTIM, bytes((i,)), REPLY) for i in range(60)]
        self.assertEqual(20, sum(reply == REPLY for reply in found))
        self.assertEqual([EVERYTHING], [told.account for told in self.told])
        limit = self.limit(each=0, all=20)
        self.assertEqual(20, self.flood(limit, 100)["whole"])

    def test_exempt(self) -> None:
        """The operator's own networks are left alone."""
        limit = self.limit("loopback", "192.0.2.0/24")
        for address in ("127.0.0.1", "::1", VICTIM):
            self.assertEqual(100, self.flood(limit, 100, address)["whole"])
        self.assertEqual(0, len(self.rates))

    def test_errors(self) -> None:
        """An error over the rate is not sent with TC: there is nothing to fetch."""
        refused = now(make_dialogue().answer(question("foreign.", "A"), LOOPBACK))
        limit = self.limit()
        found = [limit(VICTIM, ERROR, refused) for _ in range(100)]
        self.assertEqual({refused, None}, set(found))

    def test_log_only(self) -> None:
        """In log-only mode everything passes, and is told."""
        limit = self.limit(is_log_only=True)
        self.assertEqual(100, self.flood(limit, 100)["whole"])
        self.assertEqual(90, self.rates.dropped + self.rates.slipped)
        self.assertEqual(1, len(self.told))

    def test_told(self) -> None:
        """It is told at the first reply that is held back, then once a window."""
        limit = self.limit(window_seconds=5.0)
        self.flood(limit, 100)
        self.assertEqual([Limited("192.0.2.0/24", NAME, 1)], self.told)
        self.clock.advance(5)
        self.flood(limit, 100)
        self.assertEqual(2, len(self.told))
        self.assertEqual(90, self.told[1].replies)

    def test_bounded(self) -> None:
        """Forged sources do not fill the memory, and do not free who is in debt."""
        limit = self.limit(table_entries=1000)
        for number in range(20000):
            if number % 100 == 0:
                self.flood(limit, 20)
            high, low = divmod(number, 256)
            limit(f"10.{high}.{low}.1", NAME, REPLY)
            self.assertLessEqual(len(self.rates), 1000)
        self.assertEqual(0, self.flood(limit, 1)["whole"])

    def test_clock_set_back(self) -> None:
        """A clock that goes back holds nobody up for longer than the window."""
        limit = self.limit(window_seconds=5.0)
        self.flood(limit, 5)
        self.clock.rightNow -= 86400
        self.flood(limit, 1)
        self.clock.advance(6)
        self.assertEqual(1, self.flood(limit, 1)["whole"])


class TruncatedTests(SynchronousTestCase):
    """What goes out in place of an answer."""

    def test_parts(self) -> None:
        """ID, question and OPT with its options stay; records go; TC is set."""
        options = ((edns.COOKIE, b"12345678"), (edns.NSID, b""))
        dialogue = make_dialogue(nsid="here")
        for name in ("wWw.example.com.", "none.example.com.", "x.sub.example.com."):
            for asked in (None, Edns(1232), Edns(1232, True, options)):
                data = question(name, "A", edns=asked)
                whole = Message.parse(now(dialogue.answer(data, LOOPBACK)))
                message = Message.parse(truncated(now(dialogue.answer(data, LOOPBACK))))
                self.assertTrue(message.is_truncated)
                self.assertEqual(whole.questions, message.questions)
                self.assertEqual((whole.id, whole.edns), (message.id, message.edns))
                rest = message.answer + message.authority + message.additional
                self.assertEqual((), rest)

    def test_small(self) -> None:
        """It is no larger than the question."""
        for asked in (None, Edns(1232)):
            data = question("www.example.com.", "A", edns=asked)
            reply = now(make_dialogue().answer(data, LOOPBACK))
            self.assertEqual(len(data), len(truncated(reply)))


class ServerTests(SynchronousTestCase):
    """The whole path over UDP."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)

    def start(self, **settings: Any) -> Authority:
        authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(authority.start())
        self.addCleanup(authority.stop)
        return authority

    def passed(self, authority: Authority, *packets: bytes, count: int = 100) -> int:
        """How many of so many packets get their whole answer."""
        found = 0
        for number in range(count):
            data = packets[number % len(packets)]
            reply = authority.datagram(data, (VICTIM, 4711), None)
            found += reply is not None and not reply[2] & 2
        return found

    def test_classes(self) -> None:
        """Answers are counted by name; denials, referrals and what a wildcard gives by
        zone; errors together."""
        authority = self.start(rate_limit=10)
        for names in (
            [("www.example.com.", "A"), ("WWW.example.com.", "TXT")],
            [(f"x{i}.example.com.", "A") for i in range(100)],
            [(f"x{i}.sub.example.com.", "A") for i in range(100)],
            [(f"x{i}.wild.example.com.", "A") for i in range(100)],
            [(f"x{i}.foreign.", "A") for i in range(100)],
        ):
            packets = [question(name, qtype) for name, qtype in names]
            self.assertEqual(10, self.passed(authority, *packets), names[0])

    def test_remembered(self) -> None:
        """Replies that are remembered are counted like others."""
        authority = self.start(rate_limit=10)
        self.assertEqual(10, self.passed(authority, WWW))
        self.assertGreater(len(authority.exact), 0)

    def test_identity(self) -> None:
        """What the server says about itself is counted too."""
        authority = self.start(rate_limit=10, version="1")
        data = question("version.bind.", "TXT", Class.CH)
        self.assertEqual(10, self.passed(authority, data))

    def test_refusals_of_handlers(self) -> None:
        """Transfers and updates that are refused are errors like others."""
        for data in (
            question("example.com.", "AXFR"),
            question("example.com.", "SOA", opcode=5),
        ):
            authority = self.start(rate_limit=10)
            self.assertEqual(10, self.passed(authority, data))

    def test_cookie(self) -> None:
        """Who brings a cookie of ours is not limited; the reply with TC has one."""
        authority = self.start(rate_limit=10)
        asked = Edns(1232, False, ((edns.COOKIE, b"12345678"),))
        data = question("www.example.com.", "A", edns=asked)
        self.assertEqual(10, self.passed(authority, data))
        cookies = set()
        for _ in range(2):
            reply = authority.datagram(data, (VICTIM, 4711), None)
            if reply is not None:
                opt = Message.parse(reply).edns
                assert opt is not None
                cookies.add(opt.option(edns.COOKIE))
        (cookie,) = cookies
        assert cookie is not None
        known = Edns(1232, False, ((edns.COOKIE, cookie),))
        data = question("www.example.com.", "A", edns=known)
        self.assertEqual(100, self.passed(authority, data))
        self.assertEqual(
            100, self.passed(authority, question("foreign.", "A", edns=known))
        )

    def test_tcp(self) -> None:
        """Over TCP nothing is limited."""
        authority = self.start(rate_limit=10)
        self.passed(authority, WWW)
        reply = now(authority.dialogue.answer(WWW, LOOPBACK))
        self.assertEqual(2, len(Message.parse(reply).answer))

    def test_event(self) -> None:
        """The operator is told, and ``status`` counts."""
        authority = self.start(rate_limit=10)
        self.passed(authority, question("none.example.com.", "A"))
        recorder = authority.guard._events
        assert isinstance(recorder, Recorder)
        found = [
            fields for name, fields in recorder.events if name == "replies_limited"
        ]
        wanted = {"network": "192.0.2.0/24", "kind": "denials", "replies": 1}
        self.assertEqual([{**wanted, "name": "example.com."}], found)
        limited = authority.status()["limited"]
        self.assertEqual((45, 45), (limited["dropped"], limited["slipped"]))

    def test_off(self) -> None:
        """0 switches it off, and nothing stands on the path."""
        authority = self.start(rate_limit=0)
        self.assertIsNone(authority.exact.limit)
        self.assertEqual(100, self.passed(authority, WWW))

    def test_loopback(self) -> None:
        """By default this machine is not limited."""
        authority = self.start(rate_limit=10)
        for _ in range(100):
            self.assertIsNotNone(authority.datagram(WWW, ("127.0.0.1", 4711), None))

    def test_required_above(self) -> None:
        """Above a load, UDP without a cookie is sent to TCP; when it is calm again, it
        is not."""
        authority = self.start(
            require_cookies=True, require_cookies_above=50, rate_limit=0
        )
        self.assertEqual(100, self.passed(authority, WWW))
        self.clock.advance(1)
        self.assertEqual(0, self.passed(authority, WWW, count=3))
        self.assertTrue(authority.status()["limited"]["requires_cookies"])
        for _ in range(9):
            self.clock.advance(1)
            self.assertEqual(0, self.passed(authority, WWW, count=3))
        self.clock.advance(1)
        self.assertEqual(3, self.passed(authority, WWW, count=3))

    def test_words(self) -> None:
        """What the log says of an account."""
        for account, words in (
            (NAME, ("answers", "www.example.com.")),
            (b"W\3com\0", ("wildcard answers", "com.")),
            (ERROR, ("errors", "")),
            (EVERYTHING, ("all replies", "")),
            (b"\0", ("answers", ".")),
        ):
            self.assertEqual(words, account_words(account))

    def test_rcode(self) -> None:
        """A denial with TC still says what it is."""
        authority = self.start(rate_limit=10, rate_limit_slip=1)
        data = question("none.example.com.", "A")
        self.passed(authority, data)
        reply = authority.datagram(data, (VICTIM, 4711), None)
        assert reply is not None
        message = Message.parse(reply)
        self.assertEqual((Rcode.NXDOMAIN, True), (message.rcode, message.is_truncated))
