"""Host and port of a data connection: PORT, PASV (RFC 959), EPRT, EPSV (RFC 2428)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from attrs import frozen

from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.wire.replies import Reply

_SIX_NUMBERS = re.compile(rb"(\d{1,3})" + rb",(\d{1,3})" * 5)
_PORT_DIGITS = re.compile(rb"\d{1,5}\Z")
_EPSV_REPLY = re.compile(r"\(([!-~])\1\1(\d{1,5})\1\)")

FAMILY_VERSIONS = {b"1": 4, b"2": 6}
"""Address family numbers of RFC 2428 2 and the IP versions that they mean."""


@frozen
class HostPort:
    """An IP address as text, and a TCP port."""

    host: str
    port: int

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.host else 4


@lru_cache(maxsize=1024)
def normal_address(text: str) -> str:
    """The canonical text of an IP address; an IPv4-mapped one as IPv4, no scope.

    Raises ``ValueError``.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def parse_port(argument: bytes) -> HostPort:
    """``h1,h2,h3,h4,p1,p2`` of PORT (RFC 959 5.3.2).  SyntaxProblem."""
    match = _SIX_NUMBERS.fullmatch(argument.strip())
    if match is None:
        raise SyntaxProblem("PORT takes six numbers")
    return _from_six([int(number) for number in match.groups()])


def _from_six(numbers: list[int]) -> HostPort:
    if max(numbers) > 255:
        raise SyntaxProblem("a number of PORT is above 255")
    port = numbers[4] * 256 + numbers[5]
    if port == 0:
        raise SyntaxProblem("port 0")
    return HostPort(".".join(map(str, numbers[:4])), port)


def format_port(target: HostPort) -> str:
    """The argument of PORT, and what a 227 reply holds between its parentheses."""
    octets = target.host.split(".")
    return ",".join((*octets, str(target.port >> 8), str(target.port & 255)))


def parse_eprt(argument: bytes, version: int = 0) -> HostPort:
    """``|family|address|port|`` of EPRT (RFC 2428 2).

    Refused where the family is unknown, or another than the IP ``version`` where that
    is given; SyntaxProblem for anything else that is wrong.
    """
    argument = argument.strip()
    delimiter = argument[:1]
    if not b"!" <= delimiter <= b"~" or argument.count(delimiter) != 4:
        raise SyntaxProblem("EPRT takes |family|address|port|")
    before, family, address, port, after = argument.split(delimiter)
    if before or after or not family.isdigit():
        raise SyntaxProblem("EPRT takes |family|address|port|")
    found = FAMILY_VERSIONS.get(family)
    if found is None or (version and found != version):
        raise Refused("EPRT of an address family that cannot be used")
    return HostPort(_address(address, found), _port(port))


def _address(octets: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(octets.decode("ascii"))
    except ValueError:
        reply = Reply(501, "Neither your own nor a foreign address")
        raise SyntaxProblem("EPRT without an IP address", reply) from None
    if address.version != version or getattr(address, "scope_id", None):
        raise SyntaxProblem("EPRT of an address of another family")
    return normal_address(str(address))


def _port(octets: bytes) -> int:
    if not _PORT_DIGITS.match(octets) or not 1 <= int(octets) <= 65535:
        raise SyntaxProblem("not a TCP port")
    return int(octets)


def format_eprt(target: HostPort) -> str:
    """The argument of EPRT."""
    family = "2" if target.version == 6 else "1"
    return f"|{family}|{target.host}|{target.port}|"


def parse_epsv_argument(argument: bytes) -> int | str | None:
    """The IP version that EPSV asks for, ``"ALL"``, or None where it leaves it open.

    Refused where the family is unknown, SyntaxProblem where it is no number.
    """
    word = argument.strip().upper()
    if not word:
        return None
    if word == b"ALL":
        return "ALL"
    if not word.isdigit():
        raise SyntaxProblem("EPSV takes a family number or ALL")
    if word not in FAMILY_VERSIONS:
        raise Refused("EPSV of an unknown address family")
    return FAMILY_VERSIONS[word]


def format_pasv(listening: HostPort) -> str:
    """The text of a 227 reply."""
    return f"Entering Passive Mode ({format_port(listening)})."


def format_epsv(port: int) -> str:
    """The text of a 229 reply (RFC 2428 3)."""
    return f"Entering Extended Passive Mode (|||{port}|)"


def parse_pasv_reply(text: str) -> HostPort:
    """Where a 227 reply says that the server listens.  SyntaxProblem."""
    # RFC 1123 4.1.2.6: the parentheses need not be there; look for the digits.
    match = _SIX_NUMBERS.search(text.encode("ascii", "replace"))
    if match is None:
        raise SyntaxProblem("no address in a 227 reply")
    return _from_six([int(number) for number in match.groups()])


def parse_epsv_reply(text: str) -> int:
    """The port of a 229 reply.  SyntaxProblem."""
    match = _EPSV_REPLY.search(text)
    if match is None:
        raise SyntaxProblem("no port in a 229 reply")
    return _port(match[2].encode("ascii"))
