"""Files in content codings: those that lie beside them, and those that are made."""

from __future__ import annotations

import os
import zlib
from typing import Any

from twisted.internet.defer import succeed

from netservices.http.handlers.files import FilesHandler
from netservices.http.options import (
    check_coding,
    check_name,
    parse_caching,
    parse_type,
)
from tests.http.sites import SitesCase
from tests.http.talk import NOW
from tests.web.test_negotiation import decoded

TEXT = b"<p>hello</p>\n" * 500
PAGE = "sites/default/page.html"
LONG = "sites/default/long.txt"
LONG_TEXT = b"0123456789abcdef" * 20_000


def at_once(function: Any, *args: Any) -> Any:
    """Call it here."""
    return succeed(function(*args))


def never(function: Any, *args: Any) -> Any:
    """Nothing is left to be compressed."""
    raise AssertionError("compressed again")


class CodingTests(SitesCase):
    """What is sent to whom."""

    def setUp(self) -> None:
        super().setUp()
        self.place = self.put(PAGE, TEXT)

    def make_handler(self, files: Any = None, **settings: Any) -> FilesHandler:
        """A handler that compresses here."""
        handler = super().make_handler(files, **settings)
        handler._run = at_once
        return handler

    def get(self, accept: str = "", path: str = "/page.html", **fields: str) -> Any:
        """The answer to a client that takes these codings."""
        if accept:
            fields["Accept_Encoding"] = accept
        return self.ask(path, **fields)

    def test_made(self) -> None:
        """Text is compressed as the client wants it, with an entity tag of its own."""
        tags = set()
        for coding in ("br", "zstd", "gzip"):
            status, fields, content = self.get(coding)
            self.assertEqual((200, coding), (status, fields["content-encoding"]))
            self.assertEqual(TEXT, decoded(coding, content))
            self.assertEqual("Accept-Encoding", fields["vary"])
            self.assertEqual(len(content), int(fields["content-length"]))
            tags.add(fields["etag"])
        status, fields, content = self.get()
        self.assertEqual((200, TEXT), (status, content))
        self.assertEqual("Accept-Encoding", fields["vary"])
        self.assertNotIn("content-encoding", fields)
        self.assertEqual(4, len(tags | {fields["etag"]}))

    def test_not_modified(self) -> None:
        """A coding is known by its own tag only."""
        tag = self.get("gzip")[1]["etag"]

        status, fields, content = self.get("gzip", If_None_Match=tag)
        self.assertEqual((304, tag, b""), (status, fields["etag"], content))
        self.assertEqual("Accept-Encoding", fields["vary"])
        self.assertEqual(200, self.get("", If_None_Match=tag)[0])
        self.assertEqual(200, self.get("br", If_None_Match=tag)[0])

    def test_range_of_a_coding(self) -> None:
        """A range is one of what is sent: of the coding that is there.  RFC 9110
        14."""
        _, fields, whole = self.get("gzip")

        status, part, content = self.get("gzip", Range="bytes=2-9")
        self.assertEqual((206, whole[2:10]), (status, content))
        self.assertEqual("gzip", part["content-encoding"])
        self.assertEqual(fields["etag"], part["etag"])
        self.assertEqual(TEXT[2:10], self.get("", Range="bytes=2-9")[2])

    def test_resumed_with_another_coding(self) -> None:
        """Who goes on with another coding gets the whole."""
        tag = self.get("gzip")[1]["etag"]

        self.assertEqual(200, self.get("", Range="bytes=2-", If_Range=tag)[0])
        self.assertEqual(206, self.get("gzip", Range="bytes=2-", If_Range=tag)[0])

    def test_nothing_acceptable(self) -> None:
        """406 where all that there is is excluded."""
        self.put("sites/default/a.png")

        self.assertEqual(406, self.get("identity;q=0")[0])
        self.assertEqual(200, self.get("identity;q=0, gzip")[0])
        self.assertEqual(200, self.get("gzip, *;q=0", "/a.png")[0])

    def test_not_compressed(self) -> None:
        """What is compressed already, or short, or not wanted so."""
        self.put("sites/default/a.png", TEXT)
        self.put("sites/default/short.txt", b"short")
        for path in ("/a.png", "/short.txt"):
            _, fields, _ = self.get("gzip, br", path)
            self.assertNotIn("content-encoding", fields)
            self.assertNotIn("vary", fields)

        self.handler = self.make_handler(compression=(), precompressed=False)
        self.assertNotIn("content-encoding", self.get("gzip")[1])

    def test_very_long(self) -> None:
        """From ``http.compress_to`` on, a file is sent as it is."""
        self.handler = self.make_handler(compress_to=10_000, small_file=20_000)
        self.put("sites/default/a.txt", TEXT * 2)

        self.assertEqual(TEXT * 2, self.get("gzip", "/a.txt")[2])

    def test_rather_long(self) -> None:
        """A file of some hundred kilobytes is compressed once, as a whole."""
        place = self.put(LONG, LONG_TEXT)
        # It, and its directory, are of yesterday.
        os.utime(os.path.dirname(place), (NOW - 1000, NOW - 1000))

        first = self.get("gzip", "/long.txt")
        status, fields, content = first
        self.assertEqual((200, "gzip"), (status, fields["content-encoding"]))
        self.assertEqual(LONG_TEXT, zlib.decompress(content, 31))
        self.handler._run = never
        self.assertEqual(first, self.get("gzip", "/long.txt"))
        part = self.get("gzip", "/long.txt", Range="bytes=2-9")
        self.assertEqual((206, content[2:10]), (part[0], part[2]))

    def test_long(self) -> None:
        """A long file is compressed while it is sent, without length or ranges."""
        self.handler = self.make_handler(small_file=10_000)
        self.put(LONG, LONG_TEXT)

        status, fields, content = self.get("gzip", "/long.txt")
        self.assertEqual((200, "gzip"), (status, fields["content-encoding"]))
        self.assertEqual("chunked", fields["transfer-encoding"])
        self.assertNotIn("accept-ranges", fields)
        self.assertEqual(LONG_TEXT, zlib.decompress(dechunked(content), 31))
        tag = fields["etag"]
        again = self.ask("/long.txt", If_None_Match=tag, Accept_Encoding="gzip")
        self.assertEqual(304, again[0])

        status, fields, content = self.get("gzip", "/long.txt", Range="bytes=16-31")
        self.assertEqual((206, LONG_TEXT[:16]), (status, content))
        self.assertNotIn("content-encoding", fields)

        status, fields, _ = self.ask("/long.txt", "HEAD", Accept_Encoding="gzip")
        self.assertEqual((200, "gzip"), (status, fields["content-encoding"]))
        self.assertNotIn("content-length", fields)


class BesideTests(CodingTests):
    """Codings that somebody has put beside a file.  All of the tests above hold with
    one of them."""

    def setUp(self) -> None:
        super().setUp()
        self.beside = decoded_to("gzip", TEXT)
        self.put(PAGE + ".gz", self.beside)

    def test_sent(self) -> None:
        """What lies there is sent as it is, before anything is made."""
        _, fields, content = self.get("gzip, br, zstd")

        self.assertEqual(("gzip", self.beside), (fields["content-encoding"], content))
        self.assertEqual("text/html; charset=utf-8", fields["content-type"])
        self.assertEqual("Wed, 18 Nov 2026 10:50:00 GMT", fields["last-modified"])

    def test_older(self) -> None:
        """One that is older than the file is of another content."""
        os.utime(self.place, (NOW - 10, NOW - 10))
        self.handler = self.make_handler()

        self.assertEqual("br", self.get("gzip, br")[1]["content-encoding"])

    def test_shortest(self) -> None:
        """Of several the shortest."""
        self.put(PAGE + ".br", b"shorter")
        self.handler = self.make_handler()

        self.assertEqual(b"shorter", self.get("gzip, br")[2])

    def test_long_one(self) -> None:
        """One that is not kept in memory is sent from its file."""
        self.handler = self.make_handler(small_file=10_000)
        self.put(LONG, LONG_TEXT)
        self.put(LONG + ".br", os.urandom(50_000))

        status, fields, content = self.get("br", "/long.txt")
        self.assertEqual((200, 50_000), (status, len(content)))
        self.assertEqual("50000", fields["content-length"])
        part = self.get("br", "/long.txt", Range="bytes=5-9")
        self.assertEqual((206, content[5:10]), (part[0], part[2]))

    def test_off(self) -> None:
        """Without ``http.precompressed`` it is a file like others."""
        self.handler = self.make_handler(precompressed=False)

        self.assertNotEqual(self.beside, self.get("gzip")[2])
        self.assertEqual(self.beside, self.get("", "/page.html.gz")[2])


def dechunked(data: bytes) -> bytes:
    """The content of chunks."""
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        found += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return found


def decoded_to(coding: str, data: bytes) -> bytes:
    """Another coding of the same than the server would make."""
    assert coding == "gzip"
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()


class CachingTests(SitesCase):
    """What caches are told."""

    def test_lines(self) -> None:
        """The first line that fits counts, for 304 as well."""
        lines = (
            "*.css max-age=60",
            "/assets/* max-age=31536000, immutable",
            "* no-cache",
        )
        self.handler = self.make_handler(caching=lines)
        for path, expected in (
            ("/a.css", "max-age=60"),
            ("/assets/a.css", "max-age=60"),
            ("/assets/a/b.png", "max-age=31536000, immutable"),
            ("/b.png", "no-cache"),
        ):
            self.put(f"sites/default{path}")
            _, fields, _ = self.ask(path)
            self.assertEqual(expected, fields["cache-control"])
            _, fields, _ = self.ask(path, If_None_Match=fields["etag"])
            self.assertEqual(expected, fields["cache-control"])

    def test_wrong_lines(self) -> None:
        """What is no line is refused when the configuration is read."""
        for line in ("", "*.css", "*.css max-age=1d", "*.css a: b", "*.css a\r\nb"):
            self.assertRaises(ValueError, parse_caching, line)
        for line in ("gpx a/b", ".gpx", ".gpx nonsense", ".gpx a/b\r\nX: y"):
            self.assertRaises(ValueError, parse_type, line)
        for name in ("", "..", "a/b"):
            self.assertRaises(ValueError, check_name, name)
        self.assertRaises(ValueError, check_coding, "deflate")

    def test_types(self) -> None:
        """Types that are configured count before those that are known."""
        lines = (".gpx application/gpx+xml", ".md text/plain")
        self.handler = self.make_handler(types=lines, charset="iso-8859-1")
        for name, expected in (
            ("a.gpx", "application/gpx+xml"),
            ("a.md", "text/plain; charset=iso-8859-1"),
            ("a.html", "text/html; charset=iso-8859-1"),
        ):
            self.put(f"sites/default/{name}")
            self.assertEqual(expected, self.ask(f"/{name}")[1]["content-type"])
