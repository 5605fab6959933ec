"""Full collections wait while something large is loaded."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.garbage import (
    keep_for_long,
    without_collections,
    without_full_collections,
)


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


class CollectionTests(SynchronousTestCase):
    """The collector's thresholds, and what it counts as old."""

    def setUp(self) -> None:
        """Nothing that the tests freeze stays frozen."""
        self.addCleanup(gc.unfreeze)
        self.thresholds = gc.get_threshold()

    def full_collections(self) -> int:
        """How many there were."""
        return int(gc.get_stats()[2]["collections"])

    def test_none_within(self) -> None:
        """Many objects cause no full collection within, and stay."""
        with without_full_collections():
            before = self.full_collections()
            kept = [[number] for number in range(300_000)]
            self.assertEqual(before, self.full_collections())
        self.assertEqual(self.thresholds, gc.get_threshold())
        self.assertGreaterEqual(gc.get_freeze_count(), len(kept))

    def test_nothing(self) -> None:
        """Not even young objects are looked at while modules are imported, nor later;
        garbage made afterwards goes."""
        with without_collections():
            before = gc.get_stats()[0]["collections"]
            kept = [[number] for number in range(5000)]
            self.assertEqual(before, gc.get_stats()[0]["collections"])
        self.assertGreaterEqual(gc.get_freeze_count(), len(kept))
        Knot()
        self.assertGreater(gc.collect(), 0)

    def test_nothing_after_a_failure(self) -> None:
        """An exception within leaves the collector as it was."""
        with self.assertRaises(ImportError), without_collections():
            raise ImportError
        self.assertTrue(gc.isenabled())

    def test_young_ones(self) -> None:
        """Young cycles are still collected within."""
        with without_full_collections():
            before = gc.get_stats()[0]["collections"]
            for _ in range(5000):
                Knot()
            self.assertGreater(gc.get_stats()[0]["collections"], before)

    def test_long(self) -> None:
        """What is kept for long is not looked at again; young garbage goes."""
        kept = [[number] for number in range(1000)]
        Knot()
        before = gc.get_freeze_count()
        keep_for_long()
        self.assertGreaterEqual(gc.get_freeze_count() - before, len(kept))
        self.assertEqual(0, sum(isinstance(o, Knot) for o in gc.get_objects()))

    def test_nested(self) -> None:
        """The last one who leaves lets full collections come back."""
        with without_full_collections():
            with without_full_collections():
                pass
            self.assertNotEqual(self.thresholds, gc.get_threshold())
        self.assertEqual(self.thresholds, gc.get_threshold())

    def test_error(self) -> None:
        """Also after an error."""
        with self.assertRaises(ValueError), without_full_collections():
            raise ValueError
        self.assertEqual(self.thresholds, gc.get_threshold())
