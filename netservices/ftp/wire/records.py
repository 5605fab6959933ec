"""MODE S with STRU R: control codes behind an octet of all ones (RFC 959 3.4.1).

Writer and reader replace octets in whole buffers.  Octets of all ones that are data
come in pairs, and a run of them always begins with a pair: so to replace pairs from the
left is to tell data from codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import define

from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.parts import Mark, Marker, Part

_ONES = b"\xff"
_PAIR = b"\xff\xff"
_NO_CODE = b"\xff\0"
_EOR = 1
_EOF = 2
_RECORD_ENDS = bytes((255, _EOR))
_BEFORE_END = re.compile(rb"(?:[^\xff]++|\xff[\x01\xff])*+")
"""Data, and ends of records, in linear time."""


@define
class RecordWriter:
    """From parts to the wire; ``record_end`` is as in ``parts``."""

    _record_end: bytes = b""
    _has_ended_record: bool = False
    """Whether an EOR waits: EOF may be in the same code."""

    def feed(self, parts: Iterable[Part]) -> bytes:
        """The octets to send.  ValueError for a restart marker: there are none."""
        sent: list[bytes] = []
        for part in parts:
            if isinstance(part, Marker):
                raise ValueError("no restart markers in stream mode")
            if part == b"":
                continue
            code = _EOR if self._has_ended_record else 0
            if part is Mark.EOF:
                sent.append(bytes((255, code | _EOF)))
                self._has_ended_record = False
                continue
            if code:
                sent.append(_RECORD_ENDS)
            self._has_ended_record = part is Mark.EOR
            if isinstance(part, bytes):
                sent.append(self._spell(part))
        return b"".join(sent)

    def _spell(self, data: bytes) -> bytes:
        end = self._record_end
        if not end:
            return data.replace(_ONES, _PAIR)
        if data.endswith(end):
            self._has_ended_record = True
            data = data[:-1]
        return data.replace(_ONES, _PAIR).replace(end, _RECORD_ENDS)


@define
class RecordReader:
    """From the wire to parts; ``record_end`` is as in ``parts``.

    ``is_done`` once the end of the file has come; ``rest`` is what came behind it.
    """

    _record_end: bytes = b""
    is_done: bool = False
    rest: bytes = b""
    _escape: bytes = b""
    """The first octet of a code of which the second has not come."""

    def feed(self, data: bytes) -> list[Part]:
        """What has come, in order; see ``rest``.  SyntaxProblem."""
        data = self._escape + data
        if _ONES not in data:
            return [data]
        before = _BEFORE_END.match(data)
        end = before.end() if before else 0
        octets = data[:end].replace(_PAIR, _NO_CODE)
        octets = octets.replace(_RECORD_ENDS, self._record_end)
        parts: list[Part] = [octets.replace(_NO_CODE, _ONES)]
        code = data[end : end + 2]
        self._escape = code if len(code) == 1 else b""
        if len(code) == 2:
            self._end(code[1], parts)
            self.rest = data[end + 2 :]
        return parts

    def _end(self, code: int, parts: list[Part]) -> None:
        if not _EOF <= code <= _EOF | _EOR:
            raise SyntaxProblem(f"a control code that is not known: {code}")
        if code & _EOR:
            parts.append(self._record_end)
        parts.append(Mark.EOF)
        self.is_done = True
