"""How much a transfer does before others get their turn, in every representation."""

from __future__ import annotations

from itertools import product
from typing import Any

from attrs import define, field, frozen
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import as_deferred, value_of
from netservices.ftp.dialogue.moving import (
    PIECE_OCTETS,
    SMALL_PIECE_OCTETS,
    Receiving,
    Sending,
)
from netservices.ftp.wire import Mode, Representation, Structure, Type
from netservices.ftp.wire.descriptors import DESCRIBED_UNITS
from netservices.ftp.wire.parts import MOST_UNITS
from tests.ftp.memory import MemoryChannel

MOST_STORED = max(PIECE_OCTETS, 63 * MOST_UNITS)
"""What a turn of an upload stores: a piece, or as many runs as a reader takes."""
ALL = [Representation(t, "N", s, m) for t, s, m in product(Type, Structure, Mode)]
FILES = {
    "empty lines": b"\n" * 40_000,
    "lines of an octet": b"a\n" * 20_000,
    "short runs": b"aaaabbbb" * 5000,
    "one run": bytes(200_000),
    "escapes": b"\xff" * 40_000,
    "one line": b"abc" * 30_000,
}


@define
class CountingChannel(MemoryChannel):
    """Notes how much is sent or stored in each turn."""

    turns: list[int] = field(factory=lambda: [0])

    async def give_way(self) -> None:
        """The turn ends."""
        self.turns.append(0)

    async def send(self, data: bytes) -> None:
        """Note what is sent."""
        self.turns[-1] += len(data)
        await MemoryChannel.send(self, data)


@define
class CountingUpload:
    """Keeps nothing of what it is given."""

    channel: CountingChannel
    offset: int = 0
    received_octets: int = 0

    def write(self, octets: bytes) -> None:
        """Note how much it is."""
        self.received_octets += len(octets)
        self.channel.turns[-1] += len(octets)

    async def checkpoint(self) -> bool:
        """Nothing is promised."""
        return False


@define
class CountingReader:
    """A reader that notes what it takes in each turn."""

    reader: Any
    channel: CountingChannel
    taken: list[tuple[int, int, int]] = field(factory=list)
    """The turn, how many octets, how many units."""

    @property
    def is_done(self) -> bool:
        """Whether the end of the file has come."""
        return bool(self.reader.is_done)

    @property
    def rest(self) -> bytes:
        """What was not looked at."""
        return bytes(self.reader.rest)

    def feed(self, data: bytes) -> Any:
        """Note the turn, the octets and the units."""
        before = getattr(self.reader, "units", 0)
        parts = self.reader.feed(data)
        units = getattr(self.reader, "units", 0) - before
        turn = len(self.channel.turns)
        self.taken.append((turn, len(data) - len(self.rest), units))
        return parts


@frozen
class Counted(Representation):
    """One whose only reader counts."""

    channel: CountingChannel = field(kw_only=True)
    readers: list[CountingReader] = field(factory=list, kw_only=True)

    def reader(self) -> CountingReader:
        """The reader of the transfer."""
        self.readers.append(CountingReader(Representation.reader(self), self.channel))
        return self.readers[-1]


class TurnTests(SynchronousTestCase):
    """Work is counted, not timed."""

    def encoded(self, chosen: Representation, content: bytes) -> bytes:
        """What a client sends."""
        sender, writer = chosen.sender(), chosen.writer()
        return writer.feed(sender.feed(content) + sender.finish())

    def received(self, chosen: Representation, sent: bytes) -> CountingReader:
        """What is counted while ``sent`` arrives at once."""
        channel = CountingChannel([sent])
        upload: Any = CountingUpload(channel)
        counted = Counted(
            chosen.type, "N", chosen.structure, chosen.mode, channel=channel
        )
        receiving = Receiving(channel, counted, upload, lambda text: None)
        value_of(as_deferred(receiving.receive)())
        (reader,) = counted.readers
        turns = [turn for turn, _, _ in reader.taken]
        self.assertEqual(list(range(1, len(turns) + 1)), turns)
        self.assertLessEqual(max(channel.turns), MOST_STORED)
        return reader

    def test_sending(self) -> None:
        """A turn sends what a piece of the file becomes; pages of listings that are
        shorter than a piece add up."""
        for chosen, (name, content) in product(ALL, FILES.items()):
            laborious = chosen.is_laborious
            piece = SMALL_PIECE_OCTETS if laborious else PIECE_OCTETS
            for chunk in (len(content), piece - 1, 1000):
                with self.subTest(chosen=str(chosen), name=name, chunk=chunk):
                    channel = CountingChannel([])
                    sending = Sending(channel, chosen)
                    for at in range(0, len(content), chunk):
                        value_of(as_deferred(sending.send)(content[at : at + chunk]))
                    self.assertGreaterEqual(
                        len(channel.turns), len(content) // (2 * piece)
                    )
                    # An empty line is three octets at most: a header, or an escape
                    # and a filler.
                    self.assertLessEqual(max(channel.turns), 3 * 2 * piece)

    def test_receiving(self) -> None:
        """A turn takes a piece of what has come, and no more units than a reader may,
        whatever a client makes of its file."""
        for chosen, (name, content) in product(ALL, FILES.items()):
            if chosen.is_stream:
                continue
            with self.subTest(chosen=str(chosen), name=name):
                reader = self.received(chosen, self.encoded(chosen, content))
                for _, octets, units in reader.taken:
                    self.assertLessEqual(octets, PIECE_OCTETS)
                    self.assertLessEqual(units, MOST_UNITS)

    def test_worst_units(self) -> None:
        """Blocks without data, fillers of one octet, descriptors that say nothing new:
        the same, and what was left is taken in the next turn."""
        end = {Mode.BLOCK: b"\x40\0\0", Mode.COMPRESSED: b"\0\x40\xc0"}
        for mode, unit in (
            (Mode.BLOCK, b"\0\0\0"),
            (Mode.BLOCK, b"\x80\0\0"),
            (Mode.BLOCK, b"\x20\0\x01a"),
            (Mode.BLOCK, b"\x10\0\x01a"),
            (Mode.COMPRESSED, b"\xc0"),
            (Mode.COMPRESSED, b"\xff"),
            (Mode.COMPRESSED, b"\x01a"),
            (Mode.COMPRESSED, b"\x81a"),
            (Mode.COMPRESSED, b"\0\x80\xc0"),
            (Mode.COMPRESSED, b"\0\x20\xc1"),
            (Mode.COMPRESSED, b"\0\x20" * 9 + b"\xc1"),
        ):
            with self.subTest(mode=mode, unit=unit):
                chosen = Representation(Type.ASCII, "N", Structure.RECORD, mode)
                sent = unit * 20_000 + end[mode]
                reader = self.received(chosen, sent)
                self.assertEqual(len(sent), sum(o for _, o, _ in reader.taken))
                for _, _, units in reader.taken:
                    self.assertLess(units, MOST_UNITS + DESCRIBED_UNITS)
