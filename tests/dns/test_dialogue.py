"""Header, question and OPT of the replies: the traps of an answer path, one by one."""

from __future__ import annotations

import dns.message
import dns.tsig
import dns.tsigkeyring
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.policy import Client, Transport
from netservices.dns.wire import codes, edns
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import parse_name
from tests.dns.authority import (
    LOOPBACK,
    ask,
    make_dialogue,
    make_tree,
    question,
)

TCP = Client("127.0.0.1", Transport.TCP)
TLS = Client("127.0.0.1", Transport.TLS)
WWW = question("www.example.com.", "A")
OPT = Edns(1232).encode()


def with_opt(data: bytes, *opts: bytes) -> bytes:
    """A query with OPT records behind it."""
    return data[:10] + len(opts).to_bytes(2, "big") + data[12:] + b"".join(opts)


def big_tree(records: int = 60) -> object:
    """A zone with a TXT set that fills about 15 octets a record."""
    text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
    text += "".join(f"t 60 TXT {i:03}\n" for i in range(records))
    return make_tree(text, "x.")


class HeaderTests(SynchronousTestCase):
    """RFC 1035 4.1.1."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue()

    def answer(self, data: bytes) -> bytes | None:
        return self.dialogue.answer(data, LOOPBACK)

    def assert_bare(self, data: bytes, rcode: int) -> None:
        """A reply of a header alone, with ID, opcode and RD of the question."""
        reply = self.answer(data)
        assert reply is not None
        self.assertEqual(12, len(reply))
        self.assertEqual(data[:2], reply[:2])
        self.assertEqual(0x80 | data[2] & 0x79, reply[2])
        self.assertEqual(rcode, reply[3])
        self.assertEqual(bytes(8), reply[4:])

    def test_silence(self) -> None:
        """Responses and what is shorter than a header get no answer."""
        for length in range(12):
            self.assertIsNone(self.answer(WWW[:length]))
        response = bytearray(WWW)
        response[2] |= 0x80
        self.assertIsNone(self.answer(bytes(response)))
        self.assertIsNone(self.answer(self.answer(WWW) or b""))

    def test_copied_bits(self) -> None:
        """ID, RD and CD come back; Z, AD, RA and TC of a question do not."""
        for bits in range(0x10000):
            if bits & 0xF800 or bits % 7:
                continue
            data = WWW[:2] + bits.to_bytes(2, "big") + WWW[4:]
            reply = self.answer(data)
            assert reply is not None
            flags = reply[2] << 8 | reply[3]
            wanted = codes.QR | codes.AA | bits & (codes.RD | codes.CD)
            self.assertEqual(wanted, flags, f"{bits:04x}")
            self.assertEqual(WWW[:2], reply[:2])

    def test_opcodes(self) -> None:
        """Opcodes other than QUERY are not implemented, and come back."""
        for opcode in range(1, 16):
            data = WWW[:2] + bytes((opcode << 3 | 1, 0)) + WWW[4:]
            self.assert_bare(data, Rcode.NOTIMP)
            self.assert_bare(data[:12], Rcode.NOTIMP)

    def test_question_counts(self) -> None:
        """No question, or more than one, is a format error.  RFC 9619."""
        self.assert_bare(WWW[:4] + bytes(8), Rcode.FORMERR)
        self.assert_bare(WWW[:4] + b"\0\2" + WWW[6:] + WWW[12:], Rcode.FORMERR)
        self.assert_bare(WWW[:4] + b"\xff\xff" + WWW[6:], Rcode.FORMERR)

    def test_answers_in_a_question(self) -> None:
        """Records in the answer section of a question are a format error."""
        record = Record(parse_name("x."), Type.A, Class.IN, 0, bytes(4))
        self.assert_bare(
            question("www.example.com.", "A", answer=(record,)), Rcode.FORMERR
        )

    def test_authority_in_a_question(self) -> None:
        """Only IXFR brings an authority section.  RFC 1995 3."""
        record = Record(parse_name("x."), Type.A, Class.IN, 0, bytes(4))
        message = ask(self.dialogue, "www.example.com.", "A", authority=(record,))
        self.assertEqual(Rcode.FORMERR, message.rcode)
        message = ask(self.dialogue, "example.com.", "IXFR", authority=(record,))
        self.assertEqual(Rcode.REFUSED, message.rcode)

    def test_octets_behind(self) -> None:
        """Octets after the last record are a format error."""
        reply = Message.parse(self.answer(WWW + b"x") or b"")
        self.assertEqual(Rcode.FORMERR, reply.rcode)
        self.assertEqual(parse_name("www.example.com."), reply.questions[0].name)

    def test_compressed_question(self) -> None:
        """A pointer in the question has nothing to point to."""
        self.assert_bare(WWW[:12] + b"\3www\xc0\x0c\0\1\0\1", Rcode.FORMERR)
        self.assert_bare(WWW[:12] + b"\x40\0\1\0\1", Rcode.FORMERR)

    def test_every_truncation(self) -> None:
        """Every prefix of a question is a format error or silence."""
        for data in (WWW, with_opt(WWW, OPT)):
            for end in range(12, len(data)):
                reply = self.answer(data[:end])
                assert reply is not None
                self.assertEqual(Rcode.FORMERR, reply[3] & 15)

    def test_every_bit_flip(self) -> None:
        """A question with any one bit turned gets silence or a reply that parses, with
        its ID."""
        data = with_opt(WWW, Edns(1232, True, ((edns.COOKIE, bytes(8)),)).encode())
        for bit in range(len(data) * 8):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            reply = self.answer(bytes(changed))
            if reply is not None:
                self.assertTrue(Message.parse(reply).is_response)
                self.assertEqual(changed[:2], reply[:2])

    @settings(max_examples=500)
    @given(st.binary(max_size=200))
    @example(bytes(12))
    def test_random_octets(self, data: bytes) -> None:
        """Any octets get silence or a reply that parses."""
        reply = make_dialogue(SHARED_TREE).answer(data, LOOPBACK)
        if reply is not None:
            Message.parse(reply)

    @given(st.binary(max_size=600))
    def test_random_records(self, tail: bytes) -> None:
        """Any octets behind a good question: a format error or an answer."""
        for count in (1, 2, 9):
            data = WWW[:10] + count.to_bytes(2, "big") + WWW[12:] + tail
            reply = make_dialogue(SHARED_TREE).answer(data, LOOPBACK)
            assert reply is not None
            Message.parse(reply)

    def test_hostile_packets(self) -> None:
        """The longest name, thousands of options, and counts that promise more than is
        there: answered or refused, by the limits."""
        long_name = (b"\1a" * 127) + b"\0"
        options = b"\0\x64\0\0" * 16000
        opt = b"\0\0\x29\x04\xd0\0\0\0\0" + len(options).to_bytes(2, "big") + options
        records = b"\0\0\1\0\1\0\0\0\0\0\0" * 5900
        for packet, rcode in (
            (WWW[:12] + long_name + b"\0\1\0\1", Rcode.REFUSED),
            (WWW[:12] + b"\1a" + long_name + b"\0\1\0\1", Rcode.FORMERR),
            (with_opt(WWW, opt), Rcode.FORMERR),
            (WWW[:10] + b"\xff\xff" + WWW[12:] + records, Rcode.FORMERR),
        ):
            reply = self.answer(packet)
            assert reply is not None
            self.assertEqual(rcode, reply[3] & 15)


SHARED_TREE = make_tree()


class EdnsTests(SynchronousTestCase):
    """RFC 6891."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue(nsid="here")

    def ask(self, opt: Edns | None, client: Client = LOOPBACK) -> Message:
        return ask(self.dialogue, "www.example.com.", "A", client, edns=opt)

    def test_only_if_asked(self) -> None:
        """OPT answers OPT.  RFC 6891 7."""
        self.assertIsNone(self.ask(None).edns)
        self.assertEqual(Edns(1232), self.ask(Edns(4096)).edns)

    def test_also_in_refusals(self) -> None:
        """REFUSED and FORMERR have OPT too, if the question had."""
        message = ask(self.dialogue, "foreign.", "A", edns=Edns(1232))
        error = (edns.EXTENDED_ERROR, b"\0\x14")
        self.assertEqual(Edns(1232, False, (error,)), message.edns)
        self.assertEqual(Rcode.REFUSED, message.rcode)

    def test_do_is_repeated(self) -> None:
        """DO comes back, other flags do not.  RFC 3225 3, RFC 6891 6.1.4."""
        self.assertEqual(
            Edns(1232, True), self.ask(Edns(1232, True, flags=0x7FFF)).edns
        )

    def test_version(self) -> None:
        """A higher version gets BADVERS, ours, and no answer.  RFC 6891 6.1.3."""
        message = self.ask(Edns(1232, version=1))
        self.assertEqual(Rcode.BADVERS, message.rcode)
        self.assertEqual((), message.answer + message.authority)
        assert message.edns is not None
        self.assertEqual(0, message.edns.version)

    def test_two(self) -> None:
        """Two OPT records are a format error.  RFC 6891 6.1.1."""
        reply = self.dialogue.answer(with_opt(WWW, OPT, OPT), LOOPBACK)
        self.assertEqual(Rcode.FORMERR, Message.parse(reply or b"").rcode)

    def test_owner(self) -> None:
        """OPT belongs to the root.  RFC 6891 6.1.2."""
        reply = self.dialogue.answer(with_opt(WWW, b"\1a" + OPT), LOOPBACK)
        self.assertEqual(Rcode.FORMERR, Message.parse(reply or b"").rcode)

    def test_broken_option(self) -> None:
        """An option that runs over the end is a format error, with OPT.
        RFC 6891 7."""
        broken = OPT[:9] + b"\0\5\0\3\0\4x"
        reply = Message.parse(
            self.dialogue.answer(with_opt(WWW, broken), LOOPBACK) or b""
        )
        self.assertEqual((Rcode.FORMERR, Edns(1232)), (reply.rcode, reply.edns))

    def test_too_many(self) -> None:
        """More options or records than the limits are a format error."""
        options = tuple((100, b"") for _ in range(17))
        self.assertEqual(Rcode.NOERROR, self.ask(Edns(512, False, options[:16])).rcode)
        self.assertEqual(Rcode.FORMERR, self.ask(Edns(512, False, options)).rcode)
        record = Record(b"\0", Type.A, Class.IN, 0, bytes(4))
        for count, rcode in ((8, Rcode.NOERROR), (9, Rcode.FORMERR)):
            message = ask(
                self.dialogue, "www.example.com.", "A", additional=(record,) * count
            )
            self.assertEqual(rcode, message.rcode)

    def test_unknown_options(self) -> None:
        """Unknown options are ignored and not sent back.  RFC 6891 6.1.2."""
        message = self.ask(Edns(1232, False, ((65001, b"x"), (65001, b""))))
        self.assertEqual((Rcode.NOERROR, Edns(1232)), (message.rcode, message.edns))

    def test_nsid(self) -> None:
        """The server's name for those who ask for it.  RFC 5001."""
        message = self.ask(Edns(1232, False, ((edns.NSID, b""),)))
        assert message.edns is not None
        self.assertEqual(b"here", message.edns.option(edns.NSID))

    def test_keepalive(self) -> None:
        """How long a connection may idle, over TCP only.  RFC 7828 3.2.1."""
        asked = Edns(1232, False, ((edns.TCP_KEEPALIVE, b""),))
        message = self.ask(asked, TCP)
        assert message.edns is not None
        self.assertEqual(b"\0\x64", message.edns.option(edns.TCP_KEEPALIVE))
        self.assertEqual(Edns(1232), self.ask(asked).edns)

    def test_padding(self) -> None:
        """Over TLS a reply is padded to 468 octets if the question was padded, and
        nowhere else.  RFC 7830 4, RFC 8467 4.1."""
        asked = Edns(1232, False, ((edns.PADDING, bytes(9)), (edns.NSID, b"")))
        for name in ("www.example.com.", "q.example.com.", "foreign."):
            data = question(name, "A", edns=asked)
            reply = self.dialogue.answer(data, TLS)
            assert reply is not None
            self.assertEqual(468, len(reply))
            opt = Message.parse(reply).edns
            assert opt is not None
            self.assertEqual(b"here", opt.option(edns.NSID))
            for client in (LOOPBACK, TCP):
                self.assertLess(len(self.dialogue.answer(data, client) or b""), 468)
        data = question("www.example.com.", "A", edns=Edns(1232))
        self.assertLess(len(self.dialogue.answer(data, TLS) or b""), 468)

    def test_cookie_lengths(self) -> None:
        """A cookie has 8, or 16 to 40 octets.  RFC 7873 5.2.2."""
        for length in range(50):
            asked = Edns(1232, False, ((edns.COOKIE, bytes(length)),))
            good = length == 8 or 16 <= length <= 40
            wanted = Rcode.NOERROR if good else Rcode.FORMERR
            self.assertEqual(wanted, self.ask(asked).rcode, length)

    def test_tsig(self) -> None:
        """A signature of a key that is not known gets NOTAUTH and an unsigned TSIG that
        says BADKEY; TSIG is the last record.  RFC 8945 5.1, 5.2.1."""
        query = dns.message.make_query("www.example.com.", "A", use_edns=0)
        query.use_tsig(dns.tsigkeyring.from_text({"key.": "c2VjcmV0"}), "key.")
        data = query.to_wire()
        reply = self.dialogue.answer(data, LOOPBACK)
        assert reply is not None
        message = Message.parse(reply)
        self.assertEqual((Rcode.NOTAUTH, ()), (message.rcode, message.answer))
        self.assertEqual(Edns(1232), message.edns)
        (tsig,) = message.additional
        self.assertEqual((Type.TSIG, Class.ANY), (tsig.type, tsig.class_))
        self.assertEqual(data[:2] + b"\0\x11\0\0", tsig.rdata[-6:])
        with self.assertRaises(dns.tsig.PeerBadKey):
            dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)

    def test_malformed_tsig(self) -> None:
        """A TSIG of the wrong shape, or before another record, is a format error."""
        query = dns.message.make_query("www.example.com.", "A", use_edns=False)
        query.use_tsig(dns.tsigkeyring.from_text({"key.": "c2VjcmV0"}), "key.")
        good = query.to_wire()
        at = good.index(b"\3key\0") + 5
        for wrong in (
            good[: at + 2] + b"\0\1" + good[at + 4 :],
            good[: at + 4] + b"\0\0\0\1" + good[at + 8 :],
            good[:-6] + b"\0\0\0\0\0\1",
            good[:11] + b"\2" + good[12:] + OPT,
        ):
            reply = self.dialogue.answer(wrong, LOOPBACK)
            self.assertEqual(Rcode.FORMERR, Message.parse(reply or b"").rcode)
        for end in range(at + 10, len(good)):
            length = (end - at - 10).to_bytes(2, "big")
            reply = self.dialogue.answer(
                good[: at + 8] + length + good[at + 10 : end], LOOPBACK
            )
            self.assertEqual(Rcode.FORMERR, Message.parse(reply or b"").rcode)


class SizeTests(SynchronousTestCase):
    """What fits, and what is said about the rest."""

    def test_truncation(self) -> None:
        """An RRset that does not fit is left out whole, with TC; question and OPT stay.
        RFC 2181 9."""
        dialogue = make_dialogue(big_tree())
        message = ask(dialogue, "t.x.", "TXT")
        self.assertTrue(message.is_truncated)
        self.assertEqual((), message.answer + message.authority + message.additional)
        self.assertEqual(1, len(message.questions))
        message = ask(dialogue, "t.x.", "TXT", edns=Edns(600))
        self.assertTrue(message.is_truncated)
        self.assertEqual(Edns(1232), message.edns)
        self.assertEqual(2, dialogue.replies.truncated)

    def test_limits(self) -> None:
        """Without EDNS 512 octets, a smaller size counts as 512, and nobody gets more
        than ``max_udp_size``; TCP gets it all.  RFC 6891 6.2.3-6.2.5."""
        dialogue = make_dialogue(big_tree(100))
        for opt, limit in ((None, 512), (Edns(0), 512), (Edns(4096), 1232)):
            data = question("t.x.", "TXT", edns=opt)
            reply = dialogue.answer(data, LOOPBACK)
            assert reply is not None
            self.assertLessEqual(len(reply), limit)
            self.assertTrue(Message.parse(reply).is_truncated)
        self.assertEqual(100, len(ask(dialogue, "t.x.", "TXT", TCP).answer))

    def test_every_size(self) -> None:
        """Whatever the room, a reply is whole, cut at an RRset, or says TC."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS n1\n@ 60 NS n2\n@ 60 NS n3\n"
        text += "".join(
            f"n{i} 60 A 192.0.2.{i}\nn{i} 60 AAAA ::{i}\n" for i in (1, 2, 3)
        )
        text += "".join(f"t 60 TXT {i:03}\n" for i in range(20))
        dialogue = make_dialogue(make_tree(text, "x."), max_udp_size=4096)
        whole = ask(dialogue, "t.x.", "TXT", TCP)
        sizes = set()
        for size in range(512, 800):
            reply = dialogue.answer(question("t.x.", "TXT", edns=Edns(size)), LOOPBACK)
            assert reply is not None
            self.assertLessEqual(len(reply), size)
            message = Message.parse(reply)
            self.assertFalse(message.is_truncated)
            self.assertEqual(whole.answer, message.answer)
            self.assertIn(len(message.authority), (0, 3))
            self.assertEqual(
                whole.additional[: len(message.additional)], message.additional
            )
            sizes.add(len(message.additional))
        self.assertIn(6, sizes)

    def test_optional_records_need_no_tc(self) -> None:
        """Servers and addresses beside an answer may be missing without TC.
        RFC 2181 9."""
        text = "@ 60 SOA a b 1 2 3 4 5\n"
        text += "".join(f"@ 60 NS {'n' * 40}{i}\n" for i in range(9))
        dialogue = make_dialogue(make_tree(text + "w 60 A 192.0.2.1\n", "x."))
        message = ask(dialogue, "w.x.", "A")
        self.assertFalse(message.is_truncated)
        self.assertEqual((1, 0), (len(message.answer), len(message.authority)))
        self.assertEqual(9, len(ask(dialogue, "w.x.", "A", TCP).authority))

    def test_needed_glue_sets_tc(self) -> None:
        """Glue inside the delegated domain that does not fit sets TC; other glue does
        not.  RFC 9471 3."""
        head = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS n.\n"
        for place, is_truncated in (("d", True), ("e", False)):
            text = head + ("e 60 NS n.e\n" if place == "e" else "")
            text += "".join(
                f"d 60 NS n{i}.{place}\nn{i}.{place} 60 A 192.0.2.{i}\n"
                for i in range(16)
            )
            dialogue = make_dialogue(make_tree(text, "x."))
            message = ask(dialogue, "q.d.x.", "A")
            self.assertEqual(is_truncated, message.is_truncated, place)

    def test_nothing_above_64k(self) -> None:
        """An answer longer than a message can be is truncated over TCP too."""
        text = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS n.\n"
        text += "".join(f"t 60 TXT {i:0250}\n" for i in range(300))
        message = ask(make_dialogue(make_tree(text, "x.")), "t.x.", "TXT", TCP)
        self.assertTrue(message.is_truncated)


class PolicyTests(SynchronousTestCase):
    """Classes and types beside the usual."""

    def test_chaos(self) -> None:
        """version.bind and id.server by policy, refused by default.  RFC 4892."""
        names = ("version.bind.", "version.server.", "id.server.", "hostname.bind.")
        for name in names:
            message = ask(make_dialogue(), name, "TXT", qclass=Class.CH)
            self.assertEqual(Rcode.REFUSED, message.rcode)
        dialogue = make_dialogue(version="1.2", identity="ns1")
        for name, text in zip(names, (b"1.2", b"1.2", b"ns1", b"ns1"), strict=True):
            message = ask(dialogue, name.upper(), "TXT", qclass=Class.CH)
            self.assertEqual(bytes((len(text),)) + text, message.answer[0].rdata)
            self.assertEqual(Class.CH, message.answer[0].class_)
        message = ask(dialogue, "www.example.com.", "A", qclass=Class.CH)
        self.assertEqual(Rcode.REFUSED, message.rcode)

    def test_classes(self) -> None:
        """ANY is answered without AA; NONE is nonsense; the others are refused.
        RFC 1035 3.2.5."""
        for qclass, rcode in (
            (Class.ANY, Rcode.NOERROR),
            (Class.HS, Rcode.REFUSED),
            (Class.NONE, Rcode.FORMERR),
            (0, Rcode.FORMERR),
            (4711, Rcode.REFUSED),
        ):
            message = ask(make_dialogue(), "www.example.com.", "A", qclass=qclass)
            self.assertEqual(rcode, message.rcode)
            self.assertFalse(message.is_authoritative)

    def test_classes_do_not_mix(self) -> None:
        """An answer prepared for class ANY is not given to class IN."""
        dialogue = make_dialogue()
        ask(dialogue, "www.example.com.", "A", qclass=Class.ANY)
        self.assertTrue(ask(dialogue, "www.example.com.", "A").is_authoritative)

    def test_types_that_look_like_letters(self) -> None:
        """Type 65 (0x41, ``A``) and type 97 (0x61, ``a``) are not the same."""
        tree = make_tree(
            "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS n.\nh 60 TYPE97 \\# 1 07\n", "x."
        )
        dialogue = make_dialogue(tree)
        self.assertEqual((), ask(dialogue, "h.x.", 65).answer)
        self.assertEqual(1, len(ask(dialogue, "h.x.", 97).answer))
        self.assertEqual((), ask(dialogue, "h.x.", 65).answer)

    def test_meta_types(self) -> None:
        """Transfers are refused, MAILA and MAILB not implemented, OPT and TSIG no
        types to ask for."""
        for qtype, rcode in (
            (Type.AXFR, Rcode.REFUSED),
            (Type.IXFR, Rcode.REFUSED),
            (Type.MAILA, Rcode.NOTIMP),
            (Type.MAILB, Rcode.NOTIMP),
            (Type.TKEY, Rcode.NOTIMP),
            (Type.OPT, Rcode.FORMERR),
            (Type.TSIG, Rcode.FORMERR),
        ):
            message = ask(make_dialogue(), "example.com.", qtype)
            self.assertEqual(rcode, message.rcode, qtype)
