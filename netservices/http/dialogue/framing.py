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
_NO_LENGTH = (204, 304)


class End(Enum):
    """What marks the end of the content."""

    NOTHING = auto()  # there is none
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


@frozen
class Framed:
    """A response as it goes out."""

    head: bytes
    """Status line and fields up to the Date field, which and an empty line follow."""
    end: End
    keeps_alive: bool


def length_of(response: Response) -> int | None:
    """Octets of the content; None where nobody knows."""
    body = response.body
    if response.length is not None:
        return response.length
    if isinstance(body, bytes):
        return len(body)
    if isinstance(body, FileSlice):
        return body.count
    if isinstance(body, tuple):
        return sum(len(p) if isinstance(p, bytes) else p.count for p in body)
    return None


def frame(response: Response, head: Head | None, may_keep_alive: bool) -> Framed:
    """Frame the response to a request; ``head`` is None where it could not be read.

    ValueError for a field with a control character in it.
    """
    status = response.status
    version = "1.1" if head is None else head.version
    keeps_alive = may_keep_alive and not response.must_close
    length = length_of(response)
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.fields]
    end = End.NOTHING
    if status < 200 or response.tunnel is not None:
        pass  # RFC 9110 8.6: no length with 1xx, nor 2xx to CONNECT
    elif length is not None:
        # RFC 9110 8.6: no Content-Length with 204.
        if status not in _NO_LENGTH:
            lines.append(f"Content-Length: {length}")
        end = End.LENGTH
    elif version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        end = End.CHUNKED
    else:
        end, keeps_alive = End.CLOSE, False
    if (head is not None and head.method == "HEAD") or status in _NO_LENGTH:
        end = End.NOTHING
    if response.tunnel is None and status >= 200:
        if not keeps_alive:
            lines.append("Connection: close")
        elif version == "1.0":
            lines.append("Connection: keep-alive")
    text = "\r\n".join(lines)
    if any(_CONTROL.search(line) for line in lines):
        raise ValueError("a control character in a field of the response")
    return Framed(f"{text}\r\n".encode("latin-1"), end, keeps_alive)
