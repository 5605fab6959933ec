"""Finished answers with records that depend on the moment."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.policy import Client
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.fleeting import MAX_QUESTIONS, MAX_VARIANTS, Fleeting
from netservices.values import RRset
from tests.dns.authority import make_dialogue, make_tree, now, question

WWW = parse_name("www.example.com.")
MAIL = parse_name("mail.example.com.")


class Wavering:
    """One of some addresses, or none, as a test says."""

    def __init__(self, owner: bytes) -> None:
        self.owner = owner
        self.rdatas: tuple[bytes, ...] = ()
        self.count = 0

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """What the test says."""
        self.count += 1
        if qtype != Type.A:
            return None
        return RRset(self.owner, qtype, 5, self.rdatas)


class FleetingTests(SynchronousTestCase):
    """Answers that are found again, and what makes them wrong."""

    def setUp(self) -> None:
        self.tree = make_tree()
        self.www, self.mail = Wavering(WWW), Wavering(MAIL)
        self.tree.set_dynamic(WWW, self.www)
        self.tree.set_dynamic(MAIL, self.mail)
        self.tree.touch()
        self.dialogue = make_dialogue(self.tree)

    def answer(self, name: str, qtype: str) -> bytes:
        return now(self.dialogue.answer(question(name, qtype), Client("127.0.0.1")))

    def test_same_as_anew(self) -> None:
        """An answer that is found again is the one that would be made anew."""
        random = Random(5)
        choices = ((), (b"\1\1\1\1",), (b"\2\2\2\2",), (b"\1\1\1\1", b"\2\2\2\2"))
        questions = (
            ("www.example.com.", "A"),
            ("alias.example.com.", "A"),
            ("example.com.", "MX"),
            ("svc.example.com.", "HTTPS"),
            ("www.example.com.", "ANY"),
            ("www.example.com.", "AAAA"),
        )
        for _ in range(300):
            self.www.rdatas = random.choice(choices)
            self.mail.rdatas = random.choice(choices)
            name, qtype = random.choice(questions)
            found = self.answer(name, qtype)
            kept = len(self.tree.fleeting)
            self.assertEqual(found, self.answer(name, qtype))
            self.assertEqual(kept, len(self.tree.fleeting))
            fresh = make_dialogue(self.tree)
            saved, self.tree.fleeting = self.tree.fleeting, Fleeting()
            self.assertEqual(
                found, now(fresh.answer(question(name, qtype), Client("::1")))
            )
            self.tree.fleeting = saved

    def test_asked_once(self) -> None:
        """Each is asked once for one answer, found again or not, so that turns are
        not lost."""
        for rdata in (b"\1\1\1\1", b"\1\1\1\1", b"\2\2\2\2"):
            self.www.rdatas = (rdata,)
            before = self.www.count
            self.answer("www.example.com.", "A")
            self.assertEqual(1, self.www.count - before)

    def test_change(self) -> None:
        """A change of the zone forgets them all."""
        self.www.rdatas = (b"\1\1\1\1",)
        self.answer("alias.example.com.", "A")
        self.assertEqual(1, len(self.tree.fleeting))
        self.tree.remove(parse_name("alias.example.com."), Type.CNAME)
        self.tree.touch()
        self.assertEqual(0, len(self.tree.fleeting))

    def test_limits(self) -> None:
        """There are no more than so many questions and answers."""
        for number in range(MAX_VARIANTS * 2):
            self.www.rdatas = (number.to_bytes(4, "big"),)
            self.answer("www.example.com.", "A")
            self.assertLessEqual(len(self.tree.fleeting), MAX_VARIANTS)
        wild = parse_name("*.wild.example.com.")
        self.tree.set_dynamic(wild, Wavering(wild))
        for number in range(MAX_QUESTIONS + 10):
            self.answer(f"x{number}.wild.example.com.", "A")
            self.assertLessEqual(len(self.tree.fleeting), MAX_QUESTIONS)
