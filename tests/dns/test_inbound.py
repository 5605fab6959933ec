"""The messages of a zone on its way in: forms, order, lies, limits, and dnspython as
judge."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.name
import dns.rdatatype
import dns.xfr
import dns.zone
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.client.ask import make_query
from netservices.dns.dialogue.difference import Patch
from netservices.dns.dialogue.inbound import (
    BadTransfer,
    Form,
    Inbound,
    InboundLimits,
    TooLarge,
    TransferRefused,
)
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Question, Record
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.wire.rdata import SOA, address_rdata, txt_rdata
from netservices.dns.zonefile.texts import rdata_text
from netservices.values import RRset
from tests.dns.primary import reply

APEX = parse_name("example.com.")


def soa(serial: int, name: bytes = APEX, **fields: Any) -> Record:
    """The SOA of a version."""
    values = SOA(
        parse_name("ns1.example.com."), parse_name("h.test."), serial, *[9] * 4
    )
    return Record(name, Type.SOA, 1, 60, evolve(values, **fields).encode())


def a(name: str, address: str, ttl: int = 60, **fields: Any) -> Record:
    """An address record below the apex."""
    type_, rdata = address_rdata(address)
    record = Record(parse_name(name, APEX), type_, 1, ttl, rdata)
    return evolve(record, **fields)


def found(inbound: Inbound) -> set[tuple[bytes, int, int, frozenset[bytes]]]:
    """The RRsets that came, to compare."""
    return {
        (fold(r.owner), r.type, r.ttl, frozenset(r.rdatas))
        for r in inbound.full.rrsets()
    }


class Taking(SynchronousTestCase):
    """Replies to one query."""

    serial: int | None = None

    def setUp(self) -> None:
        self.query = make_query(APEX, "AXFR" if self.serial is None else "IXFR")
        self.inbound = self.make()

    def make(self, **limits: int) -> Inbound:
        return Inbound(self.query, self.serial, InboundLimits(**limits))

    def take(self, *records: Record, **fields: Any) -> Inbound:
        """A message with these records, for a fresh transfer."""
        inbound = self.make()
        inbound.take(reply(self.query, *records, **fields))
        return inbound

    def refuses(self, *records: Record, **fields: Any) -> str:
        """Why that message is none of a transfer."""
        with self.assertRaises(BadTransfer) as caught:
            self.take(*records, **fields)
        return str(caught.exception)


class FullTests(Taking):
    """Replies to AXFR; RFC 5936."""

    def test_one_message(self) -> None:
        """SOA, records in any order, SOA."""
        inbound = self.take(
            soa(5), a("www", "192.0.2.1"), a("@", "192.0.2.9"), a("www", "192.0.2.2")
        )
        self.assertFalse(inbound.is_done)
        inbound.take(reply(self.query, soa(5)))
        self.assertTrue(inbound.is_done)
        self.assertIs(Form.FULL, inbound.form)
        self.assertEqual(
            (5, 5, 2), (inbound.new_serial, inbound.records, inbound.messages)
        )
        www = parse_name("www.example.com.")
        addresses = frozenset((bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))))
        self.assertIn((www, 1, 60, addresses), found(inbound))
        self.assertEqual(3, len(found(inbound)))

    def test_later_messages(self) -> None:
        """Later messages may leave out the question, and hold one record each."""
        inbound = self.make()
        for index, record in enumerate((soa(5), a("www", "192.0.2.1"), soa(5))):
            questions = () if index else self.query.questions
            inbound.take(reply(self.query, record, questions=questions))
        self.assertTrue(inbound.is_done)

    def test_duplicates(self) -> None:
        """Records that come twice are there once, also in other letter case; the lowest
        of several TTLs counts."""
        ns = Record(APEX, Type.NS, 1, 50, parse_name("ns.example.com."))
        other = evolve(ns, name=APEX.upper(), rdata=ns.rdata.upper(), ttl=40)
        inbound = self.take(soa(5), ns, other, ns, soa(5))
        self.assertIn((APEX, 2, 40, frozenset((ns.rdata,))), found(inbound))

    def test_outside(self) -> None:
        """Records outside the zone are left out and counted."""
        outside = a("www.example.org.", "192.0.2.1")
        inbound = self.take(soa(5), outside, soa(5))
        self.assertEqual((1, 1), (inbound.ignored, len(found(inbound))))

    def test_lies(self) -> None:
        """What is no transfer of this zone is refused."""
        www = a("www", "192.0.2.1")
        other_question = (Question(parse_name("example.org."), Type.AXFR),)
        for records, fields in (
            ((www, soa(5)), {}),
            ((soa(5), www, soa(6)), {}),
            ((soa(5), www, soa(5), www), {}),
            ((soa(5), www, soa(5), soa(5)), {}),
            ((soa(5), soa(5, name=parse_name("sub.example.com."))), {}),
            ((soa(5), evolve(www, class_=3)), {}),
            ((soa(5), evolve(www, type=Type.ANY)), {}),
            ((soa(5), evolve(www, type=Type.TSIG, rdata=b"")), {}),
            ((), {}),
            ((soa(5),), {"id": self.query.id ^ 1}),
            ((soa(5),), {"flags": 0}),
            ((soa(5),), {"opcode": 4}),
            ((soa(5),), {"flags": codes.QR | codes.TC}),
            ((soa(5),), {"questions": ()}),
            ((soa(5),), {"questions": other_question}),
            ((soa(5),), {"questions": self.query.questions * 2}),
        ):
            with self.subTest(records=records, fields=fields):
                self.refuses(*records, **fields)

    def test_malformed(self) -> None:
        """A message that is cut anywhere, or whose SOA is none, is refused."""
        whole = reply(self.query, soa(5), a("www", "192.0.2.1"), soa(5))
        for length in range(len(whole)):
            with self.assertRaises(BadTransfer):
                self.make().take(whole[:length])
        self.refuses(evolve(soa(5), rdata=b"\0\0"))

    def test_refused(self) -> None:
        """A response code ends the transfer, in the first message or later."""
        for before in ((), (soa(5), a("www", "192.0.2.1"))):
            inbound = self.take(*before) if before else self.make()
            with self.assertRaises(TransferRefused) as caught:
                inbound.take(reply(self.query, rcode=Rcode.NOTAUTH))
            self.assertEqual("the primary replied NOTAUTH", str(caught.exception))

    def test_limits(self) -> None:
        """More records or octets than allowed end the transfer."""
        records = soa(5), a("www", "192.0.2.1"), soa(5)
        whole = reply(self.query, *records)
        for limits in ({"max_records": 2}, {"max_octets": len(whole) - 1}):
            with self.assertRaises(TooLarge):
                self.make(**limits).take(whole)
        self.make(max_records=3, max_octets=len(whole)).take(whole)

    def test_slices(self) -> None:
        """A long message is read in steps."""
        records = [a(f"n{n}", "192.0.2.1") for n in range(1000)]
        steps = self.inbound.steps(reply(self.query, soa(5), *records, soa(5)))
        self.assertEqual(5, len(list(steps)))


class IncrementalTests(Taking):
    """Replies to IXFR from serial 5; RFC 1995."""

    serial = 5

    def test_current(self) -> None:
        """A single SOA that is not newer: there is nothing to do."""
        for serial in (5, 4):
            inbound = self.take(soa(serial))
            self.assertTrue(inbound.is_done)
            self.assertIs(Form.CURRENT, inbound.form)
        self.assertFalse(self.take(soa(6)).is_done)

    def test_sequences(self) -> None:
        """Two difference sequences from 5 over 6 to 7."""
        old, mid, new = (a("www", f"192.0.2.{n}") for n in (5, 6, 7))
        inbound = self.take(
            *(soa(7), soa(5), old, soa(6), mid, soa(6), mid, soa(7), new, soa(7))
        )
        self.assertTrue(inbound.is_done)
        self.assertIs(Form.INCREMENTAL, inbound.form)
        first, second = inbound.differences
        self.assertEqual(([old], [mid]), (first.removed, first.added))
        self.assertEqual(([mid], [new]), (second.removed, second.added))

    def test_full(self) -> None:
        """The whole zone in place of differences, also one that has nothing but its
        SOA."""
        for records in ((a("www", "192.0.2.1"),), ()):
            inbound = self.take(soa(7), *records, soa(7))
            self.assertTrue(inbound.is_done)
            self.assertIs(Form.FULL, inbound.form)

    def test_lies(self) -> None:
        """Sequences that do not lead from our serial to the primary's."""
        www = a("www", "192.0.2.1")
        for records in (
            (soa(7), soa(4), www, soa(7), soa(7)),
            (soa(7), soa(5), www, soa(4), soa(4)),
            (soa(7), soa(5), www, soa(5), soa(7)),
            (soa(7), soa(5), www, soa(6), www, soa(7), soa(7)),
            (soa(7), soa(5), soa(7), www, soa(7, minimum=1)),
            (soa(7), soa(5), soa(7), www, soa(7), www),
        ):
            with self.subTest(records=records):
                self.refuses(*records)

    def test_wrap(self) -> None:
        """Serials go on from 4294967295 to 0."""
        self.serial = 0xFFFFFFFF
        inbound = self.take(soa(1), soa(0xFFFFFFFF), soa(1), soa(1))
        self.assertIs(Form.INCREMENTAL, inbound.form)


class PatchTests(SynchronousTestCase):
    """Differences, taken into what is there."""

    def patch(self, *replies: Record) -> Patch:
        """The changes of an incremental reply to a zone with two addresses."""
        query = make_query(APEX, "IXFR")
        inbound = Inbound(query, 5, InboundLimits())
        inbound.take(reply(query, *replies))
        www = parse_name("www.example.com.")
        there = {
            (APEX, 6): RRset(APEX, 6, 60, (soa(5).rdata,)),
            (www, 1): RRset(www, 1, 60, tuple(bytes((192, 0, 2, n)) for n in (1, 2))),
        }
        patch = Patch(lambda owner, type_: there.get((owner, type_)))
        for difference in inbound.differences:
            list(patch.steps(difference))
        return patch

    def test_changes(self) -> None:
        """Each sequence becomes RRsets that go and RRsets that come."""
        one, two, three = (a("www", f"192.0.2.{n}", ttl=n) for n in (1, 2, 3))
        patch = self.patch(
            *(soa(7), soa(5), one, soa(6), three, a("new", "192.0.2.9")),
            *(soa(6), two, three, soa(7), soa(7)),
        )
        first, second = patch.changes
        self.assertEqual((), first.removed)
        self.assertEqual(
            {(Type.SOA, 1), (Type.A, 2), (Type.A, 1)},
            {(r.type, len(r.rdatas)) for r in first.added},
        )
        (www,) = (r for r in first.added if len(r.rdatas) == 2)
        self.assertEqual((3, two.rdata, three.rdata), (www.ttl, *www.rdatas))
        self.assertEqual(((www.owner, Type.A),), second.removed)
        self.assertEqual([soa(7).rdata], [r.rdatas[0] for r in second.added])

    def test_another_zone(self) -> None:
        """What goes must be there, what comes must not, and the SOA must be ours."""
        gone, there = a("www", "192.0.2.3"), a("WWW", "192.0.2.1")
        for records in (
            (soa(7), soa(5), gone, soa(7), soa(7)),
            (soa(7), soa(5), soa(7), there, soa(7)),
            (soa(7), soa(5, minimum=1), soa(7), soa(7)),
        ):
            with self.assertRaises(BadTransfer):
                self.patch(*records)


NAMES = some.sampled_from(("@", "a", "b", "a.b", "*.a", "C", "c"))
RECORDS = some.one_of(
    some.builds(a, NAMES, some.sampled_from(("192.0.2.1", "192.0.2.2", "::1"))),
    some.builds(
        lambda name, octets: Record(
            parse_name(name, APEX), Type.TXT, 1, 60, txt_rdata(octets)
        ),
        NAMES,
        some.binary(max_size=20),
    ),
    some.builds(
        lambda name, target: Record(
            parse_name(name, APEX), Type.MX, 1, 60, b"\0\1" + parse_name(target, APEX)
        ),
        NAMES,
        NAMES,
    ),
)


class JudgedTests(SynchronousTestCase):
    """Whatever chance makes."""

    @given(some.lists(RECORDS, max_size=30), some.data())
    def test_dnspython(self, records: list[Record], data: Any) -> None:
        """The same zone as dnspython finds, wherever the stream is cut."""
        stream = [soa(5), *records, soa(5)]
        query = make_query(APEX, "AXFR")
        inbound = Inbound(query, None, InboundLimits())
        zone = dns.zone.Zone("example.com.", relativize=False)
        with dns.xfr.Inbound(zone, dns.rdatatype.AXFR) as theirs:
            while stream:
                size = data.draw(some.integers(1, len(stream)))
                message = reply(query, *stream[:size])
                del stream[:size]
                inbound.take(message)
                theirs.process_message(
                    dns.message.from_wire(message, xfr=True, one_rr_per_rrset=True)
                )
        self.assertTrue(inbound.is_done)
        self.assertEqual(
            {
                (str(name).lower(), rdataset.rdtype, rdata.to_text().lower())
                for name, rdataset in zone.iterate_rdatasets()
                for rdata in rdataset
            },
            {
                (
                    name_text(rrset.owner).lower(),
                    rrset.type,
                    rdata_text(rrset.type, rdata).lower(),
                )
                for rrset in inbound.full.rrsets()
                for rdata in rrset.rdatas
            },
        )

    @given(some.lists(some.binary(max_size=200), max_size=4), some.booleans())
    def test_octets(self, messages: list[bytes], has_header: bool) -> None:
        """Arbitrary octets are no transfer, and nothing worse than that."""
        query = make_query(APEX, "IXFR")
        inbound = Inbound(query, 5, InboundLimits())
        head = reply(query, soa(7))
        for message in messages:
            try:
                inbound.take(head[:40] + message if has_header else message)
            except (BadTransfer, TransferRefused):
                return

    @given(some.integers(0, 400), some.integers(0, 255))
    def test_flips(self, position: int, octet: int) -> None:
        """One wrong octet gives another zone or none, and no other error."""
        query = make_query(APEX, "IXFR")
        inbound = Inbound(query, 5, InboundLimits())
        records = [a(f"n{n}", "192.0.2.1") for n in range(9)]
        message = bytearray(
            reply(query, soa(7), soa(5), *records, soa(7), *records, soa(7))
        )
        message[position % len(message)] = octet
        try:
            inbound.take(bytes(message))
        except (BadTransfer, TransferRefused):
            return
