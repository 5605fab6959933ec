"""Every requirement of RFC 9110 and RFC 9112 on an origin server has its tests."""

from __future__ import annotations

import re
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import musts_9110, musts_9112
from tests.conformance.musts import Must

LISTS = {"RFC 9110": musts_9110.ROWS, "RFC 9112": musts_9112.ROWS}


def missing(name: str) -> bool:
    """Whether there is no test of that dotted name."""
    module_name, class_name, method = name.rsplit(".", 2)
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleNotFoundError:
        return True
    return not callable(getattr(found, method, None))


class MustTests(SynchronousTestCase):
    """The lists are what they say."""

    def test_tests_exist(self) -> None:
        """Each requirement names a test, and each test is there."""
        for standard, rows in LISTS.items():
            gone = [
                f"{standard} {row}: {name}"
                for row in rows
                for name in row.tests or ("none",)
                if missing(name)
            ]
            self.assertEqual([], gone)

    def test_order(self) -> None:
        """The lists are in the order of the standards, so that they can be read side
        by side."""

        def place(row: Must) -> list[int]:
            return [int(number) for number in re.findall(r"\d+", row.section)]

        for rows in LISTS.values():
            places = [place(row) for row in rows]
            self.assertEqual(sorted(places), places)
