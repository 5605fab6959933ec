"""What a file's octets are on the wire: representation type and structure (RFC 959
3.1), before the transmission mode makes units of them.

A file here is a sequence of octets; text in it has lines that LF ends.  In file
structure the end of a line travels as the type says (CR LF in ASCII, NL in EBCDIC); in
record structure each line is a record, and its end travels as a mark, not as data
(RFC 959 3.4: the sender translates "its internal end of line" into what "the transfer
mode and file structure" prescribe).  An image has no lines: it is one record, and where
it comes in several, they are stored as contiguous octets (RFC 959 3.1.1.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from attrs import define, field

from netservices.ftp.wire.ebcdic import FROM_EBCDIC, NL, TO_EBCDIC
from netservices.ftp.wire.nvt import FromNVT, ToNVT
from netservices.ftp.wire.parts import Mark, Part


class Type(Enum):
    """Representation types (RFC 959 3.1.1); L 8 is the same as I (RFC 1123 4.1.2.1)."""

    ASCII = "A"
    EBCDIC = "E"
    IMAGE = "I"

    @property
    def filler(self) -> bytes:
        """The filler octet of compressed mode (RFC 959 3.4.3)."""
        return {"A": b" ", "E": b"\x40", "I": b"\0"}[self.value]


class Structure(Enum):
    """Structures (RFC 959 3.1.2); that of pages is NOT RECOMMENDED (RFC 1123
    4.1.2.3)."""

    FILE = "F"
    RECORD = "R"


def record_end(kind: Type, structure: Structure) -> bytes:
    """The octet that stands for the end of a record in the data of parts; empty where
    the file knows no ends of records."""
    if structure is Structure.FILE or kind is Type.IMAGE:
        return b""
    return NL if kind is Type.EBCDIC else b"\n"


@define
class ContentSender:
    """From the octets of a file to parts."""

    type: Type
    structure: Structure
    _nvt: ToNVT = field(factory=ToNVT)
    _is_in_record: bool = False

    def resume(self, before: bytes) -> None:
        """Go on behind the octet ``before`` of the file, in place of its beginning."""
        self.feed(before)

    def feed(self, chunk: bytes) -> list[Part]:
        """The parts for ``chunk``."""
        if not chunk:
            return []
        if self.type is Type.EBCDIC:
            chunk = chunk.translate(TO_EBCDIC)
        if self.structure is Structure.RECORD:
            end = record_end(self.type, self.structure)
            self._is_in_record = not end or not chunk.endswith(end)
        elif self.type is Type.ASCII:
            chunk = self._nvt.feed(chunk)
        return [chunk]

    def finish(self) -> list[Part]:
        """The parts at the end of the file."""
        # RFC 959 3.4: every EOR is explicit, the final one too.
        if self._is_in_record:
            return [Mark.EOR, Mark.EOF]
        return [Mark.EOF]


@define
class ContentReceiver:
    """From parts to the octets of a file."""

    type: Type
    structure: Structure
    _nvt: FromNVT = field(factory=FromNVT)

    @property
    def holds_cr(self) -> bool:
        """Whether a CR has come that is stored with what follows it."""
        return self._nvt.holds_cr

    def resume(self, holds_cr: bool) -> None:
        """Go on where a CR was held, or was not."""
        if holds_cr:
            self._nvt.feed(b"\r")

    def feed(self, parts: Iterable[Part]) -> bytes:
        """The octets to store."""
        octets = b"".join([part for part in parts if isinstance(part, bytes)])
        if self.type is Type.EBCDIC:
            return octets.translate(FROM_EBCDIC)
        if self.type is Type.ASCII and self.structure is Structure.FILE:
            return self._nvt.feed(octets)
        return octets

    def finish(self) -> bytes:
        """What remains to be stored at the end of the file."""
        return self._nvt.finish()
