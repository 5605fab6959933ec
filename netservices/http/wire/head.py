"""The head of a request: request line and fields, strictly.

RFC 9112 lets a recipient be lenient in many places.  Each leniency is a way to smuggle
a request past somebody who reads the same octets in another way; so here everything is
refused that any strict reader refuses, and what remains means the same to everybody.
"""

from __future__ import annotations

import re

from attrs import frozen

from netservices.http.wire.problems import BadMessage
from netservices.web.fields import Fields

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9])\.([0-9])")
_NAME = re.compile(_TOKEN)
# NUL and controls; in lines, where CRLF is gone already.
_BAD = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::([0-9]*))?"
)
_FIELD_OCTETS = 128
"""What a field takes beside its octets."""

_LONGEST_LENGTH = 18
"""Digits of a Content-Length that are read."""


@frozen
class Head:
    """The head of a request, and what it says of the message and the connection."""

    method: str
    target: str
    version: str
    """``1.1`` or ``1.0``."""
    fields: Fields
    path: str
    query: str | None
    scheme: str
    """Of a target in absolute form; else empty."""
    host: str
    port: int | None
    content_length: int | None
    """Octets of the body; None where it is chunked."""
    is_chunked: bool
    keeps_alive: bool
    expects_continue: bool
    size_octets: int = 0
    """What it takes in memory, at about."""

    @property
    def has_body(self) -> bool:
        """Whether content follows."""
        return self.is_chunked or bool(self.content_length)


def parse_head(raw: bytes, most_fields: int = 128) -> Head:
    """The head that these octets are, the empty line at their end included.
    BadMessage."""
    lines = raw.decode("latin-1")[:-4].split("\r\n")
    text = "".join(lines)
    # Tabs and letters beyond ASCII may be there; the search takes ten times as long.
    if not text.isprintable() and _BAD.search(text):
        raise BadMessage(
            400, "a control character in the head, or a line that ends without CR LF"
        )
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise BadMessage(400, "the first line is no request such as GET / HTTP/1.1")
    method, target, major, minor = match.groups()
    if major != "1":
        raise BadMessage(
            505, f"HTTP/{major}.{minor} is not spoken here, only HTTP/1.0 and HTTP/1.1"
        )
    # RFC 9110 2.5: a higher minor version is answered as the highest that is known.
    version = "1.0" if minor == "0" else "1.1"
    if len(lines) > most_fields + 1:
        raise BadMessage(431, f"{len(lines) - 1} fields are too many")
    fields = Fields([_field(line) for line in lines[1:]])
    scheme, authority, path, query = _split_target(method, target)
    host, port = _host(fields, version, authority)
    length, is_chunked = _framing(fields, version)
    return Head(
        method,
        target,
        version,
        fields,
        path,
        query,
        scheme,
        host,
        port,
        length,
        is_chunked,
        _keeps_alive(fields, version),
        _expects_continue(fields, version),
        len(raw) + _FIELD_OCTETS * len(fields),
    )


def _field(line: str) -> tuple[str, str]:
    """One field line.  RFC 9112 5.1: no space before the colon; 5.2: no folding."""
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise BadMessage(
            400, "a line of the head is no field such as Accept: text/html"
        )
    return name.lower(), value.strip(" \t")


def _split_target(method: str, target: str) -> tuple[str, str | None, str, str | None]:
    """Scheme, authority, path and query of a request target; RFC 9112 3.2."""
    if method == "CONNECT":
        if not re.fullmatch(r"[^/?#@]+:[0-9]+", target):
            raise BadMessage(400, "CONNECT without host and port")
        return "", target, "", None
    if target == "*" and method == "OPTIONS":
        return "", None, "*", None
    if "#" in target:
        raise BadMessage(400, "a fragment in the request target")
    if target.startswith("/"):
        path, mark, query = target.partition("?")
        return "", None, path, query if mark else None
    match = re.fullmatch(r"(https?)://([^/?]+)([^?]*)(?:\?(.*))?", target, re.I)
    if match is None:
        raise BadMessage(400, "neither a path nor an absolute URI as target")
    scheme, authority, path, query = match.groups()
    if not path and method == "OPTIONS" and query is None:
        # RFC 9112 3.2.4: the last proxy makes the asterisk of it.
        return scheme.lower(), authority, "*", None
    return scheme.lower(), authority, path or "/", query


def _host(
    fields: Fields, version: str, authority: str | None
) -> tuple[str, int | None]:
    """The host that is asked for; RFC 9112 3.2, 3.2.2."""
    lines = fields.all("host")
    if len(lines) > 1 or (not lines and version != "1.0"):
        raise BadMessage(400, f"there is {'more than one' if lines else 'no'} Host")
    named = lines[0] if lines else ""
    host, port = _authority(named)
    if authority is not None:
        # RFC 9112 3.2.2: the target counts, and Host is not looked at.
        host, port = _authority(authority)
        if not host:
            raise BadMessage(400, "no host in an absolute target")  # RFC 9110 4.2.1
    return host, port


def _authority(text: str) -> tuple[str, int | None]:
    """Host and port; RFC 3986 3.2."""
    match = _HOST.fullmatch(text)
    if match is None:
        raise BadMessage(400, "Host is not the name of a host")
    digits = (match[2] or "").lstrip("0")
    if len(digits) > 5 or (digits and int(digits) > 65535):
        raise BadMessage(400, "the port of the host is none")
    port = int(match[2]) if match[2] else None
    return match[1].strip("[]").lower().removesuffix("."), port


def _framing(fields: Fields, version: str) -> tuple[int | None, bool]:
    """Octets of the body, and whether it is chunked; RFC 9112 6."""
    lengths = fields.all("content-length")
    if "transfer-encoding" in fields:
        # RFC 9112 6.1: these two together, or with HTTP/1.0, are an attack or a fault.
        if lengths or version == "1.0":
            raise BadMessage(
                400, "Transfer-Encoding beside Content-Length, or with HTTP/1.0"
            )
        if fields.get("transfer-encoding").lower() != "chunked":
            raise BadMessage(*_bad_coding(fields))
        return None, True
    if not lengths:
        return 0, False
    # RFC 9110 8.6 would let a list of equal values pass.
    [text] = lengths if len(lengths) == 1 else [""]
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_LENGTH:
        raise BadMessage(400, "Content-Length is no plain number, or is there twice")
    return int(text), False


def _bad_coding(fields: Fields) -> tuple[int, str]:
    """Status and reason for transfer codings that are not just ``chunked``."""
    codings = fields.words("transfer-encoding")
    others = codings[:-1]
    if not others or codings[-1] != "chunked" or "chunked" in others:
        # RFC 9112 6.3: where chunked is not the last one, nobody knows the length.
        return 400, "chunked is not the last transfer coding, or is badly written"
    return 501, "an unknown transfer coding"


def _keeps_alive(fields: Fields, version: str) -> bool:
    """Whether the connection may stay open; RFC 9112 9.3."""
    options = fields.words("connection")
    if "close" in options:
        return False
    return version != "1.0" or "keep-alive" in options


def _expects_continue(fields: Fields, version: str) -> bool:
    """Whether the peer waits for 100 before its body; RFC 9110 10.1.1."""
    expected = fields.words("expect")
    if not expected or version == "1.0":
        return False
    if expected != ["100-continue"]:
        raise BadMessage(417, "nothing but 100-continue can be expected")
    return True
