"""``netservices zone record``: many at once, TTLs, and names of all scripts."""

from __future__ import annotations

from typing import Any

from netservices.cli.zone.editing import Draft, edit
from netservices.cli.zones import wire_name
from netservices.units import UpdateZone
from tests.cli.test_zone_history import VersionsTestCase


class RecordTests(VersionsTestCase):
    """Edits of records."""

    def listed(self, *options: str) -> Any:
        """The records of the zone."""
        return self.rows("zone", "record", "list", "example.net", *options)

    def data(self, name: str, rdtype: str) -> list[str]:
        """The data of an RRset."""
        rows = self.listed("--name", name, "--type", rdtype)
        return [row["data"] for row in rows]

    def test_set(self) -> None:
        """A record takes the place of all of its name and type."""
        self.record("set", "www", "300", "A", "192.0.2.99")

        self.assertEqual(["192.0.2.99"], self.data("www", "A"))
        self.record("set", "www", "TXT", "hello")
        self.assertEqual(["192.0.2.99"], self.data("www", "A"))

    def test_set_many(self) -> None:
        """Several records of one RRset are set together."""
        lines = "www A 192.0.2.1\nwww A 192.0.2.2\n; a comment\n\nmail A 192.0.2.25\n"
        before = len(self.history())
        self.command("zone", "record", "set", "example.net", "-", given=lines)

        self.assertEqual(["192.0.2.1", "192.0.2.2"], self.data("www", "A"))
        self.assertEqual(["192.0.2.25"], self.data("mail", "A"))
        self.assertEqual(before + 1, len(self.history()))

    def test_add_many(self) -> None:
        """Records from standard input are one change."""
        before = self.history()
        lines = "".join(f"h{n} A 192.0.2.{n}\n" for n in range(100))
        self.command("zone", "record", "add", "example.net", "-", given=lines)
        after = self.history()

        self.assertEqual(len(before) + 1, len(after))
        self.assertEqual(101, after[0]["added"])
        self.assertEqual(["192.0.2.7"], self.data("h7", "A"))

    def test_all_or_none(self) -> None:
        """A mistake in one line names the line, and nothing is changed."""
        before = self.listed()
        words = ("zone", "record", "add", "example.net", "-")
        message = self.refusal(*words, given="a A 192.0.2.1\n\nb A 192.0.2.300\n")

        self.assertIn("line 3: '192.0.2.300' is no IPv4 address", message)
        self.assertEqual(before, self.listed())

    def test_remove_many(self) -> None:
        """What to remove is read from standard input."""
        words = ("zone", "record", "remove", "example.net", "-")
        self.command(*words, given="www A 192.0.2.80\nwww A 192.0.2.81\n@ MX\n")

        self.assertEqual(["192.0.2.82"], self.data("www", "A"))
        self.assertEqual([], self.data("@", "MX"))
        self.assertIn("line 2", self.refusal(*words, given="www A\nnone A\n"))
        self.assertEqual(["192.0.2.82"], self.data("www", "A"))

    def test_ttl(self) -> None:
        """Without a TTL a record has that of its RRset, or else the SOA's."""
        self.record("set", "www", "77", "A", "192.0.2.1")
        self.record("add", "www", "A", "192.0.2.2")
        self.record("add", "new", "A", "192.0.2.3")

        rows = {row["data"]: row["ttl"] for row in self.listed("--type", "A")}
        self.assertEqual(77, rows["192.0.2.2"])
        self.assertEqual(3600, rows["192.0.2.3"])

    def test_international(self) -> None:
        """Names may have letters beyond ASCII; RFC 5890."""
        self.record("add", "bücher", "CNAME", "straße.example.")

        self.assertEqual(
            ["xn--strae-oqa.example."], self.data("xn--bcher-kva", "CNAME")
        )
        self.assertEqual(1, len(self.listed("--name", "BÜCHER")))

    def test_new_doubts_only(self) -> None:
        """A change warns of what it makes doubtful, not of what was so before."""
        words = ("zone", "record", "add", "example.net")
        first = self.run_command(*words, "a", "CNAME", "nowhere")
        second = self.run_command(*words, "b", "A", "192.0.2.1")

        self.assertIn("nowhere.example.net. does not exist", first.stderr)
        self.assertEqual("", second.stderr)

    def test_without_type(self) -> None:
        """A type is wanted, unless all is read from standard input."""
        message = self.refusal("zone", "record", "remove", "example.net", "www")
        self.assertIn("TYPE", message)


class RaceTests(VersionsTestCase):
    """Another change gets in between."""

    def test_made_anew(self) -> None:
        """The edits are made anew on what the other has left."""
        from click import Command, Context

        from netservices.cli.workplace import Workplace
        from netservices.dns.zonefile import parse_record

        name = wire_name("example.net")
        tries = []
        with Workplace(self.state, self.config).open() as bench:

            def apply(draft: Draft) -> None:
                tries.append(1)
                if len(tries) == 1:
                    other = parse_record(name, "other 60 A 192.0.2.1")
                    bench.apply(UpdateZone(name, (), (other,)))
                draft.add("mine 60 A 192.0.2.2")

            with Context(Command("test"), info_name="test"):
                edit(bench, "example.net", apply)

        self.assertEqual(2, len(tries))
        self.assertEqual({"192.0.2.1"}, self.records("other"))
        self.assertEqual({"192.0.2.2"}, self.records("mine"))
