"""BIND, NSD and Knot as secondaries of a server under test."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
from attrs import frozen

from tests.interop.dns_programs import SECONDS, Program, short_place
from tests.programs import located


@frozen
class Source:
    """Where a secondary gets its zones."""

    port: int
    key: str = ""
    """``name:secret`` of a key for hmac-sha256; empty: unsigned."""
    is_tls: bool = False
    authority: str = ""
    """A file with the certificate of a source with TLS."""


def bind_configuration(place: Path, port: int, zones: list[str], source: Source) -> str:
    """named.conf."""
    name, _, secret = source.key.partition(":")
    key = f"key {name}" if name else ""
    tls = "tls xot" if source.is_tls else ""
    text = (
        f'options {{ directory "{place}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; allow-transfer { any; };"
        f' session-keyfile "{place}/key"; notify no; }};\ncontrols {{ }};\n'
    )
    if source.is_tls:
        text += "tls xot { protocols { TLSv1.3; }; };\n"
    if name:
        text += f'key {name} {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
    return text + "".join(
        f'zone "{zone}" {{ type secondary; file "{place}/{zone}zone";'
        f" primaries {{ 127.0.0.1 port {source.port} {key} {tls}; }};"
        " allow-notify { 127.0.0.1; }; };\n"
        for zone in zones
    )


def nsd_configuration(place: Path, port: int, zones: list[str], source: Source) -> str:
    """nsd.conf."""
    name, _, secret = source.key.partition(":")
    bundle = f' tls-cert-bundle: "{source.authority}"\n' if source.is_tls else ""
    tls = " xot" if source.is_tls else ""
    text = (
        f'server:\n server-count: 1\n ip-address: 127.0.0.1@{port}\n username: ""\n'
        f' database: ""\n pidfile: "{place}/pid"\n xfrdfile: "{place}/xfrd"\n'
        f' xfrdir: "{place}"\n zonelistfile: "{place}/list"\n xfrd-reload-timeout: 0\n'
        f"{bundle}remote-control:\n control-enable: no\n"
    )
    if source.is_tls:
        text += 'tls-auth:\n name: "xot"\n auth-domain-name: "localhost"\n'
    if name:
        text += f'key:\n name: "{name}"\n algorithm: hmac-sha256\n secret: "{secret}"\n'
    word = name or "NOKEY"
    return text + "".join(
        f'zone:\n name: "{zone}"\n zonefile: "{place}/{zone}zone"\n'
        f" allow-notify: 127.0.0.1 {word}\n provide-xfr: 127.0.0.0/8 NOKEY\n"
        f" request-xfr: 127.0.0.1@{source.port} {word}{tls}\n"
        for zone in zones
    )


def knot_configuration(place: Path, port: int, zones: list[str], source: Source) -> str:
    """knot.conf."""
    name, _, secret = source.key.partition(":")
    key = f"   key: {name}\n" if name else ""
    text = (
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {place}\n  udp-workers: 1\n"
        f"  tcp-workers: 1\n  background-workers: 2\ndatabase:\n  storage: {place}\n"
    )
    if name:
        text += f"key:\n - id: {name}\n   algorithm: hmac-sha256\n   secret: {secret}\n"
    text += (
        f"remote:\n - id: primary\n   address: 127.0.0.1@{source.port}\n{key}"
        f"acl:\n - id: notify\n   address: 127.0.0.1\n   action: notify\n{key}"
        " - id: transfer\n   address: 127.0.0.1\n   action: transfer\nzone:\n"
    )
    return text + "".join(
        f" - domain: {zone}\n   file: {place}/{zone}zone\n   master: primary\n"
        "   acl: [notify, transfer]\n"
        for zone in zones
    )


PROGRAMS = {
    "named": bind_configuration,
    "nsd": nsd_configuration,
    "knotd": knot_configuration,
}


class ForeignSecondary:
    """A foreign server that has zones from the server under test."""

    def __init__(
        self, program: str, port: int, zones: list[str], source: Source
    ) -> None:
        self.place = short_place()
        self.name = program
        self.port = port
        text = PROGRAMS[program](self.place, port, zones, source)
        (self.place / "conf").write_text(text)
        self._running = Program(located(program), self.place)

    def serial(self, zone: str) -> int | None:
        """The serial that it serves; None where it does not serve the zone."""
        query = dns.message.make_query(zone, "SOA")
        try:
            reply = dns.query.udp(query, "127.0.0.1", 0.5, self.port)
        except (OSError, dns.exception.DNSException):
            return None
        if not reply.answer or reply.answer[0].rdtype != dns.rdatatype.SOA:
            return None
        serial: int = reply.answer[0][0].serial
        return serial

    def wait(self, zone: str, serial: int) -> float:
        """Until it serves that serial; how long that took, in seconds."""
        began = time.monotonic()
        while time.monotonic() < began + SECONDS:
            if self.serial(zone) == serial:
                return time.monotonic() - began
            time.sleep(0.01)
        raise AssertionError(
            f"{self.name} has serial {self.serial(zone)}, not {serial}:\n"
            f"{self._running.said()}"
        )

    def stop(self) -> None:
        """End it, and its children."""
        self._running.stop()
        shutil.rmtree(self.place)
