"""Answers as octets, made once and sent many times.

A ``Prepared`` is all of a response that comes after the question.  Compression pointers
in it count from the start of the message, and the question has the same length for
every client that asks it, so they stay right whatever its letter case; owners that
equal the question's name are pointers to it and so show the client's own spelling
(``0x20``).  OPT differs from client to client and is appended by the dialogue.
"""

from __future__ import annotations

from collections.abc import Iterable

from netservices.dns.wire import codes
from netservices.dns.wire.message import Writer
from netservices.dns.zone.lookup import Answer
from netservices.values import RRset

_QUESTION_END = b"\0\0\0\0"


class Prepared:
    """The octets after the question, and where they may be cut."""

    __slots__ = ("account", "body", "counts", "cuts", "flags", "is_fleeting", "rcode")

    def __init__(
        self,
        flags: int,
        rcode: int,
        body: bytes,
        cuts: tuple[tuple[int, tuple[int, int, int]], ...],
    ) -> None:
        self.flags = flags
        """QR, AA and the low bits of the response code."""
        self.rcode = rcode
        self.body = body
        self.cuts = cuts
        """(octets, counts of the three sections), ascending: at the first all that
        must be there is there, at the last everything is."""
        self.counts = cuts[-1][1]
        self.is_fleeting = False
        """Whether the next one to ask may get another answer."""
        self.account = b""
        """What replies are rated by; see ``dialogue.answer``."""

    def fit(self, room: int) -> tuple[bytes, tuple[int, int, int]] | None:
        """As much as goes into ``room`` octets, never part of an RRset; None where not
        even what must be there does (RFC 2181 9: TC)."""
        for octets, counts in reversed(self.cuts):
            if octets <= room:
                return self.body[:octets], counts
        return None


def prepare(name: bytes, answer: Answer) -> Prepared:
    """The octets of ``answer`` to a question for ``name``."""
    writer = Writer(bytearray(12))
    writer.name(name)
    writer.octets += _QUESTION_END
    start = len(writer.octets)
    cuts: list[tuple[int, tuple[int, int, int]]] = []
    counts = [0, 0, 0]

    def write(section: int, rrsets: Iterable[RRset], is_optional: bool) -> None:
        for rrset in rrsets:
            if is_optional:
                cuts.append((len(writer.octets) - start, _three(counts)))
            writer.records(
                rrset.owner, rrset.type, codes.Class.IN, rrset.ttl, rrset.rdatas
            )
            counts[section] += len(rrset.rdatas)

    write(0, answer.answer, is_optional=False)
    write(1, answer.authority, answer.is_authority_optional)
    write(2, answer.glue, is_optional=False)
    write(2, answer.more, is_optional=True)
    cuts.append((len(writer.octets) - start, _three(counts)))
    flags = codes.QR | (codes.AA if answer.is_authoritative else 0)
    prepared = Prepared(
        flags | answer.rcode & 15,
        answer.rcode,
        bytes(writer.octets[start:]),
        tuple(cuts),
    )
    prepared.is_fleeting = answer.is_fleeting
    return prepared


def _three(counts: list[int]) -> tuple[int, int, int]:
    return counts[0], counts[1], counts[2]
