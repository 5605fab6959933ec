"""The caches of finished answers, and the trace."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.server.trace import query_line, reply_lines
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.values import RRset
from tests.dns.authority import (
    LOOPBACK,
    ask,
    make_dialogue,
    make_tree,
    never_later,
    question,
)

WWW = question("www.example.com.", "A")


class ExactTests(SynchronousTestCase):
    """The cache of exact packets."""

    def setUp(self) -> None:
        self.tree = make_tree()
        self.dialogue = make_dialogue(self.tree)
        self.exact = ExactAnswers(self.dialogue, 64, later=never_later)
        self.answer = self.exact.answerer()
        self.peer = ("192.0.2.200", 4711)

    def ask(self, data: bytes) -> bytes | None:
        return self.answer(data, self.peer, None)

    def test_second_coming(self) -> None:
        """A packet is remembered when it comes twice; the reply has each one's ID."""
        for count in (0, 1, 1):
            reply = self.ask(WWW)
            self.assertEqual(self.dialogue.answer(WWW, LOOPBACK), reply)
            self.assertEqual(count, len(self.exact))
        reply = self.ask(b"\x77\x77" + WWW[2:])
        assert reply is not None
        self.assertEqual(b"\x77\x77", reply[:2])

    def test_case_is_kept(self) -> None:
        """The same question in other letters is another packet: its own spelling
        comes back."""
        for name in ("www.example.com.", "WWW.example.com.", "wWw.EXAMPLE.com."):
            for _ in range(3):
                reply = self.ask(question(name, "A"))
                parsed = Message.parse(reply or b"")
                self.assertEqual(parse_name(name), parsed.questions[0].name)
                self.assertEqual(parse_name(name), parsed.answer[0].name)

    def test_change(self) -> None:
        """After a change nothing old is sent."""
        for _ in range(3):
            self.ask(WWW)
        owner = parse_name("www.example.com.")
        self.tree.put(RRset(owner, Type.A, 1, (b"\1\1\1\1",)))
        self.tree.touch()
        self.exact.clear()
        self.assertEqual(
            b"\1\1\1\1", Message.parse(self.ask(WWW) or b"").answer[0].rdata
        )

    def test_never_kept(self) -> None:
        """Errors of format and packets with EDNS options are never remembered."""
        for data in (
            WWW + b"x",
            WWW[:4] + b"\0\2" + WWW[6:],
            question("www.example.com.", "A", edns=Edns(1232, False, ((3, b""),))),
            WWW[:2] + b"\x08" + WWW[3:],
        ):
            for _ in range(4):
                self.assertIsNotNone(self.ask(data))
            self.assertEqual(0, len(self.exact))

    def test_bounded(self) -> None:
        """However many packets come, no more than the limit are remembered."""
        for index in range(300):
            data = question(f"h{index}.example.com.", "A")
            for _ in range(3):
                self.ask(data)
            self.assertLessEqual(len(self.exact), 64)
            self.assertLessEqual(len(self.exact._views[""].seen), 64)

    def test_counts(self) -> None:
        """Replies from the cache are counted like others, also when it is dropped."""
        for _ in range(5):
            self.ask(WWW)
        self.exact.clear()
        self.ask(WWW)
        self.exact.settle()
        self.exact.settle()
        self.assertEqual(6, self.dialogue.counts[Type.A, Rcode.NOERROR])

    def test_port_zero(self) -> None:
        """Nobody asks from port 0."""
        for _ in range(4):
            self.assertIsNone(self.answer(WWW, ("192.0.2.200", 0), None))
            self.ask(WWW)

    def test_unknown_types_share_a_counter(self) -> None:
        """Types that a stranger invents do not fill the table of counts."""
        for qtype in range(300, 600):
            self.ask(question("example.com.", qtype))
        self.assertEqual(300, self.dialogue.counts[0, Rcode.NOERROR])
        self.assertEqual(1, len(self.dialogue.counts))


class PreparedTests(SynchronousTestCase):
    """The cache of prepared answers."""

    def test_flood(self) -> None:
        """Random names, with and without a wildcard, and random types push out neither
        the answers of records nor more than their own share."""
        tree = make_tree()
        dialogue = make_dialogue(tree, passing_cache_entries=10)
        ask(dialogue, "alias.example.com.", "A")
        for number in range(100):
            ask(dialogue, f"r{number}.example.com.", "A")
            ask(dialogue, f"r{number}.wild.example.com.", "A")
            ask(dialogue, "www.example.com.", 1000 + number)
            ask(dialogue, "alias.example.com.", 1000 + number)
            self.assertLessEqual(len(tree.answers.passing), 10)
        self.assertEqual(1, len(tree.answers.lasting))

    def test_full(self) -> None:
        """A full cache takes no more; answers are right with it or without."""
        for limit in (0, 2):
            tree = make_tree()
            dialogue = make_dialogue(
                tree, prepared_cache_entries=limit, passing_cache_entries=limit
            )
            for name in ("www", "mail", "ns1", "alias", "none", "www", "x.old"):
                expected = ask(make_dialogue(), f"{name}.example.com.", "A")
                self.assertEqual(expected, ask(dialogue, f"{name}.example.com.", "A"))
            self.assertLessEqual(len(tree.answers.lasting), limit)
            self.assertLessEqual(len(tree.answers.passing), max(limit, 0))


class TraceTests(SynchronousTestCase):
    """Lines for people."""

    def test_lines(self) -> None:
        """A question in a line; its reply in one for the whole and one a record."""
        data = question("www.example.com.", "A", edns=Edns(1232, True), flags=codes.RD)
        self.assertEqual("www.example.com. IN A rd do 1232", query_line(data))
        reply = make_dialogue().answer(data, LOOPBACK)
        size = len(reply or b"")
        lines = reply_lines(reply)
        self.assertEqual(
            f"NOERROR aa rd answer 2 authority 2 additional 2, {size} octets", lines[0]
        )
        self.assertEqual(6, len(lines[1:]))
        self.assertIn("answer www.example.com. ", lines[1])
        self.assertEqual(["(silence)"], reply_lines(None))
        self.assertEqual(
            "3 octets, no message: shorter than a header", query_line(b"abc")
        )
