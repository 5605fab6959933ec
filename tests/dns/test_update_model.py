"""Random updates against a plain dict that follows the text of RFC 2136."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import SOA
from tests.dns.authority import make_tree
from tests.dns.updating import ZONE, carry_out

START = """
@    60 SOA ns h 7 1 1 1 1
     60 NS  a
     60 NS  b
a    60 A   192.0.2.1
b    60 CNAME a
c    60 A   192.0.2.2
c    60 TXT x
"""
NAMES = [parse_name(name, ZONE) for name in ("@", "a", "b", "c", "d", "e.d")]
TYPES = (Type.A, Type.NS, Type.CNAME, Type.TXT)
DATA = {
    Type.A: (b"\xc0\0\2\1", b"\xc0\0\2\2"),
    Type.NS: (NAMES[1], NAMES[2], NAMES[3]),
    Type.CNAME: (NAMES[1], NAMES[3]),
    Type.TXT: (b"\1x", b"\1y"),
}

Model = dict[tuple[bytes, int], tuple[int, frozenset[bytes]]]
"""(owner, type) -> (TTL, records)."""

contents = st.sampled_from(TYPES).flatmap(
    lambda type_: st.tuples(st.just(type_), st.sampled_from(DATA[type_]))
)
owners = st.sampled_from(NAMES)
adds = st.builds(
    lambda owner, data, ttl: Record(owner, data[0], Class.IN, ttl, data[1]),
    owners,
    contents,
    st.sampled_from((60, 120)),
)
deletions = st.builds(
    lambda owner, data: Record(owner, data[0], Class.NONE, 0, data[1]), owners, contents
)
clearings = st.builds(
    lambda owner, type_: Record(owner, type_, Class.ANY, 0, b""),
    owners,
    st.sampled_from((*TYPES, Type.SOA, Type.ANY)),
)
changes = st.lists(st.one_of(adds, deletions, clearings), min_size=1, max_size=6)
presences = st.builds(
    lambda owner, type_, class_: Record(owner, type_, class_, 0, b""),
    owners,
    st.sampled_from((*TYPES, Type.ANY)),
    st.sampled_from((Class.ANY, Class.NONE)),
)
values = st.builds(
    lambda owner, data: Record(owner, data[0], Class.IN, 0, data[1]), owners, contents
)
needs = st.lists(st.one_of(presences, values), max_size=2)


def judge(model: Model, records: list[Record]) -> int:
    """The response code of prerequisites; 3.2.5."""
    wanted: dict[tuple[bytes, int], set[bytes]] = {}
    for record in records:
        key = (record.name, record.type)
        is_there = (
            any(owner == record.name for owner, _ in model)
            if record.type == Type.ANY
            else key in model
        )
        if record.class_ == Class.IN:
            wanted.setdefault(key, set()).add(record.rdata)
        elif record.class_ == Class.ANY and not is_there:
            return Rcode.NXDOMAIN if record.type == Type.ANY else Rcode.NXRRSET
        elif record.class_ == Class.NONE and is_there:
            return Rcode.YXDOMAIN if record.type == Type.ANY else Rcode.YXRRSET
    for key, members in wanted.items():
        if key not in model or members != model[key][1]:
            return Rcode.NXRRSET
    return Rcode.NOERROR


def change(model: Model, record: Record) -> None:
    """One change; 3.4.2.7."""
    key = (record.name, record.type)
    is_apex = record.name == ZONE
    if record.class_ == Class.IN:
        types = {type_ for owner, type_ in model if owner == record.name}
        if record.type == Type.CNAME and types - {Type.CNAME}:
            return
        if record.type != Type.CNAME and Type.CNAME in types:
            return
        before = model.get(key, (0, frozenset()))[1]
        if record.type == Type.CNAME:
            before = frozenset()
        model[key] = record.ttl, before | {record.rdata}
    elif record.class_ == Class.ANY:
        for owner, type_ in list(model):
            is_kept = is_apex and type_ in (Type.SOA, Type.NS)
            is_meant = owner == record.name and record.type in (Type.ANY, type_)
            if is_meant and not is_kept:
                del model[owner, type_]
    elif key in model:
        ttl, members = model[key]
        if record.type == Type.NS and is_apex and members == {record.rdata}:
            return
        model[key] = ttl, members - {record.rdata}
        if not model[key][1]:
            del model[key]


class ModelTests(SynchronousTestCase):
    """The zone is what the text says, after every sequence of updates."""

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(needs, changes), max_size=6))
    def test_updates(self, updates: list[tuple[list[Record], list[Record]]]) -> None:
        """Response codes, content and serials are those of the model."""
        tree = make_tree(START)
        model: Model = {
            (owner, rrset.type): (rrset.ttl, frozenset(rrset.rdatas))
            for owner, node in tree.names.items()
            for rrset in node.rrsets
        }
        serial = 7
        for prerequisites, wanted in updates:
            data = Message(
                opcode=5,
                questions=(Question(ZONE, Type.SOA),),
                answer=tuple(prerequisites),
                authority=tuple(wanted),
            ).encode()
            rcode = judge(model, prerequisites)
            self.assertEqual(rcode, carry_out(tree, data))
            before = dict(model)
            if rcode == Rcode.NOERROR:
                for record in wanted:
                    change(model, record)
            serial += before != model
            soa = SOA(NAMES[0], NAMES[0], serial, 1, 1, 1, 1)
            found = tree.names[ZONE].get(Type.SOA)
            assert found is not None
            self.assertEqual(soa.serial, SOA.parse(found.rdatas[0]).serial)
            model[ZONE, Type.SOA] = found.ttl, frozenset(found.rdatas)
            actual = {
                (owner, rrset.type): (rrset.ttl, frozenset(rrset.rdatas))
                for owner, node in tree.names.items()
                for rrset in node.rrsets
            }
            self.assertEqual(model, actual)
