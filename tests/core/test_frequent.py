"""The most frequent among very many things."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.frequent import Frequent


class FrequentTests(SynchronousTestCase):
    """Counts in bounded memory."""

    def test_few(self) -> None:
        """As long as there is room, counts are exact."""
        counts: Frequent[str] = Frequent(3)
        for thing in "abcabab":
            counts.add(thing)

        self.assertEqual([("a", 3, 0), ("b", 3, 0)], counts.top(2))

    def test_flood(self) -> None:
        """However many things come, few are held, and what is frequent stays."""
        counts: Frequent[int] = Frequent(10)
        for number in range(20_000):
            counts.add(number)
            if number % 10 == 0:
                counts.add(-1)

        self.assertLessEqual(len(counts), 20)
        thing, count, error = counts.top(1)[0]
        self.assertEqual(-1, thing)
        self.assertLessEqual(count - error, 2000)
        self.assertGreaterEqual(count, 2000)

    @given(
        st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=300),
        st.integers(1, 5),
    )
    def test_bounds(self, added: list[tuple[int, int]], size: int) -> None:
        """A count is never too small, and too large by its error at most."""
        counts: Frequent[int] = Frequent(size)
        exact: Counter[int] = Counter()
        for thing, times in added:
            counts.add(thing, times)
            exact[thing] += times

        found = counts.top(size)
        self.assertEqual(min(size, len(exact)), len(found))
        for thing, count, error in found:
            self.assertLessEqual(exact[thing], count)
            self.assertLessEqual(count - error, exact[thing])

    @given(st.lists(st.integers(0, 9), max_size=200))
    def test_majority(self, others: list[int]) -> None:
        """What is more than half of everything is in first place."""
        counts: Frequent[int] = Frequent(2)
        for other in others:
            counts.add(other)
            counts.add(99)
        counts.add(99)

        self.assertEqual(99, counts.top(1)[0][0])
