"""Response rate limiting: a server whose answers are worth nothing as a weapon.

Theory.  Who forges the source of many questions wants many answers sent to somebody
else.  Resolvers remember answers, so nobody honest needs the same one again and again.
Replies are counted by the network that they go to and by their account (the name that
was asked for, or the zone where there is no end of such names; see ``reply``).  Each
such pair may have ``rate`` replies a second, up to a second's worth at once; more runs
it into debt, and while it has any, nothing goes out but every ``slip``-th reply as an
empty one with TC.  Somebody real who shares the network sees that one and comes back
over TCP, which cannot be forged, or with the cookie that was in it.  Debt grows with
what is asked, not with what is sent, up to ``window`` seconds' worth: a flood keeps
itself out.

A pair is one number, the time at which its debt is paid.  Pairs live in two
generations, the younger of which becomes the elder when it is full: what is busy moves
on, what is not is forgotten, and no step costs more than another.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from attrs import frozen

from netservices.core.networks import address_octets, network_text
from netservices.dns.policy import Client
from netservices.dns.rules import AccessList
from netservices.dns.wire import codes
from netservices.dns.wire.edns import OPT
from netservices.dns.wire.names import skip_name
from netservices.dns.wire.query import HEADER_OCTETS

_COUNTS = struct.Struct(">HHHH")
_FIXED = struct.Struct(">HHIH")
_IPV6 = 1 << 128
_SLACK = 1e-6
_LONG_AGO = float("-inf")
# What a network gets, of any account; no folded name, and no letter of ``reply``.
EVERYTHING = b"*"
_REMEMBERED_NETWORKS = 16384


@frozen
class Rates:
    """How much one network gets, replies a second; 0: no limit."""

    each: int
    """Of one account."""
    all: int = 0
    """Of all accounts together."""
    slip: int = 2
    """Every which of the replies over the rate goes out with TC; 0: none."""
    window_seconds: float = 15.0
    """How much debt there may be, and so how long after a flood it lasts."""
    ipv4_bits: int = 24
    ipv6_bits: int = 56
    table_entries: int = 100_000
    """Pairs of network and account that are remembered."""
    is_log_only: bool = False
    """Whether everything goes out all the same."""


@frozen
class Limited:
    """That replies are held back: told at the first of them, then once a window."""

    network: str
    """As ``192.0.2.0/24``."""
    account: bytes
    """What they are replies to; see ``reply``."""
    replies: int
    """How many since this was told last."""


class RateLimit:
    """Lets a reply pass, holds it back, or puts an empty one with TC in its place."""

    def __init__(
        self,
        rates: Rates,
        exempt: Iterable[str],
        seconds: Callable[[], float],
        tell: Callable[[Limited], None],
    ) -> None:
        """``exempt`` is an access list of networks in which nothing is limited;
        ``seconds`` a clock."""
        self.rates = rates
        self.dropped = 0
        """Replies that were not sent; in log-only mode, that would not have been."""
        self.slipped = 0
        """Replies in whose place an empty one with TC was sent, or would have been."""
        self._exempt = AccessList(exempt)
        self._seconds = seconds
        self._tell = tell
        self._networks: dict[str, int] = {}
        self._young: dict[tuple[int, bytes], float] = {}
        self._old: dict[tuple[int, bytes], float] = {}
        self._in_debt: dict[tuple[int, bytes], _Debt] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def limiter(self) -> Callable[[str, bytes, bytes], bytes | None]:
        """``(client's address, account, reply) -> reply``, or silence."""
        rates, seconds, find = self.rates, self._seconds, self._networks.get
        interval = 1.0 / rates.each if rates.each else 0.0
        interval_of_all = 1.0 / rates.all if rates.all else 0.0

        def limit(address: str, account: bytes, reply: bytes) -> bytes | None:
            network = find(address)
            if network is None:
                network = self._find_network(address)
            if not network:
                return reply
            now = seconds()
            key = network, account
            if interval and self._owes(key, interval, now):
                return self._hold(key, address, now, reply)
            if interval_of_all:
                key = network, EVERYTHING
                if self._owes(key, interval_of_all, now):
                    return self._hold(key, address, now, reply)
            return reply

        return limit

    def _owes(self, key: tuple[int, bytes], interval: float, now: float) -> bool:
        """Charge a reply; whether it is over the rate."""
        young = self._young
        paid = young.get(key)
        if paid is None:
            paid = self._old.get(key, _LONG_AGO)
            if len(young) * 2 >= self.rates.table_entries:
                self._old, self._young = young, {}
                young = self._young
        earliest = now - 1.0
        paid = (paid if paid > earliest else earliest) + interval
        if paid <= now + _SLACK:
            young[key] = paid
            return False
        latest = now + self.rates.window_seconds
        young[key] = paid if paid < latest else latest
        return True

    def _find_network(self, address: str) -> int:
        """A number for the network of an address; 0 where nothing is limited."""
        octets = address_octets(address)
        network = 0
        if octets and not self._exempt.allows(Client(address)):
            number = int.from_bytes(octets, "big")
            if len(octets) == 4:
                network = (number >> 32 - self.rates.ipv4_bits) + 1
            else:
                network = _IPV6 | number >> 128 - self.rates.ipv6_bits
        if len(self._networks) >= _REMEMBERED_NETWORKS:
            self._networks.clear()
        self._networks[address] = network
        return network

    def _hold(
        self, key: tuple[int, bytes], address: str, now: float, reply: bytes
    ) -> bytes | None:
        """What goes out in place of a reply that is over the rate."""
        debt = self._in_debt.get(key)
        if debt is None:
            if len(self._in_debt) >= self.rates.table_entries:
                self._in_debt.clear()
            debt = self._in_debt[key] = _Debt()
        debt.replies += 1
        debt.untold += 1
        if debt.told_at is None or now - debt.told_at >= self.rates.window_seconds:
            debt.told_at = now
            self._tell(Limited(self._text(address), key[1], debt.untold))
            debt.untold = 0
        slip = self.rates.slip
        # An error has nothing that could be asked for again over TCP.
        is_error = reply[3] & 15 not in (0, codes.Rcode.NXDOMAIN)
        if slip and not is_error and debt.replies % slip == 0:
            self.slipped += 1
            return reply if self.rates.is_log_only else truncated(reply)
        self.dropped += 1
        return reply if self.rates.is_log_only else None

    def _text(self, address: str) -> str:
        bits = self.rates.ipv6_bits if ":" in address else self.rates.ipv4_bits
        return network_text(address, bits)


class _Debt:
    """What was held back of one account, for one network."""

    __slots__ = ("replies", "told_at", "untold")

    def __init__(self) -> None:
        self.replies = 0
        self.untold = 0
        self.told_at: float | None = None


def truncated(reply: bytes) -> bytes:
    """A reply of ours without its records, but with question and OPT, and TC."""
    questions, *counts = _COUNTS.unpack_from(reply, 4)
    position = HEADER_OCTETS
    for _ in range(questions):
        position = skip_name(reply, position) + 4
    end = position
    opt = b""
    for _ in range(sum(counts)):
        start = position
        position = skip_name(reply, position)
        type_, _, _, length = _FIXED.unpack_from(reply, position)
        position += _FIXED.size + length
        if type_ == OPT:
            opt = reply[start:position]
    head = reply[:2] + bytes((reply[2] | codes.TC >> 8,)) + reply[3:4]
    return head + _COUNTS.pack(questions, 0, 0, bool(opt)) + reply[12:end] + opt
