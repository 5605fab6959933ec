"""``--view``: commands on overlays."""

from __future__ import annotations

from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE

VIEWS = '[dns]\nviews = ["inside clients=10.0.0.0/8", "lab clients=10.9.0.0/16"]\n'


class OverlayTests(CommandTestCase):
    """What commands do with zones they do with overlays."""

    def setUp(self) -> None:
        super().setUp()
        with open(self.config, "a") as file:
            file.write(VIEWS)
        self.command("zone", "import", "example.net", self.write(ZONE))

    def write(self, text: str) -> str:
        """A file with that text."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def add(self, *words: str, view: str = "inside") -> None:
        self.command("zone", "record", "add", "--view", view, "example.net", *words)

    def records(self, view: str = "inside") -> list[str]:
        rows = self.rows("zone", "record", "list", "--view", view, "example.net")
        return [f"{r['name']} {r['ttl']} {r['type']} {r['data']}" for r in rows]

    def serial(self) -> int:
        rows = self.rows("zone", "list")
        (serial,) = [
            r["serial"] for r in rows if r["zone"] == "example.net." and not r["view"]
        ]
        return int(serial)

    def test_records(self) -> None:
        """The first record makes an overlay; the zone keeps its own, with a higher
        serial, so that secondaries of the view come."""
        before = self.serial()
        self.add("www 60 A 10.0.0.80")
        self.add("mail HIDE AAAA")
        self.assertEqual(
            ["mail.example.net. 0 HIDE AAAA", "www.example.net. 60 A 10.0.0.80"],
            sorted(self.records()),
        )
        self.assertGreater(self.serial(), before)
        rows = self.rows("zone", "record", "list", "example.net", "--name", "www")
        self.assertEqual({"192.0.2.80", "192.0.2.81"}, {row["data"] for row in rows})
        self.command(
            "zone", "record", "remove", "--view", "inside", "example.net", "www", "A"
        )
        self.assertEqual(["mail.example.net. 0 HIDE AAAA"], self.records())

    def test_list_and_remove(self) -> None:
        """Overlays are listed with their view, and removed without the zone."""
        self.add("www A 10.0.0.80")
        self.add("www A 10.9.0.80", view="lab")
        found = {(r["zone"], r["view"]) for r in self.rows("zone", "list")}
        ours = {(zone, view) for zone, view in found if zone == "example.net."}
        self.assertEqual({None, "inside", "lab"}, {view for _, view in ours})
        self.command("zone", "remove", "--yes", "--view", "lab", "example.net")
        views = {r["view"] for r in self.rows("zone", "list")}
        self.assertEqual({None, "inside"}, views)
        result = self.run_command("zone", "remove", "--yes", "example.net")
        self.assertIn("its overlay in the view inside stays", result.stderr)

    def test_files(self) -> None:
        """An overlay goes out to a master file, and comes in again."""
        text = "$TTL 60\nwww A 10.0.0.80\nold HIDE *\nold CNAME www\n"
        row = self.rows(
            "zone", "import", "--view", "inside", "example.net", self.write(text)
        )
        self.assertEqual("example.net. in the view inside", row["zone"])
        self.assertEqual("created", row["action"])
        out = self.command("zone", "export", "--view", "inside", "example.net")
        self.assertIn("; example.net. view inside revision 1\n", out)
        self.assertIn("old.example.net. 0 IN HIDE *\n", out)
        row = self.rows(
            "zone", "import", "--view", "inside", "example.net", self.write(out)
        )
        self.assertEqual("unchanged", row["action"])

    def test_directories(self) -> None:
        """Overlays go out with all zones, and come in again."""
        self.add("www 60 A 10.0.0.80")
        directory = self.mktemp()
        self.command("zone", "export", "--all", directory)
        self.command("zone", "remove", "--yes", "--view", "inside", "example.net")
        self.command("zone", "import-dir", directory)
        self.assertEqual(["www.example.net. 60 A 10.0.0.80"], self.records())

    def test_history(self) -> None:
        """A change of an overlay is told, and taken back."""
        self.add("www 60 A 10.0.0.80")
        self.add("www 60 A 10.0.0.81")
        rows = self.rows("zone", "history", "--view", "inside", "example.net")
        self.assertEqual([2, 1], [row["revision"] for row in rows])
        self.command("zone", "undo", "--view", "inside", "example.net", "2")
        self.assertEqual(["www.example.net. 60 A 10.0.0.80"], self.records())

    def test_check(self) -> None:
        """Told is what is wrong in the view alone."""
        self.add("www A 10.0.0.80")
        out = self.command("zone", "check", "--view", "inside", "example.net")
        self.assertEqual("No mistakes found.\n", out)
        self.add("mail HIDE *")
        result = self.run_command("zone", "check", "--view", "inside", "example.net")
        self.assertEqual(1, result.exit_code)
        self.assertIn("mail.example.net. does not exist", result.stdout)

    def test_refusals(self) -> None:
        """What cannot be is refused in words, and changes nothing."""
        for view, record, expected in (
            ("outside", "www A 10.0.0.1", "did you mean inside?"),
            (
                "xyz",
                "www A 10.0.0.1",
                "there is no view xyz: dns.views has inside, lab",
            ),
            ("ü", "www A 10.0.0.1", "is no name of a view"),
            ("inside", "@ HIDE SOA", "SOA cannot be hidden"),
            ("inside", "@ CNAME www", "no CNAME"),
            ("inside", "www.example.org. A 10.0.0.1", "not in the zone"),
            ("inside", "www HIDE NONSENSE", "unknown record type"),
        ):
            words = ("zone", "record", "add", "--view", view, "example.net", record)
            self.assertIn(expected, self.refusal(*words))
        words = ("zone", "record", "list", "--view", "inside", "example.net")
        self.assertIn(
            "no overlay of example.net. in the view inside", self.refusal(*words)
        )
        words = (
            "zone",
            "record",
            "add",
            "--view",
            "inside",
            "example.edu",
            "a A 10.0.0.1",
        )
        self.assertIn("there is no zone example.edu.", self.refusal(*words))
        words = ("zone", "record", "add", "example.net", "www HIDE A")
        self.assertIn("is for overlays alone", self.refusal(*words))
