"""Reverse zones (RFC 1035 3.5, RFC 3596 2.5, RFC 2317) from forward records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import fold, is_below, labels, name_text, parse_name
from netservices.dns.wire.rdata import split_rdata
from netservices.dns.zonefile.changes import Key
from netservices.dns.zonefile.create import DEFAULT_TTL, REVERSE_TOPS
from netservices.values import RRset

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
MAX_ZONES = 16
_ADDRESSES = (Type.A, Type.AAAA)
_POINTING = (Type.MX, Type.NS, Type.SRV)
_V4_TOP, _V6_TOP = REVERSE_TOPS


def reverse_origins(network: Network) -> list[tuple[bytes, Network]]:
    """The zones for a network, each with its part of it: one at the boundary of an
    octet or nibble, several for what lies between two; a part of a /24 has one as
    RFC 2317 4 names it.  ValueError for more than ``MAX_ZONES``."""
    step = 8 if network.version == 4 else 4
    length = network.prefixlen
    if network.version == 4 and length > 24:
        if length == 32:
            return [(_name_of(network), network)]
        label = f"{network.network_address}".rpartition(".")[2] + f"/{length}"
        above = _name_of(network.supernet(new_prefix=24))
        return [(parse_name(label.replace(".", "\\."), above), network)]
    boundary = -(-length // step) * step
    if 1 << (boundary - length) > MAX_ZONES:
        raise ValueError(f"{network} takes more than {MAX_ZONES} zones")
    return [(_name_of(part), part) for part in network.subnets(new_prefix=boundary)]


def network_of(origin: bytes) -> Network | None:
    """The network of a reverse zone; None where the name is none of such a zone."""
    found = [label.decode("ascii", "replace") for label in labels(fold(origin))]
    try:
        if is_below(fold(origin), _V4_TOP):
            return _v4_network(found[:-2])
        if is_below(fold(origin), _V6_TOP):
            nibbles = "".join(reversed(found[:-2]))
            if any(len(nibble) != 1 for nibble in found[:-2]):
                return None
            number = int(nibbles.ljust(32, "0"), 16)
            return IPv6Network((number, 4 * len(nibbles)))
    except ValueError:
        pass
    return None


def _v4_network(parts: list[str]) -> IPv4Network:
    """Of the labels before in-addr.arpa.  ValueError."""
    length = 8 * len(parts)
    if len(parts) == 4 and "/" in parts[0]:
        # RFC 2317 4
        parts[0], _, size = parts[0].partition("/")
        length = int(size)
    octets = [*reversed(parts), "0", "0", "0", "0"][:4]
    return IPv4Network(f"{'.'.join(octets)}/{length}")


def _name_of(network: Network) -> bytes:
    """The name of a network that ends at a boundary."""
    if network.version == 4:
        octets = str(network.network_address).split(".")[: network.prefixlen // 8]
        return parse_name(".".join(reversed(octets)), _V4_TOP) if octets else _V4_TOP
    digits = network.network_address.exploded.replace(":", "")
    nibbles = digits[: network.prefixlen // 4]
    return parse_name(".".join(reversed(nibbles)), _V6_TOP) if nibbles else _V6_TOP


def reverse_owner(address: Address, origin: bytes) -> bytes:
    """The name of an address in the reverse zone ``origin``, classless or not."""
    whole = _name_of(ip_network(address))
    if is_below(whole, fold(origin)):
        return whole
    last = str(address).rpartition(".")[2]
    return parse_name(last, origin)


def gather(
    zones: Iterable[tuple[bytes, Iterable[RRset]]],
) -> dict[Address, list[bytes]]:
    """Which names have which address, in zones of (name, RRsets).  Names that mail, NS
    or SRV records point to come first, as that is how a host calls itself; then those
    below a zone's own name; wildcards are no hosts."""
    found: dict[Address, set[bytes]] = {}
    pointed: set[bytes] = set()
    apexes = set()
    for apex, rrsets in zones:
        apexes.add(fold(apex))
        for rrset in rrsets:
            owner = fold(rrset.owner)
            if rrset.type in _POINTING:
                pointed |= {
                    fold(split_rdata(rrset.type, rdata)[1][-1])
                    for rdata in rrset.rdatas
                }
            elif rrset.type in _ADDRESSES and owner[:2] != b"\1*":
                for rdata in rrset.rdatas:
                    found.setdefault(ip_address(rdata), set()).add(owner)
    return {
        address: sorted(
            names,
            key=lambda name: (name not in pointed, name in apexes, len(name), name),
        )
        for address, names in found.items()
    }


def pointers(
    origin: bytes,
    network: Network,
    rrsets: Iterable[RRset],
    names: Mapping[Address, list[bytes]],
    forward: Iterable[bytes],
    has_all: bool = False,
) -> tuple[tuple[Key, ...], tuple[RRset, ...]]:
    """What has to go from the reverse zone and what has to be put, so that each
    address of ``network`` points to a name that has it, or to all of them.

    A pointer that is right stays as it is; one to a name outside the ``forward`` zones
    is nobody's business here.
    """
    apexes = [fold(apex) for apex in forward]
    known = {fold(r.owner): r for r in rrsets if r.type == Type.PTR}
    added: list[RRset] = []
    wanted: set[bytes] = set()
    for address, candidates in names.items():
        if address.version != network.version or address not in network:
            continue
        owner = reverse_owner(address, origin)
        wanted.add(fold(owner))
        old = known.get(fold(owner))
        targets = _targets(old, candidates, apexes, has_all)
        if old is None or {fold(t) for t in old.rdatas} != set(targets):
            ttl = DEFAULT_TTL if old is None else old.ttl
            added.append(RRset(owner, int(Type.PTR), ttl, tuple(targets)))
    removed = [
        (owner, int(Type.PTR))
        for owner, old in known.items()
        if owner not in wanted and _is_ours(old, apexes)
    ]
    return tuple(removed), tuple(added)


def _targets(
    old: RRset | None, candidates: list[bytes], apexes: list[bytes], has_all: bool
) -> list[bytes]:
    """What an address shall point to."""
    if has_all:
        return candidates
    if old is not None:
        kept = [fold(target) for target in old.rdatas]
        right = [target for target in kept if target in candidates]
        foreign = [t for t in kept if not any(is_below(t, apex) for apex in apexes)]
        if right or foreign:
            return right + foreign
    return candidates[:1]


def _is_ours(old: RRset, apexes: list[bytes]) -> bool:
    """Whether all that it points to is in the forward zones."""
    return all(
        any(is_below(fold(target), apex) for apex in apexes) for target in old.rdatas
    )


def delegation_lines(origin: bytes, network: Network) -> list[str]:
    """RFC 2317 4: what the zone of the /24 needs so that the classless zone is found,
    as lines of a master file."""
    if network.version != 4 or not 24 < network.prefixlen < 32:
        return []
    last = [
        int(str(address).rpartition(".")[2]) for address in (network[0], network[-1])
    ]
    target = name_text(origin)
    return [f"$GENERATE {last[0]}-{last[1]} $ CNAME $.{target}"]
