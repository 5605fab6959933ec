"""Messages full of records, as transfers have them."""

from __future__ import annotations

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.bulk import FULL_OCTETS, BulkWriter
from netservices.dns.wire.codes import Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import ROOT, parse_name
from netservices.values import RRset

APEX = parse_name("example.com.")
HEAD = b"\x12\x34\x84\x00"

labels = st.sampled_from((b"a", b"A", b"bb", b"c" * 63))
names = st.lists(labels, max_size=3).map(
    lambda parts: b"".join(bytes((len(part),)) + part for part in parts) + APEX
)
addresses = st.builds(
    lambda owner, ttl: RRset(owner, Type.A, ttl, (b"1234", b"5678")),
    names,
    st.integers(0, 9),
)
pointing = st.builds(
    lambda owner, target, kind: RRset(owner, kind[0], 1, (kind[1] + target,)),
    names,
    names,
    st.sampled_from(((Type.NS, b""), (Type.MX, b"\0\1"), (Type.SRV, bytes(6)))),
)
origins = st.builds(
    lambda owner, one, other: RRset(owner, Type.SOA, 1, (one + other + bytes(20),)),
    names,
    names,
    names,
)
rrsets = st.one_of(addresses, pointing, origins)


def make_writer(name: bytes = APEX, **options: object) -> BulkWriter:
    return BulkWriter(HEAD, name + b"\0\xfc\0\1", **options)  # type: ignore[arg-type]


class BulkTests(SynchronousTestCase):
    """What goes in comes out."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(rrsets, max_size=30), st.integers(600, 3000))
    def test_round_trip(self, given: list[RRset], full: int) -> None:
        """Every record comes out in its order and letter case, whatever is compressed,
        and dnspython reads the same."""
        writer = make_writer(full=full)
        messages = [data for rrset in given for data in writer.put(rrset)]
        messages.append(writer.finish())
        found = [r for data in messages for r in Message.parse(data).answer]
        self.assertEqual(
            [(r.owner, r.type, r.ttl, rdata) for r in given for rdata in r.rdatas],
            [(r.name, r.type, r.ttl, r.rdata) for r in found],
        )
        self.assertEqual(len(found), writer.records)
        for data in messages:
            self.assertLessEqual(len(data), full)
            dns.message.from_wire(data)

    def test_compressed(self) -> None:
        """A name that was there takes two octets, also in the data of a record."""
        writer = make_writer()
        host = b"\4host" + APEX
        writer.put(RRset(APEX, Type.NS, 1, (host,)))
        writer.put(RRset(host, Type.A, 1, (b"1234",)))
        writer.put(RRset(APEX, Type.MX, 1, (b"\0\1" + host,)))
        records = (2 + 10 + 7) + (2 + 10 + 4) + (2 + 10 + 4)
        self.assertEqual(12 + len(APEX) + 4 + records, len(writer.finish()))

    def test_chains(self) -> None:
        """Pointers to pointers do not become long chains."""
        writer = make_writer()
        name = APEX
        for _ in range(60):
            name = b"\1x" + name
            writer.put(RRset(name, Type.A, 1, (b"1234",)))
        data = writer.finish()
        self.assertEqual(name, Message.parse(data).answer[-1].name)
        position, jumps = data.rindex(b"\0\1\0\1\0\0\0\1"), 0
        start = data.rindex(b"\1x", 0, position)
        while data[start]:
            if data[start] >= 0xC0:
                start, jumps = (data[start] & 63) << 8 | data[start + 1], jumps + 1
            else:
                start += data[start] + 1
        self.assertLess(jumps, 11)

    def test_root(self) -> None:
        """The root can be a zone, too."""
        writer = make_writer(ROOT)
        writer.put(RRset(ROOT, Type.NS, 1, (parse_name("ns."), ROOT)))
        writer.put(RRset(parse_name("ns."), Type.A, 1, (b"1234",)))
        answer = Message.parse(writer.finish()).answer
        self.assertEqual([ROOT, ROOT, parse_name("ns.")], [r.name for r in answer])

    def test_limits(self) -> None:
        """Messages are full at ``FULL_OCTETS``; a longer record has one to itself, and
        one that exceeds the limit is refused."""
        opt = Edns().encode()
        writer = make_writer(additional=opt, limit=60000)
        text = RRset(APEX, 65280, 1, (bytes(9000), bytes(40000), bytes(10)))
        messages = [*writer.put(text), writer.finish()]
        self.assertEqual([1, 1, 1], [len(Message.parse(m).answer) for m in messages])
        self.assertLess(len(messages[0]), FULL_OCTETS)
        self.assertTrue(all(data.endswith(opt) for data in messages))
        with self.assertRaises(SyntaxProblem):
            writer.put(RRset(APEX, 65280, 1, (bytes(60000),)))
