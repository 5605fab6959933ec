"""Addresses in PASV that clients cannot reach, and how the operator hears of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.config.endpoint import parse_endpoint
from netservices.config.loading import CommandLine, load
from netservices.core.deferreds import as_deferred
from netservices.core.settings import PortRange
from netservices.ftp.server.active import ActivePorts
from netservices.ftp.server.connections import DataConnections
from netservices.ftp.server.dataport import SessionPort
from netservices.ftp.server.pace import Patience
from netservices.ftp.server.passive import PassivePorts
from netservices.ftp.server.reach import (
    advice,
    is_public,
    outward_address,
    unreachable,
)
from netservices.service.parts import check
from netservices.testing import running
from tests.ftp.memory import LOGIN, MemoryFTP
from tests.ftp.sockets import SETTINGS

PUBLIC, PRIVATE, CONTAINER = "8.8.8.8", "192.168.1.5", "172.17.0.2"


def warnings(case: Any) -> list[str]:
    """What the log says from now on."""
    seen: list[str] = []

    def look(event: dict[str, Any]) -> None:
        if event["log_level"].name == "warn":
            seen.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(look)
    case.addCleanup(globalLogPublisher.removeObserver, look)
    return seen


class SelfTestTests(SynchronousTestCase):
    """What is said about a configuration."""

    def complaints(self, *endpoints: str, masquerade: str = "", own: str = "") -> int:
        """How many lines."""
        parsed = [parse_endpoint(text) for text in endpoints]
        return len(unreachable(parsed, masquerade, own))

    def test_wildcard(self) -> None:
        """On all addresses of a container or a home network: one line, which names
        the address, and what to set."""
        endpoints = [parse_endpoint(text) for text in ("tcp:21", "tls:990")]
        (line,) = unreachable(endpoints, "", CONTAINER)
        self.assertIn(f"PASV would name {CONTAINER}", line)
        self.assertIn("ftp.masquerade_address", line)

    def test_public(self) -> None:
        """Nothing is wrong with a public address, our own or in masquerade."""
        self.assertEqual(0, self.complaints("tcp:21", own=PUBLIC))
        self.assertEqual(0, self.complaints("tcp:21", masquerade=PUBLIC, own=PRIVATE))
        self.assertEqual(0, self.complaints(f"tcp:21:interface={PUBLIC}", own=PRIVATE))

    def test_private_on_purpose(self) -> None:
        """Who listens on a private, loopback or IPv6 address only, means it."""
        for host in (PRIVATE, "127.0.0.1", "169.254.1.1", "[::1]", "[2001:db8::1]"):
            endpoint = f"tcp:21:interface={host}"
            self.assertEqual(0, self.complaints(endpoint, own=PRIVATE), host)
        self.assertEqual(0, self.complaints("unix:/run/ftp", own=PRIVATE))

    def test_private_masquerade(self) -> None:
        """A masquerade address that is private itself is the mistake to find."""
        for own in (PUBLIC, PRIVATE, ""):
            endpoint = parse_endpoint("tcp:21")
            (line,) = unreachable([endpoint], PRIVATE, own)
            self.assertIn(f"ftp.masquerade_address is {PRIVATE}", line)

    def test_no_way_out(self) -> None:
        """A machine without a way to the Internet has nothing to name."""
        self.assertEqual(0, self.complaints("tcp:21", own=""))

    def test_systemd(self) -> None:
        """What systemd listens on counts as all addresses."""
        self.assertEqual(1, self.complaints("systemd:ftp", own=PRIVATE))

    def test_own_address(self) -> None:
        """It is an address, or nothing."""
        own = outward_address()
        self.assertTrue(own == "" or own.count(".") == 3)

    @given(st.ip_addresses())
    def test_any_address(self, address: Any) -> None:
        """Each address is public or not."""
        mapped = getattr(address, "ipv4_mapped", None)
        self.assertEqual((mapped or address).is_global, is_public(str(address)))


class CheckTests(TestCase):
    """The same through ``--check`` and a start."""

    def line(self, **settings: object) -> CommandLine:
        """A command line with these settings of the FTP server."""
        state = self.mktemp()
        written = {"server.state": state, "server.hostname": "localhost"}
        for name, value in settings.items():
            written[f"ftp.{name}"] = str(value)
        return CommandLine(
            assignments=tuple(f"{key}={value}" for key, value in written.items()),
            protocols=("ftp",),
        )

    def test_check(self) -> None:
        """The line has the name of the protocol; rules by network are an answer."""
        from twisted.internet import reactor

        wrong = load(self.line(masquerade_address=PRIVATE))
        self.assertEqual([f"ftp: {advice(wrong.ftp, wrong)[0]}"], check(wrong, reactor))
        ruled = load(
            self.line(
                masquerade_address=PRIVATE,
                rules=f"0.0.0.0/0 masquerade_address={PUBLIC}",
            )
        )
        self.assertEqual([], check(ruled, reactor))

    @as_deferred
    async def test_start(self) -> None:
        """A server of the loopback interface only has nothing to say at its start."""
        said = warnings(self)
        settings = {
            **SETTINGS,
            "ftp.listen": ["tcp:0:interface=127.0.0.1"],
            "ftp.masquerade_address": PRIVATE,
        }
        server = await running(ftp=True, settings=settings)
        await server.stop()
        self.assertEqual([], [text for text in said if "masquerade" in text])


class ByNetworkTests(MemoryFTP, SynchronousTestCase):
    """Masquerade addresses by the network of the client."""

    peer = "10.1.2.3"
    allow_plaintext = "always"

    def test_inside_and_outside(self) -> None:
        """A client inside gets the inner address, all others the outer one."""
        from netservices.ftp.settings import FTPSettings

        rules = (
            "0.0.0.0/0 masquerade_address=203.0.113.7",
            "10.0.0.0/8 masquerade_address=10.0.0.1",
        )
        for address, said in (("10.1.2.3", "10,0,0,1"), ("8.8.4.4", "203,0,113,7")):
            self.peer = address
            self.settings = FTPSettings(rules=rules)
            self.assert_dialogue(
                LOGIN
                + f"""
                C: PASV
                S: 227 Entering Passive Mode ({said},195,80).
                C: EPSV
                S: 229 Entering Extended Passive Mode (|||50000|)
                """
            )


class AdvertisingTests(SynchronousTestCase):
    """What the server says of PASV replies that cannot work."""

    def port(self, peer: str) -> SessionPort:
        """A session of a client from there."""
        clock = Clock()
        self.shared = getattr(self, "shared", None) or DataConnections(
            clock,
            PassivePorts(clock, PortRange.parse("0"), 1, 1),
            ActivePorts(clock, "0", 30.0),
            Patience(300.0),
            4096,
            30.0,
            StringTransport,
        )
        return SessionPort(PRIVATE, peer, self.shared)

    def test_once(self) -> None:
        """A client from the Internet that is told a private address: one line."""
        said = warnings(self)
        self.port(PUBLIC).advertise(PRIVATE)
        self.port("8.8.4.4").advertise(PRIVATE)
        (line,) = said
        self.assertIn(PRIVATE, line)
        self.assertIn("ftp.masquerade_address", line)

    def test_nothing_wrong(self) -> None:
        """Neighbours may hear private addresses, all others public ones."""
        said = warnings(self)
        self.port("192.168.1.77").advertise(PRIVATE)
        self.port(PUBLIC).advertise("1.1.1.1")
        self.assertEqual([], said)
