"""Load distribution: rules as they are written, and what they pick."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.balance import BalanceRule, Mode, address_text
from netservices.dns.zone.distribution import Distribution
from netservices.values import RRset

NAME = parse_name("www.example.org.")
ONE, TWO, THREE = (bytes((192, 0, 2, last)) for last in (1, 2, 3))
SET = RRset(NAME, int(Type.A), 300, (ONE, TWO, THREE))
DRAWS = 6000


def picker(text: str, down: tuple[bytes, ...] = ()) -> Distribution:
    """What picks as ``text`` says, with chance that is the same in every run."""
    rule = BalanceRule.parse(f"www.example.org {text}")
    return Distribution(rule, Random(1).random, lambda rrset, rdata: rdata not in down)


def shares(distribution: Distribution, clients: int = 1) -> dict[bytes, float]:
    """How often each record comes first."""
    firsts = Counter(
        distribution.pick(SET, f"10.{n % clients >> 8}.{n % clients & 255}.1").rdatas[0]
        for n in range(DRAWS)
    )
    return {rdata: count / DRAWS for rdata, count in firsts.items()}


class RuleTests(SynchronousTestCase):
    """Rules in writing."""

    def test_whole(self) -> None:
        """Every option is read, and written back when it is not the default."""
        text = (
            "www.example.org type=A mode=sticky "
            "weight=192.0.2.1:3,192.0.2.2,[2001:db8::1]:0 answers=2 ttl=5 "
            "check=https:8443/health host=example.org status=200-204 "
            "'text=all is well' verify=no interval=5s timeout=1s rise=1 fall=2"
        )
        rule = BalanceRule.parse(text)
        self.assertEqual(text, str(rule))
        self.assertEqual(NAME, rule.name)
        self.assertEqual(Mode.STICKY, rule.mode)
        self.assertEqual([3, 1, 0], [weight for _, weight in rule.weights])
        self.assertEqual("2001:db8::1", address_text(rule.weights[2][0]))
        assert rule.check is not None
        self.assertEqual(
            ("https", 8443, "/health", "all is well"),
            (rule.check.kind, rule.check.port, rule.check.path, rule.check.text),
        )

    def test_short(self) -> None:
        """A name alone is a rule: one address by chance."""
        rule = BalanceRule.parse("WWW.Example.org.")
        self.assertEqual("www.example.org", str(rule))
        self.assertEqual((1, 30, None), (rule.answers, rule.ttl, rule.check))
        for text in (". answers=all", "www.example.org check=http:80/"):
            self.assertEqual(text, str(BalanceRule.parse(text)))

    def test_wrong(self) -> None:
        """What is wrong is said, and which word it is."""
        for text, complaint in (
            ("", "begins with a name"),
            ("mode=sticky", "begins with a name"),
            ("a..b", "empty label"),
            ("www sticky", "'sticky' is no option=value"),
            ("www mode=sticky mode=cyclic", "there twice"),
            ("www mode=random", "one of weighted, cyclic"),
            ("www colour=blue", "colour= is unknown"),
            ("www interval=5s", "interval= goes with check="),
            ("www weight=host:3", "'host:3' is not as"),
            ("www weight=192.0.2.300", "is not as"),
            ("www weight=2001:db8::1:3", "is not as"),
            ("www weight=192.0.2.1,192.0.2.1:2", "there twice"),
            ("www weight=192.0.2.1:1000001", "at most 1000000"),
            ("www answers=0", "answers=0: a number from 1 to 100"),
            ("www type=TXT", "type=TXT: A, AAAA"),
            ("www ttl=-1", "a number from 0"),
            ("www check=ping", "tcp:80 or https:443/path"),
            ("www check=tcp", "a port is wanted"),
            ("www check=tcp:0", "a port is wanted"),
            ("www check=tcp:80/path", "such a path"),
            ("www check=tcp:80 status=200", "status= goes with a check of http"),
            ("www check=tcp:80 interval=100ms", "a second at least"),
            ("www check=tcp:80 timeout=1m", "not longer"),
            ("www check=http status=99", "200-399"),
            ("www check=https verify=maybe", "yes or no"),
            ("www 'text=x", "No closing quotation"),
        ):
            with self.assertRaises(ValueError, msg=text) as caught:
                BalanceRule.parse(text)
            self.assertIn(complaint, str(caught.exception))

    @given(st.text(max_size=60))
    @settings(max_examples=300, deadline=None)
    def test_any_text(self, text: str) -> None:
        """Whatever is written is a rule that reads back, or a ValueError."""
        try:
            rule = BalanceRule.parse(text)
        except ValueError:
            return
        self.assertEqual(rule, BalanceRule.parse(str(rule)))


class PickTests(SynchronousTestCase):
    """What is picked, and how often."""

    def assert_shares(self, wanted: dict[bytes, float], found: Any) -> None:
        """Each share within four standard deviations."""
        self.assertEqual(set(wanted), set(found))
        for rdata, share in wanted.items():
            margin = 4 * (share * (1 - share) / DRAWS) ** 0.5
            self.assertTrue(abs(found[rdata] - share) <= margin, (rdata, found))

    def test_weighted(self) -> None:
        """Records come in proportion to their weights; those without one count 1."""
        third = 1 / 3
        self.assert_shares(dict.fromkeys(SET.rdatas, third), shares(picker("")))
        found = shares(picker("weight=192.0.2.1:3,192.0.2.2:2"))
        self.assert_shares({ONE: 3 / 6, TWO: 2 / 6, THREE: 1 / 6}, found)

    def test_several(self) -> None:
        """``answers`` records, each once, and as many as there are."""
        distribution = picker("answers=2 weight=192.0.2.1:8")
        seconds = Counter()
        for _ in range(DRAWS):
            picked = distribution.pick(SET, "10.0.0.1").rdatas
            self.assertEqual(2, len(set(picked)))
            seconds[picked[1]] += 1
        # First and second: 8/10 by 1/2, and 2/10 by 8/9 for the heavy one.
        self.assertTrue(abs(seconds[ONE] / DRAWS - 2 / 10 * 8 / 9) < 0.03)
        for answers in ("3", "7", "all"):
            picked = picker(f"answers={answers}").pick(SET, "10.0.0.1").rdatas
            self.assertEqual(set(SET.rdatas), set(picked))

    def test_ttl(self) -> None:
        """The TTL is the lesser of the record's and the rule's."""
        self.assertEqual(30, picker("").pick(SET, "10.0.0.1").ttl)
        self.assertEqual(300, picker("ttl=900").pick(SET, "10.0.0.1").ttl)

    def test_down(self) -> None:
        """What is out of service is not given."""
        self.assert_shares({ONE: 0.5, THREE: 0.5}, shares(picker("", down=(TWO,))))

    def test_backup(self) -> None:
        """Records of weight 0 are given when all others are out of service."""
        text = "weight=192.0.2.1,192.0.2.2:0,192.0.2.3:0"
        self.assert_shares({ONE: 1.0}, shares(picker(text)))
        found = shares(picker(text, down=(ONE,)))
        self.assert_shares({TWO: 0.5, THREE: 0.5}, found)

    def test_all_down(self) -> None:
        """Where all are out of service, all are given, by any mode."""
        for mode in Mode:
            distribution = picker(f"mode={mode.value}", down=SET.rdatas)
            picked = distribution.pick(SET, "10.0.0.1")
            self.assertEqual(set(SET.rdatas), set(picked.rdatas))
            self.assertEqual((), tuple(distribution.pool(SET)))

    def test_cyclic(self) -> None:
        """Turns are exact and spread evenly."""
        distribution = picker("mode=cyclic weight=192.0.2.1:2")
        turns = [distribution.pick(SET, "10.0.0.1").rdatas[0] for _ in range(8)]
        self.assertEqual([ONE, TWO, THREE, ONE] * 2, turns)

    def test_cyclic_all(self) -> None:
        """With all records in the answer, each comes first in its turn."""
        distribution = picker("mode=cyclic answers=all")
        firsts = Counter(
            distribution.pick(SET, "10.0.0.1").rdatas[0] for _ in range(300)
        )
        self.assertEqual(dict.fromkeys(SET.rdatas, 100), firsts)

    def test_failover(self) -> None:
        """The first in the written order that is in service."""
        text = "mode=failover weight=192.0.2.3,192.0.2.1"
        for down, wanted in (((), THREE), ((THREE,), ONE), ((THREE, ONE), TWO)):
            self.assertEqual({wanted: 1.0}, shares(picker(text, down)))

    def test_sticky(self) -> None:
        """A network of clients keeps its record, and the networks are spread by
        weight."""
        distribution = picker("mode=sticky weight=192.0.2.1:2")
        for client in ("192.0.2.9", "2001:db8:1:2::3", "no address"):
            picked = {distribution.pick(SET, client).rdatas for _ in range(20)}
            self.assertEqual(1, len(picked))
        near = [distribution.pick(SET, f"10.1.1.{n}").rdatas for n in range(256)]
        self.assertEqual(1, len(set(near)))
        found = shares(distribution, clients=DRAWS)
        self.assert_shares({ONE: 0.5, TWO: 0.25, THREE: 0.25}, found)

    def test_sticky_moves_few(self) -> None:
        """Where a record goes out of service, only its own clients move."""
        before, after = picker("mode=sticky"), picker("mode=sticky", down=(TWO,))
        for number in range(500):
            client = f"10.0.{number >> 1 & 255}.{number}"
            (old,) = before.pick(SET, client).rdatas
            (new,) = after.pick(SET, client).rdatas
            self.assertTrue(old == TWO or new == old)

    @given(
        st.lists(st.binary(min_size=4, max_size=4), min_size=1, unique=True),
        st.lists(st.integers(0, 3), min_size=8, max_size=8),
        st.sets(st.integers(0, 7)),
        st.sampled_from(list(Mode)),
        st.integers(0, 5),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=300, deadline=None)
    def test_always(
        self,
        rdatas: list[bytes],
        weights: list[int],
        down: set[int],
        mode: Mode,
        answers: int,
        random: Random,
    ) -> None:
        """Never a record that the zone has not, never one twice, never none, and what
        is out of service only where all is."""
        rrset = RRset(NAME, int(Type.A), 60, tuple(rdatas))
        gone = {rdata for place, rdata in enumerate(rdatas) if place in down}
        rule = BalanceRule(
            NAME,
            mode=mode,
            weights=tuple(zip(rdatas, weights, strict=False)),
            answers=answers,
        )
        distribution = Distribution(
            rule, random.random, lambda rrset, rdata: rdata not in gone
        )
        for _ in range(3):
            picked = distribution.pick(rrset, "192.0.2.77").rdatas
            self.assertTrue(picked)
            self.assertEqual(len(picked), len(set(picked)))
            self.assertTrue(set(picked) <= set(rdatas))
            if gone >= set(rdatas):
                self.assertEqual(set(rdatas), set(picked))
            else:
                self.assertFalse(gone & set(picked))
                self.assertTrue(len(picked) <= (answers or len(rdatas)))
