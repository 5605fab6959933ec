"""Forms with files (RFC 7578): their parts, one after the other, as they come.

A part is read while the peer sends it; what nobody reads of it is passed over.  No more
than a piece of it is ever in memory, and nothing is read ahead of whoever takes it::

    async for part in Parts(request):
        if part.filename is None:
            fields[part.name] = await part.text()
        else:
            await save(part, tree, (*directory, part.safe_name))
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from netservices.interfaces import IFileTree
from netservices.values import Node, Path, WriteMode
from netservices.web.problems import Problem
from netservices.web.request import Request

if TYPE_CHECKING:
    from multipart import MultipartSegment

_BOUNDARY = re.compile(
    r""";[ \t]*boundary[ \t]*=[ \t]*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE
)
# RFC 2046 5.1.1
_GOOD_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_LONGEST_NAME = 255
"""Octets in the name of a file."""


@frozen
class MultipartLimits:
    """How much may come."""

    most_parts: int = 200
    longest_field: int = 256 * 1024
    """Octets of a part that is read as text."""
    longest_file: int = 1 << 40
    longest: int = 1 << 40
    """Octets of everything together."""
    longest_header: int = 4096
    """Octets of a line in the head of a part."""
    most_headers: int = 8


class Part:
    """One part of a form."""

    def __init__(self, parts: Parts, segment: MultipartSegment) -> None:
        self.name: str = segment.name or ""
        """The name of the form's field."""
        self.filename: str | None = segment.filename
        """As the peer wrote it; None where the part is no file.  No path to use: see
        ``safe_name``."""
        self.media_type: str = segment.content_type or "text/plain"
        self._charset: str = (segment.charset or "utf-8").lower()
        self._parts = parts

    @property
    def safe_name(self) -> str:
        """The file's name without directories.  Problem 400 where none is left."""
        # RFC 7578 4.2: no path that the peer names means anything here.
        name = re.split(r"[/\\]", self.filename or "")[-1].strip()
        is_bad = name in ("", ".", "..") or not name.isprintable()
        if is_bad or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
            raise Problem(400, "The file has no name that could be used here.")
        return name

    async def read(self) -> bytes:
        """The next octets; empty at the end.  Problem 400, 413; BodyLost."""
        return await self._parts.read(self)

    async def whole(self, most_octets: int) -> bytes:
        """All of it.  Problem 413 where it is longer."""
        pieces, octets = [], 0
        while piece := await self.read():
            octets += len(piece)
            if octets > most_octets:
                raise Problem(413, f"{self.name!r} is too long.")
            pieces.append(piece)
        return b"".join(pieces)

    async def text(self, most_octets: int | None = None) -> str:
        """All of it as text.  Problem 400, 413."""
        longest = self._parts.limits.longest_field
        content = await self.whole(min(longest, most_octets or longest))
        if self._charset not in ("utf-8", "utf8", "us-ascii", "iso-8859-1"):
            raise Problem(415, "Forms are in UTF-8.")
        try:
            return content.decode(self._charset)
        except UnicodeDecodeError:
            raise Problem(400, "The form is not in UTF-8.") from None


class Parts:
    """The parts of a request, to be iterated over once."""

    def __init__(self, request: Request, limits: MultipartLimits | None = None) -> None:
        """Problem 400, 413."""
        # Only here: most requests are no such forms.
        from multipart import PushMultipartParser

        self.limits = limits = limits or MultipartLimits()
        if (request.body.length or 0) > limits.longest:
            raise _too_long()
        self._body = request.body
        self._parser = PushMultipartParser(
            _boundary(request.fields.get("content-type")),
            max_header_size=limits.longest_header,
            max_header_count=limits.most_headers,
            max_segment_size=limits.longest_file,
            max_segment_count=limits.most_parts,
        )
        self._events: Iterator[Any] = iter(())
        self._current: Part | None = None

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> Part:
        while self._current is not None:
            await self.read(self._current)
        segment = await self._next()
        if segment is None:
            raise StopAsyncIteration
        self._current = Part(self, segment)
        return self._current

    async def read(self, part: Part) -> bytes:
        """The next octets of the current part; for ``Part``."""
        if part is not self._current:
            return b""
        data = await self._next()
        if data is None:
            self._current = None
            return b""
        return bytes(data)

    async def _next(self) -> Any:
        """What comes next: a segment, octets of it, or None at the end of it, and of
        everything."""
        from multipart import MultipartError

        try:
            while True:
                for event in self._events:
                    return event
                data = await self._body.read()
                if self._body.received_octets > self.limits.longest:
                    raise _too_long()
                if not data:
                    self._parser.close()
                    return None
                self._events = self._parser.parse(data)
        except MultipartError as error:
            if error.http_status == 413:
                raise Problem(
                    413, "The form is too large.", log_text=str(error)
                ) from None
            raise Problem(400, "The form is cut short or broken.") from None


def _too_long() -> Problem:
    return Problem(413, "That is more than is taken here.")


def _boundary(content_type: str) -> str:
    match = _BOUNDARY.search(content_type)
    boundary = (match[1] or match[2] or "") if match else ""
    if not _GOOD_BOUNDARY.fullmatch(boundary):
        raise Problem(400, "The form has no boundary between its parts.")
    return boundary


async def save(
    part: Part, tree: IFileTree, path: Path, mode: WriteMode = WriteMode.REPLACE
) -> Node:
    """Write a part to a file, which has its name when all of it is there and safe; what
    breaks off leaves nothing.  What ``IFileTree.begin_write`` and ``IUpload`` fail
    with; Problem; BodyLost."""
    upload = await tree.begin_write(path, mode)
    try:
        while data := await part.read():
            waiting = upload.write(data)
            if waiting is not None:
                await waiting
        return await upload.commit()
    except BaseException:
        await upload.abort()
        raise
