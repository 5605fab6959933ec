"""EDNS(0): the OPT record (RFC 6891), read and written."""

from __future__ import annotations

import struct
from enum import IntEnum

from attrs import frozen

from netservices.core.errors import SyntaxProblem

OPT = 41
DO = 0x8000

# Option codes (IANA).
NSID = 3
CLIENT_SUBNET = 8
COOKIE = 10
TCP_KEEPALIVE = 11
PADDING = 12
EXTENDED_ERROR = 15


class ExtendedError(IntEnum):
    """Why there is no answer, beside the response code; RFC 8914 4."""

    NOT_READY = 14
    PROHIBITED = 18
    NOT_AUTHORITATIVE = 20
    NOT_SUPPORTED = 21
    INVALID_DATA = 24


_OPTION = struct.Struct(">HH")
_FIXED = struct.Struct(">BHHIH")


@frozen
class Edns:
    """What an OPT record says."""

    udp_size: int = 512
    is_do: bool = False
    """DNSSEC OK (RFC 3225)."""
    options: tuple[tuple[int, bytes], ...] = ()
    version: int = 0
    extended_rcode: int = 0
    """The upper eight of a response code's twelve bits."""
    flags: int = 0
    """The bits beside DO; a sender leaves them zero."""

    def option(self, code: int) -> bytes | None:
        """The data of the first option of that code."""
        return next((data for found, data in self.options if found == code), None)

    def encode(self) -> bytes:
        """The whole OPT record."""
        rdata = encode_options(self.options)
        ttl = (
            self.extended_rcode << 24
            | self.version << 16
            | (DO if self.is_do else 0)
            | self.flags
        )
        return _FIXED.pack(0, OPT, self.udp_size, ttl, len(rdata)) + rdata

    @classmethod
    def parse(cls, size: int, ttl: int, rdata: bytes, max_options: int = 32) -> Edns:
        """From CLASS, TTL and RDATA of an OPT record.  SyntaxProblem."""
        return cls(
            udp_size=size,
            is_do=bool(ttl & DO),
            options=parse_options(rdata, max_options) if rdata else (),
            version=ttl >> 16 & 0xFF,
            extended_rcode=ttl >> 24,
            flags=ttl & 0x7FFF,
        )


def encode_options(options: tuple[tuple[int, bytes], ...]) -> bytes:
    """RDATA of OPT."""
    return b"".join(_OPTION.pack(code, len(data)) + data for code, data in options)


def parse_options(rdata: bytes, max_options: int) -> tuple[tuple[int, bytes], ...]:
    """The options in RDATA of OPT.  SyntaxProblem for one that runs over the end, and
    for more than ``max_options`` of them."""
    options: list[tuple[int, bytes]] = []
    position = 0
    while position < len(rdata):
        if position + 4 > len(rdata):
            raise SyntaxProblem("an EDNS option is cut short")
        code, length = _OPTION.unpack_from(rdata, position)
        position += 4 + length
        if position > len(rdata):
            raise SyntaxProblem("an EDNS option runs past the end")
        if len(options) >= max_options:
            raise SyntaxProblem("too many EDNS options")
        options.append((code, rdata[position - length : position]))
    return tuple(options)
