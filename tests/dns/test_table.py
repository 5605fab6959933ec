"""The table of a zone's names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.zone import table
from netservices.dns.zone.table import Table

NAMES = st.binary(max_size=3)


class TableTests(SynchronousTestCase):
    """``Table`` against a dict."""

    @given(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=2))))
    def test_like_a_dict(self, steps: list[tuple[bytes, bytes | None]]) -> None:
        """It holds what a dict would, whole and taken apart."""
        self.patch(table, "LARGEST_WHOLE", 5)
        found, expected = Table(), dict[bytes, bytes]()
        for name, value in steps:
            if value is not None:
                found[name] = expected[name] = value
            elif name in expected:
                del found[name], expected[name]
            else:
                self.assertRaises(KeyError, found.__delitem__, name)
                self.assertRaises(KeyError, found.__getitem__, name)
            self.assertEqual(expected.get(name), found.get(name))
            self.assertEqual(name in expected, name in found)
            self.assertEqual(len(expected), len(found))
        self.assertEqual(expected, dict(found.items()))
        self.assertEqual(set(expected), set(found))

    def test_spread(self) -> None:
        """A large table is many dicts, none of which has much of it; a small one is
        one."""
        found = Table()
        for number in range(table.LARGEST_WHOLE):
            found[b"%d" % number] = b""
        self.assertEqual(1, len(found.dicts()))
        for number in range(2 * table.LARGEST_WHOLE):
            found[b"%d" % number] = b""
        sizes = [len(part) for part in found.dicts()]
        self.assertEqual(2 * table.LARGEST_WHOLE, sum(sizes))
        self.assertEqual(table.PARTS, len(sizes))
        self.assertLess(max(sizes), 2 * sum(sizes) / table.PARTS)
