"""Catalogs that come from a primary, and their members (RFC 9432 5)."""

from __future__ import annotations

from typing import Any

from netservices.core.deferreds import value_of
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.client.ask import make_query
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.inbound import Inbound, InboundLimits
from netservices.dns.options import ZoneOptions
from netservices.dns.wire.message import Record
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.zone.overlay import overlay_name
from netservices.dns.zonefile import read_zone
from netservices.units import CreateZone
from tests.dns.house import add_zone, apply
from tests.dns.primary import a, reply, soa
from tests.dns.test_catalog import HEAD, ONE, TWO
from tests.dns.test_secondary import PRIMARY, Secondary

SERVED = [f"{name}.test." for name in ("one", "two", "three")]


class CatalogTests(Secondary):
    """A consumer of ``catalog.test`` and ``other.test``."""

    def setUp(self) -> None:
        self.catalogs: dict[str, tuple[int, str]] = {}
        super().setUp()
        self.configure_catalog("catalog.test.", HEAD + ONE + TWO)

    async def fetch(
        self, clock: Any, primary: Any, name: bytes, have: Any, *_: Any, **__: Any
    ) -> Any:
        """Catalogs, and members with one address each."""
        text = name_text(name)
        records: list[Record] = []
        if text in self.catalogs:
            serial, content = self.catalogs[text]
            for rrset in read_zone(content, text):
                if rrset.type != 6:
                    records += [
                        Record(rrset.owner, rrset.type, 1, 0, r) for r in rrset.rdatas
                    ]
        elif text in SERVED:
            serial = 7
            records.append(a(f"www.{text}", "192.0.2.7"))
        else:
            raise NoAnswer("nobody is there")
        head = soa(serial, name)
        if have == serial:
            return head
        inbound = Inbound(make_query(name, "AXFR"), None, InboundLimits())
        inbound.take(
            reply(make_query(name, "AXFR"), head, *records, head, id=inbound._query.id)
        )
        return inbound

    def configure_catalog(self, name: str, content: str) -> None:
        """As ``netservices zone secondary --catalog`` does."""
        self.catalogs[name] = 1, content
        options = ZoneOptions(primaries=(PRIMARY,), is_catalog=True)
        apex = parse_name(name)
        apply(self.store, ZONE_OPTIONS.put(apex, options), CreateZone(apex, ()))
        for _ in range(3):
            self.pass_seconds(1)

    def publish(self, content: str, name: str = "catalog.test.") -> None:
        """The catalog says something else from now on."""
        self.catalogs[name] = self.catalogs[name][0] + 1, content
        for _ in range(4):
            self.pass_seconds(61)

    def zones(self) -> list[str]:
        """The zones of the store that are no catalogs."""
        infos = value_of(self.store.zones.zones())
        names = {name_text(fold(info.name)) for info in infos}
        return sorted(names - {"catalog.test.", "other.test."})

    def problems(self, name: str = "catalog.test.") -> list[str]:
        """What the status says is wrong with a catalog."""
        rows: Any = self.authority.status()["secondaries"]
        return next(row["catalog_problems"] for row in rows if row["zone"] == name)

    def revision(self, name: str) -> int:
        """How often a zone has changed."""
        zone = value_of(self.store.zones.load(parse_name(name)))
        assert zone is not None
        return zone.info.revision

    def test_members(self) -> None:
        """Members become secondaries of the same primaries, with their records."""
        self.assertEqual(["one.test.", "two.test."], self.zones())
        self.assertEqual(1, len(self.ask("www.one.test.").answer))
        self.publish(HEAD + ONE + "c.zones 0 PTR three.test.\n")
        self.assertEqual(["one.test.", "three.test."], self.zones())
        self.assertEqual(1, len(self.ask("www.three.test.").answer))
        self.assertEqual([], self.problems())

    def test_broken(self) -> None:
        """A broken catalog changes nothing, is reported, and can be mended."""
        self.publish(HEAD.replace('"2"', '"3"') + ONE)
        self.assertEqual(["one.test.", "two.test."], self.zones())
        self.assertEqual(
            ["the catalog is broken: it is not of version 2"], self.problems()
        )
        self.assertEqual(1, len(self.events("catalog_problem")))
        self.publish(HEAD + ONE)
        self.assertEqual(["one.test."], self.zones())
        self.assertEqual([], self.problems())

    def test_restart(self) -> None:
        """After a restart with a broken catalog the members are served."""
        self.publish(HEAD)
        self.publish(HEAD + ONE)
        self.publish("@ 0 SOA . . 1 2 3 4 5\n")
        self.start()
        self.pass_seconds(1)
        self.assertEqual(["one.test."], self.zones())
        self.assertEqual(1, len(self.ask("www.one.test.").answer))

    def test_clash(self) -> None:
        """A zone that is here already stays as it is, and is reported."""
        add_zone(self.store, "@ 60 SOA . . 1 2 3 4 5\n@ 60 NS .\n", "three.test.")
        self.publish(HEAD + ONE + "c.zones 0 PTR three.test.\n")
        self.assertEqual(["one.test.", "three.test."], self.zones())
        self.assertEqual(
            ["three.test. is a zone of this server's own"], self.problems()
        )
        self.publish(HEAD)
        self.assertEqual(["three.test."], self.zones())

    def test_overlay(self) -> None:
        """A member with the name of an overlay is none: what a view shows of a zone is
        not for the catalog to say.  RFC 9432 7."""
        text = name_text(overlay_name("inside", parse_name("one.test.")))
        SERVED.append(text)
        self.addCleanup(SERVED.remove, text)
        self.publish(HEAD + ONE + f"c.zones 0 PTR {text}\n")
        self.assertEqual(["one.test."], self.zones())
        self.assertEqual([f"{text} is the name of an overlay"], self.problems())

    def test_itself(self) -> None:
        """A catalog that lists itself, and another catalog, leaves both as they are;
        its other members are served."""
        self.configure_catalog("other.test.", HEAD + TWO)
        lists = "c.zones 0 PTR catalog.test.\nd.zones 0 PTR other.test.\n"
        self.publish(HEAD + ONE + lists)
        self.assertEqual(["one.test."], self.zones())
        self.assertEqual(
            [
                "catalog.test. belongs to this server's configuration",
                "other.test. belongs to this server's configuration",
            ],
            self.problems(),
        )

    def test_reset(self) -> None:
        """Another label for the same zone: it begins anew."""
        before = self.revision("one.test.")
        untouched = self.revision("two.test.")
        self.publish(HEAD + TWO + "z.zones 0 PTR one.test.\n")
        self.assertGreater(self.revision("one.test."), before)
        self.assertEqual(untouched, self.revision("two.test."))
        self.assertEqual(1, len(self.ask("www.one.test.").answer))

    def test_groups(self) -> None:
        """A group is kept with the member, and does not touch its records."""
        before = self.revision("one.test.")
        self.publish(HEAD + ONE + 'group.a.zones 0 TXT "nodnssec"\n')
        options = self.authority.zone_options.things[parse_name("one.test.")]
        self.assertEqual(("nodnssec",), options.groups)
        self.assertEqual(before, self.revision("one.test."))

    def test_other_catalog(self) -> None:
        """A member of one catalog is not taken by another one; nor removed by it."""
        self.configure_catalog("other.test.", HEAD + "x.zones 0 PTR one.test.\n")
        self.assertEqual(
            ["one.test. belongs to catalog.test."], self.problems("other.test.")
        )
        self.publish(HEAD, "other.test.")
        self.assertEqual(["one.test.", "two.test."], self.zones())

    def test_change_of_ownership(self) -> None:
        """A member moves when the old catalog says so and the new one has it; with the
        same label its records stay."""
        before = self.revision("one.test.")
        self.configure_catalog("other.test.", HEAD + ONE)
        self.publish(HEAD + ONE + TWO + "coo.a.zones 0 PTR other.test.\n")
        self.publish(HEAD + ONE, "other.test.")
        options = self.authority.zone_options.things[parse_name("one.test.")]
        self.assertEqual("other.test.", options.catalog)
        self.assertEqual(before, self.revision("one.test."))
        self.publish(HEAD + TWO)
        self.assertEqual(["one.test.", "two.test."], self.zones())
        self.publish(HEAD, "other.test.")
        self.assertEqual(["two.test."], self.zones())
