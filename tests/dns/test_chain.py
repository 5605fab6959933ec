"""Two servers of ours, one the secondary of the other, each told to tell the other."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.dns.backend.keys import KEYS, make_key
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.options import ZoneOptions
from netservices.dns.wire.names import parse_name
from netservices.dns.zonefile import read_zone
from netservices.testing import running
from netservices.units import CreateZone, Unit, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE
from tests.dns.receiving import ORIGIN, make_soa
from tests.interop.dns_programs import free_port

reactor: Any = global_reactor
APEX = parse_name(ORIGIN)
KEY = KEYS.put(parse_name("k."), make_key("k", "hmac-sha256", "c2VjcmV0IG9mIHR3bw=="))


class ChainTests(TestCase):
    """A primary and a secondary."""

    timeout = 60

    async def start(self, port: int, other: int) -> Any:
        """One server on ``port``, which tells that on ``other``."""
        server = await running(
            dns=True,
            settings={
                "dns.listen": [
                    f"{kind}:{port}:interface=127.0.0.1" for kind in ("udp", "tcp")
                ],
                "dns.allow_transfer": ["key:k"],
                "dns.notify": [f"127.0.0.1@{other} key=k"],
                "dns.notify_in_interval": "0s",
            },
        )
        self.addCleanup(server.stop)
        await server.house.services.store.apply(Unit((KEY,)))
        return server.house

    async def wait(self, house: Any, serial: int) -> None:
        """Until a server has that version, and has nobody to tell of it."""
        while True:
            page = await house.services.store.zones.page(APEX, None, 1, None)
            telling = house.servers["dns"].status()["notifications"]
            # A primary refuses to be told.
            has_told = telling["told"] + telling["failed"] > 0
            is_telling = telling["due"] + telling["under_way"] > 0
            has_version = page is not None and page.info.serial == serial
            if has_version and has_told and not is_telling:
                return
            await deferLater(reactor, 0.02, lambda: None)

    @as_deferred
    async def test_rest(self) -> None:
        """Changes go from one to the other, signed, and then both are at rest."""
        ports = free_port(), free_port()
        first = await self.start(ports[0], ports[1])
        second = await self.start(ports[1], ports[0])
        told: list[Any] = []
        for house in (first, second):
            self.addCleanup(house.services.events.subscribe(told.append))
        mine, others = first.services.store, second.services.store
        options = ZoneOptions(primaries=(f"127.0.0.1@{ports[0]} key=k",))
        secondary = ZONE_OPTIONS.put(APEX, options), CreateZone(APEX, ())
        await others.apply(Unit(secondary))
        await mine.apply(Unit((CreateZone(APEX, read_zone(EXAMPLE, ORIGIN)),)))
        for serial in (2026112102, 2026112103):
            added = RRset(b"\1n" + APEX, 1, 60, (serial.to_bytes(4, "big"),))
            await mine.apply(Unit((UpdateZone(APEX, (), (added, make_soa(serial))),)))
            await self.wait(first, serial)
            await self.wait(second, serial)
        kinds = [record["event"] for record in told]
        self.assertIn("zone_notified", kinds)
        # Each tells the other of each version once at the most.
        self.assertLessEqual(kinds.count("zone_notified"), 6)
        self.assertLessEqual(kinds.count("zone_transferred"), 3)
        ours, theirs = await mine.zones.load(APEX), await others.zones.load(APEX)
        self.assertEqual(set(ours.rrsets), set(theirs.rrsets))
