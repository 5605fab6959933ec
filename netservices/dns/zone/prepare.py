"""Answers as octets, made once and sent many times.

A ``Prepared`` is all of a response that comes after the question.  Compression pointers
in it count from the start of the message, and the question has the same length for
every client that asks it, so they stay right whatever its letter case; owners that
equal the question's name are pointers to it and so show the client's own spelling
(``0x20``).  OPT differs from client to client and is appended by the dialogue.

Where several records of one length stand side by side, ``turns`` says where, so that
each reply can begin with another one: the client that takes the first then takes each
in turn.  Records with names in their data keep their order: pointers may lead there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from netservices.dns.wire import codes
from netservices.dns.wire.message import Writer
from netservices.dns.wire.rdata import LAYOUTS
from netservices.dns.zone.leaves import RECORD_OCTETS, count_records, leaf_type
from netservices.dns.zone.lookup import Answer
from netservices.dns.zone.tree import ZoneTree
from netservices.values import RRset

_QUESTION_END = b"\0\0\0\0"
_FIXED_OCTETS = 12
"""Of a record whose owner is a pointer."""

Counts: TypeAlias = tuple[int, int, int]
Cuts: TypeAlias = tuple[tuple[int, Counts], ...]
Turns: TypeAlias = tuple[tuple[int, int, int], ...]
"""(first octet, octet after the last, octets of a record) of records to turn."""


class Keep:
    """What caches need to know of a reply that everybody may get."""

    __slots__ = ("account", "apex", "option_octets", "source", "tail", "turns")

    def __init__(
        self,
        source: bytes,
        apex: bytes,
        turns: Turns = (),
        tail: Tail | None = None,
        account: bytes = b"",
        option_octets: int = 0,
    ) -> None:
        self.source = source
        """What makes it wrong; see ``zone.answers``."""
        self.apex = apex
        """The zone that it counts for; empty: none."""
        self.turns = turns
        """Counted from the end of the question."""
        self.tail = tail
        """Where the name is a leaf: what stands behind it."""
        self.account = account
        """What replies are rated by, unless it is known where they go to; see
        ``dialogue.reply``."""
        self.option_octets = option_octets
        """Of the cookie option at the end of the packet: for another one the reply
        differs in nothing but its last octets, which are its cookie."""

    def beside(self, option_octets: int) -> Keep:
        """The same for a packet with a cookie."""
        return Keep(
            self.source, self.apex, self.turns, self.tail, self.account, option_octets
        )


class Tail:
    """What stands behind leaves of one length and type in their answers."""

    __slots__ = ("cuts", "octets", "tree", "turned", "turns")

    def __init__(self, tree: ZoneTree, octets: bytes, cuts: Cuts, turns: Turns) -> None:
        self.tree = tree
        self.octets = octets
        self.cuts = cuts
        self.turns = turns
        self.turned = 0
        """How often records before it have been turned."""


class Prepared:
    """The octets after the question, and where they may be cut."""

    __slots__ = (
        "account",
        "body",
        "counts",
        "cuts",
        "flags",
        "keep",
        "rcode",
        "turned",
    )

    def __init__(
        self, flags: int, rcode: int, body: bytes, cuts: Cuts, keep: Keep | None = None
    ) -> None:
        self.flags = flags
        """QR, AA and the low bits of the response code."""
        self.rcode = rcode
        self.body = body
        self.cuts = cuts
        """(octets, counts of the three sections), ascending: at the first all that
        must be there is there, at the last everything is."""
        self.counts = cuts[-1][1]
        self.keep = keep
        """None where the next one to ask may get another answer."""
        self.account = b""
        """What replies are rated by; see ``dialogue.reply``."""
        self.turned = 0
        """How often its records have been turned."""

    def fit(self, room: int, body: bytes) -> tuple[bytes, Counts] | None:
        """As much of ``body``, turned or not, as goes into ``room`` octets, never part
        of an RRset; None where not even what must be there does (RFC 2181 9: TC)."""
        for octets, counts in reversed(self.cuts):
            if octets <= room:
                return body[:octets], counts
        return None


def turn(octets: bytes, turns: Turns, count: int) -> bytes:
    """The same with its records turned ``count`` times."""
    for start, stop, step in turns:
        if stop <= len(octets):
            first = start + count % ((stop - start) // step) * step
            octets = b"".join(
                (octets[:start], octets[first:stop], octets[start:first], octets[stop:])
            )
    return octets


def prepare(
    tree: ZoneTree, name: bytes, answer: Answer, is_turning: bool = False
) -> Prepared:
    """The octets of ``answer`` to a question for ``name``."""
    writer = Writer(bytearray(12))
    writer.name(name)
    writer.octets += _QUESTION_END
    sections = _Sections(writer)
    sections.write(0, answer.answer, is_turning=is_turning)
    sections.write(1, answer.authority, answer.is_authority_optional)
    # Addresses in turn for those who asked where they are, as by MX and SRV.
    is_turning &= any(rrset.type in LAYOUTS for rrset in answer.answer)
    sections.write(2, answer.glue, is_turning=is_turning)
    sections.write(2, answer.more, True, is_turning)
    flags = codes.QR | (codes.AA if answer.is_authoritative else 0)
    keep = None if answer.is_fleeting else Keep(b"", tree.apex, tuple(sections.turns))
    return Prepared(
        flags | answer.rcode & 15,
        answer.rcode,
        sections.body(),
        sections.all_cuts(),
        keep,
    )


def prepare_leaf(name: bytes, leaf: bytes, tail: Tail) -> Prepared:
    """The answer that a leaf gives."""
    prepared = Prepared(
        codes.QR | codes.AA,
        codes.Rcode.NOERROR,
        leaf + tail.octets,
        tail.cuts,
        Keep(name, tail.tree.apex, tail.turns, tail, name),
    )
    prepared.account = name
    return prepared


def make_tail(
    tree: ZoneTree, name_octets: int, leaf: bytes, answer: Answer, is_turning: bool
) -> Tail:
    """The tail of ``answer``, which a leaf gave.  It has pointers to the apex in the
    question and into itself, and none to the rest of the name: other names have the
    same tail."""
    writer = Writer(bytearray(12 + name_octets - len(tree.apex)))
    writer.name(tree.apex)
    writer.octets += _QUESTION_END
    sections = _Sections(writer)
    writer.octets += leaf
    sections.counts[0] = count_records(leaf)
    sections.write(1, answer.authority, answer.is_authority_optional)
    sections.write(2, answer.more, True)
    step = RECORD_OCTETS.get(leaf_type(leaf), 0)
    is_turning &= sections.counts[0] > 1
    turns = ((0, len(leaf), step),) if is_turning else ()
    return Tail(tree, sections.body()[len(leaf) :], sections.all_cuts(), turns)


class _Sections:
    """The three sections on their way into octets."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._start = len(writer.octets)
        self._cuts: list[tuple[int, Counts]] = []
        self.counts = [0, 0, 0]
        self.turns: list[tuple[int, int, int]] = []

    def write(
        self,
        section: int,
        rrsets: Iterable[RRset],
        is_optional: bool = False,
        is_turning: bool = False,
    ) -> None:
        """Write RRsets, each of which may be left out where they are optional."""
        for rrset in rrsets:
            start = len(self._writer.octets) - self._start
            if is_optional:
                self._cuts.append((start, self._three()))
            self._writer.records(
                rrset.owner, rrset.type, codes.Class.IN, rrset.ttl, rrset.rdatas
            )
            self.counts[section] += len(rrset.rdatas)
            if is_turning and len(rrset.rdatas) > 1 and rrset.type not in LAYOUTS:
                self._note_turn(rrset, start)

    def _note_turn(self, rrset: RRset, start: int) -> None:
        stop = len(self._writer.octets) - self._start
        step = _FIXED_OCTETS + len(rrset.rdatas[0])
        is_even = all(len(rdata) + _FIXED_OCTETS == step for rdata in rrset.rdatas)
        if is_even and stop - start == step * len(rrset.rdatas):
            self.turns.append((start, stop, step))

    def body(self) -> bytes:
        """What is written."""
        return bytes(self._writer.octets[self._start :])

    def all_cuts(self) -> Cuts:
        """Where it may be cut, the whole being the last."""
        octets = len(self._writer.octets) - self._start
        return (*self._cuts, (octets, self._three()))

    def _three(self) -> Counts:
        return self.counts[0], self.counts[1], self.counts[2]
