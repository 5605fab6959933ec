"""Heads of requests: other strict readers see what we see, and refuse nothing that we
take."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.readers import Incomplete, Refused, Seen, by_h11, by_llhttp, by_us

TOKEN = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=8)
VALUE = st.text(
    [chr(code) for code in (9, *range(32, 127), 128, 233, 255)], max_size=20
).map(lambda text: text.strip(" \t"))
SPACE = st.text(" \t", max_size=2)
KNOWN_METHODS = (
    ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND")
    + ("PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "TRACE", "SEARCH")
    + ("LINK", "UNLINK", "BIND", "REBIND", "UNBIND", "ACL", "REPORT", "PURGE")
)
METHODS = st.sampled_from(KNOWN_METHODS)
VERSIONS = re.compile(rb" HTTP/1\.[01]\r\n")
Reader: TypeAlias = Callable[[bytes], Seen]
SEGMENT = st.text("abcXYZ019-._~!$&'()*+,;=:@%", max_size=6).map(
    lambda text: text.replace("%", "%25")
)
PATH = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
QUERY = st.one_of(st.just(""), SEGMENT.map(lambda text: f"?{text}"))
HOST = st.sampled_from(
    ["h", "a.example", "a.example:8080", "192.0.2.1", "[2001:db8::1]"]
)
TARGET = st.one_of(
    st.tuples(PATH, QUERY).map("".join),
    st.tuples(st.sampled_from(["http://h", "http://a.example:81"]), PATH, QUERY).map(
        "".join
    ),
)
OURS = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
    "proxy-connection",
}
FIELDS = st.lists(
    st.tuples(TOKEN.filter(lambda name: name.lower() not in OURS), SPACE, VALUE, SPACE),
    max_size=6,
)


def chunked(content: bytes) -> bytes:
    """``content`` in chunks of three octets."""
    pieces = [content[at : at + 3] for at in range(0, len(content), 3)]
    lines = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([*lines, b"0\r\n\r\n"])


@st.composite
def requests(draw: Callable[..., object]) -> bytes:
    """A valid request, with content of either framing or without."""
    lines = [f"{draw(METHODS)} {draw(TARGET)} HTTP/1.1", f"Host: {draw(HOST)}"]
    fields: list[tuple[str, ...]] = draw(FIELDS)  # type: ignore[assignment]
    lines += [f"{name}:{before}{value}{after}" for name, before, value, after in fields]
    content: bytes = draw(st.binary(max_size=10))  # type: ignore[assignment]
    framing = draw(st.sampled_from(["", "length", "chunked"]))
    body = b""
    if framing == "length":
        lines.append(f"Content-Length: {len(content)}")
        body = content
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = chunked(content)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


JUNK = st.one_of(
    st.sampled_from(
        [
            *(b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x0b", b"\x0c", b"\x7f"),
            *(b"\x80", b"\xff", b":", b",", b";", b"+", b"-", b"0", b"0x", b"\r\n "),
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: identity\r\n",
            b"Host: other\r\n",
            b"chunked, ",
            b"HTTP/1.1",
            b"HTTP/1.0",
        ]
    ),
    st.binary(min_size=1, max_size=2),
)


@st.composite
def spoilt(draw: Callable[..., object]) -> bytes:
    """A valid request that was changed in up to three places."""
    data: bytes = draw(requests())  # type: ignore[assignment]
    count: int = draw(st.integers(1, 3))  # type: ignore[assignment]
    for _ in range(count):
        at: int = draw(st.integers(0, len(data)))  # type: ignore[assignment]
        gone: int = draw(st.integers(0, 3))  # type: ignore[assignment]
        junk: bytes = draw(st.one_of(st.just(b""), JUNK))  # type: ignore[assignment]
        data = data[:at] + junk + data[at + gone :]
    return data


def strictly(reader: Reader, data: bytes) -> Seen | None:
    """What ``reader`` sees; None where it refuses or waits for more."""
    try:
        return reader(data)
    except (Refused, Incomplete):
        return None


def may_differ(reader: Reader, data: bytes, ours: Seen) -> bool:
    """Whether a reader may refuse what we take: llhttp knows no other methods than its
    own; we read over more than one empty line, and take later versions 1.x for 1.1
    (RFC 9112 2.2, RFC 9110 2.5)."""
    if reader is by_llhttp:
        return ours.method not in KNOWN_METHODS or not VERSIONS.search(data)
    return data.startswith(b"\r\n")


class HeadTests(SynchronousTestCase):
    """Agreement with h11 and llhttp."""

    @given(requests())
    @settings(max_examples=200, deadline=None, derandomize=True)
    def test_valid_requests(self, data: bytes) -> None:
        """Of a valid request all three see the same method, target, fields and
        content."""
        ours = by_us(data)

        self.assertEqual(by_h11(data), ours)
        self.assertEqual(by_llhttp(data), ours)

    @given(spoilt())
    @settings(max_examples=500, deadline=None, derandomize=True)
    def test_spoilt_requests(self, data: bytes) -> None:
        """What we take, h11 and llhttp take, and see the same in it: whatever one of
        them refuses we refuse."""
        ours = strictly(by_us, data)
        if ours is None:
            return
        for reader in (by_h11, by_llhttp):
            if not may_differ(reader, data, ours):
                self.assertEqual(strictly(reader, data), ours, reader.__name__)

    @given(requests(), st.data())
    @settings(max_examples=100, deadline=None, derandomize=True)
    def test_pieces(self, data: bytes, draw: st.DataObject) -> None:
        """It does not matter in which pieces a request comes."""
        cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=5).map(sorted))
        edges = [0, *cuts, len(data)]
        pieces = [data[start:end] for start, end in pairwise(edges)]

        self.assertEqual(by_us(data), by_us(*pieces))

    def test_methods_of_llhttp(self) -> None:
        """Methods that are spoilt are still read: what nobody knows is 501, which
        handlers say."""
        self.assertEqual("GT", by_us(b"GT / HTTP/1.1\r\nHost: h\r\n\r\n").method)
