"""The traps of an authoritative server, every one of them: where it is tested, and
those that are tested nowhere else."""

from __future__ import annotations

import struct
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.cookies import Cookies
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import QR, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from tests.dns.authority import LOOPBACK, ask, lines, make_dialogue, make_tree, question

TRAPS = {
    "a response is never answered": "test_dialogue.HeaderTests.test_silence",
    "nor is port 0": "test_caches.ExactTests.test_port_zero",
    "nor are we ourselves": "test_traps.TrapTests.test_ourselves",
    "not exactly one question": "test_dialogue.HeaderTests.test_question_counts",
    "unknown opcodes, repeated": "test_dialogue.HeaderTests.test_opcodes",
    "ID, RD and CD copied; Z, AD, RA clear": (
        "test_dialogue.HeaderTests.test_copied_bits"
    ),
    "AA off in referrals": "test_lookup.LookupTests.test_referral",
    "OPT only if asked": "test_dialogue.EdnsTests.test_only_if_asked",
    "OPT also in refusals": "test_dialogue.EdnsTests.test_also_in_refusals",
    "two OPT": "test_dialogue.EdnsTests.test_two",
    "EDNS version above 0": "test_dialogue.EdnsTests.test_version",
    "unknown options are not sent back": "test_dialogue.EdnsTests.test_unknown_options",
    "DO is repeated": "test_dialogue.EdnsTests.test_do_is_repeated",
    "sizes below 512, and above ours": "test_dialogue.SizeTests.test_limits",
    "lengths of cookies": "test_dialogue.EdnsTests.test_cookie_lengths",
    "BADCOOKIE is more than four bits": "test_traps.TrapTests.test_badcookie",
    "NSID on request only": "test_dialogue.EdnsTests.test_nsid",
    "padding over TLS only": "test_dialogue.EdnsTests.test_padding",
    "keepalive over TCP only": "test_dialogue.EdnsTests.test_keepalive",
    "TC without part of an RRset": "test_dialogue.SizeTests.test_truncation",
    "TC for glue that is needed": "test_dialogue.SizeTests.test_needed_glue_sets_tc",
    "letter case does not matter": "test_lookup.LookupTests.test_letter_case",
    "letter case is kept": "test_caches.ExactTests.test_case_is_kept",
    "only ASCII has letter case": "test_traps.TrapTests.test_ascii_case",
    "long chains": "test_lookup.LookupTests.test_long_chain",
    "loops": "test_lookup.LookupTests.test_loop",
    "DNAME that makes a name too long": "test_lookup.LookupTests.test_dname_overflow",
    "CNAME asked below a DNAME": "test_lookup.LookupTests.test_dname_cname",
    "the wildcard itself": "test_lookup.LookupTests.test_wildcard_itself",
    "empty non-terminals": "test_lookup.LookupTests.test_empty_non_terminal",
    "NS below a cut": "test_traps.TrapTests.test_cut_below_a_cut",
    "no compression in later types": "test_traps.TrapTests.test_no_compression",
    "TTL 0": "test_traps.TrapTests.test_ttl_zero",
    "TTL of a denial": "test_traps.TrapTests.test_negative_ttl",
    "class CH by policy": "test_dialogue.PolicyTests.test_chaos",
    "caches of views": "test_split_horizon.ViewServerTests.test_views",
    "caches and changes": "test_caches.ExactTests.test_change",
    "caches and access lists": "test_access.AllowQueryTests.test_zone",
    "caches and limits of rate": "test_rates.ServerTests.test_remembered",
}
"""What could be got wrong, and the test of it, below ``tests.dns``."""

HEAD = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"


class TrapTests(SynchronousTestCase):
    """Each of them once."""

    def test_all_are_tested(self) -> None:
        """Every trap has its test."""
        missing = []
        for trap, place in TRAPS.items():
            module, name, test = place.split(".")
            case = getattr(import_module(f"tests.dns.{module}"), name, None)
            if not hasattr(case, test):
                missing.append(f"{trap}: {place}")
        self.assertEqual([], missing)

    def test_ourselves(self) -> None:
        """Every kind of reply of ours gets none itself, and so we do not answer
        ourselves whatever address a question pretends to come from."""
        dialogue = make_dialogue()
        for data in (
            question("www.example.com.", "A"),
            question("foreign.", "A", edns=Edns(1232)),
            question("www.example.com.", "A", edns=Edns(1232, version=1)),
            question("www.example.com.", "A", opcode=2),
            question("www.example.com.", "A")[:14],
        ):
            reply = dialogue.answer(data, LOOPBACK)
            assert isinstance(reply, bytes)
            self.assertIsNone(dialogue.answer(reply, LOOPBACK))

    def test_badcookie(self) -> None:
        """Its upper bits are in OPT, its lower ones in the header; one that is cut to
        four bits would be YXRRSET."""
        dialogue = make_dialogue()
        dialogue.extensions.requires_cookies = True
        dialogue.extensions.cookies = Cookies(lambda: 0)
        asked = Edns(1232, False, ((10, bytes(8)),))
        data = question("www.example.com.", "A", edns=asked)
        reply = dialogue.answer(data, LOOPBACK)
        assert isinstance(reply, bytes)
        self.assertEqual(Rcode.BADCOOKIE & 15, reply[3] & 15)
        message = Message.parse(reply)
        self.assertEqual(Rcode.BADCOOKIE, message.rcode)

    def test_ascii_case(self) -> None:
        """Octets above 127 are no letters: ``0xC4`` and ``0xE4`` are two names."""
        dialogue = make_dialogue(make_tree(HEAD + "\\228 60 A 192.0.2.2\n", "x."))
        self.assertEqual(Rcode.NOERROR, ask(dialogue, "\\228.x.", "A").rcode)
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "\\196.x.", "A").rcode)
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "\\@.x.", "A").rcode)

    def test_cut_below_a_cut(self) -> None:
        """The uppermost cut is the one that counts."""
        text = HEAD + "d 60 NS n.d\nn.d 60 A 192.0.2.2\n"
        text += "e.d 60 NS n.e.d\nn.e.d 60 A 192.0.2.3\n"
        message = ask(make_dialogue(make_tree(text, "x.")), "q.e.d.x.", "A")
        self.assertEqual({"d.x. 60 NS n.d.x."}, lines(message.authority))
        self.assertEqual({"n.d.x. 60 A 192.0.2.2"}, lines(message.additional))

    def test_no_compression(self) -> None:
        """Names in the data of DNAME, SRV, SVCB and of types that are not known are
        whole.  RFC 3597 4, RFC 6672 2.5, RFC 9460 2.2."""
        text = HEAD + "d 60 DNAME ns.x.\ns 60 SRV 0 0 1 ns.x.\nv 60 SVCB 1 ns.x.\n"
        text += "t 60 TYPE65280 \\# 6 026e730178 00\n"
        dialogue = make_dialogue(make_tree(text, "x."), minimal_responses=True)
        whole = parse_name("ns.x.")
        for name, qtype in (("d", 39), ("s", 33), ("v", 64), ("t", 65280)):
            data = question(f"{name}.x.", qtype)
            reply = dialogue.answer(data, LOOPBACK)
            assert isinstance(reply, bytes)
            end = len(data)
            (length,) = struct.unpack_from(">H", reply, end + 10)
            self.assertIn(whole, reply[end + 12 : end + 12 + length], name)

    def test_ttl_zero(self) -> None:
        """0 goes out as 0."""
        dialogue = make_dialogue(make_tree(HEAD + "z 0 A 192.0.2.2\n", "x."))
        for _ in range(2):
            message = ask(dialogue, "z.x.", "A")
            self.assertEqual({"z.x. 0 A 192.0.2.2"}, lines(message.answer))

    def test_negative_ttl(self) -> None:
        """A denial lives as long as the lesser of the SOA's TTL and its last field.
        RFC 2308 3."""
        for ttl, minimum, wanted in ((60, 5, 5), (60, 600, 60)):
            text = f"@ {ttl} SOA a b 1 2 3 4 {minimum}\n@ 60 NS a\na 60 A 192.0.2.1\n"
            dialogue = make_dialogue(make_tree(text, "x."))
            for name in ("none.x.", "a.x."):
                (soa,) = ask(dialogue, name, "TXT").authority
                self.assertEqual(wanted, soa.ttl)
            (soa,) = ask(dialogue, "x.", "SOA").answer
            self.assertEqual(ttl, soa.ttl)

    def test_header_over_every_transport(self) -> None:
        """The header does not depend on how a question came."""
        dialogue = make_dialogue()
        data = question("www.example.com.", "A", flags=0x0130)
        for transport in Transport:
            reply = dialogue.answer(data, Client("127.0.0.1", transport))
            assert isinstance(reply, bytes)
            flags = reply[2] << 8 | reply[3]
            self.assertEqual(QR | 0x0400 | 0x0110, flags)
