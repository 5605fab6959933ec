"""The standards that packages claim, and those that their source cites."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.rfc import citations, declared, packages, table


class CitationTests(SynchronousTestCase):
    """Tables in docstrings against citations in the source, both ways."""

    def test_form(self) -> None:
        """Comments and strings are read; deviations and gaps are told apart."""
        directory = Path(__file__).parent / "house"
        self.assertEqual([], [c for c in citations(directory) if not c.number])
        found = {(c.number, c.section) for c in citations()}
        self.assertIn((959, "4.1.3"), found)

    def test_what_is_claimed_is_cited(self) -> None:
        """A standard that a package has in its table is cited somewhere in it."""
        missing = [
            f"{package.name}: RFC {number}"
            for package in packages()
            for number in self.claims(package) - self.cited(package)
        ]
        self.assertEqual([], sorted(missing))

    def test_what_is_cited_is_claimed(self) -> None:
        """A standard that a package cites is in its table."""
        missing = [
            f"{package.name}: RFC {number}"
            for package in packages()
            for number in self.cited(package) - set(declared(package))
        ]
        self.assertEqual([], sorted(missing))

    def claims(self, package: Path) -> set[int]:
        """What the table says is done, at least in part."""
        return {number for number, is_done in declared(package).items() if is_done}

    def cited(self, package: Path) -> set[int]:
        """What the source of the package cites."""
        return {citation.number for citation in citations(package)}

    def test_table(self) -> None:
        """The manual's page has a row for each standard."""
        self.assertIn("| [959](https://www.rfc-editor.org/rfc/rfc959) | ", table())
