"""Settings that could never mean anything are refused when they are read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.options import (
    check_charset,
    check_name,
    check_path,
    parse_caching,
    parse_type,
)


class OptionTests(SynchronousTestCase):
    """What is told of a value that is wrong."""

    def test_wrong(self) -> None:
        """The value is named, so that it is found in a list of many."""
        for check, value, told in (
            (check_path, "dav", "'dav' is no path: write /dav"),
            (check_charset, "utf-9", "'utf-9' is no charset"),
            (check_name, "a/b", "'a/b' is no single name"),
            (parse_type, "gpx text/xml", "'gpx text/xml' is no line"),
            (parse_caching, "*.css", "'*.css' is no line"),
        ):
            with self.assertRaises(ValueError) as caught:
                check(value)
            self.assertIn(told, str(caught.exception))

    def test_right(self) -> None:
        """What is empty turns a thing off."""
        for check, value in (
            (check_path, ""),
            (check_path, "/dns-query"),
            (check_charset, ""),
            (check_charset, "latin-1"),
            (check_name, "index.html"),
        ):
            check(value)
