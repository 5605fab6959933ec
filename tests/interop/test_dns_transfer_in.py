"""Zones that come from named, nsd and knotd."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.house.twistd import environment
from tests.interop.dns_primaries import (
    KEY,
    ORIGIN,
    PRIMARIES,
    SECRET,
    ConsumingKnot,
    ConsumingNamed,
    FollowingKnot,
    Named,
    Primary,
    ProducingKnot,
    look_up,
    zone_text,
)
from tests.interop.dns_programs import free_port, short_place, wait_until
from tests.tls.authority import Authority

FIRST = zone_text(1, "www A 192.0.2.1", "*.wild TXT one", "sub NS ns.sub")
SECOND = zone_text(2, "www A 192.0.2.2", "*.wild TXT two", "new A 192.0.2.9")


class TransferTestCase(SynchronousTestCase):
    """Our server in a process of its own, and a primary beside it."""

    def setUp(self) -> None:
        self.port = free_port()
        self.settings: dict[str, Any] = {
            "dns.retry_at_least": "1s",
            "dns.refresh_at_least": "1s",
        }

    def files(self, *contents: bytes) -> list[str]:
        """Files with these contents."""
        place = short_place()
        self.addCleanup(shutil.rmtree, place)
        for number, content in enumerate(contents):
            (place / str(number)).write_bytes(content)
        return [str(place / str(number)) for number in range(len(contents))]

    def serve(self) -> Any:
        """Start our server."""
        endpoints = [
            f"{kind}:{self.port}:interface=127.0.0.1" for kind in ("udp", "tcp")
        ]
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        settings = {"dns.listen": endpoints, **self.settings}
        self.server = stack.enter_context(running_process(dns=True, settings=settings))
        return self.server

    def primary(self, program: str, text: str = FIRST, **options: Any) -> Any:
        """Start a primary that notifies us."""
        primary = PRIMARIES[program](short_place(), self.port, text, **options)
        self.addCleanup(primary.stop)
        return primary

    def run_command(
        self, *words: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The outcome of ``netservices WORDS``."""
        command = [sys.executable, "-m", "netservices.cli"]
        return subprocess.run(
            [*command, "--state", self.server.state_directory, *words],
            input=given,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def command(self, *words: str, given: str = "") -> str:
        """What a command that works prints."""
        done = self.run_command(*words, given=given)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def refusal(self, *words: str) -> str:
        """The message of a command that fails."""
        done = self.run_command(*words)
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        return done.stderr

    def follow(self, primary: Primary, *words: str, **fields: str) -> Any:
        """Make our server a secondary of it; what the first transfer was."""
        port = primary.tls_port or primary.port
        peer = " ".join([f"127.0.0.1@{port}", *(f"{k}={v}" for k, v in fields.items())])
        text = self.command("zone", "secondary", primary.origin, peer, *words, "--json")
        return json.loads(text)

    def gets(self, *data: str, name: str = f"www.{ORIGIN}", rdtype: str = "A") -> None:
        """Wait until our server answers so."""
        wait_until(
            lambda: look_up(self.port, name, rdtype) == data,
            f"{name} never became {data}, it is {look_up(self.port, name, rdtype)}",
        )

    def journal(self) -> list[Any]:
        """The history of the zone."""
        return json.loads(self.command("zone", "history", ORIGIN, "--json"))


class PrimaryTests(TransferTestCase):
    """Each of them: AXFR first, then NOTIFY and what is new."""

    def check(self, program: str, **fields: str) -> Any:
        """The whole life of a zone."""
        primary = self.primary(program, key=fields.get("key", ""))
        self.serve()
        if fields:
            self.command("key", "add", KEY, "--secret-stdin", given=SECRET)
        row = self.follow(primary, **fields)
        self.assertEqual(1, row["serial"])
        self.gets("192.0.2.1")
        self.assertEqual(('"one"',), look_up(self.port, f"x.wild.{ORIGIN}", "TXT"))
        primary.change(SECOND)
        self.gets("192.0.2.2")
        self.gets("NXDOMAIN", name=f"x.sub.{ORIGIN}")
        self.assertEqual(('"two"',), look_up(self.port, f"x.wild.{ORIGIN}", "TXT"))
        self.assertIn("secondary", self.command("zone", "list"))
        self.assertIn(
            "on its primary",
            self.refusal("zone", "record", "add", ORIGIN, "x A 192.0.2.1"),
        )
        return primary

    def test_named(self) -> None:
        """BIND."""
        self.check("named")

    def test_nsd(self) -> None:
        """NSD."""
        self.check("nsd")

    def test_knotd(self) -> None:
        """Knot DNS."""
        self.check("knotd")

    def test_signed(self) -> None:
        """Signed requests and transfers, signed notices."""
        for program in PRIMARIES:
            with self.subTest(program):
                self.setUp()
                self.check(program, key=KEY)
                self.doCleanups()

    def test_updates(self) -> None:
        """Dynamic updates at BIND come as differences, one step each."""
        named: Named = self.primary("named", takes_updates=True)
        self.serve()
        self.follow(named)
        for number in range(2, 8):
            named.update(
                f"update delete www.{ORIGIN} A",
                f"update add www.{ORIGIN} 60 A 192.0.2.{number}",
            )
        self.gets("192.0.2.7")
        steps = [(row["from"], row["to"]) for row in reversed(self.journal())]
        self.assertEqual((1, 2), steps[1])
        self.assertEqual(7, steps[-1][1])

    def test_tls(self) -> None:
        """Over TLS, where the certificate has to be for the name that we were told."""
        authority = Authority()
        for program in ("named", "nsd"):
            with self.subTest(program):
                self.setUp()
                chain, key = authority.issue("ns1.primary.test")
                files = self.files(chain, key, authority.certificate)
                primary = self.primary(program, tls=files[:2])
                self.settings["dns.primary_authorities"] = files[2]
                self.serve()
                row = self.follow(primary, tls="ns1.primary.test")
                self.assertEqual(1, row["serial"])
                self.gets("192.0.2.1")
                peer = f"127.0.0.1@{primary.tls_port} tls=other.test"
                message = self.refusal("zone", "secondary", ORIGIN, peer)
                self.assertIn("certificate", message)
                self.doCleanups()


class TroubleTests(TransferTestCase):
    """Primaries that refuse, go away, and come back."""

    def test_refused(self) -> None:
        """A primary that refuses is said to refuse; the zone is SERVFAIL."""
        primary = self.primary("named", key=KEY)
        self.serve()
        message = self.refusal("zone", "secondary", ORIGIN, f"127.0.0.1@{primary.port}")
        self.assertIn("REFUSED", message)
        self.assertEqual(("SERVFAIL",), look_up(self.port, ORIGIN, "SOA"))

    def test_restart(self) -> None:
        """A zone outlives its primary; what is new comes when that is back."""
        primary = self.primary("named")
        self.serve()
        self.follow(primary)
        primary.stop()
        self.assertIn("no connection", self.refusal("zone", "refresh", ORIGIN))
        self.gets("192.0.2.1")

    def test_chain(self) -> None:
        """From BIND through us to Knot DNS, first whole and then as it changes."""
        named: Named = self.primary(
            "named", zone_text(1, "www A 192.0.2.1", refresh=2), takes_updates=True
        )
        self.settings["dns.allow_transfer"] = ["127.0.0.1"]
        self.serve()
        self.follow(named)
        knotd = FollowingKnot(short_place(), self.port, "")
        self.addCleanup(knotd.stop)
        for number in (2, 3, 4):
            named.update(
                f"update delete www.{ORIGIN} A",
                f"update add www.{ORIGIN} 60 A 192.0.2.{number}",
            )
            self.gets(f"192.0.2.{number}")
            wait_until(
                lambda number=number: (
                    look_up(knotd.port, f"www.{ORIGIN}") == (f"192.0.2.{number}",)
                ),
                f"knotd does not follow {number}",
            )


class CatalogTests(TransferTestCase):
    """Catalogs of others, and ours for others."""

    def test_named_produces(self) -> None:
        """A catalog that BIND serves tells us which zones there are."""
        text = (
            "$TTL 0\n@ SOA . . 1 86400 3600 604800 60\n@ NS invalid.\n"
            f'version TXT "2"\na.zones PTR {ORIGIN}\n'
        )
        named: Named = self.primary("named", text, origin="catalog.test.", is_rich=True)
        self.serve()
        self.follow(named, "--catalog")
        self.gets("192.0.2.1")
        named.update("update delete a.zones.catalog.test. PTR")
        self.gets("REFUSED")

    def test_knotd_produces(self) -> None:
        """A catalog that Knot DNS generates from its configuration."""
        knotd = ProducingKnot(short_place(), self.port, FIRST)
        self.addCleanup(knotd.stop)
        self.serve()
        peer = f"127.0.0.1@{knotd.port}"
        # Knot DNS makes its catalog a moment after it answers for the other zone.
        self.run_command("zone", "secondary", "catalog.test", peer, "--catalog")
        wait_until(
            lambda: not self.run_command("zone", "refresh", "catalog.test").returncode,
            "knotd has not made its catalog",
        )
        self.gets("192.0.2.1")
        rows = json.loads(
            self.command("zone", "catalog", "list", "catalog.test", "--json")
        )
        self.assertEqual([(ORIGIN, ["gold"])], [(r["zone"], r["groups"]) for r in rows])

    def test_consumers(self) -> None:
        """BIND and Knot DNS follow a catalog of ours."""
        self.settings["dns.allow_transfer"] = ["127.0.0.1"]
        self.serve()
        path = self.files(FIRST.encode())[0]
        self.command("zone", "import", ORIGIN, path)
        self.command("zone", "catalog", "create", "catalog.test")
        self.command("zone", "catalog", "add", "catalog.test", ORIGIN)
        for kind in (ConsumingKnot, ConsumingNamed):
            with self.subTest(kind.__name__):
                consumer = kind(short_place(), self.port, "", origin="catalog.test.")
                self.addCleanup(consumer.stop)
                wait_until(
                    lambda consumer=consumer: (
                        look_up(consumer.port, f"www.{ORIGIN}") == ("192.0.2.1",)
                    ),
                    f"{consumer.program} does not follow the catalog",
                )
