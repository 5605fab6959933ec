"""What a change makes wrong is forgotten, and what is not stays."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import SOA, mx_rdata
from netservices.dns.zone.leaves import Node
from netservices.dns.zone.tree import ZoneTree
from netservices.values import RRset
from tests.dns.authority import make_dialogue, make_tree, never_later, question

PEER = ("192.0.2.9", 4711)
ORIGIN = "example.com."
NAMES = [
    "@", "www", "mail", "ns1", "a", "b.a", "c.b.a", "*", "*.a", "*.b.a", "alias",
    "sub", "ns.sub", "x.sub",
]  # fmt: skip
TARGETS = ["www", "mail", "ns1", "a", "b.a", "alias", "nowhere", "x.sub", "q.a"]
ASKED = [*NAMES, "nowhere", "q.a", "r.b.a", "deep.q.a", "y.x.sub"]
TYPES = ["A", "AAAA", "MX", "CNAME", "NS", "SOA", "TXT", "ANY"]
HEAD = """
$TTL 60
@    SOA ns1 h 1 7200 1800 1209600 300
     NS ns1
     NS ns2.example.net.
ns1  A 192.0.2.1
www  A 192.0.2.80
mail A 192.0.2.25
     A 192.0.2.26
@     MX 10 mail
alias CNAME www
c.b.a MX 10 b.a
b.a   A 192.0.2.27
"""


def full(name: str) -> bytes:
    """A name of the zone."""
    return parse_name(ORIGIN if name == "@" else f"{name}.{ORIGIN}")


def rdatas(kind: str, targets: list[str], number: int) -> tuple[bytes, ...]:
    """Records of one type."""
    if kind == "A":
        return tuple(bytes((10, 0, i, number)) for i in range(len(targets)))
    if kind == "TXT":
        return (bytes((1, 97 + number % 20)),)
    if kind == "MX":
        return tuple(mx_rdata(i, full(t)) for i, t in enumerate(targets))
    if kind in ("CNAME", "DNAME"):
        return (full(targets[0]),)
    return tuple(dict.fromkeys(full(target) for target in targets))


KINDS = ["A", "A", "A", "TXT", "MX", "CNAME", "NS", "DNAME"]
PUTS = st.tuples(
    st.just("put"),
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True),
    st.integers(0, 250),
)
REMOVALS = st.tuples(
    st.just("remove"),
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    st.just(["www"]),
    st.just(0),
)
UPDATES = st.lists(
    st.lists(st.one_of(PUTS, REMOVALS), min_size=1, max_size=3), min_size=1, max_size=6
)


def change(tree: ZoneTree, update: list[Any], serial: int) -> None:
    """Do what an update does; the SOA goes with it."""
    for verb, name, kind, targets, number in update:
        owner, type_ = full(name), int(Type[kind])
        if verb == "put":
            tree.put(RRset(owner, type_, 60, rdatas(kind, targets, number)))
        else:
            tree.remove(owner, type_)
    soa = SOA(full("ns1"), full("h"), serial, 7200, 1800, 1209600, 300)
    tree.put(RRset(full("@"), Type.SOA, 60, (soa.encode(),)))


def fresh(tree: ZoneTree) -> ZoneTree:
    """A new tree of the same records."""
    made = ZoneTree(tree.apex)
    for rrset in tree.rrsets():
        made.put(rrset)
    made.touch()
    return made


QUESTIONS = [
    question(ORIGIN if name == "@" else f"{name}.{ORIGIN}", qtype, edns=edns)
    for name in ASKED
    for qtype in TYPES
    for edns in ((None, Edns(1232)) if qtype in "A MX" else (None,))
]


class ChangeTests(SynchronousTestCase):
    """Caches after changes."""

    @settings(max_examples=60, deadline=None)
    @given(UPDATES, st.booleans())
    def test_as_if_new(self, updates: list[list[Any]], is_minimal: bool) -> None:
        """After any changes every answer, from whichever cache, is that of a zone
        loaded anew."""
        tree = make_tree(HEAD, ORIGIN)
        dialogue = make_dialogue(tree, minimal_responses=is_minimal)
        exact = ExactAnswers(dialogue, 10_000, later=never_later)
        answer = exact.answerer()
        for serial, update in enumerate(updates, 2):
            for data in QUESTIONS:
                for _ in range(3):
                    answer(data, PEER, None)
            change(tree, update, serial)
            exact.forget(tree.touch())
            new = make_dialogue(fresh(tree), minimal_responses=is_minimal)
            right = ExactAnswers(new, 10_000, later=never_later).answerer()
            for data in QUESTIONS:
                expected = right(data, PEER, None)
                for _ in range(3):
                    self.assertEqual(expected, answer(data, PEER, None), data)

    @settings(max_examples=100, deadline=None)
    @given(UPDATES)
    def test_tree(self, updates: list[list[Any]]) -> None:
        """A changed tree has the names, counts and marks of one that is built anew."""
        tree = make_tree(HEAD, ORIGIN)
        for serial, update in enumerate(updates, 2):
            change(tree, update, serial)
            tree.touch()
            new = fresh(tree)
            self.assertEqual(set(new.names), set(tree.names))
            self.assertEqual(new.record_count, tree.record_count)
            self.assertEqual(new.is_flat, tree.is_flat)
            self.assertEqual(new.servers, tree.servers)
            for name, node in new.names.items():
                self.assertEqual(node.children, tree.names[name].children)
                self.assertEqual(node.marks, tree.names[name].marks)
                self.assertEqual(set(node.rrsets), set(tree.names[name].rrsets))


class PreciseTests(SynchronousTestCase):
    """What stays."""

    def setUp(self) -> None:
        self.tree = make_tree()
        self.exact = ExactAnswers(make_dialogue(self.tree), 1000, later=never_later)
        self.answer = self.exact.answerer()
        for name in ("mail", "alias", "ns1", "none", "_sip._tcp"):
            for qtype in ("A", "TXT", "SRV"):
                for _ in range(3):
                    self.ask(name, qtype)

    def ask(self, name: str, qtype: str) -> bytes | None:
        return self.answer(question(f"{name}.example.com.", qtype), PEER, None)

    def put(self, name: str) -> list[bytes] | None:
        self.tree.put(RRset(full(name), Type.A, 1, (b"\1\1\1\1",)))
        return self.tree.touch()

    def test_other_name(self) -> None:
        """A change of one name leaves the answers of the others, but for denials."""
        lasting = set(self.tree.answers.lasting)
        self.assertIn(full("alias"), lasting)
        self.exact.forget(self.put("brandnew"))
        self.assertEqual(lasting, set(self.tree.answers.lasting))
        self.assertEqual({}, self.tree.answers.passing)
        self.assertTrue(len(self.exact))

    def test_target(self) -> None:
        """A change of a target forgets what leads there."""
        sources = self.put("www")
        self.assertIn(full("alias"), sources or ())
        self.assertNotIn(full("alias"), self.tree.answers.lasting)
        self.assertIn(full("_sip._tcp"), self.tree.answers.lasting)

    def test_server(self) -> None:
        """A change of a name server's address forgets everything, as does a cut."""
        self.assertIsNone(self.put("ns1"))
        self.assertEqual(0, len(self.tree.answers))
        self.ask("alias", "A")
        self.tree.put(RRset(full("mail"), Type.NS, 1, (full("ns1"),)))
        self.assertIsNone(self.tree.touch())
        self.assertEqual(0, len(self.tree.answers))

    def test_soa(self) -> None:
        """Without its SOA a zone gives no answers, whatever was kept."""
        soa = self.tree.soa
        assert soa is not None
        before = self.ask("mail", "A")
        self.tree.remove(full("@"), Type.SOA)
        self.exact.forget(self.tree.touch())
        for name in ("mail", "alias", "none"):
            reply = self.ask(name, "A") or bytes(12)
            self.assertEqual(Rcode.SERVFAIL, reply[3] & 15)
        self.tree.put(soa)
        self.exact.forget(self.tree.touch())
        self.assertEqual(before, self.ask("mail", "A"))

    def test_leaves(self) -> None:
        """A name with one simple RRset is held as octets; other ones, the servers and
        those above other names as nodes."""
        packed = self.tree.packed
        for name in ("mail", "t", "www"):
            self.assertIsInstance(packed[full(name)], bytes)
        for name in ("@", "ns1", "ent", "alias", "sub"):
            self.assertIsInstance(packed[full(name)], Node)
        self.put("below.mail")
        self.assertIsInstance(packed[full("mail")], Node)
