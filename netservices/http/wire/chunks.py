"""The chunked transfer coding (RFC 9112 7.1), in pieces of any size."""

from __future__ import annotations

import re

from netservices.http.wire.problems import BadMessage
from netservices.web.fields import Fields

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
# RFC 9112 7.1.1: extensions are read over, but they must be some.
_SIZE_LINE = re.compile(
    rb"(0{0,5}[0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*"
    % (_TOKEN, _TOKEN, _QUOTED)
)
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")
_FORBIDDEN = frozenset(
    ("transfer-encoding", "content-length", "host", "content-encoding", "content-type")
    + ("content-range", "trailer", "authorization", "cookie", "set-cookie", "expect")
)
"""RFC 9110 6.5.1: fields that mean nothing behind the content."""


class ChunkedReader:
    """Takes the coding off; ``feed`` gives the content of what it is given.

    After the last chunk ``is_complete`` is true, ``trailers`` are there, and ``rest``
    has what follows.
    """

    def __init__(
        self,
        longest_line: int = 4096,
        longest_trailers: int = 16384,
        most_idle_octets: int = 65536,
    ) -> None:
        self.is_complete = False
        self.trailers = Fields()
        self.rest = b""
        self._longest_line = longest_line
        self._longest_trailers = longest_trailers
        self._most_idle_octets = most_idle_octets
        self._idle_octets = 0
        """Octets of size lines that carried no content worth their length."""
        self._trailer_octets = 0
        self._trailer_pairs: list[tuple[str, str]] = []
        self._line = b""
        self._left = 0
        """Octets of the current chunk that are to come."""
        self._step = self._size

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of content in ``data``.  BadMessage."""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.is_complete:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                position += len(piece)
                continue
            position = self._take_line(data, position)
        self.rest = data[position:] if self.is_complete else b""
        return pieces

    def _take_line(self, data: bytes, position: int) -> int:
        """Collect a line and look at it when it is whole; where to go on."""
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._line += data[position:stop]
        if len(self._line) > self._longest_line:
            raise BadMessage(400, "a line of the chunked coding is too long")
        if end >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise BadMessage(400, "a bare LF in the chunked coding")
            self._step(line[:-2])
        return stop

    def _size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadMessage(400, "a bad chunk size")
        self._left = int(match[1], 16)
        # Extensions without end, a line for each octet, only keep us busy.
        idle = self._idle_octets + len(line) - 16 - 2 * self._left
        self._idle_octets = max(0, idle)
        if idle > self._most_idle_octets:
            raise BadMessage(400, "too many chunk extensions")
        self._step = self._end_of_chunk if self._left else self._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line:
            raise BadMessage(400, "a chunk is longer than its size")
        self._step = self._size

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.is_complete = True
            self.trailers = Fields(self._trailer_pairs)
            return
        self._trailer_octets += len(line)
        match = _FIELD.fullmatch(line)
        if match is None or self._trailer_octets > self._longest_trailers:
            raise BadMessage(400, "a bad trailer")
        name = match[1].decode().lower()
        if name not in _FORBIDDEN:
            value = match[2].decode("latin-1").strip(" \t")
            self._trailer_pairs.append((name, value))


def chunk(data: bytes) -> bytes:
    """``data``, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Fields) -> bytes:
    """The end of the coding, with trailers."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return b"0\r\n" + lines.encode("latin-1") + b"\r\n"
