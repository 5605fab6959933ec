"""``netservices zone set`` and ``options``."""

from __future__ import annotations

from tests.cli.bench import CommandTestCase


class ZoneOptionsTests(CommandTestCase):
    """What is particular to one zone."""

    def setUp(self) -> None:
        super().setUp()
        text = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
        self.command("zone", "import", "example.net", "-", given=text)

    def test_set(self) -> None:
        """What is named is set, the rest stays; lists may have commas."""
        self.command(
            *("zone", "set", "Example.NET."),
            *("--allow-transfer", "192.0.2.0/24,!192.0.2.7"),
            *("--allow-transfer", "loopback"),
        )
        self.command(
            *("zone", "set", "example.net"),
            *("--notify", "192.0.2.53@5353", "--notify", "2001:db8::53"),
        )
        row = self.rows("zone", "options", "example.net")
        self.assertEqual("example.net.", row["zone"])
        self.assertEqual(
            ["192.0.2.0/24", "!192.0.2.7", "loopback"], row["allow_transfer"]
        )
        self.assertEqual(["192.0.2.53@5353", "2001:db8::53"], row["notify"])
        self.assertEqual([], row["allow_update"])

    def test_reset(self) -> None:
        """Without an option of its own a zone obeys the settings; ``none`` is one."""
        self.command("zone", "set", "example.net", "--allow-transfer", "none")
        row = self.rows("zone", "options", "example.net")
        self.assertEqual(["!any"], row["allow_transfer"])
        self.command("zone", "set", "example.net", "--reset", "allow-transfer")
        row = self.rows("zone", "options", "example.net")
        self.assertEqual([], row["allow_transfer"])

    def test_keys(self) -> None:
        """A key that is not there is worth a warning."""
        words = ("zone", "set", "example.net", "--allow-transfer", "key:k")
        self.assertIn("there is no key k", self.run_command(*words).stderr)
        self.command("key", "add", "k")
        self.assertEqual("", self.run_command(*words).stderr)

    def test_nonsense(self) -> None:
        """What is wrong is said in words, and changes nothing."""
        for words, reason in (
            (("--allow-transfer", "192.0.2.0/33"), "192.0.2.0/33"),
            (("--notify", "ns.example.org"), "no IP address"),
            (("--notify", "192.0.2.1 colour=red"), "neither key=NAME nor tls=NAME"),
            (("--reset", "primaries"), "primaries"),
            ((), "say what to set"),
        ):
            message = self.refusal("zone", "set", "example.net", *words)
            self.assertIn(reason, message)
        self.assertIn(
            "there is no zone",
            self.refusal("zone", "set", "no.test", "--notify", "::1"),
        )
        self.assertIn("there is no zone", self.refusal("zone", "options", "no.test"))

    def test_removed(self) -> None:
        """A zone takes its options with it."""
        self.command("zone", "set", "example.net", "--allow-transfer", "any")
        self.command("zone", "remove", "example.net", "--yes")
        text = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
        self.command("zone", "import", "example.net", "-", given=text)
        row = self.rows("zone", "options", "example.net")
        self.assertEqual([], row["allow_transfer"])
