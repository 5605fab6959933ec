"""What a person reads at the terminal: what runs where, and what to try first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netservices.config.endpoint import Endpoint
from netservices.config.loading import Configuration
from netservices.listen import Listening

if TYPE_CHECKING:
    from netservices.service.house import NetServices

_TRUSTING = "-e 'set ssl:verify-certificate no' "


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, in columns."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def what_would_run(configuration: Configuration) -> str:
    """The answer to ``--check``."""
    lines = [
        f"configuration  {configuration.file or '(none: defaults)'}",
        f"state          {configuration.state_directory}",
        f"host name      {configuration.hostname}",
        "",
    ]
    rows = [
        (protocol.plugin.name, where(endpoint), how(endpoint), str(endpoint))
        for protocol in configuration.enabled()
        for endpoint in protocol.endpoints
    ]
    if not rows:
        return "\n".join([*lines, "nothing would listen: no protocol is enabled"])
    header = ("PROTOCOL", "ADDRESS", "BY", "ENDPOINT")
    return "\n".join([*lines, *table([header, *rows])])


def where(endpoint: Endpoint) -> str:
    """The address of an endpoint that is not bound yet."""
    if endpoint.kind in ("unix", "systemd"):
        return endpoint.path
    if endpoint.fd is not None:
        return f"descriptor {endpoint.fd}"
    return address_text(endpoint.interface or "*", endpoint.port)


def how(endpoint: Endpoint) -> str:
    """Over what an endpoint is reached: TCP, TLS, UDP, UNIX, systemd."""
    return endpoint.kind if endpoint.kind == "systemd" else endpoint.kind.upper()


def address_text(address: str, port: int) -> str:
    """``address:port``, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ready_words(house: NetServices) -> str:
    """What a start says: where everything listens, the login of the first start, and
    commands to try."""
    configuration = house.configuration
    lines = ["", f"netservices on {configuration.hostname}", ""]
    # A wildcard is one row, although it is a socket for each family.
    rows = dict.fromkeys(
        (one.protocol, _address_of(one), one.endpoint.partition(":")[0].upper())
        for one in house.listening
    )
    if rows:
        lines += table([("PROTOCOL", "ADDRESS", "BY"), *rows])
    first = house.first_account
    if first is not None:
        lines += [
            "",
            f"  login     {first.login}",
            f"  password  {first.password}    (shown this once)",
        ]
    tries = list(_tries(configuration, house.listening))
    if tries:
        lines += ["", "Try:", *(f"  {command}" for command in tries)]
    return "\n".join([*lines, ""])


def _address_of(one: Listening) -> str:
    if not one.port:
        return one.address
    if one.address in ("0.0.0.0", "::"):
        return f"*:{one.port}"
    return address_text(one.address, one.port)


def _tries(
    configuration: Configuration, listening: Sequence[Listening]
) -> Iterable[str]:
    """Commands that show that it works."""
    found = {
        (one.protocol, one.endpoint.partition(":")[0]): one
        for one in listening
        if one.port
    }
    if ftp := found.get(("ftp", "tcp")):
        at = address_text(_reachable(ftp.address), ftp.port)
        # lftp refuses a certificate that it cannot verify, also where TLS is optional.
        trust = "" if configuration.tls.certificates else _TRUSTING
        yield f"lftp {trust}-u admin ftp://{at}"
        yield f"curl -u admin ftp://{at}/"
    if http := found.get(("http", "tcp")):
        yield f"curl http://{address_text(_reachable(http.address), http.port)}/"
    if dns := found.get(("dns", "udp")):
        host = _reachable(dns.address)
        yield f"dig @{host} -p {dns.port} {configuration.hostname} SOA"


def _reachable(address: str) -> str:
    """An address at which a client on this machine finds the listener."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
