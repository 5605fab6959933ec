"""``netservices zone diff``, ``history`` and ``undo``."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE


class VersionsTestCase(CommandTestCase):
    """Tests with the zone ``example.net`` in the store."""

    def setUp(self) -> None:
        """Import it, then change it twice."""
        super().setUp()
        self.path = self.write(ZONE)
        self.command("zone", "import", "example.net", self.path)
        self.record("add", "www", "1h", "A", "192.0.2.82")
        self.record("remove", "mail", "AAAA", "2001:db8::25")

    def write(self, text: str) -> str:
        """A master file with that text."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def record(self, verb: str, *words: str) -> None:
        """Change a record of the zone."""
        self.command("zone", "record", verb, "example.net", *words)

    def records(self, name: str) -> set[str]:
        """The data of the records at a name."""
        words = ("zone", "record", "list", "example.net", "--name", name)
        return {row["data"] for row in self.rows(*words)}

    def history(self) -> Any:
        """The history of the zone, newest first."""
        return self.rows("zone", "history", "example.net")


class DifferenceTests(VersionsTestCase):
    """Versions are compared record by record."""

    def test_with_file(self) -> None:
        """A file is compared with the zone as it is: what an import would do."""
        result = self.run_command("zone", "diff", "example.net", self.path)

        self.assertEqual(1, result.exit_code)
        lines = result.stdout.splitlines()
        self.assertEqual(["---", "+++"], [line[:3] for line in lines[:2]])
        self.assertIn("+mail.example.net. 3600 IN AAAA 2001:db8::25", lines)
        self.assertIn("-www.example.net. 3600 IN A 192.0.2.82", lines)
        self.assertNotIn("192.0.2.80", result.stdout)

    def test_without_difference(self) -> None:
        """The same zone twice: nothing is printed, and the exit status is 0."""
        copy = self.mktemp()
        self.command("zone", "export", "example.net", "-o", copy)

        self.assertEqual("", self.command("zone", "diff", "example.net", copy))

    def test_between_versions(self) -> None:
        """Two versions are named by serial or revision."""
        for words in (
            ("--from", "@1", "--to", "@2"),
            ("--from", "2026112100", "--to", "@2"),
        ):
            result = self.run_command("zone", "diff", "example.net", *words)

            self.assertEqual(1, result.exit_code)
            changed = [line for line in result.stdout.splitlines() if "SOA" not in line]
            self.assertEqual(
                ["+www.example.net. 3600 IN A 192.0.2.82"], changed[2:], words
            )

    def test_since(self) -> None:
        """Without --to it is the present zone that is compared."""
        result = self.run_command("zone", "diff", "example.net", "--from", "@2")

        self.assertIn("-mail.example.net. 3600 IN AAAA", result.stdout)
        self.assertNotIn("192.0.2.82", result.stdout)

    def test_json(self) -> None:
        """Scripts get the records of both sides."""
        result = self.run_command(
            "zone", "diff", "example.net", "--from", "@2", "--json"
        )
        row = json.loads(result.stdout)
        removed = {one["name"] for one in row["removed_records"]}

        self.assertEqual({"example.net.", "mail.example.net."}, removed)
        self.assertEqual(["SOA"], [one["type"] for one in row["added_records"]])

    def test_trouble(self) -> None:
        """What keeps from comparing has exit status 2, as with diff(1)."""
        bad = self.write("@ SOA nonsense\n")
        for words in (
            ("example.net", bad),
            ("example.com", self.path),
            ("example.net", "--from", "@99"),
            ("example.net", "--from", "last"),
            ("example.net", "--from", "@" + "9" * 99),
            ("example.net",),
            ("example.net", self.path, "--to", "@1"),
        ):
            result = self.run_command("zone", "diff", *words)

            self.assertEqual(2, result.exit_code, f"{words}: {result.output}")
            self.assertNotEqual("", result.stderr)


class HistoryTests(VersionsTestCase):
    """The history of a zone."""

    def test_history(self) -> None:
        """Each change has its revision, time, author, serials and counts."""
        last, second, first = self.history()

        self.assertEqual([3, 2, 1], [row["revision"] for row in (last, second, first)])
        self.assertEqual((0, 2026112100), (first["from"], first["to"]))
        self.assertEqual(first["to"], second["from"])
        self.assertEqual((1, 2), (second["removed"], second["added"]))
        self.assertEqual((2, 1), (last["removed"], last["added"]))
        self.assertEqual((0, 7), (first["removed"], first["added"]))
        self.assertTrue(first["who"].endswith(": zone import"), first)
        self.assertTrue(last["who"].endswith(": zone record remove"), last)
        self.assertLessEqual(first["when"], last["when"])

    def test_table(self) -> None:
        """For people, a line a change."""
        lines = self.command("zone", "history", "example.net").splitlines()

        self.assertEqual(3, len(lines))
        self.assertRegex(lines[0], r"^3\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t")

    def test_one_change(self) -> None:
        """One change is shown with its records."""
        text = self.command("zone", "history", "example.net", "2")

        self.assertIn("+www.example.net. 3600 IN A 192.0.2.82", text)
        self.assertNotIn("192.0.2.81", text)
        row = self.rows("zone", "history", "example.net", "2")
        self.assertIn("192.0.2.82", {one["data"] for one in row["added_records"]})

    def test_unknown(self) -> None:
        """A zone or a revision that is not there is an error."""
        self.assertIn("no zone", self.refusal("zone", "history", "example.com"))
        message = self.refusal("zone", "history", "example.net", "77")
        self.assertIn("no revision 77", message)


class UndoTests(VersionsTestCase):
    """Changes are taken back one by one."""

    def test_undo(self) -> None:
        """What a change brought goes, later changes stay, and the serial grows."""
        before = self.history()[0]["to"]
        self.command("zone", "undo", "example.net", "2")

        self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.records("www"))
        self.assertEqual(set(), self.records("mail"))
        newest = self.history()[0]
        self.assertGreater(newest["to"], before)
        self.assertTrue(newest["who"].endswith(": zone undo 2"), newest)

    def test_undo_of_undo(self) -> None:
        """Taking back is a change that can itself be taken back."""
        self.command("zone", "undo", "example.net", "3")
        self.assertEqual({"2001:db8::25"}, self.records("mail"))
        self.command("zone", "undo", "example.net", "4")

        self.assertEqual(set(), self.records("mail"))

    def test_undo_of_import(self) -> None:
        """An import that replaced a zone is one change."""
        text = ZONE.replace("192.0.2.53", "192.0.2.99") + "new IN TXT x\n"
        self.command("zone", "import", "example.net", self.write(text))
        self.command("zone", "undo", "example.net", "4")

        self.assertEqual({"192.0.2.53"}, self.records("ns1"))
        self.assertEqual(set(), self.records("new"))
        self.assertEqual(set(), self.records("mail"))

    def test_touched_later(self) -> None:
        """A change whose records were changed since is not undone; the refusal names
        them and the changes."""
        self.record("add", "www", "1h", "A", "192.0.2.83")
        before = self.records("www")
        message = self.refusal("zone", "undo", "example.net", "2")

        self.assertIn("www.example.net. A (revision 4)", message)
        self.assertEqual(before, self.records("www"))

    def test_back_again(self) -> None:
        """Records that later changes put back as they were are no obstacle."""
        self.record("add", "www", "1h", "A", "192.0.2.83")
        self.record("remove", "www", "A", "192.0.2.83")
        self.command("zone", "undo", "example.net", "2")

        self.assertEqual({"192.0.2.80", "192.0.2.81"}, self.records("www"))

    def test_making(self) -> None:
        """The change that made the zone is not undone."""
        message = self.refusal("zone", "undo", "example.net", "1")

        self.assertIn("zone remove", message)

    def test_unservable(self) -> None:
        """What would leave a zone that cannot be served is refused."""
        self.record("add", "@", "1h", "NS", "ns2.example.com.")
        self.record("remove", "@", "NS", "ns1")
        self.record("add", "alias", "CNAME", "www")
        self.record("remove", "alias", "CNAME")
        self.record("add", "alias", "A", "192.0.2.1")
        message = self.refusal("zone", "undo", "example.net", "7")

        self.assertIn("alias.example.net.", message)

    def test_serial_alone(self) -> None:
        """A change of nothing but the serial has nothing to take back."""
        text = self.command("zone", "export", "example.net")
        serial = str(self.history()[0]["to"])
        raised = self.write(text.replace(serial, str(int(serial) + 5)))
        self.command("zone", "import", "example.net", raised)

        message = self.refusal("zone", "undo", "example.net", "4")
        self.assertIn("nothing to undo", message)

    def test_soa_fields(self) -> None:
        """The fields of the SOA beside the serial come back as they were."""
        text = self.command("zone", "export", "example.net")
        changed = self.write(text.replace("hostmaster", "joe"))
        self.command("zone", "import", "example.net", changed)
        self.command("zone", "undo", "example.net", "4")
        (soa,) = (data for data in self.records("@") if "hostmaster" in data)

        self.assertIn(str(self.history()[0]["to"]), soa)
