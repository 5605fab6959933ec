"""BIND, NSD and Knot as secondaries of ours: they are told of every change and take it,
and have the same zone in the end.  dig, kdig and drill take zones by hand."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.backend.keys import KEYS, make_key
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import mx_rdata, txt_rdata
from netservices.dns.zonefile import with_serial, write_zone
from netservices.testing import running
from netservices.units import Unit, UpdateZone
from netservices.values import RRset, Zone
from tests.dns.authority import EXAMPLE
from tests.interop.dns_programs import free_port
from tests.interop.dns_secondaries import PROGRAMS, ForeignSecondary, Source
from tests.programs import located, run

ORIGIN = "example.com."
APEX = parse_name(ORIGIN)
SECRET = base64.b64encode(b"thirty-two octets of a secret...").decode()
CHANGES = 200
TEXT = EXAMPLE + "".join(f"filling{n} A 10.1.1.{n}\n" for n in range(200))


class TransferOutTests(TestCase):
    """One of ours with secondaries of other makes."""

    timeout = 240

    async def start(
        self, programs: tuple[str, ...], key: str = "", is_tls: bool = False
    ) -> None:
        """Ours, and a secondary of each program, which has the zone."""
        ports = {name: free_port() for name in programs}
        word = " key=k" if key else ""
        self.port = free_port()
        here = "interface=127.0.0.1"
        self.server: Any = await running(
            dns=True,
            zones={"example.com": TEXT},
            settings={
                "dns.listen": [
                    f"udp:{self.port}:{here}",
                    f"tcp:{self.port}:{here}",
                    f"tls:0:{here}",
                ],
                "dns.allow_transfer": ["key:k"] if key else ["loopback"],
                "dns.transfer_over_tls_only": is_tls,
                "dns.notify": [f"127.0.0.1@{port}{word}" for port in ports.values()],
            },
        )
        self.addCleanup(self.server.stop)
        services = self.server.house.services
        self.store = services.store
        self.sent: list[Any] = []
        self.addCleanup(services.events.subscribe(self.note))
        if key:
            await self.store.apply(
                Unit((KEYS.put(parse_name("k."), make_key("k", "hmac-sha256", key)),))
            )
        port = self.server.port("dns", "tls") if is_tls else self.port
        if is_tls:
            # The certificate is made when it is wanted for the first time.
            services.certificates.server_context()
        authority = f"{self.server.state_directory}/tls/self-signed.pem"
        source = Source(port, f"k:{key}" if key else "", is_tls, authority)
        self.secondaries = []
        for name in programs:
            secondary = ForeignSecondary(name, ports[name], [ORIGIN], source)
            self.addCleanup(secondary.stop)
            self.secondaries.append(secondary)
        zone = await self.zone()
        await self.wait(zone.info.serial)

    def note(self, record: Any) -> None:
        if record["event"] == "zone_sent":
            self.sent.append(record)

    async def zone(self) -> Zone:
        zone: Zone = await self.store.zones.load(APEX)
        return zone

    async def wait(self, serial: int) -> None:
        """Until all have that version."""
        for secondary in self.secondaries:
            await deferToThread(secondary.wait, ORIGIN, serial)

    async def change(self, *added: RRset, removed: tuple[Any, ...] = ()) -> int:
        """Put and remove RRsets, with a new serial, which is returned."""
        zone = await self.zone()
        serial = zone.info.serial + 1
        (soa,) = (r for r in zone.rrsets if r.type == Type.SOA)
        (soa,) = with_serial((soa,), serial)
        await self.store.apply(Unit((UpdateZone(APEX, removed, (*added, soa)),)))
        return serial

    async def assert_same(self) -> None:
        """Every secondary has what the store has, as BIND writes it."""
        path = Path(self.mktemp())
        path.write_text(write_zone(await self.zone()))
        ours = await deferToThread(self.compiled, path)
        for secondary in self.secondaries:
            text = await deferToThread(self.dig, secondary.port, "AXFR", "+onesoa")
            path = Path(self.mktemp())
            path.write_text(text)
            theirs = await deferToThread(self.compiled, path)
            self.assertEqual(ours, theirs, secondary.name)

    @staticmethod
    def compiled(path: Path) -> list[str]:
        """The lines of a master file as named-compilezone writes them, in order."""
        text = run(
            located("named-compilezone"),
            *("-q", "-i", "none", "-k", "ignore", "-n", "ignore", "-s", "full"),
            *("-o", "-", ORIGIN, str(path)),
        )
        return sorted(line.lower() for line in text.splitlines())

    @staticmethod
    def dig(port: int, *words: str) -> str:
        command = [located("dig"), "@127.0.0.1", "-p", str(port), ORIGIN, *words]
        return run(*command, "+noall", "+answer", "+noidnin", "+noidnout")

    # --- secondaries ----------------------------------------------------------------

    async def follow(self, key: str = "") -> None:
        await self.start(tuple(PROGRAMS), key)
        whole = [fields for fields in self.sent if fields["form"] == "whole"]
        self.assertLessEqual(len(PROGRAMS), len(whole))
        self.sent.clear()
        for number in (1, 2, 3):
            await self.wait(
                await self.change(RRset(b"\1n" + APEX, 1, number, (b"1234",)))
            )
        self.assertEqual(
            {"incremental"}, {f["form"] for f in self.sent if f["outcome"] == "sent"}
        )
        self.assertEqual(
            {"k." if key else ""}, {fields["key_name"] for fields in self.sent}
        )
        await self.assert_same()

    @as_deferred
    async def test_unsigned(self) -> None:
        """Each change is told, and taken as what has changed."""
        await self.follow()

    @as_deferred
    async def test_signed(self) -> None:
        """The same with every message signed (TSIG)."""
        await self.follow(SECRET)

    @as_deferred
    async def test_tls(self) -> None:
        """BIND and NSD take the zone over TLS (RFC 9103); BIND insists on its ALPN."""
        await self.start(("named", "nsd"), is_tls=True)
        await self.wait(await self.change(RRset(b"\1n" + APEX, 1, 60, (b"1234",))))
        self.assertEqual({"tls"}, {fields["transport"] for fields in self.sent})
        refusal = await deferToThread(self.dig, self.port, "AXFR")
        self.assertIn("Transfer failed", refusal)

    @as_deferred
    async def test_random_changes(self) -> None:
        """After hundreds of changes all have the same zone."""
        await self.start(tuple(PROGRAMS))
        chance = random.Random(20261121)
        for number in range(CHANGES):
            serial = await self.change(*random_change(chance))
            if number % 20 == 0:
                await self.wait(serial)
        await self.wait(serial)
        await self.assert_same()
        incremental = [f for f in self.sent if f["form"] == "incremental"]
        self.assertLess(10, len(incremental))

    # --- by hand --------------------------------------------------------------------

    @as_deferred
    async def test_clients(self) -> None:
        """dig, kdig and drill take whole zones and changes, over TCP and TLS."""
        await self.start(())
        zone = await self.zone()
        count = sum(len(rrset.rdatas) for rrset in zone.rrsets)
        before = zone.info.serial
        await self.change(RRset(b"\1n" + APEX, 1, 60, (b"1234",)))
        port, tls = str(self.port), str(self.server.port("dns", "tls"))
        at = ("@127.0.0.1", "-p", port)
        short = ("+noall", "+answer")
        for command, records in (
            (("dig", *at, ORIGIN, "AXFR", *short), count + 2),
            (("dig", *at, ORIGIN, f"IXFR={before}", *short), 5),
            (("dig", *at, ORIGIN, f"IXFR={before}", "+tcp", *short), 5),
            (("dig", *at, ORIGIN, f"IXFR={before - 1}", "+tcp", *short), count + 2),
            (("dig", *at, ORIGIN, f"IXFR={before + 1}", "+tcp", *short), 1),
            (("kdig", *at, ORIGIN, "AXFR", *short), count + 2),
            (("kdig", *at, ORIGIN, f"IXFR={before}", *short), 5),
            (
                ("kdig", "@127.0.0.1", "-p", tls, "+tls", ORIGIN, "AXFR", *short),
                count + 2,
            ),
            (
                ("dig", "@127.0.0.1", "-p", tls, "+tls", ORIGIN, "AXFR", *short),
                count + 2,
            ),
            (("drill", *at, "AXFR", ORIGIN), count + 2),
        ):
            text = await deferToThread(run, located(command[0]), *command[1:])
            lines = [line for line in text.splitlines() if line and line[0] != ";"]
            self.assertEqual(records, len(lines), f"{command}: {text}")

    @as_deferred
    async def test_compared(self) -> None:
        """ldns finds no difference between a transfer and the zone's export."""
        await self.start(())
        ours, taken = Path(self.mktemp()), Path(self.mktemp())
        ours.write_text(write_zone(await self.zone()))
        taken.write_text(await deferToThread(self.dig, self.port, "AXFR", "+onesoa"))
        text = await deferToThread(
            run, located("ldns-compare-zones"), "-a", str(ours), str(taken)
        )
        self.assertEqual(["\t+0\t-0\t~0"], text.splitlines()[-1:])


def random_change(chance: random.Random) -> tuple[RRset, ...]:
    """One to three RRsets of a few names, so that they are changed again and again."""
    found = []
    for _ in range(chance.randrange(1, 4)):
        owner = b"\2h%d" % chance.randrange(10) + APEX
        kind = chance.choice((Type.A, Type.TXT, Type.MX))
        many = range(chance.randrange(1, 4))
        if kind == Type.A:
            rdatas = {bytes((10, 0, 0, chance.randrange(9))) for _ in many}
        elif kind == Type.TXT:
            rdatas = {txt_rdata(b"%d" % chance.randrange(9)) for _ in many}
        else:
            rdatas = {mx_rdata(chance.randrange(9), b"\4mail" + APEX) for _ in many}
        ttl = chance.choice((60, 300))
        found.append(RRset(owner, int(kind), ttl, tuple(sorted(rdatas))))
    return tuple(found)
