"""Why a question gets its answer."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.explain import explain
from netservices.dns.policy import Client, Transport
from netservices.dns.server.explain import explain_request
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import fold, parse_name
from tests.cli.bench import CommandTestCase
from tests.dns.authority import EXAMPLE, ask, make_dialogue, make_tree

MORE = "".join(f"big TXT {'x' * 200}{i:03}\n" for i in range(20))
LABELS = st.sampled_from(
    [
        *("www", "alias", "outside", "loop1", "nowhere", "a", "ent", "wild", "walias"),
        *("host", "sub", "ns", "other", "new", "old", "x", "away", "_sip", "_tcp"),
        *("svc", "t", "*", "big", "missing", "l" * 60, "A", "WWW"),
    ]
)
ORIGINS = st.sampled_from(["example.com.", "example.com.", "example.net.", "com.", ""])
NAMES = st.builds(
    lambda labels, origin: parse_name(".".join((*labels, origin)) or "."),
    st.lists(LABELS, max_size=3),
    ORIGINS,
)
TYPES = st.sampled_from([*Type, 65280, 65281, 0])
ENDINGS = {
    "answer": Rcode.NOERROR,
    "no data": Rcode.NOERROR,
    "referral": Rcode.NOERROR,
    "chain": Rcode.NOERROR,
    "no name": Rcode.NXDOMAIN,
    "too long": Rcode.YXDOMAIN,
    "failure": Rcode.SERVFAIL,
}


def records(message: Message) -> set[Any]:
    """The answer section, in any order and letter case."""
    return {(fold(r.name), r.type, r.ttl, r.rdata) for r in message.answer}


class ExplainTests(SynchronousTestCase):
    """Explanations of single questions."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue(make_tree(EXAMPLE + MORE))

    def rules(self, name: str, qtype: int = Type.A, **client: Any) -> str:
        """All rules and texts."""
        who = Client("192.0.2.7", **client)
        found = explain(self.dialogue, parse_name(name), qtype, who)
        return "\n".join(f"{step.rule}: {step.text}" for step in found.steps)

    @given(NAMES, TYPES, st.sampled_from(Transport))
    def test_agrees(self, name: bytes, qtype: int, transport: Transport) -> None:
        """The steps give the records and the response code that the server gives, for
        every question."""
        client = Client("192.0.2.7", transport)
        found = explain(self.dialogue, name, qtype, client)
        if qtype in (Type.AXFR, Type.IXFR):
            return
        reply = found.reply
        assert reply is not None
        endings = [step.ending for step in found.steps if step.ending]
        self.assertEqual(1, len(endings), found.steps)
        if endings[0] == "refused":
            self.assertNotEqual(Rcode.NOERROR, reply.rcode)
            return
        self.assertEqual(ENDINGS[endings[0]], reply.rcode, found.steps)
        if not reply.is_truncated:
            used = {
                (fold(rrset.owner), rrset.type, rrset.ttl, rdata)
                for step in found.steps
                for rrset in step.records
                for rdata in rrset.rdatas
            }
            self.assertEqual(records(reply), used, found.steps)

    def test_reply(self) -> None:
        """The reply is the server's own."""
        found = explain(
            self.dialogue, parse_name("www.example.com."), Type.A, Client("192.0.2.7")
        )
        assert found.reply is not None
        reply = ask(self.dialogue, "www.example.com.", Type.A)

        self.assertEqual(records(reply), records(found.reply))
        self.assertEqual(reply.authority, found.reply.authority)

    def test_rules(self) -> None:
        """Each way to an answer names its rule."""
        for name, qtype, rule in (
            ("www.example.com.", Type.A, "4.3.2 step 3a: www.example.com. has A"),
            ("www.example.com.", Type.MX, "RFC 2308 2.2: www.example.com. has A, and"),
            ("ent.example.com.", Type.A, "there are names below it"),
            ("x.wild.example.com.", Type.A, "RFC 4592 3.3.3: x.wild"),
            ("no.example.com.", Type.A, "RFC 4592 3.3.1: no.example.com. does not"),
            ("a.sub.example.com.", Type.A, "4.3.2 step 3b: a.sub.example.com. lies"),
            ("sub.example.com.", Type.DS, "RFC 4035 3.1.4.1"),
            ("x.old.example.com.", Type.A, "RFC 6672 3.2 step 3c"),
            (f"{'l.' * 100}old.example.com.", Type.A, "RFC 6672 3.2 step 3c"),
            ("outside.example.com.", Type.A, "www.example.net. is not in this zone"),
            ("loop1.example.com.", Type.A, "the chain is a loop"),
            ("example.net.", Type.A, "RFC 5358 4"),
            ("www.example.com.", Type.ANY, "RFC 8482 4"),
            ("www.example.com.", Type.AXFR, "RFC 5936 2"),
            ("example.com.", Type.MX, "4.3.2 step 6"),
            ("big.example.com.", Type.TXT, "RFC 2181 9"),
        ):
            self.assertIn(rule, self.rules(name, qtype), f"{name} {qtype}")

    def test_too_long(self) -> None:
        """What a DNAME makes too long is told; RFC 6672 2.2."""
        target = ".".join(["t" * 60] * 3)
        tree = make_tree(EXAMPLE + f"grow DNAME {target}\n")
        self.dialogue = make_dialogue(tree)
        name = ".".join(["l" * 60, "grow.example.com."])

        self.assertIn("YXDOMAIN", self.rules(name))

    def test_without_soa(self) -> None:
        """A zone that lost its SOA is told."""
        tree = make_tree()
        tree.remove(tree.apex, Type.SOA)
        tree.touch()
        self.dialogue = make_dialogue(tree)

        self.assertIn("SERVFAIL", self.rules("www.example.com."))

    def test_limit(self) -> None:
        """A chain with too many links is cut, and that is told."""
        links = "".join(f"c{n} CNAME c{n + 1}\n" for n in range(30))
        self.dialogue = make_dialogue(make_tree(EXAMPLE + links))

        self.assertIn("dns.max_cname_chain", self.rules("c0.example.com."))

    def test_requests(self) -> None:
        """What the control socket brings is checked."""
        for request in (
            {"name": 5},
            {"name": "a..b."},
            {"type": "NONSENSE"},
            {"address": "nobody"},
            {"view": "nowhere"},
            {"transport": "pigeon"},
        ):
            self.assertRaises(
                ValueError,
                explain_request,
                self.dialogue,
                lambda client: client,
                {"name": "www.example.com.", **request},
            )


class CommandTests(CommandTestCase):
    """``netservices zone explain`` without a server."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write(EXAMPLE)
        self.command("zone", "import", "example.com", self.path)

    def test_equals_server(self) -> None:
        """The store alone gives what the server gives."""
        dialogue = make_dialogue()
        for name, qtype in (
            ("www.example.com.", "A"),
            ("x.wild.example.com.", "TXT"),
            ("sub.example.com.", "NS"),
            ("missing.example.com.", "A"),
        ):
            expected = explain_request(
                dialogue, lambda client: client, {"name": name, "type": qtype}
            )
            self.assertEqual(expected, self.rows("zone", "explain", name, qtype))

    def test_text(self) -> None:
        """For people, steps in words, and the answer."""
        lines = self.command("zone", "explain", "alias.example.com").splitlines()

        self.assertEqual("alias.example.com. A", lines[0])
        self.assertIn("     alias.example.com. 3600 IN CNAME www.example.com.", lines)
        self.assertIn("NOERROR authoritative", lines)

    def test_views(self) -> None:
        """A client gets what its view shows."""
        with open(self.config, "a") as file:
            file.write('[dns]\nviews = ["inside clients=10.0.0.0/8"]\n')
        words = ("zone", "record", "add", "example.com", "--view", "inside")
        self.command(*words, "www", "300", "A", "10.0.0.80")
        for options, expected in (
            (("--from", "10.1.2.3"), {"10.0.0.80"}),
            (("--view", "inside"), {"10.0.0.80"}),
            (("--from", "192.0.2.1"), {"192.0.2.80", "192.0.2.81"}),
        ):
            row = self.rows("zone", "explain", "www.example.com", *options)
            data = {line.split()[-1] for line in row["answer"]}
            self.assertEqual(expected, data)

    def test_mistakes(self) -> None:
        """What cannot be asked is refused in words."""
        for words in (
            ("a..b",),
            ("www.example.com", "NONSENSE"),
            ("www.example.com", "--from", "nobody"),
            ("www.example.com", "--view", "nowhere"),
        ):
            self.assertNotEqual("", self.refusal("zone", "explain", *words))
