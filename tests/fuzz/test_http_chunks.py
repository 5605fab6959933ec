"""Chunked bodies: other strict readers see what we see, and refuse nothing that we
take."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.http.wire.chunks import ChunkedReader, chunk, last_chunk
from netservices.http.wire.problems import BadMessage
from netservices.web.fields import Fields
from tests.fuzz.readers import Incomplete, Refused, by_h11, by_llhttp, by_us

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SPACE = re.compile(rb"[ \t][;=]|[;=][ \t]")
TOKEN = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=4)
QUOTED = st.text("a ;=\t", max_size=4).map(lambda text: f'"{text}"')
EXTENSION = st.one_of(
    TOKEN.map(lambda name: f";{name}"),
    st.tuples(TOKEN, st.one_of(TOKEN, QUOTED)).map(lambda two: f";{two[0]}={two[1]}"),
)
EXTENSIONS = st.lists(EXTENSION, max_size=2).map(lambda found: "".join(found).encode())


@st.composite
def bodies(draw: Callable[..., object]) -> tuple[bytes, bytes]:
    """Content, and the same in chunks."""
    contents: list[bytes] = draw(  # type: ignore[assignment]
        st.lists(st.binary(min_size=1, max_size=20), max_size=4)
    )
    pieces = []
    for content in contents:
        size = b"%x" % len(content)
        zeros: int = draw(st.integers(0, 3))  # type: ignore[assignment]
        extensions: bytes = draw(EXTENSIONS)  # type: ignore[assignment]
        size = draw(st.sampled_from([size, size.upper()]))  # type: ignore[assignment]
        pieces.append(b"0" * zeros + size + extensions + b"\r\n" + content + b"\r\n")
    trailers = draw(st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC-D:\r\n"]))
    pieces.append(b"0\r\n%b\r\n" % trailers)
    return b"".join(contents), b"".join(pieces)


JUNK = st.one_of(
    st.sampled_from(
        [
            *(b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b";", b"=", b'"', b"0x", b"+"),
            *(b"-1", b"0\r\n", b"\r\n\r\n", b"\x80", b"ffffffffffffffff", b"G", b"_"),
        ]
    ),
    st.binary(min_size=1, max_size=2),
)


@st.composite
def spoilt(draw: Callable[..., object]) -> bytes:
    """A chunked body that was changed in up to two places."""
    _, data = draw(bodies())  # type: ignore[misc]
    count: int = draw(st.integers(1, 2))  # type: ignore[assignment]
    for _ in range(count):
        at: int = draw(st.integers(0, len(data)))  # type: ignore[assignment]
        gone: int = draw(st.integers(0, 2))  # type: ignore[assignment]
        junk: bytes = draw(st.one_of(st.just(b""), JUNK))  # type: ignore[assignment]
        data = data[:at] + junk + data[at + gone :]
    return data  # type: ignore[no-any-return]


def content_of(reader: Callable[[bytes], object], data: bytes) -> object:
    """The content that ``reader`` sees; None where it refuses or waits for more."""
    try:
        return reader(HEAD + data).content  # type: ignore[attr-defined]
    except (Refused, Incomplete):
        return None


class ChunkTests(SynchronousTestCase):
    """Agreement with h11 and llhttp."""

    @given(bodies())
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_valid_bodies(self, both: tuple[bytes, bytes]) -> None:
        """All see the same content in a valid body."""
        content, data = both
        for reader in (by_us, by_h11, by_llhttp):
            self.assertEqual(content, content_of(reader, data), reader.__name__)

    @given(spoilt())
    @settings(max_examples=500, deadline=None, derandomize=True)
    def test_spoilt_bodies(self, data: bytes) -> None:
        """What we take, the others take, and see the same content in it; but they
        want no space around extensions, over which RFC 9112 7.1.1 makes us read."""
        ours = content_of(by_us, data)
        if ours is not None and not SPACE.search(data):
            for reader in (by_h11, by_llhttp):
                self.assertEqual(ours, content_of(reader, data), reader.__name__)

    @given(bodies(), st.binary(max_size=5), st.integers(1, 7))
    @settings(max_examples=100, deadline=None, derandomize=True)
    def test_pieces(self, both: tuple[bytes, bytes], rest: bytes, size: int) -> None:
        """It does not matter in which pieces a body comes, and what follows it is left
        alone."""
        content, data = both
        whole = data + rest
        reader = ChunkedReader()
        found = []
        position = 0
        while not reader.is_complete:
            found += reader.feed(whole[position : position + size])
            position += size

        self.assertEqual(content, b"".join(found))
        self.assertEqual(rest, reader.rest + whole[position:])

    @given(st.lists(st.binary(min_size=1, max_size=9)), st.integers(0, 3))
    @settings(max_examples=100, deadline=None, derandomize=True)
    def test_round_trip(self, pieces: list[bytes], trailers: int) -> None:
        """What is written in chunks is read as it was."""
        fields = Fields([(f"x-{n}", "y z") for n in range(trailers)])
        data = b"".join([*map(chunk, pieces), last_chunk(fields)])
        reader = ChunkedReader()
        content = b"".join(reader.feed(data))

        self.assertTrue(reader.is_complete)
        self.assertEqual(b"".join(pieces), content)
        self.assertEqual(fields, reader.trailers)

    @given(st.binary(max_size=40))
    @settings(max_examples=300, deadline=None, derandomize=True)
    def test_any_octets(self, data: bytes) -> None:
        """Nothing but BadMessage is raised, whatever comes."""
        reader = ChunkedReader()
        try:
            reader.feed(data)
        except BadMessage as problem:
            self.assertEqual(400, problem.status)
