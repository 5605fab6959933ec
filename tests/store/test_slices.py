"""Large zones are replaced a slice at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.store import zones
from netservices.units import CreateZone, ReplaceZone, Unit
from netservices.values import RRset
from tests.dns.house import make_store

APEX = b"\7example\0"
CONTENTS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from((1, 16, 28))),
    st.integers(1, 3),
    max_size=12,
)


def rrsets(content: dict[tuple[str, int], int]) -> tuple[RRset, ...]:
    """An RRset for each, with as many records as it says."""
    return tuple(
        RRset(b"\1" + label.encode() + APEX, type_, 60, tuple(map(bytes, range(count))))
        for (label, type_), count in content.items()
    )


def records(found: set[RRset]) -> set[tuple[bytes, int, bytes]]:
    """Each record by itself."""
    return {(rrset.owner, rrset.type, data) for rrset in found for data in rrset.rdatas}


class ReplaceTests(SynchronousTestCase):
    """ReplaceZone."""

    @given(CONTENTS, CONTENTS)
    def test_any(
        self, old: dict[tuple[str, int], int], new: dict[tuple[str, int], int]
    ) -> None:
        """Whatever is replaced by whatever: the content is the new one, and the journal
        has what differs."""
        self.patch(zones, "_SLICE_RRSETS", 2)
        store = make_store()
        before, after = set(rrsets(old)), set(rrsets(new))
        value_of(store.apply(Unit((CreateZone(APEX, rrsets(old)),))))
        value_of(store.apply(Unit((ReplaceZone(APEX, rrsets(new)),))))
        found = value_of(store.zones.load(APEX))
        self.assertEqual(after, set(found.rrsets))
        (change,) = value_of(store.zones.history(APEX, 2))
        self.assertEqual(before - after, set(change.removed))
        self.assertEqual(after - before, set(change.added))
        gone, came = records(before) - records(after), records(after) - records(before)
        self.assertEqual(len(gone), change.removed_records)
        self.assertEqual(len(came), change.added_records)
        value_of(store.close())
