"""Overlays: what a view shows differently in a zone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.zone.overlay import (
    MergedTree,
    Overlay,
    merge_rrsets,
    overlay_name,
    split_overlay,
)
from netservices.dns.zone.tree import ZoneTree
from netservices.dns.zonefile import parse_record
from netservices.dns.zonefile.texts import parse_rdata, rdata_text
from netservices.values import RRset
from tests.dns.authority import ask, lines, make_dialogue, make_tree

ORIGIN = parse_name("example.com.")


def make_overlay(*records: str, view: str = "inside") -> Overlay:
    """An overlay of example.com with those records."""
    overlay = Overlay(view, ORIGIN)
    for text in records:
        overlay.put(parse_record(ORIGIN, text))
    overlay.touch()
    return overlay


def merged(*records: str) -> Any:
    """A dialogue that answers from the example zone under an overlay."""
    return make_dialogue(MergedTree(make_tree(), make_overlay(*records)))


class NameTests(SynchronousTestCase):
    """Where the store has an overlay."""

    def test_there_and_back(self) -> None:
        """View and origin come back from the name, and from the name as text."""
        name = overlay_name("inside", ORIGIN)
        self.assertEqual(("inside", ORIGIN), split_overlay(name))
        self.assertEqual(name, parse_name(name_text(name)))
        root = overlay_name("a", b"\0")
        self.assertEqual(("a", b"\0"), split_overlay(root))

    def test_zones(self) -> None:
        """No other name is an overlay's."""
        for text in (".", "example.com.", "inside.example.com.", r"\000.a."):
            self.assertIsNone(split_overlay(parse_name(text)))

    def test_too_long(self) -> None:
        """A name that would not be one is refused."""
        origin = (b"\x3f" + b"a" * 63) * 3 + b"\x39" + b"a" * 57 + b"\0"
        with self.assertRaises(ValueError):
            overlay_name("inside", origin)


class AnswerTests(SynchronousTestCase):
    """What a client of a view gets."""

    def test_replaced(self) -> None:
        """An RRset of the overlay takes the place of the zone's; the other types of
        the name stay."""
        dialogue = merged("ns1 60 A 10.0.0.1")
        reply = ask(dialogue, "ns1.example.com.", "A")
        self.assertEqual({"ns1.example.com. 60 A 10.0.0.1"}, lines(reply.answer))
        reply = ask(dialogue, "ns1.example.com.", "AAAA")
        self.assertEqual(
            {"ns1.example.com. 3600 AAAA 2001:db8::1"}, lines(reply.answer)
        )

    def test_added(self) -> None:
        """A new name is there, and those above it are empty; what the zone says of its
        neighbours is not changed."""
        dialogue = merged("db.corp 60 A 10.0.0.2")
        self.assertTrue(ask(dialogue, "db.corp.example.com.", "A").answer)
        empty = ask(dialogue, "corp.example.com.", "A")
        self.assertEqual((Rcode.NOERROR, ()), (empty.rcode, empty.answer))
        self.assertEqual(
            Rcode.NXDOMAIN, ask(dialogue, "x.corp.example.com.", "A").rcode
        )
        self.assertTrue(ask(dialogue, "www.example.com.", "A").answer)

    def test_authority(self) -> None:
        """SOA and NS are the zone's, unless the overlay has them."""
        reply = ask(merged("www A 10.0.0.1"), "example.com.", "SOA")
        self.assertIn("2026112101", "".join(lines(reply.answer)))
        reply = ask(merged("@ 60 NS ns.inside"), "example.com.", "NS")
        self.assertEqual(
            {"example.com. 60 NS ns.inside.example.com."}, lines(reply.answer)
        )

    def test_hidden_name(self) -> None:
        """A name that is hidden is not there, or empty if something is below it; a
        wildcard of the zone takes it over."""
        dialogue = merged("mail 0 HIDE *", "host.wild 0 HIDE *", "a.ent 0 HIDE *")
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "mail.example.com.", "A").rcode)
        self.assertEqual(
            {"host.wild.example.com. 3600 A 192.0.2.7"},
            lines(ask(dialogue, "host.wild.example.com.", "A").answer),
        )
        # With its only child gone, the empty name goes too.
        self.assertEqual(Rcode.NXDOMAIN, ask(dialogue, "ent.example.com.", "A").rcode)

    def test_hidden_types(self) -> None:
        """Types that are hidden are not there; the name is."""
        dialogue = merged("ns1 0 HIDE AAAA TXT")
        reply = ask(dialogue, "ns1.example.com.", "AAAA")
        self.assertEqual((Rcode.NOERROR, ()), (reply.rcode, reply.answer))
        self.assertTrue(ask(dialogue, "ns1.example.com.", "A").answer)

    def test_never_answered(self) -> None:
        """HIDE itself is never seen."""
        for name in ("ns1", "mail"):
            dialogue = merged("ns1 0 HIDE AAAA", "mail 0 HIDE *")
            reply = ask(dialogue, f"{name}.example.com.", Type.HIDE)
            self.assertEqual((), reply.answer)
            reply = ask(dialogue, f"{name}.example.com.", "ANY")
            self.assertNotIn(Type.HIDE, [record.type for record in reply.answer])

    def test_cname(self) -> None:
        """At a name where one has a CNAME and the other something else, the overlay
        wins."""
        dialogue = merged("www 60 CNAME mail", "alias 60 A 10.0.0.3")
        reply = ask(dialogue, "www.example.com.", "A")
        self.assertEqual(
            {
                "www.example.com. 60 CNAME mail.example.com.",
                "mail.example.com. 3600 A 192.0.2.25",
            },
            lines(reply.answer),
        )
        reply = ask(dialogue, "alias.example.com.", "A")
        self.assertEqual({"alias.example.com. 60 A 10.0.0.3"}, lines(reply.answer))

    def test_apex_stays(self) -> None:
        """Neither a CNAME nor HIDE takes SOA and NS from a zone."""
        for text in ("@ 60 CNAME www", "@ 0 HIDE *", "@ 0 HIDE SOA NS"):
            dialogue = merged(text)
            for qtype in ("SOA", "NS"):
                self.assertTrue(ask(dialogue, "example.com.", qtype).answer, text)
        self.assertFalse(ask(merged("@ 0 HIDE *"), "example.com.", "MX").answer)

    def test_delegation(self) -> None:
        """An overlay can cut the zone, and hide a cut together with its DS."""
        dialogue = merged("www 60 NS ns1", "sub 0 HIDE *", "sub 60 A 10.0.0.4")
        referral = ask(dialogue, "x.www.example.com.", "A")
        self.assertFalse(referral.is_authoritative)
        self.assertEqual(
            {"www.example.com. 60 NS ns1.example.com."}, lines(referral.authority)
        )
        reply = ask(dialogue, "sub.example.com.", "A")
        self.assertEqual({"sub.example.com. 60 A 10.0.0.4"}, lines(reply.answer))

    def test_memory(self) -> None:
        """A merged tree has nodes of its own for the names alone that differ."""
        base = make_tree()
        tree = MergedTree(base, make_overlay("www A 10.0.0.1", "a.b.c A 10.0.0.2"))
        wanted = ("www", "a.b.c", "b.c", "c", "@")
        self.assertEqual({parse_name(text, ORIGIN) for text in wanted}, set(tree._own))

    def test_text(self) -> None:
        """HIDE is written as it is read."""
        for text in ("*", "AAAA HTTPS", "TYPE65280"):
            rdata = parse_rdata(Type.HIDE, text.split(), ORIGIN)
            self.assertEqual(text, rdata_text(Type.HIDE, rdata))
        for words in ([], ["NOTYPE"], ["*", "A"]):
            with self.assertRaises(ValueError):
                parse_rdata(Type.HIDE, words, ORIGIN)


# --- chance ---------------------------------------------------------------------------

NAMES = ("@", "a", "b", "*", "a.a", "b.a", "*.a", "a.b.a", "c.b.a", "a.*")
TYPES = (Type.A, Type.CNAME, Type.NS, Type.DNAME, Type.MX)
HIDDEN = ("*", "A", "CNAME NS", "MX DNAME")
SOA = "@ 60 SOA ns.x. h.x. 1 2 3 4 5"

names = st.sampled_from(NAMES)


@st.composite
def rrsets(draw: Any) -> RRset:
    """An RRset that a zone may have."""
    owner = draw(names)
    type_ = draw(st.sampled_from(TYPES if owner != "@" else (Type.A, Type.MX)))
    target = parse_name(draw(names), ORIGIN)
    rdata = {Type.A: bytes((10, 0, 0, draw(st.integers(0, 3)))), Type.MX: b"\0\1"}
    octets = rdata.get(type_, b"") + (b"" if type_ == Type.A else target)
    return RRset(parse_name(owner, ORIGIN), int(type_), 60, (octets,))


@st.composite
def hidings(draw: Any) -> RRset:
    """A HIDE."""
    text = f"{draw(names)} 0 HIDE {draw(st.sampled_from(HIDDEN))}"
    return parse_record(ORIGIN, text)


bases = st.lists(rrsets(), max_size=8)
overlays = st.lists(st.one_of(rrsets(), hidings()), max_size=6)
changes = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.one_of(rrsets(), hidings())), max_size=8
)


def fill(tree: ZoneTree, found: Iterable[RRset]) -> None:
    for rrset in found:
        put(tree, rrset)
    tree.touch()


def put(tree: ZoneTree, rrset: RRset) -> None:
    """As a store would that refuses a CNAME beside other data."""
    node = tree.names.get(fold(rrset.owner))
    kinds = {old.type for old in node.rrsets} if node is not None else set()
    kinds -= {rrset.type, Type.HIDE}
    if rrset.type == Type.HIDE or (
        Type.CNAME not in kinds and not (rrset.type == Type.CNAME and kinds)
    ):
        tree.put(rrset)


def rebuilt(base: ZoneTree, overlay: Overlay) -> ZoneTree:
    """A plain tree of the merged list of RRsets."""
    tree = ZoneTree(ORIGIN)
    for owner in {*base.names, *overlay.names}:
        there, over = base.names.get(owner), overlay.names.get(owner)
        for rrset in merge_rrsets(
            there.rrsets if there else (), over.rrsets if over else (), owner == ORIGIN
        ):
            tree.put(rrset)
    tree.touch()
    return tree


def answers(tree: ZoneTree) -> list[Message]:
    """Everything that can be asked of it."""
    dialogue = make_dialogue(tree)
    return [
        ask(dialogue, f"{prefix}{name_text(parse_name(name, ORIGIN))}", qtype)
        for name in NAMES
        for prefix in ("", "q.")
        for qtype in (*TYPES, Type.ANY, Type.DS)
    ]


class ChanceTests(SynchronousTestCase):
    """A merged tree is the tree of the merged RRsets, whatever happens."""

    @settings(max_examples=150, deadline=None)
    @given(bases, overlays, changes)
    def test_equal(
        self,
        first: list[RRset],
        above: list[RRset],
        later: list[tuple[bool, bool, RRset]],
    ) -> None:
        """After each change of the zone or the overlay, names, counts and answers are
        those of a tree built anew."""
        base, overlay = ZoneTree(ORIGIN), Overlay("inside", ORIGIN)
        fill(base, (parse_record(ORIGIN, SOA), parse_record(ORIGIN, "@ 60 NS ns.x.")))
        fill(base, first)
        fill(overlay, above)
        tree = MergedTree(base, overlay)
        self.compare(tree, rebuilt(base, overlay))
        self.compare_answers(tree, rebuilt(base, overlay))
        for is_base, is_removal, rrset in later:
            if is_base and rrset.type == Type.HIDE:
                continue
            changed: ZoneTree = base if is_base else overlay
            if is_removal:
                changed.remove(rrset.owner, rrset.type)
            else:
                put(changed, rrset)
            changed.touch()
            tree.follow((fold(rrset.owner),))
            self.compare(tree, rebuilt(base, overlay))
        self.compare_answers(tree, rebuilt(base, overlay))

    def compare(self, tree: MergedTree, wanted: ZoneTree) -> None:
        self.assertEqual(set(wanted.names), set(tree.names))
        self.assertEqual(wanted.record_count, tree.record_count)
        for name, node in wanted.names.items():
            self.assertEqual(node.children, tree.names[name].children, name)
            self.assertEqual(set(node.rrsets), set(tree.names[name].rrsets))
            self.assertEqual(node.marks, tree.names[name].marks)
        if not wanted.is_flat:
            self.assertFalse(tree.is_flat)

    def compare_answers(self, tree: MergedTree, wanted: ZoneTree) -> None:
        for expected, found in zip(answers(wanted), answers(tree), strict=True):
            self.assertEqual(essence(expected), essence(found))


def essence(message: Message) -> Any:
    """A reply without the order of its records."""
    sections = (message.answer, message.authority, message.additional)
    return (
        message.questions,
        message.rcode,
        message.flags,
        *(frozenset(section) for section in sections),
    )
