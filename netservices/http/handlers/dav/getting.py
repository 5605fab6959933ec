"""GET and HEAD."""

from __future__ import annotations

from email.utils import formatdate
from mimetypes import guess_type

from netservices.http.handlers.dav.place import Place
from netservices.interfaces import IsADirectory
from netservices.values import Node
from netservices.web.problems import Problem
from netservices.web.response import FileSlice, Response


def etag_of(node: Node) -> str:
    """The entity tag of a file (RFC 9110 8.8.3): strong, for it changes with each
    version; empty for directories."""
    return f'"{node.etag}"' if node.etag else ""


def media_type_of(name: str) -> str:
    """The media type that the name promises."""
    found, encoding = guess_type(name, strict=True)
    if found is None or encoding is not None:
        return "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def http_date(seconds: float) -> str:
    """A date as HTTP writes it (RFC 9110 5.6.7)."""
    return formatdate(int(seconds), usegmt=True)


async def get(place: Place) -> Response:
    """The content of a file."""
    try:
        file = await place.tree.open(place.path)
    except IsADirectory:
        raise Problem(405, "That is a directory.", [("Allow", "OPTIONS")]) from None
    node = file.node
    fields = [
        ("Content-Type", media_type_of(place.path[-1])),
        ("ETag", etag_of(node)),
        ("Last-Modified", http_date(node.mtime_ns // 1_000_000_000)),
        ("Cache-Control", "private, no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ]
    return Response(200, fields, FileSlice(file, 0, node.size))
