"""Records that depend on the moment, views, and what may stand in a reply's way."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import Trouble
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.dialogue.reply import DENIAL, ERROR, REFERRAL, WILDCARD
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.tree import Zones
from netservices.values import RRset
from tests.dns.authority import (
    ask,
    lines,
    make_dialogue,
    make_tree,
    never_later,
    question,
)

APEX = parse_name("example.com.")
WWW = question("www.example.com.", "A")


class Ticking:
    """Another address each time it is asked; only A."""

    def __init__(self, owner: str) -> None:
        self.owner = parse_name(owner)
        self.count = 0
        self.clients: list[Client | None] = []

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """One address, counted up."""
        if qtype != Type.A:
            return None
        self.count += 1
        self.clients.append(client)
        return RRset(self.owner, Type.A, 5, (bytes((10, 0, 0, self.count)),))


class Silent:
    """There are no records at all."""

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """Nothing."""
        return RRset(APEX, qtype, 0, ())


class Lost:
    """Nobody knows."""

    def rrset(self, qtype: int, client: Client | None, now: float) -> RRset | None:
        """Trouble."""
        raise Trouble("the target does not answer")


class DynamicTests(SynchronousTestCase):
    """Names whose records something else knows."""

    def setUp(self) -> None:
        self.tree = make_tree()
        self.dialogue = make_dialogue(self.tree)
        exact = ExactAnswers(self.dialogue, 100, later=never_later)
        self.exact = exact
        self.answer = exact.answerer()

    def ask(self, name: str, qtype: str = "A") -> set[str]:
        data = question(name, qtype)
        reply = self.answer(data, ("192.0.2.9", 4711), None)
        return lines(Message.parse(reply or b"").answer)

    def test_never_kept(self) -> None:
        """Each question is answered anew, and whoever asks is told to it."""
        ticking = Ticking("www.example.com.")
        self.tree.set_dynamic(ticking.owner, ticking)
        for count in range(1, 6):
            self.assertEqual(
                {f"www.example.com. 5 A 10.0.0.{count}"}, self.ask("www.example.com.")
            )
        self.assertEqual(0, len(self.exact) + len(self.tree.answers))
        self.assertEqual("192.0.2.9", ticking.clients[-1].address)

    def test_through_others(self) -> None:
        """Chains, wildcards and additional records that lead there are not kept
        either."""
        self.tree.set_dynamic(
            parse_name("www.example.com."), Ticking("www.example.com.")
        )
        self.tree.set_dynamic(
            parse_name("*.wild.example.com."), Ticking("*.wild.example.com.")
        )
        self.tree.set_dynamic(
            parse_name("mail.example.com."), Ticking("mail.example.com.")
        )
        for name, qtype in (
            ("alias.example.com.", "A"),
            ("x.wild.example.com.", "A"),
            ("x.walias.example.com.", "A"),
            ("example.com.", "MX"),
            ("svc.example.com.", "HTTPS"),
        ):
            for _ in range(3):
                self.ask(name, qtype)
        kept = len(self.exact) + len(self.tree.answers)
        self.assertEqual(0, kept)
        self.assertEqual(
            {"x.wild.example.com. 5 A 10.0.0.4"}, self.ask("x.wild.example.com.")
        )
        extra = lines(ask(self.dialogue, "example.com.", "MX").additional)
        self.assertIn("mail.example.com. 5 A 10.0.0.4", extra)

    def test_other_types(self) -> None:
        """What it does not know is as the zone says, and ANY shows both."""
        self.tree.set_dynamic(APEX, Ticking("example.com."))
        self.assertEqual(
            {"example.com. 3600 MX 10 mail.example.com."},
            self.ask("example.com.", "MX"),
        )
        self.assertEqual({"example.com. 5 A 10.0.0.1"}, self.ask("example.com.", "A"))
        dialogue = make_dialogue(self.tree, any_policy="all")
        types = {r.type for r in ask(dialogue, "example.com.", "ANY").answer}
        self.assertLessEqual({Type.A, Type.MX, Type.SOA}, types)

    def test_none(self) -> None:
        """No records at the moment: no data.  Nobody knows: SERVFAIL."""
        www = parse_name("www.example.com.")
        self.tree.set_dynamic(www, Silent())
        reply = ask(self.dialogue, "www.example.com.", "A")
        self.assertEqual((Rcode.NOERROR, ()), (reply.rcode, reply.answer))
        self.assertEqual(Type.SOA, reply.authority[0].type)
        self.tree.set_dynamic(www, Lost())
        reply = ask(self.dialogue, "www.example.com.", "A")
        self.assertEqual((Rcode.SERVFAIL, ()), (reply.rcode, reply.answer))
        self.tree.set_dynamic(www, None)
        self.assertEqual(2, len(ask(self.dialogue, "www.example.com.", "A").answer))

    def test_change_of_the_name(self) -> None:
        """A name keeps its mark when its records change or come back."""
        ticking = Ticking("www.example.com.")
        www = ticking.owner
        self.tree.set_dynamic(www, ticking)
        self.tree.remove(www, Type.A)
        self.tree.put(RRset(www, Type.TXT, 1, (b"\1x",)))
        self.tree.touch()
        self.assertEqual(
            {"www.example.com. 5 A 10.0.0.1"}, self.ask("www.example.com.")
        )
        self.assertTrue(self.tree.names[www].marks)


class ViewTests(SynchronousTestCase):
    """Clients who see other zones."""

    def test_each_has_its_answers(self) -> None:
        """The same packet gets each view's own answer, also when it is remembered."""
        inside = make_tree()
        inside.put(RRset(parse_name("www.example.com."), Type.A, 1, (b"\x0a\0\0\1",)))
        inside.touch()
        dialogue = make_dialogue()
        dialogue.views["inside"] = Zones()
        dialogue.views["inside"].put(inside)
        exact = ExactAnswers(dialogue, 100, later=never_later)
        exact.choose_view = lambda client, server: (
            "inside" if client.startswith("10.") else ""
        )
        answer = exact.answerer()
        for _ in range(4):
            for address, count in (("10.1.1.1", 1), ("192.0.2.9", 2)):
                reply = answer(WWW, (address, 4711), None)
                self.assertEqual(count, len(Message.parse(reply or b"").answer))
        self.assertEqual(2, len(exact))
        exact.clear()
        self.assertEqual(0, len(exact))


class LimitTests(SynchronousTestCase):
    """What is asked before a reply goes out."""

    def test_accounts(self) -> None:
        """Every reply is rated by its account, new or remembered; what comes back is
        sent."""
        dialogue = make_dialogue()
        exact = ExactAnswers(dialogue, 100, later=never_later)
        rated: list[tuple[str, bytes]] = []

        def limit(address: str, account: bytes, reply: bytes) -> bytes | None:
            rated.append((address, account))
            return reply if account == parse_name("www.example.com.") else None

        exact.limit = limit
        answer = exact.answerer()
        for name, account in (
            ("WWW.example.com.", parse_name("www.example.com.")),
            ("none.example.com.", DENIAL + APEX),
            ("ent.example.com.", parse_name("ent.example.com.")),
            ("x.sub.example.com.", REFERRAL + APEX),
            ("x.wild.example.com.", WILDCARD + APEX),
            ("example.org.", ERROR),
        ):
            for _ in range(4):
                rated.clear()
                reply = answer(question(name, "A"), ("192.0.2.9", 4711), None)
                self.assertEqual(name[:3] == "WWW", reply is not None)
                self.assertEqual([("192.0.2.9", account)], rated)
