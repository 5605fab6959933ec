"""RDATA: where names stand in it, and which of them may be compressed.

Everything is stored and compared uncompressed.  A type that is not in the table is
opaque octets in both directions (RFC 3597 3), as are the types that came after it:
their names are never compressed.
"""

from __future__ import annotations

import ipaddress
import struct

from attrs import frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import check_name, fold, read_name

_SHORT = struct.Struct(">H")
_SERIALS = struct.Struct(">IIIII")


@frozen
class Layout:
    """``prefix`` octets, ``strings`` character strings, ``names`` names, the rest."""

    prefix: int = 0
    names: int = 1
    rest: int = 0
    """Octets after the last name; -1: any number."""
    strings: int = 0
    is_compressed: bool = False
    """Whether we compress the names when we send."""


_ONE_NAME = Layout(is_compressed=True)

# RFC 3597 4: senders compress in the types of RFC 1035 alone (here only in those that
# every decoder still knows); receivers understand
# compression also in RP, AFSDB, RT, SIG, PX, NXT, NAPTR and SRV.  KX and DNAME forbid
# it (RFC 2230 3, RFC 6672 2.5), as do SVCB and HTTPS (RFC 9460 2.2), but some servers
# do it, and no harm is in reading it.
LAYOUTS: dict[int, Layout] = {
    Type.NS: _ONE_NAME,
    Type.MD: Layout(),
    Type.MF: Layout(),
    Type.CNAME: _ONE_NAME,
    Type.SOA: Layout(names=2, rest=20, is_compressed=True),
    Type.MB: Layout(),
    Type.MG: Layout(),
    Type.MR: Layout(),
    Type.PTR: _ONE_NAME,
    Type.MINFO: Layout(names=2),
    Type.MX: Layout(prefix=2, is_compressed=True),
    Type.RP: Layout(names=2),
    Type.AFSDB: Layout(prefix=2),
    Type.RT: Layout(prefix=2),
    Type.SIG: Layout(prefix=18, rest=-1),
    Type.PX: Layout(prefix=2, names=2),
    Type.NXT: Layout(rest=-1),
    Type.SRV: Layout(prefix=6),
    Type.NAPTR: Layout(prefix=4, strings=3),
    Type.KX: Layout(prefix=2),
    Type.DNAME: Layout(),
    Type.SVCB: Layout(prefix=2, rest=-1),
    Type.HTTPS: Layout(prefix=2, rest=-1),
    Type.ALIAS: Layout(),
}

# RFC 1035 3.4.1, RFC 3596 2.2
_FIXED_OCTETS: dict[int, int] = {Type.A: 4, Type.AAAA: 16}


def read_rdata(data: bytes, start: int, length: int, type_: int) -> bytes:
    """The RDATA at ``start``, names decompressed.  SyntaxProblem where it does not fill
    ``length`` octets exactly or breaks the shape of its type."""
    end = start + length
    if end > len(data):
        raise SyntaxProblem("RDATA runs past the end of the message")
    layout = LAYOUTS.get(type_)
    if layout is None:
        rdata = data[start:end]
        _check_plain(type_, rdata)
        return rdata
    position = _after_strings(data, start + layout.prefix, end, layout.strings)
    parts = [data[start:position]]
    for _ in range(layout.names):
        name, position = read_name(data, position)
        if position > end:
            raise SyntaxProblem("a name runs past the end of its RDATA")
        parts.append(name)
    if layout.rest >= 0 and end - position != layout.rest:
        raise SyntaxProblem("RDATA has the wrong length")
    parts.append(data[position:end])
    return b"".join(parts)


def check_rdata(type_: int, rdata: bytes) -> None:
    """SyntaxProblem unless ``rdata``, uncompressed, has the shape of its type."""
    layout = LAYOUTS.get(type_)
    if len(rdata) > 0xFFFF:
        raise SyntaxProblem("RDATA is longer than 65535 octets")
    if layout is None:
        _check_plain(type_, rdata)
        return
    if read_rdata(rdata, 0, len(rdata), type_) != rdata:
        raise SyntaxProblem("compression has no place here")
    for name in rdata_names(type_, rdata):
        check_name(name)


def _check_plain(type_: int, rdata: bytes) -> None:
    wanted = _FIXED_OCTETS.get(type_)
    if wanted is not None and len(rdata) != wanted:
        raise SyntaxProblem("an address has the wrong length")
    if type_ == Type.TXT:
        # RFC 1035 3.3.14: one string or more.
        if not rdata:
            raise SyntaxProblem("TXT without a string")
        position = 0
        while position < len(rdata):
            position += 1 + rdata[position]
        if position != len(rdata):
            raise SyntaxProblem("a string runs past the end of its RDATA")


def _after_strings(data: bytes, start: int, end: int, count: int) -> int:
    position = start
    for _ in range(count):
        if position >= end:
            raise SyntaxProblem("RDATA ends too early")
        position += 1 + data[position]
    if position > end:
        raise SyntaxProblem("RDATA ends too early")
    return position


def split_rdata(type_: int, rdata: bytes) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """Octets before the names, the names, octets after them; rdata is uncompressed."""
    layout = LAYOUTS.get(type_)
    if layout is None:
        return rdata, (), b""
    if layout is _ONE_NAME:
        return b"", (rdata,), b""
    start = _after_strings(rdata, layout.prefix, len(rdata), layout.strings)
    position = start
    names = []
    for _ in range(layout.names):
        name, position = read_name(rdata, position)
        names.append(name)
    return rdata[:start], tuple(names), rdata[position:]


def rdata_names(type_: int, rdata: bytes) -> tuple[bytes, ...]:
    """The names inside uncompressed RDATA."""
    return split_rdata(type_, rdata)[1]


def fold_rdata(type_: int, rdata: bytes) -> bytes:
    """Uncompressed RDATA with its names in lower case: equal where two records say the
    same (RFC 4343, RFC 4034 6.2)."""
    if type_ not in LAYOUTS:
        return rdata
    before, names, after = split_rdata(type_, rdata)
    return b"".join((before, *map(fold, names), after))


# --- the types that the server itself reads or makes --------------------------------


@frozen
class SOA:
    """The fields of a SOA record; times in seconds (RFC 1035 3.3.13)."""

    mname: bytes
    rname: bytes
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int

    @classmethod
    def parse(cls, rdata: bytes) -> SOA:
        """SyntaxProblem."""
        check_rdata(Type.SOA, rdata)
        _, (mname, rname), numbers = split_rdata(Type.SOA, rdata)
        return cls(mname, rname, *_SERIALS.unpack(numbers))

    def encode(self) -> bytes:
        """The RDATA."""
        return (
            self.mname
            + self.rname
            + _SERIALS.pack(
                self.serial, self.refresh, self.retry, self.expire, self.minimum
            )
        )


def address_rdata(address: str) -> tuple[int, bytes]:
    """A or AAAA, and the RDATA, of an address in text form.  ValueError."""
    parsed = ipaddress.ip_address(address)
    return int(Type.A if parsed.version == 4 else Type.AAAA), parsed.packed


def txt_rdata(text: bytes) -> bytes:
    """TXT RDATA of one text, in strings of at most 255 octets (RFC 1035 3.3)."""
    pieces = [text[i : i + 255] for i in range(0, len(text), 255)] or [b""]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces)


def mx_rdata(preference: int, exchange: bytes) -> bytes:
    """MX RDATA."""
    return _SHORT.pack(preference) + exchange
