"""Which content coding a client gets."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

import brotli
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.web.coders import CODINGS, available, compressed, make_coder, stream
from netservices.web.fields import Fields
from netservices.web.negotiation import codings_of

ALL = ("br", "zstd", "gzip")

# Accept-Encoding; what of ALL is sent.
TABLE: tuple[tuple[str | None, str | None], ...] = (
    (None, ""),
    ("", ""),
    ("gzip", "gzip"),
    ("GZip", "gzip"),
    ("x-gzip", "gzip"),
    ("gzip, deflate, br, zstd", "br"),
    ("gzip, zstd", "zstd"),
    ("gzip;q=1, br;q=0.5", "gzip"),
    ("gzip; q=0.5 , br;q=0.5", "br"),
    ("br;q=0, gzip", "gzip"),
    ("br;q=0.000, gzip;q=0.001", "gzip"),
    ("gzip;q=0", ""),
    ("deflate", ""),
    ("identity", ""),
    ("identity, gzip", "gzip"),
    ("identity, gzip;q=0.5", ""),
    ("identity;q=0.5, gzip", "gzip"),
    ("*", "br"),
    ("*;q=0.5, gzip", "gzip"),
    ("gzip, *;q=0", "gzip"),
    ("*;q=0", None),
    ("identity;q=0", None),
    ("identity;q=0, deflate", None),
    ("identity;q=0, gzip;q=0.1", "gzip"),
    ("*;q=0, identity", ""),
    ("gzip;q=nonsense", ""),
    ("gzip;q=1.5", "gzip"),
    (",,gzip,,", "gzip"),
)


def decoded(coding: str, data: bytes) -> bytes:
    """The content."""
    if coding == "br":
        return bytes(brotli.decompress(data))
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return zlib.decompress(data, 31)


class ChoiceTests(SynchronousTestCase):
    """The best of what there is."""

    def test_table(self) -> None:
        """Weights, stars, and what is excluded.  RFC 9110 12.5.3."""
        for written, expected in TABLE:
            fields = Fields() if written is None else Fields(_field(written))
            self.assertEqual(expected, codings_of(fields).best(ALL), written)

    def test_nothing_to_choose(self) -> None:
        """Where there is one form, it is sent unless it is excluded."""
        self.assertEqual("", codings_of(Fields(_field("gzip"))).best(()))
        self.assertIsNone(codings_of(Fields(_field("identity;q=0"))).best(()))

    @given(st.text(alphabet="gzipbr*,;q=01. identity", max_size=60))
    def test_anything(self, written: str) -> None:
        """Whatever is written, the choice is one of what there is."""
        choice = codings_of(Fields(_field(written))).best(ALL)
        self.assertIn(choice, (*ALL, "", None))


class CoderTests(SynchronousTestCase):
    """What is compressed can be read."""

    def test_whole(self) -> None:
        """Each coding of a short content, the same each time."""
        data = b"hello " * 1000
        for coding in CODINGS:
            found = compressed(coding, data)
            self.assertLess(len(found), 200)
            self.assertEqual(data, decoded(coding, found))
            self.assertEqual(found, compressed(coding, data))

    def test_stream(self) -> None:
        """Pieces are compressed one by one; live ones can be read at once."""
        pieces = [b"one " * 100, b"two " * 100, b"three"]
        for coding in CODINGS:
            for is_live in (False, True):
                found = self.collect(coding, pieces, is_live)
                self.assertEqual(b"".join(pieces), decoded(coding, b"".join(found)))
                if is_live:
                    self.assertEqual(len(pieces) + 1, len(found))

    def collect(self, coding: str, pieces: list[bytes], is_live: bool) -> list[bytes]:
        """What is sent."""

        async def content() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        def run(function: Any, *args: Any) -> Any:
            return succeed(function(*args))

        async def collected() -> list[bytes]:
            made = stream(coding, content(), run, is_live)
            return [piece async for piece in made]

        return self.successResultOf(begun(collected()))

    def test_available(self) -> None:
        """What is unknown is left out."""
        self.assertEqual(("gzip",), available(("lzma", "gzip")))
        self.assertRaises(LookupError, make_coder, "lzma")


def _field(value: str) -> list[tuple[str, str]]:
    return [("accept-encoding", value)]
