"""Options of the process itself: the ``[server]`` and ``[log]`` tables of the
configuration."""

from __future__ import annotations

import re
from ipaddress import ip_address

from netservices.core.settings import Duration, Size, setting, settings


def check_hostname(text: str) -> None:
    """ValueError where ``text`` can be no host name (RFC 1123 2.1)."""
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    name = text.lower().removesuffix(".")
    if name and (len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name)):
        raise ValueError("a host name such as mail.example.org is wanted")


def _check_interface(text: str) -> None:
    try:
        ip_address(text.strip("[]").partition("%")[0] or "::")
    except ValueError:
        raise ValueError("an IP address such as 192.0.2.1 or ::1 is wanted") from None


@settings
class ServerSettings:
    """The process: its name, its state directory, its sockets, and how it stops."""

    hostname: str = setting(
        "",
        "The name by which this server goes; empty: the host's own name.  The first"
        " start makes a domain of it.",
        check=check_hostname,
    )
    state: str = setting(
        "",
        "Directory of everything that is kept; empty: $STATE_DIRECTORY (systemd), else"
        " /var/lib/netservices for root, else $XDG_STATE_HOME/netservices.",
    )
    interface: str = setting(
        "",
        "Address on which endpoints listen that name none; empty: all addresses, IPv6"
        " and IPv4.",
        check=_check_interface,
    )
    port_offset: int = setting(
        0,
        "Added to the port of every default endpoint, so that ports below 1024 are not"
        " needed.",
        minimum=0,
        maximum=64000,
    )
    drain_deadline: Duration = setting(
        "30s",
        "How long a stop waits for transfers and sessions to finish before it cuts"
        " them.",
        minimum=0,
    )
    backlog: int = setting(
        1024,
        "Connections that the kernel holds for a listener until they are accepted.",
        minimum=1,
        maximum=65535,
    )
    max_connections: int = setting(
        20000,
        "Connections at once on one listener; further ones are closed at once.",
        minimum=1,
    )
    datagram_buffer: Size = setting(
        "4M", "Receive buffer asked of the kernel for a UDP socket.", minimum=4096
    )
    datagrams_a_wake: int = setting(
        128,
        "Datagrams answered in one turn before other sockets get theirs.",
        minimum=1,
        maximum=4096,
    )
    watchdog: bool = setting(
        True,
        "Report to systemd's watchdog, where the unit has one: a process that hangs is"
        " restarted.",
    )
    control_clients: int = setting(
        16, "Connections at once on the control socket.", minimum=1, maximum=1024
    )
    control_patience: Duration = setting(
        "60s", "How long a silent client may hold the control socket.", minimum=1
    )


@settings
class LogSettings:
    """Two streams: the log, for people, and the events, for machines."""

    level: str = setting(
        "info",
        "The least important messages that are shown.",
        choices=("debug", "info", "warn", "error", "critical"),
    )
    trace: bool = setting(
        False,
        "Show each protocol's conversation as C: and S: lines, secrets masked.",
    )
    events: str = setting(
        "log/events.jsonl",
        "File of events, one JSON object a line, below the state directory unless"
        " absolute; reopened at SIGHUP; empty: none.",
    )
    events_delay: Duration = setting(
        "500ms",
        "How long events may wait in memory before they are written.",
        minimum=0.01,
        maximum=60,
    )
    events_waiting: int = setting(
        20000,
        "Events held in memory while the disk is slow; further ones are counted and"
        " dropped.",
        minimum=1,
    )
    connections: bool = setting(
        False, "Record an event for each connection that opens and closes."
    )
