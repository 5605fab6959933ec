"""What a person reads at the terminal: what runs where, and what to try first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netservices.config import Configuration
from netservices.endpoint import Endpoint


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


def first_words(
    configuration: Configuration,
    listening: Iterable[tuple[str, str, str, int]],
    login: str,
    password: str,
) -> str:
    """What the first start says: where everything listens, the login, three commands
    to try.

    ``password`` is empty where the account exists already.
    """
    listening = list(listening)
    rows = [
        (protocol, address_text(address, port) if port else address, endpoint)
        for protocol, endpoint, address, port in listening
    ]
    lines = ["", f"netservices on {configuration.hostname} is ready.", ""]
    if rows:
        lines += table([("PROTOCOL", "ADDRESS", "ENDPOINT"), *rows])
    if password:
        lines += [
            "",
            f"  login     {login}",
            f"  password  {password}    (shown this once)",
        ]
    tries = list(_tries(configuration, listening, login))
    if tries:
        lines += ["", "Try:", *(f"  {command}" for command in tries)]
    return "\n".join([*lines, ""])


def _tries(
    configuration: Configuration,
    listening: Sequence[tuple[str, str, str, int]],
    login: str,
) -> Iterable[str]:
    """At most three commands that show that it works."""
    ports = {
        (protocol, endpoint.partition(":")[0]): (address, port)
        for protocol, endpoint, address, port in reversed(listening)
        if port
    }
    name = login.partition("@")[0]
    if found := ports.get(("ftp", "tcp")):
        host = _reachable(found[0])
        yield f"lftp -u {name} -p {found[1]} {host}"
        yield f"curl -T README.md ftp://{name}@{host}:{found[1]}/"
    if found := ports.get(("dns", "udp")):
        host = _reachable(found[0], "127.0.0.1")
        yield f"dig @{host} -p {found[1]} {configuration.hostname} SOA"


def _reachable(address: str, loopback: str = "localhost") -> str:
    """An address at which a client on this machine finds the listener."""
    if address in ("::", "0.0.0.0", "*", ""):
        return loopback
    return f"[{address}]" if ":" in address else address
