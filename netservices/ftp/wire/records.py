"""MODE S with STRU R: control codes behind an octet of all ones (RFC 959 3.4.1)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.parts import MOST_UNITS, Mark, Marker, Part

_ESCAPE = b"\xff"
_EOR = 1
_EOF = 2


@define
class RecordWriter:
    """From parts to the wire."""

    _has_ended_record: bool = False
    """Whether an EOR waits: EOF may be in the same code."""

    def feed(self, parts: Iterable[Part]) -> bytes:
        """The octets to send.  ValueError for a restart marker: there are none."""
        sent: list[bytes] = []
        for part in parts:
            if isinstance(part, Marker):
                raise ValueError("no restart markers in stream mode")
            code = _EOR if self._has_ended_record else 0
            self._has_ended_record = part is Mark.EOR
            if part is Mark.EOF:
                sent.append(bytes((255, code | _EOF)))
                continue
            if code:
                sent.append(b"\xff\x01")
            if isinstance(part, bytes):
                sent.append(part.replace(_ESCAPE, b"\xff\xff"))
        return b"".join(sent)


@define
class RecordReader:
    """From the wire to parts.

    ``is_done`` once the end of the file has come.  ``rest`` is what was not looked at:
    behind that end, or after ``MOST_UNITS``.
    """

    units: int = 0
    """How many codes have come: a measure of the work that they were."""
    is_done: bool = False
    rest: bytes = b""
    _is_escaped: bool = False

    def feed(self, data: bytes) -> list[Part]:
        """What has come, in order; see ``rest``.  SyntaxProblem."""
        parts: list[Part] = []
        at, end, limit = 0, len(data), self.units + MOST_UNITS
        while at < end and self.units < limit and not self.is_done:
            if self._is_escaped:
                self._is_escaped = False
                self._take_code(data[at], parts)
                at += 1
                continue
            found = data.find(_ESCAPE, at)
            stop = end if found < 0 else found
            if stop > at:
                parts.append(data[at:stop])
            self._is_escaped = found >= 0
            at = stop + 1
        self.rest = data[at:]
        return parts

    def _take_code(self, code: int, parts: list[Part]) -> None:
        self.units += 1
        if code == 255:
            parts.append(_ESCAPE)
            return
        if not 0 < code <= _EOR | _EOF:
            raise SyntaxProblem(f"a control code that is not known: {code}")
        if code & _EOR:
            parts.append(Mark.EOR)
        if code & _EOF:
            parts.append(Mark.EOF)
            self.is_done = True
