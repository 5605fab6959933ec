"""Updates that put a delegation into the parent's zone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.cli.zone.registration import read_key_file
from netservices.dns.client.delegation import (
    Delegation,
    read_delegation,
    refusal_text,
    registration,
    wanted_delegation,
)
from netservices.dns.wire.codes import Class, Opcode, Rcode, Type, class_name, type_name
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.zonefile.texts import rdata_text
from tests.dns.authority import ask, make_dialogue

CHILD = parse_name("sub.example.com.")
PARENT = parse_name("example.com.")
NOTHING = Delegation(CHILD, {})


def said(records: tuple[Record, ...]) -> list[str]:
    """Records as ``NAME CLASS TYPE DATA``."""
    return [
        f"{name_text(r.name)} {class_name(r.class_)} {type_name(r.type)} "
        f"{rdata_text(r.type, r.rdata) if r.rdata else '-'}"
        for r in records
    ]


class WantedTests(SynchronousTestCase):
    """What the words of a person write."""

    def test_glue(self) -> None:
        """A server inside the child has its addresses with it."""
        found = wanted_delegation(
            CHILD,
            [
                "ns.Sub.example.com=192.0.2.1",
                "ns.sub.example.com.=2001:db8::1",
                "ns.x.",
            ],
        )
        self.assertEqual(
            {parse_name("ns.sub.example.com."), parse_name("ns.x.")}, found.servers
        )
        self.assertEqual(
            frozenset((b"\xc0\0\2\1",)),
            found.rdatas[parse_name("ns.sub.example.com."), Type.A],
        )

    def test_refusals(self) -> None:
        """Glue that is missing, that is not the child's, or no address."""
        for word, expected in (
            ("ns.sub.example.com", "give its address, as ns.sub.example.com=192.0.2.1"),
            ("ns.example.com=192.0.2.1", "not inside sub.example.com."),
            ("ns.sub.example.com=192.0.2.x", "no IP address"),
            ("ns..x", "empty label"),
        ):
            with self.assertRaises(ValueError) as caught:
                wanted_delegation(CHILD, [word])
            self.assertIn(expected, str(caught.exception))


class MessageTests(SynchronousTestCase):
    """The update, from what there is and what is wanted."""

    def test_new(self) -> None:
        """Of a name that is not delegated nothing may be in use; RFC 2136 2.4.5."""
        wanted = wanted_delegation(CHILD, ["ns.sub.example.com=192.0.2.1", "ns.x."])
        message = registration(PARENT, NOTHING, wanted, 300)
        self.assertEqual(Opcode.UPDATE, message.opcode)
        self.assertEqual(PARENT, message.questions[0].name)
        self.assertEqual(
            [
                "ns.sub.example.com. NONE ANY -",
                "sub.example.com. NONE ANY -",
            ],
            sorted(said(message.answer)),
        )
        self.assertEqual(
            [
                "ns.sub.example.com. IN A 192.0.2.1",
                "sub.example.com. IN NS ns.sub.example.com.",
                "sub.example.com. IN NS ns.x.",
            ],
            sorted(said(message.authority)),
        )
        self.assertEqual({300}, {record.ttl for record in message.authority})
        self.assertEqual(message, Message.parse(message.encode()))

    def test_replaced(self) -> None:
        """What was there must still be there, and nothing beside it; what is the same
        afterwards is not touched."""
        old = wanted_delegation(CHILD, ["ns.sub.example.com=192.0.2.1", "ns.x."])
        new = wanted_delegation(CHILD, ["ns.x."], [b"\0\1\1\1ab"])
        message = registration(PARENT, old, new)
        self.assertEqual(
            [
                "ns.sub.example.com. IN A 192.0.2.1",
                "ns.sub.example.com. NONE AAAA -",
                "sub.example.com. IN NS ns.sub.example.com.",
                "sub.example.com. IN NS ns.x.",
                "sub.example.com. NONE DS -",
            ],
            sorted(said(message.answer)),
        )
        self.assertEqual(
            {
                "ns.sub.example.com. ANY A -",
                "sub.example.com. ANY NS -",
                "sub.example.com. IN NS ns.x.",
                "sub.example.com. IN DS \\# 6 000101016162",
            },
            set(said(message.authority)),
        )
        kinds = [r.class_ for r in message.authority if r.type == Type.NS]
        self.assertEqual([Class.ANY, Class.IN], kinds)

    def test_removed(self) -> None:
        """Everything goes, the glue too."""
        old = wanted_delegation(
            CHILD, ["ns.sub.example.com=2001:db8::1"], [b"\0\1\1\1a"]
        )
        message = registration(PARENT, old, NOTHING)
        self.assertEqual(
            {
                "ns.sub.example.com. ANY AAAA -",
                "sub.example.com. ANY NS -",
                "sub.example.com. ANY DS -",
            },
            set(said(message.authority)),
        )

    def test_read(self) -> None:
        """From a referral and the answer for DS comes what is there: only glue that
        belongs to it."""
        dialogue = make_dialogue()
        found = read_delegation(
            CHILD,
            ask(dialogue, "sub.example.com.", "NS"),
            ask(dialogue, "sub.example.com.", "DS"),
        )
        owners = {(name_text(owner), type_name(t)) for owner, t in found.rdatas}
        self.assertEqual(
            {
                ("sub.example.com.", "NS"),
                ("sub.example.com.", "DS"),
                ("ns.sub.example.com.", "A"),
                ("ns.sub.example.com.", "AAAA"),
            },
            owners,
        )
        self.assertEqual(3, len(found.servers))
        none = read_delegation(CHILD, ask(dialogue, "www.example.com.", "NS"))
        self.assertFalse(none)

    def test_refusals(self) -> None:
        """Every response code has words."""
        for rcode in Rcode:
            text = refusal_text(rcode, PARENT, CHILD)
            self.assertNotIn("{", text)
            self.assertGreater(len(text), 10)


class KeyFileTests(SynchronousTestCase):
    """Keys as name servers write them."""

    def test_clause(self) -> None:
        """Name, algorithm and secret are read, in any order, with comments."""
        text = """
        # made by hand
        key "Registrar.test" {  // ours
            secret "MDEyMzQ1Njc4OWFiY2RlZg==";
            algorithm HMAC-SHA256;
        };
        """
        key = read_key_file(text)
        self.assertEqual(parse_name("registrar.test."), key.name)
        self.assertEqual(b"0123456789abcdef", key.secret)

    def test_wrong(self) -> None:
        """What is no such clause is refused, and no secret is told."""
        for text in ("", 'key "a" { algorithm hmac-sha256; };', "key a { secret b; };"):
            with self.assertRaises(ValueError):
                read_key_file(text)
        with self.assertRaises(ValueError) as caught:
            read_key_file('key "a" { algorithm hmac-sha256; secret "topsecret!"; };')
        self.assertNotIn("topsecret", str(caught.exception))
