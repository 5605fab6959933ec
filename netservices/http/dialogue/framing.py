"""How a response is framed: its head, and where its content ends (RFC 9112 6)."""

from __future__ import annotations

import re
from enum import Enum, auto
from http import HTTPStatus

from attrs import frozen

from netservices.http.wire.head import Head
from netservices.web.response import FileSlice, Response

REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Status code to reason phrase, as RFC 9110 15 and its like have them."""

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile("[!#$%&'*+\\-.^_`|~0-9A-Za-z]+")
_NO_LENGTH = (204, 304)
_OURS = frozenset(
    ("connection", "content-length", "date", "keep-alive", "transfer-encoding")
)
"""Fields that say how a message travels; handlers do not know."""


class End(Enum):
    """What marks the end of the content."""

    NOTHING = auto()  # there is none
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()
    TUNNEL = auto()  # no HTTP follows


@frozen
class Framed:
    """A response as it goes out."""

    head: bytes
    """Status line and fields up to the Date field, which and an empty line follow."""
    end: End
    keeps_alive: bool


def length_of(response: Response, is_sent: bool = True) -> int | None:
    """Octets of the content; None where nobody knows.  ``is_sent`` is false where only
    the head goes out, which then tells what GET would have brought."""
    body = response.body
    if response.length is not None and not is_sent:
        return response.length
    if isinstance(body, bytes):
        return len(body)
    if isinstance(body, FileSlice):
        return body.count
    if isinstance(body, tuple):
        return sum(len(p) if isinstance(p, bytes) else p.count for p in body)
    return response.length


def frame(
    response: Response, head: Head | None, may_keep_alive: bool, is_head: bool = False
) -> Framed:
    """Frame the response to a request; ``head`` is None where it could not be read, and
    ``is_head`` says that even so its method is known to be HEAD.

    ValueError for a response that cannot be sent: a field with a control character in
    it, or an interim status as the last word.
    """
    status = response.status
    version = "1.1" if head is None else head.version
    # RFC 9110 9.3.2: no content, whatever the status.
    is_head = is_head or (head is not None and head.method == "HEAD")
    keeps_alive = may_keep_alive and not response.must_close
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    has_upgrade = _add_fields(response, lines)
    end = End.NOTHING
    if response.tunnel is not None:
        end = End.TUNNEL  # RFC 9110 8.6: no length with 1xx, nor 2xx to CONNECT
    elif status >= 200:
        end = _add_length(response, lines, version, is_head)
        keeps_alive = keeps_alive and end is not End.CLOSE
        if is_head:
            end = End.NOTHING
    if options := _connection_options(status, keeps_alive, version, end, has_upgrade):
        lines.append(f"Connection: {options}")
    text = "".join(lines)
    # The search takes ten times as long.
    if not text.isprintable() and _CONTROL.search(text):
        raise ValueError("a control character in a field of the response")
    lines.append("")
    return Framed("\r\n".join(lines).encode("latin-1"), end, keeps_alive)


def _add_fields(response: Response, lines: list[str]) -> bool:
    """Add the handler's fields; whether Upgrade is among them."""
    has_upgrade = False
    for name, value in response.fields:
        folded = name.lower()
        if folded in _OURS:
            continue
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a field: {name!r}")
        has_upgrade = has_upgrade or folded == "upgrade"
        lines.append(f"{name}: {value}")
    return has_upgrade


def _add_length(
    response: Response, lines: list[str], version: str, is_head: bool
) -> End:
    """Say how long the content is, or where its end will be."""
    status = response.status
    if status in _NO_LENGTH:
        # RFC 9110 8.6, RFC 9112 6.1: neither of the two with 204.
        return End.NOTHING
    if status == 205:
        # RFC 9110 15.3.6: it has no content, and says so.
        lines.append("Content-Length: 0")
        return End.NOTHING
    length = length_of(response, not is_head)
    if length is not None:
        lines.append(f"Content-Length: {length}")
        return End.LENGTH
    if version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        return End.CHUNKED
    return End.CLOSE


def _connection_options(
    status: int, keeps_alive: bool, version: str, end: End, has_upgrade: bool
) -> str:
    """What the field ``Connection`` says; empty: it is not needed."""
    # RFC 9110 7.8: whoever sends Upgrade says so here.
    options = ["upgrade"] if has_upgrade else []
    if end is not End.TUNNEL and status >= 200:
        if not keeps_alive:
            options.append("close")
        elif version == "1.0":
            options.append("keep-alive")
    return ", ".join(options)
