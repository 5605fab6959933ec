"""A root, a registry and an organisation in one process: the example of the manual."""

from __future__ import annotations

import re
import shutil
import socket
from typing import Any

from twisted.trial.unittest import SkipTest

from netservices.dns.client.ask import make_query
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import fold
from netservices.dns.wire.rdata import address_rdata
from tests.house.twistd import ROOT
from tests.interop.test_manual import Terminal

EXAMPLE = ROOT / "examples" / "internet"
PAGE_PORT = "8053"
MOST_REFERRALS = 10


def free_port(addresses: list[str]) -> int:
    """A port that is free on all addresses, over UDP and TCP."""
    for _ in range(50):
        with socket.socket() as first:
            first.bind((addresses[0], 0))
            number: int = first.getsockname()[1]
        probes = [
            (socket.socket(socket.AF_INET, kind), address)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
            for address in addresses
        ]
        try:
            for probe, address in probes:
                probe.bind((address, number))
        except OSError:
            continue
        finally:
            for probe, _ in probes:
                probe.close()
        return number
    raise SkipTest("no free port")


class HierarchyTests(Terminal):
    """examples/internet/, as it is, but for the port."""

    def options(self) -> list[str]:
        text = (EXAMPLE / "netservices.toml").read_text()
        self.addresses = sorted(set(re.findall(r"interface=([\d.]+)", text)))
        self.port = free_port(self.addresses)
        path = self.directory / "internet.toml"
        path.write_text(text.replace(PAGE_PORT, str(self.port)))
        return ["--dns", "--config", str(path)]

    def bring_zones_in(self, *origins: str) -> None:
        """Import the zones of the example."""
        for origin in origins:
            file = "root" if origin == "." else origin
            command = f"zone import {origin} examples/internet/{file}.zone"
            printed, status = self.type(f"netservices {command}")
            self.assertEqual(0, status, printed)

    def register(self, child: str, server: str) -> None:
        """Register a delegation with the registry, as its registrar."""
        for command in (
            "key add registrar",
            "key grant key:registrar '*.test' NS,DS,A,AAAA",
            f"zone register {child} --ns {server} --key registrar "
            f"--server {self.addresses[1]}@{self.port}",
        ):
            printed, status = self.type(f"netservices {command}")
            self.assertEqual(0, status, printed)

    def test_page(self) -> None:
        """docs/hierarchy.md"""
        self.check_page("hierarchy.md")

    def ask(self, server: str, name: str, kind: int, type_: str = "A") -> Message:
        """What that server says, over UDP or TCP."""
        data = make_query(name, type_).encode()
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(10)
            connection.connect((server, self.port))
            if kind == socket.SOCK_DGRAM:
                connection.send(data)
                return Message.parse(connection.recv(4096))
            connection.sendall(len(data).to_bytes(2, "big") + data)
            with connection.makefile("rb") as stream:
                length = int.from_bytes(stream.read(2), "big")
                return Message.parse(stream.read(length))

    def walk(self, name: str, kind: int) -> tuple[list[str], Message]:
        """Follow referrals from the root; the servers asked, and the last answer."""
        server = self.addresses[0]
        asked: list[str] = []
        while len(asked) < MOST_REFERRALS:
            asked.append(server)
            reply = self.ask(server, name, kind)
            if reply.is_authoritative:
                return asked, reply
            names = {fold(r.rdata) for r in reply.authority if r.type == Type.NS}
            (server,) = (
                socket.inet_ntoa(record.rdata)
                for record in reply.additional
                if record.type == Type.A and fold(record.name) in names
            )
        raise AssertionError(f"a loop of referrals: {asked}")

    def test_walk(self) -> None:
        """Over UDP and TCP, referrals lead from the root to the organisation, and each
        server speaks of its own zone alone."""
        self.bring_zones_in(".", "test", "example.test")
        self.register("example.test", "ns.example.test=127.0.0.13")
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            asked, reply = self.walk("www.example.test", kind)
            self.assertEqual(self.addresses, asked)
            self.assertEqual(
                [address_rdata("192.0.2.80")[1]], [r.rdata for r in reply.answer]
            )
            asked, reply = self.walk("nobody.test", kind)
            self.assertEqual((self.addresses[:2], Rcode.NXDOMAIN), (asked, reply.rcode))
            asked, reply = self.walk("www.example.edu", kind)
            self.assertEqual((self.addresses[:1], Rcode.NXDOMAIN), (asked, reply.rcode))
            reply = self.ask(self.addresses[2], "ns.nic.test", kind)
            self.assertEqual(Rcode.REFUSED, reply.rcode)

    def test_another_judge(self) -> None:
        """dig finds each of the three to be the authority of its zone."""
        if shutil.which("dig") is None:
            raise SkipTest("dig is not installed")
        self.bring_zones_in(".", "test", "example.test")
        zones: dict[str, Any] = dict(
            zip(self.addresses, (".", "test.", "example.test."), strict=True)
        )
        for server, zone in zones.items():
            for other in zones.values():
                command = f"dig @{server} -p {self.port} {other} SOA +norec"
                printed, _ = self.type(command)
                is_theirs = "flags: qr aa;" in printed and "ANSWER: 1" in printed
                self.assertEqual(zone == other, is_theirs, (server, other, printed))
