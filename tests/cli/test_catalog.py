"""``netservices zone catalog``, and secondaries as the command makes them."""

from __future__ import annotations

from typing import Any

from netservices.core.deferreds import value_of
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.options import ZoneOptions
from netservices.dns.wire.names import parse_name
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import Unit
from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE

CATALOG = "catalog.example.net"


class OneZone(CommandTestCase):
    """A server with the zone ``example.net``."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.mktemp()
        with open(self.file, "w") as file:
            file.write(ZONE)
        self.command("zone", "import", "example.net", self.file)


class CatalogTests(OneZone):
    """A catalog with members of this server."""

    def setUp(self) -> None:
        super().setUp()
        self.command("zone", "catalog", "create", CATALOG)

    def members(self) -> Any:
        """What the catalog lists."""
        return self.rows("zone", "catalog", "list", CATALOG)

    def test_life(self) -> None:
        """Zones join and leave; each time the serial grows and the label is new."""
        labels = []
        for serial in (2, 4):
            self.command(
                "zone", "catalog", "add", CATALOG, "example.net", "--group", "x"
            )
            (row,) = self.members()
            labels.append(row.pop("id"))
            self.assertEqual(
                {"zone": "example.net.", "groups": ["x"], "moves_to": None}, row
            )
            found = {r["zone"]: r for r in self.rows("zone", "list")}
            self.assertEqual(serial, found[f"{CATALOG}."]["serial"])
            self.assertEqual(f"{CATALOG}.", found["example.net."]["catalog"])
            self.command("zone", "catalog", "remove", CATALOG, "example.net")
            self.assertEqual([], self.members())
        self.assertNotEqual(*labels)
        self.assertEqual(4, len(self.rows("zone", "record", "list", CATALOG)) + 1)

    def test_refusals(self) -> None:
        """What is there twice, or not at all, is refused."""
        catalog = ("zone", "catalog")
        self.command(*catalog, "add", CATALOG, "example.net")
        for words, reason in (
            (("add", CATALOG, "example.net"), "already"),
            (("add", CATALOG, "missing.test"), "no zone"),
            (("add", CATALOG, CATALOG), "itself"),
            (("remove", CATALOG, "example.org"), "not in"),
            (("add", "example.net", CATALOG), "no catalog"),
            (("create", CATALOG), "exists"),
        ):
            self.assertIn(reason, self.refusal(*catalog, *words))

    def test_zone_removed(self) -> None:
        """A zone that is removed leaves its catalog; a catalog that is removed lets
        its members go."""
        self.command("zone", "catalog", "add", CATALOG, "example.net")
        self.command("zone", "remove", "example.net", "--yes")
        self.assertEqual([], self.members())
        self.command("zone", "import", "example.net", self.file)
        self.command("zone", "catalog", "add", CATALOG, "example.net")
        self.command("zone", "remove", CATALOG, "--yes")
        self.assertEqual([], self.rows("zone", "catalog", "list"))
        self.assertEqual([None], [r["catalog"] for r in self.rows("zone", "list")])

    def test_domain(self) -> None:
        """The zone of a new domain joins the default catalog, and leaves with it."""
        with open(self.config, "a") as file:
            file.write(f'[dns]\ncatalog = "{CATALOG}"\n')
        self.command("domain", "add", "example.com", "--address", "192.0.2.1")
        self.assertEqual(["example.com."], [row["zone"] for row in self.members()])
        self.command("domain", "remove", "example.com", "--yes")
        self.assertEqual([], self.members())


class SecondaryTests(OneZone):
    """Secondaries, without a server that runs."""

    def test_life(self) -> None:
        """A secondary is made, listed, changed, and removed."""
        words = ("zone", "secondary", "example.com")
        self.command(*words, "192.0.2.1", "key=k.test", "192.0.2.2@5353")
        row, _ = self.rows("zone", "list")
        self.assertEqual(
            ("example.com.", 0, "secondary", "empty"),
            (row["zone"], row["serial"], row["role"], row["state"]),
        )
        self.command(*words, "192.0.2.3", "--allow-notify", "192.0.2.0/24")
        self.assertEqual(1, self.rows("zone", "list")[0]["revision"])
        self.command("zone", "remove", "example.com", "--yes")
        self.assertEqual(1, len(self.rows("zone", "list")))

    def test_catalog_of_others(self) -> None:
        """A catalog that comes from elsewhere is not changed here."""
        self.command("zone", "secondary", CATALOG, "192.0.2.1", "--catalog")
        self.assertEqual("consumer", self.rows("zone", "catalog", "list")[0]["role"])
        message = self.refusal("zone", "catalog", "add", CATALOG, "example.net")
        self.assertIn("change it on its primary, 192.0.2.1", message)

    def test_member_of_others(self) -> None:
        """A zone that a catalog brought goes when the catalog says so, or when that is
        here no longer."""
        self.command("zone", "secondary", CATALOG, "192.0.2.1", "--catalog")
        self.command("zone", "secondary", "example.com", "192.0.2.1")
        options = ZoneOptions(primaries=("192.0.2.1",), catalog=f"{CATALOG}.")
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        put = ZONE_OPTIONS.put(parse_name("example.com."), options)
        value_of(store.apply(Unit((put,))))
        value_of(store.close())
        message = self.refusal("zone", "remove", "example.com", "--yes")
        self.assertIn("comes from 192.0.2.1: remove it there", message)
        self.command("zone", "remove", CATALOG, "--yes")
        self.command("zone", "remove", "example.com", "--yes")

    def test_refusals(self) -> None:
        """A zone of our own is no secondary, and a primary is an address."""
        self.assertIn(
            "own", self.refusal("zone", "secondary", "example.net", "192.0.2.1")
        )
        for peer in ("ns1.example.org", "192.0.2.1@99999", "192.0.2.1 tsl=x", "key=x"):
            self.refusal("zone", "secondary", "example.com", peer)
        message = self.refusal("zone", "secondary", "example.com", "192.0.2.1:5353")
        self.assertIn("write 192.0.2.1@5353", message)
        self.assertIn(
            "network",
            self.refusal(
                "zone", "secondary", "example.com", "192.0.2.1", "--allow-notify", "x"
            ),
        )
        self.assertEqual(1, len(self.rows("zone", "list")))

    def test_local_edits(self) -> None:
        """What comes from elsewhere is not changed here."""
        self.command("zone", "remove", "example.net", "--yes")
        self.command("zone", "secondary", "example.net", "192.0.2.1")
        for words in (
            ("import", "example.net", self.file),
            ("record", "add", "example.net", "www", "A", "192.0.2.1"),
        ):
            message = self.refusal("zone", *words)
            self.assertIn("change it on its primary, 192.0.2.1", message)
