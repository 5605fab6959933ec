"""Files through the codecs of their representation; what needs none goes past them.

Theory.  Codecs work on small pieces and give way to others between them.  On the way
out the work of a turn is bounded by the octets of the file; on the way in an octet of
compressed data may stand for 63, and a header of three for nothing at all, so readers
count blocks and strings as well, and stop when there have been many.

Restart markers of ours are offsets into the file.  On the way out that is all that
going on takes: what the codecs would know there follows from the octet before it.  On
the way in one thing is not in the file, a CR of which nobody knows yet whether an LF
follows; a marker says it with a ``c`` (RFC 1123 4.1.3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.channels import DataBroken, DataChannel
from netservices.ftp.dialogue.representation import Restart
from netservices.ftp.wire import (
    ContentReceiver,
    ContentSender,
    Mark,
    Marker,
    Part,
    PartReader,
    PartWriter,
    Reply,
    Representation,
)
from netservices.interfaces import IOpenFile, IUpload

PIECE_OCTETS = 1 << 15
"""Octets that go through the codecs before others get their turn."""
SMALL_PIECE_OCTETS = 1 << 12
"""The same where a line or string of octets may be a unit of its own."""

NO_END = Reply(426, "The connection closed before the end of the file was marked")
NONSENSE = Reply(426, "What came is not in this mode; transfer aborted")


class DataNonsense(DataBroken):
    """What arrived is not in the mode that was agreed on."""


@define
class Sending:
    """Octets on their way out."""

    channel: DataChannel
    representation: Representation
    _sender: ContentSender = field(init=False)
    _writer: PartWriter = field(init=False)
    _piece: int = field(init=False)
    _octets_this_turn: int = 0

    def __attrs_post_init__(self) -> None:
        self._sender = self.representation.sender()
        self._writer = self.representation.writer()
        is_laborious = self.representation.is_laborious
        self._piece = SMALL_PIECE_OCTETS if is_laborious else PIECE_OCTETS

    def resume(self, before: bytes) -> None:
        """Begin behind the octet ``before`` of the file."""
        self._sender.resume(before)

    async def send(self, chunk: bytes) -> None:
        """Send some octets of the file."""
        for at in range(0, len(chunk), self._piece):
            piece = chunk[at : at + self._piece]
            await self._write(self._sender.feed(piece))
            self._octets_this_turn += len(piece)
            if self._octets_this_turn >= self._piece:
                self._octets_this_turn = 0
                await self.channel.give_way()

    async def mark(self, position: int) -> None:
        """Send a restart marker."""
        await self._write([Marker(b"%d" % position)])
        await self.channel.give_way()

    async def finish(self) -> None:
        """Send the end of the file; returns once everything has arrived."""
        await self._write(self._sender.finish())
        if self.representation.keeps_connection:
            await self.channel.settle()
        else:
            await self.channel.finish()

    async def _write(self, parts: list[Part]) -> None:
        data = self._writer.feed(parts)
        if data:
            await self.channel.send(data)


async def send_file(
    sending: Sending, file: IOpenFile, offset: int, chunk: int, period: int
) -> None:
    """Send a file from ``offset`` on, ``chunk`` octets at a time, with a restart marker
    every ``period`` octets; 0 for none."""
    end = file.node.size
    if offset:
        sending.resume(await file.read(offset - 1, 1))
    has_markers = period and sending.representation.keeps_connection
    next_mark = offset + period if has_markers else end
    while offset < end:
        step = min(chunk, end - offset, next_mark - offset)
        data = await file.read(offset, step)
        if not data:
            raise DataBroken("the file became shorter while it was sent")
        offset += len(data)
        await sending.send(data)
        if offset == next_mark < end:
            await sending.mark(offset)
            next_mark = min(end, next_mark + period)
    await sending.finish()


@define
class Receiving:
    """Octets on their way into an upload, up to the mark that ends the file."""

    channel: DataChannel
    representation: Representation
    upload: IUpload
    mark: Callable[[str], None]
    """Told of restart markers that the client may count on: the text of a 110."""
    is_suspect: bool = False
    """Whether the client has marked some of its data as suspect."""
    _receiver: ContentReceiver = field(init=False)
    _reader: PartReader = field(init=False)
    _marked: str = ""

    def __attrs_post_init__(self) -> None:
        self._receiver = self.representation.receiver()
        self._reader = self.representation.reader()

    def resume(self, restart: Restart) -> None:
        """Begin where a marker was."""
        self._receiver.resume(restart.holds_cr)

    async def receive(self) -> None:
        """Everything up to the end of the file.  DataBroken where it does not come."""
        while not self._reader.is_done:
            data = await self.channel.read()
            if not data:
                raise DataBroken("no end of the file", NO_END)
            await self._take(data)
            await self._answer_marker()
        await self._store(self._receiver.finish())
        if not self.representation.keeps_connection:
            # The file is complete, whatever becomes of the connection.
            with suppress(DataBroken):
                await self.channel.finish()

    async def _take(self, data: bytes) -> None:
        reader = self._reader
        for at in range(0, len(data), PIECE_OCTETS):
            rest = data[at : at + PIECE_OCTETS]
            while rest:
                await self._take_parts(self._parts_of(rest))
                rest = reader.rest
                if reader.is_done:
                    self.channel.put_back(rest + data[at + PIECE_OCTETS :])
                    return
                await self.channel.give_way()

    def _parts_of(self, data: bytes) -> list[Part]:
        try:
            return self._reader.feed(data)
        except SyntaxProblem as problem:
            raise DataNonsense(problem.log_text, NONSENSE) from problem

    async def _take_parts(self, parts: list[Part]) -> None:
        """Store data; of several markers that come together the last one counts (RFC
        959 3.5: "the last known ... marker information")."""
        begin = 0
        for at in range(len(parts) - 1, -1, -1):
            part = parts[at]
            if isinstance(part, Marker):
                await self._store(self._receiver.feed(parts[:at]))
                self._marked = f"MARK {part.text.decode('ascii')} = {self._position}"
                begin = at + 1
                break
        if Mark.SUSPECT in parts:
            self.is_suspect = True
        await self._store(self._receiver.feed(parts[begin:]))

    @property
    def _position(self) -> Restart:
        upload = self.upload
        return Restart(upload.offset + upload.received_octets, self._receiver.holds_cr)

    async def _store(self, octets: bytes) -> None:
        if octets:
            waiting = self.upload.write(octets)
            if waiting is not None:
                await waiting

    async def _answer_marker(self) -> None:
        """RFC 1123 4.1.3.4: what came before a marker is on stable storage before the
        reply to it is sent."""
        marked, self._marked = self._marked, ""
        if marked and await self.upload.checkpoint():
            self.mark(marked)
