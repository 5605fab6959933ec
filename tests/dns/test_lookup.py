"""The answer algorithm: RFC 1034 4.3.2 and what amends it, case by case."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.values import RRset
from tests.dns.authority import ask, lines, make_dialogue, make_tree

SOA = (
    "example.com. 300 SOA ns1.example.com. hostmaster.example.com. "
    "2026112101 7200 1800 1209600 300"
)
APEX_NS = {
    "example.com. 3600 NS ns1.example.com.",
    "example.com. 3600 NS ns2.example.net.",
}
NS1 = {"ns1.example.com. 3600 A 192.0.2.1", "ns1.example.com. 3600 AAAA 2001:db8::1"}


class LookupTests(SynchronousTestCase):
    """Questions to the example zone."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue()

    def ask(self, name: str, qtype: str | int = "A") -> Message:
        return ask(
            self.dialogue, f"{name}.example.com." if name else "example.com.", qtype
        )

    def assert_answer(self, message: Message, *expected: str) -> None:
        """NOERROR, AA, and these records."""
        self.assertEqual(Rcode.NOERROR, message.rcode)
        self.assertTrue(message.is_authoritative)
        self.assertEqual(set(expected), lines(message.answer))

    def assert_denial(self, message: Message, rcode: int) -> None:
        """AA, no answer, and the SOA with the lesser TTL."""
        self.assertEqual(rcode, message.rcode)
        self.assertTrue(message.is_authoritative)
        self.assertEqual((), message.answer)
        self.assertEqual({SOA}, lines(message.authority))

    def test_positive(self) -> None:
        """All records of the set, the zone's servers, and the addresses of those."""
        message = self.ask("www")
        self.assert_answer(
            message,
            "www.example.com. 3600 A 192.0.2.80",
            "www.example.com. 3600 A 192.0.2.81",
        )
        self.assertEqual(APEX_NS, lines(message.authority))
        self.assertEqual(NS1, lines(message.additional))

    def test_apex_servers(self) -> None:
        """NS of the apex is the answer and is not repeated as authority."""
        message = self.ask("", "NS")
        self.assert_answer(message, *APEX_NS)
        self.assertEqual((), message.authority)
        self.assertEqual(NS1, lines(message.additional))

    def test_minimal(self) -> None:
        """With ``minimal_responses`` only the answer is sent."""
        dialogue = make_dialogue(minimal_responses=True)
        message = ask(dialogue, "www.example.com.", "A")
        self.assertEqual((2, 0, 0), (len(message.answer), len(message.authority),
                                     len(message.additional)))  # fmt: skip

    def test_no_data(self) -> None:
        """A name without the type: NOERROR and the SOA, whose TTL is the lesser of its
        own and MINIMUM.  RFC 2308 2.2, 3."""
        self.assert_denial(self.ask("www", "TXT"), Rcode.NOERROR)

    def test_no_name(self) -> None:
        """A name that is not there: NXDOMAIN and the SOA.  RFC 2308 2.1."""
        self.assert_denial(self.ask("missing"), Rcode.NXDOMAIN)
        self.assert_denial(self.ask("below.www"), Rcode.NXDOMAIN)

    def test_empty_non_terminal(self) -> None:
        """A name that only has names below it exists.  RFC 4592 2.2.2, RFC 8020."""
        self.assert_denial(self.ask("ent"), Rcode.NOERROR)
        self.assert_denial(self.ask("_tcp"), Rcode.NOERROR)
        self.assert_denial(self.ask("wild"), Rcode.NOERROR)

    def test_letter_case(self) -> None:
        """Names are the same in any letter case, and the question comes back as it was
        sent.  RFC 4343."""
        message = self.ask("WwW")
        self.assertEqual(2, len(message.answer))
        self.assertEqual(b"\3WwW\7example\3com\0", message.questions[0].name)
        self.assertEqual(b"\3WwW\7example\3com\0", message.answer[0].name)

    def test_unknown_type(self) -> None:
        """A type without a name is served like any other.  RFC 3597."""
        self.assert_answer(
            self.ask("t", 65280), "t.example.com. 3600 TYPE65280 \\# 3 010203"
        )

    # --- CNAME ---

    def test_chain(self) -> None:
        """A CNAME is followed inside the zone.  RFC 1034 4.3.2 step 3a."""
        self.assert_answer(
            self.ask("alias"),
            "alias.example.com. 3600 CNAME www.example.com.",
            "www.example.com. 3600 A 192.0.2.80",
            "www.example.com. 3600 A 192.0.2.81",
        )

    def test_cname_asked(self) -> None:
        """A question for CNAME gets the CNAME alone."""
        self.assert_answer(
            self.ask("alias", "CNAME"), "alias.example.com. 3600 CNAME www.example.com."
        )

    def test_chain_leaves_the_zone(self) -> None:
        """What another zone says is left to the client."""
        message = self.ask("outside")
        self.assert_answer(message, "outside.example.com. 3600 CNAME www.example.net.")
        self.assertEqual((), message.authority)

    def test_chain_to_nothing(self) -> None:
        """The response code is that of the last name.  RFC 6604 3."""
        message = self.ask("nowhere")
        self.assertEqual(Rcode.NXDOMAIN, message.rcode)
        self.assertEqual(1, len(message.answer))
        self.assertEqual({SOA}, lines(message.authority))

    def test_chain_to_no_data(self) -> None:
        """A chain that ends without data says so with the SOA."""
        message = self.ask("alias", "MX")
        self.assertEqual(Rcode.NOERROR, message.rcode)
        self.assertEqual({SOA}, lines(message.authority))

    def test_loop(self) -> None:
        """A loop of CNAMEs is given once around."""
        self.assert_answer(
            self.ask("loop1"),
            "loop1.example.com. 3600 CNAME loop2.example.com.",
            "loop2.example.com. 3600 CNAME loop1.example.com.",
        )

    def test_long_chain(self) -> None:
        """A chain is followed ``max_cname_chain`` times and no further."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\n" + "".join(
            f"c{i} 60 CNAME c{i + 1}\n" for i in range(40)
        )
        for limit in (1, 18):
            dialogue = make_dialogue(make_tree(text, "x."), max_cname_chain=limit)
            message = ask(dialogue, "c0.x.", "A")
            self.assertEqual(limit + 1, len(message.answer))
            self.assertEqual(Rcode.NOERROR, message.rcode)

    # --- wildcards ---

    def test_wildcard(self) -> None:
        """A wildcard answers under the name that was asked for.  RFC 4592 3.3.1."""
        self.assert_answer(self.ask("x.wild"), "x.wild.example.com. 3600 A 192.0.2.7")
        self.assert_answer(
            self.ask("a.b.wild"), "a.b.wild.example.com. 3600 A 192.0.2.7"
        )

    def test_wildcard_no_data(self) -> None:
        """A wildcard without the type is NOERROR."""
        self.assert_denial(self.ask("x.wild", "MX"), Rcode.NOERROR)

    def test_wildcard_does_not_reach_names_that_exist(self) -> None:
        """An existing name and what is below it are not covered.  RFC 4592 2.2.1."""
        self.assert_denial(self.ask("host.wild"), Rcode.NOERROR)
        self.assert_denial(self.ask("x.host.wild"), Rcode.NXDOMAIN)

    def test_wildcard_itself(self) -> None:
        """``*`` may be asked for by its own name.  RFC 4592 2.1.1."""
        self.assert_answer(self.ask("*.wild"), "*.wild.example.com. 3600 A 192.0.2.7")

    def test_below_the_wildcard(self) -> None:
        """A name below a wildcard is covered by nothing.  RFC 4592 2.2.1."""
        self.assert_denial(self.ask("x.*.wild"), Rcode.NXDOMAIN)

    def test_wildcard_cname(self) -> None:
        """A CNAME at a wildcard is followed.  RFC 4592 4.3."""
        self.assertEqual(3, len(self.ask("q.walias").answer))

    # --- delegations ---

    def assert_referral(self, message: Message) -> None:
        """Servers of ``sub`` with the glue that the zone has."""
        self.assertEqual(Rcode.NOERROR, message.rcode)
        self.assertFalse(message.is_authoritative)
        self.assertEqual((), message.answer)
        self.assertEqual(
            {
                "sub.example.com. 3600 NS ns.sub.example.com.",
                "sub.example.com. 3600 NS ns.other.example.com.",
                "sub.example.com. 3600 NS ns.example.net.",
            },
            lines(message.authority),
        )
        self.assertEqual(
            {
                "ns.sub.example.com. 3600 A 192.0.2.53",
                "ns.sub.example.com. 3600 AAAA 2001:db8::53",
                "ns.other.example.com. 3600 A 192.0.2.54",
            },
            lines(message.additional),
        )

    def test_referral(self) -> None:
        """At and below a cut: its servers, with glue inside it and sibling glue,
        without AA.  RFC 1034 4.3.2 step 3b, RFC 9471."""
        for name in ("sub", "x.sub", "a.b.c.sub", "ns.sub"):
            self.assert_referral(self.ask(name))
        self.assert_referral(self.ask("sub", "NS"))
        self.assert_referral(self.ask("sub", "ANY"))

    def test_ds_at_the_cut(self) -> None:
        """DS lives on the parent's side of the cut.  RFC 4035 3.1.4.1."""
        message = self.ask("sub", "DS")
        self.assertTrue(message.is_authoritative)
        self.assertEqual([Type.DS], [r.type for r in message.answer])
        self.assert_referral(self.ask("x.sub", "DS"))

    def test_chain_into_a_delegation(self) -> None:
        """A chain that meets a cut ends in a referral; AA belongs to its first name."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\nc 60 CNAME x.d\nd 60 NS n.d\n"
        message = ask(
            make_dialogue(make_tree(text + "n.d 60 A 192.0.2.3\n", "x.")), "c.x.", "A"
        )
        self.assertTrue(message.is_authoritative)
        self.assertEqual({"c.x. 60 CNAME x.d.x."}, lines(message.answer))
        self.assertEqual({"d.x. 60 NS n.d.x."}, lines(message.authority))
        self.assertEqual({"n.d.x. 60 A 192.0.2.3"}, lines(message.additional))

    # --- DNAME ---

    def test_dname(self) -> None:
        """Below a DNAME: the DNAME and the CNAME made from it, with its TTL, followed
        inside the zone.  RFC 6672 3.1."""
        self.assert_answer(
            self.ask("x.old"),
            "old.example.com. 3600 DNAME new.example.com.",
            "x.old.example.com. 3600 CNAME x.new.example.com.",
            "x.new.example.com. 3600 A 192.0.2.99",
        )

    def test_dname_owner(self) -> None:
        """The DNAME's own name is not redirected.  RFC 6672 2.3."""
        self.assert_denial(self.ask("old"), Rcode.NOERROR)
        self.assert_answer(
            self.ask("old", "DNAME"), "old.example.com. 3600 DNAME new.example.com."
        )

    def test_dname_cname(self) -> None:
        """A question for CNAME is answered by the one that was made."""
        self.assert_answer(
            self.ask("q.away", "CNAME"),
            "away.example.com. 3600 DNAME example.org.",
            "q.away.example.com. 3600 CNAME q.example.org.",
        )

    def test_dname_overflow(self) -> None:
        """A name that becomes too long is YXDOMAIN, with the DNAME.  RFC 6672 2.2."""
        long = ".".join(["a" * 60] * 3)
        text = f"@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\nd 60 DNAME {long}.x.\n"
        dialogue = make_dialogue(make_tree(text, "x."))
        message = ask(dialogue, "b" * 60 + ".cccccccc.d.x.", "A")
        self.assertEqual(Rcode.YXDOMAIN, message.rcode)
        self.assertEqual([Type.DNAME], [r.type for r in message.answer])

    def test_dname_chain_that_grows(self) -> None:
        """A DNAME into its own subtree is applied once."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\nd 60 DNAME e.d.x.\n"
        message = ask(make_dialogue(make_tree(text, "x.")), "q.d.x.", "A")
        self.assertEqual(
            {"d.x. 60 DNAME e.d.x.", "q.d.x. 60 CNAME q.e.d.x."}, lines(message.answer)
        )

    # --- additional section ---

    def test_mx_srv_and_https(self) -> None:
        """Targets in the zone bring their addresses.  RFC 1035 3.3.9, RFC 2782,
        RFC 9460 4.1."""
        for name, qtype, wanted in (
            ("", "MX", "mail.example.com. 3600 A 192.0.2.25"),
            ("_sip._tcp", "SRV", "mail.example.com. 3600 A 192.0.2.25"),
            ("svc", "HTTPS", "www.example.com. 3600 A 192.0.2.80"),
            ("self", "HTTPS", "self.example.com. 3600 A 192.0.2.88"),
        ):
            self.assertIn(wanted, lines(self.ask(name, qtype).additional), name)

    def test_glue_is_no_answer(self) -> None:
        """Below a cut there is nothing authoritative: MX does not bring it.
        RFC 2181 5.4.1."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.\n@ 60 MX 1 h.d\nd 60 NS h.d\n"
        dialogue = make_dialogue(make_tree(text + "h.d 60 A 192.0.2.3\n", "x."))
        self.assertEqual((), ask(dialogue, "x.", "MX").additional)

    # --- ANY ---

    def test_any(self) -> None:
        """ANY gets one RRset, a HINFO, or all, as the policy says.  RFC 8482 4."""
        for policy, types in (
            ("rrset", {Type.MX}),
            ("hinfo", {Type.HINFO}),
            ("all", {Type.SOA, Type.NS, Type.MX, Type.TXT}),
        ):
            dialogue = make_dialogue(any_policy=policy)
            message = ask(dialogue, "example.com.", "ANY")
            found = {record.type for record in message.answer}
            self.assertEqual(types if policy != "rrset" else 1,
                             found if policy != "rrset" else len(found))  # fmt: skip
            self.assert_denial(ask(dialogue, "ent.example.com.", "ANY"), Rcode.NOERROR)

    def test_any_alone(self) -> None:
        """ANY gets no servers and addresses beside the answer; RFC 8482 4."""
        message = self.ask("mail", "ANY")
        self.assertEqual(1, len(message.answer))
        self.assertEqual(((), ()), (message.authority, message.additional))

    def test_beside_alias(self) -> None:
        """RRSIG and NSEC, which may stand beside a CNAME, are asked of the alias
        itself; RFC 2181 10.1, RFC 4035 2.5."""
        for qtype in "RRSIG", "NSEC":
            self.assert_denial(self.ask("alias", qtype), Rcode.NOERROR)

    def test_any_at_a_cname(self) -> None:
        """ANY at a CNAME is answered with it and not followed."""
        self.assert_answer(
            self.ask("alias", "ANY"), "alias.example.com. 3600 CNAME www.example.com."
        )


class ZonesTests(SynchronousTestCase):
    """Several zones in one server."""

    def setUp(self) -> None:
        text = "@ 60 SOA ns. h. {} 2 3 4 5\n@ 60 NS ns.\n@ 60 TXT {}\n"
        self.parent = make_tree(text.format(1, "parent") + "c 60 NS ns.\n", "p.")
        self.child = make_tree(text.format(2, "child"), "c.p.")
        self.dialogue = make_dialogue(self.parent, self.child)

    def test_longest_match(self) -> None:
        """The zone with the longest matching name answers.  RFC 1034 4.3.2 step 2."""
        self.assertEqual(
            {'p. 60 TXT "parent"'}, lines(ask(self.dialogue, "p.", "TXT").answer)
        )
        self.assertEqual(
            {'c.p. 60 TXT "child"'}, lines(ask(self.dialogue, "c.p.", "TXT").answer)
        )

    def test_ds_of_the_child(self) -> None:
        """DS of a zone whose parent is here too is the parent's.  RFC 4035 3.1.4.1."""
        message = ask(self.dialogue, "c.p.", "DS")
        self.assertEqual(["p."], [line.split()[0] for line in lines(message.authority)])

    def test_ds_without_the_parent(self) -> None:
        """Without the parent the child denies DS itself.  RFC 4035 3.1.4.1."""
        message = ask(make_dialogue(self.child), "c.p.", "DS")
        self.assertEqual((Rcode.NOERROR, ()), (message.rcode, message.answer))
        self.assertTrue(message.is_authoritative)

    def test_foreign(self) -> None:
        """A name of no zone here is REFUSED, not ignored."""
        for name in ("other.", "."):
            message = ask(self.dialogue, name, "A")
            self.assertEqual(Rcode.REFUSED, message.rcode)
            self.assertFalse(message.is_authoritative)

    def test_root(self) -> None:
        """The root may be a zone like any other."""
        root = make_tree("@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\nx 60 NS y.x\n", ".")
        dialogue = make_dialogue(root)
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "q.", "A").rcode)
        self.assertEqual(1, len(ask(dialogue, "z.x.", "A").authority))

    def test_without_soa(self) -> None:
        """A zone without SOA cannot be answered for: SERVFAIL."""
        self.parent.remove(parse_name("p."), Type.SOA)
        self.parent.touch()
        self.assertEqual(Rcode.SERVFAIL, ask(self.dialogue, "p.", "TXT").rcode)


class TreeTests(SynchronousTestCase):
    """The names of a zone while it changes."""

    def test_empty_names_come_and_go(self) -> None:
        """An empty non-terminal exists as long as something is below it."""
        tree = make_tree("@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\n", "x.")
        before = set(tree.names)
        rrset = RRset(parse_name("a.b.c.x."), Type.A, 60, (bytes(4),))
        tree.put(rrset)
        self.assertIn(parse_name("c.x."), tree.names)
        self.assertEqual(3, tree.record_count)
        tree.remove(rrset.owner, Type.A)
        self.assertEqual(before, set(tree.names))
        self.assertEqual(2, tree.record_count)
        tree.remove(rrset.owner, Type.A)
        self.assertEqual(before, set(tree.names))

    def test_answers_follow_a_change(self) -> None:
        """After ``touch`` no answer shows what was there before."""
        tree = make_tree("@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\n", "x.")
        dialogue = make_dialogue(tree)
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "h.x.", "A").rcode)
        tree.put(RRset(parse_name("h.x."), Type.A, 60, (bytes(4),)))
        tree.touch()
        self.assertEqual(1, len(ask(dialogue, "h.x.", "A").answer))
        tree.put(RRset(parse_name("x."), Type.DNAME, 60, (parse_name("y."),)))
        tree.touch()
        self.assertEqual(Type.DNAME, ask(dialogue, "h.x.", "A").answer[0].type)
        tree.remove(parse_name("x."), Type.DNAME)
        tree.put(RRset(parse_name("h.x."), Type.NS, 60, (parse_name("y."),)))
        tree.touch()
        self.assertFalse(ask(dialogue, "h.x.", "A").is_authoritative)
