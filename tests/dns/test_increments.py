"""What has changed in a zone, for those who have an older version: IXFR (RFC 1995)."""

from __future__ import annotations

import contextlib
from typing import Any

import dns.rdatatype
import dns.xfr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.policy import Client
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.wire.rdata import SOA
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateZone, UpdateZone
from netservices.values import RRset
from tests.dns.house import apply, make_authority
from tests.dns.receiving import (
    ORIGIN,
    TCP,
    UDP,
    axfr_query,
    content,
    ixfr_query,
    make_copy,
    make_soa,
    replies,
    take,
)

APEX = parse_name(ORIGIN)
NS = RRset(APEX, Type.NS, 3600, (b"\3ns1" + APEX, b"\3ns2" + APEX))
FILLING = tuple(RRset(b"\2f%d" % n + APEX, Type.A, 60, (b"ffff",)) for n in range(10))
NAMES = (b"\1a", b"\1b", b"\1A", b"\1c\1a")

rrsets = st.builds(
    lambda name, ttl, rdatas: RRset(
        name + APEX, Type.A, ttl, tuple(bytes((9, 9, 9, n)) for n in sorted(rdatas))
    ),
    st.sampled_from(NAMES),
    st.sampled_from((60, 300)),
    st.sets(st.integers(1, 4), min_size=1),
)
changes = st.tuples(
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.lists(rrsets, max_size=3),
    st.sampled_from((0, 1, 1, 1, 7, -2)),
)
"""Names that go, RRsets that are put, and what becomes of the serial."""


class IncrementTests(SynchronousTestCase):
    """A zone with a history."""

    def build(self, *first: RRset, zone_journal: int = 100, **options: Any) -> None:
        self.clock = Clock()
        self.store = SQLiteStore(None, StoreSettings(zone_journal=zone_journal), None)
        self.successResultOf(self.store.open())
        apply(self.store, CreateZone(APEX, (make_soa(10), NS, *FILLING, *first)))
        options = {"allow_transfer": ("loopback",), **options}
        self.authority = make_authority(self.store, self.clock, **options)
        self.successResultOf(self.authority.start())

    def end(self) -> None:
        self.authority.stop()
        self.successResultOf(self.store.close())

    def change(
        self, serial: int, *added: RRset, removed: tuple[bytes, ...] = ()
    ) -> None:
        gone = tuple((name + APEX, int(Type.A)) for name in removed)
        apply(self.store, UpdateZone(APEX, gone, (*added, make_soa(serial))))
        self.follow()

    def follow(self) -> None:
        while self.authority.backend._has_work or self.authority.backend._is_working:
            self.clock.advance(0.01)

    def replies(self, query: bytes, client: Client = TCP) -> list[bytes]:
        return replies(self.authority, self.clock, query, client)

    def records(self, query: bytes, client: Client = TCP) -> list[str]:
        """The answer as words: ``SOA 10``, ``www A 60``."""
        found = []
        for data in self.replies(query, client):
            message = Message.parse(data)
            self.assertEqual(Rcode.NOERROR, message.rcode)
            for record in message.answer:
                if record.type == Type.SOA:
                    found.append(f"SOA {SOA.parse(record.rdata).serial}")
                else:
                    label = name_text(record.name).partition(".")[0]
                    found.append(f"{label} {record.ttl} {record.rdata[-1:].hex()}")
        return found

    def copy(self) -> Any:
        """The zone as a whole transfer has it."""
        return make_copy(self.replies(axfr_query()))


class SequenceTests(IncrementTests):
    """Which records are in an answer, and in what order."""

    def setUp(self) -> None:
        self.build(*self.first, zone_journal=6)
        self.addCleanup(self.end)

    first = (RRset(b"\1a" + APEX, Type.A, 60, (b"\0\0\0\1", b"\0\0\0\2")),)

    def test_sequence(self) -> None:
        """The newest SOA, then each change: its old SOA, what goes, its new SOA, what
        comes; the newest SOA at the end; RFC 1995 4."""
        self.change(11, RRset(b"\1a" + APEX, 1, 60, (b"\0\0\0\2", b"\0\0\0\3")))
        self.change(12, RRset(b"\1b" + APEX, 1, 60, (b"\0\0\0\4",)), removed=(b"\1a",))
        self.assertEqual(
            ["SOA 12", "SOA 10", "a 60 01", "SOA 11", "a 60 03"]
            + ["SOA 11", "a 60 02", "a 60 03", "SOA 12", "b 60 04", "SOA 12"],
            self.records(ixfr_query(10)),
        )
        self.assertEqual(
            ["SOA 12", "SOA 11", "a 60 02", "a 60 03", "SOA 12", "b 60 04", "SOA 12"],
            self.records(ixfr_query(11)),
        )

    def test_ttl(self) -> None:
        """Another TTL removes all records of an RRset and adds them anew."""
        self.change(11, RRset(b"\1a" + APEX, 1, 90, (b"\0\0\0\1", b"\0\0\0\2")))
        self.assertEqual(
            ["SOA 11", "SOA 10", "a 60 01", "a 60 02"]
            + ["SOA 11", "a 90 01", "a 90 02", "SOA 11"],
            self.records(ixfr_query(10)),
        )

    def test_same_version(self) -> None:
        """Who has the newest version, or a newer one, gets the SOA alone;
        RFC 1995 2."""
        for serial in (10, 11, 10 + (1 << 30)):
            for client in (TCP, UDP):
                self.assertEqual(["SOA 10"], self.records(ixfr_query(serial), client))

    def test_unknown_version(self) -> None:
        """Who has a version that the journal does not know gets the whole zone."""
        self.change(11)
        whole = self.records(axfr_query())
        for serial in (9, 5, 0xFFFFFFF0):
            self.assertEqual(whole, self.records(ixfr_query(serial)))

    def test_short_journal(self) -> None:
        """A version that the journal no longer reaches gets the whole zone."""
        for serial in range(11, 20):
            self.change(serial)
        self.assertEqual(self.records(axfr_query()), self.records(ixfr_query(12)))
        self.assertEqual("SOA 13", self.records(ixfr_query(13))[1])

    def test_same_serial(self) -> None:
        """A change that left the serial is part of the one before."""
        self.change(11, RRset(b"\1a" + APEX, 1, 60, (b"\0\0\0\2",)))
        self.change(11, RRset(b"\1a" + APEX, 1, 60, (b"\0\0\0\3",)))
        self.change(12, RRset(b"\1a" + APEX, 1, 60, (b"\0\0\0\4",)))
        self.assertEqual(
            ["SOA 12", "SOA 10", "a 60 01", "a 60 02", "SOA 11", "a 60 03"]
            + ["SOA 11", "a 60 03", "SOA 12", "a 60 04", "SOA 12"],
            self.records(ixfr_query(10)),
        )
        # Two versions had this serial; nobody knows which one the client has.
        self.assertEqual(self.records(axfr_query()), self.records(ixfr_query(11)))

    def test_serial_that_went_back(self) -> None:
        """A version above the one that followed it does not appear."""
        self.change(14)
        self.change(12)
        self.change(15)
        serials = [f"SOA {serial}" for serial in (15, 10, 12, 12, 15, 15)]
        self.assertEqual(serials, self.records(ixfr_query(10)))

    def test_more_than_the_zone(self) -> None:
        """Where the differences are larger than the zone, the zone is sent;
        RFC 1995 5."""
        for serial in range(11, 15):
            new = RRset(b"\1a" + APEX, 1, 60, (b"\0\0\0" + bytes((serial,)),))
            self.change(serial, new)
        self.assertEqual("SOA 13", self.records(ixfr_query(13))[1])
        self.assertEqual(self.records(axfr_query()), self.records(ixfr_query(10)))

    def test_max_records(self) -> None:
        """For more than ``max_ixfr_records`` the whole zone is sent."""
        self.end()
        self.build(max_ixfr_records=3)
        self.change(11)
        self.assertEqual("SOA 10", self.records(ixfr_query(10))[1])
        self.change(12)
        self.assertEqual(self.records(axfr_query()), self.records(ixfr_query(10)))

    def test_udp(self) -> None:
        """Over UDP all of it comes if it fits, else the SOA alone; RFC 1995 2."""
        self.change(11, RRset(b"\1b" + APEX, 1, 60, (b"\0\0\0\7",)))
        expected = ["SOA 11", "SOA 10", "SOA 11", "b 60 07", "SOA 11"]
        self.assertEqual(expected, self.records(ixfr_query(10), UDP))
        text = RRset(b"\1t" + APEX, Type.TXT, 60, (b"\xff" + b"x" * 255,))
        self.change(12, text)
        self.assertEqual(["SOA 12"], self.records(ixfr_query(10), UDP))
        edns = Edns(udp_size=1232)
        self.assertEqual(8, len(self.records(ixfr_query(10, edns=edns), UDP)))
        self.assertEqual(["SOA 12"], self.records(ixfr_query(5), UDP))

    def test_malformed(self) -> None:
        """IXFR without the client's SOA, or with something else, is malformed."""
        broken = Message.parse(ixfr_query(10)).authority[0]
        for fields in (
            {"authority": ()},
            {"authority": (broken, broken)},
            {"authority": (type(broken)(APEX, Type.A, 1, 0, b"1234"),)},
            {"authority": (type(broken)(b"\1x" + APEX, Type.SOA, 1, 0, broken.rdata),)},
            {"authority": (), "answer": (broken,)},
        ):
            for client in (TCP, UDP):
                (data,) = self.replies(ixfr_query(10, **fields), client)
                self.assertEqual(Rcode.FORMERR, Message.parse(data).rcode)
        cut = ixfr_query(10)
        for length in range(12, len(cut)):
            (data,) = self.replies(cut[:length])
            self.assertEqual(Rcode.FORMERR, data[3] & 15)


class AppliedTests(IncrementTests):
    """Differences are right if they make the new version of the old one."""

    @settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(st.lists(changes, min_size=1, max_size=8), st.booleans())
    def test_applied(self, history: list[Any], is_udp: bool) -> None:
        """From every version, whatever happened since, the transfer leads to the
        newest; dnspython puts it in and deletes nothing that is not there."""
        self.build()
        try:
            serial = 10
            copies = [(serial, self.copy())]
            for removed, added, step in history:
                serial += step
                self.change(serial, *added, removed=tuple(removed))
                copies.append((serial, self.copy()))
            newest = content(copies[-1][1])
            for had, copy in copies:
                if had < serial:
                    self.assertEqual(newest, content(self.bring_up(copy, had, is_udp)))
        finally:
            self.end()

    def bring_up(self, copy: Any, had: int, is_udp: bool) -> Any:
        """A copy with what has changed since; over TCP where UDP will not do."""
        if is_udp:
            messages = self.replies(ixfr_query(had), UDP)
            with contextlib.suppress(dns.xfr.UseTCP):
                take(copy, messages, dns.rdatatype.IXFR, had, is_udp)
                return copy
        take(copy, self.replies(ixfr_query(had)), dns.rdatatype.IXFR, had)
        return copy
