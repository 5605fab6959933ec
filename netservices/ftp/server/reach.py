"""Whether clients can reach the address that PASV names: the most frequent trouble of
FTP servers behind address translation and in containers."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from netservices.config.endpoint import Endpoint
from netservices.config.loading import Configuration
from netservices.core.networks import parse_address
from netservices.ftp.settings import FTPSettings

_FAR_AWAY = ("192.0.2.1", 9)
"""An address for examples, which no host has: the way to it is that to all others."""


def is_public(text: str) -> bool:
    """Whether ``text`` is an address that the whole Internet can reach."""
    address = parse_address(text)
    return address is not None and address.is_global


def outward_address() -> str:
    """Our IPv4 address on the way to the Internet; empty where there is no way.  No
    packet leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_FAR_AWAY)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def advice(settings: FTPSettings, configuration: Configuration) -> list[str]:
    """What is wrong with what PASV will say, a line each."""
    if any("masquerade_address=" in rule for rule in settings.rules):
        # The operator has said what holds for which network.
        return []
    endpoints = configuration.protocols["ftp"].endpoints
    return unreachable(endpoints, settings.masquerade_address, outward_address())


def unreachable(
    endpoints: Iterable[Endpoint], masquerade_address: str, own_address: str
) -> list[str]:
    """What is wrong with what PASV would say to clients of these endpoints, a line
    each.  ``own_address`` is that of clients from outside on a wildcard."""
    named = []
    for endpoint in endpoints:
        if endpoint.kind == "unix" or ":" in endpoint.interface:
            continue
        if endpoint.interface and not is_public(endpoint.interface):
            continue
        address = masquerade_address or endpoint.interface or own_address
        if address and not is_public(address):
            named.append(address)
    return [_complaint(address, masquerade_address) for address in dict.fromkeys(named)]


def _complaint(address: str, masquerade_address: str) -> str:
    cause = "ftp.masquerade_address is" if masquerade_address else "PASV would name"
    return (
        f"{cause} {address}, which clients outside this network cannot reach; set"
        " ftp.masquerade_address to the public IPv4 address, or listen on the"
        " addresses of this network only (server.interface)"
    )
