"""What nginx and this server are asked: each line of HTTP that can be read in two ways.

A question is the methods of its requests and its octets; ``{etag}`` stands for the
entity tag that a server has given to ``/page.txt``.
"""

from __future__ import annotations

from typing import TypeAlias

from tests.interop.http_twins import HOST, request

Questions: TypeAlias = "dict[str, tuple[str, bytes]]"

PAGE = "/page.txt"
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLY = "Tue, 14 Nov 2023 22:13:19 GMT"
LATE = "Wed, 15 Nov 2023 22:13:20 GMT"
CHUNKED = "Transfer-Encoding: chunked"


def _page(*fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return request(PAGE, *fields, method=method, version=version)


METHODS: Questions = {
    method: (method, _page(method=method))
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "G(T")
} | {
    "POST": ("POST", _page("Content-Length: 1", method="POST") + b"x"),
    "PUT": ("PUT", _page("Content-Length: 1", method="PUT") + b"x"),
    "PROPFIND": ("PROPFIND", _page(method="PROPFIND")),
    "OPTIONS *": ("OPTIONS", request("*", method="OPTIONS")),
    "CONNECT": ("CONNECT", request("h.test:80", method="CONNECT")),
    "HEAD of nothing": ("HEAD", request("/nowhere", method="HEAD")),
    "HEAD, If-None-Match": ("HEAD", _page("If-None-Match: {etag}", method="HEAD")),
    "HEAD, Range": ("HEAD", _page("Range: bytes=0-1", method="HEAD")),
    "HEAD, no token as name": ("HEAD", _page("A(: b", method="HEAD")),
    "HEAD, two hosts": ("HEAD", _page("Host: x", method="HEAD")),
    "HEAD, long target": ("HEAD", request("/" + "a" * 9000, method="HEAD")),
    "HEAD, HTTP/2.0": ("HEAD", _page(method="HEAD", version="HTTP/2.0")),
}

CONDITIONS: Questions = {
    ", ".join(fields): ("GET", _page(*fields))
    for fields in (
        ("If-Match: {etag}",),
        ("If-Match: *",),
        ('If-Match: "x"',),
        ('If-Match: "x", {etag}',),
        ("If-Match: W/{etag}",),
        ("If-Match: x",),
        ("If-None-Match: {etag}",),
        ("If-None-Match: *",),
        ('If-None-Match: "x"',),
        ('If-None-Match: "x" , {etag}',),
        ("If-None-Match: W/{etag}",),
        ('If-None-Match: "x"', "If-None-Match: {etag}"),
        (f"If-Modified-Since: {DATE}",),
        (f"If-Modified-Since: {EARLY}",),
        (f"If-Modified-Since: {LATE}",),
        ("If-Modified-Since: Wednesday, 15-Nov-23 22:13:20 GMT",),
        ("If-Modified-Since: Wed Nov 15 22:13:20 2023",),
        ("If-Modified-Since: yesterday",),
        (f"If-Unmodified-Since: {DATE}",),
        (f"If-Unmodified-Since: {EARLY}",),
        ("If-Unmodified-Since: yesterday",),
        ("If-Match: {etag}", f"If-Unmodified-Since: {EARLY}"),
        ('If-Match: "x"', "If-None-Match: {etag}"),
        ('If-None-Match: "x"', f"If-Modified-Since: {LATE}"),
        ("If-None-Match: {etag}", f"If-Modified-Since: {EARLY}"),
        ("If-Match: {etag}", f"If-Modified-Since: {DATE}"),
        ("If-None-Match: {etag}", "Range: bytes=0-1"),
        ('If-Match: "x"', "Range: bytes=1000-"),
        ("If-Range: {etag}", "Range: bytes=0-1"),
        ('If-Range: "x"', "Range: bytes=0-1"),
        ("If-Range: W/{etag}", "Range: bytes=0-1"),
        (f"If-Range: {DATE}", "Range: bytes=0-1"),
        (f"If-Range: {LATE}", "Range: bytes=0-1"),
        ('If-Range: "x"', "Range: bytes=1000-"),
        ('If-Range: "x"',),
    )
} | {
    "nothing, If-None-Match: *": ("GET", request("/nowhere", "If-None-Match: *")),
    "nothing, If-Match: *": ("GET", request("/nowhere", "If-Match: *")),
}

RANGES: Questions = {
    f"Range: {asked}": ("GET", _page(f"Range: {asked}"))
    for asked in (
        ("bytes=0-1", "bytes=90-", "bytes=-5", "bytes=-500", "bytes=98-1000")
        + ("bytes=100-", "bytes=-0", "bytes=5-2", "lines=0-1", "bytes=a-b")
        + ("BYTES=0-1", "bytes=0-1,95-", "bytes=0-1 , 95-99", "bytes=0-1,1000-")
        + ("bytes=200-300,1000-", "bytes=0-5,3-9", "bytes=0-1,,", "bytes=0-,0-")
        + ("bytes=0-99999999999999999999999", "bytes", "bytes=")
    )
} | {
    "nothing, Range: bytes=0-0": ("GET", request("/empty.txt", "Range: bytes=0-0")),
    "nothing, Range: bytes=-1": ("GET", request("/empty.txt", "Range: bytes=-1")),
}

_CONTENTS: dict[str, tuple[tuple[str, ...], bytes]] = {
    "Content-Length": (("Content-Length: 2",), b"xy"),
    "Content-Length: 0": (("Content-Length: 0",), b""),
    "two equal lengths": (("Content-Length: 2", "Content-Length: 2"), b"xy"),
    "a list of equal lengths": (("Content-Length: 2, 2",), b"xy"),
    "two lengths": (("Content-Length: 2", "Content-Length: 3"), b"xyz"),
    "Content-Length: -1": (("Content-Length: -1",), b""),
    "Content-Length: +2": (("Content-Length: +2",), b"xy"),
    "Content-Length: 0x2": (("Content-Length: 0x2",), b"xy"),
    "no length": (("Content-Length:",), b""),
    "a huge length": (("Content-Length: 99999999999999999999999999",), b""),
    "a length and chunks": (("Content-Length: 5", CHUNKED), b"0\r\n\r\n"),
    "chunks": ((CHUNKED,), b"2\r\nxy\r\n0\r\n\r\n"),
    "CHUNKED": (("Transfer-Encoding: CHUNKED",), b"2\r\nxy\r\n0\r\n\r\n"),
    "extensions": ((CHUNKED,), b'2;a=b;c="d"\r\nxy\r\n0\r\n\r\n'),
    "trailers": ((CHUNKED,), b"2\r\nxy\r\n0\r\nA: b\r\n\r\n"),
    "chunked, chunked": (("Transfer-Encoding: chunked, chunked",), b"0\r\n\r\n"),
    "chunked twice": ((CHUNKED, CHUNKED), b"0\r\n\r\n"),
    "gzip, chunked": (("Transfer-Encoding: gzip, chunked",), b"0\r\n\r\n"),
    "gzip": (("Transfer-Encoding: gzip",), b""),
    "identity": (("Transfer-Encoding: identity",), b""),
    "chunked, identity": (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n"),
    "no number as size": ((CHUNKED,), b"x\r\n\r\n"),
    "0x as size": ((CHUNKED,), b"0x2\r\nxy\r\n0\r\n\r\n"),
    "a huge chunk": ((CHUNKED,), b"fffffffffffffffff\r\n"),
    "a chunk longer than its size": ((CHUNKED,), b"2\r\nxyz\r\n0\r\n\r\n"),
    "chunks with bare LF": ((CHUNKED,), b"2\nxy\n0\n\n"),
    "a space behind the size": ((CHUNKED,), b"2 \r\nxy\r\n0\r\n\r\n"),
    "a trailer without a colon": ((CHUNKED,), b"0\r\nxy\r\n\r\n"),
}

FRAMING: Questions = {
    name: ("GET", _page(*fields) + content)
    for name, (fields, content) in _CONTENTS.items()
} | {
    "chunks with HTTP/1.0": (
        "GET",
        _page(CHUNKED, version="HTTP/1.0") + b"0\r\n\r\n",
    ),
    "three requests": ("GET GET GET", _page() * 3),
    "content, then a request": (
        "POST GET",
        _page("Content-Length: 2", method="POST") + b"xy" + _page(),
    ),
    "an empty line first": ("GET", b"\r\n" + _page()),
    "two empty lines first": ("GET", b"\r\n\r\n" + _page()),
    "bare LF": ("GET", _page().replace(b"\r", b"")),
    "a space before the first field": (
        "GET",
        _page().replace(b"Host", b" A: b\r\nHost"),
    ),
}

FIELDS: Questions = {
    repr(fields): ("GET", _page(*fields))
    for fields in (
        ("A: b\rc",),
        ("A: b\0c",),
        ("A: b\x01c",),
        ("A: \xe4",),
        ("A: b\tc",),
        ("A : b",),
        ("A",),
        (": b",),
        ("A: b", " c"),
        ("A_b: c",),
        ("A(b: c",),
        ("A:",),
        ("A:b",),
        ("Expect: 100-continue",),
        ("Expect: 100-CONTINUE",),
        ("Expect: tea",),
        ("Connection: close",),
        ("Connection: CLOSE",),
        ("Connection: a, close",),
        ("Connection: a", "Connection: close"),
        ("Connection: keep-alive",),
        ("Connection: keep-alive, close",),
        ("Connection: foo", "Foo: bar"),
        ("Connection: closed",),
        ("Connection: upgrade", "Upgrade: h2c"),
        ("Upgrade: websocket",),
        ("Connection: TE", "TE: trailers"),
        ("Accept: image/png",),
    )
} | {
    "Expect, POST": (
        "POST",
        _page("Expect: 100-continue", "Content-Length: 2", method="POST") + b"xy",
    ),
    "Expect, 1.0": ("GET", _page("Expect: 100-continue", version="HTTP/1.0")),
    "keep-alive, 1.0": ("GET", _page("Connection: keep-alive", version="HTTP/1.0")),
}

HOSTS: Questions = {
    f"Host: {host}": ("GET", request(PAGE, host=host))
    for host in (
        ("", "h.test:80", "h.test:", "h.test:x", "h.test:99999", "u@h.test")
        + ("h.test/x", "h test", "h.test, i.test", "[::1]", "[::1", "h.test.")
        + ("H.TEST", "h\\test", "h..test", "..", "h_.test", "h%41", "h%4")
    )
} | {
    "no Host": ("GET", request(PAGE, host=None)),
    "no Host, 1.0": ("GET", request(PAGE, host=None, version="HTTP/1.0")),
    "two equal hosts": ("GET", _page(f"Host: {HOST}")),
    "two hosts": ("GET", _page("Host: i.test")),
}

_ABSOLUTE = f"http://{HOST}{PAGE}"

TARGETS: Questions = {
    target[:60]: ("GET", request(target))
    for target in (
        (_ABSOLUTE, f"HTTP://{HOST.upper()}{PAGE}", f"http://u@{HOST}{PAGE}")
        + (f"http://{PAGE}", f"ftp://{HOST}{PAGE}", f"https://{HOST}{PAGE}")
        + ("page.txt", "*", f"{PAGE}#a", f"{PAGE}?a=b", "/page .txt", f" {PAGE}")
        + ("/ä.txt", "/%ff", f'{PAGE}?"', f"{PAGE}?[a]", "/" + "a" * 9000, "/\x01")
        + ("/\x7f", "/nowhere", "/directory/", "/directory", f"{PAGE}/", f"{PAGE}/a")
        + ("/./page.txt", "/directory/../page.txt", "/../page.txt")
        + ("/%2e%2e/page.txt", "/directory/%2e%2e/page.txt", "/directory%2findex.html")
        + ("//page.txt", "/directory//index.html", "/directory\\index.html")
        + ("/page.txt%00", "/%", "/%zz", "/p%61ge.txt", "/p%2561ge.txt", "/a%20b.txt")
        + ("/a+b.txt", "/a+b+.txt", "/%c3%a4.txt", "/.hidden/", "/page.txt;a")
        + ("/page.txt%3f", "/PAGE.TXT", "/page.txt?%")
    )
} | {
    "absolute, other Host": ("GET", request(_ABSOLUTE, host="other.test")),
    "absolute, no Host": ("GET", request(_ABSOLUTE, host=None)),
    "absolute, bad Host": ("GET", request(_ABSOLUTE, host="a b")),
    "HEAD /directory": ("HEAD", request("/directory", method="HEAD")),
}

VERSIONS: Questions = {
    f"version {version}": ("GET", _page(version=version))
    for version in (
        ("HTTP/1.0", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10")
        + ("HTTP/01.1", "http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.1 ", "HTCPCP/1.1")
    )
} | {"preface of HTTP/2": ("PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}

CODINGS: Questions = {
    f"Accept-Encoding: {taken}": (
        "GET",
        request("/packed.txt", f"Accept-Encoding: {taken}"),
    )
    for taken in (
        ("gzip", "GZIP", "x-gzip", "*", "gzip;q=0", "gzip;q=0.5, identity", "", "zz")
        + ("gzip;q=0.5", "gzip ; q=0.5", "deflate, gzip", "identity;q=0", "*;q=0")
        + ("gzip;q=0.0000", "*, gzip;q=0, br;q=0, zstd;q=0", "gzip, gzip;q=0")
    )
} | {
    "a part of a coding": (
        "GET",
        request("/packed.txt", "Accept-Encoding: gzip", "Range: bytes=0-1"),
    ),
}

QUESTIONS: Questions = {
    **METHODS,
    **CONDITIONS,
    **RANGES,
    **FRAMING,
    **FIELDS,
    **HOSTS,
    **TARGETS,
    **VERSIONS,
    **CODINGS,
}
