"""RDATA and TTLs between text and octets; dnspython knows the rarer types."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type, type_name, type_number
from netservices.dns.wire.names import ROOT, name_text, parse_name
from netservices.dns.wire.rdata import check_rdata, mx_rdata

MAX_TTL = 0x7FFFFFFF
"""RFC 2181 8."""

_TTL = re.compile(r"(?:\d+[wdhmsWDHMS])+|\d+")
_TTL_PART = re.compile(r"(\d+)([wdhms]?)")
_TTL_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_ESCAPE = re.compile(r"\\(\d\d\d|.)", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|(?:[^"\\]|\\.)+')
_NAME_TYPES = frozenset((Type.NS, Type.CNAME, Type.PTR, Type.DNAME, Type.ALIAS))


def is_ttl(word: str) -> bool:
    """Whether a word is a TTL: ``3600``, ``1h30m``."""
    return word[:1].isdigit() and _TTL.fullmatch(word) is not None


def parse_ttl(word: str) -> int:
    """Seconds of ``3600`` or ``1h30m``.  ValueError."""
    if not is_ttl(word) or not word.isascii():
        raise ValueError(f"{word!r} is no time to live")
    parts = _TTL_PART.findall(word.lower())
    seconds = sum(int(number) * _TTL_SECONDS[unit] for number, unit in parts)
    if seconds > MAX_TTL:
        raise ValueError(f"a time to live of {word} is longer than {MAX_TTL} seconds")
    return seconds


def parse_rdata(type_: int, words: Sequence[str], origin: bytes) -> bytes:
    """The RDATA that ``words`` write.  ValueError."""
    if not words and type_ != Type.APL:
        raise ValueError("the record's data is missing")
    rdata = _parse_common(type_, words, origin)
    if rdata is None:
        rdata = _parse_rare(type_, words, origin)
    try:
        check_rdata(type_, rdata)
    except SyntaxProblem as problem:
        raise ValueError(str(problem)) from None
    return rdata


def _parse_common(type_: int, words: Sequence[str], origin: bytes) -> bytes | None:
    """The types that make up nearly all of most zones; None for the others."""
    if words and words[0] == "\\#":
        return None
    if type_ == Type.TXT:
        return _parse_strings(words)
    if type_ == Type.HIDE:
        return _parse_hidden(words)
    if len(words) == 1:
        if type_ == Type.A:
            return _parse_address(socket.AF_INET, words[0])
        if type_ == Type.AAAA:
            return _parse_address(socket.AF_INET6, words[0])
        if type_ in _NAME_TYPES:
            return parse_name(words[0], origin)
    if type_ == Type.MX and len(words) == 2 and words[0].isdecimal():
        preference = int(words[0])
        if preference <= 0xFFFF:
            return mx_rdata(preference, parse_name(words[1], origin))
    return None


def _parse_hidden(words: Sequence[str]) -> bytes:
    """RDATA of HIDE: no octets for ``*``, else the numbers of the types."""
    if list(words) == ["*"]:
        return b""
    return b"".join(type_number(word).to_bytes(2, "big") for word in words)


def _hidden_text(rdata: bytes) -> str:
    types = [rdata[i : i + 2] for i in range(0, len(rdata), 2)]
    return " ".join(type_name(int.from_bytes(t, "big")) for t in types) or "*"


def _parse_address(family: int, word: str) -> bytes:
    try:
        return socket.inet_pton(family, word)
    except (OSError, ValueError):
        kind = "IPv4" if family == socket.AF_INET else "IPv6"
        raise ValueError(f"{word!r} is no {kind} address") from None


def _parse_strings(words: Sequence[str]) -> bytes:
    """RDATA of TXT: each word, quoted or not, is one string of at most 255 octets."""
    parts = []
    for word in words:
        if _STRING.fullmatch(word) is None:
            raise ValueError("a quote inside a string")
        octets = _string_octets(word[1:-1] if word[0] == '"' else word)
        if len(octets) > 255:
            raise ValueError(
                "a string of more than 255 octets; split it into several in quotes"
            )
        parts.append(bytes((len(octets),)) + octets)
    return b"".join(parts)


def _string_octets(text: str) -> bytes:
    """A string without its escapes (RFC 1035 5.1); text beyond ASCII goes as UTF-8."""
    if "\\" not in text:
        return text.encode("utf-8", "surrogateescape")
    parts = []
    position = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[position : match.start()].encode("utf-8", "surrogateescape"))
        position = match.end()
        escaped = match[1]
        if len(escaped) == 3:
            if int(escaped) > 255:
                raise ValueError(f"\\{escaped} is no octet")
            parts.append(bytes((int(escaped),)))
        else:
            parts.append(escaped.encode("utf-8", "surrogateescape"))
    parts.append(text[position:].encode("utf-8", "surrogateescape"))
    return b"".join(parts)


def _parse_rare(type_: int, words: Sequence[str], origin: bytes) -> bytes:
    """RDATA of any type by dnspython, the form of RFC 3597 5 included."""
    above, _ = dns.name.from_wire(origin, 0)
    try:
        # Whatever dnspython raises for strange words, it is the words that are wrong.
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            _rdatatype(type_),
            " ".join(words),
            above,
            relativize=False,
        )
        return rdata.to_wire() or b""
    except dns.exception.DNSException as error:
        raise ValueError(f"{type_name(type_)}: {error}") from None
    except (ValueError, LookupError, TypeError, AssertionError, OSError) as error:
        raise ValueError(f"{type_name(type_)}: {error}") from None


def _rdatatype(type_: int) -> dns.rdatatype.RdataType:
    return dns.rdatatype.RdataType.make(type_)


def rdata_text(type_: int, rdata: bytes) -> str:
    """RDATA as text that ``parse_rdata`` reads back, names absolute."""
    if type_ == Type.A and len(rdata) == 4:
        return socket.inet_ntop(socket.AF_INET, rdata)
    if type_ in _NAME_TYPES:
        return name_text(rdata)
    if type_ == Type.HIDE and len(rdata) % 2 == 0:
        return _hidden_text(rdata)
    try:
        found = dns.rdata.from_wire(
            dns.rdataclass.IN, _rdatatype(type_), rdata, 0, len(rdata)
        )
        text = found.to_text()
        if parse_rdata(type_, _split(text), ROOT) == rdata:
            return text
    except (dns.exception.DNSException, ValueError, LookupError):
        pass
    # RFC 3597 5: any RDATA can be written in hexadecimal.
    return f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def _split(text: str) -> list[str]:
    return re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^\s"\\]|\\.)+', text)
