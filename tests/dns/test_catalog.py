"""Catalog zones as text: what is one, and what is broken (RFC 9432)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import SOA
from netservices.dns.zone.catalog import (
    BrokenCatalog,
    Member,
    member_owners,
    member_rrsets,
    new_catalog,
    read_catalog,
)
from netservices.dns.zonefile import read_zone
from netservices.values import RRset

APEX = parse_name("catalog.test.")
HEAD = '@ 0 SOA . . 1 2 3 4 5\n@ 0 NS invalid.\nversion 0 TXT "2"\n'
ONE, TWO = "a.zones 0 PTR one.test.\n", "b.zones 0 PTR two.test.\n"


def members(text: str, most: int = 10) -> dict[bytes, Member]:
    """The members of a catalog's master file."""
    return dict(read_catalog(APEX, read_zone(text, "catalog.test."), most))


class ReadTests(SynchronousTestCase):
    """What a catalog says."""

    def test_members(self) -> None:
        """Members with their labels, groups and where they move to."""
        found = members(
            HEAD
            + ONE
            + "B.Zones 0 PTR TWO.test.\n"
            + 'group.b.zones 0 TXT "x"\ngroup.b.zones 0 TXT "operator-y" "bar"\n'
            + "coo.a.zones 0 PTR other.test.\n"
        )
        one, two = parse_name("one.test."), parse_name("two.test.")
        self.assertEqual(
            {
                one: Member(one, b"a", (), parse_name("other.test.")),
                two: Member(two, b"b", ("operator-y bar", "x")),
            },
            found,
        )

    def test_unknown_properties(self) -> None:
        """What is not known means nothing: other types, custom and deeper names."""
        more = (
            "a.zones 0 TXT x\nx.a.zones 0 PTR x.\ncoo.a.zones 0 TXT x\n"
            "x.ext.a.zones 0 TXT x\ncoo.x.a.zones 0 PTR x.\next 0 TXT x\n"
            "zones 0 PTR x.\nzoneszones 0 PTR x.\n"
        )
        self.assertEqual(members(HEAD + ONE), members(HEAD + ONE + more))

    def test_broken(self) -> None:
        """A catalog that breaks a rule is none at all."""
        for text in (
            HEAD.replace('version 0 TXT "2"\n', ""),
            HEAD.replace('"2"', '"1"'),
            HEAD.replace('"2"', '"2" "2"'),
            HEAD + 'version 0 TXT "1"\n',
            HEAD.replace("@ 0 NS invalid.\n", ""),
            HEAD + ONE + "a.zones 0 PTR two.test.\n",
            HEAD + ONE + "b.zones 0 PTR ONE.test.\n",
            HEAD + ONE + "coo.a.zones 0 PTR x.\ncoo.a.zones 0 PTR y.\n",
        ):
            with self.subTest(text=text), self.assertRaises(BrokenCatalog):
                members(text)

    def test_limit(self) -> None:
        """More members than allowed are too many."""
        self.assertEqual(2, len(members(HEAD + ONE + TWO, 2)))
        with self.assertRaises(BrokenCatalog):
            members(HEAD + ONE + TWO, 1)


class WriteTests(SynchronousTestCase):
    """Catalogs that are made here."""

    @given(
        some.dictionaries(
            some.binary(min_size=1, max_size=9).map(bytes.lower),
            some.tuples(
                some.integers(0, 0xFFFF).map(lambda n: parse_name(f"n{n}.test.")),
                some.sets(some.text("abc -", min_size=1, max_size=9)),
            ),
            max_size=9,
        )
    )
    def test_round_trip(self, wanted: dict[bytes, tuple[bytes, set[str]]]) -> None:
        """What is written is read back, and what is removed is gone."""
        wanted = {
            label: value
            for label, value in wanted.items()
            if [other[0] for other in wanted.values()].count(value[0]) == 1
        }
        soa = SOA(b"\0", b"\0", 1, 2, 3, 4, 5).encode()
        rrsets: list[RRset] = list(new_catalog(APEX, soa))
        for label, (zone, groups) in wanted.items():
            octets = tuple(group.encode() for group in groups)
            rrsets += member_rrsets(APEX, label, zone, octets)
        found = read_catalog(APEX, rrsets, 99)
        self.assertEqual(
            {zone: (label, groups) for label, (zone, groups) in wanted.items()},
            {m.zone: (m.label, set(m.groups)) for m in found.values()},
        )
        for label in wanted:
            gone = set(member_owners(APEX, label, rrsets))
            rrsets = [r for r in rrsets if (r.owner, r.type) not in gone]
        self.assertEqual(3, len(rrsets))
