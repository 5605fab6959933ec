"""The two sides of a signed exchange (RFC 8945 5).

A server gives each signed request to ``check_request``.  What comes back says what to
tell a sender that is not to be believed, or has the message without its signature and
signs the replies.  A client makes a ``SignedRequest``, which signs the request and
checks the replies.  Every MAC after the first covers the one before it: the first reply
that of the request, the second message of a stream that of the first; so no message can
be moved to another exchange, taken out or put in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from attrs import evolve, frozen

from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.names import fold
from netservices.dns.wire.tsig import (
    FUDGE_SECONDS,
    TSIG,
    Algorithm,
    Key,
    TSIGProblem,
    accepted_algorithm,
    append_tsig,
    clock_time,
    find_algorithm,
    find_tsig,
    mac_prefix,
    strip_tsig,
    with_id,
)

MAX_UNSIGNED = 99
"""Messages of a stream between two signed ones; RFC 8945 5.3.1."""

_TC_AT = 2
_TC = 2
_RCODE_AT = 3
_TIME_OCTETS = 6


class ReplySigner:
    """Signs the messages that answer one request."""

    def __init__(self, key: Key, algorithm: Algorithm, request: TSIG) -> None:
        """``algorithm`` gives MACs at least as long as that of the request
        (RFC 8945 7)."""
        self._key = key
        self._algorithm = algorithm
        self._prior = mac_prefix(request.mac)
        self._is_first = True
        # RFC 8945 4.2: the ID is that of the original request.
        self._blank = evolve(request, mac=b"", error=0, other=b"", fudge=FUDGE_SECONDS)
        self.reserved_octets = len(self._blank.encode()) + algorithm.octets
        """What a message has to leave free for the signature."""

    def sign(self, message: bytes, now: float) -> bytes:
        """The next message with its signature.  ValueError above 65535 octets."""
        # RFC 8945 5.3: a truncated reply is just a question and a signature, NOERROR.
        if message[_TC_AT] & _TC:
            rcode = bytes((message[_RCODE_AT] & 0xF0,))
            message = message[:_RCODE_AT] + rcode + message[_RCODE_AT + 1 :]
        return self._sign(message, evolve(self._blank, time=clock_time(now)))

    def refuse(self, message: bytes, request: TSIG, error: int, now: float) -> bytes:
        """A reply that says BADTIME or BADTRUNC; RFC 8945 5.2.3, 5.2.4, 5.3.2."""
        if error != Rcode.BADTIME:
            tsig = evolve(self._blank, time=clock_time(now), error=error)
            return self._sign(message, tsig)
        other = clock_time(now).to_bytes(_TIME_OCTETS, "big")
        # The client's own time and fudge: it could not believe ours.
        tsig = evolve(self._blank, fudge=request.fudge, error=error, other=other)
        return self._sign(message, tsig)

    def _sign(self, message: bytes, tsig: TSIG) -> bytes:
        # RFC 8945 5.3.1: after the first message, only the timers are digested.
        variables = tsig.variables() if self._is_first else tsig.timers()
        octets = self._prior + with_id(message, tsig.original_id) + variables
        mac = self._algorithm.mac(self._key.secret, octets)
        self._prior, self._is_first = mac_prefix(mac), False
        return append_tsig(message, evolve(tsig, mac=mac))


@frozen
class Believed:
    """A request whose signature is right."""

    message: bytes
    """Without the signature."""
    key: Key
    signer: ReplySigner
    mac: bytes


@frozen
class Doubted:
    """A request that gets NOTAUTH."""

    message: bytes
    request: TSIG
    error: int
    """BADKEY, BADSIG, BADTIME or BADTRUNC."""
    signer: ReplySigner | None = None
    """None: the reply is not signed; RFC 8945 5.3.2."""

    def sign(self, reply: bytes, now: float) -> bytes:
        """The reply, with the record that says what is wrong."""
        if self.signer is not None:
            return self.signer.refuse(reply, self.request, self.error, now)
        tsig = evolve(self.request, mac=b"", error=self.error, other=b"")
        return append_tsig(reply, tsig)


def check_request(
    data: bytes, start: int, keys: Mapping[bytes, Key], now: float
) -> Believed | Doubted:
    """What to make of a request whose TSIG begins at ``start``.  SyntaxProblem where
    the record cannot be interpreted: FORMERR, with no TSIG (RFC 8945 5.2).

    ``keys`` are by folded name; ``now`` is in seconds since 1970.
    """
    tsig = TSIG.parse(data, start)
    message = strip_tsig(data, start)
    # RFC 8945 5.2: the key, the MAC, the time, the truncation, in this order.
    key = keys.get(fold(tsig.name))
    algorithm = accepted_algorithm(key, tsig.algorithm) if key is not None else None
    if key is None or algorithm is None:
        return Doubted(message, tsig, Rcode.BADKEY)
    _check_mac_size(tsig, algorithm)
    octets = with_id(message, tsig.original_id) + tsig.variables()
    if not _is_mac_right(tsig, algorithm, key, octets):
        return Doubted(message, tsig, Rcode.BADSIG)
    reply = evolve(algorithm, octets=max(len(tsig.mac), algorithm.octets))
    signer = ReplySigner(key, reply, tsig)
    # Not RFC 8945 5.2.3: an earlier time than that of the request before is taken, as
    # datagrams overtake each other and clocks differ; updates are remembered instead.
    if not tsig.is_timely(now):
        return Doubted(message, tsig, Rcode.BADTIME, signer)
    if len(tsig.mac) < algorithm.octets:
        return Doubted(message, tsig, Rcode.BADTRUNC, signer)
    return Believed(message, key, signer, tsig.mac)


def _check_mac_size(tsig: TSIG, algorithm: Algorithm) -> None:
    """RFC 8945 5.2.2.1: neither longer than the hash nor shorter than half of it."""
    shortest = max(10, algorithm.full_octets // 2)
    if not shortest <= len(tsig.mac) <= algorithm.full_octets:
        raise TSIGProblem("a MAC of a length that there is not", Rcode.FORMERR)


def _is_mac_right(tsig: TSIG, algorithm: Algorithm, key: Key, octets: bytes) -> bool:
    whole = hmac.digest(key.secret, octets, algorithm.digest)
    return hmac.compare_digest(whole[: len(tsig.mac)], tsig.mac)


class SignedRequest:
    """A request that we sign, and the check of what answers it."""

    def __init__(self, key: Key, fudge: int = FUDGE_SECONDS) -> None:
        """ValueError for a key whose algorithm is not known."""
        algorithm = find_algorithm(key.algorithm)
        if algorithm is None:
            raise ValueError("the algorithm of the key is not known")
        self.key = key
        self._algorithm = algorithm
        self._fudge = fudge
        self._id = 0
        self._digest = hmac.new(b"", digestmod="sha256")
        self._is_first = True
        self.unsigned = 0
        """Messages since the last signed one: not to be believed yet."""

    def sign(self, message: bytes, now: float) -> bytes:
        """The request with its signature.  ValueError above 65535 octets."""
        self._id = int.from_bytes(message[:2], "big")
        time, name = clock_time(now), self._algorithm.name
        tsig = TSIG(self.key.name, name, time, self._fudge, b"", self._id)
        mac = self._algorithm.mac(self.key.secret, message + tsig.variables())
        self._begin(mac)
        self._is_first = True
        return append_tsig(message, evolve(tsig, mac=mac))

    def check(self, data: bytes, now: float) -> bytes:
        """The next message that answers, without its signature.

        A later message of a stream may be unsigned: it is right when the next signed
        one is.  TSIGProblem, and SyntaxProblem where there is no message at all: over
        UDP, wait for another one (RFC 8945 5.4); of a stream, believe nothing.
        """
        start = find_tsig(data)
        if not start:
            return self._take_unsigned(data)
        tsig = TSIG.parse(data, start)
        message = strip_tsig(data, start)
        self._check_record(tsig)
        variables = tsig.variables() if self._is_first else tsig.timers()
        digest = self._digest.copy()
        digest.update(with_id(message, tsig.original_id) + variables)
        if not hmac.compare_digest(digest.digest()[: len(tsig.mac)], tsig.mac):
            raise TSIGProblem("the signature of the reply is wrong", Rcode.BADSIG)
        if tsig.error:
            self._complain(tsig)
        if not tsig.is_timely(now):
            raise TSIGProblem("the clocks are too far apart", Rcode.BADTIME, tsig.time)
        # RFC 8945 7: a reply is no weaker than the request.
        if len(tsig.mac) < self._algorithm.octets:
            raise TSIGProblem("the signature is too short", Rcode.BADTRUNC)
        self._begin(tsig.mac)
        self._is_first, self.unsigned = False, 0
        return message

    def finish(self) -> None:
        """The stream has ended.  TSIGProblem where its last message, or all of them,
        had no signature."""
        if self._is_first or self.unsigned:
            raise TSIGProblem("the last message is not signed", Rcode.FORMERR)

    def _begin(self, mac: bytes) -> None:
        """The next digest begins with this MAC."""
        self._digest = hmac.new(
            self.key.secret, mac_prefix(mac), self._algorithm.digest
        )

    def _take_unsigned(self, data: bytes) -> bytes:
        if self._is_first:
            raise TSIGProblem("the reply is not signed", Rcode.FORMERR)
        self.unsigned += 1
        if self.unsigned > MAX_UNSIGNED:
            raise TSIGProblem("too many messages without signature", Rcode.FORMERR)
        self._digest.update(data)
        return data

    def _check_record(self, tsig: TSIG) -> None:
        """Whether the record is about our request at all; and what the server says
        that could not believe it."""
        # RFC 8945 5.3.2: errors of key and MAC come without a signature.
        if not tsig.mac and tsig.error:
            self._complain(tsig)
        if fold(tsig.name) != self.key.name:
            raise TSIGProblem("the reply is signed with another key", Rcode.BADKEY)
        algorithm = accepted_algorithm(self.key, tsig.algorithm)
        if algorithm is None:
            raise TSIGProblem("the reply has another algorithm", Rcode.BADKEY)
        _check_mac_size(tsig, algorithm)
        # RFC 8945 4.2: the ID that the request had.
        if tsig.original_id != self._id:
            raise TSIGProblem("the reply is to another request", Rcode.BADSIG)

    @staticmethod
    def _complain(tsig: TSIG) -> None:
        other = tsig.other if tsig.error == Rcode.BADTIME else b""
        time = int.from_bytes(other, "big") if len(other) == _TIME_OCTETS else 0
        raise TSIGProblem("the server does not believe the request", tsig.error, time)
