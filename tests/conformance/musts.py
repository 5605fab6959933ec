"""One requirement of a standard, and the tests that show that it is met."""

from __future__ import annotations


class Must:
    """``section`` of the standard, its wording in short, and dotted names of tests."""

    def __init__(self, section: str, wording: str, *tests: str) -> None:
        self.section = section
        self.wording = wording
        self.tests = tests

    def __repr__(self) -> str:
        return f"{self.section}: {self.wording}"
