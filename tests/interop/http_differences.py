"""Where this server answers otherwise than nginx, and the sections that allow it."""

from __future__ import annotations

from typing import TypeAlias

Answers: TypeAlias = "tuple[str, str]"
"""What this server, and what nginx answers; ``last``: the connection went on."""

EARLY = "Tue, 14 Nov 2023 22:13:19 GMT"
LATE = "Wed, 15 Nov 2023 22:13:20 GMT"

DIFFERENCES: dict[str, dict[str, Answers]] = {
    "RFC 9110 9.3.7: OPTIONS tells what can be done": {
        "OPTIONS": ("204 last", "405 last"),
        "OPTIONS *": ("204 last", "400"),
    },
    "RFC 9110 9.1: 501 for a method that nobody knows, and names have a case": {
        "BREW": ("501 last", "405 last"),
        "get": ("501 last", "400"),
    },
    "RFC 9110 15.6.2: CONNECT is not implemented": {"CONNECT": ("501", "400")},
    "RFC 9112 9.3: what was understood need not end the connection": {
        "TRACE": ("405 last", "405"),
        'If-Match: "x"': ("412 last", "412"),
        "If-Match: W/{etag}": ("412 last", "412"),
        "If-Match: x": ("412 last", "412"),
        f"If-Unmodified-Since: {EARLY}": ("412 last", "412"),
        'If-Match: "x", If-None-Match: {etag}': ("412 last", "412"),
        'If-Match: "x", Range: bytes=1000-': ("412 last", "412"),
        "/../page.txt": ("400 last", "400"),
        "/%2e%2e/page.txt": ("400 last", "400"),
        "/page.txt%00": ("400 last", "400"),
        "/%": ("400 last", "400"),
        "/%zz": ("400 last", "400"),
    },
    "RFC 9110 14.2: Range is for GET alone": {
        "HEAD, Range": ("200 last", "206|0-1/100 last"),
    },
    "RFC 9110 5.3: lines of one list are one list": {
        'If-None-Match: "x", If-None-Match: {etag}': ("304 last", "400"),
    },
    "RFC 9110 13.1.3: a later date is later, in each of the forms of 5.6.7": {
        f"If-Modified-Since: {LATE}": ("304 last", "200 last"),
        "If-Modified-Since: Wednesday, 15-Nov-23 22:13:20 GMT": (
            "304 last",
            "200 last",
        ),
        "If-Modified-Since: Wed Nov 15 22:13:20 2023": ("304 last", "200 last"),
    },
    "RFC 9110 13.1.4: what is no date is ignored": {
        "If-Unmodified-Since: yesterday": ("200 last", "412"),
    },
    "RFC 9110 13.2.2: a date does not count beside an entity tag": {
        f"If-Match: {{etag}}, If-Unmodified-Since: {EARLY}": ("200 last", "412"),
        f"If-None-Match: {{etag}}, If-Modified-Since: {EARLY}": (
            "304 last",
            "200 last",
        ),
    },
    "RFC 9110 14.2: an invalid Range is ignored": {
        "Range: bytes=5-2": ("200 last", "416|*/100 last"),
        "Range: bytes=a-b": ("200 last", "416|*/100 last"),
    },
    "RFC 9110 15.3.7.2: ranges that overlap may be joined": {
        "Range: bytes=0-5,3-9": ("206|0-9/100 last", "206|0-5/100,3-9/100 last"),
    },
    "RFC 9110 5.6.1.2: empty elements are ignored": {
        "Range: bytes=0-1,,": ("206|0-1/100 last", "416|*/100 last"),
    },
    "RFC 9110 14.1.2: a last position beyond the end is the end": {
        "Range: bytes=0-99999999999999999999999": (
            "206|0-99/100 last",
            "416|*/100 last",
        ),
    },
    "RFC 9110 14.1.2: the first octet of nothing is not there": {
        "nothing, Range: bytes=0-0": ("416|*/0 last", "200 last"),
    },
    "RFC 9112 6.3: 400 where chunked is not the last coding, once": {
        "chunked, chunked": ("400", "501"),
        "gzip": ("400", "501"),
        "identity": ("400", "501"),
        "chunked, identity": ("400", "501"),
    },
    "RFC 9112 7.1: the grammar of chunks": {
        "chunks with bare LF": ("400", "200 last"),
        "a space behind the size": ("400", "200 last"),
        "a trailer without a colon": ("400", "200 last"),
    },
    "RFC 9112 2.2: a bare LF need not be a line's end": {
        "bare LF": ("400", "200 last"),
    },
    "RFC 9110 5.1, 5.5: the grammar of fields": {
        "('A: b\\x01c',)": ("400", "200 last"),
        "('A',)": ("400", "200 last"),
        "('A(b: c',)": ("400", "200 last"),
        "HEAD, no token as name": ("400", "200 last"),
    },
    "RFC 9110 10.1.1: no 100 where there is no content": {
        "('Expect: 100-continue',)": ("200 last", "100 200 last"),
        "('Expect: 100-CONTINUE',)": ("200 last", "100 200 last"),
    },
    "RFC 9110 10.1.1: 417 for another expectation": {
        "('Expect: tea',)": ("417", "200 last"),
    },
    "RFC 9110 7.6.1: options are whole tokens": {
        "('Connection: closed',)": ("200 last", "200"),
    },
    "RFC 9112 3.3: an empty host is the default one": {
        "Host: ": ("200 last", "400"),
    },
    "RFC 3986 3.2.2: the grammar of hosts": {
        "Host: h..test": ("200 last", "400"),
        "Host: ..": ("200 last", "400"),
    },
    "RFC 9112 3.2: 400 for a bad Host": {
        "Host: h.test:x": ("400", "200 last"),
        "Host: h.test:99999": ("400", "200 last"),
        "Host: u@h.test": ("400", "200 last"),
        "Host: [::1": ("400", "200 last"),
        "Host: h\\test": ("400", "200 last"),
        "Host: h%4": ("400", "200 last"),
    },
    "RFC 9110 7.4: 421 and no answer for another scheme": {
        "ftp://h.test/page.txt": ("400", "200 last"),
        "https://h.test/page.txt": ("421 last", "200 last"),
    },
    "RFC 9112 3, 3.2: 400 for a bad request line": {
        "/page.txt#a": ("400", "200 last"),
        " /page.txt": ("400", "200 last"),
        "/ä.txt": ("400", "404 last"),
        "version HTTP/1.10": ("400", "200 last"),
        "version HTTP/1.1 ": ("400", "200 last"),
    },
    "RFC 3986 2.2: an encoded slash divides nothing": {
        "/directory%2findex.html": ("404 last", "200 last"),
    },
    "RFC 9110 15.5.4: 404 hides what is forbidden": {
        "/.hidden/": ("404 last", "403 last"),
    },
    "RFC 9110 15.6.6: 505 for another major version": {
        "version HTTP/0.9": ("505", "400"),
        "preface of HTTP/2": ("505", "400"),
    },
    "RFC 9110 12.5.3, 8.4.1.3: weights, the star, another name of gzip": {
        "Accept-Encoding: x-gzip": ("200|gzip last", "200 last"),
        "Accept-Encoding: *": ("200|gzip last", "200 last"),
        "Accept-Encoding: gzip;q=0.5, identity": ("200 last", "200|gzip last"),
        "Accept-Encoding: identity;q=0": ("406 last", "200 last"),
        "Accept-Encoding: *;q=0": ("406 last", "200 last"),
        "Accept-Encoding: gzip, gzip;q=0": ("200 last", "200|gzip last"),
    },
    "RFC 9110 14.2: the part is one of the selected representation": {
        "a part of a coding": ("206|gzip|0-1/8 last", "200|gzip last"),
    },
}
