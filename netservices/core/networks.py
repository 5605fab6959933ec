"""Which network an address is in, as a short key for counting.

An IPv6 customer is given a /64 or a /56 and may use every address of it; an IPv4
attacker often has a handful of neighbours.  So failures and sessions are counted by
network as well as by address.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """The IP address that ``text`` is, or None (the path of a UNIX socket).

    A zone (``%eth0``) is dropped, and an IPv4 address mapped into IPv6 is the IPv4
    address.
    """
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def address_octets(text: str) -> bytes:
    """The 4 or 16 octets of an address; empty where ``text`` is none.  Quicker than to
    parse it."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return socket.inet_pton(family, text.partition("%")[0])
    except OSError:
        return b""


def network_text(address: str, bits: int) -> str:
    """The network of an address, as ``192.0.2.0/24``; the address where it is none."""
    found = parse_address(address)
    return address if found is None else str(ip_network((found, bits), strict=False))


def parse_networks(written: Iterable[str]) -> tuple[Network, ...]:
    """The networks that a list such as ``["127.0.0.0/8", "::1"]`` names.  ValueError
    names the bad one."""
    found = []
    for text in written:
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            raise ValueError(
                f"{text!r} is not a network such as 192.0.2.0/24"
            ) from None
    return tuple(found)


def is_loopback(text: str) -> bool:
    """Whether a peer is on this machine: 127.0.0.0/8, ::1 or a UNIX socket."""
    found = parse_address(text)
    return found is None or found.is_loopback


class Networks:
    """Maps the text of an address to its network's key, with a memory of the last
    ones."""

    def __init__(
        self,
        ipv4_bits: int,
        ipv6_bits: int,
        exempt: tuple[Network, ...] = (),
        remembered: int = 4096,
    ) -> None:
        self._bits = {4: ipv4_bits, 6: ipv6_bits}
        self._exempt = exempt
        # Parsing costs 3 us; the peers of the moment are few.
        self._look_up = lru_cache(maxsize=remembered)(self._find)

    def key_of(self, address: str) -> str:
        """``192.0.2.0/24``; an address that is none is its own network."""
        return self._look_up(address)[0]

    def is_exempt(self, address: str) -> bool:
        """Whether the operator said that nothing is counted there."""
        return self._look_up(address)[1]

    def _find(self, text: str) -> tuple[str, bool]:
        found = parse_address(text)
        if found is None:
            return text, False
        network = ip_network((found, self._bits[found.version]), strict=False)
        is_exempt = any(
            found.version == exempt.version and found in exempt
            for exempt in self._exempt
        )
        return str(network), is_exempt
