"""Foreign programs update a running server: nsupdate, knsupdate, and what certbot
does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
from twisted.trial.unittest import SynchronousTestCase

from tests.house.twistd import Running, environment
from tests.programs import located, run

ZONE = """\
$TTL 1h
@       SOA ns1 hostmaster 2026112100 2h 30m 2w 15m
        NS  ns1
ns1     A   192.0.2.53
www     A   192.0.2.80
"""
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


class UpdateTestCase(SynchronousTestCase):
    """A running server of ``example.org`` and its subdomain ``sub.example.org``."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        options = ["--dns", "--interface", "127.0.0.1", "--dns-listen", "udp:0"]
        options += ["--dns-listen", "tcp:0", *self.options]
        self.server = Running(str(self.directory / "state"), *options)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.ports = {kind: self.server.port("dns", kind) for kind in ("udp", "tcp")}
        zone = self.directory / "zone"
        zone.write_text(ZONE)
        self.command("zone", "import", "example.org", str(zone))

    def command(self, *words: str, given: str = "") -> str:
        """What ``netservices WORDS`` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "netservices.cli", *words],
            env=environment(NETSERVICES_STATE=self.server.state),
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def add_key(self, name: str, algorithm: str = "hmac-sha256") -> None:
        """A key with the secret of this test."""
        words = ("key", "add", name, "--algorithm", algorithm, "--secret-stdin")
        self.command(*words, given=SECRET)

    def script(self, kind: str, *lines: str) -> str:
        """What nsupdate and knsupdate read."""
        head = (f"server 127.0.0.1 {self.ports[kind]}", "zone example.org.")
        return "\n".join((*head, *lines, "send", ""))

    def ask(self, name: str, type_: str = "A") -> list[str]:
        """What the server answers."""
        query = dns.message.make_query(name, type_)
        reply = dns.query.udp(query, "127.0.0.1", 20, port=self.ports["udp"])
        return sorted(str(rdata) for rrset in reply.answer for rdata in rrset)


class ProgramTests(UpdateTestCase):
    """Updates by the tools of BIND and Knot."""

    options = ("--set", "dns.allow_md5_keys=true")

    def test_nsupdate(self) -> None:
        """nsupdate adds and deletes over UDP and TCP, with every algorithm; BIND calls
        the truncated ones by the name of the whole."""
        program = located("nsupdate")
        names = [f"hmac-{name}" for name in ALGORITHMS]
        names += ["hmac-sha1-96", "hmac-sha256-128", "hmac-sha512-256"]
        for number, algorithm in enumerate(names):
            with self.subTest(algorithm):
                key = f"k{number}.example"
                self.add_key(key, algorithm)
                self.command("key", "grant", f"key:{key}", "*.example.org")
                for option, kind in ((), "udp"), (("-v",), "tcp"):
                    self.check_nsupdate(program, option, kind, algorithm, key)

    def check_nsupdate(
        self, program: str, option: Any, kind: str, algorithm: str, key: str
    ) -> None:
        """One algorithm over one transport."""
        argument = f"{algorithm}:{key}:{SECRET}"
        x = "x.example.org"
        for needs, line, wanted in (
            (f"prereq nxdomain {x}", f"update add {x} 60 A 192.0.2.1", ["192.0.2.1"]),
            (f"prereq yxrrset {x} A", f"update delete {x}", []),
        ):
            script = self.script(kind, needs, line)
            run(program, *option, "-y", argument, script=script)
            self.assertEqual(wanted, self.ask(x))

    def test_refused(self) -> None:
        """What is refused says so: no right, no such key, prerequisites."""
        program = located("nsupdate")
        self.add_key("k")
        self.command("key", "grant", "key:k", "www.example.org", "A")
        for key, line, words in (
            ("k", "update add x.example.org 60 A 192.0.2.1", "REFUSED"),
            ("k", "prereq nxdomain www.example.org", "YXDOMAIN"),
            ("j", "update add www.example.org 60 A 192.0.2.1", "BADKEY"),
        ):
            script = self.script("tcp", line)
            argument = f"hmac-sha256:{key}:{SECRET}"
            with self.assertRaises(AssertionError) as caught:
                run(program, "-v", "-y", argument, script=script)
            self.assertIn(words, str(caught.exception))

    def test_knsupdate(self) -> None:
        """knsupdate does all of that too."""
        program = located("knsupdate")
        self.add_key("k")
        self.command("key", "grant", "key:k", "*.example.org")
        for option, kind in ((), "udp"), (("-v",), "tcp"):
            for line, wanted in (
                ("add x.example.org. 60 A 192.0.2.1", ["192.0.2.1"]),
                ("del x.example.org. A 192.0.2.1", []),
            ):
                script = self.script(kind, line)
                run(program, *option, "-y", f"hmac-sha256:k:{SECRET}", script=script)
                self.assertEqual(wanted, self.ask("x.example.org"))

    def test_history(self) -> None:
        """The history of the zone has the key, and a change can be taken back."""
        program = located("nsupdate")
        self.add_key("k")
        self.command("zone", "set", "example.org", "--allow-update", "key:k")
        script = self.script("tcp", "update add x.example.org 60 A 192.0.2.1")
        run(program, "-v", "-y", f"hmac-sha256:k:{SECRET}", script=script)
        self.assertIn("key:k", self.command("zone", "history", "example.org"))
        self.command("zone", "undo", "example.org", "2")
        self.assertEqual([], self.ask("x.example.org"))


class AcmeTests(UpdateTestCase):
    """An ACME client that answers challenges by DNS (RFC 8555 8.4)."""

    def setUp(self) -> None:
        super().setUp()
        self.add_key("certbot.")
        self.command("key", "grant", "key:certbot", "_acme-challenge.*", "TXT")
        self.keys = dns.tsigkeyring.from_text({"certbot.": SECRET})

    def update(self, name: str, verb: str, *words: Any) -> int:
        """The response code of an update, as certbot sends it."""
        update = dns.update.UpdateMessage(
            "example.org", keyring=self.keys, keyalgorithm=dns.tsig.HMAC_SHA256
        )
        relative = dns.name.from_text(name).relativize(
            dns.name.from_text("example.org.")
        )
        getattr(update, verb)(relative, *words)
        reply = dns.query.tcp(update, "127.0.0.1", 20, port=self.ports["tcp"])
        self.assertTrue(reply.had_tsig)
        return reply.rcode()

    def test_challenge(self) -> None:
        """The client finds the zone, puts its token for a name and its wildcard, and
        cleans up."""
        soa = dns.message.make_query("example.org", "SOA")
        soa.flags ^= dns.flags.RD
        reply = dns.query.udp(soa, "127.0.0.1", 20, port=self.ports["udp"])
        self.assertTrue(reply.flags & dns.flags.AA)
        name = "_acme-challenge.example.org."
        for token in ("one", "two"):
            self.assertEqual(0, self.update(name, "add", 120, "TXT", token))
        self.assertEqual(['"one"', '"two"'], self.ask(name, "TXT"))
        for token in ("one", "two"):
            self.assertEqual(0, self.update(name, "delete", "TXT", token))
        self.assertEqual([], self.ask(name, "TXT"))

    def test_nothing_else(self) -> None:
        """The key is good for nothing else."""
        refused = dns.rcode.REFUSED
        for name, verb, *words in (
            ("www.example.org.", "add", 120, "TXT", "x"),
            ("_acme-challenge.example.org.", "add", 120, "CNAME", "x."),
            ("x._acme-challenge.example.org.", "add", 120, "TXT", "x"),
            ("www.example.org.", "delete"),
            ("www.example.org.", "replace", 60, "A", "192.0.2.66"),
        ):
            self.assertEqual(refused, self.update(name, verb, *words), name)
        self.assertEqual(["192.0.2.80"], self.ask("www.example.org"))
