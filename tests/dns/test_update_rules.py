"""Every rule of RFC 2136 3.2 to 3.6, on a zone in memory."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from tests.dns.authority import make_tree
from tests.dns.updating import ZONE, carry_out, content, message, record

TEXT = """
$TTL 3600
@      SOA   ns1 hostmaster 2026112101 7200 1800 1209600 300
       NS    ns1
       NS    ns2
       TXT   apex
ns1    A     192.0.2.1
ns2    A     192.0.2.2
www    A     192.0.2.80
       A     192.0.2.81
alias  CNAME www
a.ent  A     192.0.2.9
old    DNAME new
mx     MX    10 Mail
sub    NS    ns.sub
ns.sub A     192.0.2.53
"""
SOA = "SOA ns1 hostmaster"


class UpdateTestCase(SynchronousTestCase):
    """Updates of one zone."""

    def setUp(self) -> None:
        self.tree = make_tree(TEXT)

    def check(self, *lines: str | Record, rcode: int = Rcode.NOERROR) -> None:
        """An update gets that response code; where it is refused, nothing changes."""
        before = content(self.tree)
        self.assertEqual(rcode, carry_out(self.tree, message(*lines)), lines)
        if rcode != Rcode.NOERROR:
            self.assertEqual(before, content(self.tree))

    def changed(self, *lines: str | Record) -> tuple[set[str], set[str]]:
        """What an update takes away and brings, without the SOA."""
        before = content(self.tree)
        self.check(*lines)
        after = content(self.tree)
        gone, come = before - after, after - before
        if gone or come:
            self.assertEqual((1, 1), (len(soas(gone)), len(soas(come))), (gone, come))
        return gone - soas(gone), come - soas(come)


def soas(records: set[str]) -> set[str]:
    return {record for record in records if " SOA " in record}


class PrerequisiteTests(UpdateTestCase):
    """RFC 2136 3.2."""

    def test_name_in_use(self) -> None:
        """NXDOMAIN unless the name owns something; an empty non-terminal does not;
        2.4.4."""
        for name in ("www", "@", "WWW", "ns.sub", "alias", "old"):
            self.check(f"yx {name}")
        for name in ("nowhere", "ent", "x.alias"):
            self.check(f"yx {name}", rcode=Rcode.NXDOMAIN)

    def test_name_not_in_use(self) -> None:
        """YXDOMAIN where the name owns anything; 2.4.5."""
        for name in ("nowhere", "ent"):
            self.check(f"nx {name}")
        for name in ("www", "alias"):
            self.check(f"nx {name}", rcode=Rcode.YXDOMAIN)

    def test_rrset_exists(self) -> None:
        """NXRRSET unless there is one, whatever it holds; 2.4.1."""
        self.check("yx www A", "yx @ SOA")
        for line in ("yx www AAAA", "yx nowhere A", "yx alias A", "yx ent A"):
            self.check(line, rcode=Rcode.NXRRSET)

    def test_rrset_exists_not(self) -> None:
        """YXRRSET where there is one; 2.4.3."""
        self.check("nx www AAAA", "nx nowhere A")
        self.check("nx www A", rcode=Rcode.YXRRSET)

    def test_same_members(self) -> None:
        """NXRRSET unless all members are there and no others, in any order and letter
        case of names; 2.4.2."""
        self.check("yx www A 192.0.2.81", "yx www A 192.0.2.80")
        self.check("yx www A 192.0.2.81", "yx www A 192.0.2.80", "yx www A 192.0.2.80")
        self.check("yx mx MX 10 mAIL", "yx www A 192.0.2.80", "yx www A 192.0.2.81")
        for lines in (
            ("yx www A 192.0.2.80",),
            ("yx www A 192.0.2.80", "yx www A 192.0.2.82"),
            *[tuple(f"yx www A 192.0.2.{n}" for n in (80, 81, 82))],
            ("yx mx MX 20 mail",),
            ("yx nowhere A 192.0.2.80",),
        ):
            self.check(*lines, rcode=Rcode.NXRRSET)

    def test_order(self) -> None:
        """The first one that does not hold is told; sets come after all others."""
        self.check("yx nowhere", "nx www A", rcode=Rcode.NXDOMAIN)
        self.check("nx www A", "yx nowhere", rcode=Rcode.YXRRSET)
        self.check("yx www A 192.0.2.1", "nx www", rcode=Rcode.YXDOMAIN)

    def test_format(self) -> None:
        """A TTL, data where none belongs, other classes and types: FORMERR; names of
        other zones: NOTZONE; 3.2.1 to 3.2.3."""
        www, other = parse_name("www", ZONE), parse_name("www.example.net.")
        for wrong, rcode in (
            (Record(www, Type.A, Class.ANY, 1, b""), Rcode.FORMERR),
            (Record(www, Type.A, Class.NONE, 1, b""), Rcode.FORMERR),
            (Record(www, Type.A, Class.IN, 1, b"abcd"), Rcode.FORMERR),
            (Record(www, Type.A, Class.ANY, 0, b"abcd"), Rcode.FORMERR),
            (Record(www, Type.A, Class.NONE, 0, b"abcd"), Rcode.FORMERR),
            (Record(www, Type.A, Class.CH, 0, b"abcd"), Rcode.FORMERR),
            (Record(www, Type.AXFR, Class.ANY, 0, b""), Rcode.NXRRSET),
            (Record(www, Type.ANY, Class.IN, 0, b"abcd"), Rcode.NXRRSET),
            (Record(other, Type.A, Class.ANY, 0, b""), Rcode.NOTZONE),
            (Record(other, Type.A, Class.IN, 1, b"abcd"), Rcode.FORMERR),
        ):
            data = Message(
                opcode=5, questions=(Question(ZONE, Type.SOA),), answer=(wrong,)
            ).encode()
            self.assertEqual(rcode, carry_out(self.tree, data), wrong)

    def test_first(self) -> None:
        """Prerequisites come before the changes, even before malformed ones; 3.2."""
        bad = Record(parse_name("x", ZONE), Type.AXFR, Class.ANY, 0, b"")
        self.check("yx nowhere", bad, rcode=Rcode.NXDOMAIN)


class PrescanTests(UpdateTestCase):
    """RFC 2136 3.1.1, 3.4.1."""

    def test_zone(self) -> None:
        """One zone of type SOA, class IN; 3.1.1."""
        zone = Question(ZONE, Type.SOA)
        for questions, rcode in (
            ((), Rcode.FORMERR),
            ((zone, zone), Rcode.FORMERR),
            ((Question(ZONE, Type.A),), Rcode.FORMERR),
            ((Question(ZONE, Type.SOA, Class.CH),), Rcode.NOTAUTH),
            ((Question(ZONE, Type.SOA, Class.NONE),), Rcode.FORMERR),
            ((Question(ZONE, Type.SOA, Class.ANY),), Rcode.FORMERR),
            ((zone,), Rcode.NOERROR),
        ):
            data = Message(opcode=5, questions=questions).encode()
            self.assertEqual(rcode, carry_out(self.tree, data))
        self.assertEqual(Rcode.FORMERR, carry_out(self.tree, data + b"\0"))

    def test_changes(self) -> None:
        """What is malformed changes nothing, nor does what stands beside it."""
        www = parse_name("www", ZONE)
        for wrong in (
            Record(www, Type.A, Class.CH, 0, b"abcd"),
            Record(www, Type.A, Class.ANY, 1, b""),
            Record(www, Type.A, Class.NONE, 1, b"abcd"),
            Record(www, Type.A, Class.ANY, 0, b"abcd"),
            Record(www, Type.ANY, Class.NONE, 0, b""),
            Record(www, Type.ANY, Class.IN, 0, b""),
            Record(www, Type.AXFR, Class.ANY, 0, b""),
            Record(www, Type.MAILA, Class.NONE, 0, b""),
            Record(www, Type.TSIG, Class.ANY, 0, b""),
            Record(www, 0, Class.IN, 0, b""),
            Record(www, Type.A, Class.IN, 0, b"abc"),
        ):
            self.check("add x 60 A 192.0.2.1", wrong, rcode=Rcode.FORMERR)
        for name in ("example.net.", "com.", "xexample.com.", "www.example.com.net."):
            self.check(
                "add x 60 A 192.0.2.1",
                Record(parse_name(name), Type.A, Class.IN, 60, b"abcd"),
                rcode=Rcode.NOTZONE,
            )

    def test_unknown_type(self) -> None:
        """Types without a name are data like others; RFC 3597."""
        self.assertEqual(
            (set(), {r"x 60 TYPE65280 \# 3 010203"}),
            self.changed(r"add x 60 TYPE65280 \# 3 010203"),
        )


class ChangeTests(UpdateTestCase):
    """RFC 2136 3.4.2."""

    def test_add(self) -> None:
        """A record joins the RRset of its name and type, which gets its TTL."""
        self.assertEqual(
            (set(), {"X 60 A 192.0.2.1"}), self.changed("add X 60 A 192.0.2.1")
        )
        gone, come = self.changed("add www 60 A 192.0.2.82")
        self.assertEqual({f"www 3600 A 192.0.2.{n}" for n in (80, 81)}, gone)
        self.assertEqual({f"www 60 A 192.0.2.{n}" for n in (80, 81, 82)}, come)

    def test_add_again(self) -> None:
        """What is there already changes nothing, not even the serial; but a new TTL
        does."""
        before = content(self.tree)
        self.check("add www 3600 A 192.0.2.80", "del nowhere", "del www AAAA")
        self.check("del www A 192.0.2.80", "add www 3600 A 192.0.2.80")
        self.assertEqual(before, content(self.tree))
        _, come = self.changed("add www 60 A 192.0.2.80")
        self.assertEqual({f"www 60 A 192.0.2.{n}" for n in (80, 81)}, come)

    def test_letter_case(self) -> None:
        """Names are the same in any letter case; 1.1."""
        gone, come = self.changed("add mX 3600 MX 10 MAIL")
        self.assertEqual({"mx 3600 MX 10 Mail.example.com."}, gone)
        self.assertEqual({"mx 3600 MX 10 MAIL.example.com."}, come)
        gone, come = self.changed("del MX MX 10 mail")
        self.assertEqual((1, set()), (len(gone), come))

    def test_cname(self) -> None:
        """CNAME beside other data, and other data beside a CNAME, are ignored; a new
        CNAME replaces the old one; 3.4.2.2."""
        self.assertEqual((set(), set()), self.changed("add www 60 CNAME x"))
        self.assertEqual((set(), set()), self.changed("add alias 60 A 192.0.2.1"))
        self.assertEqual((set(), set()), self.changed("add alias 60 DNAME x"))
        self.assertEqual((set(), set()), self.changed("add old 60 CNAME x"))
        self.assertEqual(
            ({"alias 3600 CNAME www.example.com."}, {"alias 60 CNAME x.example.com."}),
            self.changed("add alias 60 CNAME x"),
        )

    def test_turn(self) -> None:
        """Changes are made in their order: what goes first makes room."""
        self.assertEqual(
            ({"alias 3600 CNAME www.example.com."}, {"alias 60 A 192.0.2.1"}),
            self.changed("del alias", "add alias 60 A 192.0.2.1"),
        )
        self.assertEqual(
            (set(), {"n 60 A 192.0.2.1"}),
            self.changed("add n 60 A 192.0.2.1", "add n 60 CNAME www"),
        )

    def test_dname(self) -> None:
        """A new DNAME replaces the old one; RFC 6672 5.2."""
        self.assertEqual(
            ({"old 3600 DNAME new.example.com."}, {"old 3600 DNAME x.example.com."}),
            self.changed("add old 3600 DNAME x"),
        )

    def test_wks(self) -> None:
        """WKS of the same address and protocol is replaced; 3.4.2.2."""
        self.check("add w 60 WKS 192.0.2.1 6 25")
        gone, come = self.changed("add w 60 WKS 192.0.2.1 6 80")
        self.assertEqual((1, 1), (len(gone), len(come)))
        self.assertEqual(1, len(self.changed("add w 60 WKS 192.0.2.1 17 53")[1]))

    def test_delete(self) -> None:
        """A record, an RRset, a name; 3.4.2.3, 3.4.2.4."""
        self.assertEqual(
            ({"www 3600 A 192.0.2.80"}, set()), self.changed("del www A 192.0.2.80")
        )
        self.check("add www 60 TXT x")
        self.assertEqual(({"www 3600 A 192.0.2.81"}, set()), self.changed("del www A"))
        self.assertEqual(({'www 60 TXT "x"'}, set()), self.changed("del www"))
        self.assertEqual(({"a.ent 3600 A 192.0.2.9"}, set()), self.changed("del a.ent"))
        self.assertNotIn(parse_name("ent", ZONE), self.tree.names)

    def test_last_record(self) -> None:
        """An RRset without records is gone, and so is a name without RRsets."""
        self.changed("del www A 192.0.2.80", "del www A 192.0.2.81")
        self.assertNotIn(parse_name("www", ZONE), self.tree.names)

    def test_apex(self) -> None:
        """The apex keeps its SOA and NS, whatever is deleted there; 3.4.2.3."""
        self.assertEqual(
            ({'example.com. 3600 TXT "apex"'}, set()), self.changed("del @")
        )
        self.assertEqual((set(), set()), self.changed("del @ NS", "del @ SOA"))
        soa = f"del @ {SOA} 2026112102 7200 1800 1209600 300"
        self.assertEqual((set(), set()), self.changed(soa))

    def test_last_ns(self) -> None:
        """The last NS of the apex stays; that of a delegation does not; 3.4.2.4."""
        gone, _ = self.changed("del @ NS ns1", "del @ NS ns2")
        self.assertEqual({"example.com. 3600 NS ns1.example.com."}, gone)
        self.assertEqual(
            ({"sub 3600 NS ns.sub.example.com."}, set()), self.changed("del sub NS")
        )

    def test_soa(self) -> None:
        """A SOA replaces the old one only if its serial is greater, and only at the
        apex; 3.4.2.2, 3.6."""
        for serial in (2026112101, 2026112100, 1, 0):
            line = f"add @ 60 {SOA} {serial} 1 1 1 1"
            self.assertEqual((set(), set()), self.changed(line))
        soa = record(f"add @ 60 {SOA} 2026112105 1 1 1 1")
        elsewhere = evolve(soa, name=parse_name("www", ZONE))
        self.assertEqual((set(), set()), self.changed(elsewhere))
        self.check(f"add @ 60 {SOA} 2026112105 1 1 1 1", "add x 60 A 192.0.2.1")
        self.assertEqual(2026112105, self.tree.serial)


class SerialTests(UpdateTestCase):
    """RFC 2136 3.6, 7.11."""

    def test_raised(self) -> None:
        """Each update that changes something raises the serial, in the form of a date
        where it has that."""
        self.check("add x 60 A 192.0.2.1", "add y 60 A 192.0.2.1")
        self.assertEqual(2026112102, self.tree.serial)
        self.check("add x 60 A 192.0.2.1")
        self.assertEqual(2026112102, self.tree.serial)

    def test_around(self) -> None:
        """After the last serial comes 1, not 0."""
        self.tree = make_tree(TEXT.replace("2026112101", "4294967295"))
        self.check("add x 60 A 192.0.2.1")
        self.assertEqual(1, self.tree.serial)

    def test_date(self) -> None:
        """A serial of an earlier day becomes that of today."""
        self.tree = make_tree(TEXT.replace("2026112101", "2026110307"))
        self.check("del www")
        self.assertEqual(2026112100, self.tree.serial)


class LimitTests(UpdateTestCase):
    """How much may gather at a name."""

    def test_records(self) -> None:
        """An RRset grows no further than it may; one that is larger may shrink."""
        add = "add www 3600 A 192.0.2.82"
        self.assertEqual(
            Rcode.REFUSED, carry_out(self.tree, message(add), rrset_records=2)
        )
        for limit, line in ((3, add), (1, "del www A 192.0.2.80"), (1, "yx www")):
            data = message(line)
            rcode = carry_out(self.tree, data, rrset_records=limit)
            self.assertEqual(Rcode.NOERROR, rcode)

    def test_types(self) -> None:
        """Nor may a name have more types than it may."""
        for limit, rcode in ((1, Rcode.REFUSED), (2, Rcode.NOERROR)):
            data = message("add www 60 TXT x")
            self.assertEqual(rcode, carry_out(self.tree, data, name_types=limit))

    def test_octets(self) -> None:
        """Nor may an RRset have more octets than a message carries: no client could
        have it, and no secondary.  One that is larger may shrink."""
        half = b"".join(b"\xff" + bytes((n,)) * 255 for n in range(122))
        long = [
            Record(ZONE, Type.TXT, Class.IN, 60, b"\1" + c + half) for c in (b"a", b"b")
        ]
        self.check(long[0])
        self.check(long[1], "add x 60 A 192.0.2.1")
        more = Record(ZONE, Type.TXT, Class.IN, 60, half[:2560])
        self.check(more, rcode=Rcode.REFUSED)
        self.check("del x")

    def test_message(self) -> None:
        """More records than an update may have are not even read."""
        lines = [f"add x{n} 60 A 192.0.2.1" for n in range(1001)]
        self.check(*lines, rcode=Rcode.REFUSED)
        self.check(*lines[1:])

    def test_record(self) -> None:
        """The test kit writes what it says."""
        self.assertEqual(Class.NONE, record("del x A 192.0.2.1").class_)
