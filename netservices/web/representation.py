"""A representation (RFC 9110 3.2) and the response that it becomes.

Whoever has something to show makes a ``Representation`` and lets ``respond`` decide
what of it is sent: all, some ranges, nothing because the client has it, or a refusal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, cast

from attrs import define, field

from netservices.interfaces import IOpenFile
from netservices.web.conditions import Outcome, Validators, evaluate, wants_range
from netservices.web.dates import http_date
from netservices.web.problems import Problem
from netservices.web.ranges import Range, multipart, parse_ranges
from netservices.web.request import Request
from netservices.web.response import Content, FileSlice, Piece, Response, unsent


class Coded(Protocol):
    """Content that is made while it is sent."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The octets."""

    def close(self) -> None:
        """It is not wanted any more."""


@define(eq=False)
class Representation:
    """Something that can be sent as it is."""

    content: bytes | IOpenFile | Coded | None
    """None where only its head is wanted."""
    size: int | None
    """In octets; None: nobody knows before the end, and there are no ranges."""
    media_type: str = ""
    """With its parameters."""
    etag: str = ""
    """With its quotes."""
    modified: int | None = None
    """Seconds since 1970."""
    coding: str = ""
    """The content coding, as in Content-Encoding; empty: none."""
    vary: str = ""
    """The request fields by which it was chosen."""
    fields: list[tuple[str, str]] = field(factory=list)
    """What else is said of it: Cache-Control, Content-Language."""

    def close(self) -> None:
        """Give its file back."""
        if self.content is not None and not isinstance(self.content, bytes):
            self.content.close()


def respond(request: Request, it: Representation, now: float) -> Response:
    """The answer to GET or HEAD of a representation; it is closed where it is not sent.

    Problem 412 and 416.  ``now`` is in seconds since 1970.
    """
    # RFC 9110 8.8.2.1: no modification is later than the message that tells of it.
    modified = None if it.modified is None else min(it.modified, int(now))
    current = Validators(it.etag, modified)
    try:
        outcome = evaluate(request.method, request.fields, current, now)
        if outcome is Outcome.FAILED:
            raise Problem(412)
        if outcome is Outcome.NOT_MODIFIED:
            it.close()
            return Response(304, _kept_fields(it, modified))
        if request.method == "GET" and "range" in request.fields:
            return _partial(request, it, current, now)
    except Problem:
        it.close()
        raise
    return _whole(request, it, modified)


def _whole(request: Request, it: Representation, modified: int | None) -> Response:
    fields = _all_fields(it, modified)
    if request.method == "HEAD":
        it.close()
        body = b"" if it.size is not None else unsent()
        return Response(200, fields, body, length=it.size)
    if it.size is None:
        return Response(200, fields, cast(Coded, it.content))
    return Response(200, fields, _piece(it, Range(0, it.size)))


def _partial(
    request: Request, it: Representation, current: Validators, now: float
) -> Response:
    """206, 416, or the whole where no range is to count."""
    ranges, size = None, it.size
    if size is not None and wants_range(request.fields, current, now):
        ranges = parse_ranges(request.fields.get("range"), size)
    if ranges is None or size is None:
        return _whole(request, it, current.modified)
    if not ranges:
        raise Problem(416, fields=[("Content-Range", f"bytes */{size}")])
    # RFC 9110 15.3.7: with If-Range the client knows the rest of what is said of it.
    # Not RFC: Content-Type stays, for players look for it.
    is_known = "if-range" in request.fields and it.etag
    fields = _all_fields(it, None if is_known else current.modified)
    content: Content
    if len(ranges) == 1:
        fields.append(("Content-Range", ranges[0].field(size)))
        content = _piece(it, ranges[0])
    else:
        media_type, content = multipart(
            ranges, size, it.media_type, lambda one: _piece(it, one)
        )
        fields = [pair for pair in fields if pair[0] != "Content-Type"]
        fields.insert(0, ("Content-Type", media_type))
    return Response(206, fields, content)


def _piece(it: Representation, part: Range) -> Piece:
    content = it.content
    if isinstance(content, bytes):
        return content[part.start : part.end]
    return FileSlice(cast(IOpenFile, content), part.start, part.end - part.start)


def _all_fields(it: Representation, modified: int | None) -> list[tuple[str, str]]:
    fields = [("Content-Type", it.media_type)] if it.media_type else []
    if it.coding:
        fields.append(("Content-Encoding", it.coding))
    if modified is not None:
        fields.append(("Last-Modified", http_date(modified)))
    if it.size is not None:
        fields.append(("Accept-Ranges", "bytes"))
    return fields + _validating_fields(it)


def _kept_fields(it: Representation, modified: int | None) -> list[tuple[str, str]]:
    """RFC 9110 15.4.5: 304 says what a cache needs to update what it has."""
    fields = _validating_fields(it)
    if not it.etag and modified is not None:
        fields.append(("Last-Modified", http_date(modified)))
    return fields


def _validating_fields(it: Representation) -> list[tuple[str, str]]:
    fields = [("ETag", it.etag)] if it.etag else []
    if it.vary:
        fields.append(("Vary", it.vary))
    return fields + it.fields
