"""Zones that are read page by page, and what becomes of old ones."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend import load
from netservices.dns.backend.load import ZoneLoader
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.leftovers import Leftovers
from netservices.dns.zone.tree import ZoneTree
from netservices.units import DeleteZone, ReplaceZone, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE, make_tree
from tests.dns.house import add_zone, apply, make_store

APEX = parse_name("example.com.")


def address(name: str, last: int) -> RRset:
    """An A record."""
    return RRset(
        parse_name(f"{name}.example.com."), Type.A, 60, (bytes((1, 1, 1, last)),)
    )


class LoadTests(SynchronousTestCase):
    """A zone of a store that does not stand still."""

    def setUp(self) -> None:
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        self.pauses = 0
        self.meanwhile: dict[int, Any] = {}

    async def pause(self, seconds: float) -> None:
        """Let the store change."""
        self.pauses += 1
        operation = self.meanwhile.pop(self.pauses, None)
        if operation is not None:
            apply(self.store, operation)

    def load(self, page_rrsets: int) -> ZoneTree | None:
        loader = ZoneLoader(self.store, self.pause, 1, page_rrsets)
        self.pauses = 0
        return self.successResultOf(Deferred.fromCoroutine(loader.load(APEX)))

    def assert_as_stored(self, tree: ZoneTree | None) -> None:
        """The tree has what the store had at its revision."""
        assert tree is not None
        later = self.successResultOf(self.store.zones.differences(APEX, tree.revision))
        for _, _, removed, added in later or ():
            for rrset in removed:
                tree.remove(rrset.owner, rrset.type)
            for rrset in added:
                tree.put(rrset)
            tree.revision += 1
        zone = self.successResultOf(self.store.zones.load(APEX))
        assert zone is not None
        self.assertEqual(set(zone.rrsets), set(tree.rrsets()))
        self.assertEqual(zone.info.revision, tree.revision)
        self.assertEqual(sum(len(r.rdatas) for r in zone.rrsets), tree.record_count)

    def test_pages(self) -> None:
        """Pages of any size make the same tree."""
        for size in (1, 2, 7, 1000):
            self.assert_as_stored(self.load(size))

    def test_changes(self) -> None:
        """Whenever the zone changes, before or behind what is read, the tree is as the
        store had it when the last page was read."""
        www, names = parse_name("www.example.com."), ("a", "www", "zz", "t")
        for at in range(1, 40, 3):
            for index, name in enumerate(names):
                gone = ((www, int(Type.A)),) if index % 2 else ()
                update = UpdateZone(APEX, gone, (address(name, at),))
                self.meanwhile = {at: update, at + 2: UpdateZone(APEX, gone, ())}
                self.assert_as_stored(self.load(3))

    def test_replaced_and_gone(self) -> None:
        """A zone that is replaced meanwhile is read as it is; one that goes is none."""
        soa = next(r for r in make_tree().rrsets() if r.type == Type.SOA)
        self.meanwhile = {9: ReplaceZone(APEX, (soa, address("only", 1)))}
        self.assert_as_stored(self.load(3))
        add_zone(self.store, EXAMPLE.replace("example.com.", "x"), "example.net.")
        self.meanwhile = {1: DeleteZone(APEX)}
        self.assertIsNone(self.load(1))

    def test_short_journal(self) -> None:
        """Where the journal is too short to follow, the zone is read at once."""
        self.patch(load, "_MOST_STARTS", 0)
        self.assert_as_stored(self.load(3))


class LeftoversTests(SynchronousTestCase):
    """What is freed a little at a time."""

    def test_tables(self) -> None:
        """Large tables shrink by as much as is asked for."""
        leftovers = Leftovers()
        small, large = dict.fromkeys(range(10)), dict.fromkeys(range(1000))
        leftovers.drop(small)
        leftovers.drop(large)
        self.assertTrue(leftovers)
        leftovers.take_away(300)
        self.assertEqual((10, 700), (len(small), len(large)))
        leftovers.take_away(10_000)
        self.assertFalse(leftovers)

    def test_tree_in_use(self) -> None:
        """A tree that somebody reads stays whole until that ends."""
        leftovers = Leftovers()
        tree = make_tree("@ 60 SOA ns h 1 2 3 4 5\n$GENERATE 1-300 h$ 60 A 10.0.0.1\n")
        packed, reading = tree.packed, tree.rrsets()
        next(iter(reading))
        leftovers.drop_tree(tree)
        leftovers.look()
        self.assertFalse(leftovers)
        del tree, reading
        leftovers.look()
        self.assertFalse(leftovers)
        size = len(packed)
        del packed
        leftovers.look()
        self.assertTrue(leftovers)
        leftovers.take_away(size)
        self.assertFalse(leftovers)
