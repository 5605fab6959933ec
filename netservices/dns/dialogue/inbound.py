"""A zone on its way in: the messages of AXFR (RFC 5936) and IXFR (RFC 1995) replies.

Theory.  A reply is one stream of records, cut into messages anywhere.  It begins with
the primary's SOA, and what follows tells its form:

- nothing, where IXFR was asked for and the serial is not newer: ``CURRENT``;
- for IXFR, the SOA with the serial that we have: difference sequences, each "old SOA,
  what goes, new SOA, what comes", the first from our serial and each from where the one
  before ended; the first SOA once more ends the reply: ``INCREMENTAL``;
- anything else: the zone's records in any order; the first SOA once more ends it:
  ``FULL``, which is also a reply to IXFR (RFC 1995 4).

Nothing here changes a zone.  What is not exactly of this form raises, and whoever asked
throws the whole of it away.  ``steps`` parses a message in slices, so that 64 KiB of
records hold up nobody.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import Enum, auto
from typing import TypeAlias

from attrs import define, field, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import OPT
from netservices.dns.wire.message import (
    Message,
    Question,
    Record,
    read_question,
    read_record,
)
from netservices.dns.wire.names import fold, is_below
from netservices.dns.wire.rdata import SOA, fold_rdata
from netservices.dns.wire.serials import is_newer_serial
from netservices.values import RRset

SLICE_RECORDS = 200
"""Records that are parsed before other work may get its turn: about a millisecond."""

_HEADER = struct.Struct(">HHHHHH")
_IN = int(Class.IN)
_SOA = int(Type.SOA)
# RFC 6895 3.1: types for questions and for messages alone; 0 and OPT are no data.
_META = frozenset((0, OPT, *range(128, 256)))

Key: TypeAlias = tuple[bytes, int]
"""Folded owner, and type."""


class BadTransfer(SyntaxProblem):
    """What came is no transfer of the zone; ``str()`` is for the log."""


class TooLarge(BadTransfer):
    """The transfer has more records or octets than it may."""


class TransferRefused(Exception):
    """The primary replied with an error; ``rcode`` says which."""

    def __init__(self, rcode: int) -> None:
        super().__init__(f"the primary replied {codes.rcode_name(rcode)}")
        self.rcode = rcode


class Form(Enum):
    """What a reply turned out to be."""

    CURRENT = auto()
    """There is nothing newer than what we have."""
    INCREMENTAL = auto()
    FULL = auto()


class _State(Enum):
    FIRST = auto()
    SECOND = auto()
    RECORDS = auto()
    GOES = auto()
    COMES = auto()
    DONE = auto()


@define
class Difference:
    """One difference sequence of an incremental transfer; RFC 1995 4."""

    from_soa: Record
    to_soa: Record
    removed: list[Record] = field(factory=list)
    """Without the SOA."""
    added: list[Record] = field(factory=list)
    """Without the SOA."""


@frozen
class InboundLimits:
    """What one transfer may bring."""

    max_records: int = 20_000_000
    max_octets: int = 4 << 30


class Gathered:
    """Records, put together to RRsets; RFC 2181 5."""

    def __init__(self) -> None:
        self._whole: dict[Key, RRset] = {}
        self._growing: dict[Key, tuple[bytes, int, dict[bytes, bytes]]] = {}
        """Those of more than one record: owner, TTL, folded RDATA to RDATA."""

    def add(self, record: Record) -> None:
        """Take a record; one that is there already is dropped (RFC 5936 2.2)."""
        key = fold(record.name), record.type
        known = self._whole.get(key)
        if known is None:
            self._whole[key] = RRset(
                record.name, record.type, record.ttl, (record.rdata,)
            )
            return
        growing = self._growing.get(key)
        owner, ttl, rdatas = growing or (known.owner, known.ttl, {})
        if growing is None:
            rdatas[fold_rdata(record.type, known.rdatas[0])] = known.rdatas[0]
        rdatas.setdefault(fold_rdata(record.type, record.rdata), record.rdata)
        # RFC 2181 5.2: of several TTLs in one RRset, the lowest.
        self._growing[key] = owner, min(ttl, record.ttl), rdatas

    def finish(self) -> Iterator[None]:
        """Make the RRsets whole, in slices."""
        for index, (key, (owner, ttl, rdatas)) in enumerate(self._growing.items()):
            self._whole[key] = RRset(owner, key[1], ttl, tuple(rdatas.values()))
            if index % SLICE_RECORDS == 0:
                yield
        self._growing.clear()

    def rrsets(self) -> tuple[RRset, ...]:
        """All of them, after ``finish``."""
        return tuple(self._whole.values())


class Inbound:
    """One transfer, as its messages come."""

    def __init__(
        self, query: Message, serial: int | None, limits: InboundLimits
    ) -> None:
        """``serial`` is that of the version that IXFR starts from; None for AXFR."""
        self._query = query
        self._question = query.questions[0]
        self._apex = fold(self._question.name)
        self._serial = serial
        self._limits = limits
        self._state = _State.FIRST
        self._is_first_message = True
        self.form = Form.FULL
        self.soa: Record | None = None
        """The primary's, once it is here."""
        self.new_serial = 0
        self.full = Gathered()
        self.differences: list[Difference] = []
        self.records = 0
        self.octets = 0
        self.messages = 0
        self.ignored = 0
        """Records that are not in the zone."""

    @property
    def is_done(self) -> bool:
        """Whether the reply is complete."""
        return self._state is _State.DONE

    def take(self, data: bytes) -> None:
        """Take a whole message in one go."""
        for _ in self.steps(data):
            pass

    def steps(self, data: bytes) -> Iterator[None]:
        """Take a message; other work may have its turn at each step.  BadTransfer,
        TransferRefused."""
        self.messages += 1
        self.octets += len(data)
        if self.octets > self._limits.max_octets:
            raise TooLarge(f"more than {self._limits.max_octets} octets")
        try:
            count, position = self._read_head(data)
            for index in range(1, count + 1):
                record, position = read_record(data, position)
                self._take_record(record)
                if index % SLICE_RECORDS == 0:
                    yield
        except BadTransfer:
            raise
        except SyntaxProblem as problem:
            raise BadTransfer(f"a malformed message: {problem}") from None
        if self._is_up_to_date(count):
            self.form = Form.CURRENT
            self._state = _State.DONE
        self._is_first_message = False
        if self.is_done and self.form is Form.FULL:
            yield from self.full.finish()

    def _is_up_to_date(self, count: int) -> bool:
        """RFC 1995 2, 4: a single SOA that is not newer than ours says so."""
        return (
            self._serial is not None
            and self._is_first_message
            and self._state is _State.SECOND
            and count == 1
            and not is_newer_serial(self.new_serial, self._serial)
        )

    def _read_head(self, data: bytes) -> tuple[int, int]:
        """Header, question and what follows the answers; RFC 5936 2.2.1, 2.2.2.  How
        many records there are, and where they begin."""
        if len(data) < _HEADER.size:
            raise BadTransfer("a message shorter than a header")
        id_, bits, questions, count, *others = _HEADER.unpack_from(data)
        opcode = bits >> codes.OPCODE_SHIFT & 15
        if id_ != self._query.id or not bits & codes.QR or opcode:
            raise BadTransfer("a message that is no reply to what was asked")
        position = _HEADER.size
        if questions > 1:
            raise BadTransfer("a message with several questions")
        if questions:
            question, position = read_question(data, position)
            if not self._is_ours(question):
                raise BadTransfer("a reply to another question")
        rcode = bits & 15
        if rcode != Rcode.NOERROR:
            raise TransferRefused(rcode)
        if bits & codes.TC:
            raise BadTransfer("a truncated message")
        if self._is_first_message and not questions:
            raise BadTransfer("a first message without the question")
        if not count:
            raise BadTransfer("a message without records")
        if sum((count, *others)) * 11 > len(data) - position:
            raise BadTransfer("the header counts more records than can be there")
        return count, position

    def _is_ours(self, question: Question) -> bool:
        asked = self._question
        return fold(question.name) == self._apex and (
            (question.type, question.class_) == (asked.type, asked.class_)
        )

    def _take_record(self, record: Record) -> None:
        """One record further, in the form that the reply has."""
        self.records += 1
        if self.records > self._limits.max_records:
            raise TooLarge(f"more than {self._limits.max_records} records")
        if record.class_ != _IN or record.type in _META:
            raise BadTransfer("a record that cannot be in a zone")
        name = fold(record.name)
        if record.type == _SOA:
            if name != self._apex:
                raise BadTransfer("the SOA of another name")
            self._take_soa(record)
        elif self._state is _State.FIRST or self._state is _State.DONE:
            raise BadTransfer("a record before the first SOA, or after the last")
        elif is_below(name, self._apex):
            self._take_data(record)
        else:
            # RFC 5936 3.1: what is elsewhere is not in the zone, whoever sends it.
            self.ignored += 1

    def _take_data(self, record: Record) -> None:
        if self._state is _State.GOES:
            self.differences[-1].removed.append(record)
        elif self._state is _State.COMES:
            self.differences[-1].added.append(record)
        else:
            self._state = _State.RECORDS
            self.full.add(record)

    def _take_soa(self, record: Record) -> None:
        """A SOA ends one part of the reply and begins the next."""
        serial = SOA.parse(record.rdata).serial
        if self._state is _State.FIRST:
            self.soa = record
            self.new_serial = serial
            self.full.add(record)
            self._state = _State.SECOND
        elif self._state is _State.SECOND and serial == self._serial:
            self._begin_sequence(record)
        elif self._state in (_State.SECOND, _State.RECORDS):
            self._end(record)
        elif self._state is _State.GOES:
            self._turn_sequence(record, serial)
        elif self._state is _State.COMES:
            self._end_sequence(record, serial)
        else:
            raise BadTransfer("a record after the last SOA")

    def _begin_sequence(self, record: Record) -> None:
        """The version from which the next sequence starts; where it leads to is not
        known yet."""
        self.form = Form.INCREMENTAL
        self.differences.append(Difference(record, record))
        self._state = _State.GOES

    def _turn_sequence(self, record: Record, serial: int) -> None:
        sequence = self.differences[-1]
        if not is_newer_serial(serial, SOA.parse(sequence.from_soa.rdata).serial):
            raise BadTransfer("a difference that leads back")
        sequence.to_soa = record
        self._state = _State.COMES

    def _end_sequence(self, record: Record, serial: int) -> None:
        if serial != SOA.parse(self.differences[-1].to_soa.rdata).serial:
            raise BadTransfer("a difference that does not start where the last ended")
        if serial == self.new_serial:
            self._end(record)
        else:
            self._begin_sequence(record)

    def _end(self, record: Record) -> None:
        """RFC 5936 2.2: the last SOA is the first one."""
        assert self.soa is not None
        if fold_rdata(_SOA, record.rdata) != fold_rdata(_SOA, self.soa.rdata):
            raise BadTransfer("the last SOA is not the first one")
        self._state = _State.DONE
