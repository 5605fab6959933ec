"""What rows hold of RRsets, results and paths can be read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.store.paths import pack_path, unpack_path
from netservices.store.results import pack_results, unpack_results
from netservices.store.rrsets import (
    name_text,
    pack_rdatas,
    pack_rrsets,
    soa_serial,
    unpack_rdatas,
    unpack_rrsets,
)
from netservices.values import Lease, RRset

RDATAS = st.lists(st.binary(max_size=300), max_size=4).map(tuple)
RRSETS = st.builds(
    RRset,
    st.binary(max_size=255),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    RDATAS,
)
LEASES = st.builds(
    Lease, st.text(), st.text(), st.integers(), st.floats(allow_nan=False)
)
RESULTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | LEASES,
    lambda inner: st.lists(inner, max_size=3).map(tuple),
)
SEGMENTS = (
    st.binary(min_size=1)
    .filter(lambda octets: not set(octets) & {0, 0x2F})
    .map(lambda octets: octets.decode("utf-8", "surrogateescape"))
)


class PackingTests(SynchronousTestCase):
    """There and back."""

    @given(RDATAS)
    def test_rdatas(self, rdatas: tuple[bytes, ...]) -> None:
        """RDATAs of any octets, also none."""
        self.assertEqual(rdatas, unpack_rdatas(pack_rdatas(rdatas)))

    def test_long_rdata(self) -> None:
        """An RDATA may have 65,535 octets (RFC 1035 3.2.1)."""
        rdatas = (b"x" * 65_535, b"")
        self.assertEqual(rdatas, unpack_rdatas(pack_rdatas(rdatas)))

    @given(st.lists(RRSETS, max_size=4).map(tuple))
    def test_rrsets(self, rrsets: tuple[RRset, ...]) -> None:
        """RRsets, one after the other."""
        self.assertEqual(rrsets, unpack_rrsets(pack_rrsets(rrsets)))

    @given(st.lists(RESULTS, max_size=4).map(tuple))
    def test_results(self, results: tuple[object, ...]) -> None:
        """Results of units, leases among them."""
        self.assertEqual(results, unpack_results(pack_results(results)))

    @given(st.lists(SEGMENTS, max_size=4).map(tuple))
    def test_paths(self, path: tuple[str, ...]) -> None:
        """Paths of any octets; the root is empty."""
        self.assertEqual(path, unpack_path(pack_path(path)))

    @given(st.binary(max_size=80))
    def test_serial_of_anything(self, rdata: bytes) -> None:
        """Whatever stands in place of an SOA, there is a serial."""
        self.assertTrue(0 <= soa_serial(rdata) <= 0xFFFFFFFF)

    @given(st.binary(max_size=80))
    def test_text_of_anything(self, name: bytes) -> None:
        """Whatever stands in place of a name, its text is printable ASCII."""
        text = name_text(name)
        self.assertTrue(text.endswith(".") and text.isascii() and text.isprintable())

    def test_name_text(self) -> None:
        """Names in lower case, dots in labels escaped (RFC 1035 5.1)."""
        self.assertEqual("www.example.com.", name_text(b"\3WWW\7example\3com\0"))
        self.assertEqual("a\\.b.c\\032d.", name_text(b"\3a.b\3c d\0"))
        self.assertEqual(".", name_text(b"\0"))
