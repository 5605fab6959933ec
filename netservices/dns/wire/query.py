"""A question as the server reads it: the header by hand, the name as it was sent.

This is the second step of the answer path, taken when the exact packet was not seen
before; it builds no records and decodes no names.  The question's octets are kept as
they came, because the answer repeats them in the client's letter case (``0x20``).
"""

from __future__ import annotations

import struct

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.edns import OPT, parse_options
from netservices.dns.wire.names import MAX_NAME_OCTETS, skip_name

HEADER_OCTETS = 12

_COUNTS = struct.Struct(">HHHH")
_FIXED = struct.Struct(">HHIH")
_ONE_QUESTION = b"\0\1\0\0\0\0"
_TSIG = 250
_IXFR = 251


class Query:
    """A parsed question: header bits, name, type, class and what OPT says."""

    __slots__ = (
        "bits",
        "cookie",
        "end",
        "folded",
        "is_do",
        "is_known",
        "name",
        "options",
        "qclass",
        "qtype",
        "tsig_start",
        "udp_size",
        "version",
    )

    bits: int
    """The second word of the header."""
    name: bytes
    """As it was sent."""
    folded: bytes
    qtype: int
    qclass: int
    end: int
    """Where the question ends in the packet."""
    udp_size: int
    """What the client takes over UDP; 0: it said nothing, so there was no OPT."""
    version: int
    is_do: bool
    options: tuple[tuple[int, bytes], ...]
    cookie: bytes
    """The cookie for the reply; there only if there are options."""
    is_known: bool
    """Whether the client brought a cookie of ours; there only if there are options."""
    tsig_start: int
    """Where the TSIG record begins; 0: there is none."""

    def __init__(self, data: bytes) -> None:
        """Read header and question.  SyntaxProblem."""
        self.bits = data[2] << 8 | data[3]
        self.udp_size = self.version = self.tsig_start = 0
        self.is_do = False
        self.options = ()
        if data[4:10] != _ONE_QUESTION:
            self._check_counts(data)
        position = HEADER_OCTETS
        try:
            # RFC 1035 4.1.4: nothing comes before the first name, so a pointer in it
            # could only point into the header.
            while length := data[position]:
                if length > 63:
                    raise SyntaxProblem("the question is compressed")
                position += length + 1
            position += 1
            name = data[HEADER_OCTETS:position]
            self.qtype = data[position] << 8 | data[position + 1]
            self.qclass = data[position + 2] << 8 | data[position + 3]
        except IndexError:
            raise SyntaxProblem("the question is cut short") from None
        if len(name) > MAX_NAME_OCTETS:
            raise SyntaxProblem("the name is longer than 255 octets")
        self.name = name
        self.folded = name.lower()
        self.end = position + 4

    @classmethod
    def without_question(cls, data: bytes, max_options: int) -> Query:
        """A packet with an OPT record and nothing else (RFC 7873 5.4).
        SyntaxProblem."""
        query = cls.__new__(cls)
        query.bits = data[2] << 8 | data[3]
        query.udp_size = query.version = query.tsig_start = 0
        query.qtype = query.qclass = 0
        query.name = query.folded = b""
        query.is_do = False
        query.options = ()
        query.end = HEADER_OCTETS
        query.read_records(data, 1, max_options)
        return query

    def _check_counts(self, data: bytes) -> None:
        questions, answers, authorities, _ = _COUNTS.unpack_from(data, 4)
        # RFC 9619 4: a QUERY has at most one question; without one there is nothing to
        # answer (cookies alone, RFC 7873 5.4, come with cookies).
        if questions != 1:
            raise SyntaxProblem("not exactly one question")
        # RFC 1995 3: IXFR brings its SOA in the authority section.
        if answers or authorities > 1:
            raise SyntaxProblem("a question with answers")

    def read_records(self, data: bytes, max_records: int, max_options: int) -> None:
        """Read what follows the question: OPT and TSIG.  SyntaxProblem; then
        ``udp_size`` still says whether there was an OPT."""
        _, _, authorities, additional = _COUNTS.unpack_from(data, 4)
        if authorities and self.qtype != _IXFR:
            raise SyntaxProblem("a question with answers")
        if authorities + additional > max_records:
            raise SyntaxProblem("too many records in a question")
        position = self.end
        for index in range(authorities + additional):
            position = self._read_record(
                data, position, index >= authorities, max_options
            )
        if position != len(data):
            raise SyntaxProblem("octets after the last record")

    def _read_record(
        self, data: bytes, start: int, is_additional: bool, max_options: int
    ) -> int:
        """Look at the record at ``start``; where the octets after it begin."""
        # RFC 8945 5.1: TSIG is the last record.
        if self.tsig_start:
            raise SyntaxProblem("a record after TSIG")
        position = skip_name(data, start)
        if position + 10 > len(data):
            raise SyntaxProblem("a record is cut short")
        type_, size, ttl, length = _FIXED.unpack_from(data, position)
        end: int = position + 10 + length
        if end > len(data):
            raise SyntaxProblem("a record is cut short")
        if type_ == OPT:
            # RFC 6891 6.1.1: one OPT at most, owned by the root.
            if self.udp_size or data[start] or not is_additional:
                raise SyntaxProblem("two OPT records, or one out of place")
            # RFC 6891 6.2.3: values below 512 count as 512.
            self.udp_size = max(size, 512)
            self.is_do = bool(ttl & 0x8000)
            self.version = ttl >> 16 & 0xFF
            if length:
                self.cookie, self.is_known = b"", False
                self.options = parse_options(data[position + 10 : end], max_options)
        elif type_ == _TSIG:
            if not is_additional:
                raise SyntaxProblem("TSIG out of place")
            self.tsig_start = start
        return end

    def option(self, code: int) -> bytes | None:
        """The data of the first EDNS option of that code."""
        return next((data for found, data in self.options if found == code), None)
