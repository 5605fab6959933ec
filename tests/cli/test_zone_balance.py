"""``netservices zone balance``."""

from __future__ import annotations

from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE


class BalanceTests(CommandTestCase):
    """Rules for names, kept beside the zone."""

    def setUp(self) -> None:
        super().setUp()
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(ZONE)
        self.command("zone", "import", "example.net", path)

    def balance(self, *words: str) -> str:
        return self.command("zone", "balance", *words)

    def refused(self, *words: str) -> str:
        return self.refusal("zone", "balance", *words)

    def test_set_and_remove(self) -> None:
        """A rule is kept under the name, listed, replaced and removed."""
        self.balance("set", "example.net", "WWW", "weight=192.0.2.80:3", "check=tcp:80")
        wanted = {
            "name": "www.example.net.",
            "rule": "weight=192.0.2.80:3 check=tcp:80",
        }
        self.assertEqual([wanted], self.rows("zone", "balance", "list"))
        self.balance("set", "example.net", "www.example.net.", "mode=cyclic")
        wanted["rule"] = "mode=cyclic"
        self.assertEqual([wanted], self.rows("zone", "balance", "list", "example.net"))
        self.assertEqual([], self.rows("zone", "balance", "list", "example.org"))
        self.balance("remove", "example.net", "www")
        self.assertEqual([], self.rows("zone", "balance", "list"))

    def test_spaces(self) -> None:
        """What the shell hands over as one word stays one."""
        self.balance("set", "example.net", "www", "check=http:80/", "text=all is well")
        (row,) = self.rows("zone", "balance", "list")
        self.assertEqual("check=http:80/ 'text=all is well'", row["rule"])

    def test_wrong(self) -> None:
        """What cannot be is refused, and says why."""
        for words, complaint in (
            (("set", "example.net", "www", "colour=blue"), "colour= is unknown"),
            (("set", "example.net", "mail.example.org."), "is not in the zone"),
            (("set", "example.net", "none"), "has no addresses"),
            (("set", "example.net", "mail", "type=A"), "has no addresses"),
            (("set", "none.example", "www"), "there is no zone"),
            (("remove", "example.net", "www"), "has no rule"),
        ):
            self.assertIn(complaint, self.refused(*words))

    def test_foreign_address(self) -> None:
        """An address that the zone does not have is named; an ALIAS may have any."""
        words = ("example.net", "www", "weight=192.0.2.99:5")
        result = self.run_command("zone", "balance", "set", *words)
        self.assertEqual(0, result.exit_code)
        self.assertIn("has no address 192.0.2.99; it is never given", result.stderr)
        self.command("zone", "record", "add", "example.net", "shop", "ANAME", "www")
        words = ("example.net", "shop", "weight=192.0.2.99:5")
        result = self.run_command("zone", "balance", "set", *words)
        self.assertEqual((0, ""), (result.exit_code, result.output))
