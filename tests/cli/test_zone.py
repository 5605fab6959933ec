"""``netservices zone`` and ``netservices domain``."""

from __future__ import annotations

import os

from tests.cli.bench import CommandTestCase

ZONE = """\
$ORIGIN example.net.
$TTL 1h
@       IN SOA ns1 hostmaster 2026112100 2h 30m 2w 15m
        IN NS  ns1
ns1     IN A   192.0.2.53
www     IN A   192.0.2.80
        IN A   192.0.2.81
mail    IN AAAA 2001:db8::25
@       IN MX  10 mail
"""


class ZoneTests(CommandTestCase):
    """Zones go in and out as master files, and records change one by one."""

    def write(self, text: str) -> str:
        """A master file with that text."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def imported(self, text: str, *options: str) -> dict[str, object]:
        """What importing a master file reports."""
        row: dict[str, object] = self.rows(
            "zone", "import", "example.net", self.write(text), *options
        )
        return row

    def test_import(self) -> None:
        """A zone file is read, counted and listed."""
        self.assertEqual(
            {
                "zone": "example.net.",
                "action": "created",
                "records": 7,
                "serial": 2026112100,
            },
            self.imported(ZONE),
        )
        self.assertIn(
            {
                "zone": "example.net.",
                "serial": 2026112100,
                "revision": 1,
                "view": None,
                "role": "primary",
                "state": "current",
                "catalog": None,
            },
            self.rows("zone", "list"),
        )

    def test_export_imports_back(self) -> None:
        """An exported zone is a master file of the same zone."""
        self.imported(ZONE)
        path = self.mktemp()
        self.command("zone", "export", "example.net", "-o", path)
        row = self.rows("zone", "import", "example.net", path)

        self.assertEqual("unchanged", row["action"])
        self.assertFalse(os.path.exists(path + ".new"))

    def test_serial_grows(self) -> None:
        """A changed zone whose serial did not grow gets a newer one.  RFC 1982."""
        self.imported(ZONE)
        row = self.imported(ZONE.replace("192.0.2.80", "192.0.2.99"))

        self.assertEqual("replaced", row["action"])
        self.assertGreater(row["serial"], 2026112100)

    def test_keep_serial(self) -> None:
        """With --keep-serial the serial of the file stands."""
        self.imported(ZONE)
        row = self.imported(ZONE.replace(".80", ".99"), "--keep-serial")

        self.assertEqual(2026112100, row["serial"])

    def test_error_on_line(self) -> None:
        """A mistake names file and line, and changes nothing."""
        path = self.write(ZONE.replace("192.0.2.81", "192.0.2.810"))
        self.imported(ZONE)
        message = self.refusal("zone", "import", "example.net", path)

        self.assertIn(f"{path}:7", message)
        self.assertEqual(7, len(self.rows("zone", "record", "list", "example.net")))

    def test_no_soa(self) -> None:
        """A zone without SOA cannot be served and is refused.  RFC 1035 5.2."""
        path = self.write("@ 300 IN NS ns1.example.org.\n")

        self.assertIn("SOA", self.refusal("zone", "import", "example.net", path))
        self.assertNotIn("example.net.", str(self.rows("zone", "list")))

    def test_add_record(self) -> None:
        """A record is added to its set, and the serial grows."""
        self.imported(ZONE)
        words = ("zone", "record")
        self.command(*words, "add", "example.net", "www", "300", "A", "192.0.2.82")
        rows = self.rows(*words, "list", "example.net", "--name", "www", "--type", "a")

        self.assertEqual(
            ["192.0.2.80", "192.0.2.81", "192.0.2.82"], [row["data"] for row in rows]
        )
        self.assertEqual({300}, {row["ttl"] for row in rows})
        self.assertGreater(self.rows("zone", "list")[-1]["serial"], 2026112100)

    def test_add_twice(self) -> None:
        """Adding what is there changes nothing, also not the serial."""
        self.imported(ZONE)
        words = ("zone", "record", "add", "example.net", "www", "1h", "A")
        self.command(*words, "192.0.2.80")

        self.assertEqual(2026112100, self.rows("zone", "list")[-1]["serial"])

    def test_remove_one_record(self) -> None:
        """One record of a set goes; the others stay."""
        self.imported(ZONE)
        words = ("zone", "record")
        self.command(*words, "remove", "example.net", "www", "A", "192.0.2.80")
        rows = self.rows(*words, "list", "example.net", "--name", "www")

        self.assertEqual(["192.0.2.81"], [row["data"] for row in rows])

    def test_remove_set(self) -> None:
        """Without data the whole set goes."""
        self.imported(ZONE)
        self.command("zone", "record", "remove", "example.net", "www", "A")

        self.assertEqual(
            [], self.rows("zone", "record", "list", "example.net", "--name", "www")
        )

    def test_remove_missing(self) -> None:
        """Removing what is not there says so."""
        self.imported(ZONE)
        words = ("zone", "record", "remove", "example.net", "www")

        self.assertIn("no records", self.refusal(*words, "TXT"))
        self.assertIn("no such record", self.refusal(*words, "A", "192.0.2.1"))

    def test_unservable_change(self) -> None:
        """A change that would leave a zone without SOA or NS is refused."""
        self.imported(ZONE)
        for kind in ("SOA", "NS"):
            message = self.refusal("zone", "record", "remove", "example.net", "@", kind)

            self.assertIn(kind, message)
        self.assertEqual(7, len(self.rows("zone", "record", "list", "example.net")))

    def test_cname_beside_other_data(self) -> None:
        """A CNAME beside other data is refused.  RFC 1034 3.6.2."""
        self.imported(ZONE)
        words = ("zone", "record", "add", "example.net", "www", "CNAME", "mail")

        self.assertIn("CNAME", self.refusal(*words))

    def test_foreign_owner(self) -> None:
        """A record outside the zone is refused."""
        self.imported(ZONE)
        words = ("zone", "record", "add", "example.net", "www.example.com.", "A")

        self.assertIn("not in the zone", self.refusal(*words, "192.0.2.1"))

    def test_check(self) -> None:
        """A dangling MX is found, before and after the import."""
        dangling = ZONE + "@ IN MX 20 backup\n"
        path = self.write(dangling)
        result = self.run_command("zone", "check", "example.net", path)

        self.assertEqual(1, result.exit_code)
        self.assertIn("backup", result.stdout)

        self.imported(dangling)
        result = self.run_command("zone", "check", "example.net")

        self.assertEqual(1, result.exit_code)
        self.assertIn("backup", result.stdout)

    def test_check_clean(self) -> None:
        """A zone without mistakes is said to be so."""
        self.imported(ZONE)

        self.assertIn("No mistakes", self.command("zone", "check", "example.net"))

    def test_remove(self) -> None:
        """A removed zone is gone, a second time an error."""
        self.imported(ZONE)
        self.command("zone", "remove", "example.net", "--yes")

        self.assertIn("no zone", self.refusal("zone", "export", "example.net"))
        self.assertNotEqual("", self.refusal("zone", "remove", "example.net", "--yes"))


class DomainTests(CommandTestCase):
    """A domain comes with its zone and its role addresses."""

    def test_add(self) -> None:
        """Zone, postmaster, hostmaster and abuse are there.  RFC 2142, RFC 5321."""
        self.command("domain", "add", "Example.COM", "--address", "192.0.2.1")
        records = self.rows("zone", "record", "list", "example.com", "--type", "A")
        aliases = {row["address"] for row in self.rows("account", "alias", "list")}

        self.assertEqual({"192.0.2.1"}, {row["data"] for row in records})
        self.assertLessEqual(
            {f"{role}@example.com" for role in ("postmaster", "hostmaster", "abuse")},
            aliases,
        )

    def test_add_is_one_unit(self) -> None:
        """A domain that is there already changes nothing, and says so."""
        self.command("domain", "add", "example.com")
        before = self.rows("account", "alias", "list")
        message = self.refusal("domain", "add", "example.com", "--postmaster", "joe")

        self.assertIn("example.com", message)
        self.assertEqual(before, self.rows("account", "alias", "list"))

    def test_remove(self) -> None:
        """Zone and aliases go with the domain."""
        self.command("domain", "add", "example.com")
        self.command("domain", "remove", "example.com", "--yes")

        self.assertEqual(1, len(self.rows("domain", "list")))
        self.assertNotIn("example.com", str(self.rows("zone", "list")))
        self.assertNotIn("example.com", str(self.rows("account", "alias", "list")))

    def test_remove_inhabited(self) -> None:
        """A domain with accounts stays, whole."""
        self.command("domain", "add", "example.com")
        self.command("account", "add", "alice@example.com")
        message = self.refusal("domain", "remove", "example.com", "--yes")

        self.assertIn("account", message)
        self.assertIn("example.com", str(self.rows("zone", "list")))

    def test_bad_name(self) -> None:
        """What is no domain name is refused."""
        self.assertIn("domain name", self.refusal("domain", "add", "no domain"))
