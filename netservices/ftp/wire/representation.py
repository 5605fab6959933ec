"""What TYPE, STRU and MODE have chosen, and the codecs that go with it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from attrs import frozen

from netservices.ftp.wire.contents import (
    ContentReceiver,
    ContentSender,
    Structure,
    Type,
    record_end,
)
from netservices.ftp.wire.parts import Part


class Mode(Enum):
    """Transmission modes (RFC 959 3.4)."""

    STREAM = "S"
    BLOCK = "B"
    COMPRESSED = "C"


class PartWriter(Protocol):
    """From parts to the wire."""

    def feed(self, parts: Iterable[Part]) -> bytes:
        """The octets to send."""


class PartReader(Protocol):
    """From the wire to parts."""

    @property
    def is_done(self) -> bool:
        """Whether the end of the file has come."""

    @property
    def rest(self) -> bytes:
        """What was not looked at: to be fed again, or what came behind that end."""

    def feed(self, data: bytes) -> list[Part]:
        """What has come, in order; see ``rest``.  SyntaxProblem."""


class _PlainWriter:
    """A stream without records: data only; closing the connection is the end."""

    def feed(self, parts: Iterable[Part]) -> bytes:
        return b"".join([part for part in parts if isinstance(part, bytes)])


@frozen
class Representation:
    """How a file travels."""

    type: Type = Type.ASCII
    format: str = "N"
    """Of text: N, T or C.  They travel alike: format controls are characters of the
    text to us (RFC 959 3.1.1.5, RFC 1123 4.1.2.2)."""
    structure: Structure = Structure.FILE
    mode: Mode = Mode.STREAM

    def __str__(self) -> str:
        name = self.type.value
        if self.type is not Type.IMAGE:
            name += f" {self.format}"
        return f"TYPE {name}; STRU {self.structure.value}; MODE {self.mode.value}"

    @property
    def is_stream(self) -> bool:
        """Whether closing the connection is the end of the file."""
        return self.mode is Mode.STREAM and self.structure is Structure.FILE

    @property
    def is_exact(self) -> bool:
        """Whether what travels are the octets of the file, neither more nor less."""
        return self.is_stream and self.type is Type.IMAGE

    @property
    def keeps_connection(self) -> bool:
        """Whether the connection serves the next transfer as well (RFC 959 3.3)."""
        return self.mode is not Mode.STREAM

    @property
    def is_laborious(self) -> bool:
        """Whether each line or string of octets is looked at."""
        return self.mode is Mode.COMPRESSED or self.structure is Structure.RECORD

    def sender(self) -> ContentSender:
        """From the octets of a file to parts."""
        return ContentSender(self.type, self.structure)

    def receiver(self) -> ContentReceiver:
        """From parts to the octets of a file."""
        return ContentReceiver(self.type, self.structure)

    def writer(self) -> PartWriter:
        """From parts to the wire."""
        end = record_end(self.type, self.structure)
        if self.mode is Mode.BLOCK:
            from netservices.ftp.wire.blocks import block_writer

            return block_writer(end)
        if self.mode is Mode.COMPRESSED:
            from netservices.ftp.wire.compressed import compressing_writer

            return compressing_writer(self.type.filler, end)
        if self.is_stream:
            return _PlainWriter()
        from netservices.ftp.wire.records import RecordWriter

        return RecordWriter(end)

    def reader(self) -> PartReader:
        """From the wire to parts; for representations that mark the end of files."""
        end = record_end(self.type, self.structure)
        if self.mode is Mode.BLOCK:
            from netservices.ftp.wire.blocks import BlockReader

            return BlockReader(end)
        if self.mode is Mode.COMPRESSED:
            from netservices.ftp.wire.compressed import CompressedReader

            return CompressedReader(end, filler=self.type.filler)
        from netservices.ftp.wire.records import RecordReader

        return RecordReader(end)
