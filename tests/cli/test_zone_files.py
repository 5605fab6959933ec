"""``netservices zone create``, ``import-dir`` and ``export --all``."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE

PLAIN = ZONE.replace("$ORIGIN example.net.\n", "")
"""Without the name of its zone."""


class FilesTests(CommandTestCase):
    """Many zones at once."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def write(self, name: str, text: str = PLAIN) -> None:
        """A file in the directory."""
        (self.directory / name).write_text(text)

    def test_import_directory(self) -> None:
        """Each file is a zone, named after it; copies of editors are none."""
        for name in ("a.example.zone", "db.b.example", "c.example.db", "d.example"):
            self.write(name)
        for name in (".hidden", "d.example~", "#a.example.zone#", "a.example.bak"):
            self.write(name, "nonsense\n")
        (self.directory / "sub").mkdir()
        rows = self.rows("zone", "import-dir", str(self.directory))

        self.assertEqual(
            {"a.example.", "b.example.", "c.example.", "d.example."},
            {row["zone"] for row in rows},
        )
        self.assertEqual({"created"}, {row["action"] for row in rows})

    def test_one_mistake(self) -> None:
        """A mistake in one file, and no zone is changed."""
        self.write("a.example.zone")
        self.write("b.example.zone", PLAIN + "x A 192.0.2.300\n")
        message = self.refusal("zone", "import-dir", str(self.directory))

        self.assertIn("b.example.zone:9", message)
        self.assertNotIn("a.example", str(self.rows("zone", "list")))

    def test_twice(self) -> None:
        """Two files of one zone are refused, and a directory without any."""
        empty = self.mktemp()
        os.mkdir(empty)
        self.assertIn("no master files", self.refusal("zone", "import-dir", empty))
        self.write("a.example.zone")
        self.write("db.a.example")
        message = self.refusal("zone", "import-dir", str(self.directory))
        self.assertIn("same zone", message)

    def test_there_and_back(self) -> None:
        """What --all exports, import-dir reads back, classless zones too."""
        self.write("a.example.zone")
        self.command("zone", "import-dir", str(self.directory))
        self.command("zone", "reverse", "192.0.2.0/25")
        before = self.rows("zone", "list")
        target = self.mktemp()
        self.command("zone", "export", "--all", target)
        for row in before:
            self.command("zone", "remove", row["zone"], "--yes")
        rows = self.rows("zone", "import-dir", target, "--keep-serial")
        after = self.rows("zone", "list")

        self.assertEqual(len(before), len(rows))
        self.assertEqual(
            [(row["zone"], row["serial"]) for row in before],
            [(row["zone"], row["serial"]) for row in after],
        )

    def test_create(self) -> None:
        """A new zone has the servers and addresses that are given."""
        words = ("--ns", "ns1.new.example", "--ns", "ns2.example.net")
        self.command("zone", "create", "new.example", *words, "--address", "192.0.2.1")
        rows = self.rows("zone", "record", "list", "new.example")
        found = {(row["name"], row["type"], row["data"]) for row in rows}

        self.assertIn(("new.example.", "NS", "ns1.new.example."), found)
        self.assertIn(("new.example.", "NS", "ns2.example.net."), found)
        self.assertIn(("ns1.new.example.", "A", "192.0.2.1"), found)
        self.assertIn(("new.example.", "A", "192.0.2.1"), found)

    def test_create_alone(self) -> None:
        """Without a server it is this host; a second time it is refused."""
        self.command("zone", "create", "bücher.example")
        self.assertIn("xn--bcher-kva.example.", str(self.rows("zone", "list")))
        message = self.refusal("zone", "create", "bücher.example")

        self.assertIn("exists", message)

    def test_what_to_import(self) -> None:
        """A file or a server is said, not both; a server is written as one."""
        self.write("a.example.zone")
        path = str(self.directory / "a.example.zone")
        self.assertIn("--from", self.refusal("zone", "import", "a.example"))
        for words in ((path, "--from", "192.0.2.1"), ("--from", "192.0.2.1@x")):
            self.assertNotEqual("", self.refusal("zone", "import", "a.example", *words))
        self.assertNotEqual("", self.refusal("zone", "export"))
