"""Configurations for tests: from text, and with plugins made for the purpose."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from netservices.config.discovery import Found
from netservices.config.loading import CommandLine, Configuration, load
from netservices.core.settings import Duration, PortRange, Size, setting, settings
from netservices.plugin import ProtocolPlugin, Server


@settings
class EchoSettings:
    """Options of a protocol that exists in these tests only."""

    passive_ports: PortRange = setting("50000-50099", "Some ports.")
    patience: Duration = setting("30s", "Some time.", minimum=1, maximum=600)
    longest: Size = setting("64K", "Some size.", maximum=1 << 20)
    greeting: str = setting("hello", "Some words.")
    flavour: str = setting("sweet", "A choice.", choices=("sweet", "sour"))
    peers: tuple[str, ...] = setting([], "Some names.")
    waits: tuple[Duration, ...] = setting(["1m", "5m"], "Some times.")
    is_loud: bool = setting(False, "A switch.")
    factor: float = setting(1.5, "A number.", minimum=0)
    count: int = setting(3, "Another number.", minimum=1, maximum=9)
    note: str | None = setting(None, "Words or nothing.")


class Echo(Protocol):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


def make_echo(_settings: Any, _services: Any) -> Server:
    """A server that sends back what it gets."""
    return Server(
        stream=Factory.forProtocol(Echo), datagram=lambda data, address, local: data
    )


ECHO = ProtocolPlugin(
    name="echo",
    target="tests.house.configurations.make_echo",
    summary="Echo.",
    listen=("udp:7", "tcp:7"),
    settings="tests.house.configurations.EchoSettings",
)
PLAIN = ProtocolPlugin(
    name="plain",
    target="tests.house.configurations.make_echo",
    summary="Nothing to set.",
    listen=("udp:9",),
)
ECHO_FOUND = Found({"echo": ECHO, "plain": PLAIN}, ())


def load_text(
    text: str, *, found: Found | None = None, **arguments: Any
) -> Configuration:
    """The configuration of a file with that text, and of command-line arguments."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.toml")
        path.write_text(text, encoding="utf-8")
        return load(CommandLine(file=str(path), **arguments), found)
