"""The records of one name and type take turns."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from tests.dns.authority import (
    lines,
    make_dialogue,
    make_tree,
    never_later,
    now,
    question,
)

ZONE = """
$TTL 3600
@     SOA ns1 h 1 7200 1800 1209600 300
      NS  ns1
      NS  ns2.example.net.
      MX  10 both
ns1   A   192.0.2.1
      A   192.0.2.2
many  A   10.0.0.1
      A   10.0.0.2
      A   10.0.0.3
both  A   10.0.0.1
      A   10.0.0.2
      AAAA 2001:db8::1
      AAAA 2001:db8::2
alias CNAME both
texts TXT "a"
      TXT "b"
      TXT "much longer"
*.w   A   10.0.0.1
      A   10.0.0.2
"""


class RotationTests(SynchronousTestCase):
    """First one, then the other."""

    def start(self, rotation: str = "cyclic", **settings: int) -> None:
        self.dialogue = make_dialogue(make_tree(ZONE), rotation=rotation, **settings)
        exact = ExactAnswers(self.dialogue, 1000, later=never_later)
        self.exact = exact.answerer()

    def ask(self, name: str, qtype: str, edns: Edns | None = None) -> Message:
        data = question(f"{name}.example.com.", qtype, edns=edns)
        return Message.parse(self.exact(data, ("192.0.2.9", 4711), None) or b"")

    def firsts(self, name: str, qtype: str, times: int = 12) -> Counter[bytes]:
        """How often which record comes first; all records are in every reply."""
        found: Counter[bytes] = Counter()
        expected = lines(self.ask(name, qtype).answer)
        for _ in range(times):
            reply = self.ask(name, qtype)
            self.assertEqual(expected, lines(reply.answer))
            found[reply.answer[-len(expected) + (name == "alias")].rdata] += 1
        return found

    def test_cyclic(self) -> None:
        """Each record comes first as often as the others, whichever cache replies."""
        self.start()
        for name, qtype, count in (
            ("many", "A", 3),
            ("both", "AAAA", 2),
            ("alias", "A", 2),
            ("x.w", "A", 2),
        ):
            self.assertEqual(
                [12 // count] * count, list(self.firsts(name, qtype).values())
            )

    def test_without_exact_cache(self) -> None:
        """So it is over TCP."""
        self.start()
        client = Client("192.0.2.9", Transport.TCP)
        data = question("many.example.com.", "A")
        found = {now(self.dialogue.answer(data, client)) for _ in range(12)}
        self.assertEqual(3, len(found))

    def test_random(self) -> None:
        """In random order each record comes first at some time."""
        self.start("random")
        self.assertEqual(3, len(self.firsts("many", "A", 200)))
        self.assertEqual(2, len(self.firsts("both", "A", 200)))

    def test_none(self) -> None:
        """Without rotation the order is always the same."""
        self.start("none")
        for name, qtype in (("many", "A"), ("both", "AAAA"), ("alias", "A")):
            self.assertEqual(1, len(self.firsts(name, qtype)))

    def test_uneven(self) -> None:
        """Records of different lengths keep their order."""
        self.start()
        self.assertEqual(1, len(self.firsts("texts", "TXT")))

    def test_additional(self) -> None:
        """The addresses that go with an MX take turns; those of the zone's servers
        beside every answer do not."""
        self.start()
        data = question("example.com.", "MX")
        peer = ("192.0.2.9", 4711)
        replies = [Message.parse(self.exact(data, peer, None) or b"") for _ in range(8)]
        self.assertEqual(1, len({frozenset(lines(r.additional)) for r in replies}))
        self.assertEqual(4, len({r.additional for r in replies}) * 2)
        self.assertEqual(1, len({self.ask("ns1", "TXT").additional for _ in range(4)}))

    def test_truncated(self) -> None:
        """Where the reply is cut short, what is there takes turns all the same."""
        self.start(max_udp_size=512)
        for _ in range(6):
            reply = self.ask("many", "A", Edns(512))
            self.assertEqual(3, len(reply.answer))
