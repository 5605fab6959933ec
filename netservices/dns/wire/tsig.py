"""TSIG (RFC 8945): keys, the record that signs a message, and what is digested.

The record is the last one of a message.  Its MAC covers the message without it, with
the ID that its sender gave it; so a server that forwards a request may give it a new
one.  ``signing`` has the two sides of an exchange.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from functools import lru_cache

from attrs import field, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Class, Rcode, Type, rcode_name
from netservices.dns.wire.names import fold, name_text, parse_name, read_name, skip_name

FUDGE_SECONDS = 300
"""How far two clocks may be apart; RFC 8945 10 recommends it."""

_COUNTS = struct.Struct(">HHHH")
_FIXED = struct.Struct(">HHIH")
_TIME_AND_SIZE = struct.Struct(">HIHH")
_TAIL = struct.Struct(">HHH")
_ERROR_AND_SIZE = struct.Struct(">HH")
_SIZE = struct.Struct(">H")
_TIMERS = struct.Struct(">HIH")
_HEADER_OCTETS = 12
_ADDITIONAL_AT = 10
_MIN_MAC_OCTETS = 10
_MAX_TIME = (1 << 48) - 1


@frozen
class Key:
    """A secret that two servers share, or a server and somebody who updates it."""

    name: bytes
    """Folded."""
    algorithm: bytes
    """Folded name of the algorithm, as ``hmac-sha256.``; RFC 8945 6."""
    secret: bytes = field(repr=False)
    account: str = ""
    """The login of the account that uses it and whose rights it has too; empty:
    nobody's."""
    account_id: int = 0
    """The account's number in the store: the next account of that name is another."""


@frozen
class Algorithm:
    """A keyed hash; RFC 8945 6."""

    name: bytes
    """What the record calls it, folded."""
    digest: str
    """What ``hmac`` calls it."""
    full_octets: int
    """The longest MAC that there can be; RFC 8945 5.2.2.1."""
    octets: int
    """The length of the MACs that we send, and the shortest that we take."""

    def mac(self, secret: bytes, octets: bytes) -> bytes:
        """The keyed hash, cut to its length."""
        return hmac.digest(secret, octets, self.digest)[: self.octets]


def _algorithm(text: str, digest: str, full: int, octets: int = 0) -> Algorithm:
    return Algorithm(parse_name(text), digest, full, octets or full)


ALGORITHMS: dict[str, Algorithm] = {
    "hmac-md5": _algorithm("hmac-md5.sig-alg.reg.int", "md5", 16),
    "hmac-sha1": _algorithm("hmac-sha1", "sha1", 20),
    # RFC 8945 6: 12 octets of SHA-1 should be there; they have no name of their own.
    "hmac-sha1-96": _algorithm("hmac-sha1", "sha1", 20, 12),
    "hmac-sha224": _algorithm("hmac-sha224", "sha224", 28),
    "hmac-sha256": _algorithm("hmac-sha256", "sha256", 32),
    "hmac-sha256-128": _algorithm("hmac-sha256-128", "sha256", 16),
    "hmac-sha384": _algorithm("hmac-sha384", "sha384", 48),
    "hmac-sha384-192": _algorithm("hmac-sha384-192", "sha384", 24),
    "hmac-sha512": _algorithm("hmac-sha512", "sha512", 64),
    "hmac-sha512-256": _algorithm("hmac-sha512-256", "sha512", 32),
}
"""By the name that people use."""

_BY_NAME: dict[bytes, Algorithm] = {
    **{parse_name(text): found for text, found in ALGORITHMS.items()},
    **{found.name: found for found in reversed(ALGORITHMS.values())},
}
_FULL_BY_DIGEST = {
    digest: ALGORITHMS[f"hmac-{digest}"]
    for digest in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}


@lru_cache(maxsize=64)
def find_algorithm(name: bytes) -> Algorithm | None:
    """The algorithm of that folded name, as in ``Key.algorithm``; None: not known, or
    not offered by the libraries of this machine."""
    found = _BY_NAME.get(name)
    if found is not None:
        try:
            hashlib.new(found.digest)
        except ValueError:
            return None
    return found


def algorithm_text(name: bytes) -> str:
    """What people call the algorithm of that folded name."""
    for text, found in ALGORITHMS.items():
        if name in (found.name, parse_name(text)):
            return text
    return name_text(name).removesuffix(".")


def accepted_algorithm(key: Key, name: bytes) -> Algorithm | None:
    """How a MAC is checked that says to be of algorithm ``name``; None: not with this
    key.

    RFC 8945 10: a key has one algorithm.  The truncated ones have two names: of their
    own, and that of the full hash beside a shorter MAC.
    """
    own = find_algorithm(key.algorithm)
    if own is None:
        return None
    full = _FULL_BY_DIGEST[own.digest]
    if name == own.name:
        return own
    if name == full.name:
        return Algorithm(full.name, own.digest, full.full_octets, own.octets)
    return None


class TSIGProblem(SyntaxProblem):
    """A signature is missing or wrong; ``error`` is the TSIG error (RFC 8945 3), or
    FORMERR."""

    def __init__(self, log_text: str, error: int, server_time: int = 0) -> None:
        super().__init__(f"{log_text} ({error_name(error)})")
        self.error = error
        self.server_time = server_time
        """With BADTIME: what the other side takes the time to be, in seconds."""


def error_name(error: int) -> str:
    """``BADSIG``: 16 has another name outside of TSIG."""
    return "BADSIG" if error == Rcode.BADSIG else rcode_name(error)


@frozen
class TSIG:
    """The record; RFC 8945 4.2."""

    name: bytes
    """The key's, as it was sent."""
    algorithm: bytes
    """Folded."""
    time: int
    """Seconds since 1970."""
    fudge: int
    mac: bytes
    original_id: int
    error: int = 0
    other: bytes = b""

    @classmethod
    def parse(cls, data: bytes, start: int) -> TSIG:
        """The record at ``start``, which ends the message.  SyntaxProblem."""
        name, position = read_name(data, start)
        if position + _FIXED.size > len(data):
            raise SyntaxProblem("TSIG is cut short")
        type_, class_, ttl, length = _FIXED.unpack_from(data, position)
        position += _FIXED.size
        end = position + length
        # RFC 8945 4.2
        if type_ != Type.TSIG or class_ != Class.ANY or ttl or end != len(data):
            raise SyntaxProblem("a malformed TSIG")
        algorithm, position = read_name(data, position)
        if position + _TIME_AND_SIZE.size > end:
            raise SyntaxProblem("TSIG is cut short")
        high, low, fudge, size = _TIME_AND_SIZE.unpack_from(data, position)
        position += _TIME_AND_SIZE.size
        mac = data[position : position + size]
        position += size
        if position + _TAIL.size > end:
            raise SyntaxProblem("TSIG is cut short")
        original_id, error, other_size = _TAIL.unpack_from(data, position)
        position += _TAIL.size
        if position + other_size != end:
            raise SyntaxProblem("a malformed TSIG")
        other = data[position:end]
        time = high << 32 | low
        return cls(name, fold(algorithm), time, fudge, mac, original_id, error, other)

    def encode(self) -> bytes:
        """The whole record."""
        rdata = b"".join(
            (
                self.algorithm,
                self.timers(),
                _SIZE.pack(len(self.mac)),
                self.mac,
                _TAIL.pack(self.original_id, self.error, len(self.other)),
                self.other,
            )
        )
        return self.name + _FIXED.pack(Type.TSIG, Class.ANY, 0, len(rdata)) + rdata

    def timers(self) -> bytes:
        """What is digested of later messages of a stream; RFC 8945 5.3.1."""
        return _TIMERS.pack(self.time >> 32, self.time & 0xFFFFFFFF, self.fudge)

    def variables(self) -> bytes:
        """What is digested beside the message; RFC 8945 4.3.3."""
        return b"".join(
            (
                fold(self.name),
                b"\0\xff\0\0\0\0",
                self.algorithm,
                self.timers(),
                _ERROR_AND_SIZE.pack(self.error, len(self.other)),
                self.other,
            )
        )

    def is_timely(self, now: float) -> bool:
        """Whether ``now``, in seconds since 1970, is near enough."""
        return abs(int(now) - self.time) <= self.fudge


def mac_prefix(mac: bytes) -> bytes:
    """An earlier MAC, as it is digested; RFC 8945 4.3.1."""
    return _SIZE.pack(len(mac)) + mac


def clock_time(now: float) -> int:
    """The time as the record has it."""
    return max(0, min(int(now), _MAX_TIME))


def find_tsig(data: bytes) -> int:
    """Where the TSIG record of a whole message begins; 0: there is none.

    RFC 8945 5.2: SyntaxProblem where it is not the last record of the additional
    section, and where the message cannot be read up to its end.
    """
    if len(data) < _HEADER_OCTETS:
        raise SyntaxProblem("shorter than a header")
    questions, answers, authorities, additional = _COUNTS.unpack_from(data, 4)
    position = _HEADER_OCTETS
    for _ in range(questions):
        position = skip_name(data, position) + 4
    last = answers + authorities + additional
    found = 0
    for number in range(1, last + 1):
        start = position
        position = skip_name(data, start) + 10
        if position > len(data):
            raise SyntaxProblem("a record is cut short")
        type_, _, _, length = _FIXED.unpack_from(data, position - 10)
        position += length
        if type_ == Type.TSIG:
            if number != last or not additional:
                raise SyntaxProblem("TSIG is not the last record")
            found = start
    if position != len(data):
        raise SyntaxProblem("the message does not end with its last record")
    return found


def strip_tsig(data: bytes, start: int) -> bytes:
    """The message without the TSIG record at ``start``; RFC 8945 4.3.2."""
    (additional,) = _SIZE.unpack_from(data, _ADDITIONAL_AT)
    counted = _SIZE.pack(additional - 1)
    return data[:_ADDITIONAL_AT] + counted + data[_HEADER_OCTETS:start]


def append_tsig(message: bytes, tsig: TSIG) -> bytes:
    """The message with that record at its end.  ValueError above 65535 octets."""
    (additional,) = _SIZE.unpack_from(message, _ADDITIONAL_AT)
    counted = _SIZE.pack(additional + 1)
    signed = message[:_ADDITIONAL_AT] + counted + message[_HEADER_OCTETS:]
    signed += tsig.encode()
    if len(signed) > 0xFFFF:
        raise ValueError("the message leaves no room for its signature")
    return signed


def with_id(message: bytes, id_: int) -> bytes:
    """The message with that ID."""
    return _SIZE.pack(id_) + message[2:]
