"""Commands about zones, against a server that runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

from netservices.dns.wire.message import Message
from tests.cli.bench import CommandTestCase
from tests.dns.authority import question
from tests.house.twistd import SECONDS, Running, environment

ZONE = """\
$TTL 1h
@      SOA ns1 hostmaster 2026112100 2h 30m 2w 15m
       NS  ns1
ns1    A   127.0.0.1
www    A   192.0.2.80
bücher CNAME www
sub    NS  ns.sub
ns.sub A   127.0.0.1
"""


class LifeTests(CommandTestCase):
    """A server with the zone ``example.net``, and a state directory beside it."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write(ZONE)
        self.command("zone", "import", "example.net", self.path)
        self.ours = self.state
        options = ["--dns", "--interface", "127.0.0.1"]
        options += ["--dns-listen", "udp:0", "--dns-listen", "tcp:0"]
        options += ["--set", "dns.allow_transfer=loopback"]
        self.server = Running(self.ours, *options)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    def act(self, state: str, *words: str) -> Any:
        """What a command of its own process says with ``--json``."""
        result = subprocess.run(
            [sys.executable, "-m", "netservices.cli", "--state", state, *words],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual("", result.stderr)
        return json.loads(result.stdout)

    def port(self, kind: str) -> int:
        """Where the server listens."""
        return self.server.port("dns", "tcp" if kind == "tcp" else "")

    def test_explained(self) -> None:
        """The running server explains as the store alone does."""
        words = ("zone", "explain", "bücher.example.net", "A", "--json")
        running = self.act(self.ours, *words)
        super().setUp()
        self.command("zone", "import", "example.net", self.path)

        self.assertEqual(self.act(self.state, *words), running)
        self.assertEqual("NOERROR", running["rcode"])

    def test_taken_over(self) -> None:
        """A zone is taken over from a server by AXFR; RFC 5936."""
        super().setUp()
        peer = f"127.0.0.1@{self.port('tcp')}"
        words = ("zone", "import", "example.net", "--from", peer, "--json")
        row = self.act(self.state, *words)

        self.assertEqual(("created", 7), (row["action"], row["records"]))
        history = self.act(self.state, "zone", "history", "example.net", "--json")
        self.assertTrue(history[0]["who"].endswith(f"from {peer}"), history)

    def test_lame(self) -> None:
        """Servers that are no authority for what is delegated to them are found, and
        those that are not."""
        port = str(self.port(""))
        words = ("zone", "check", "example.net", "--online", "--port", port, "--json")
        found = {(row["code"], row["name"]) for row in self.act(self.ours, *words)}

        self.assertEqual({("lame", "sub.example.net.")}, found)

    def test_seen(self) -> None:
        """What was asked is counted, and connections are listed and ended."""
        query = question("www.example.net.", "A")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(SECONDS)
            udp.sendto(query, ("127.0.0.1", self.port("")))
            self.assertEqual(1, len(Message.parse(udp.recv(512)).answer))
        with socket.create_connection(("127.0.0.1", self.port("tcp"))) as tcp:
            tcp.settimeout(SECONDS)
            tcp.sendall(len(query).to_bytes(2, "big") + query)
            self.assertNotEqual(b"", tcp.recv(512))
            (row,) = self.act(self.ours, "zone", "top", "--json")
            sessions = self.act(self.ours, "session", "list", "--json")
            zones = self.act(self.ours, "zone", "top", "--zones", "--json")
            subprocess.run(
                [
                    *(sys.executable, "-m", "netservices.cli", "--state", self.ours),
                    *("session", "end", sessions[0]["session"]),
                ],
                env=environment(),
                check=True,
                capture_output=True,
            )
            self.assertEqual(b"", self.rest(tcp))

        self.assertEqual(("www.example.net.", 2), (row["name"], row["queries"]))
        self.assertEqual(
            [("dns", "127.0.0.1")],
            [(one["protocol"], one["address"]) for one in sessions],
        )
        self.assertEqual([{"zone": "example.net.", "queries": 2}], zones)

    def rest(self, connection: socket.socket) -> bytes:
        """What comes until the end."""
        try:
            return connection.recv(512)
        except ConnectionResetError:
            return b""
